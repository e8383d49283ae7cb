"""`lego serve`, spoken to through pipes: the engine where no Go can run in this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from pylego._engine import limits, system
from pylego._engine.files import EXECUTABLE
from pylego._engine.pipes import READ_SIZE, Pipes
from pylego._errors import EngineError

END_TIME = 2.0
"""Seconds that `lego serve` gets to end when its pipe has; it needs less than one."""


class Process:
    """One `lego serve` and the pipes to it.

    At the interpreter's exit nothing needs to be done: the end of the pipe is the
    end of the process.
    """

    def __init__(self) -> None:
        """Start the process.

        Raises:
            EngineError: it cannot be started here.
        """
        limits.require_room()
        with contextlib.ExitStack() as its_own, contextlib.ExitStack() as ours:
            try:
                requests, to_it = _pipe(its_own, ours)
                from_it, answers = _pipe(ours, its_own)
                words, errors = _pipe(ours, its_own)
                self._pipes = Pipes(to_it, from_it, words)
                # Its environment is empty: what a call needs of ours travels in its request.
                self._process = subprocess.Popen(  # noqa: S603 -- our own executable
                    [EXECUTABLE, "serve", str(os.getpid())],
                    stdin=requests,
                    stdout=answers,
                    stderr=errors,
                    env=system.least_environment(),
                    cwd="/",
                    creationflags=system.OWN_GROUP,
                    start_new_session=True,  # Ctrl-C is for us to handle
                )
            except OSError as error:
                msg = f"the engine's process cannot be started: {error}"
                raise EngineError(msg) from error
            ours.pop_all()
        try:
            self._pipes.begin()
        except RuntimeError as error:
            self.end()
            msg = f"the threads of the engine's process cannot be started: {error}"
            raise EngineError(msg) from error
        self._reading = self._last_words = b""

    def start(self, job: int, request: bytes) -> bool:
        """Start a job under that number."""
        self._pipes.say(b'{"verb":"start","job":%d,"body":%s}\n' % (job, request))
        return True

    def reply(self, job: int, answer: bytes) -> None:
        """Answer a job's question."""
        self._pipes.say(b'{"verb":"reply","job":%d,"body":%s}\n' % (job, answer))

    def cancel(self, job: int) -> None:
        """Cancel a job."""
        self._pipes.say(b'{"verb":"cancel","job":%d}\n' % job)

    def wait(self) -> None:
        """Wait until there is something to read or to write; for the engine's thread alone."""
        self._pipes.wait()

    def receive(self) -> list[bytes]:
        """Take the messages that there are, JSON arrays, and write what others have left.

        Raises:
            EngineError: the process has ended.
        """
        answers, words = self._pipes.receive()
        self._listen(words)
        if answers is None:
            raise self._obituary()
        *batches, self._reading = (self._reading + answers).split(b"\n")
        return batches

    def _listen(self, words: bytes) -> None:
        """Keep the last of what Go says when it must end a process."""
        self._last_words = (self._last_words + words)[-READ_SIZE:]

    def _obituary(self) -> EngineError:
        try:
            code = self._process.wait(END_TIME)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._listen(self._pipes.words())
        msg = f"the engine's process {_how(code)}; the next call starts another"
        said = self._last_words.decode(errors="replace").strip().partition("\n")[0]
        if said:
            msg += f"; it said {said!r}"
        return EngineError(msg, info={"type": "lego", "code": "engine_error", "retryable": True})

    def end(self) -> None:
        """Free everything; called by the engine's thread, at its end."""
        self._process.kill()
        self._process.wait()
        self._pipes.close()

    def abandon(self) -> None:
        """Leave the process to the one that started it: this is a fork of that."""
        self._pipes.abandon()

    def left(self) -> None:
        """Close what a fork has inherited."""
        self._pipes.left()


def _how(code: int) -> str:
    """Say how the process ended.

    subprocess knows no better than 0 where the program ignores SIGCHLD or has reaped
    the process itself; `lego serve` ends so only when its pipe does, which we hold.
    """
    if code == 0:
        return "ended, in a way that the program has left unknown"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _pipe(read: contextlib.ExitStack, write: contextlib.ExitStack) -> tuple[int, int]:
    """Make a pipe whose ends the stacks close."""
    ends = os.pipe()
    for end, stack in zip(ends, (read, write), strict=True):
        stack.callback(os.close, end)
    return ends
