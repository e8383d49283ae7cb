"""The page of each DNS provider: its examples make what they show, of made-up values."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import pylego
from pylego._challenges import described
from pylego._engine.files import FOLDER

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What stands for lego in the commands tells its settings, and lets lego itself go on.
RECORDING = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["RECORD"], "w") as file:
    json.dump(dict(os.environ), file)
os.execv(os.environ["LEGO"], ["lego", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def pages():
    specification = importlib.util.spec_from_file_location(
        "provider_pages", ROOT / "tools" / "provider_pages.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Recorder:
    """What stands for the package: its client describes challenges to nobody."""

    def __init__(self):
        self.dns = pylego.dns
        self.messages = []

    def Client(self, *_, **__):  # noqa: N802
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def obtain(self, *_, challenges):
        self.messages += described(challenges)

    def run_lego_command(self, *, env, plugin, **_):
        self.messages += described(pylego.DNS01(plugin, **env))


@pytest.mark.parametrize("code", [code for code in pylego.providers if code != "manual"])
def test_the_examples_of_a_provider_have_all_that_it_needs(pages, code):
    page = pages.page(pylego.providers[code])
    recorder = Recorder()
    for block in BLOCK.findall(page):
        exec(block.replace("import pylego\n", ""), {"pylego": recorder, "csr": ""})
    with_client, by_drop_in = recorder.messages
    assert with_client == by_drop_in
    assert with_client["provider"] == code
    for variable in pylego.providers[code].variables:
        assert f"| `{variable.name}` |" in page


@pytest.fixture
def shell(tmp_path):
    """Return what a shell makes of a command: its exit code, what it prints, and lego's environment."""
    (tmp_path / "bin").mkdir()
    lego = tmp_path / "bin" / "lego"
    lego.write_text(RECORDING)
    lego.chmod(0o755)

    def run(command, **environment):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env={
                "PATH": f"{lego.parent}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "LEGO": f"{FOLDER}/lego",
                "RECORD": str(tmp_path / "record.json"),
                "LEGO_PATH": str(tmp_path / "lego"),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        recorded = json.loads((tmp_path / "record.json").read_text())
        return done.returncode, done.stdout + done.stderr, recorded

    return run


@pytest.mark.slow
@pytest.mark.timeout(600)  # some two hundred programs, one after the other
def test_lego_takes_the_command_of_each_page(pages, shell):
    """Up to the CA, whose URL is refused before anything is sent."""
    for provider in pylego.providers.values():
        [command] = COMMAND.findall(pages.page(provider))
        code, told, environment = shell(command, LEGO_SERVER="http://ca.example/dir")
        assert (code, "HTTPS is required" in told) == (1, True), told
        assert provider.values.items() <= environment.items()
        assert f"--dns {provider.code} " in command


def test_the_command_of_a_page_obtains_a_certificate(pages, shell, acme_server, tmp_path):
    trust = tmp_path / "trust.pem"
    trust.write_text(acme_server.trust_root)
    [command] = COMMAND.findall(pages.page(pylego.providers["httpreq"]))
    [endpoint] = acme_server.dns01().variables.values()
    code, told, _ = shell(
        command.replace(pylego.providers["httpreq"].values["HTTPREQ_ENDPOINT"], endpoint),
        LEGO_SERVER=acme_server.directory,
        LEGO_CA_CERTIFICATES=str(trust),
        LEGO_DNS_RESOLVERS=acme_server.dns,
        LEGO_DNS_PROPAGATION_DISABLE_ANS="true",  # they would be asked at port 53
        HTTPREQ_POLLING_INTERVAL="1",
    )
    assert code == 0, told
    certificate = pylego.Certificate.load(tmp_path / "lego" / "certificates" / "example.com.crt")
    assert {each.value for each in certificate.identifiers} == {"example.com", "*.example.com"}
    assert acme_server.records() == {}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("cloudflare", "Only the process that has written a record can remove it"),
        ("duckdns", "It keeps one record at a time"),
    ],
)
def test_a_page_tells_how_the_provider_keeps_its_records(pages, code, words):
    assert words in pages.page(pylego.providers[code])
    assert words not in pages.page(pylego.providers["hetzner"])


def test_manual_has_no_example_for_a_library(pages):
    assert BLOCK.findall(pages.page(pylego.providers["manual"])) == []


def test_each_page_is_in_the_list(pages):
    links = re.findall(r"\]\((.+)\.md\)", pages.index())
    assert sorted(links) == list(pylego.providers)


def test_the_pages_are_added_to_those_of_the_docs(pages, monkeypatch):
    made = SimpleNamespace(generated=lambda _config, uri, content: (uri, content))
    stand_in = SimpleNamespace(File=made)
    monkeypatch.setitem(sys.modules, "mkdocs.structure.files", stand_in)
    files = pages.on_files([], None)
    assert len(files) == 1 + len(pylego.providers)
    assert ("providers/cloudflare.md", pages.page(pylego.providers["cloudflare"])) in files
