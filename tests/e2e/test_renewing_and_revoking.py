"""The end of a certificate: renewed in time, or revoked."""

import pytest
from cryptography import x509

import pylego
import pylego.testing


@pytest.fixture
def client(any_client):
    return any_client()


@pytest.fixture
def certificate(acme_server, client):
    return client.obtain(
        "a.example", "b.example", challenges=acme_server.http01(), key_type="EC384"
    )


def test_the_ca_says_when_to_renew(client, certificate):
    info = client.renewal_info(certificate)
    assert certificate.not_before < info.start < info.end <= certificate.not_after
    assert info.retry_after > certificate.not_before


def test_a_certificate_of_another_ca_is_not_known(client, certificate):
    with pylego.testing.ACMEServer() as elsewhere:
        other = pylego.Client(elsewhere.directory, trust=elsewhere.trust_root, accept_terms=True)
        stranger = other.obtain("a.example", challenges=elsewhere.http01())
    with pytest.raises(pylego.ACMEError) as caught:
        client.renewal_info(stranger)
    assert caught.value.status in {400, 404}


def test_renewing_keeps_the_names_and_the_type_of_key(acme_server, client, certificate):
    renewed = client.renew(certificate, challenges=acme_server.http01())
    assert renewed.serial != certificate.serial
    assert renewed.private_key != certificate.private_key
    assert {each.value for each in renewed.identifiers} == {"a.example", "b.example"}
    key = x509.load_pem_x509_certificate(renewed.leaf.encode()).public_key()
    assert key.curve.name == "secp384r1"


def test_the_key_can_be_kept(acme_server, client, certificate):
    renewed = client.renew(
        certificate, challenges=acme_server.http01(), key=certificate.private_key
    )
    assert renewed.private_key == certificate.private_key


def test_a_loaded_certificate_can_be_renewed(acme_server, client, certificate):
    loaded = pylego.Certificate.load(certificate.fullchain)
    renewed = client.renew(loaded, challenges=acme_server.http01())
    assert {each.value for each in renewed.identifiers} == {"a.example", "b.example"}


def test_a_certificate_that_is_replaced_already_is_renewed_all_the_same(
    acme_server, any_client, client, certificate
):
    seen = []
    client = any_client(account=client.account, on_event=seen.append)
    client.renew(certificate, challenges=acme_server.http01())
    assert "retrying" not in [event.kind for event in seen]
    client.renew(certificate, challenges=acme_server.http01())
    [retrying] = [event for event in seen if event.kind == "retrying"]
    assert "replaces" in retrying.detail


def test_an_order_that_replaces_says_so_and_fails_where_it_cannot(acme_server, client, certificate):
    client.obtain("a.example", "b.example", challenges=acme_server.http01(), replaces=certificate)
    with pytest.raises(pylego.ACMEError) as caught:
        client.obtain(
            "a.example", "b.example", challenges=acme_server.http01(), replaces=certificate
        )
    assert caught.value.status == 409


@pytest.mark.parametrize("reason", [None, "superseded", "keyCompromise"])
def test_revoking_by_the_account(client, certificate, reason):
    assert client.revoke(certificate, reason=reason) is None
    with pytest.raises(pylego.ACMEError) as caught:
        client.revoke(certificate)
    assert caught.value.code == "alreadyRevoked"


def test_revoking_by_the_key_needs_no_account(acme_server, any_client, certificate):
    before = acme_server.requests()["newAccount"]
    stranger = any_client()
    stranger.revoke(certificate, key=certificate.private_key, reason="keyCompromise")
    assert acme_server.requests()["newAccount"] == before
    assert stranger.account == pylego.Account()


def test_another_account_may_not_revoke(any_client, certificate):
    with pytest.raises(pylego.Unauthorized):
        any_client().revoke(certificate)


def test_a_reason_is_checked_before_anything_is_sent(acme_server, any_client, certificate):
    before = acme_server.requests()
    with pytest.raises(pylego.InvalidRequest, match="keyCompromise"):
        any_client().revoke(certificate, reason="because")
    assert acme_server.requests() == before


def test_a_key_of_another_certificate_is_refused(acme_server, client, certificate):
    other = client.obtain("c.example", challenges=acme_server.http01())
    before = acme_server.requests()
    with pytest.raises(pylego.InvalidRequest, match="not the certificate's"):
        client.revoke(certificate, key=other.private_key)
    assert acme_server.requests() == before
