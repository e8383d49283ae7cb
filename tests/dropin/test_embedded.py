"""run_lego_command against the embedded server: what it obtains, and with which settings."""

import contextlib
import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import pylego
import pylego.testing
from tests.servers.certificates import Authority, certificate_request, names_of, new_key
from tests.servers.connect_proxy import ConnectProxy
from tests.servers.process import free_ports

EMAIL = "dev@example.com"


def obtain(server, env, *names, **arguments):
    csr = certificate_request(*(names or ("a.example",)))
    return pylego.run_lego_command(EMAIL, server.directory, csr, env, **arguments)


def elsewhere():
    """Ports where the server does not look."""
    http, tls = free_ports(2)
    return {"HTTP01_PORT": str(http), "TLSALPN01_PORT": str(tls)}


# What is obtained


@pytest.mark.parametrize("plugin", ["http", "", "tls"])
def test_a_certificate_is_obtained(acme_server, trust, plugin):
    csr = certificate_request("a.example", "b.example")
    response = pylego.run_lego_command(EMAIL, acme_server.directory, csr, trust, plugin)

    leaf, *chain = x509.load_pem_x509_certificates(response.certificate.encode())
    (root,) = x509.load_pem_x509_certificates(acme_server.roots[0].encode())
    for certificate, issuer in zip([leaf, *chain], [*chain, root], strict=True):
        certificate.verify_directly_issued_by(issuer)
    assert sorted(names_of(leaf)) == ["a.example", "b.example"]
    assert leaf.public_key() == x509.load_pem_x509_csr(csr).public_key()

    assert response.csr == csr.decode()
    assert response.private_key == ""
    assert x509.load_pem_x509_certificates(response.issuer_certificate.encode()) == chain
    assert response.metadata.domain == "a.example"
    assert response.metadata.url == response.metadata.stable_url
    assert response.metadata.url.startswith(acme_server.directory.removesuffix("/dir"))
    assert load_pem_private_key(response.account_key.encode(), None).curve.name == "secp256r1"


def test_csr_and_account_key_may_be_text(acme_server, trust):
    key = new_key()
    csr = certificate_request("a.example").decode()
    response = pylego.run_lego_command(
        email=EMAIL, server=acme_server.directory, csr=csr, env=trust, private_key=key.encode()
    )
    assert response.csr == csr
    assert account_of(response) == load_pem_private_key(key.encode(), None).public_key()


def test_the_documented_order_of_arguments_works(acme_server, trust):
    csr = certificate_request("a.example")
    response = pylego.run_lego_command(EMAIL, acme_server.directory, csr, "http", trust, new_key())
    assert response.csr == csr.decode()


def test_a_dns_provider_obtains_a_wildcard(acme_server, trust):
    names = ["*.a.example", "a.example"]
    env = through_dns(acme_server, trust)
    response = obtain(acme_server, env, *names, plugin="httpreq", dns_nameservers=[acme_server.dns])
    leaf = x509.load_pem_x509_certificate(response.certificate.encode())
    assert sorted(names_of(leaf)) == names
    assert_cleaned_up(acme_server)


def test_a_wait_replaces_the_checks_of_dns_records(acme_server, trust):
    env = through_dns(acme_server, trust)
    env.pop("DNS_PROPAGATION_RNS")
    start = time.monotonic()
    obtain(acme_server, env, plugin="httpreq", dns_propagation_wait=1)
    assert time.monotonic() - start >= 1
    assert_cleaned_up(acme_server)


@pytest.mark.parametrize(
    ("disabled", "name"), [("", "a.validation.example"), ("true", "_acme-challenge.a.example")]
)
def test_an_alias_of_the_challenge_s_name_is_followed_unless_switched_off(
    acme_server, trust, disabled, name
):
    acme_server.set_cname("_acme-challenge.a.example", "a.validation.example")
    env = {**through_dns(acme_server, trust), "LEGO_DISABLE_CNAME_SUPPORT": disabled}
    settings = {"plugin": "httpreq", "dns_nameservers": [acme_server.dns]}
    with contextlib.suppress(pylego.LEGOError):  # the CA itself does follow it
        obtain(acme_server, env, dns_propagation_wait=0.01, **settings)
    assert {change.name for change in acme_server.dns_log()} == {name}


def through_dns(server, trust):
    """Settings for lego's httpreq: the server's records, and no name server but its own."""
    return {
        **trust,
        **server.dns01().variables,
        "DNS_PROPAGATION_DISABLE_ANS": "1",
        "DNS_PROPAGATION_RNS": "1",
    }


def assert_cleaned_up(server):
    changes = server.dns_log()
    presented = sorted((each.name, each.value) for each in changes if each.action == "presented")
    cleaned_up = sorted((each.name, each.value) for each in changes if each.action == "cleaned_up")
    assert presented == cleaned_up != []
    assert not any(server.records().values())


# The environment


def test_env_is_put_over_the_programs_environment(acme_server, trust, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", trust.pop("SSL_CERT_FILE"))
    monkeypatch.setenv("HTTP01_PORT", elsewhere()["HTTP01_PORT"])
    env = {**trust, "TLSALPN01_PORT": elsewhere()["TLSALPN01_PORT"]}
    assert obtain(acme_server, env).certificate


def test_env_stays_out_of_the_programs_environment(acme_server, trust):
    before = dict(os.environ)
    obtain(acme_server, {**trust, "SOME_SECRET": "hush"})
    assert dict(os.environ) == before


def test_an_empty_port_is_the_default_one(acme_server, trust):
    env = {**trust, "TLSALPN01_PORT": ""}
    assert obtain(acme_server, env).certificate


def test_a_port_where_the_ca_does_not_look_is_an_attempt_that_failed(acme_server, trust):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, {**trust, **elsewhere()}, plugin="tls")
    assert [each.challenge for each in caught.value.attempts] == ["tls-alpn-01"]


# The way to the CA


def test_a_proxy_of_env_carries_every_request(acme_server, trust):
    # A CA on this machine is asked directly: so it is one with a name.
    ca = SimpleNamespace(directory=acme_server.directory.replace("127.0.0.1", "ca.invalid"))
    with contextlib.closing(ConnectProxy("127.0.0.1")) as proxy:
        through = {**trust, "HTTPS_PROXY": proxy.url, "LEGO_CA_SERVER_NAME": "localhost"}
        assert obtain(ca, through).certificate
        host = ca.directory.split("/")[2]
        assert {asked.splitlines()[0] for asked in proxy.asked} == {f"CONNECT {host} HTTP/1.1"}
        with pytest.raises(pylego.LEGOError) as caught:
            obtain(ca, {**through, "NO_PROXY": "ca.invalid"})
        assert caught.value.code == "network_error"
        assert "hidden-word" not in str(caught.value)


# Trust


def test_the_right_trust_file_works_after_wrong_ones(acme_server, trust, tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(Authority("Another root").pem)
    malformed = tmp_path / "malformed.pem"
    malformed.write_text("nonsense")
    for file, code in (
        (wrong, "network_error"),
        (malformed, "lego_client_creation_failed"),
        (tmp_path / "missing.pem", "lego_client_creation_failed"),
    ):
        with pytest.raises(pylego.LEGOError) as caught:
            obtain(acme_server, {**trust, "SSL_CERT_FILE": str(file)})
        assert (caught.value.type, caught.value.code) == ("lego", code)
        assert obtain(acme_server, trust).certificate


def test_a_trust_file_that_changes_is_read_again(acme_server, trust):
    file = Path(trust["SSL_CERT_FILE"])
    right = file.read_bytes()
    obtain(acme_server, trust)
    file.write_bytes(Authority("Another root").pem)
    with pytest.raises(pylego.LEGOError, match="network_error"):
        obtain(acme_server, trust)
    file.write_bytes(right)
    assert obtain(acme_server, trust).certificate


@pytest.mark.parametrize("name", ["LEGO_CA_CERTIFICATES", "SSL_CERT_DIR"])
def test_trust_can_be_named_in_other_ways(acme_server, trust, name):
    file = Path(trust.pop("SSL_CERT_FILE"))
    value = file if name == "LEGO_CA_CERTIFICATES" else file.parent
    assert obtain(acme_server, {**trust, name: str(value)}).certificate


def test_roots_of_lego_s_own_are_alone_unless_the_systems_are_asked_for(
    acme_server, trust, tmp_path
):
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("Another root").pem)
    env = {**trust, "LEGO_CA_CERTIFICATES": str(other)}  # beside SSL_CERT_FILE, which is right
    for value in ("", "false"):
        with pytest.raises(pylego.LEGOError) as caught:
            obtain(acme_server, {**env, "LEGO_CA_SYSTEM_CERT_POOL": value})
        assert caught.value.code == "network_error"
    assert obtain(acme_server, {**env, "LEGO_CA_SYSTEM_CERT_POOL": "true"}).certificate


def test_another_name_can_be_expected_of_the_server(acme_server, trust):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, {**trust, "LEGO_CA_SERVER_NAME": "ca.example"})
    assert caught.value.code == "network_error"
    assert obtain(acme_server, {**trust, "LEGO_CA_SERVER_NAME": "localhost"}).certificate


# Accounts


def test_without_a_key_every_call_makes_an_account(acme_server, trust):
    first, second = obtain(acme_server, trust), obtain(acme_server, trust)
    assert account_of(first) != account_of(second)
    assert acme_server.requests()["newAccount"] == 2


def test_with_a_key_the_account_is_used_again(acme_server, trust):
    first = obtain(acme_server, trust)
    second = obtain(acme_server, trust, private_key=first.account_key)
    assert account_of(first) == account_of(second)
    assert acme_server.requests()["newAccount"] == 1


def account_of(response):
    return load_pem_private_key(response.account_key.encode(), None).public_key()


HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@pytest.mark.parametrize("hmac", [HMAC, HMAC + "==="], ids=["plain", "padded"])
def test_an_external_account_is_bound(env_of, hmac):
    with pylego.testing.ACMEServer(external_accounts={"kid-1": HMAC}) as server:
        assert obtain(server, env_of(server), eab_kid="kid-1", eab_hmac=hmac).certificate


def test_a_missing_external_account_is_asked_for(env_of):
    with (
        pylego.testing.ACMEServer(external_accounts={"kid-1": HMAC}) as server,
        pytest.raises(pylego.LEGOError) as caught,
    ):
        obtain(server, env_of(server))
    assert (caught.value.code, caught.value.status) == ("externalAccountRequired", 403)


# The next challenge type


def test_http_falls_back_to_tls_alpn_01(acme_server, trust):
    env = {**trust, "HTTP01_PORT": elsewhere()["HTTP01_PORT"]}
    assert obtain(acme_server, env, "a.example", "b.example").certificate
    assert acme_server.requests()["newOrder"] == 2


def test_http_falls_back_when_a_port_cannot_be_bound(acme_server, trust):
    env = {**trust, "HTTP01_IFACE": "192.0.2.1"}  # no address of this machine (RFC 5737)
    assert obtain(acme_server, env).certificate


def test_the_error_lists_every_attempt(acme_server, trust):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, {**trust, **elsewhere()}, "b.example", "a.example")
    assert [(each.identifier.value, each.challenge) for each in caught.value.attempts] == [
        ("a.example", "http-01"),
        ("b.example", "http-01"),
        ("a.example", "tls-alpn-01"),
        ("b.example", "tls-alpn-01"),
    ]
    assert acme_server.requests()["newOrder"] == 2


def test_tls_does_not_fall_back(acme_server, trust):
    env = {**trust, "TLSALPN01_PORT": elsewhere()["TLSALPN01_PORT"]}
    with pytest.raises(pylego.LEGOError):
        obtain(acme_server, env, plugin="tls")
    assert acme_server.requests()["newOrder"] == 1


def test_nothing_is_tried_again_after_a_rejected_identifier(env_of):
    with pylego.testing.ACMEServer(blocked_names=["a.example"]) as server:
        with pytest.raises(pylego.LEGOError) as caught:
            obtain(server, env_of(server))
        assert caught.value.code == "rejectedIdentifier"
        assert server.requests()["newOrder"] == 1


# Plugins


@pytest.mark.parametrize(
    ("plugin", "nearest"),
    [("clouflare", "cloudflare"), ("route35", "route53"), ("Namecheep", "namecheap")],
)
def test_an_unknown_plugin_names_its_nearest_matches(acme_server, trust, plugin, nearest):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, trust, plugin=plugin)
    assert (caught.value.type, caught.value.code) == ("lego", "dns_provider_failed")
    assert plugin in caught.value.detail
    assert nearest in caught.value.detail


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        ("acme-dns", "ACME_DNS_API_BASE"),
        ("fastdns", "edgedns: "),
        ("linodev4", "LINODE_TOKEN"),
        ("rfc2136", "DNSUPDATE_NAMESERVER"),
        ("webnames", "WEBNAMESRU_API_KEY"),
    ],
)
def test_an_alias_of_a_plugin_is_the_plugin(acme_server, trust, plugin, says):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, trust, plugin=plugin)
    assert caught.value.code == "dns_provider_failed"
    assert says in caught.value.detail
    assert not acme_server.requests()


@pytest.mark.parametrize(
    ("plugin", "successor"), [("azure", "azuredns"), ("dnspod", "tencentcloud"), ("iij", "iijdpf")]
)
def test_a_plugin_of_lego_4_has_a_successor(acme_server, trust, plugin, successor):
    with pytest.raises(pylego.LEGOError, match=f"any more.*{successor}"):
        obtain(acme_server, trust, plugin=plugin)
    with pytest.raises(pylego.LEGOError) as caught:  # which there is
        obtain(acme_server, trust, plugin=successor)
    assert "no DNS provider" not in caught.value.detail


@pytest.mark.parametrize("plugin", ["brandit", "cloudxns", "googledomains", "iwantmyname"])
def test_a_plugin_of_lego_4_that_has_gone_is_not_taken_for_another(acme_server, trust, plugin):
    with pytest.raises(pylego.LEGOError, match=r"any more, since its version 5$"):
        obtain(acme_server, trust, plugin=plugin)


def test_manual_points_to_the_command_line(acme_server, trust):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, trust, plugin="manual")
    assert caught.value.code == "dns_provider_failed"
    assert "pylego lego run" in caught.value.detail


def test_a_provider_without_credentials_says_which(acme_server, trust):
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, trust, plugin="cloudflare")
    assert caught.value.code == "dns_provider_failed"
    assert "CLOUDFLARE_DNS_API_TOKEN" in caught.value.detail
    assert caught.value.detail.endswith("; set them in env, or in the environment")


def test_an_endpoint_s_secrets_are_in_no_text(acme_server, trust, caplog):
    caplog.set_level(logging.DEBUG, logger="pylego")
    (port,) = free_ports(1)
    endpoint = f"http://the-user:hidden-word@127.0.0.1:{port}/?key=hush%2Fhush"
    env = {**through_dns(acme_server, trust), "HTTPREQ_ENDPOINT": endpoint}
    with pytest.raises(pylego.LEGOError) as caught:
        obtain(acme_server, env, plugin="httpreq", dns_nameservers=[acme_server.dns])
    assert caught.value.code == "network_error"
    for secret in ("hidden-word", "hush"):
        assert secret not in f"{caught.value} {caught.value.info} {caplog.text}"
