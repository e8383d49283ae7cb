"""What is installed beside pylego to keep certificates renewed: the files of docs/deploy, and their page."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pylego.renewal import Hook
from pylego.renewal._configuration import load
from tests.servers.fixtures import missing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "renewing.md"
FILES = sorted((ROOT / "docs" / "deploy").iterdir())
UNITS = [file for file in FILES if file.suffix in {".service", ".timer", ".path"}]
PROGRAM = "/opt/pylego/bin/pylego"
OTHERS = dict.fromkeys((PROGRAM, "/usr/bin/systemctl", "/usr/bin/mail"), "/bin/true")
"""Programs that need not be on this machine, and what stands for them."""


def named(file):
    return file.name


def text(name):
    return (ROOT / "docs" / "deploy" / name).read_text()


def test_the_page_has_a_link_to_every_file():
    links = re.findall(r"\]\(\.\./deploy/([^)]+)\)", PAGE.read_text())
    assert sorted(links) == [file.name for file in FILES]


## What they run


def commands():
    """Give what follows `pylego` in each command of the page and of the files."""
    for file in (PAGE, *FILES):
        every = file.read_text()
        for found in re.findall(rf"(?:{PROGRAM}|`pylego) ((?:manager|renew|status) --.*)", every):
            yield file.name, found.split("`")[0].split()
    yield "Dockerfile", instruction("CMD")
    yield "cronjob.yaml", container()["args"]


def instruction(name):
    return json.loads(re.search(rf"^{name} (.+)$", text("Dockerfile"), re.MULTILINE)[1])


def container():
    yaml = pytest.importorskip("yaml")
    [*_, job] = yaml.safe_load_all(text("cronjob.yaml"))
    [found] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return found


def test_every_file_that_runs_pylego_is_looked_at():
    assert {file for file, _ in commands()} >= {
        *("renewing.md", "pylego-manager.service", "pylego-renew.service"),
        *("pylego.cron", "Dockerfile", "cronjob.yaml"),
    }


@pytest.mark.parametrize(("file", "words"), [*commands()])
def test_the_commands_are_those_of_pylego(file, words):
    typer = pytest.importorskip("typer")
    from pylego.cli._app import app

    name, *given = words
    every = typer.main.get_command(app).commands
    known = {flag for each in every[name].params for flag in each.opts}
    assert "--config" in given
    assert {each for each in given if each.startswith("-")} <= known


@pytest.fixture
def installed(tmp_path):
    """Give a program that is `pylego`."""
    path = tmp_path / "bin" / "pylego"
    path.parent.mkdir()
    source = "from pylego.cli import main; main()"
    path.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{source}' \"$@\"\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def configured(tmp_path, acme_server):
    """Write a configuration for the test's CA; give its path."""
    root, path = tmp_path / "root.pem", tmp_path / "pylego.toml"
    root.write_text(acme_server.trust_root)

    def write(*names, more=""):
        certificates = (f'[certificates."{each}"]\ndomains = ["{each}"]\n' for each in names)
        path.write_text(f"""
            storage = "{tmp_path / "store"}"
            [servers.test]
            url = "{acme_server.directory}"
            trust = "{root}"
            [accounts.main]
            server = "test"
            accepts_terms_of_service = true
            [challenges.web.http]
            address = "127.0.0.1:{acme_server.http_port}"
            {more}
            {"".join(certificates)}
        """)
        return str(path)

    return write


CONFIGURATION = "/etc/pylego/pylego.toml"
"""What they all read."""


## Configurations


def configurations():
    yaml = pytest.importorskip("yaml")
    for index, block in enumerate(
        re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    ):
        yield f"renewing.md {index}", block
    yield "pylego.toml", text("pylego.toml")
    for each in yaml.safe_load_all(text("cronjob.yaml")):
        if each["kind"] == "ConfigMap":
            yield "cronjob.yaml", each["data"]["pylego.toml"]


def test_every_configuration_can_be_loaded(tmp_path):
    loaded = []
    for name, configuration in configurations():
        (tmp_path / "pylego.toml").write_text(configuration)
        assert load(tmp_path / "pylego.toml").storage == "/var/lib/pylego/store", name
        loaded.append(name)
    assert loaded == ["renewing.md 0", "pylego.toml", "cronjob.yaml"]


## systemd


@pytest.fixture
def systemd_analyze():
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed")

    def run(*arguments):
        return subprocess.run(
            ["systemd-analyze", *arguments],
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    return run


def settings(unit):
    lines = [line for line in text(unit).splitlines() if "=" in line and not line.startswith("#")]
    return [tuple(line.split("=", 1)) for line in lines]


def test_systemd_takes_every_unit(systemd_analyze, tmp_path):
    for unit in UNITS:
        content = unit.read_text()
        for program, stand_in in OTHERS.items():
            content = content.replace(program, stand_in)
        (tmp_path / unit.name).write_text(content)
    done = systemd_analyze("verify", "--man=no", *sorted(map(str, tmp_path.iterdir())))
    ours = [line for line in done.stderr.splitlines() if "pylego" in line]
    assert (done.returncode, ours) == (0, [])


def test_systemd_would_refuse_a_mistake(systemd_analyze, tmp_path):
    unit = text("pylego-manager.service").replace("Type=exec", "Typ=exec")
    (tmp_path / "pylego.service").write_text(unit.replace(PROGRAM, "/bin/true"))
    done = systemd_analyze("verify", "--man=no", str(tmp_path / "pylego.service"))
    assert re.search("Unknown key .*'Typ'", done.stderr)


def test_the_timer_has_a_calendar(systemd_analyze):
    [calendar] = [value for name, value in settings("pylego-renew.timer") if name == "OnCalendar"]
    assert systemd_analyze("calendar", calendar).returncode == 0


def test_both_services_may_do_the_same():
    of_their_own = {
        *("Description", "Type", "ExecStart", "Restart", "RestartSec", "SuccessExitStatus"),
        *("TimeoutStartSec", "WantedBy", "OnFailure"),
    }
    manager, renew = (
        [each for each in settings(unit) if each[0] not in of_their_own]
        for unit in ("pylego-manager.service", "pylego-renew.service")
    )
    assert manager == renew


def test_the_deploy_hook_touches_the_file_that_the_path_unit_waits_for():
    [path] = [value for name, value in settings("pylego-deployed.path") if name == "PathExists"]
    hook = load(ROOT / "docs" / "deploy" / "pylego.toml").certificates[0].hooks.deploy
    assert hook.command == ("/usr/bin/touch", path)
    # It is gone before servers read: what is deployed from then on makes it anew, and is seen.
    *_, remove, reload = [
        value for name, value in settings("pylego-deployed.service") if "Exec" in name
    ]
    assert remove == f"/usr/bin/rm -f {path}"
    assert "reload" in reload


def test_however_often_servers_are_reloaded_certificates_are_waited_for():
    """At its limit of starts a service has its path unit fail, for good."""
    unit, _, _ = text("pylego-deployed.service").partition("[Service]")
    assert "\nStartLimitIntervalSec=0\n" in unit


def test_whoever_stops_pylego_waits_for_the_hook_that_runs_to_its_end():
    clean_up, hook = 10, Hook(("x",)).timeout
    for unit in ("pylego-manager.service", "pylego-renew.service"):
        assert int(dict(settings(unit))["TimeoutStopSec"]) > clean_up + hook
    [docker] = re.findall(r"--stop-timeout (\d+)", PAGE.read_text())
    [pod] = re.findall(r"terminationGracePeriodSeconds: (\d+)", text("cronjob.yaml"))
    assert min(int(docker), int(pod)) > clean_up + hook


def test_who_is_told_of_a_failure_is_a_unit_that_is_there():
    unit = dict(settings("pylego-renew.service"))["OnFailure"].replace("%n", "")
    assert unit in {each.name for each in UNITS}


## cron


def crontab():
    """Give the lines of cron.d: settings, and what is run when, as whom."""
    lines = [line for line in text("pylego.cron").splitlines() if line and line[0] != "#"]
    return (
        [line for line in lines if re.match(r"\w+=", line)],
        [re.fullmatch(r"((?:\S+ ){5})(\w+) (/.+)", line).groups() for line in lines[1:]],
    )


def test_cron_takes_the_line():
    croniter = pytest.importorskip("croniter")
    [setting], [(when, user, command)] = crontab()
    assert setting.startswith("CF_DNS_API_TOKEN_FILE=/")
    assert croniter.croniter.is_valid(when.strip())
    assert user == "root"
    assert "%" not in command  # which cron takes for the end of a line


@pytest.mark.acme_server(blocked_names=["blocked.example"])
def test_cron_mails_what_has_failed_and_nothing_else(installed, configured, tmp_path):
    [setting], [(_, _, line)] = crontab()

    def mailed(*names):
        done = subprocess.run(
            [
                "/bin/sh",
                "-c",
                line.replace(PROGRAM, str(installed)).replace(CONFIGURATION, configured(*names)),
            ],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **dict([setting.split("=")])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout

    assert mailed("a.example") == ""
    assert mailed("a.example") == ""  # nothing is due
    assert re.fullmatch(
        r"blocked\.example has failed: .*policy.*\n", mailed("b.example", "blocked.example")
    )
    assert re.fullmatch(
        r"blocked\.example is waiting: .*policy.*\n", mailed("b.example", "blocked.example")
    )


## Containers


INSTRUCTIONS = {"COMMENT", "FROM", "RUN", "VOLUME", "USER", "ENTRYPOINT", "CMD"}


def test_the_dockerfile_is_one(tmp_path):
    parser = pytest.importorskip("dockerfile_parse").DockerfileParser(path=str(tmp_path))
    parser.content = text("Dockerfile")
    found = {each["instruction"]: each["value"] for each in parser.structure}
    assert set(found) == INSTRUCTIONS
    assert json.loads(found["ENTRYPOINT"]) == ["pylego"]
    assert "USER 10001" in parser.content  # what the CronJob runs as
    assert found["VOLUME"] == "/var/lib/pylego"


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_kubernetes_takes_the_manifest(version):
    validate = pytest.importorskip("kubernetes_validate").validate
    yaml = pytest.importorskip("yaml")
    objects = [*yaml.safe_load_all(text("cronjob.yaml"))]
    assert [each["kind"] for each in objects] == ["ConfigMap", "PersistentVolumeClaim", "CronJob"]
    for each in objects:
        validate(each, version, strict=True)


def test_a_cronjob_with_a_mistake_would_not_be_taken():
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    [*_, job] = yaml.safe_load_all(text("cronjob.yaml"))
    job["spec"]["concurency"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.34", strict=True)


def test_the_cronjob_has_a_schedule():
    croniter = pytest.importorskip("croniter")
    yaml = pytest.importorskip("yaml")
    [*_, job] = yaml.safe_load_all(text("cronjob.yaml"))
    assert croniter.croniter.is_valid(job["spec"]["schedule"])


@pytest.fixture
def pod(installed):
    """Start the CronJob's container, of whose processes the first is what it runs."""
    started = []

    def start(configuration):
        words = [*container().get("command", instruction("ENTRYPOINT")), *container()["args"]]
        rights = [] if os.geteuid() == 0 else ["--map-root-user"]
        started.append(
            subprocess.Popen(
                ["unshare", *rights, "--pid", "--fork", "--kill-child", "--mount-proc"]
                + [each.replace(CONFIGURATION, configuration) for each in words],
                env={**os.environ, "PATH": f"{installed.parent}:{os.environ['PATH']}"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_a_pod_is_done_where_nothing_is_due(pod, configured):
    for _ in range(2):
        running = pod(configured("a.example"))
        assert running.communicate(timeout=60) == ("", None)
        assert running.returncode == 0


def test_a_pod_that_is_stopped_ends_what_it_has_begun(pod, configured, lifeline, tmp_path):
    """Its first process has to hear SIGTERM: a shell there would keep it to itself."""
    hooks = f"""
        [hooks.deploy]
        command = ["sh", "-c", "echo deploying > {lifeline.path}; sleep 600"]
        [hooks.post]
        command = ["touch", "{tmp_path / "after"}"]
    """
    running = pod(configured("a.example", more=hooks))
    assert lifeline.said() == b"deploying\n"
    [first] = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)
    assert running.communicate(timeout=60) == ("ended by SIGTERM\n", None)
    assert running.returncode == 128 + signal.SIGTERM
    assert (tmp_path / "after").exists()


## Prometheus


def test_alarms_are_about_metrics_that_there_are():
    pytest.importorskip("prometheus_client")
    yaml = pytest.importorskip("yaml")
    from pylego.renewal._metrics import Metrics

    names = {each.name for each in Metrics().collect()}
    rules = [
        each
        for group in yaml.safe_load(text("pylego.rules.yml"))["groups"]
        for each in group["rules"]
    ]
    assert {name for each in rules for name in re.findall(r"pylego_\w+", each["expr"])} <= names
    assert [set(each) - {"for"} for each in rules] == [{"alert", "expr", "annotations"}] * 3
