"""Programs that are run beside this one, each in a session of its own, and how they are ended."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading

from pylego._engine.groups import FLAGS, Group
from pylego._engine.threads import on_a_thread
from pylego._errors import EngineError

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

GRACE = 2.0
"""Seconds that a program gets to end when it is asked to."""


def require_exit_codes(program: str) -> None:
    """Refuse to run what could fail unseen: subprocess calls a lost exit code 0.

    Raises:
        EngineError: this process ignores SIGCHLD.
    """
    if hasattr(signal, "SIGCHLD") and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        msg = f"{program}'s exit code would be lost: this program ignores SIGCHLD"
        raise EngineError(msg)


class Program:
    """A program with pipes for what it says, and for what it reads if it does.

    It is started on a thread of its own: an interrupt in the middle of a start would lose
    the process. Leaving the context closes the pipes.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, reads: bool = False
    ) -> None:
        """Start nothing yet."""
        self._command, self._environment, self._reads = command, environment, reads
        self._starting = threading.Lock()
        self._begun = threading.Event()
        self._wanted = True
        self._process: subprocess.Popen[bytes] | None = None
        self._group: Group | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Return the program itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pipes, and wait for its end."""
        if self._process is not None and self._group is not None:
            with contextlib.closing(self._group), self._process:
                pass

    def start(self) -> subprocess.Popen[bytes]:
        """Start it.

        Raises:
            OSError: it cannot be started.
            ValueError: its arguments or variables cannot be handed to a program.
        """
        try:
            on_a_thread(self._run, "pylego-program")
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from error
        self._begun.wait()
        if self._process is None:
            raise self._error or OSError(errno.EINTR, os.strerror(errno.EINTR))
        return self._process

    def _run(self) -> None:
        with self._starting:
            try:
                if self._wanted:
                    process = self._opened()
                    self._group = Group(process)
                    self._process = process
            except BaseException as error:  # noqa: BLE001 -- it is raised where it was started
                self._error = error
            finally:
                self._begun.set()

    def _opened(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 -- without a shell
            self._command,
            stdin=subprocess.PIPE if self._reads else subprocess.DEVNULL,  # nobody is there to ask
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            creationflags=FLAGS,
            start_new_session=True,  # Ctrl-C is for us to handle, and what it runs ends with it
        )

    def end(self) -> tuple[bytes, bytes]:
        """End it with what it runs, if it was started; return what it has said."""
        with self._starting:
            self._wanted = False
        if self._process is None or self._group is None:
            return b"", b""
        return _end(self._process, self._group)


def _end(process: subprocess.Popen[bytes], group: Group) -> tuple[bytes, bytes]:
    """End those too that do not listen."""
    try:
        group.end(at_once=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE)
    finally:  # also when somebody is interrupted once more
        group.end(at_once=True)
    try:
        return process.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired as error:  # a daemon has left the group with our pipe
        if sys.platform == "win32":
            # Threads of subprocess's read them, and close them at the end; to close what is
            # read would wait for that.
            process.stdout = process.stderr = None
        return error.output or b"", error.stderr or b""
