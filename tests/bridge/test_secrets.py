"""No credential is anywhere but in its provider's own process."""

import base64
import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import pylego
from tests.bridge.processes import descendants

SECRET = "s3cret-token-which-must-not-show"


def test_a_credential_reaches_no_environment_but_its_host_s(acme_server, client, tmp_path):
    # lego's provider exec runs a script in the host's environment: what it sees, the host saw.
    script = tmp_path / "hook"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/host-environment\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(pylego.ProviderError) as caught:
        client.obtain(
            "a.example", challenges=pylego.DNS01("exec", EXEC_PATH=str(script), MY_TOKEN=SECRET)
        )
    assert SECRET in (tmp_path / "host-environment").read_text()
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(dict(os.environ))"],
        capture_output=True,
        text=True,
        check=True,
    )
    # execv without an environment hands on C's own, which os.environ cannot see.
    c_environment = subprocess.run(["/usr/bin/env"], capture_output=True, text=True, check=True)
    for text in (str(os.environ), child.stdout, c_environment.stdout, repr(caught.value)):
        assert SECRET not in text


TELLTALE = f"""#!{sys.executable}
import base64, json, os, sys, urllib.parse

path = os.environ.get("MY_PASSWORD_FILE")
secret = open(path).read().strip() if path else os.environ["MY_PASSWORD"]
print("as it is:", secret)
print("in a URL:", urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret))
print("in JSON:", json.dumps(secret))
print("in a header:", base64.b64encode(f"user:{{secret}}".encode()).decode(), flush=True)
sys.exit(secret)
"""
AWKWARD = 's3cret "token" /which+must=not\\show'


@pytest.mark.parametrize("given", ["to the call", "in the environment", "in a file"])
def test_a_credential_shows_in_no_log_no_event_no_error_and_no_repr(
    acme_server, new_client, caplog, monkeypatch, tmp_path, given
):
    caplog.set_level(logging.DEBUG, logger="pylego")
    script = tmp_path / "script"
    script.write_text(TELLTALE)
    script.chmod(0o755)
    credential = {"MY_PASSWORD": AWKWARD}
    if given == "in the environment":
        monkeypatch.setenv(*credential.popitem())
    elif given == "in a file":
        path = tmp_path / "password"
        path.write_text(f"{AWKWARD}\n")
        credential = {"MY_PASSWORD_FILE": str(path)}
    events = []
    client = new_client(acme_server, on_event=events.append)
    challenge = pylego.DNS01("exec", EXEC_PATH=str(script), **credential)
    with pytest.raises(pylego.ProviderError) as caught:
        client.obtain("a.example", challenges=challenge)
    printed = [line for line in caplog.text.splitlines() if "[redacted]" in line]
    for way in ("as it is", "in a URL", "in JSON", "in a header"):
        assert any(f"{way}:" in line for line in printed), caplog.text
    seen = [
        str(caught.value),
        repr(caught.value.info),
        caplog.text,
        repr(challenge),
        *map(str, events),
    ]
    for part in (
        "s3cret",
        "token",
        "which",
        "show",
        base64.b64encode(AWKWARD.encode()[1:]).decode()[:-4],
    ):
        assert [text for text in seen if part in text] == []


def told(caplog, error, *others):
    """Find what tells the secret: in the log, an error, or whatever else, as it is or in base64."""
    seen = [str(error), repr(error), str(error.info), *map(str, others)]
    seen += [record.getMessage() for record in caplog.records]
    shapes = SECRET, base64.b64encode(SECRET.encode()).decode().rstrip("=")
    return [text for text in seen for shape in shapes if shape in text]


def test_the_processes_of_a_provider_tell_no_secret_by_their_command_lines(acme_server, new_client):
    seen = []

    def tell(event):
        with suppress(OSError):  # one has ended
            seen.extend(
                Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                for pid in descendants(os.getpid())
            )

    challenge = acme_server.dns01(HTTPREQ_USERNAME="user", HTTPREQ_PASSWORD=SECRET)
    new_client(acme_server, on_event=tell).obtain("a.example", challenges=challenge)
    assert ["lego", "provider", "httpreq", ""] in seen
    assert SECRET not in str(seen)


@pytest.mark.parametrize("whose", ["the CA's", "the provider's"])
def test_the_password_of_a_proxy_shows_nowhere(acme_server, client, caplog, monkeypatch, whose):
    caplog.set_level(logging.DEBUG, logger="pylego")
    proxy = f"http://user:{SECRET}@127.0.0.1:1"
    if whose == "the provider's":
        challenge = acme_server.dns01(HTTPREQ_ENDPOINT="http://dns.example", HTTP_PROXY=proxy)
    else:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        client = pylego.Client("https://ca.example/directory", timeout=20)
        challenge = acme_server.http01()
    with pytest.raises(pylego.LEGOError, match="proxy") as caught:
        client.obtain("a.example", challenges=challenge)
    assert told(caplog, caught.value) == []


@pytest.mark.acme_server(external_accounts={"kid": base64.urlsafe_b64encode(b"k" * 32).decode()})
def test_the_key_of_an_external_account_shows_nowhere(acme_server, new_client, caplog):
    caplog.set_level(logging.DEBUG, logger="pylego")
    for hmac in (SECRET, f"{SECRET} which is no base64url"):
        client = new_client(acme_server, eab=("kid", hmac))
        with pytest.raises(pylego.LEGOError) as caught:
            client.register()
        assert told(caplog, caught.value, client) == []


def test_keys_show_in_no_repr(acme_server, client):
    certificate = client.obtain("a.example", challenges=acme_server.http01())
    assert "PRIVATE KEY" in client.account.key
    assert "PRIVATE KEY" not in repr((certificate, client, client.account))
    assert certificate.private_key.splitlines()[1] not in repr(certificate)


def test_a_key_that_cannot_be_read_is_not_quoted(acme_server, new_client):
    with pytest.raises(pylego.InvalidRequest) as caught:
        new_client(acme_server, account=pylego.Account(key=f"-----BEGIN {SECRET}")).obtain(
            "a.example", challenges=acme_server.http01()
        )
    assert SECRET not in repr(caught.value) + str(caught.value.info)
