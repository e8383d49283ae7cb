"""lego.so, loaded with ctypes: its functions as Python calls them (see pylego.h)."""

from __future__ import annotations

import ctypes
from pathlib import Path

from pylego._errors import EngineError

FOLDER = Path(__file__).resolve().parent.parent / "_bin"


class Library:
    """One loaded lego.so and one engine in it."""

    def __init__(self) -> None:
        """Load the library and open an engine.

        Raises:
            EngineError: the library is missing or cannot be loaded here.
        """
        limit = _file_limit()
        try:
            self._functions = _load(FOLDER / "lego.so")
            # Go's runtime starts in a thread of its own; this call waits for it.
            self._engine: int = self._functions.pylego_open()
        finally:
            _restore_file_limit(limit)
        if not self._engine:
            msg = "the engine cannot start: the process has no file descriptor left"
            raise EngineError(msg)
        self.descriptor: int = self._functions.pylego_descriptor(self._engine)

    def start(self, request: bytes) -> int:
        """Start a job; 0 if the engine is closed."""
        return int(self._functions.pylego_start(self._engine, request, len(request)))

    def next(self) -> bytes | None:
        """Take all waiting messages, a JSON array; never waits.

        Blocking here would block a whole program under gevent, whose threads are
        greenlets of one thread.
        """
        pointer = self._functions.pylego_next(self._engine, 0)
        if not pointer:
            return None
        try:
            return ctypes.string_at(pointer)
        finally:
            self._functions.pylego_free(pointer)

    def reply(self, job: int, answer: bytes) -> None:
        """Answer a job's question."""
        self._functions.pylego_reply(self._engine, job, answer, len(answer))

    def cancel(self, job: int) -> None:
        """Cancel a job."""
        self._functions.pylego_cancel(self._engine, job)

    def close(self, seconds: float) -> None:
        """Cancel all jobs and wait for their clean-up, at most so long."""
        self._functions.pylego_close(self._engine, int(seconds * 1000))


def _load(path: Path) -> ctypes.CDLL:
    try:
        functions = ctypes.CDLL(str(path))
    except OSError as error:
        msg = f"the engine cannot be loaded: {error}"
        raise EngineError(msg) from error
    number, text, size = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t
    for name, result, arguments in (
        ("pylego_open", number, []),
        ("pylego_descriptor", ctypes.c_int, [number]),
        ("pylego_start", number, [number, text, size]),
        ("pylego_next", ctypes.c_void_p, [number, ctypes.c_int]),
        ("pylego_reply", None, [number, number, text, size]),
        ("pylego_cancel", None, [number, number]),
        ("pylego_close", None, [number, ctypes.c_int]),
        ("pylego_free", None, [ctypes.c_void_p]),
    ):
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return functions


def _file_limit() -> tuple[int, int] | None:
    try:
        import resource  # noqa: PLC0415 -- not on Windows
    except ImportError:
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _restore_file_limit(limit: tuple[int, int] | None) -> None:
    """Undo what Go does when it is loaded: it raises the soft limit to the hard one.

    Programs that use select() and those that close every descriptor before an
    exec rely on a low one.
    """
    if limit is not None:
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
