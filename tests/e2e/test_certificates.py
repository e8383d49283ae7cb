"""What may be asked of a certificate, and what becomes of it."""

import contextlib
import logging.handlers
import os
import queue
import ssl
import stat
import threading
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

import pylego
import pylego.testing


def read(certificate):
    return x509.load_pem_x509_certificate(certificate.leaf.encode())


def new_key(client, **settings):
    return client.obtain("key.example", **settings).private_key


@pytest.fixture
def log():
    """Give warnings when they come, by a thread of pylego's."""
    records = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    handler.setLevel("WARNING")
    logging.getLogger("pylego").addHandler(handler)
    yield records
    logging.getLogger("pylego").removeHandler(handler)


def shake_hands(certificate, root, name):
    """Have a client that trusts the root alone accept the certificate's server."""
    server, client = certificate.ssl_context(), ssl.create_default_context(cadata=root)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(incoming, outgoing, server_hostname=name),
        server.wrap_bio(outgoing, incoming, server_side=True),
    ]
    for side in sides * 3:  # hello, its answer, the end
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert sides[0].version()


@pytest.fixture
def certificate(acme_server, client):
    return client.obtain("a.example", "b.example", challenges=acme_server.http01())


def test_it_tells_what_openssl_reads(acme_server, certificate):
    leaf = read(certificate)
    assert certificate.serial == f"{leaf.serial_number:x}"
    assert certificate.fingerprint == leaf.fingerprint(hashes.SHA256()).hex()
    assert certificate.not_before == leaf.not_valid_before_utc
    assert certificate.not_after == leaf.not_valid_after_utc
    assert certificate.issuer == leaf.issuer.rfc4514_string()
    assert certificate.fullchain == certificate.leaf + certificate.chain
    assert certificate.stable_url == certificate.url
    assert acme_server.directory.rpartition("/")[0] in certificate.order_url


def test_addresses_and_names_together(acme_server, any_client):
    for challenges in (acme_server.http01(), acme_server.tlsalpn01()):
        certificate = any_client().obtain("127.0.0.1", "a.example", challenges=challenges)
        assert [(each.type, each.value) for each in certificate.identifiers] == [
            ("ip", "127.0.0.1"),
            ("dns", "a.example"),
        ]


@pytest.mark.parametrize(
    ("name", "ascii_name"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("*.例え.example", "*.xn--r8jz45g.example"),
        ("straße.example", "xn--strae-oqa.example"),
    ],
)
def test_names_in_other_scripts_become_a_labels(acme_server, any_client, name, ascii_name):
    certificate = any_client().obtain(name, challenges=acme_server.dns01())
    assert [each.value for each in certificate.identifiers] == [ascii_name]


def test_a_name_that_has_no_a_label_is_refused(acme_server, client):
    with pytest.raises(pylego.InvalidRequest, match="not a name"):
        client.obtain("☃\u200d.example", challenges=acme_server.http01())
    assert acme_server.requests() == {}


def test_a_key_of_ones_own(acme_server, any_client):
    client = any_client()
    key = new_key(client, challenges=acme_server.http01())
    certificate = client.obtain("a.example", challenges=acme_server.http01(), key=key)
    assert certificate.private_key == key
    public = serialization.load_pem_private_key(key.encode(), None).public_key()
    assert read(certificate).public_key() == public


def test_a_csr_as_bytes(acme_server, any_client, certificate):
    again = any_client().obtain(
        csr=certificate.csr.encode(), challenges=acme_server.http01()
    )  # fmt: skip
    assert again.private_key is None
    assert read(again).public_key() == read(certificate).public_key()


def test_what_the_request_may_ask_for(acme_server, any_client):
    client = any_client()
    plain = client.obtain("a.example", challenges=acme_server.http01())
    csr = x509.load_pem_x509_csr(plain.csr.encode())
    assert not csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    asked = client.obtain(
        "a.example", challenges=acme_server.http01(), common_name=True, must_staple=True
    )
    csr = x509.load_pem_x509_csr(asked.csr.encode())
    [name] = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "a.example"
    assert csr.extensions.get_extension_for_class(x509.TLSFeature)


def test_the_times_of_validity(acme_server, any_client):
    begin = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    end = begin + timedelta(days=3)
    certificate = any_client().obtain(
        "a.example", challenges=acme_server.http01(), not_before=begin, not_after=end
    )
    assert (certificate.not_before, certificate.not_after) == (begin, end)


def test_a_time_zone_may_be_any(acme_server, any_client):
    local_mean_time = timezone(timedelta(seconds=3208))
    end = datetime.now(local_mean_time).replace(microsecond=0) + timedelta(days=3)
    certificate = any_client().obtain("a.example", challenges=acme_server.http01(), not_after=end)
    assert certificate.not_after == end


def test_the_times_are_in_their_order(acme_server, any_client):
    begin = datetime.now(timezone.utc)
    for end in (begin, begin - timedelta(days=1)):
        with pytest.raises(pylego.InvalidRequest, match="is not after not_before"):
            any_client().obtain(
                "a.example", challenges=acme_server.http01(), not_before=begin, not_after=end
            )
    assert acme_server.requests() == {}


def test_a_time_without_a_zone_is_refused(acme_server, any_client):
    with pytest.raises(pylego.InvalidRequest, match="not_after has no time zone"):
        any_client().obtain(
            "a.example",
            challenges=acme_server.http01(),
            not_after=datetime(2030, 1, 1),  # noqa: DTZ001 -- that is the point
        )
    assert acme_server.requests() == {}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda client, _: client.obtain("a", challenges=[], not_before="2030"), "not_before is"),
        (lambda client, _: client.obtain("a", challenges=[], not_after=2030.5), "not_after is"),
        (lambda client, text: client.obtain("a", challenges=[], replaces=text), "Certificate.load"),
        (lambda client, text: client.renew(text, challenges=[]), "Certificate.load"),
        (lambda client, text: client.renewal_info(text), "Certificate.load"),
        (lambda client, text: client.revoke(text), "Certificate.load"),
        (lambda client, text: client.revoke(None), "Certificate.load"),
        (lambda client, _: client.deactivate_authorizations(None), "Certificate.load"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_a_sentence(any_client, call, said):
    with pytest.raises(pylego.InvalidRequest, match=said) as caught:
        call(any_client(), "PEM, perhaps with a SECRET")
    assert "SECRET" not in str(caught.value)


def test_the_preferred_chain_is_taken_where_there_is_one(any_client, log):
    with pylego.testing.ACMEServer(alternate_roots=2) as server:
        roots = [x509.load_pem_x509_certificate(root.encode()) for root in server.roots]
        names = [
            root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for root in roots
        ]
        for name in names:
            certificate = any_client(server).obtain(
                "a.example", challenges=server.http01(), preferred_chain=name
            )
            [*_, top] = x509.load_pem_x509_certificates(certificate.chain.encode())
            assert top.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
        client = any_client(server)
        certificate = client.obtain(
            "a.example", challenges=server.http01(), preferred_chain="Nobody's"
        )
        told = log.get(timeout=60)
        assert "no chain to the preferred root" in told.getMessage()
        assert told.lego["preferred_chain"] == "Nobody's"
    [*_, top] = x509.load_pem_x509_certificates(certificate.chain.encode())
    assert top.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == names[0]


def test_without_bundle_the_full_chain_is_the_leaf(acme_server, any_client):
    certificate = any_client().obtain("a.example", challenges=acme_server.http01(), bundle=False)
    assert certificate.fullchain == certificate.leaf
    assert certificate.chain


def test_without_bundle_the_chain_goes_wherever_it_is_needed(acme_server, any_client, tmp_path):
    certificate = any_client().obtain("a.example", challenges=acme_server.http01(), bundle=False)
    _, _, chain = pkcs12.load_key_and_certificates(certificate.pkcs12("x"), b"x")
    assert len(chain) == 1
    certificate.write(tmp_path)
    loaded = pylego.Certificate.load(tmp_path)
    assert loaded.chain == certificate.chain
    assert loaded.fullchain == certificate.fullchain
    for kept in (certificate, loaded):
        shake_hands(kept, acme_server.roots[0], "a.example")


def test_a_request_of_ones_own_says_everything_itself(acme_server, any_client, certificate):
    client, before = any_client(), acme_server.requests()
    for more in (
        {"key": certificate.private_key},
        {"key_type": "EC256"},
        {"must_staple": True},
        {"common_name": True},
    ):
        with pytest.raises(pylego.InvalidRequest, match="CSR says itself"):
            client.obtain(csr=certificate.csr, challenges=acme_server.http01(), **more)
    assert acme_server.requests() == before


def test_a_name_that_is_too_long_for_a_common_name_has_none(acme_server, any_client):
    name = f"{'a' * 40}.{'b' * 40}.example"
    certificate = any_client().obtain(name, challenges=acme_server.http01(), common_name=True)
    csr = x509.load_pem_x509_csr(certificate.csr.encode())
    assert not csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)


def test_authorizations_are_given_up_where_that_is_asked_for(acme_server, any_client):
    client = any_client()
    client.obtain(
        "a.example", challenges=acme_server.http01(), always_deactivate_authorizations=True
    )
    assert acme_server.authorizations() == {"deactivated": 1}
    certificate = client.obtain("b.example", "c.example", challenges=acme_server.http01())
    assert client.deactivate_authorizations(certificate) == 2
    assert acme_server.authorizations() == {"deactivated": 3}


def test_a_loaded_certificate_does_not_know_its_order(certificate, client):
    loaded = pylego.Certificate.load(certificate.fullchain)
    with pytest.raises(pylego.InvalidRequest, match="order"):
        client.deactivate_authorizations(loaded)


def test_an_order_is_named_by_its_url(acme_server, any_client):
    for order in ("nonsense", "http://ca.example/order/1"):
        with pytest.raises(pylego.InvalidRequest, match="ACME server"):
            any_client().deactivate_authorizations(order)
    assert acme_server.requests() == {}


def test_files(certificate, tmp_path):
    folder = tmp_path / "new" / "folder"
    before = os.umask(0)
    try:
        certificate.write(folder)
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {
        "cert.pem": 0o644,
        "chain.pem": 0o644,
        "fullchain.pem": 0o644,
        "privkey.pem": 0o600,
    }
    assert (folder / "fullchain.pem").read_text() == certificate.fullchain
    assert pylego.Certificate.load(folder).private_key == certificate.private_key


def test_the_key_of_an_older_certificate_stays_and_is_told_from_the_right_one(
    acme_server, client, certificate, tmp_path
):
    certificate.write(tmp_path)
    other = client.obtain("c.example", challenges=acme_server.http01())
    asked = client.obtain(csr=other.csr, challenges=acme_server.http01())
    asked.write(tmp_path)
    assert (tmp_path / "privkey.pem").read_text() == certificate.private_key
    with pytest.raises(pylego.InvalidRequest, match=r"privkey\.pem: .* move it away") as caught:
        pylego.Certificate.load(tmp_path)
    assert caught.value.code == "invalid_private_key"
    assert pylego.Certificate.load(tmp_path / "fullchain.pem").leaf == asked.leaf
    assert pylego.Certificate.load(tmp_path, other.private_key).leaf == asked.leaf
    (tmp_path / "privkey.pem").unlink()
    assert pylego.Certificate.load(tmp_path).private_key is None


def test_a_reader_sees_whole_files_only(certificate, tmp_path):
    certificate.write(tmp_path)
    wanted = {certificate.leaf}
    stop = threading.Event()
    seen = set()

    def look():
        while not stop.is_set():
            seen.add((tmp_path / "cert.pem").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(50):
        certificate.write(tmp_path)
    stop.set()
    reader.join()
    assert seen <= wanted
    assert len(list(tmp_path.iterdir())) == 4


def test_a_file_that_cannot_be_written_leaves_nothing_behind(certificate, tmp_path):
    (tmp_path / "privkey.pem").mkdir()
    with pytest.raises(OSError, match=r"privkey\.pem"):
        certificate.write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["privkey.pem"]


def test_a_servers_context(acme_server, certificate):
    shake_hands(certificate, acme_server.roots[0], "b.example")


@pytest.mark.parametrize("kind", ["SHA256", "DES"])
def test_pkcs12(certificate, kind):
    key, leaf, chain = pkcs12.load_key_and_certificates(
        certificate.pkcs12("a password", format=kind), b"a password"
    )
    assert leaf == read(certificate)
    assert key.public_key() == leaf.public_key()
    assert len(chain) == 1


def test_pkcs12_needs_a_format_and_a_key(certificate):
    with pytest.raises(pylego.InvalidRequest, match="SHA256"):
        certificate.pkcs12("a password", format="new")
    with pytest.raises(pylego.InvalidRequest, match="no private key"):
        pylego.Certificate.load(certificate.fullchain).pkcs12("a password")


def test_one_text_for_servers_that_want_one(certificate):
    assert certificate.pem() == certificate.private_key + certificate.fullchain


def test_loading_from_text_and_from_files(certificate, tmp_path):
    file = tmp_path / "chain.pem"
    file.write_text(certificate.fullchain)
    for loaded in (
        pylego.Certificate.load(certificate.fullchain, certificate.private_key),
        pylego.Certificate.load(file, certificate.private_key),
        pylego.Certificate.load(str(file), certificate.private_key),
    ):
        for name in ("leaf", "chain", "private_key", "serial", "not_after", "issuer"):
            assert getattr(loaded, name) == getattr(certificate, name), name
        assert {each.value for each in loaded.identifiers} == {"a.example", "b.example"}
        assert loaded.url is None


def test_what_does_not_fit_is_not_loaded(acme_server, client, certificate):
    other = new_key(client, challenges=acme_server.http01())
    for text, key, said in (
        (certificate.fullchain, other, "not the certificate's"),
        (certificate.chain + certificate.leaf, None, "a CA's"),
        (certificate.leaf + certificate.leaf, None, "not the issuer"),
        ("-----BEGIN nothing", None, "cannot be read"),
        (certificate.leaf, "-----BEGIN SECRET", "cannot|not a PEM"),
    ):
        with pytest.raises(pylego.InvalidRequest, match=said) as caught:
            pylego.Certificate.load(text, key)
        assert "SECRET" not in str(caught.value)


def test_functions_that_make_a_client_for_one_call(acme_server):
    where = {"directory": acme_server.directory, "trust": acme_server.trust_root}
    certificate = pylego.obtain(
        "a.example", challenges=acme_server.http01(), accept_terms=True, key_type="EC384", **where
    )
    renewed = pylego.renew(
        certificate, challenges=acme_server.http01(), accept_terms=True, timeout=30, **where
    )
    assert renewed.serial != certificate.serial
    pylego.revoke(renewed, key=renewed.private_key, **where)


def test_functions_refuse_what_neither_the_client_nor_its_method_takes(certificate):
    where = {"directory": "https://ca.example/directory"}
    for call in (
        lambda: pylego.obtain("a.example", challenges=[], unknown=1, **where),
        lambda: pylego.renew(certificate, challenges=[], unknown=1, **where),
        lambda: pylego.revoke(certificate, unknown=1, **where),
    ):
        with pytest.raises(TypeError, match="unknown"):
            call()
