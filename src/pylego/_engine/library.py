"""lego.so, loaded with ctypes: its functions as Python calls them (see pylego.h)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

from pylego._engine import limits, readiness
from pylego._engine.files import LIBRARY
from pylego._errors import EngineError

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Generator


class Library:
    """One loaded lego.so and one engine in it."""

    def __init__(self, functions: ctypes.CDLL) -> None:
        """Open an engine.

        Raises:
            EngineError: the process has no file descriptor left.
        """
        self._functions = functions
        # Go's runtime starts in a thread of its own; this call waits for it.
        self._engine: int = functions.pylego_open()
        if not self._engine:
            msg = "the engine cannot start: the process has no file descriptor left"
            raise EngineError(msg)
        self._descriptor: int = functions.pylego_descriptor(self._engine)

    def start(self, job: int, request: bytes) -> bool:
        """Start a job under that number; refused if the engine is closed."""
        return bool(self._functions.pylego_start(self._engine, job, request, len(request)))

    def wait(self) -> None:
        """Wait for messages; for the engine's thread alone.

        The waiting is Python's: inside of C it would block a whole program under
        gevent, whose threads are greenlets of one thread.
        """
        readiness.wait([self._descriptor])

    def receive(self) -> list[bytes]:
        """Take the messages that there are, a JSON array."""
        pointer = self._functions.pylego_next(self._engine, 0)
        if not pointer:
            return []
        try:
            return [ctypes.string_at(pointer)]
        finally:
            self._functions.pylego_free(pointer)

    def reply(self, job: int, answer: bytes) -> None:
        """Answer a job's question."""
        self._functions.pylego_reply(self._engine, job, answer, len(answer))

    def cancel(self, job: int) -> None:
        """Cancel a job."""
        self._functions.pylego_cancel(self._engine, job)

    def end(self) -> None:
        """Cancel all jobs and free the engine."""
        self._functions.pylego_close(self._engine, 0)

    def abandon(self) -> None:
        """Leave the engine to the process that opened it: this is a fork of that."""

    def left(self) -> None:
        """Close nothing in a fork: the descriptor is the library's."""


def open_library() -> Library | None:
    """Open an engine in this process, or nothing where no Go can run.

    That is where lego.so was not built (musl), in a fork of a process that has
    loaded it, and where it would find no room.

    Raises:
        EngineError: the library cannot be loaded here.
    """
    if not os.path.exists(LIBRARY) or not limits.room_here():
        return None
    with limits.file_limit_kept(), _sigpipe_kept():
        functions = _load()
        return Library(functions) if functions.pylego_usable() else None


@contextlib.contextmanager
def _sigpipe_kept() -> Generator[None]:
    """Undo what Go does when it is loaded: it handles SIGPIPE, which Python ignores.

    A program that this one becomes (`os.exec`), or starts without `subprocess`, would
    no longer inherit that.
    """
    if sys.platform == "win32":
        yield
        return
    ignored = signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    try:
        yield
    finally:
        if ignored:  # signal.signal is for the main thread alone
            function = ctypes.CDLL(None).signal
            function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
            function(signal.SIGPIPE, int(signal.SIG_IGN))


def _load() -> ctypes.CDLL:
    try:
        functions = ctypes.CDLL(LIBRARY)
    except OSError as error:
        msg = f"the engine cannot be loaded: {error}"
        raise EngineError(msg) from error
    number, text, size = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t
    for name, result, arguments in (
        ("pylego_usable", ctypes.c_int, []),
        ("pylego_open", number, []),
        ("pylego_descriptor", ctypes.c_int, [number]),
        ("pylego_start", ctypes.c_int, [number, number, text, size]),
        ("pylego_next", ctypes.c_void_p, [number, ctypes.c_int]),
        ("pylego_reply", None, [number, number, text, size]),
        ("pylego_cancel", None, [number, number]),
        ("pylego_close", None, [number, ctypes.c_int]),
        ("pylego_free", None, [ctypes.c_void_p]),
    ):
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return functions
