"""What a configuration file describes: `pylego manager`, and `renew` and `status` with `--config`."""

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from pylego.storage import FileStore
from tests.cli.conftest import PYLEGO, redirected
from tests.servers.process import free_ports

pytest.importorskip("typer")


@pytest.fixture
def configuration(tmp_path, way):
    """Write a configuration file; give its path."""

    def write(*names, address=None, more=""):
        path = tmp_path / "pylego.toml"
        certificates = "".join(f'[certificates."{each}"]\ndomains = ["{each}"]\n' for each in names)
        path.write_text(
            f"""
storage = "store"

[accounts.main]
server = "{way.server.directory}"
accepts_terms_of_service = true

[challenges.web.http]
address = "{address or f"127.0.0.1:{way.server.http_port}"}"

{more}
{certificates}
"""
        )
        return path

    return write


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "store")


@pytest.fixture
def managing(started, way):
    """Start a manager."""

    def start(path, *arguments, **settings):
        arguments = ("manager", "--config", path, *arguments)
        return started(*arguments, source=PYLEGO, env=way.env, **settings)

    return start


def test_what_is_missing_is_obtained_and_then_nothing_is_due(
    pylego_command, configuration, store, way
):
    path = configuration("a.example", "b.example")
    planned = pylego_command("renew", "--config", path, "--dry-run", "--json", env=way.env)
    assert [each["action"] for each in planned.json["certificates"]] == ["planned", "planned"]
    assert store.certificate_ids() == []
    done = pylego_command("renew", "--config", path, "--json", env=way.env)
    assert done.code == 0, done.out
    assert [each["action"] for each in done.json["certificates"]] == ["renewed", "renewed"]
    assert done.json["certificates"][0]["certificate"]["ca"] == way.server.directory
    assert "a.example: issued\n" in done.err
    assert store.certificate_ids() == ["a.example", "b.example"]
    done = pylego_command("renew", "--config", path, env=way.env)
    assert (done.code, done.err) == (3, "")
    assert done.out.startswith("a.example is kept: ")
    told = pylego_command("status", "--config", path, "--json", env=way.env)
    assert told.code == 0
    assert [each["due"] for each in told.json["certificates"]] == [False, False]


def test_what_a_file_s_certificates_lack_is_named_before_anybody_is_asked(
    pylego_command, configuration, way
):
    more = '[challenges.dns.dns]\nprovider = "httpreq"\n[accounts.bound.eab]\n'
    more += 'kid = "kid"\nhmac_key_file = "nowhere"\n'
    path = configuration("a.example", more=more)
    text = path.read_text()
    text += 'account = "main"\nchallenge = "dns"\n[certificates."b.example"]\n'
    text += 'domains = ["b.example"]\naccount = "bound"\nchallenge = "web"\n'
    text += (
        '[certificates."c.example"]\ndomains = ["c.example"]\naccount = "main"\nchallenge = "web"\n'
    )
    path.write_text(text)
    asked = way.server.requests()
    done = pylego_command("renew", "--config", path, "--dry-run", "--json")
    assert done.code == 4
    a, b, c = done.json["certificates"]
    assert (
        "httpreq needs HTTPREQ_ENDPOINT: set them in the environment, or name files" in a["error"]
    )
    assert "nowhere" in b["error"]
    assert (c["action"], c["error"]) == ("planned", None)
    assert way.server.requests() == asked


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_manager_goes_on_where_nothing_can_be_written(managing, configuration, store):
    running = managing(configuration("a.example", "b.example"), launcher=redirected(">/dev/full"))
    issued = set()
    while len(issued) < 2:  # in one pass: the first is told on stdout, in vain
        issued |= {line for line in [running.process.stderr.readline()] if "issued" in line}
    running.interrupt()
    assert running.end()[0] == 0
    assert store.certificate_ids() == ["a.example", "b.example"]


def test_copies_for_servers_are_written_where_they_are_wanted(
    managing, pylego_command, configuration, store, way
):
    files = Path(store.folder, "certificates")
    env = {**way.env, "LEGO_PFX_PASSWORD": "s3cret"}
    path = configuration("a.example")
    assert pylego_command("renew", "--config", path, "--pfx", env=env).code == 0
    assert {".pem", ".pfx"} & {each.suffix for each in files.iterdir()} == {".pfx"}
    running = managing(configuration("b.example"), "--pem", "--pfx")
    while "issued" not in running.process.stderr.readline():
        pass
    running.interrupt()
    assert running.end()[0] == 0
    assert {"b.example.pem", "b.example.pfx"} <= {each.name for each in files.iterdir()}


def test_what_is_not_due_is_renewed_by_force(pylego_command, configuration, store, way):
    path = configuration("a.example")
    assert pylego_command("renew", "--config", path, env=way.env).code == 0
    serial = store.load("a.example").serial
    assert pylego_command("renew", "--config", path, "--renew-force", env=way.env).code == 0
    assert store.load("a.example").serial != serial


def test_force_does_not_wait_after_a_failure(pylego_command, configuration, store, way):
    path = configuration("a.example", address="127.0.0.1:1")
    assert pylego_command("renew", "--config", path, env=way.env).code == 1
    path = configuration("a.example")
    assert pylego_command("renew", "--config", path, env=way.env).code == 1
    assert pylego_command("renew", "--config", path, "--renew-force", env=way.env).code == 0
    assert store.certificate_ids() == ["a.example"]


def test_one_of_several_is_chosen(pylego_command, configuration, store, way):
    path = configuration("a.example", "b.example")
    assert pylego_command("renew", "--config", path, "b.example", env=way.env).code == 0
    assert store.certificate_ids() == ["b.example"]
    done = pylego_command("renew", "--config", path, "c.example", env=way.env)
    assert done.code == 2
    assert done.err.endswith("has no certificate c.example; it has a.example, b.example\n")


@pytest.mark.acme_server(blocked_names=["blocked.example"])
def test_what_fails_is_told_and_waits(pylego_command, configuration, way):
    path = configuration("a.example", "blocked.example")
    done = pylego_command("renew", "--config", path, "--json", env=way.env)
    assert done.code == 4
    told = {each["id"]: each for each in done.json["certificates"]}
    assert told["a.example"]["action"] == "renewed"
    assert told["blocked.example"]["action"] == "failed"
    assert "blocked.example" in told["blocked.example"]["error"]
    [_, status] = pylego_command("status", "--config", path, "--json").json["certificates"]
    assert status["failures"] == 1
    assert status["last_error"] in told["blocked.example"]["error"]


@pytest.mark.acme_server(blocked_names=["blocked.example"])
def test_what_waits_after_a_failure_has_not_been_done(pylego_command, configuration, way):
    path = configuration("a.example", "blocked.example")
    assert pylego_command("renew", "--config", path, env=way.env).code == 4
    done = pylego_command("renew", "--config", path, env=way.env)
    assert done.code == 1
    assert done.out.startswith("a.example is kept: ")
    assert done.err.startswith(
        "blocked.example is waiting: there is no certificate yet; the last of 1 attempts failed"
    )
    told = pylego_command("renew", "--config", path, "--json", env=way.env)
    kept, waiting = told.json["certificates"]
    assert (told.code, kept["error"]) == (1, None)
    assert (waiting["action"], waiting["error"]) == ("waiting", waiting["why"])


def test_what_could_not_be_deployed_has_not_been_done(pylego_command, configuration, way):
    path = configuration("a.example", more='[hooks.deploy]\ncommand = ["false"]\n')
    assert pylego_command("renew", "--config", path, env=way.env).code == 1
    done = pylego_command("renew", "--config", path, env=way.env)
    assert (done.code, done.out) == (1, "")
    why = "it is not deployed yet: [hook_failed] the hook false failed with exit code 1"
    assert done.err == f"a.example is waiting: {why}\n"
    [told] = pylego_command("status", "--config", path, "--json").json["certificates"]
    assert (told["last_error"], told["error"]) == (why, None)


def test_what_has_failed_before_its_time_is_not_waited_for(
    pylego_command, configuration, store, way
):
    assert pylego_command("renew", "--config", configuration("a.example"), env=way.env).code == 0
    path = configuration("a.example", address="127.0.0.1:1")
    assert pylego_command("renew", "--config", path, "--renew-force", env=way.env).code == 1
    assert pylego_command("renew", "--config", path, env=way.env).code == 1
    state = store.state("a.example")
    for tries in state["history"]["tries"].values():
        tries["until"] = tries["failed"]
    store.save_state("a.example", state)
    assert pylego_command("renew", "--config", path, env=way.env).code == 3


@pytest.mark.acme_server(blocked_names=["blocked.example"])
def test_quietly_only_what_has_failed_is_told(pylego_command, configuration, way):
    quiet = ("renew", "--quiet", "--config", configuration("a.example", "blocked.example"))
    done = pylego_command(*quiet, env=way.env)
    assert (done.code, done.out) == (4, "")
    assert re.fullmatch(r"blocked\.example has failed: .*policy.*\n", done.err)
    done = pylego_command(*quiet, "a.example", env=way.env)
    assert (done.code, done.out, done.err) == (0, "", "")  # nothing is due


def test_a_mistake_is_told_with_file_line_and_key(pylego_command, configuration):
    path = configuration("a.example", more="[nonsense]")
    for command in ("renew", "status", "manager"):
        done = pylego_command(command, "--config", path)
        assert done.code == 2
        assert f"{path}:11: nonsense: there is no such key" in done.err


def test_flags_for_what_the_file_says_are_wrong_use(pylego_command, configuration):
    done = pylego_command("renew", "--config", configuration("a.example"), "--renew-days", "3")
    assert done.code == 2


def test_variables_of_other_commands_do_not_change_what_the_file_says(
    pylego_command, configuration, store, way, tmp_path
):
    path, elsewhere = configuration("a.example"), tmp_path / "elsewhere"
    variables = {"LEGO_PATH": str(elsewhere), "LEGO_SERVER": "letsencrypt", "LEGO_TLS": "true"}
    env = {**way.env, **variables, "LEGO_RENEW_DAYS": "3"}
    assert pylego_command("renew", "--config", path, env=env).code == 0
    assert store.certificate_ids() == ["a.example"]
    assert not elsewhere.exists()
    [told] = pylego_command("status", "--config", path, "--json", env=env).json["certificates"]
    assert told["why"].startswith("the last third")
    done = pylego_command("renew", "--config", path, "--path", elsewhere, env=env)
    assert done.code == 0, done.out
    assert FileStore(elsewhere).certificate_ids() == ["a.example"]


def test_copies_for_servers_are_by_flags(pylego_command, configuration, store, way):
    path = configuration("a.example")
    done = pylego_command("renew", "--config", path, "--pem", "--pfx", env=way.env)
    assert done.code == 0, done.out
    files = {each.suffix for each in Path(store.folder, "certificates").iterdir()}
    assert {".pem", ".pfx"} <= files


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_manager_obtains_what_is_missing_and_ends_when_it_is_told_to(
    signal_name, managing, configuration, store
):
    running = managing(configuration("a.example", "b.example"), "--json")
    issued = set()
    while issued != {"a.example", "b.example"}:
        told = json.loads(running.line())
        if told["result"] == "issued":  # beside what the CA is asked of them
            issued.add(told["id"])
    running.process.send_signal(getattr(signal, signal_name))
    code, out, err = running.end()
    assert code == 0
    assert {json.loads(line)["result"] for line in out.splitlines()} <= {"kept", "stopped"}
    assert "Traceback" not in err
    assert store.certificate_ids() == ["a.example", "b.example"]


@pytest.mark.acme_server(validation_sleep=600)
def test_a_manager_that_is_ended_cleans_up_first(managing, configuration, way, tmp_path):
    path = configuration("a.example")
    dns = f'[challenges.web.dns]\nprovider = "httpreq"\nresolvers = ["{way.server.dns}"]'
    propagation = "[challenges.web.dns.propagation]\ndisable_authoritative_nameservers = true"
    text = path.read_text().replace("[challenges.web.http]", f"{dns}\n{propagation}")
    path.write_text("\n".join(line for line in text.splitlines() if "address" not in line))
    running = managing(path)
    for line in running.process.stderr:
        if "the CA is asked to validate" in line:
            break
    assert way.server.records()
    running.process.send_signal(signal.SIGTERM)
    code, out, _ = running.end()
    assert code == 0
    assert "a.example: stopped" in out
    assert way.server.records() == {}


def test_prometheus_is_answered_on_loopback(managing, configuration):
    pytest.importorskip("prometheus_client")
    [port] = free_ports(1)
    running = managing(configuration("a.example"), "--metrics", f":{port}")
    assert running.line().startswith("a.example: issued: ")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b'pylego_attempts_total{result="issued"}' in answer.read()
    # Port and address as Linux lists listeners: no other interface's, of any version of IP.
    listed = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listeners = [line.split()[1] for line in listed.splitlines() if line.split()[3] == "0A"]
    assert [each for each in listeners if each.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    running.interrupt()
    assert running.end()[0] == 0
