"""No credential is anywhere but in its provider's own process."""

import logging
import os
import subprocess
import sys

import pytest

import pylego

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


@pytest.mark.parametrize("given", ["to the call", "in the environment"])
def test_a_credential_shows_in_no_log_no_error_and_no_repr(
    acme_server, client, caplog, monkeypatch, given
):
    caplog.set_level(logging.DEBUG, logger="pylego")
    credential = {"HTTPREQ_PASSWORD": SECRET}
    if given == "in the environment":
        monkeypatch.setenv(*credential.popitem())
    challenge = acme_server.dns01(
        HTTPREQ_USERNAME="user",
        **credential,
        HTTPREQ_ENDPOINT="http://127.0.0.1:1",
        LEGO_DEBUG_CLIENT_VERBOSE_ERROR="true",
        LEGO_DEBUG_DNS_API_HTTP_CLIENT="true",
    )
    with pytest.raises(pylego.LEGOError) as caught:
        client.obtain("a.example", challenges=challenge)
    seen = [repr(challenge), str(caught.value), repr(caught.value), str(caught.value.info)]
    seen += [record.getMessage() for record in caplog.records]
    assert len(seen) > 4
    assert not [text for text in seen if SECRET in text]


def test_keys_show_in_no_repr(acme_server, client):
    certificate = client.obtain("a.example", challenges=acme_server.http01())
    assert "PRIVATE KEY" in certificate.account_key
    assert "PRIVATE KEY" not in repr(certificate)
    assert certificate.private_key.splitlines()[1] not in repr(certificate)


def test_a_key_that_cannot_be_read_is_not_quoted(acme_server, new_client):
    with pytest.raises(pylego.InvalidRequest) as caught:
        new_client(acme_server, account_key=f"-----BEGIN {SECRET}").obtain(
            "a.example", challenges=acme_server.http01()
        )
    assert SECRET not in repr(caught.value) + str(caught.value.info)
