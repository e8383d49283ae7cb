"""`pylego doctor`: what would stop an order, and what to do."""

import os
import socket

import pytest

from tests.servers.fixtures import missing

pytest.importorskip("typer")

# The ports that every CA asks, replaced by those of the test's CA.
ELSEWHERE = """
from pylego.cli import _doctor, main
_doctor.PUBLIC.update({{_doctor.HTTP01: {http}, _doctor.TLSALPN01: {tls}}})
main()
"""


@pytest.fixture
def doctor(pylego_command, way):
    """Run it against the test's CA; give its checks by what they are about."""

    def run(*arguments, code=None, **more):
        flags = ("--json", "--server", way.server.directory, "--dns.resolvers", way.server.dns)
        done = pylego_command("doctor", *flags, *arguments, env={**way.env, **more})
        assert done.err == ""
        data = done.json
        wrong = any(each["status"] == "wrong" for each in data["checks"])
        assert (done.code, data["ok"]) == (int(wrong), not wrong)
        assert all(each["advice"] for each in data["checks"] if each["status"] == "wrong")
        return {each["check"]: each for each in data["checks"]}

    return run


def status(checks):
    return {name: check["status"] for name, check in checks.items()}


def test_a_ca_that_is_reached_and_a_clock_that_is_right(doctor):
    assert status(doctor()) == {"ca": "ok", "clock": "ok"}


def test_a_ca_that_is_not_trusted(doctor):
    checks = doctor(LEGO_CA_CERTIFICATES="")
    assert status(checks) == {"ca": "wrong"}
    assert "no trusted root vouches for" in checks["ca"]["detail"]
    assert "LEGO_CA_CERTIFICATES" in checks["ca"]["advice"]


def test_a_ca_that_nobody_knows(doctor):
    assert doctor("--server", "nobody")["ca"]["advice"] == "`pylego ca list` has the codes"


@pytest.mark.parametrize(
    ("ahead", "found", "words"),
    [(0, "ok", "0 s"), (59, "ok", "59 s behind"), (61, "wrong", "61 s behind"), (-7200, "wrong", "7200 s ahead")],
)  # fmt: skip
def test_a_clock(ahead, found, words):
    from pylego import Directory
    from pylego.cli import _doctor

    directory = Directory("https://ca.example", None, None, (), False, {}, False, ahead)
    check = _doctor._clock(directory)
    assert check.status == found
    assert words in check.detail


@pytest.mark.acme_server(
    external_accounts={"kid": "aGVsbG8taGVsbG8taGVsbG8taGVsbG8taGVsbG8taGVsbG8"}
)
def test_a_ca_that_wants_an_external_account(doctor):
    assert doctor()["account"]["status"] == "unknown"
    checks = doctor("--eab.kid", "kid", LEGO_EAB_HMAC="aGVsbG8")
    assert "account" not in checks
    checks = doctor("--eab.kid", "kid")
    assert checks["account"]["status"] == "wrong"
    assert "LEGO_EAB_HMAC" in checks["account"]["detail"]


def test_a_port_that_is_taken(doctor):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        checks = doctor("--http", "--http.address", f"127.0.0.1:{port}")
    assert checks["port"]["subject"] == f"127.0.0.1:{port}"
    assert checks["port"]["status"] == "wrong"
    assert "--http.webroot" in checks["port"]["advice"]


def test_an_address_that_is_none_of_this_machine(doctor):
    assert doctor("--tls", "--tls.address", "192.0.2.1:443")["port"]["status"] == "wrong"


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError("odd")])
def test_a_port_that_is_not_ours_to_take(error, monkeypatch):
    from pylego import HTTP01
    from pylego.cli import _doctor

    def refuse(*_):
        raise error

    monkeypatch.setattr(_doctor, "_bound", refuse)
    [check] = _doctor._way(HTTP01())
    assert (check.check, check.status) == ("port", "wrong")
    assert check.advice


@pytest.mark.parametrize(("version", "family"), [(4, socket.AF_INET), (6, socket.AF_INET6)])
def test_a_port_is_listened_on_by_the_version_of_ip_that_was_chosen(version, family):
    from pylego import HTTP01
    from pylego.cli import _doctor

    try:
        bound = _doctor._bound(HTTP01(port=0, ip_version=version))
    except OSError:
        missing("there is no IPv6 here")
    with bound:
        assert bound.family == family


@pytest.mark.parametrize(("challenge", "subject"), [("http", "http_port"), ("tls", "tls_port")])
def test_a_port_that_is_reached_by_the_name(challenge, subject, way, started):
    port = getattr(way.server, subject)
    source = ELSEWHERE.format(http=way.server.http_port, tls=way.server.tls_port)
    flags = ("--server", way.server.directory, "--dns.resolvers", way.server.dns)
    arguments = ("doctor", "a.example", *flags, *getattr(way, challenge))
    code, out, err = started(*arguments, source=source, env=way.env).end()
    assert (code, err) == (0, "")
    said = f"reach a.example at 127.0.0.1 port {port}: what pylego listens on answers"
    assert said in " ".join(out.split())


def test_a_port_that_nothing_forwards_to(way, started):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # nobody else's, and nobody listens
        port = deaf.getsockname()[1]
        source = ELSEWHERE.format(http=port, tls=port)
        flags = ("--server", way.server.directory, "--dns.resolvers", way.server.dns)
        arguments = ("doctor", "a.example", *flags, *way.http)
        code, out, _ = started(*arguments, source=source, env=way.env).end()
    assert code == 1
    assert "nothing answers: Connection refused" in out
    assert "-> let pylego listen on that port, or forward the port to it" in out


def test_another_program_at_the_port(monkeypatch):
    from pylego import HTTP01, TLSALPN01
    from pylego.cli import _doctor

    monkeypatch.setattr(_doctor, "_asked", lambda *_: "HTTP/1.0 404 Not Found")
    assert (
        _doctor._reached("a.example", "127.0.0.1", HTTP01(), "token").detail
        == "something else answers"
    )
    elsewhere = _doctor._reached("a.example", "192.0.2.1", HTTP01(), "token")
    assert elsewhere.status == "unknown"  # a router may answer for it from inside
    router = _doctor._reached("a.example", "127.0.0.1", TLSALPN01(), "token")
    assert router.status == "unknown"  # it may pass on what asks for acme-tls/1
    assert "acme-tls/1" in router.advice


def test_a_folder_of_a_web_server(doctor, tmp_path):
    checks = doctor("--http", "--http.webroot", str(tmp_path), "a.example")
    assert status(checks) == {
        "ca": "ok",
        "clock": "ok",
        "webroot": "ok",
        "address": "ok",
        "caa": "ok",
    }
    gone = doctor("--http", "--http.webroot", str(tmp_path / "gone"))
    assert gone["webroot"]["status"] == "wrong"


def test_credentials_that_are_missing(doctor):
    checks = doctor("--dns", "hetzner")
    assert checks["credentials"]["status"] == "wrong"
    assert "HETZNER_API_TOKEN" in checks["credentials"]["detail"]
    assert "pylego providers show hetzner" in checks["credentials"]["advice"]


def test_credentials_that_are_there(doctor):
    checks = doctor("--dns", "hetzner", HETZNER_API_TOKEN="not asked for")
    assert checks["credentials"]["status"] == "ok"


def test_a_provider_that_lego_has_not(doctor):
    checks = doctor("--dns", "hetznr")
    assert "did you mean hetzner" in checks["credentials"]["detail"]


def test_names_of_which_the_dns_knows_all(doctor):
    checks = doctor("a.example", "--dns-persist")
    assert status(checks) == {"ca": "ok", "clock": "ok", "zone": "ok", "caa": "ok"}


def test_a_name_without_an_address(doctor, acme_server):
    acme_server.set_a("a.example")
    assert doctor("a.example")["address"]["status"] == "wrong"


def test_a_zone_whose_servers_fail(doctor, acme_server):
    acme_server.set_servfail("a.example")
    checks = doctor("a.example")
    assert {checks[name]["status"] for name in ("zone", "address", "caa")} == {"wrong"}
    assert "SERVFAIL" in checks["zone"]["detail"]


def test_records_of_the_domain_above(doctor, acme_server):
    acme_server.set_caa("example", (0, "issue", "other.example"))
    refused = doctor("a.example")["caa"]
    assert refused["status"] == "wrong"
    assert 'example has 0 issue "other.example"' in refused["detail"]
    assert refused["advice"] == 'add example. CAA 0 issue "pebble.letsencrypt.org"'
    acme_server.set_caa("a.example", (0, "issue", "pebble.letsencrypt.org"))
    assert doctor("a.example")["caa"]["status"] == "ok"


def test_records_that_allow_another_way_only(doctor, acme_server):
    value = "pebble.letsencrypt.org; validationmethods=http-01"
    acme_server.set_caa("a.example", (0, "issue", value))
    assert doctor("a.example", "--dns-persist")["caa"]["status"] == "wrong"


def test_records_of_a_ca_that_does_not_tell_its_name():
    from pylego import Directory
    from pylego.cli import _doctor

    directory = Directory("https://ca.example", None, None, (), False, {}, False)
    caa = {"domain": "example", "records": ['0 issue "x"'], "refusal": "no", "error": ""}
    assert _doctor._caa({"name": "a.example", "caa": caa}, directory).status == "unknown"


@pytest.mark.parametrize(
    ("name", "refusal", "found", "advice"),
    [
        ("a.example", "", "ok", ""),
        ("a.example", "no", "wrong", 'add example. CAA 0 issue "ca.example"'),
        ("*.a.example", "no", "wrong", 'add example. CAA 0 issuewild "ca.example"'),
    ],
)
def test_records_that_name_who_may_issue(name, refusal, found, advice):
    from pylego import Directory
    from pylego.cli import _doctor

    directory = Directory("https://ca.example", None, None, ("ca.example",), False, {}, False)
    caa = {"domain": "example", "records": ['0 issue "x"'], "refusal": refusal, "error": ""}
    check = _doctor._caa({"name": name, "caa": caa}, directory)
    assert (check.status, check.advice) == (found, advice)


def test_a_name_that_is_none_hides_no_other(doctor):
    checks = doctor("a.example", "bad name", "--dns-persist")
    assert checks["names"]["subject"] == "bad name"
    assert status(checks) == {
        "ca": "ok",
        "clock": "ok",
        "zone": "ok",
        "caa": "ok",
        "names": "wrong",
    }


def test_a_wildcard_needs_the_dns(doctor):
    checks = doctor("*.a.example", "--http", "--http.webroot", os.curdir)
    assert checks["challenge"]["status"] == "wrong"
    assert "--dns" in checks["challenge"]["advice"]
    assert "challenge" not in doctor("*.a.example", "--dns-persist")


def test_of_an_ip_address_the_dns_is_not_asked(doctor):
    assert status(doctor("127.0.0.1")) == {"ca": "ok", "clock": "ok"}
    assert doctor("127.0.0.1", "--dns-persist")["challenge"]["status"] == "wrong"


@pytest.mark.parametrize(
    "arguments", [["a..example"], ["a.example", "--dns.resolvers", "no server"]]
)
def test_what_the_dns_cannot_be_asked(arguments, doctor):
    assert doctor(*arguments)["names"]["status"] == "wrong"
