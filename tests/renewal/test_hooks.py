"""Hooks: what they are told, what they are kept from, and how they end."""

import fcntl
import logging
import os
import select
import signal
import sys
import termios
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import pylego
from pylego._engine import programs, readiness
from pylego.renewal import _hooks
from pylego.renewal._hooks import LINE, About, Files, files_of, run_hook
from pylego.renewal._managed import Hook
from pylego.storage import FileStore

SECRET = "s3cret-token-which-must-not-show"

ABOUT = About(
    id="*.a.example",
    domains=("*.a.example", "a.example"),
    key_type="EC256",
    directory="https://ca.example/directory",
    account="me@a.example",
    email="me@a.example",
    renewal=True,
)

FILES = Files("/c/a.crt", "/c/a.key", "/c/a.issuer.crt", "/c/a.pem", "/c/a.pfx")


def shell(script, timeout=60):
    return Hook(("/bin/sh", "-c", script), timeout)


@pytest.fixture
def said(caplog):
    """Give what hooks have said, as it stands in the log."""
    caplog.set_level(logging.INFO, "pylego")
    return lambda: [message.removeprefix("/bin/sh: ") for message in caplog.messages]


## What they are told


def test_a_function_is_called_with_all_that_is_known():
    heard = []
    run_hook(heard.append, ABOUT)
    assert heard == [ABOUT]


def environment(about, tmp_path):
    run_hook(shell(f"env -0 > {tmp_path}/environment"), about)
    pairs = (tmp_path / "environment").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def told(about, tmp_path):
    every = environment(about, tmp_path)
    return {name: value for name, value in every.items() if name.startswith("LEGO_HOOK_")}


BEFORE = {
    "LEGO_HOOK_ACCOUNT_ID": "me@a.example",
    "LEGO_HOOK_ACCOUNT_EMAIL": "me@a.example",
    "LEGO_HOOK_ACCOUNT_SERVER": "https://ca.example/directory",
    "LEGO_HOOK_CERT_NAME": "*.a.example",
    "LEGO_HOOK_CERT_NAME_SANITIZED": "_.a.example",
    "LEGO_HOOK_CERT_KEY_TYPE": "EC256",
    "LEGO_HOOK_CERT_DOMAINS": "*.a.example,a.example",
}

AFTER = {
    **BEFORE,
    "LEGO_HOOK_CERT_PATH": "/c/a.crt",
    "LEGO_HOOK_CERT_KEY_PATH": "/c/a.key",
    "LEGO_HOOK_ISSUER_CERT_PATH": "/c/a.issuer.crt",
    "LEGO_HOOK_CERT_PEM_PATH": "/c/a.pem",
    "LEGO_HOOK_CERT_PFX_PATH": "/c/a.pfx",
}


@pytest.mark.parametrize(("files", "variables"), [(Files(), BEFORE), (FILES, AFTER)])
def test_a_command_has_the_variables_of_legos_hooks(files, variables, tmp_path, monkeypatch):
    monkeypatch.setenv("LEGO_HOOK_CERT_PATH", "what another hook was told")
    about = About(**{**vars(ABOUT), "files": files})
    assert told(about, tmp_path) == variables


RECORDING = 'env -0 > "$RECORDED.$LEGO_HOOK_CERT_NAME.{}"'


@pytest.fixture
def lego(acme_server, tmp_path, monkeypatch):
    """Run lego's own command line for one certificate, with hooks that keep their environment."""
    (tmp_path / "root.pem").write_text(acme_server.trust_root)
    monkeypatch.setenv("LEGO_CA_CERTIFICATES", str(tmp_path / "root.pem"))
    monkeypatch.setenv("RECORDED", str(tmp_path / "recorded"))
    for kind in ("pre", "deploy", "post"):
        script = tmp_path / kind
        script.write_text(f"#!/bin/sh\n{RECORDING.format(kind)}\n")
        script.chmod(0o755)
    done = pylego.run_lego(
        *("run", "--accept-tos", "--email", "me@a.example", "--pem", "--pfx"),
        *("--server", acme_server.directory, "--path", tmp_path / "lego"),
        *("--http", "--http.address", f"127.0.0.1:{acme_server.http_port}", "-d", "a.example"),
        *("--pre-hook", tmp_path / "pre", "--deploy-hook", tmp_path / "deploy"),
        *("--post-hook", tmp_path / "post"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return FileStore(tmp_path / "lego")


def recorded(tmp_path, kind):
    pairs = (tmp_path / f"recorded.a.example.{kind}").read_text().split("\0")
    every = dict(pair.split("=", 1) for pair in pairs if pair)
    return {name: value for name, value in every.items() if name.startswith("LEGO_HOOK_")}


def test_a_command_is_told_what_lego_itself_tells_its_hooks(lego, acme_server, tmp_path):
    before = About(
        id="a.example",
        domains=("a.example",),
        key_type="EC256",
        directory=acme_server.directory,
        account="me@a.example",
        email="me@a.example",
    )
    after = About(**{**vars(before), "files": files_of(lego, "a.example")})
    assert told(before, tmp_path) == recorded(tmp_path, "pre")
    assert told(after, tmp_path) == recorded(tmp_path, "deploy") == recorded(tmp_path, "post")


def test_files_that_are_not_there_are_not_told_of(tmp_path):
    assert files_of(FileStore(tmp_path), "a.example") == Files()
    assert files_of(object(), "a.example") == Files()


def test_a_command_has_no_credentials_in_its_environment(tmp_path, monkeypatch):
    secret = [
        *("CF_DNS_API_TOKEN", "RFC2136_TSIG_SECRET", "AWS_ACCESS_KEY_ID"),
        "AWS_SESSION_TOKEN",  # only Amazon's own library reads it
        "LEGO_EAB_HMAC",
    ]
    harmless = ["MY_SETTING", "SSH_AUTH_SOCK", "CF_DNS_API_TOKEN_FILE", "AWS_REGION"]
    for name in (*secret, *harmless):
        monkeypatch.setenv(name, SECRET)
    every = environment(ABOUT, tmp_path)
    assert {name for name, value in every.items() if value == SECRET} == set(harmless)
    assert every["PATH"] == os.environ["PATH"]


def test_an_argument_is_not_read_by_a_shell(said):
    run_hook(Hook(("/bin/echo", "$HOME; echo *")), ABOUT)
    assert said() == ["/bin/echo: $HOME; echo *"]


def test_there_is_nobody_to_be_asked(said):
    run_hook(shell("cat; echo done"), ABOUT)
    assert said() == ["done"]


## What they say


def test_what_a_command_says_is_logged_line_by_line_as_it_comes(said, caplog, tmp_path):
    go = tmp_path / "go"
    os.mkfifo(go)

    def answer(record):
        if record.getMessage().endswith("one"):
            go.write_text("two\n")
        return True

    with caplog.filtering(answer):
        run_hook(shell(f"echo one; cat {go}; echo n\u00f6 >&2; printf end"), ABOUT)
    assert [each for each in said() if each != "n\u00f6"] == ["one", "two", "end"]
    assert said().count("n\u00f6") == 1  # by another pipe


def test_a_line_without_an_end_and_bytes_of_no_text_are_logged_in_parts(said):
    run_hook(Hook((sys.executable, "-c", f"import os; os.write(1, b'\\xff' * {LINE + 1})")), ABOUT)
    assert [len(each.removeprefix(f"{sys.executable}: ")) for each in said()] == [LINE, 1]


## How they fail


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo started; echo no such site >&2; exit 3", 3, "failed with exit code 3: no such site"),
        ("exit 1", 1, "failed with exit code 1"),
        ("kill -KILL $$", -9, "was ended by SIGKILL"),
    ],
)
def test_a_command_that_fails_is_an_error_with_its_code_and_last_words(script, code, words):
    with pytest.raises(pylego.HookFailed) as caught:
        run_hook(shell(script), ABOUT)
    error = caught.value
    assert (error.hook, error.exit_code, error.phase) == ("/bin/sh", code, "hook")
    assert str(error) == f"[hook_failed] the hook /bin/sh {words}"
    assert error.stderr == ("no such site" if code == 3 else "")


def test_only_the_last_words_of_many_are_kept():
    with pytest.raises(pylego.HookFailed) as caught:
        run_hook(shell("seq 100000 >&2; exit 1"), ABOUT)
    assert len(caught.value.stderr) <= 1000
    assert caught.value.stderr.endswith("\n99999\n100000")


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd", "a\0b"])
def test_a_command_that_cannot_be_started_is_one_sentence(command):
    with pytest.raises(pylego.HookFailed, match="cannot be started: ") as caught:
        run_hook(Hook((command, SECRET)), ABOUT)
    assert caught.value.__cause__ is not None
    assert SECRET not in str(caught.value)


def test_what_a_function_raises_is_the_cause():
    def reload_server(_):
        raise ConnectionError("nobody listens")

    with pytest.raises(
        pylego.HookFailed, match=r"reload_server failed: ConnectionError: nobody"
    ) as caught:
        run_hook(reload_server, ABOUT)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_function_that_would_end_the_program_ends_itself_alone():
    def reload_server(_):
        sys.exit("no such server")

    with pytest.raises(pylego.HookFailed, match="reload_server failed: SystemExit: no such server"):
        run_hook(reload_server, ABOUT)


def test_a_function_whose_work_would_never_be_done_is_refused():
    async def reload_server(_):
        pass

    with pytest.raises(pylego.HookFailed, match="reload_server is async"):
        run_hook(reload_server, ABOUT)


## How they are ended


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(programs, "GRACE", 0.2)


class SetWhenSaid(threading.Event):
    """Is set once a script holds its lifeline."""

    def __init__(self, lifeline):
        super().__init__()
        self._lifeline = lifeline

    def is_set(self):
        return bool(self._lifeline.said()) or super().is_set()


class OverWhenSaid:
    """A clock that stands still until a script holds its lifeline; then an hour is over."""

    def __init__(self, lifeline):
        self._lifeline = lifeline
        self._started = False

    def monotonic(self):
        if not self._started:
            self._started = True
            return 0
        return 3600 if self._lifeline.said() else 0


def test_at_its_timeout_a_command_is_ended_with_all_that_it_has_started(
    lifeline, impatient, monkeypatch, said
):
    # None of them listens to a polite word.
    script = (
        f"trap '' TERM; exec 9>{lifeline.path}; echo so far >&2; echo up >&9; sleep 600 & sleep 600"
    )
    monkeypatch.setattr(_hooks, "time", OverWhenSaid(lifeline))
    with pytest.raises(pylego.HookFailed, match="did not end within 60 seconds") as caught:
        run_hook(shell(script, timeout=60), ABOUT)
    assert caught.value.exit_code is None
    assert lifeline.breaks()
    assert said() == ["so far"]


def test_a_polite_word_is_enough_for_one_that_listens(lifeline, said):
    script = (
        f"exec 9>{lifeline.path}; trap 'echo cleaned up; exit' TERM; echo up >&9; sleep 600 & wait"
    )
    with pytest.raises(pylego.Cancelled, match="/bin/sh was ended before it was done"):
        run_hook(shell(script), ABOUT, stop=SetWhenSaid(lifeline))
    assert said() == ["cleaned up"]
    assert lifeline.breaks()


def test_an_interrupt_ends_a_command_and_comes_through(lifeline, program):
    script = (
        f"exec 9>{lifeline.path}; trap 'echo asked >&9; exit' TERM; echo up >&9; sleep 600 & wait"
    )
    source = f"""
    from pylego.renewal._managed import Hook
    from pylego.renewal._hooks import About, run_hook
    about = About("a", ("a",), "EC256", "https://ca.example/directory", "me")
    run_hook(Hook(("/bin/sh", "-c", {script!r})), about)
    """
    running = program(source, terminal=True)
    assert lifeline.said() == b"up\n"
    running.interrupt()
    code, words, _ = running.end()
    assert code in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in words
    assert lifeline.said() == b"asked\n"
    assert lifeline.breaks()


def test_what_a_command_leaves_running_goes_on_and_is_not_waited_for(lifeline, said):
    run_hook(shell(f"exec 9>{lifeline.path}; sleep 600 & echo $! >&9; echo started"), ABOUT)
    assert said() == ["started"]
    pid = int(lifeline.said())
    assert not lifeline.broken()
    os.kill(pid, signal.SIGKILL)


def test_a_command_that_closes_what_it_says_is_waited_for(tmp_path):
    run_hook(shell(f"exec >&- 2>&-; sleep 0.2; touch {tmp_path}/done"), ABOUT)
    assert Path(tmp_path, "done").exists()


def descriptors():
    return len([*Path("/proc/self/fd").iterdir()])


def test_no_descriptor_is_left_open():
    before = descriptors()
    run_hook(shell("echo"), ABOUT)
    assert descriptors() <= before  # others may end meanwhile


def test_a_program_that_would_not_hear_of_a_failure_is_refused(program):
    source = """
    import signal
    from pylego.renewal._managed import Hook
    from pylego.renewal._hooks import About, run_hook
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    run_hook(Hook(("/bin/false",)), About("a", ("a",), "EC256", "https://ca.example/directory", "me"))
    """
    _, _, words = program(source).end()
    assert "the hook /bin/false's exit code would be lost" in words


## Where a system's select knows sockets alone


@pytest.fixture
def like_windows(monkeypatch):
    """Have pipes looked at by what Windows has for it, which stands in for here."""

    def peek(pipe):
        if not select.select([pipe], [], [], 0)[0]:
            return (0, 0)
        held = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
        if not held:
            raise BrokenPipeError
        return (held, held)

    monkeypatch.setitem(sys.modules, "_winapi", SimpleNamespace(PeekNamedPipe=peek))
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(get_osfhandle=lambda pipe: pipe))
    monkeypatch.setattr(readiness, "sys", SimpleNamespace(platform="win32"))


def test_on_windows_too_a_command_is_heard_while_it_runs(like_windows, said, caplog, tmp_path):
    test_what_a_command_says_is_logged_line_by_line_as_it_comes(said, caplog, tmp_path)


def test_on_windows_too_a_command_that_closes_what_it_says_is_waited_for(like_windows, tmp_path):
    test_a_command_that_closes_what_it_says_is_waited_for(tmp_path)


def test_on_windows_too_what_a_command_leaves_running_is_not_waited_for(
    like_windows, lifeline, said
):
    test_what_a_command_leaves_running_goes_on_and_is_not_waited_for(lifeline, said)
