"""What the catalogue says is enough, and each provider's constructor: they agree, without a network."""

import base64
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pylego
from pylego._engine.files import EXECUTABLE
from tests.dns.apis.google import GOOGLE
from tests.dns.apis.keys import PEM
from tests.dns.apis.oracle import ORACLE
from tests.dns.apis.ovh import OVH
from tests.servers.fixtures import own_network  # noqa: F401 -- fixtures are found by their names

NOT_OFFLINE = {
    "azuredns": "discover DNS zones: ",  # as its machine's identity here; it lists the zones
    "designate": "failed to authenticate: ",  # it logs in
    "huaweicloud": "failed to get project id",  # it asks for the region's project
    "namecheap": "/getip",  # it asks for the address that the API is to be called from
    "rackspace": "unable to communicate with the API server",  # it logs in
    "yandexcloud": "unable to build yandex cloud sdk",  # it asks for the endpoints of the API
    "stackpath": "provider has shut down",  # lego keeps its name only
}
"""Those that no values make without a network, and what they say instead."""

HYPERONE = {
    "issuer": "issuer",
    "certificate_id": "1",
    "subject_id": "/iam/project/1/sa/1",
    "private_key": PEM,
}
YANDEX = {"id": "1", "service_account_id": "1", "private_key": PEM}

KINDS = {
    r"_URL$|_ENDPOINT$|_API_BASE$|_ADDRESS$|^VINYLDNS_HOST$": "https://dns.example",
    r"_EMAIL$": "someone@a.example",
    r"_ORG_ID$|_ACCOUNT_ID$|_NUMBER$|_ORDER_ID$": "1234",
    r"_REGION$": "cn-north-1",
    r"_CREDENTIALS$|_TOKENS$|_MAPPING$": "a.example:1",
    r"^SCW_SECRET_KEY$": "11111111-1111-1111-1111-111111111111",
    r"^YANDEX_CLOUD_IAM_TOKEN$": base64.b64encode(json.dumps(YANDEX).encode()).decode(),
    r"_KEY_PATH$": "key.pem",
    r"_SERVICE_ACCOUNT_FILE$": "account.json",
    r"_TSIG_ALGORITHM$": "hmac-sha256.",
}
"""Values for those of which a constructor looks at more than whether there is one."""

BESIDE = {
    "acmedns": {"ACME_DNS_STORAGE_PATH": "accounts.json"},
    "designate": {
        "OS_AUTH_URL": "https://dns.example",
        "OS_USERNAME": "x",
        "OS_PASSWORD": "x",
        "OS_PROJECT_NAME": "x",
        "OS_PROJECT_ID": "x",
    },
    "edgedns": {
        "AKAMAI_HOST": "dns.example",
        "AKAMAI_CLIENT_TOKEN": "x",
        "AKAMAI_CLIENT_SECRET": "x",
        "AKAMAI_ACCESS_TOKEN": "x",
    },
    "gcloud": GOOGLE.settings,
    "hyperone": {"HYPERONE_PASSPORT_LOCATION": "passport.json"},
    "nicmanager": {"NICMANAGER_API_EMAIL": "someone@a.example"},
    "oraclecloud": ORACLE.settings,
    "ovh": {**OVH.settings, "OVH_ENDPOINT": "ovh-eu"},
}
"""What a provider needs beside its ways: one of several, or credentials of a machine."""


def enough(code):
    """Give each way to log in a value of its kind for everything that it needs."""
    for way in pylego.providers[code].ways or [()]:
        yield {group[0]: value_of(group[0]) for group in way} | BESIDE.get(code, {})


def value_of(name):
    return next((value for kind, value in KINDS.items() if re.search(kind, name)), "x")


@pytest.fixture(scope="module")
def without_network(own_network):  # noqa: F811
    """Give a command that runs another one where there is no network, not even loopback."""
    for address in ("192.0.2.1", "127.0.0.1"):
        connect = f"import socket; socket.create_connection(('{address}', 9))"
        refused = subprocess.run(
            [*own_network, sys.executable, "-c", connect],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Network is unreachable" in refused.stderr
    return own_network


@pytest.fixture
def construct(without_network, tmp_path):
    """Return what a provider's constructor says; "" where it has made the provider."""
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "passport.json").write_text(json.dumps(HYPERONE))
    (tmp_path / "account.json").write_text(GOOGLE.settings["GCE_SERVICE_ACCOUNT"])
    lego = Path(EXECUTABLE)

    def construct(code, given):
        # The host's pipes are its descriptors 3 and 4; see engine/providerhost.
        host = [*without_network, "sh", "-c", 'exec "$0" "$@" 3<&0 4>&1 </dev/null >&2']
        hello = {"version": 2, "parent_pid": os.getpid(), "provider": code}
        with subprocess.Popen(
            [*host, lego, "provider", code],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            process.stdin.write(
                json.dumps({"id": 1, "kind": "hello", "body": hello}).encode() + b"\n"
            )
            process.stdin.flush()
            frames = map(json.loads, process.stdout)
            answer = next(frame for frame in frames if frame["kind"] != "log")
        return "" if answer["kind"] == "ready" else answer["body"]["message"]

    return construct


@pytest.mark.slow
def test_what_the_catalogue_calls_enough_makes_each_provider_without_a_network(construct):
    cases = [(code, given) for code in pylego.providers for given in enough(code)]
    assert all(pylego.providers[code].reads(name) for code, given in cases for name in given)
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda case: construct(*case), cases))

    failed = {code: words for (code, _), words in zip(cases, said, strict=True) if words}
    unexpected = {code: words for code, words in failed.items() if code not in NOT_OFFLINE}
    assert unexpected == {}
    assert [code for code in NOT_OFFLINE if NOT_OFFLINE[code] not in failed.get(code, "")] == []
    assert len(pylego.providers) - len(failed) >= 205


@pytest.mark.slow
def test_the_settings_of_the_examples_make_each_provider_with_values_of_their_kind(construct):
    def settings(code):
        beside = BESIDE.get(code, {})
        names = pylego.providers[code].values or beside  # hyperone reads a file at home
        return {name: beside.get(name) or value_of(name) for name in names}

    with ThreadPoolExecutor(4) as pool:
        said = pool.map(lambda code: construct(code, settings(code)), pylego.providers)
    failed = {code for code, words in zip(pylego.providers, said, strict=True) if words}
    assert failed <= NOT_OFFLINE.keys()
