"""Every class of the tree, raised by what really causes it."""

import os
import pickle
import signal
from contextlib import suppress
from pathlib import Path

import pytest

import pylego
from pylego import DNS01, HTTP01, InvalidRequest, ProviderError, _engine
from pylego._engine import surroundings
from pylego._operations import Obtain
from pylego.testing import ACMEServer, Faults
from tests.bridge.processes import descendants

NAME = pylego.Identifier("dns", "a.example")


def deaf(server):
    """Give a listener where the CA does not ask."""
    return HTTP01(host="127.0.0.1", port=server.tls_port)


def invisible(server):
    """Give a provider whose records nobody sees."""
    server.set_servfail("_acme-challenge.a.example")
    return server.dns01(HTTPREQ_PROPAGATION_TIMEOUT="1", HTTPREQ_POLLING_INTERVAL="1")


def faulty(**faults):
    def spoil(server):
        server.set_faults(Faults(status_count=-1, **faults))
        return server.http01()

    return spoil


class Case:
    """One class of error: what to set, what to ask for, and what the error tells."""

    def __init__(self, error, said, *, phase, challenges=None, retryable=False, **rest):
        self.error, self.said, self.phase, self.retryable = error, said, phase, retryable
        self.challenges = challenges or (lambda server: server.http01())
        self.names = rest.pop("names", ["a.example"])
        self.identifiers = rest.pop("identifiers", [])
        self.settings = rest.pop("settings", {})
        self.sent = rest.pop("sent", True)
        self.arguments = rest


CASES = {
    "a name that is none": Case(
        InvalidRequest, "-a.example", phase="request", names=["-a.example"], sent=False
    ),
    "a key that is none": Case(
        InvalidRequest,
        "private key",
        phase="request",
        settings={"account": pylego.Account(key="no PEM")},
        sent=False,
    ),
    "a request that is none": Case(
        InvalidRequest, "PEM", phase="request", names=[], csr="no PEM", sent=False
    ),
    "an unknown provider": Case(
        pylego.UnknownProvider,
        "cloudflare",
        phase="request",
        challenges=lambda _: DNS01("clouflare"),
        identifiers=[NAME],
        sent=False,
    ),
    "missing credentials": Case(
        pylego.MissingCredentials,
        "INFOBLOX_USERNAME",
        phase="request",
        challenges=lambda _: DNS01("infoblox"),
        sent=False,
    ),
    "a provider that cannot do its work": Case(
        ProviderError,
        "httpreq.*refused",
        phase="challenge",
        retryable=True,
        challenges=lambda server: server.dns01(HTTPREQ_ENDPOINT="http://127.0.0.1:1"),
        identifiers=[NAME],
    ),
    "a record that nobody sees": Case(
        pylego.PropagationTimeout,
        "SERVFAIL",
        phase="challenge",
        retryable=True,
        challenges=invisible,
        identifiers=[NAME],
    ),
    "a listener that is not asked": Case(
        pylego.ChallengeFailed,
        "a.example",
        phase="challenge",
        retryable=True,
        challenges=deaf,
        identifiers=[NAME],
    ),
    "a rejected name": Case(
        pylego.RejectedIdentifier, "blocked.example", phase="server", names=["blocked.example"]
    ),
    "a weak key": Case(pylego.BadCSR, "key", phase="server", names=[], csr="weak"),
    "too many requests": Case(
        pylego.RateLimited,
        "too many",
        phase="server",
        retryable=True,
        challenges=faulty(status=429, retry_after="600", path="newOrder"),
    ),
    "a CA in trouble": Case(
        pylego.ServerInternal,
        "failed",
        phase="server",
        retryable=True,
        challenges=faulty(status=500, path="newOrder"),
    ),
    "another problem": Case(
        pylego.ACMEError, "refused", phase="server", challenges=faulty(status=403, path="newOrder")
    ),
    "no answer": Case(
        pylego.NetworkError,
        "127.0.0.1",
        phase="network",
        retryable=True,
        challenges=lambda server: (server.set_faults(Faults(drop=1000)), server.http01())[1],
    ),
    "no trust": Case(
        pylego.NetworkError, "trust=", phase="network", settings={"trust": None}, sent=False
    ),
    "no time": Case(
        pylego.DeadlineExceeded,
        "not answered yet",
        phase="deadline",
        retryable=True,
        challenges=lambda server: (
            server.set_faults(Faults(delay_ms=60_000, path="newOrder")),
            server.http01(),
        )[1],
        timeout=1,
    ),
}


@pytest.fixture
def weak_csr():
    """Give a request whose key is the account's: RFC 8555 section 11.1 forbids that."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("a.example")])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = request.add_extension(names, critical=False).sign(key, hashes.SHA256())
    own = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return request.public_bytes(serialization.Encoding.PEM).decode(), own.decode()


@pytest.mark.acme_server(blocked_names=["blocked.example"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_cause_has_its_class(case, acme_server, any_client, weak_csr):
    settings, arguments = dict(case.settings), dict(case.arguments)
    if arguments.get("csr") == "weak":
        arguments["csr"], key = weak_csr
        settings["account"] = pylego.Account(key=key)
    client = any_client(**settings)
    challenges = case.challenges(acme_server)
    with pytest.raises(case.error, match=case.said) as caught:
        client.obtain(*case.names, challenges=challenges, **arguments)
    error = caught.value
    assert type(error) is case.error
    assert (error.phase, error.retryable) == (case.phase, case.retryable)
    assert error.identifiers == case.identifiers
    assert bool(acme_server.requests()) == case.sent
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    acme_server.set_faults()


def test_an_unknown_provider_has_its_nearest_names(any_client):
    with pytest.raises(pylego.UnknownProvider) as caught:
        any_client().obtain("a.example", challenges=DNS01("route5"))
    assert caught.value.nearest[0] == "route53"
    with pytest.raises(pylego.UnknownProvider) as caught:
        any_client().obtain("a.example", challenges=DNS01("no provider is like that"))
    assert caught.value.nearest == ()


@pytest.mark.parametrize(
    ("provider", "given", "missing"),
    [
        ("infoblox", {}, {"INFOBLOX_HOST", "INFOBLOX_USERNAME", "INFOBLOX_PASSWORD"}),
        ("infoblox", {"INFOBLOX_HOST": "h", "INFOBLOX_USERNAME": "u"}, {"INFOBLOX_PASSWORD"}),
        (
            "cloudflare",  # either of two ways
            {},
            {"CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_DNS_API_TOKEN"},
        ),
    ],
)
def test_missing_credentials_are_all_named_at_once_before_any_network(
    provider, given, missing, acme_server, any_client
):
    with pytest.raises(pylego.MissingCredentials) as caught:
        any_client().obtain("a.example", challenges=DNS01(provider, **given))
    assert set(caught.value.missing) == missing
    assert len(caught.value.missing) == len(missing)
    assert all(name in str(caught.value) for name in missing)
    assert acme_server.requests() == {}


def test_a_provider_that_cannot_be_made_leaves_the_next_challenge_its_turn(acme_server, any_client):
    challenges = [DNS01("infoblox"), acme_server.http01()]
    assert any_client().obtain("a.example", challenges=challenges)
    with pytest.raises(pylego.MissingCredentials) as caught:
        any_client().obtain("a.example", challenges=[DNS01("infoblox"), deaf(acme_server)])
    assert [attempt.challenge for attempt in caught.value.attempts] == ["dns-01", "http-01"]


def test_a_propagation_timeout_says_who_was_asked_what_and_what_he_said(acme_server, any_client):
    with pytest.raises(pylego.PropagationTimeout) as caught:
        any_client().obtain("a.example", challenges=invisible(acme_server))
    (answer,) = caught.value.answers
    assert answer == pylego.Answer(acme_server.dns, "_acme-challenge.a.example.", "SERVFAIL")
    assert all(text in str(caught.value) for text in (answer.server, answer.name, answer.said))


def test_a_rate_limit_has_a_date_to_wait_for(acme_server, any_client):
    challenges = CASES["too many requests"].challenges(acme_server)
    with pytest.raises(pylego.RateLimited) as caught:
        any_client().obtain("a.example", challenges=challenges)
    assert caught.value.retry_after.tzinfo is not None
    assert caught.value.status == 429


def test_an_engine_that_is_killed_is_an_engine_error(acme_server, new_client):
    def kill(event):
        if event.kind == "order":
            for pid in children(b"serve"):
                os.kill(pid, signal.SIGKILL)

    client = new_client(acme_server, isolation="process", on_event=kill)
    acme_server.set_dns_delay("", 60_000)
    with pytest.raises(pylego.EngineError) as caught:
        client.obtain("a.example", challenges=acme_server.http01())
    assert caught.value.phase == "engine"


def children(argument):
    """Find the processes that this one has started with such an argument."""
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has just ended
            if argument in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                yield pid


def test_an_external_account_that_the_ca_does_not_know_is_unauthorized(new_client):
    hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with ACMEServer(external_accounts={"kid-1": hmac}) as server:
        with pytest.raises(pylego.Unauthorized) as caught:
            new_client(server, eab=("kid-2", hmac)).obtain("a.example", challenges=server.http01())
        assert caught.value.status == 403
        with pytest.raises(pylego.AccountError, match="base64url") as caught:
            new_client(server, eab=("kid-1", "!")).obtain("a.example", challenges=server.http01())
        assert caught.value.phase == "account"
        assert hmac not in repr(caught.value.info)


def test_a_job_that_is_cancelled_ends_as_cancelled(client, acme_server):
    acme_server.set_faults(Faults(delay_ms=60_000))
    call = client._call(Obtain(identifiers=["a.example"], challenges=acme_server.http01()), 40)
    engine = _engine.of(call)
    job = engine.job()
    engine.start(job, surroundings.request(call, events=False))
    job.cancel()
    assert job.wait(40)
    with pytest.raises(pylego.Cancelled) as caught:
        job.result()
    assert caught.value.phase == "cancelled"
    acme_server.set_faults()
