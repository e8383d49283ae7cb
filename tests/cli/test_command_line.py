"""The command line as a person runs it."""

import subprocess
import sys

import pytest

pytest.importorskip("typer")


def run(*arguments):
    command = [sys.executable, "-c", "from pylego.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)


def test_the_demo_verifies_three_certificates():
    done = run("demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("verified against the CA's root") == 3
    for word in ("HTTP-01", "TLS-ALPN-01", "DNS-01", "*.shop.example", "host20.shop.example"):
        assert word in done.stdout


def test_the_demo_fails_where_a_chain_does_not_verify(monkeypatch):
    from pylego.cli import _demo

    monkeypatch.setattr(_demo, "_unverified", lambda *_: "nobody trusts it")
    assert _demo.run() == 1


def test_a_wrong_root_does_not_verify(acme_server, client):
    from pylego.cli import _demo

    certificate = client.obtain("a.example", challenges=acme_server.http01())
    assert _demo._unverified(certificate, acme_server.roots[0], ("a.example",)) == ""
    assert _demo._unverified(certificate, acme_server.trust_root, ("a.example",)) != ""
    assert _demo._unverified(certificate, acme_server.roots[0], ("b.example",)) != ""


def test_the_version():
    assert run("--version").stdout.startswith("pylego ")


def test_without_its_packages_it_names_the_one_command_that_adds_them():
    source = "import pylego.cli; pylego.cli.find_spec = lambda name: None; pylego.cli.main()"
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "pip install 'pylego[cli]'" in done.stderr
