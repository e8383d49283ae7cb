"""pylego.testing: what the embedded server can be told."""

import json
import socket
import ssl
import struct
import urllib.request
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

import pylego
from pylego.testing import ACMEServer, DNSChange, Faults, Profile
from tests.servers.process import free_ports

A, CNAME, TXT, AAAA, CAA = 1, 5, 16, 28, 257
NXDOMAIN, SERVFAIL = 3, 2


def ask(server, name, kind):
    """Ask the server's DNS; return the response code and how many answers there are."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    host, port = server.dns.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(40)
        asking.sendto(
            struct.pack("!6H", 1, 256, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1),
            (host, int(port)),
        )
        _, flags, _, answers, _, _ = struct.unpack("!6H", asking.recv(4096)[:12])
    return flags & 15, answers


def test_every_name_has_the_default_address_until_told_otherwise(acme_server):
    assert ask(acme_server, "a.example", A) == (0, 1)
    assert ask(acme_server, "a.example", AAAA) == (0, 0)
    acme_server.set_a("a.example", "127.0.0.2", "127.0.0.3")
    acme_server.set_aaaa("a.example", "::1")
    assert ask(acme_server, "a.example", A) == (0, 2)
    assert ask(acme_server, "a.example", AAAA) == (0, 1)
    acme_server.set_a("a.example")
    assert ask(acme_server, "a.example", A) == (0, 0)
    acme_server.clear("a.example")
    assert ask(acme_server, "a.example", A) == (0, 1)


def test_txt_records_are_set_added_and_removed(acme_server):
    acme_server.set_txt("a.example", "one", "two")
    acme_server.add_txt("a.example", "three")
    assert ask(acme_server, "a.example", TXT) == (0, 3)
    acme_server.remove_txt("a.example", "one")
    assert acme_server.records() == {"a.example": ["two", "three"]}
    assert acme_server.dns_log() == [
        DNSChange("presented", "a.example", "three"),
        DNSChange("cleaned_up", "a.example", "one"),
    ]
    acme_server.clear()
    assert acme_server.records() == {}
    assert acme_server.dns_log() == []


def test_other_records_and_errors(acme_server):
    acme_server.set_cname("a.example", "b.example")
    acme_server.set_txt("b.example", "one")
    assert ask(acme_server, "a.example", TXT) == (0, 2)  # the alias and its record
    acme_server.set_caa("c.example", (0, "issue", "other.example"), (128, "iodef", "mailto:a@b"))
    assert ask(acme_server, "c.example", CAA) == (0, 2)
    acme_server.set_nxdomain("d.example")
    assert ask(acme_server, "d.example", A) == (NXDOMAIN, 0)
    acme_server.set_nxdomain("d.example", False)
    assert ask(acme_server, "d.example", A) == (0, 1)
    acme_server.set_servfail("e.example", 1)
    assert ask(acme_server, "e.example", A) == (SERVFAIL, 0)
    assert ask(acme_server, "e.example", A) == (0, 1)
    acme_server.set_dns_delay("f.example", 1)
    assert ask(acme_server, "f.example", A) == (0, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda server: server.set_nxdomain("a.example"),
        lambda server: server.set_servfail("a.example"),
        lambda server: server.set_a("a.example"),
    ],
    ids=["nxdomain", "servfail", "no address"],
)
def test_a_name_that_the_dns_does_not_lead_to_is_not_validated(spoil, acme_server, any_client):
    spoil(acme_server)
    with pytest.raises(pylego.LEGOError) as caught:
        any_client().obtain("a.example", challenges=acme_server.http01())
    assert caught.value.identifiers == [pylego.Identifier("dns", "a.example")]


@pytest.mark.acme_server(
    profiles={"short": Profile("an hour", timedelta(hours=1))}, chain_length=3, alternate_roots=1
)
def test_profiles_chains_and_roots(acme_server, any_client):
    certificate = any_client().obtain("a.example", challenges=acme_server.http01(), profile="short")
    assert certificate.not_after - certificate.not_before <= timedelta(hours=1)
    assert certificate.fullchain.count("BEGIN CERTIFICATE") == 4
    assert len(acme_server.roots) == 2


@pytest.mark.acme_server(addresses=["127.0.0.2"])
def test_names_lead_where_the_settings_say(acme_server, any_client):
    elsewhere = pylego.HTTP01(host="127.0.0.2", port=acme_server.http_port)
    assert any_client().obtain("a.example", challenges=elsewhere)
    with pytest.raises(pylego.ChallengeFailed):
        any_client().obtain("b.example", challenges=acme_server.http01())


@pytest.mark.acme_server(authz_reuse=100)
def test_valid_authorizations_are_used_again_where_asked(acme_server, any_client):
    client = any_client()
    for _ in range(2):
        client.obtain("a.example", challenges=acme_server.http01())
    assert acme_server.requests()["challenge"] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"nonce_reject": 101},
        {"chain_length": 11},
        {"addresses": ["a"]},
        {"http_port": 65536},
        {"dns_port": -1},
    ],
)
def test_a_setting_out_of_range_is_named(settings):
    (name,) = settings
    with pytest.raises(pylego.InvalidRequest, match=name if name != "addresses" else "address"):
        ACMEServer(**settings).__enter__()


def test_every_port_can_be_chosen():
    names = ("port", "dns_port", "httpreq_port", "http_port", "tls_port")
    ports = dict(zip(names, free_ports(5), strict=True))
    with ACMEServer(**ports) as server:
        assert server.directory == f"https://127.0.0.1:{ports['port']}/dir"
        assert server.dns == f"127.0.0.1:{ports['dns_port']}"
        assert server.httpreq == f"http://127.0.0.1:{ports['httpreq_port']}"
        assert (server.http_port, server.tls_port) == (ports["http_port"], ports["tls_port"])
        with pytest.raises(pylego.NetworkError, match=str(ports["port"])):
            ACMEServer(port=ports["port"]).__enter__()


def test_a_restarted_server_has_lost_everything_but_its_addresses(acme_server, any_client):
    client = any_client()
    first = client.obtain("a.example", challenges=acme_server.http01())
    account, root, directory = client.account, acme_server.roots[0], acme_server.directory
    acme_server.restart()
    assert acme_server.directory == directory
    assert acme_server.roots[0] != root
    assert acme_server.authorizations() == {}
    second = client.obtain("a.example", challenges=acme_server.http01())
    assert second.chain != first.chain
    assert client.account.url != account.url
    assert client.account.key == account.key


def test_restarted_between_order_and_finalize_it_gets_account_and_order_anew(
    acme_server, new_client
):
    events = []

    def restart(event):
        events.append(event.kind)
        if event.kind == "order" and events.count("order") == 1:
            acme_server.restart()
            acme_server.set_faults()

    # The order goes no further before the restart: it asks again after a pause.
    pause = Faults(path="authorization", status=503, status_count=-1, retry_after="2")
    acme_server.set_faults(pause)
    client = new_client(acme_server, on_event=restart, timeout=60)
    certificate = client.obtain("a.example", challenges=acme_server.http01())
    assert certificate.chain in certificate.fullchain
    assert (events.count("account"), events.count("account_renewed")) == (1, 1)
    assert events.count("order") == 2
    assert acme_server.requests()["newAccount"] == 2
    assert acme_server.authorizations() == {"valid": 1}


@pytest.mark.parametrize("algorithm", ["ecdsa", "rsa"])
def test_the_cas_own_keys_are_of_the_algorithm_that_was_asked_for(algorithm, any_client):
    with ACMEServer(key_algorithm=algorithm) as server:
        certificate = any_client(server).obtain("a.example", challenges=server.http01())
        for pem in (server.roots[0], certificate.chain):
            key = x509.load_pem_x509_certificate(pem.encode()).public_key()
            assert isinstance(key, rsa.RSAPublicKey) == (algorithm == "rsa")


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [("retry_after_authz", "triggered", "validated"), ("retry_after_order", "finalized", "issued")],
)
def test_the_server_asks_for_a_pause_between_looks(setting, before, after, new_client):
    def pause(server):
        at = {}
        client = new_client(server, on_event=lambda each: at.setdefault(each.kind, each.elapsed))
        client.obtain("a.example", challenges=server.dns01())
        return at[after] - at[before]

    with ACMEServer(**{setting: 1}) as server:
        server.set_dns_delay("_acme-challenge.a.example", 100)  # the first look is too early
        # Signing takes less than the way of the answer, sometimes; then there is no second look.
        assert any(pause(server) >= 1 for _ in range(5))


def test_a_renewal_window_is_what_it_was_set_to(acme_server, any_client):
    client = any_client()
    certificate = client.obtain("a.example", challenges=acme_server.http01())
    start = datetime(2030, 1, 2, tzinfo=timezone.utc)
    acme_server.set_renewal_info(
        certificate.fullchain,
        start,
        start + timedelta(days=1),
        explanation="https://ca.example/why",
    )
    advice = client.renewal_info(certificate)
    assert (advice.start, advice.end) == (start, start + timedelta(days=1))
    assert advice.explanation_url == "https://ca.example/why"
    with pytest.raises(pylego.InvalidRequest, match="no certificate"):
        acme_server.set_renewal_info(acme_server.trust_root, start, start)


def test_the_directory_is_reached_with_the_root_that_is_told(acme_server):
    context = ssl.create_default_context(cadata=acme_server.trust_root)
    with urllib.request.urlopen(acme_server.directory, context=context, timeout=40) as answer:
        assert "newOrder" in json.load(answer)
