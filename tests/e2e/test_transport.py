"""How the CA is reached: trust, proxies, versions of IP."""

import logging
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

import pylego
from tests.servers.certificates import Authority, certificate_request
from tests.servers.connect_proxy import ConnectProxy


@pytest.fixture
def root(acme_server, tmp_path):
    """Give a file with the root of the CA's HTTPS certificate."""
    file = tmp_path / "root.pem"
    file.write_text(acme_server.trust_root)
    return file


@pytest.fixture
def proxy(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    started = ConnectProxy()
    yield started
    started.close()


def test_roots_may_be_text_bytes_a_file_or_a_folder(acme_server, any_client, root):
    for trust in (root.read_text(), root.read_bytes(), root, root.parent):
        client = any_client(trust=trust)
        assert client.obtain("a.example", challenges=acme_server.http01())


def test_a_path_is_taken_as_it_was_when_the_client_was_made(
    acme_server, any_client, root, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    client = any_client(trust=Path("root.pem"))
    monkeypatch.chdir("/")
    assert client.obtain("a.example", challenges=acme_server.http01())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trust": "/etc/ssl/root.pem"}, r"no PEM.*pathlib\.Path"),
        ({"trust": b"nonsense"}, "no PEM"),
        ({"trust": Path("/nowhere/root.pem")}, "/nowhere/root.pem"),
        ({"trust": Path(__file__)}, "no PEM"),
        ({"trust": 5}, "trust=5"),
        ({"proxy": "ftp://user:hidden-word@proxy.example"}, "http://"),
        ({"proxy": "http://:3128"}, "http://"),
        ({"proxy": 3128}, "proxy="),
        ({"ip_version": 5}, "ip_version=5.*4 and 6"),
        ({"user_agent": "mine\r\nHost: other.example"}, "user_agent="),
        ({"user_agent": 5}, "user_agent=5"),
        ({"limits": 5}, "limits=5"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_before_any_network(
    settings, said, acme_server, any_client
):
    with pytest.raises(pylego.InvalidRequest, match=said) as caught:
        any_client(**settings).obtain("a.example", challenges=acme_server.http01())
    assert caught.value.phase == "request"
    assert not caught.value.retryable
    assert "hidden-word" not in str(caught.value)
    assert acme_server.requests() == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"new_orders": 10},
        {"new_orders": (10,)},
        {"new_orders": (0, 10)},
        {"new_orders": (1.5, 10)},
        {"new_orders": (10, math.inf)},
        {"new_orders": (10, -1)},
        {"requests_per_second": 0},
        {"requests_per_second": math.nan},
        {"requests_per_second": "many"},
        {"requests_in_flight": 0},
        {"requests_in_flight": 1.5},
        {"orders_in_flight": -1},
        {"orders_in_flight": True},
    ],
)
def test_a_limit_that_is_none_is_named(settings, any_client):
    (name,) = settings
    with pytest.raises(pylego.InvalidRequest, match=f"{name}="):
        any_client(limits=pylego.Limits(**settings))


def test_every_operation_is_checked(acme_server, any_client):
    with pytest.raises(pylego.InvalidRequest, match="no PEM"):
        any_client(trust="nonsense").directory()
    with pytest.raises(pylego.InvalidRequest, match="http://"):
        any_client(proxy="ftp://proxy.example").register()
    assert acme_server.requests() == {}


def test_without_trust_a_ca_is_not_believed_and_the_error_says_what_to_do(acme_server, any_client):
    with pytest.raises(pylego.NetworkError, match="trust=") as caught:
        any_client(trust=None).obtain("a.example", challenges=acme_server.http01())
    assert not caught.value.retryable
    assert acme_server.requests() == {}


def test_without_verification_any_certificate_will_do_and_a_warning_is_logged(
    acme_server, any_client, caplog
):
    with caplog.at_level(logging.WARNING, "pylego"):
        client = any_client(trust=None, verify=False)
    assert "verify=False" in caplog.text
    assert client.obtain("a.example", challenges=acme_server.http01())


def test_nobody_else_gets_an_unverified_session(acme_server, any_client, monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):  # which would make a difference by themselves
        monkeypatch.delenv(name, raising=False)

    def strict():
        return any_client(trust=None).obtain("a.example", challenges=acme_server.http01())

    def drop_in():
        return pylego.run_lego_command(
            "dev@example.com", acme_server.directory, certificate_request("a.example"), {}
        )

    any_client(trust=None, verify=False).obtain("a.example", challenges=acme_server.http01())
    for call in (strict, drop_in):
        with pytest.raises(pylego.LEGOError) as caught:
            call()
        assert caught.value.code == "network_error"
        assert "no trusted root" in caught.value.detail


def test_a_root_that_is_exchanged_in_a_folder_is_noticed(acme_server, any_client, root):
    client = any_client(trust=root.parent)
    assert client.obtain("a.example", challenges=acme_server.http01())
    root.write_bytes(Authority("Another root").pem)
    with pytest.raises(pylego.NetworkError):
        client.obtain("a.example", challenges=acme_server.http01())


def test_a_proxy_carries_every_request(acme_server, any_client, proxy):
    client = any_client(proxy=proxy.url)
    assert client.obtain("a.example", challenges=acme_server.http01())
    host = acme_server.directory.split("/")[2]
    assert proxy.asked
    assert all(asked.startswith(f"CONNECT {host} ") for asked in proxy.asked)
    assert all("Proxy-Authorization: Basic" in asked for asked in proxy.asked)
    assert "hidden-word" not in repr(client)


def test_a_proxy_that_does_not_answer_is_a_network_error_without_its_password(
    acme_server, any_client, proxy
):
    proxy.close()
    with pytest.raises(pylego.NetworkError) as caught:
        any_client(proxy=proxy.url).obtain("a.example", challenges=acme_server.http01())
    assert caught.value.retryable
    assert "hidden-word" not in str(caught.value)
    assert "hidden-word" not in repr(caught.value.info)


@pytest.mark.slow
def test_the_environments_proxy_is_read_at_each_call(any_client, acme_server, proxy, monkeypatch):
    # As everywhere, a CA on this machine is asked directly: so it is one with a name.
    elsewhere = SimpleNamespace(
        directory=acme_server.directory.replace("127.0.0.1", "ca.invalid"),
        trust_root=acme_server.trust_root,
    )
    client, direct = any_client(elsewhere), any_client(elsewhere, proxy="")

    def asked(client):
        before = len(proxy.asked)
        with pytest.raises(pylego.NetworkError):  # the proxy cannot find it either
            client.obtain("a.example", challenges=acme_server.http01())
        return len(proxy.asked) > before

    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert asked(client)
    assert not asked(direct)
    monkeypatch.setenv("NO_PROXY", "ca.invalid")
    assert not asked(client)
    monkeypatch.delenv("NO_PROXY")
    assert asked(client)


def test_a_version_of_ip_that_leads_nowhere_is_a_network_error(acme_server, any_client):
    assert any_client(ip_version=4).obtain("a.example", challenges=acme_server.http01())
    with pytest.raises(pylego.NetworkError):
        any_client(ip_version=6).obtain("a.example", challenges=acme_server.http01())
