"""`pylego testca`: the embedded ACME server as a program of its own."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest

import pylego
from tests.cli.conftest import PYLEGO
from tests.servers.process import free_ports

pytest.importorskip("typer")


@pytest.fixture
def testca(started):
    """Start it; give what it prints at first, and the program."""

    def start(*arguments):
        running = started("testca", "--json", *arguments, source=PYLEGO)
        return json.loads(running.line()), running

    return start


def post(url, **message):
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(message).encode())).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended_and_leaves_nothing(number, testca):
    told, running = testca()
    client = pylego.Client(told["directory"], trust=Path(told["root"]), accept_terms=True)
    http = pylego.HTTP01(host="127.0.0.1", port=told["http_port"])
    certificate = client.obtain("a.example", challenges=http, timeout=30)
    assert certificate.issuer
    assert Path(told["issuers"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    running.process.send_signal(number)
    assert running.end() == (0, "", "")
    assert not Path(told["root"]).exists()


def test_any_client_sets_its_records(testca):
    told, _ = testca()
    httpreq = pylego.DNS01(
        "httpreq",
        HTTPREQ_ENDPOINT=told["httpreq"],
        resolvers=[told["dns"]],
        check_authoritative=False,
        check_recursive=True,
    )
    client = pylego.Client(told["directory"], trust=Path(told["root"]), accept_terms=True)
    assert client.obtain("*.a.example", challenges=httpreq, timeout=30)


def test_its_ports_and_its_folder_can_be_chosen(testca, tmp_path):
    names = ("port", "http-port", "tls-port", "dns-port", "httpreq-port")
    ports = dict(zip(names, free_ports(5), strict=True))
    flags = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    told, running = testca(*flags, "--path", str(tmp_path / "new"))
    assert told["directory"] == f"https://127.0.0.1:{ports['port']}/dir"
    assert told["dns"] == f"127.0.0.1:{ports['dns-port']}"
    assert told["httpreq"] == f"http://127.0.0.1:{ports['httpreq-port']}"
    assert (told["http_port"], told["tls_port"]) == (ports["http-port"], ports["tls-port"])
    running.interrupt()
    assert running.end()[0] == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"root.pem", "issuers.pem"}


def test_its_settings_are_those_of_the_server_of_the_tests(testca):
    told, _ = testca(
        *("--external-account", "kid", "--profile", "short,long", "--block", "not-mine.example"),
        *("--nonce-reject", "10", "--chain-length", "2", "--address", "127.0.0.2", "--strict"),
    )
    client = pylego.Client(
        told["directory"],
        trust=Path(told["root"]),
        accept_terms=True,
        eab=("kid", told["external_accounts"]["kid"]),
    )
    assert set(client.directory().profiles) == {"short", "long"}
    http = pylego.HTTP01(host="127.0.0.2", port=told["http_port"])
    with pytest.raises(pylego.RejectedIdentifier):
        client.obtain("not-mine.example", challenges=http, timeout=30)
    certificate = client.obtain("a.example", challenges=http, timeout=30)
    assert certificate.chain.count("BEGIN CERTIFICATE") == 2


def test_it_tells_a_person_where_everything_is(started):
    running = started("testca", source=PYLEGO, terminal=True)
    lines = []
    while not lines or "Ctrl-C" not in lines[-1]:
        lines.append(running.line())
    told = "\n".join(lines)
    assert lines[0].startswith("directory     https://127.0.0.1:")
    endpoint = next(line for line in lines if line.startswith("HTTPREQ_ENDPOINT="))
    post(f"{endpoint.partition('=')[2]}/present", fqdn="_acme-challenge.a.example.", value="x")
    assert f"{endpoint.partition('=')[2]}/present" in told
    running.type("\x03")
    assert running.process.wait(60) == 0


def test_a_folder_that_is_a_file_is_refused(pylego_command, tmp_path):
    (tmp_path / "file").touch()
    done = pylego_command("testca", "--path", tmp_path / "file")
    assert done.code == 2
    assert "is a file" in done.err


def test_a_port_that_is_taken_is_an_error(testca, pylego_command):
    told, _ = testca()
    port = told["directory"].rpartition(":")[2].partition("/")[0]
    done = pylego_command("testca", "--port", port)
    assert done.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
