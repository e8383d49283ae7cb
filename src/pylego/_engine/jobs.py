"""Requests become jobs; replies find them. Knows nothing of certificates."""

from __future__ import annotations

import atexit
import itertools
import json
import math
import os
import threading
import time

from pylego._engine import callbacks, surroundings
from pylego._errors import EngineError, InvalidRequest, from_info
from pylego._events import Event

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pylego._engine.library import Library
    from pylego._engine.process import Process
    from pylego._events import EventCallback

MESSAGE_TYPES = ("event", "question", "log", "result", "error")
"""Every type of message; a test compares them with the engine's own list."""

EXIT_TIME = 10.0
"""Seconds that jobs get for their clean-up when the interpreter exits."""

TURN = 0.5
"""Seconds after which the main thread hears of any signal."""

HOUR = 3600.0
"""Other threads hear of none; an endless wait is more than eventlet's locks can take."""


class Job:
    """One running operation, and the one who waits for it.

    The end is told through a plain lock: waiting on one is open to signals, and
    ending it takes no lock that a thread could have held at a fork.
    """

    def __init__(self, on_event: EventCallback | None, serial: callbacks.Serial | None) -> None:
        """Be made by `Engine.run`."""
        self.cancel: Callable[[], None] = lambda: None
        self._on_event = on_event
        self._serial = serial
        self._callback_error: BaseException | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def wait(self, seconds: float = math.inf) -> bool:
        """Wait for the end; tell whether it has come.

        The main thread, which runs the signal handlers, waits in turns: a signal that
        another thread receives, or this one just before it waits, interrupts nothing.
        """
        main = threading.current_thread() is threading.main_thread()
        turn = TURN if main else HOUR
        end = time.monotonic() + seconds
        while not self._running.acquire(timeout=max(0, min(turn, end - time.monotonic()))):
            if time.monotonic() >= end:
                return False
        self._running.release()
        return True

    def result(self) -> Any:
        """Return the result of a job that has ended.

        Raises:
            LEGOError: the job failed.
        """
        if self._error is not None:
            raise self._error
        return self._result

    def event(self, data: dict[str, Any]) -> None:
        """Hand an event to the callback."""
        if self._serial is not None:
            event = Event(**data)
            self._serial.call(lambda: self._tell(event))

    def _tell(self, event: Event) -> None:
        if self._on_event is None or self._callback_error is not None:
            return
        try:
            self._on_event(event)
        except BaseException as error:  # noqa: BLE001 -- it is raised to the caller
            self._callback_error = error
            self.cancel()

    def after_events(self, function: Callable[[], None]) -> None:
        """Run a function when the callback has seen every event so far."""
        if self._serial is None:
            function()
        else:
            self._serial.call(function)

    def abandon(self, error: BaseException) -> None:
        """End in a fork. Greenlets go on there: what is still to be told is the parent's."""
        self._on_event = None
        self.end(None, error)

    def end(self, result: Any, error: BaseException | None) -> None:
        """Wake the waiting one."""
        self._result, self._error = result, self._callback_error or error
        self._running.release()


class Engine:
    """An engine behind one transport: its jobs, and the thread that takes its messages."""

    def __init__(self, transport: Library | Process) -> None:
        """Start the thread.

        Raises:
            EngineError: there can be no thread.
        """
        self.failure: EngineError | None = None
        self.pid = os.getpid()
        self._transport = transport
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._pool = callbacks.pool()
        self._logs = callbacks.Serial(self._pool)
        self._exiting = False
        self._abandoned = False
        self._drained = threading.Event()
        try:
            threading.Thread(target=self._pump, name="pylego", daemon=True).start()
        except RuntimeError as error:  # too many threads, or the interpreter is exiting
            transport.end()
            msg = f"the engine's thread cannot be started: {error}"
            raise EngineError(msg) from error
        # Not a thread's work: none can be started any more when the hooks run.
        atexit.register(self._exit)

    def run(
        self,
        operation: str,
        message: dict[str, Any],
        *,
        timeout: float | None,
        cleanup_timeout: float,
        on_event: EventCallback | None,
    ) -> Any:
        """Run an operation.

        Whatever a signal handler raises meanwhile (KeyboardInterrupt, SystemExit)
        cancels it and is raised when it has cleaned up, at latest after
        `cleanup_timeout` seconds; a second exception is raised at once.

        Raises:
            LEGOError: the operation failed.
            InvalidRequest: JSON cannot hold an argument.
        """
        request = {
            "operation": operation,
            "input": {"caller": surroundings.caller(), **message},
            "timeout": timeout or 0,
            "events": on_event is not None,
            "log_level": surroundings.log_level(),
        }
        try:
            encoded = json.dumps(request).encode()
        except (TypeError, ValueError) as error:
            msg = f"the arguments do not fit: {error}"
            raise InvalidRequest(msg, code="invalid_arguments") from error
        job = Job(on_event, None if on_event is None else callbacks.Serial(self._pool))
        number = next(self._numbers)
        job.cancel = lambda: self._transport.cancel(number)
        try:
            self._start(number, job, encoded)
            job.wait()
        except BaseException:
            job.cancel()
            if not job.wait(cleanup_timeout):
                surroundings.log.warning("a cancelled operation is still cleaning up")
            raise
        return job.result()

    def _start(self, number: int, job: Job, request: bytes) -> None:
        self._jobs[number] = job  # before its first message can come
        refused = self.failure
        if self._exiting:
            refused = EngineError("the interpreter is exiting: the engine takes no more calls")
        elif refused is None and not self._transport.start(number, request):
            refused = EngineError("the engine is closed")
        if refused is not None and self._jobs.pop(number, None) is job:
            job.end(None, refused)  # unless it has failed with all the others

    def _pump(self) -> None:
        """Take messages as they come. No user code runs here: it would hold everybody up."""
        try:
            while True:
                self._transport.wait()
                if self._abandoned:  # a greenlet, and this a fork: the messages are the parent's
                    # Not an end, of which threading would complain: it forgot us at the fork.
                    threading.Event().wait()
                for batch in self._transport.receive():
                    for data in json.loads(batch):
                        self._dispatch(data)
        except BaseException as error:  # noqa: BLE001 -- those who wait must hear of it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, EngineError):
            surroundings.log.error("the engine's thread failed", exc_info=error)
            error = EngineError(f"the engine's thread failed: {error!r}")
        self.failure = error  # no job joins from now on
        for number in tuple(self._jobs):
            self._end(number, None, error)
        self._transport.end()
        atexit.unregister(self._exit)

    def _dispatch(self, data: dict[str, Any]) -> None:
        kind, number = data["type"], data.get("job", 0)
        if kind == "log":
            self._logs.call(lambda: surroundings.write_log(data["log"]))
        elif kind == "event":
            self._jobs[number].event(data["event"])
        elif kind == "question":
            answer = {"id": data["question"]["id"], "answer": {"error": "nobody answers"}}
            self._transport.reply(number, json.dumps(answer).encode())
        elif kind == "result":
            self._end(number, data.get("result"), None)
        else:
            self._end(number, None, from_info(data["error"]))

    def _end(self, number: int, result: Any, error: BaseException | None) -> None:
        if self._exiting:
            # The threads that still wait are daemons: they end with the interpreter,
            # and would only complain on stderr about an error of its exit.
            self._jobs.pop(number, None)
            if not self._jobs:
                self._drained.set()
            return

        if job := self._jobs.get(number):  # unless a callback has just let it end
            job.after_events(lambda: self._wake(number, result, error))

    def _wake(self, number: int, result: Any, error: BaseException | None) -> None:
        if job := self._jobs.pop(number, None):  # none in a fork, which has ended it
            job.end(result, error)

    def _exit(self) -> None:
        """End what runs, before the interpreter does."""
        self._exiting = True
        for number in tuple(self._jobs):
            self._transport.cancel(number)
        if self._jobs:
            self._drained.wait(EXIT_TIME)

    def abandon(self) -> None:
        """Leave the engine to the process that started it: this is a fork of that.

        A job can be waited for here only by a signal handler that forked.
        """
        self._abandoned = True
        atexit.unregister(self._exit)
        self._transport.abandon()
        msg = "this process was forked during the call, which goes on in the other"
        for job in self._jobs.values():
            job.abandon(EngineError(msg))
        self._jobs.clear()
