"""run_lego_command against servers that share no code with the engine."""

import time

import pytest
from cryptography import x509

import pylego
from tests.servers.certificates import certificate_request, names_of
from tests.servers.fault_server import ERROR, FaultServer, problem
from tests.servers.pebble import EXTERNAL_ACCOUNT
from tests.servers.process import free_ports

# The first test that asks for a server may have to build it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def obtain(server, env, *names, **arguments):
    csr = certificate_request(*names)
    return pylego.run_lego_command("dev@example.com", server.directory, csr, env, **arguments)


def verified(response, root):
    """Check the chain up to the root; return the certificate's names."""
    leaf, *chain = x509.load_pem_x509_certificates(response.certificate.encode())
    for certificate, issuer in zip(
        [leaf, *chain], [*chain, x509.load_pem_x509_certificate(root)], strict=True
    ):
        certificate.verify_directly_issued_by(issuer)
    return sorted(names_of(leaf))


def elsewhere():
    """Ports where no server looks."""
    http, tls = free_ports(2)
    return {"HTTP01_PORT": str(http), "TLSALPN01_PORT": str(tls)}


# Pebble


@pytest.mark.parametrize("plugin", ["http", "tls"])
def test_pebble_issues(pebble, plugin):
    response = obtain(pebble, pebble.env(), "b.example", "a.example", plugin=plugin)
    assert verified(response, pebble.root) == ["a.example", "b.example"]


@pytest.mark.parametrize("plugin", ["http", "tls"])
def test_pebble_issues_in_spite_of_its_faults(difficult_pebble, plugin):
    kid, hmac = EXTERNAL_ACCOUNT
    names = [f"{number}.example" for number in range(10)]
    response = obtain(
        difficult_pebble, difficult_pebble.env(), *names, plugin=plugin, eab_kid=kid, eab_hmac=hmac
    )
    assert verified(response, difficult_pebble.root) == names


# step-ca


@pytest.mark.parametrize("plugin", ["http", "tls", ""])
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_step_ca_issues(step_ca, plugin, name):
    assert verified(obtain(step_ca, step_ca.env(), name, plugin=plugin), step_ca.root) == [name]


def test_step_ca_finds_the_account_again(step_ca):
    first = obtain(step_ca, step_ca.env(), "localhost")
    again = obtain(step_ca, step_ca.env(), "localhost", private_key=first.account_key)
    assert again.account_key == first.account_key


@pytest.mark.parametrize(
    ("plugin", "tried"), [("tls", ["tls-alpn-01"]), ("http", ["http-01", "tls-alpn-01"])]
)
def test_a_challenge_that_step_ca_leaves_pending_fails_in_time(step_ca, plugin, tried):
    start = time.monotonic()
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(step_ca, {**step_ca.env(), **elsewhere()}, "localhost", plugin=plugin)
    assert time.monotonic() - start < 15
    assert (caught.value.type, caught.value.code) == ("acme", "connection")
    assert [each.challenge for each in caught.value.attempts] == tried


def test_step_ca_reaches_the_next_challenge_type(step_ca):
    env = {**step_ca.env(), "HTTP01_PORT": elsewhere()["HTTP01_PORT"]}
    assert verified(obtain(step_ca, env, "localhost"), step_ca.root) == ["localhost"]


# A server that does what it is told to


@pytest.fixture
def faulty(authority, tmp_path):
    """Obtain from a FaultServer of these settings; return the server and the outcome."""
    file = tmp_path / "trust.pem"
    file.write_bytes(authority.pem)

    def obtain_from(answers=None, **settings):
        with FaultServer(authority, answers, **settings) as server:
            try:
                return server, obtain(
                    server, {"SSL_CERT_FILE": str(file), **elsewhere()}, "a.example"
                )
            except pylego.LEGOError as error:
                return server, error

    return obtain_from


def test_an_account_that_the_server_lost_is_registered_again_once(faulty):
    lost = problem("accountDoesNotExist", "who are you?", 400, times=1)
    server, response = faulty({"newOrder": lost})
    assert response.certificate
    assert server.requests["newAccount"] == 2


def test_an_account_that_the_server_keeps_losing_is_an_error(faulty):
    lost = problem("accountDoesNotExist", "who are you?", 400)
    server, error = faulty({"newOrder": lost})
    assert (error.type, error.code) == ("acme", "accountDoesNotExist")
    assert server.requests["newAccount"] == 2


@pytest.mark.parametrize(
    ("kind", "orders"),
    [
        ("connection", 2),
        ("tls", 2),
        ("unauthorized", 2),
        ("dns", 1),
        ("caa", 1),
        ("rejectedIdentifier", 1),
        ("rateLimited", 1),
    ],
)
def test_the_next_challenge_type_is_tried_after_some_problems(faulty, kind, orders):
    reason = {"type": ERROR + kind, "detail": "no", "status": 400}
    server, error = faulty(validation={"a.example": reason}, offers=("http-01", "tls-alpn-01"))
    assert (error.type, error.code) == ("acme", kind)
    assert server.requests["newOrder"] == orders
    assert [each.challenge for each in error.attempts] == ["http-01", "tls-alpn-01"][:orders]


def test_a_challenge_type_that_is_not_offered_is_not_tried(faulty):
    reason = {"type": ERROR + "connection", "detail": "no", "status": 400}
    server, error = faulty(validation={"a.example": reason})
    assert (error.type, error.code) == ("acme", "connection")
    assert server.requests["newOrder"] == 1
    assert [each.challenge for each in error.attempts] == ["http-01"]
