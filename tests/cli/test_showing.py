"""What a CA says is shown, and does nothing to a terminal, nor to who reads the lines."""

import pytest

from tests.servers.fault_server import Answer, FaultServer, problem

pytest.importorskip("typer")

TITLE, CLEARED = "\x1b]0;owned\x07", "\x1b[2J\x9b2J"
WORDS = f"no{TITLE}{CLEARED}\nb.example is renewed: as if\r\u202egnitcepxe"


@pytest.fixture
def hostile(authority, tmp_path):
    """A CA whose words are a terminal's commands."""
    root = tmp_path / "hostile.pem"
    root.write_bytes(authority.pem)
    with FaultServer(authority) as server:
        resources = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
        directory = {name: f"{server.url}/{name}" for name in resources}
        meta = {"profiles": {"short": WORDS}, "caaIdentities": [WORDS]}
        server.answers["directory"] = Answer(body={**directory, "meta": meta})
        server.answers["newAccount"] = problem("unauthorized", WORDS, 403)
        server.env = {"LEGO_CA_CERTIFICATES": str(root), "LEGO_SERVER": server.directory}
        yield server


def harmless(text):
    assert not {each for each in text if not each.isprintable()} - {"\n"}
    assert not any(line.startswith("b.example is renewed") for line in text.splitlines())
    assert "\\u001b]0;owned" in text


def test_what_a_ca_offers(hostile, pylego_command):
    done = pylego_command("ca", "show", hostile.directory, env=hostile.env)
    assert done.code == 0, done.err
    harmless(done.out)
    told = pylego_command("ca", "show", hostile.directory, "--json", env=hostile.env)
    assert told.json["profiles"] == {"short": WORDS}  # which JSON escapes itself
    assert "\x1b" not in told.out


@pytest.mark.parametrize("debug", [False, True])
def test_what_a_ca_answers(debug, hostile, here):
    flags = ("--http", "--http.address", "127.0.0.1:1")
    done = here("obtain", "a.example", *flags, *["--debug"] * debug, env=hostile.env)
    assert (done.code, done.out) == (1, "")
    assert "unauthorized" in done.err
    harmless(done.err)
