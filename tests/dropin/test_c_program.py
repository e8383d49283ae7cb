"""lego.so's interface for programs in C: RunLegoCommand, as in 0.1."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import pylego
from tests.servers.certificates import certificate_request
from tests.servers.fixtures import missing

HERE = Path(__file__).resolve().parent
HEADER = HERE.parents[1] / "engine" / "cmd" / "libpylego"
LIBRARY = Path(pylego.__file__).resolve().parent / "_bin" / "lego.so"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        missing("there is no C compiler")
    program = tmp_path_factory.mktemp("c") / "obtain"
    subprocess.run(
        [
            compiler,
            *("-std=c99", "-Wall", "-Wextra", "-Werror"),
            *("-o", program),
            HERE / "c_program.c",
            f"-I{installed_header()}",
            LIBRARY,
            f"-Wl,-rpath,{LIBRARY.parent}",
        ],
        check=True,
    )
    return program


def installed_header():
    """Find pylego.h: beside the library, or where it is written."""
    return LIBRARY.parent if (LIBRARY.parent / "pylego.h").exists() else HEADER


def run(program, message):
    ended = subprocess.run(
        [program], input=message, capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, json.loads(ended.stdout)


def test_a_c_program_obtains_a_certificate(program, acme_server, trust):
    csr = certificate_request("a.example").decode()
    message = {
        "email": "dev@example.com",
        "server": acme_server.directory,
        "csr": csr,
        "plugin": "http",
        "env": trust,
        "private_key": "",
    }
    code, answer = run(program, json.dumps(message))
    assert (code, answer["success"]) == (0, True), answer
    data = answer["data"]
    assert data["csr"] == csr
    assert data["private_key"] == ""
    assert data["certificate"].endswith(data["issuer_certificate"])
    assert data["metadata"]["domain"] == "a.example"
    assert set(answer) == {"success", "data"}


def test_a_c_program_obtains_a_wildcard_by_a_dns_provider(program, acme_server, trust):
    variables = {"DNS_PROPAGATION_DISABLE_ANS": "1", "DNS_PROPAGATION_RNS": "1"}
    message = {
        "email": "dev@example.com",
        "server": acme_server.directory,
        "csr": certificate_request("*.a.example").decode(),
        "plugin": "httpreq",
        "env": {**trust, **acme_server.dns01().variables, **variables},
        "private_key": "",
        "dns_nameservers": [acme_server.dns],
    }
    code, answer = run(program, json.dumps(message))
    assert (code, answer["success"]) == (0, True), answer
    assert answer["data"]["metadata"]["domain"] == "*.a.example"
    assert not any(acme_server.records().values())


def test_a_c_program_is_told_what_failed(program):
    code, answer = run(program, "nonsense")
    assert code == 1
    assert answer["success"] is False
    assert answer["error"]["type"] == "lego"
    assert answer["error"]["code"] == "invalid_arguments"
    assert set(answer) == {"success", "error"}
