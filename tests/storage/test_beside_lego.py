"""lego's own executable and FileStore take turns at one folder."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

import pylego
from pylego.storage import Origin

pytestmark = pytest.mark.slow  # lego waits five seconds before it looks again

LEGO = Path(pylego.__file__).resolve().parent / "_bin" / "lego"


@pytest.fixture
def lego(acme_server, store, tmp_path):
    """Run lego's command line on the store's folder."""
    trust = tmp_path / "root.pem"
    trust.write_text(acme_server.trust_root)

    def run(*arguments, typed=None, ok=True):
        done = subprocess.run(
            [LEGO, *arguments, f"--path={store.folder}"],
            env={**os.environ, "LEGO_CA_CERTIFICATES": str(trust)},
            capture_output=True,
            check=False,
            text=True,
            input=typed,
            timeout=60,
        )
        assert done.returncode == 0 or not ok, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def obtain(lego, acme_server):
    """Have lego obtain, or renew, a certificate."""

    def run(*domains, flags=()):
        return lego(
            "run",
            "--accept-tos",
            f"--server={acme_server.directory}",
            "--email=me@store.example",
            "--http",
            f"--http.address=127.0.0.1:{acme_server.http_port}",
            "--no-random-sleep",
            *flags,
            *[f"--domains={domain}" for domain in domains],
        )

    return run


def listed(lego, what="certificates"):
    return json.loads(lego(what, "list", "--json").stdout)


def modes(folder):
    """Return the modes of all files and folders."""
    return {stat.S_IMODE(each.stat().st_mode) for each in Path(folder).rglob("*")}


def test_what_lego_has_obtained_is_read(store, obtain, acme_server):
    obtain("a.example", "b.example", flags=["--profile=default"])
    assert store.certificate_ids() == ["a.example"]
    certificate = store.load("a.example")
    assert [each.value for each in certificate.identifiers] == ["a.example", "b.example"]
    assert certificate.url.startswith(acme_server.directory.rsplit("/", 1)[0])
    assert certificate.bundle
    assert certificate.ssl_context()
    text = store.texts()["a.example"]
    assert text.names == ("a.example", "b.example")
    assert text.origin == Origin(key_type="EC256", profile="default")
    assert text.fullchain == certificate.fullchain


def test_an_account_of_legos_obtains_here(store, obtain, acme_server, new_client):
    obtain("a.example")
    assert store.accounts() == [(acme_server.directory, "me@store.example")]
    account = store.load_account(acme_server.directory, "me@store.example")
    assert account.status == "valid"
    assert account.email == "me@store.example"
    client = new_client(acme_server, account=account)
    assert client.obtain("b.example", challenges=acme_server.http01())
    assert client.account.url == account.url


def test_what_is_saved_here_lego_lists_renews_and_revokes(store, client, lego, obtain, acme_server):
    first = client.obtain("*.a.example", "a.example", challenges=acme_server.dns01())
    store.save_account(client.account, "me@store.example")
    store.save("*.a.example", first, origin=Origin(directory=acme_server.directory))
    assert [each["name"] for each in listed(lego)] == ["_.a.example"]
    assert listed(lego)[0]["domains"] == ["*.a.example", "a.example"]
    certificate = client.obtain("b.example", challenges=acme_server.http01())
    store.save("b.example", certificate, origin=Origin(directory=acme_server.directory))
    obtain("b.example", flags=["--renew-force"])
    renewed = store.load("b.example")
    assert renewed.serial != certificate.serial
    assert store.texts(["b.example"])["b.example"].origin.directory is None  # lego's own
    assert [each["server"] for each in listed(lego, "accounts")] == [acme_server.directory]
    lego(
        "certificates",
        "revoke",
        f"--server={acme_server.directory}",
        "--email=me@store.example",
        "--cert.name=b.example",
    )
    assert store.load("b.example") is None
    assert store.certificate_ids() == ["*.a.example"]


def test_lego_and_we_take_turns(store, new_client, obtain, acme_server):
    serials = []
    for turn in range(4):
        if turn % 2:
            [account] = store.accounts()
            client = new_client(acme_server, account=store.load_account(*account))
            certificate = client.obtain("a.example", challenges=acme_server.http01())
            store.save("a.example", certificate)
        else:
            obtain("a.example", flags=["--renew-force", "--pem"])
        serials.append(store.load("a.example").serial)
        parts = Path(store.folder, "certificates", "a.example.pem").read_text()
        assert parts == store.load("a.example").fullchain + store.load("a.example").private_key
    assert len(set(serials)) == 4
    assert modes(store.folder) == {0o700, 0o600}


@pytest.mark.parametrize("name", ["a.example", "a" * 244])
def test_an_archive_of_ours_lego_lists_and_restores(store, lego, two, name):
    first, second = two
    store.save(name, first)
    store.save(name, second)
    [archive] = Path(store.folder, "archives", "certificates").iterdir()
    assert archive.name in lego("archives", "list").stdout
    lego("archives", "restore", typed="1\n")
    assert not archive.exists()
    assert store.load(name).serial == first.serial


def test_lego_leaves_our_state_alone(store, obtain, lego):
    obtain("a.example")
    store.save_state("a.example", {"chosen": 5})
    with store.lock("a.example"):
        obtain("a.example", flags=["--renew-force"])
    assert len(listed(lego)) == 1
    assert len(listed(lego, "accounts")) == 1
    assert store.state("a.example") == {"chosen": 5}


NAMES = [
    "*.wild.example",
    "b\u00fccher.example",
    "\u00fcml\u00e4ut.\u65e5\u672c\u8a9e.example",
    "UPPER.example",
    "xn--bcher-kva.example",
    "xn--BCHER-KVA.example",
    "xn--\u00fc.example",
    "xn--nothing-.example",
    "xn---gta16d.example",
    "2001:db8::1",
    "a name! (of mine) #1",
    "up/../../down",
    "me@home_1",
    "two..dots.",
    "\u212a.example",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_sanitised_as_lego_does(name, store, lego, client, acme_server, issue):
    store.save_account(client.register(), "me@store.example")
    try:
        store.save(name, issue("a.example"))
    except pylego.InvalidRequest:
        expected = "Could not sanitize the name"
    else:
        assert store.certificate_ids() == [name]
        expected = "certificate revocation for domain"  # which this CA has not issued
    done = lego(
        "certificates",
        "revoke",
        f"--server={acme_server.directory}",
        "--email=me@store.example",
        f"--cert.name={name}",
        ok=False,
    )
    assert expected in done.stdout + done.stderr
