"""`lego serve`, spoken to through pipes: the engine where no Go can run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import weakref
from collections import deque

from pylego._engine import limits, readiness
from pylego._engine.library import FOLDER
from pylego._errors import EngineError

END_TIME = 2.0
"""Seconds that `lego serve` gets to end when its pipe has; it needs less than one."""

READ_SIZE = 1 << 16


class Process:
    """One `lego serve` and the pipes to it.

    Only the engine's thread reads and writes them. Others leave what they have to
    say in a queue and wake it: a signal handler may interrupt a call at any point
    and make another, and no message may break into the middle of one.

    At the interpreter's exit nothing needs to be done: the end of the pipe is the
    end of the process.
    """

    def __init__(self) -> None:
        """Start the process.

        Raises:
            EngineError: it cannot be started here.
        """
        _require_room()
        with contextlib.ExitStack() as its_own, contextlib.ExitStack() as ours:
            try:
                requests, self._requests = _pipe(its_own, ours)
                self._answers, answers = _pipe(ours, its_own)
                self._errors, errors = _pipe(ours, its_own)
                self._woken, self._wake = _pipe(ours, ours)
                # Its environment is empty: what a call needs of ours travels in its request.
                self._process = subprocess.Popen(  # noqa: S603 -- our own executable
                    [str(FOLDER / "lego"), "serve", str(os.getpid())],
                    stdin=requests,
                    stdout=answers,
                    stderr=errors,
                    env={},
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for us to handle
                )
            except OSError as error:
                msg = f"the engine's process cannot be started: {error}"
                raise EngineError(msg) from error
            ours.pop_all()
        self._descriptors = {self._requests, self._answers, self._errors}
        for descriptor in (*self._descriptors, self._woken, self._wake):
            os.set_blocking(descriptor, False)
        # Whoever still holds the object may wake it: these two last as long as it does.
        self._wakers = weakref.finalize(self, _close, {self._woken, self._wake})
        self._wakers.atexit = False
        self._watched = {self._answers, self._errors, self._woken}
        self._ready: set[int] = set()
        self._queue: deque[bytes] = deque()
        self._full = False
        self._writing = self._reading = self._last_words = b""

    def start(self, job: int, request: bytes) -> bool:
        """Start a job under that number."""
        self._say(b'{"verb":"start","job":%d,"body":%s}\n' % (job, request))
        return True

    def reply(self, job: int, answer: bytes) -> None:
        """Answer a job's question."""
        self._say(b'{"verb":"reply","job":%d,"body":%s}\n' % (job, answer))

    def cancel(self, job: int) -> None:
        """Cancel a job."""
        self._say(b'{"verb":"cancel","job":%d}\n' % job)

    def _say(self, line: bytes) -> None:
        self._queue.append(line)
        _write(self._wake, b"\0")  # where it is full, it has been woken often enough

    def wait(self) -> None:
        """Wait until there is something to read or to write; for the engine's thread alone."""
        self._ready = readiness.wait(self._watched, [self._requests] if self._full else [])

    def receive(self) -> list[bytes]:
        """Take the messages that there are, JSON arrays, and write what others have left.

        Raises:
            EngineError: the process has ended.
        """
        if self._woken in self._ready:
            _read(self._woken)
        if self._errors in self._ready:
            self._listen()
        batches = self._take() if self._answers in self._ready else []
        self._write()
        return batches

    def _take(self) -> list[bytes]:
        data = _read(self._answers)
        if data == b"":
            raise self._obituary()
        *batches, self._reading = (self._reading + (data or b"")).split(b"\n")
        return batches

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

    def _listen(self) -> None:
        """Keep the last of what Go says when it must end a process."""
        words = _read(self._errors)
        if words == b"":
            self._watched.discard(self._errors)
        self._last_words = (self._last_words + (words or b""))[-READ_SIZE:]

    def _obituary(self) -> EngineError:
        try:
            code = self._process.wait(END_TIME)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._listen()
        how = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        msg = f"the engine's process {how}; the next call starts another"
        said = self._last_words.decode(errors="replace").strip().partition("\n")[0]
        if said:
            msg += f"; it said {said!r}"
        return EngineError(msg, info={"type": "lego", "code": "engine_error", "retryable": True})

    def end(self) -> None:
        """Free everything; called by the engine's thread, at its end."""
        self._process.kill()
        self._process.wait()
        _close(self._descriptors)

    def abandon(self) -> None:
        """Leave the process to the one that started it: this is a fork of that."""
        self._wakers()
        _close(self._descriptors)


def _require_room() -> None:
    space = limits.address_space()
    if space is not None and space < limits.GO_RESERVES:
        msg = (
            f"the limit on address space (RLIMIT_AS, `ulimit -v`) of {space >> 20} MB leaves no "
            f"room for Go, which reserves {limits.GO_RESERVES >> 20} MB"
        )
        raise EngineError(msg)


def _pipe(read: contextlib.ExitStack, write: contextlib.ExitStack) -> tuple[int, int]:
    """Make a pipe whose ends the stacks close."""
    ends = os.pipe()
    for end, stack in zip(ends, (read, write), strict=True):
        stack.callback(os.close, end)
    return ends


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
