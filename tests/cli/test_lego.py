"""lego's own command line: `pylego lego` and `run_lego`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pylego
from pylego._engine import executable, programs
from tests.servers.fixtures import missing

pytest.importorskip("typer")

SECRET = "s3cret-token-which-must-not-show"

MAIN = "from pylego.cli import main; main()"
"""What the script `pylego` does."""

APP = "import sys; from pylego.cli._app import app; app(sys.argv[1:])"
"""What it does where an option of its own comes first."""


def run(*arguments, source=MAIN, **settings):
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(
        command, capture_output=True, check=False, text=True, timeout=60, **settings
    )


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Put a script in lego's place, here and in `run(source=...)`."""

    def put(text):
        path = tmp_path / "lego"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setattr(executable, "EXECUTABLE", str(path))
        return f"from pylego._engine import executable; executable.EXECUTABLE = {str(path)!r}; "

    return put


## pylego lego


@pytest.mark.parametrize("source", [MAIN, APP])
def test_lego_takes_the_place_of_pylego(source, tmp_path):
    if not Path("/proc/self/exe").exists():
        missing("no /proc here")
    command = [sys.executable, "-c", source, "lego", "migrate", "--path", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert any(b"Continue?" in line for line in process.stdout)
        assert Path(f"/proc/{process.pid}/exe").readlink() == Path(executable.EXECUTABLE)
        process.communicate(b"n\n")
        assert process.returncode == 0


@pytest.mark.parametrize("source", [MAIN, APP])
def test_arguments_pass_through_untouched(source, script):
    source = script("printf '%s|' \"$@\"") + source
    arguments = [
        "--help",
        "-x",
        "--version",
        "run",
        "--",
        "",
        "a b",
        "--json",
        "'\"$x",
        "\udcff",
        "lego",
    ]
    done = run("lego", *arguments, source=source, errors="surrogateescape")
    assert done.stdout == "|".join([*arguments, ""])


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["nonsense"], 1), (["accounts", "nonsense"], 3)]
)
def test_the_exit_code_is_legos(arguments, code):
    assert run("lego", *arguments).returncode == code
    assert pylego.run_lego(*arguments).returncode == code


def test_the_help_and_the_version_are_legos():
    assert run("lego", "--version").stdout.startswith("lego version 5.")
    assert "ACME client written in Go" in run("lego", "--help").stdout
    assert "pylego" not in run("lego", "--help").stdout


def test_it_is_in_the_help_of_pylego():
    assert "lego's own command line" in " ".join(run("--help").stdout.replace("│", "").split())


def test_it_needs_none_of_the_packages_of_the_command_line():
    without = "import sys; sys.modules['typer'] = sys.modules['rich'] = None; "
    assert run("lego", "--version", source=without + MAIN).returncode == 0


def test_it_loads_no_go_into_python():
    watched = """
import os
def execv(path, arguments):
    assert "lego.so" not in open("/proc/self/maps").read()
    raise SystemExit("replaced")
os.execv = execv
"""
    assert run("lego", "--version", source=watched + MAIN).stderr == "replaced\n"


def test_signals_that_python_ignores_are_not_ignored_by_lego(script):
    # A pipe that is closed ends lego then, as in a shell.
    source = script("grep SigIgn /proc/self/status") + MAIN
    ignored = int(run("lego", source=source).stdout.split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored >> (number - 1) & 1


## An executable that cannot be run


def nowhere(path):
    pass


def without_its_x_bit(path):
    path.write_text("#!/bin/sh\n")


def no_program(path):
    path.write_bytes(b"\x00 no program")
    path.chmod(0o755)


def a_folder(path):
    path.mkdir()


@pytest.mark.parametrize("damage", [nowhere, without_its_x_bit, no_program, a_folder])
def test_an_executable_that_cannot_be_run_is_one_sentence(damage, tmp_path, monkeypatch):
    path = tmp_path / "lego"
    damage(path)
    monkeypatch.setattr(executable, "EXECUTABLE", str(path))
    with pytest.raises(pylego.EngineError) as caught:
        pylego.run_lego("--version")
    assert caught.value.detail.startswith("lego cannot be started: ")
    assert str(path) in caught.value.detail

    put = f"from pylego._engine import executable; executable.EXECUTABLE = {str(path)!r}; "
    done = run("lego", "--version", source=put + MAIN)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{caught.value.detail}\n"


def test_a_process_without_room_for_go_is_told_so():
    source = """
import resource, pylego
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
try:
    pylego.run_lego("--version")
except pylego.EngineError as error:
    print(error)
"""
    assert "RLIMIT_AS" in run(source=source).stdout


def test_a_program_that_would_not_hear_of_a_failure_is_refused():
    source = """
import signal, pylego
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
try:
    pylego.run_lego("nonsense")
except pylego.EngineError as error:
    print(error)
"""
    assert "ignores SIGCHLD" in run(source=source).stdout


## run_lego


def test_what_lego_says_is_captured():
    done = pylego.run_lego("--version")
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lego version 5.")
    assert done.args[1:] == ["--version"]
    done.check_returncode()


def test_a_path_is_an_argument(tmp_path):
    assert pylego.run_lego("archives", "list", "--path", tmp_path).returncode == 0


def test_lego_reads_what_it_is_given(script):
    script("cat")
    assert pylego.run_lego(input="yes\nnö\n").stdout == "yes\nnö\n"
    large = "x" * 1_000_000
    assert pylego.run_lego(input=large).stdout == large


def test_without_input_nobody_is_there_to_be_asked(tmp_path):
    done = pylego.run_lego("migrate", "--path", tmp_path)
    assert done.returncode == 1
    assert "Could not read from the console" in done.stdout


def test_env_goes_to_lego_alone(script, monkeypatch):
    monkeypatch.setenv("OURS", "kept")
    monkeypatch.setenv("BOTH", "ours")
    script("env")
    said = pylego.run_lego(env={"MY_TOKEN": SECRET, "BOTH": "given"}).stdout.splitlines()
    assert {"OURS=kept", "BOTH=given", f"MY_TOKEN={SECRET}"} <= set(said)
    assert "MY_TOKEN" not in os.environ
    assert (
        SECRET
        not in subprocess.run(["/usr/bin/env"], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        ((SECRET, 5), {}, "not int"),
        ((f"{SECRET}\0",), {}, "null byte"),
        ((f"{SECRET}\ud800",), {}, "no Unicode"),
        ((), {"env": {"A=B": SECRET}}, "variable name"),
        ((), {"env": {"A": SECRET, "B": None}}, "not NoneType"),
        ((), {"env": {"A": f"{SECRET}\0"}}, "null byte"),
        ((), {"env": {"A": f"{SECRET}\ud800"}}, "no Unicode"),
        ((), {"input": f"{SECRET}\ud800"}, "no Unicode"),
        ((), {"input": SECRET.encode()}, "str"),
        ((SECRET,), {"timeout": "soon"}, "timeout"),
        ((SECRET,), {"timeout": float("nan")}, "timeout"),
    ],
)
def test_what_cannot_be_handed_to_a_program_is_refused_without_repeating_it(
    arguments, settings, words
):
    with pytest.raises(pylego.InvalidRequest, match=words) as caught:
        pylego.run_lego(*arguments, **settings)
    assert SECRET not in f"{caught.value!r} {caught.value.info}"


def test_a_time_that_is_over_starts_nothing(script, tmp_path):
    script(f"touch {tmp_path}/started")
    with pytest.raises(pylego.DeadlineExceeded):
        pylego.run_lego(timeout=0)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e300, 3 * 10**6])
def test_a_long_time_is_as_good_as_none(timeout):
    assert pylego.run_lego("--version", timeout=timeout).returncode == 0


@pytest.fixture
def timeout(monkeypatch, lifeline):
    """Let a timeout be over as soon as the script has said so, and patience soon after."""
    monkeypatch.setattr(executable, "_waitable", lambda _: 0.01 if lifeline.said() else None)
    monkeypatch.setattr(programs, "GRACE", 0.2)
    return 60


def test_at_the_timeout_lego_is_ended_with_all_that_it_runs(script, lifeline, timeout):
    # None of them listens to a polite word.
    script(
        f"trap '' TERM; exec 9>{lifeline.path}; sleep 600 & "
        "echo so far; echo and so on >&2; echo up >&9; sleep 600"
    )
    with pytest.raises(pylego.DeadlineExceeded) as caught:
        pylego.run_lego("--eab.hmac", SECRET, env={"MY_TOKEN": SECRET}, timeout=timeout)
    assert lifeline.breaks()
    error = caught.value
    assert error.retryable
    assert (error.info["stdout"], error.info["stderr"]) == ("so far\n", "and so on\n")
    assert SECRET not in f"{error!r} {error.__cause__!r} {error.info}"
    assert error.__suppress_context__  # subprocess's own names the arguments


def test_a_daemon_that_has_left_with_legos_output_is_not_waited_for(script, lifeline, timeout):
    script(f"setsid sh -c 'exec 9>{lifeline.path}; echo up $$ >&9; exec sleep 600' & sleep 600")
    said = []
    lifeline.heard = said.append
    with pytest.raises(pylego.DeadlineExceeded):
        pylego.run_lego(timeout=timeout)
    assert not lifeline.broken()
    os.kill(int(said[0].split()[1]), signal.SIGKILL)


def test_an_interrupt_ends_lego_and_comes_through(script, lifeline, program):
    put = script(
        f"exec 9>{lifeline.path}; trap 'echo asked >&9; exit' TERM; echo up >&9; sleep 600 & wait"
    )
    running = program(f"{put}\nimport pylego\npylego.run_lego()", terminal=True)
    assert lifeline.said() == b"up\n"
    running.interrupt()
    code, said, _ = running.end()
    assert code in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in said
    assert lifeline.said() == b"asked\n"
    assert lifeline.breaks()


def test_an_interrupt_in_the_middle_of_its_start_ends_lego_too(script, lifeline, program):
    put = script(f"exec 9>{lifeline.path}; echo up; sleep 600")
    running = program(f"""
{put}
import os, signal, subprocess, pylego

class Popen(subprocess.Popen):  # the moment cannot be met otherwise
    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        os.read(self.stdout.fileno(), 3)
        os.kill(os.getpid(), signal.SIGINT)

subprocess.Popen = Popen
pylego.run_lego()
""")
    code, _, said = running.end()
    assert code in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in said
    assert lifeline.breaks()


def test_a_fork_of_a_process_that_has_loaded_go_runs_lego():
    source = """
import os, pylego
from pylego.testing import ACMEServer
with ACMEServer() as server:
    pylego.Client(server.directory, trust=server.trust_root).directory()
    child = os.fork()
    if not child:
        os._exit(pylego.run_lego("accounts", "nonsense").returncode)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(source=source).stdout == "3\n"


def test_run_lego_loads_no_go():
    source = """
import pylego
assert pylego.run_lego("--version").returncode == 0
assert "lego.so" not in open("/proc/self/maps").read()
"""
    assert run(source=source).returncode == 0
