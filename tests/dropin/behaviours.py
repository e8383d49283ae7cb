"""What run_lego_command is recorded in: arguments, and what the server does about them.

Each behaviour is a function that yields arguments while its server runs.
"""

import contextlib
import http.server
import threading

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.servers.certificates import Authority, certificate_request, new_key
from tests.servers.fault_server import ERROR, HANG_UP, Answer, FaultServer, problem, subproblem
from tests.servers.pebble import BLOCKED, EXTERNAL_ACCOUNT, Pebble
from tests.servers.process import free_ports

HTML = Answer(502, "<html><body><h1>Bad Gateway</h1></body></html>", "text/html")

DNS_01 = {"validation": {}, "offers": ["dns-01"]}


class Place:
    """Where one behaviour is played: a folder, and servers in it."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def pebble(self, *names, account=(), server=None, env=None, **arguments):
        with Pebble(self.folder, **(server or {})) as pebble:
            yield {
                **_request(pebble.directory, {**pebble.env(), **(env or {})}, names),
                **dict(zip(("eab_kid", "eab_hmac"), account, strict=False)),
                **arguments,
            }

    @contextlib.contextmanager
    def faults(self, answers=None, *names, env=None, server=None, **arguments):
        authority = Authority("The root of the fault server")
        with FaultServer(authority, answers, **(server or {})) as running:
            trusted = {**self.trust(authority), **_free_listeners(), **(env or {})}
            yield {**_request(running.directory, trusted, names), **arguments}

    def trust(self, authority, name="trust.pem"):
        file = self.folder / name
        file.write_bytes(authority.pem)
        return {"SSL_CERT_FILE": str(file)}

    @contextlib.contextmanager
    def no_server(self, server, **arguments):
        yield {**_request(server, _free_listeners(), ()), **arguments}


def _request(server, env, names):
    return {
        "email": "dev@example.com",
        "server": server,
        "csr": certificate_request(*(names or ("a.example",))).decode(),
        "plugin": "http",
        "env": env,
    }


def _free_listeners():
    ports = free_ports(2)
    return {
        "HTTP01_IFACE": "127.0.0.1",
        "HTTP01_PORT": str(ports[0]),
        "TLSALPN01_IFACE": "127.0.0.1",
        "TLSALPN01_PORT": str(ports[1]),
    }


# Certificates


def http_01(place):
    return place.pebble("a.example")


def tls_alpn_01(place):
    return place.pebble("a.example", plugin="tls")


def an_empty_plugin(place):
    return place.pebble("a.example", plugin="")


def several_names(place):
    return place.pebble("c.example", "a.example", "b.example")


def several_names_and_a_common_name(place):
    csr = certificate_request("c.example", "a.example", "b.example", common_name="b.example")
    return place.pebble(csr=csr.decode())


def a_common_name_alone(place):
    return place.pebble(csr=certificate_request(common_name="a.example").decode())


def an_ip_address(place):
    return place.pebble("127.0.0.1")


def capital_letters(place):
    return place.pebble("A.Example")


def a_text_around_the_csr(place):
    csr = certificate_request("a.example").decode()
    return place.pebble(csr=f"A certificate request:\n{csr}And its end.\n")


def no_email(place):
    return place.pebble("a.example", email="")


def an_account_key(place):
    return place.pebble("a.example", private_key=new_key())


def an_account_key_of_rsa(place):
    return place.pebble("a.example", private_key=_pkcs8(rsa.generate_private_key(65537, 2048)))


def a_difficult_server(place):
    settings = {"nonce_reject": 30, "validation_sleep": 1, "external_account": True}
    return place.pebble("a.example", server=settings, account=EXTERNAL_ACCOUNT)


def a_nonce_rejected_once(place):
    return place.faults({"newOrder": problem("badNonce", "JWS has an invalid nonce", 400, times=1)})


# What the CA refuses: Pebble's words


def an_external_account_missing(place):
    return place.pebble("a.example", server={"external_account": True})


def an_external_account_unknown(place):
    account = ("kid-2", EXTERNAL_ACCOUNT[1])
    return place.pebble("a.example", server={"external_account": True}, account=account)


def an_external_account_with_another_key(place):
    account = (EXTERNAL_ACCOUNT[0], "c29tZXRoaW5nLWVsc2UtdGhhdC1pcy1sb25nLWVub3VnaA")
    return place.pebble("a.example", server={"external_account": True}, account=account)


def an_external_account_with_a_key_that_is_not_base64(place):
    account = (EXTERNAL_ACCOUNT[0], "!!!")
    return place.pebble("a.example", server={"external_account": True}, account=account)


def a_blocked_name(place):
    return place.pebble(BLOCKED)


def a_blocked_name_among_others(place):
    return place.pebble("a.example", BLOCKED)


def an_email_that_is_none(place):
    return place.pebble("a.example", email="nonsense")


def http_01_unreachable(place):
    return place.pebble("a.example", env=_free_listeners())


def tls_alpn_01_unreachable(place):
    return place.pebble("a.example", env=_free_listeners(), plugin="tls")


@contextlib.contextmanager
def http_01_with_another_answer(place):
    with place.pebble("a.example") as arguments, _other_web_server(arguments["env"]["HTTP01_PORT"]):
        yield {**arguments, "env": {**arguments["env"], **_free_listeners()}}


# What the CA refuses: words of our choice


def an_order_over_a_limit(place):
    limit = problem("rateLimited", "too many orders", 429, headers={"Retry-After": "3600"})
    return place.faults({"newOrder": limit})


def a_name_the_ca_rejects(place):
    return place.faults({"newOrder": problem("rejectedIdentifier", "not for you", 400)})


def subproblems(place):
    parts = [
        subproblem("rejectedIdentifier", "c is refused", "c.example"),
        subproblem("caa", "a has a CAA record", "a.example"),
        {
            "type": "",
            "detail": "b has no type",
            "identifier": {"type": "dns", "value": "b.example"},
        },
        {"type": ERROR + "malformed", "detail": "nobody's problem"},
    ]
    refused = problem("compound", "several names are refused", 403, subproblems=parts)
    return place.faults({"newOrder": refused}, "a.example", "b.example", "c.example")


def a_problem_of_an_empty_type(place):
    return place.faults({"newOrder": problem("", "no type at all", 400)})


def a_problem_without_a_type(place):
    body = {"detail": "no type at all", "status": 403}
    return place.faults({"newOrder": Answer(403, body, "application/problem+json")})


def a_problem_of_a_foreign_type(place):
    return place.faults({"newOrder": problem("https://ca.example/problems/odd", "odd", 418)})


def a_problem_without_a_status(place):
    body = {"type": ERROR + "malformed", "detail": "no status in the document"}
    return place.faults({"newOrder": Answer(400, body, "application/problem+json")})


def a_problem_sent_as_json(place):
    body = {"type": ERROR + "malformed", "detail": "of another media type", "status": 400}
    return place.faults({"newOrder": Answer(400, body, "application/json")})


def a_problem_without_a_detail(place):
    body = {"type": ERROR + "malformed", "status": 400}
    return place.faults({"newOrder": Answer(400, body, "application/problem+json")})


def an_internal_error(place):
    return place.faults({"newOrder": problem("serverInternal", "we are broken", 500)})


def a_page_instead_of_an_order(place):
    return place.faults({"newOrder": HTML})


def an_order_that_is_no_json(place):
    answer = Answer(201, "fine", headers={"Location": "{url}/order/0"})
    return place.faults({"newOrder": answer})


def a_connection_lost_at_the_order(place):
    return place.faults({"newOrder": HANG_UP})


def an_account_the_ca_does_not_know(place):
    return place.faults({"newOrder": problem("accountDoesNotExist", "who are you?", 400)})


def an_account_refused(place):
    return place.faults({"newAccount": problem("unauthorized", "no accounts today", 403)})


def a_page_instead_of_an_account(place):
    return place.faults({"newAccount": HTML})


def a_connection_lost_at_the_account(place):
    return place.faults({"newAccount": HANG_UP})


def every_nonce_rejected(place):
    return place.faults({"newAccount": problem("badNonce", "JWS has an invalid nonce", 400)})


def a_page_instead_of_a_nonce(place):
    return place.faults({"newNonce": HTML})


def a_challenge_refused(place):
    return place.faults(
        {}, server={"validation": {"a.example": _reason("unauthorized", "not that token", 403)}}
    )


def a_challenge_refused_for_dns(place):
    return place.faults({}, server={"validation": {"a.example": _reason("dns", "SERVFAIL", 400)}})


def a_challenge_refused_for_caa(place):
    return place.faults(
        {}, server={"validation": {"a.example": _reason("caa", "CAA says no", 403)}}
    )


def a_challenge_refused_without_a_type(place):
    return place.faults(
        {}, server={"validation": {"a.example": _reason("", "it just failed", 403)}}
    )


def a_challenge_refused_with_subproblems(place):
    reason = _reason("unauthorized", "two places disagree", 403)
    reason["subproblems"] = [subproblem("dns", "no such name", "a.example")]
    return place.faults({}, server={"validation": {"a.example": reason}})


def two_names_of_three_refused(place):
    names = ("c.example", "b.example", "a.example")
    reasons = {
        "c.example": _reason("connection", "c is away", 400),
        "b.example": _reason("dns", "b is unknown", 400),
    }
    return place.faults({}, *names, server={"validation": reasons})


def an_authorization_that_is_gone(place):
    gone = {
        "identifier": {"type": "dns", "value": "a.example"},
        "status": "deactivated",
        "challenges": [],
    }
    return place.faults({"authorization": Answer(200, gone)}, server={"validation": {}})


def only_challenges_that_are_not_configured(place):
    offered = {
        "identifier": {"type": "dns", "value": "a.example"},
        "status": "pending",
        "challenges": [
            {"type": "dns-01", "url": "{url}/challenge/0/0", "status": "pending", "token": "abc"}
        ],
    }
    return place.faults({"authorization": Answer(200, offered)}, server={"validation": {}})


def an_authorization_refused(place):
    broken = problem("serverInternal", "we are broken", 500)
    return place.faults({"authorization": broken}, server={"validation": {}})


def a_csr_the_ca_refuses(place):
    return place.faults({"finalize": problem("badCSR", "the key is weak", 400)})


def an_order_that_is_not_ready(place):
    return place.faults({"finalize": problem("orderNotReady", "not yet", 403)})


def a_page_instead_of_the_finalized_order(place):
    return place.faults({"finalize": HTML})


def a_connection_lost_at_finalize(place):
    return place.faults({"finalize": HANG_UP})


def an_order_that_fails_at_the_end(place):
    failed = {
        "status": "invalid",
        "identifiers": [{"type": "dns", "value": "a.example"}],
        "authorizations": ["{url}/authorization/0/0"],
        "finalize": "{url}/finalize/0",
        "error": _reason("caa", "CAA says no at last", 403),
    }
    return place.faults({"finalize": Answer(200, failed), "order": Answer(200, failed)})


def a_certificate_that_cannot_be_had(place):
    return place.faults({"certificate": problem("serverInternal", "it is lost", 500)})


def a_certificate_that_is_none(place):
    answer = Answer(200, "not a certificate", "application/pem-certificate-chain")
    return place.faults({"certificate": answer})


# The directory


def a_directory_that_is_no_json(place):
    return place.faults({"directory": Answer(200, "hello", "text/plain")})


def a_directory_without_resources(place):
    return place.faults({"directory": Answer(200, {})})


def a_directory_that_is_a_page(place):
    return place.faults({"directory": HTML})


def a_directory_that_is_missing(place):
    return place.faults({"directory": Answer(404, "no such page", "text/plain")})


def a_directory_with_a_problem(place):
    return place.faults({"directory": problem("serverInternal", "we are broken", 500)})


def a_directory_that_hangs_up(place):
    return place.faults({"directory": HANG_UP})


def a_directory_of_an_unknown_ca(place):
    return place.faults(env=place.trust(Authority("Another root"), "other-trust.pem"))


def a_trust_file_that_is_missing(place):
    return place.faults(env={"SSL_CERT_FILE": "/missing/trust.pem"})


def a_trust_file_that_is_no_pem(place):
    (place.folder / "bad-trust.pem").write_text("nonsense")
    return place.faults(env={"SSL_CERT_FILE": str(place.folder / "bad-trust.pem")})


def a_directory_over_http(place):
    return place.faults(server={"scheme": "http"})


def a_refused_connection(place):
    return place.no_server(f"https://127.0.0.1:{free_ports(1)[0]}/directory")


def a_host_that_does_not_exist(place):
    return place.no_server("https://no-such-host.invalid/directory")


def a_server_that_is_no_url(place):
    return place.no_server("nonsense")


def no_server(place):
    return place.no_server("")


# Arguments


def a_csr_that_is_no_pem(place):
    return place.faults(csr="nonsense")


def an_empty_csr(place):
    return place.faults(csr="")


def a_csr_that_is_no_request(place):
    marks = "-----BEGIN CERTIFICATE REQUEST-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE REQUEST-----\n"
    return place.faults(csr=marks)


def a_csr_that_is_a_key(place):
    return place.faults(csr=new_key())


def a_csr_without_names(place):
    return place.pebble(csr=certificate_request().decode())


def a_private_key_that_is_no_pem(place):
    return place.faults(private_key="nonsense")


def a_private_key_that_is_no_key(place):
    marks = "-----BEGIN EC PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END EC PRIVATE KEY-----\n"
    return place.faults(private_key=marks)


def a_private_key_that_no_ca_takes(place):
    return place.faults(private_key=_pkcs8(ed25519.Ed25519PrivateKey.generate()))


def an_unknown_plugin(place):
    return place.faults(server=DNS_01, plugin="clouflare")


def a_dns_provider_without_credentials(place):
    return place.faults(server=DNS_01, plugin="cloudflare")


def an_env_value_that_is_no_text(place):
    return place.faults(env={"HTTP01_PORT": 80})


def an_env_value_that_is_null(place):
    return place.faults(env={"SOME_SETTING": None})


def an_env_name_with_an_equals_sign(place):
    return place.faults(env={"A=B": "c"})


def an_env_name_that_is_empty(place):
    return place.faults(env={"": "c"})


def an_env_value_with_a_nul(place):
    return place.faults(env={"SOME_SETTING": "a\0b"})


def nameservers_that_are_no_texts(place):
    return place.faults(dns_nameservers=[1])


def a_wait_of_half_a_second(place):
    return place.faults(dns_propagation_wait=0.5)


def a_port_out_of_range(place):
    return place.pebble("a.example", env={"HTTP01_PORT": "99999", "TLSALPN01_PORT": "99999"})


BEHAVIOURS = (
    http_01,
    tls_alpn_01,
    an_empty_plugin,
    several_names,
    several_names_and_a_common_name,
    a_common_name_alone,
    an_ip_address,
    capital_letters,
    a_text_around_the_csr,
    no_email,
    an_account_key,
    an_account_key_of_rsa,
    a_difficult_server,
    a_nonce_rejected_once,
    an_external_account_missing,
    an_external_account_unknown,
    an_external_account_with_another_key,
    an_external_account_with_a_key_that_is_not_base64,
    a_blocked_name,
    a_blocked_name_among_others,
    an_email_that_is_none,
    http_01_unreachable,
    tls_alpn_01_unreachable,
    http_01_with_another_answer,
    an_order_over_a_limit,
    a_name_the_ca_rejects,
    subproblems,
    a_problem_of_an_empty_type,
    a_problem_without_a_type,
    a_problem_of_a_foreign_type,
    a_problem_without_a_status,
    a_problem_sent_as_json,
    a_problem_without_a_detail,
    an_internal_error,
    a_page_instead_of_an_order,
    an_order_that_is_no_json,
    a_connection_lost_at_the_order,
    an_account_the_ca_does_not_know,
    an_account_refused,
    a_page_instead_of_an_account,
    a_connection_lost_at_the_account,
    every_nonce_rejected,
    a_page_instead_of_a_nonce,
    a_challenge_refused,
    a_challenge_refused_for_dns,
    a_challenge_refused_for_caa,
    a_challenge_refused_without_a_type,
    a_challenge_refused_with_subproblems,
    two_names_of_three_refused,
    an_authorization_that_is_gone,
    only_challenges_that_are_not_configured,
    an_authorization_refused,
    a_csr_the_ca_refuses,
    an_order_that_is_not_ready,
    a_page_instead_of_the_finalized_order,
    a_connection_lost_at_finalize,
    an_order_that_fails_at_the_end,
    a_certificate_that_cannot_be_had,
    a_certificate_that_is_none,
    a_directory_that_is_no_json,
    a_directory_without_resources,
    a_directory_that_is_a_page,
    a_directory_that_is_missing,
    a_directory_with_a_problem,
    a_directory_that_hangs_up,
    a_directory_of_an_unknown_ca,
    a_trust_file_that_is_missing,
    a_trust_file_that_is_no_pem,
    a_directory_over_http,
    a_refused_connection,
    a_host_that_does_not_exist,
    a_server_that_is_no_url,
    no_server,
    a_csr_that_is_no_pem,
    an_empty_csr,
    a_csr_that_is_no_request,
    a_csr_that_is_a_key,
    a_csr_without_names,
    a_private_key_that_is_no_pem,
    a_private_key_that_is_no_key,
    a_private_key_that_no_ca_takes,
    an_unknown_plugin,
    a_dns_provider_without_credentials,
    an_env_value_that_is_no_text,
    an_env_value_that_is_null,
    an_env_name_with_an_equals_sign,
    an_env_name_that_is_empty,
    an_env_value_with_a_nul,
    nameservers_that_are_no_texts,
    a_wait_of_half_a_second,
    a_port_out_of_range,
)


def _reason(kind, detail, status):
    return {"type": ERROR + kind if kind else "", "detail": detail, "status": status}


def _pkcs8(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@contextlib.contextmanager
def _other_web_server(port):
    """Be the web server that answers in our place: everything is "hello"."""

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Hello) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()
