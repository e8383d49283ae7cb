"""Certificates from the embedded CA, as a program gets them."""

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

import pylego
import pylego.testing


def verify(certificate, root, name):
    """Let the `cryptography` package judge the chain."""
    leaf, *chain = x509.load_pem_x509_certificates(certificate.fullchain.encode())
    store = Store([x509.load_pem_x509_certificate(root.encode())])
    subject = x509.DNSName(name)
    PolicyBuilder().store(store).build_server_verifier(subject).verify(leaf, chain)
    return leaf


@pytest.mark.parametrize("challenge", ["http01", "tlsalpn01", "dns01"])
def test_each_challenge_brings_a_certificate_that_verifies(acme_server, client, challenge):
    certificate = client.obtain("www.example.com", challenges=getattr(acme_server, challenge)())
    leaf = verify(certificate, acme_server.roots[0], "www.example.com")
    assert certificate.identifiers == (pylego.Identifier("dns", "www.example.com"),)
    assert certificate.not_after == leaf.not_valid_after_utc
    assert int(certificate.serial, 16) == leaf.serial_number
    key = serialization.load_pem_private_key(certificate.private_key.encode(), None)
    assert key.public_key() == leaf.public_key()


def test_100_names_are_validated_together(acme_server, client):
    names = [f"host{number}.example.com" for number in range(100)]
    certificate = client.obtain(*names, challenges=acme_server.http01())
    leaf = verify(certificate, acme_server.roots[0], "host99.example.com")
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(alternative.get_values_for_type(x509.DNSName)) == set(names)


def test_a_wildcard_and_its_apex_share_a_record_name(acme_server, client):
    client.obtain("example.com", "*.example.com", challenges=acme_server.dns01())
    log = acme_server.dns_log()
    presented = [change for change in log if change.action == "presented"]
    assert {change.name for change in presented} == {"_acme-challenge.example.com"}
    assert len({change.value for change in presented}) == 2
    assert acme_server.records() == {}


@pytest.mark.parametrize("challenge", ["http01", "tlsalpn01"])
def test_an_ip_address(acme_server, client, challenge):
    certificate = client.obtain("127.0.0.1", challenges=getattr(acme_server, challenge)())
    assert certificate.identifiers == (pylego.Identifier("ip", "127.0.0.1"),)


def test_a_csr_keeps_its_key_to_itself(acme_server, client):
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("csr.example.com")])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    pem = request.add_extension(names, critical=False).sign(key, hashes.SHA256())
    text = pem.public_bytes(serialization.Encoding.PEM).decode()
    certificate = client.obtain(csr=text, challenges=acme_server.http01())
    assert certificate.private_key is None
    leaf = verify(certificate, acme_server.roots[0], "csr.example.com")
    assert leaf.public_key() == key.public_key()


@pytest.mark.parametrize(
    ("key_type", "bits"), [("EC256", 256), ("EC384", 384), ("RSA2048", 2048), ("rsa3072", 3072)]
)
def test_key_types(acme_server, client, key_type, bits):
    certificate = client.obtain("a.example.com", challenges=acme_server.http01(), key_type=key_type)
    leaf = x509.load_pem_x509_certificate(certificate.fullchain.encode())
    assert leaf.public_key().key_size == bits


def test_the_account_is_used_again(acme_server, client, new_client):
    client.obtain("a.example.com", challenges=acme_server.http01())
    first = client.account
    client.obtain("b.example.com", challenges=acme_server.http01())
    second = client.account
    other = new_client(acme_server, account=pylego.Account(key=first.key))
    other.obtain("c.example.com", challenges=acme_server.http01())
    assert first == second == other.account


def test_a_profile_is_passed_on(new_client):
    with pylego.testing.ACMEServer(profiles={"short": "a short one"}) as server:
        client = new_client(server)
        client.obtain("a.example.com", challenges=server.http01(), profile="short")
        with pytest.raises(pylego.ACMEError) as caught:
            client.obtain("a.example.com", challenges=server.http01(), profile="long")
    assert caught.value.code == "invalidProfile"


def test_an_external_account(new_client):
    hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with pylego.testing.ACMEServer(external_accounts={"kid-1": hmac}) as server:
        bound = new_client(server, eab=("kid-1", hmac))
        bound.obtain("a.example.com", challenges=server.http01())
        assert bound.account.url
        with pytest.raises(pylego.ExternalAccountRequired):
            new_client(server).obtain("a.example.com", challenges=server.http01())
        with pytest.raises(pylego.AccountError):
            new_client(server, eab=("kid-1", "!")).obtain(
                "a.example.com", challenges=server.http01()
            )


def test_a_blocked_name_is_rejected_and_nothing_else_is_tried(new_client):
    with pylego.testing.ACMEServer(blocked_names=["blocked.example"]) as server:
        with pytest.raises(pylego.RejectedIdentifier):
            new_client(server).obtain(
                "blocked.example", challenges=[server.http01(), server.tlsalpn01()]
            )
        assert server.requests()["newOrder"] == 1


def test_the_next_challenge_is_tried_where_the_first_cannot_be_reached(acme_server, client):
    deaf = pylego.HTTP01(host="127.0.0.1", port=acme_server.http_port + 1)
    certificate = client.obtain("a.example.com", challenges=[deaf, acme_server.tlsalpn01()])
    assert certificate.identifiers[0].value == "a.example.com"


def test_the_error_lists_every_attempt(acme_server, client):
    deaf = [
        pylego.HTTP01(host="127.0.0.1", port=acme_server.http_port + 1),
        pylego.TLSALPN01(host="127.0.0.1", port=acme_server.tls_port + 1),
    ]
    with pytest.raises(pylego.ChallengeFailed) as caught:
        client.obtain("a.example.com", challenges=deaf)
    assert [attempt.challenge for attempt in caught.value.attempts] == ["http-01", "tls-alpn-01"]
    assert caught.value.identifiers == [pylego.Identifier("dns", "a.example.com")]


def test_a_deadline_ends_the_order_and_cleans_up(new_client):
    with pylego.testing.ACMEServer(validation_sleep=600) as server:
        for timeout in (1, 5, 25):  # a busy machine presents nothing within a second
            events = []
            client = new_client(server, on_event=events.append)
            with pytest.raises(pylego.DeadlineExceeded) as caught:
                client.obtain("a.example.com", challenges=server.dns01(), timeout=timeout)
            assert server.records() == {}
            if server.dns_log():
                break
    assert caught.value.retryable
    assert events[-1].kind == "cleaned_up"


def test_a_ca_that_nobody_vouches_for_is_not_talked_to(acme_server, new_client):
    with pytest.raises(pylego.NetworkError, match="no trusted root"):
        new_client(acme_server, trust=None).obtain("a.example.com", challenges=acme_server.http01())
    assert "newAccount" not in acme_server.requests()


def test_nothing_is_sent_for_bad_input(acme_server, client):
    http01 = acme_server.http01()
    bad = [
        {"challenges": http01},
        {"identifiers": ["-a.example"], "challenges": http01},
        {"identifiers": ["a b.example"], "challenges": http01},
        {"identifiers": ["a.example"], "challenges": []},
        {"identifiers": ["a.example"], "challenges": pylego.HTTP01(port=0)},
        {"identifiers": ["a.example"], "challenges": http01, "key_type": "DSA"},
        {"identifiers": ["a.example"], "challenges": http01, "csr": "both"},
        {"csr": "no PEM", "challenges": http01},
    ]
    for arguments in bad:
        names = arguments.pop("identifiers", [])
        with pytest.raises(pylego.InvalidRequest):
            client.obtain(*names, **arguments)
    assert acme_server.requests() == {}


def test_events_come_in_the_order_of_the_protocol(acme_server, new_client):
    events = []
    new_client(acme_server, on_event=events.append).obtain(
        "a.example.com", challenges=acme_server.http01()
    )
    kinds = [event.kind for event in events if event.kind != "cleaned_up"]
    assert kinds == [
        "account",
        "order",
        "authorization",
        "presented",
        "triggered",
        "validated",
        "finalized",
        "issued",
    ]
    assert [event.elapsed for event in events] == sorted(event.elapsed for event in events)


def test_an_https_server_works_with_what_was_obtained(acme_server, client, tmp_path):
    certificate = client.obtain("a.example.com", challenges=acme_server.http01())
    file = tmp_path / "pair.pem"
    file.write_text(certificate.fullchain + certificate.private_key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
