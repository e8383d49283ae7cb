"""The pipes to `lego serve`: written and read as they are ready, or by threads on Windows, where nothing tells that."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import weakref
from collections import deque
from queue import Empty, SimpleQueue

from pylego._engine import readiness

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable

READ_SIZE = 1 << 16

LAST_WORDS = 1.0
"""Seconds that the last words of a process that has ended may take to arrive."""


class PolledPipes:
    """Pipes that only the engine's thread reads and writes.

    Others leave what they have to say in a queue and wake it: a signal handler may
    interrupt a call at any point and make another, and no message may break into the
    middle of one.
    """

    def __init__(self, requests: int, answers: int, errors: int) -> None:
        """Take our ends, which are closed with the pipes."""
        self._requests, self._answers, self._errors = requests, answers, errors
        self._woken, self._wake = os.pipe()
        self._descriptors = {requests, answers, errors}
        # Whoever still holds the object may wake it: these two last as long as it does.
        self._wakers = weakref.finalize(self, _close, {self._woken, self._wake})
        self._wakers.atexit = False
        self._watched = {answers, errors, self._woken}
        self._ready: set[int] = set()
        self._queue: deque[bytes] = deque()
        self._full = False
        self._writing = b""

    def begin(self) -> None:
        """Begin to wait for no single one of them: the process has its own ends."""
        if sys.platform != "win32":
            for descriptor in (*self._descriptors, self._woken, self._wake):
                os.set_blocking(descriptor, False)

    def say(self, line: bytes) -> None:
        """Have a line written."""
        self._queue.append(line)
        _write(self._wake, b"\0")  # where it is full, it has been woken often enough

    def wait(self) -> None:
        """Wait until there is something to read or to write; for the engine's thread alone."""
        self._ready = readiness.wait(self._watched, [self._requests] if self._full else [])

    def receive(self) -> tuple[bytes | None, bytes]:
        """Write what others have left; return answers, `None` at their end, and what stderr says."""
        if self._woken in self._ready:
            _read(self._woken)
        words = self.words() if self._errors in self._ready else b""
        answers: bytes | None = b""
        if self._answers in self._ready:
            read = _read(self._answers)
            answers = None if read == b"" else read or b""
        if answers is not None:
            self._write()
        return answers, words

    def words(self) -> bytes:
        """Return what stderr says."""
        words = _read(self._errors)
        if words == b"":
            self._watched.discard(self._errors)
        return words or b""

    def _write(self) -> None:
        """Write what there is, or until the pipe is full."""
        try:
            while self._writing or self._queue:
                self._writing = self._writing or self._queue.popleft()
                written = _write(self._requests, self._writing)
                self._writing = self._writing[written:]
                self._full = not written
                if self._full:
                    return
        except BrokenPipeError:  # it has ended, as the other pipe will tell
            self._writing, self._full = b"", False

    def close(self) -> None:
        """Close our ends; called by the engine's thread, at its end."""
        _close(self._descriptors)

    def abandon(self) -> None:
        """Leave the pipes to the process that made them: this is a fork of that."""
        if readiness.by_greenlets():
            # libev ends a process that closes what a greenlet waits at: that one is woken,
            # by the end of another pipe in their place, and closes them.
            end, closed = os.pipe()
            os.close(closed)
            for descriptor in (*self._descriptors, self._woken, self._wake):
                os.dup2(end, descriptor, inheritable=False)
            os.close(end)
        else:
            self.left()

    def left(self) -> None:
        """Close what a fork has inherited."""
        self._wakers()
        _close(self._descriptors)


class ThreadedPipes:
    """Pipes with a thread for each, where a system can wait at one only by reading it."""

    def __init__(self, requests: int, answers: int, errors: int) -> None:
        """Take our ends, which are closed with the pipes."""
        self._outbox: SimpleQueue[bytes] = SimpleQueue()  # no lock that a signal handler could meet
        self._inbox: SimpleQueue[tuple[bool, bytes]] = SimpleQueue()
        self._received: deque[tuple[bool, bytes]] = deque()
        self._work = {
            requests: lambda: self._write(requests),
            answers: lambda: self._read(answers, words=False),
            errors: lambda: self._read(errors, words=True),
        }

    def begin(self) -> None:
        """Start the threads: the process has its own ends.

        Raises:
            RuntimeError: there can be none.
        """
        for descriptor, work in tuple(self._work.items()):
            threading.Thread(
                target=self._run, args=(descriptor, work), name="pylego-pipe", daemon=True
            ).start()
            del self._work[descriptor]

    def _run(self, descriptor: int, work: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):  # the process has ended, as the answers' end tells
            work()
        os.close(descriptor)

    def _read(self, descriptor: int, *, words: bool) -> None:
        try:
            while read := os.read(descriptor, READ_SIZE):
                self._inbox.put((words, read))
        finally:
            self._inbox.put((words, b""))

    def _write(self, descriptor: int) -> None:
        while line := self._outbox.get():
            while line:
                line = line[os.write(descriptor, line) :]

    def say(self, line: bytes) -> None:
        """Have a line written."""
        self._outbox.put(line)

    def wait(self) -> None:
        """Wait until something was read; for the engine's thread alone."""
        if not self._received:
            self._received.append(self._inbox.get())

    def receive(self) -> tuple[bytes | None, bytes]:
        """Return answers, `None` at their end, and what stderr says."""
        while not self._inbox.empty():
            self._received.append(self._inbox.get())
        answers = b"".join(read for words, read in self._received if not words)
        said = b"".join(read for words, read in self._received if words)
        end = (False, b"")
        ended = end in self._received
        self._received.clear()
        if ended and answers:  # what came before it may be a certificate: it is told of next
            self._received.append(end)
        return (None if ended and not answers else answers), said

    def words(self) -> bytes:
        """Return what stderr still says, up to its end: the process has ended."""
        said = b""
        with contextlib.suppress(Empty):
            while read := self._inbox.get(timeout=LAST_WORDS)[1]:
                said += read
        return said

    def close(self) -> None:
        """End the threads, which close our ends: the readers end with the process."""
        self._outbox.put(b"")
        _close(set(self._work))

    def abandon(self) -> None:
        """Do nothing: where there are threads instead of a poll, there is no fork."""

    def left(self) -> None:
        """Do nothing, likewise."""


Pipes: type[PolledPipes | ThreadedPipes] = ThreadedPipes if sys.platform == "win32" else PolledPipes


def _close(descriptors: set[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


# Not os.read and os.write: eventlet's wait until there is something or room, and
# let no two greenlets do so at once.


def _read(descriptor: int) -> bytes | None:
    """Read what there is; None where there is nothing, no bytes at the end."""
    with io.FileIO(descriptor, closefd=False) as file:
        return file.read(READ_SIZE)


def _write(descriptor: int, data: bytes) -> int:
    """Write what there is room for; return how much that was."""
    with io.FileIO(descriptor, "w", closefd=False) as file:
        return file.write(data) or 0
