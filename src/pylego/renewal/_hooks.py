"""Hooks: what is run before an attempt, when a certificate is there, and after."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from pylego._engine import programs, readiness, system
from pylego._errors import Cancelled, HookFailed
from pylego._providers import holds_credential
from pylego.storage import FileStore
from pylego.storage import _layout as layout

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from pylego.renewal._managed import Hook
    from pylego.storage import Store

    AnyHook: TypeAlias = "Hook | Callable[[About], object]"

PREFIX = "LEGO_HOOK_"

TICK = 0.1
"""Seconds after which it is looked at whether the hook has ended or is to be stopped: while it
is silent nothing else tells."""

PIPE = 1 << 20
"""Bytes that a pipe can hold at most."""

LINE = 10_000
"""Bytes of a line that go into one record of the log."""

WORDS = 1000
"""Characters of stderr that an error keeps: the last ones."""

log = logging.getLogger("pylego")


@dataclass(frozen=True)
class Files:
    """Where a certificate lies; `None` for what there is not."""

    certificate: str | None = None
    """The .crt: the certificate and, where it is bundled, its chain."""
    key: str | None = None
    issuer: str | None = None
    """The .issuer.crt: its chain."""
    pem: str | None = None
    """The .pem: key and chain in one file."""
    pfx: str | None = None


@dataclass(frozen=True)
class About:
    """What a hook is told of the certificate it is run for."""

    id: str
    """What it is kept under."""
    domains: tuple[str, ...]
    """The names it is asked for."""
    key_type: str
    directory: str
    """The URL of the CA's directory."""
    account: str
    """The ID of the account at the CA."""
    email: str | None = None
    """Where the CA may write to."""
    renewal: bool = False
    """Whether there was a certificate before."""
    files: Files = field(default_factory=Files)
    """Where the new certificate is, once it is there."""

    @property
    def variables(self) -> dict[str, str]:
        """The variables that lego's hooks have, of the same names and meaning."""
        told = {
            "ACCOUNT_ID": self.account,
            "ACCOUNT_EMAIL": self.email or "",
            "ACCOUNT_SERVER": self.directory,
            "CERT_NAME": self.id,
            "CERT_NAME_SANITIZED": layout.safe_name(self.id),
            "CERT_KEY_TYPE": self.key_type,
            "CERT_DOMAINS": ",".join(self.domains),
            "CERT_PATH": self.files.certificate,
            "CERT_KEY_PATH": self.files.key,
            "ISSUER_CERT_PATH": self.files.issuer,
            "CERT_PEM_PATH": self.files.pem,
            "CERT_PFX_PATH": self.files.pfx,
        }
        return {f"{PREFIX}{name}": value for name, value in told.items() if value is not None}


def files_of(store: Store, name: str) -> Files:
    """Tell where a store keeps what is under a name; one that is no folder has no files."""
    if not isinstance(store, FileStore):
        return Files()
    stem = Path(store.folder, *layout.CERTIFICATES, layout.safe_name(name))

    def place(extension: str) -> str | None:
        path = f"{stem}{extension}"
        return path if Path(path).exists() else None

    return Files(
        *map(place, (layout.CERTIFICATE, layout.KEY, layout.ISSUER, layout.PEM, layout.PFX))
    )


def run_hook(hook: AnyHook, about: About, *, stop: threading.Event | None = None) -> None:
    """Run a hook to its end.

    A function is called with `about`. A command has no shell, a session of its own, lego's
    LEGO_HOOK_* variables, and what this process's environment has beside DNS providers'
    credentials. What it says goes to the log, line by line.

    Args:
        hook: a function, or a command with the seconds that it may take.
        about: what it is told.
        stop: ends a command when it is set.

    Raises:
        HookFailed: a function raised something; a command cannot be started, did not exit
            with 0, or did not end in time. It was ended with all that it had started.
        Cancelled: `stop` was set.
        EngineError: this program ignores SIGCHLD, and so could not hear of a failure.
    """
    if callable(hook):
        _call(hook, about)
    else:
        _run(hook, about, stop)


def _call(function: Callable[[About], object], about: About) -> None:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    try:
        result = function(about)
    except (Exception, SystemExit) as error:  # in a hook sys.exit() ends the hook
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        msg = f"the hook {name} failed: {words}"
        raise HookFailed(msg, hook=name) from error
    if inspect.iscoroutine(result):  # which would never run
        result.close()
        msg = f"the hook {name} is async; its work is not done"
        raise HookFailed(msg, hook=name)


def _run(hook: Hook, about: About, stop: threading.Event | None) -> None:
    name = hook.command[0]
    programs.require_exit_codes(f"the hook {name}")
    until = time.monotonic() + hook.timeout
    out, err = _Lines(name), _Lines(name)
    with programs.Program(hook.command, {**_inherited(), **about.variables}) as program:
        try:
            process = _started(program, name)
            for _ in _heard(process, out, err):
                _require_time(hook, until, stop, err)
        except BaseException:
            for lines, said in zip((out, err), program.end(), strict=True):
                lines.add(said)
            raise
        finally:
            out.end()
            err.end()
    if code := process.returncode:
        msg = f"the hook {name} {_ended(code)}{err.last_line}"
        raise HookFailed(msg, hook=name, exit_code=code, stderr=err.last)


def _started(program: programs.Program, name: str) -> subprocess.Popen[bytes]:
    try:
        return program.start()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        msg = f"the hook {name} cannot be started: {words}"
        raise HookFailed(msg, hook=name) from error


def _require_time(hook: Hook, until: float, stop: threading.Event | None, err: _Lines) -> None:
    program = hook.command[0]
    if stop is not None and stop.is_set():
        msg = f"the hook {program} was ended before it was done"
        raise Cancelled(msg, code="cancelled", info={"phase": "hook"})
    if time.monotonic() >= until:
        msg = f"the hook {program} did not end within {hook.timeout:g} seconds{err.last_line}"
        raise HookFailed(msg, hook=program, stderr=err.last)


def _inherited() -> dict[str, str]:
    """Return this process's environment without credentials, and without what another hook was told."""
    every = [(os.fsdecode(name), os.fsdecode(value)) for name, value in system.variables()]
    return {
        name: value
        for name, value in every
        if not name.startswith(PREFIX) and not holds_credential(name)
    }


def _heard(process: subprocess.Popen[bytes], out: _Lines, err: _Lines) -> Iterator[None]:
    """Take what a process says until it ends; come back now and then.

    What it has started may hold its pipes for longer, and goes on.
    """
    saying = {
        pipe.fileno(): lines
        for pipe, lines in ((process.stdout, out), (process.stderr, err))
        if pipe is not None
    }
    while process.poll() is None:
        yield
        if saying:
            _read(saying, TICK)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TICK)
    _read(saying, 0)


def _read(saying: dict[int, _Lines], wait: float) -> None:
    for pipe in readiness.wait_for_pipes(saying, wait):
        said = os.read(pipe, PIPE)
        saying[pipe].add(said)
        if not said:
            del saying[pipe]


class _Lines:
    """What a command says on one of its pipes: to the log, line by line."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._line = b""
        self.last = ""
        """The last words."""

    def add(self, said: bytes) -> None:
        *lines, self._line = (self._line + said).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._line) > LINE:
            self._tell(self._line[:LINE])
            self._line = self._line[LINE:]

    def end(self) -> None:
        if self._line:
            self._tell(self._line)
            self._line = b""

    @property
    def last_line(self) -> str:
        """The last line, as it stands in a message."""
        lines = self.last.split("\n")
        return f": {lines[-1]}" if lines[-1] else ""

    def _tell(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self.last = f"{self.last}\n{text}".strip()[-WORDS:]
        log.info("%s: %s", self._program, text)


def _ended(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"
