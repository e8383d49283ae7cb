"""Requests become jobs; replies find them. Knows nothing of certificates."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import math
import os
import threading
import time

from pylego._engine import callbacks, surroundings
from pylego._engine.questions import Answers, LoopThread
from pylego._errors import EngineError, LEGOError, from_info
from pylego._events import Event

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from pylego._engine.call import Call
    from pylego._engine.library import Library
    from pylego._engine.process import Process
    from pylego._events import EventCallback

    class Listener(Protocol):
        """Who hears of a job's events: on threads, or on an event loop."""

        error: BaseException | None
        """What the callback raised."""

        def event(self, event: Event) -> None:
            """Tell of an event, after those before it."""
            ...

        def afterwards(self, function: Callable[[], None]) -> None:
            """Run a function when every event so far has been heard."""
            ...

        def forget(self) -> None:
            """Tell nothing more: this is a fork of the process that called."""
            ...


MESSAGE_TYPES = ("event", "question", "withdrawn", "log", "result", "error")
"""Every type of message; a test compares them with the engine's own list."""

OF_THE_CALLER = ("solver_failed", "order_not_kept")
"""The codes of errors whose cause is what the caller's own code raised."""

EXIT_TIME = 10.0
"""Seconds that jobs get for their clean-up when the interpreter exits."""

TURN = 0.04
"""Seconds after which the main thread hears of any signal: cancellation is promised within 0.05."""

HOUR = 3600.0
"""Other threads hear of none; an endless wait is more than eventlet's locks can take."""


class Job:
    """One running operation, and the one who waits for it.

    The end is told through a plain lock: waiting on one is open to signals, and
    ending it takes no lock that a thread could have held at a fork.
    """

    def __init__(self, number: int, cancel: Callable[[int], None]) -> None:
        """Be made by `Engine.job`."""
        self.number = number
        self._cancel = cancel
        self.listener: Listener | None = None
        """Who hears of the events."""
        self.answers: Answers | None = None
        """Who answers questions."""
        self.on_end: Callable[[], None] = lambda: None
        """Called at the end, on whatever thread that comes."""
        self.outcome: tuple[Any, BaseException | None] | None = None
        """The engine's last word: a result, or an error. The end follows it."""
        self.late = False
        """Whether the end waits for no callback any more."""
        self._over = False
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
        # The lock only wakes: a handler's exception may come while it is taken here,
        # and leave it so.
        while not self._over:
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self._running.acquire(timeout=min(turn, left)):
                self._running.release()
        return True

    def result(self) -> Any:
        """Return the result of a job that has ended.

        Raises:
            LEGOError: the job failed.
        """
        result, error = self.outcome or (None, None)
        if error is not None:
            raise error
        return result

    def cancel(self) -> None:
        """Ask for the end, which comes when everything is cleaned up."""
        self._cancel(self.number)

    def event(self, data: dict[str, Any]) -> None:
        """Hand an event to the listener."""
        if self.listener is not None:
            self.listener.event(Event(**data))

    def after_events(self, function: Callable[[], None]) -> None:
        """Run a function when the listener has heard every event so far."""
        if self.listener is None:
            function()
        else:
            self.listener.afterwards(function)

    def abandon(self, error: BaseException) -> None:
        """End in a fork. Greenlets go on there: what is still to be told is the parent's."""
        if self.listener is not None:
            self.listener.forget()
        self.outcome = None, error
        self.end()

    def end(self) -> None:
        """Wake the waiting one; what its callback raised is what it gets."""
        result, error = self.outcome or (None, None)
        heard = None if self.listener is None else self.listener.error
        # What the CA refused has another cause than a clean-up that failed beside it.
        failed = isinstance(error, LEGOError) and error.code in OF_THE_CALLER
        if error is not None and failed and self.answers is not None:
            error.__cause__ = self.answers.error
        self.outcome = result, heard or error
        self._over = True
        self._running.release()
        self.on_end()


class Engine:
    """An engine behind one transport: its jobs, and the thread that takes its messages."""

    def __init__(self, transport: Library | Process) -> None:
        """Start nothing; `begin` does."""
        self.failure: EngineError | None = None
        self._begun = False
        self.pid = os.getpid()
        self._transport = transport
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._logs = callbacks.Serial()
        self.loop = LoopThread()
        self._exiting = False
        self._abandoned = False
        self._drained = threading.Event()
        self._unclaimed = threading.Lock()
        """Taken by the thread when it begins, or by `begin` when it must not any more."""
        self._serving = 0
        """The thread's identifier."""

    def begin(self) -> None:
        """Start the thread.

        An exception of a signal handler may come before the thread runs, or after: a
        thread that runs is kept, for the next call.

        Raises:
            EngineError: there can be no thread.
        """
        try:
            # Not a thread's work: none can be started any more when the hooks run.
            atexit.register(self._exit)
            threading.Thread(target=self._pump, name="pylego", daemon=True).start()
        except BaseException as error:
            if self._unclaimed.acquire(blocking=False):
                failure = EngineError(f"the engine's thread cannot be started: {error}")
                self._fail(failure)
                if isinstance(error, RuntimeError):  # too many threads, or an exit
                    raise failure from error
            raise
        finally:
            self._begun = True

    @property
    def usable(self) -> bool:
        """Whether calls can be made; not from a signal handler that interrupts `begin`."""
        return self._begun and self.failure is None

    def job(self) -> Job:
        """Make a job, which has not begun."""
        return Job(next(self._numbers), self._transport.cancel)

    def start(self, job: Job, request: bytes) -> None:
        """Begin a job; where the engine has ended, that is the job's error."""
        self._jobs[job.number] = job  # before its first message can come
        refused = self.failure
        if self._exiting:
            refused = EngineError("the interpreter is exiting: the engine takes no more calls")
        elif threading.get_ident() == self._serving:  # user code, for which there was no thread
            refused = EngineError("the interpreter is exiting: no call can be made during another")
        elif refused is None and not self._transport.start(job.number, request):
            refused = EngineError("the engine is closed")
        if refused is not None:
            self._conclude(job, None, refused)

    def run(
        self,
        call: Call,
        on_event: EventCallback | None = None,
        on_begin: Callable[[Job], object] | None = None,
    ) -> Any:
        """Run a call while this thread waits.

        Whatever a signal handler raises meanwhile (KeyboardInterrupt, SystemExit)
        cancels it and is raised when it has cleaned up, at latest after
        `cleanup_timeout` seconds; a second exception is raised at once. So long it
        also waits for slow callbacks after its timeout.

        Raises:
            LEGOError: the operation failed.
            InvalidRequest: an argument does not fit.
        """
        request = surroundings.request(call, events=on_event is not None)
        job = self.job()
        if on_event is not None:
            job.listener = callbacks.Listener(on_event, job.cancel)
        if call.answer is not None:
            job.answers = Answers(call.answer, self.loop)
        try:
            self.start(job, request)
            if on_begin is not None:
                on_begin(job)
            if not job.wait(call.patience):
                self.hurry(job)
                job.wait()
        except BaseException:
            job.cancel()
            known = job.number in self._jobs  # not before `start`, nor after the end
            if known and not job.wait(call.cleanup_timeout) and job.outcome is None:
                surroundings.log.warning("a cancelled operation is still cleaning up")
            raise
        return job.result()

    def _pump(self) -> None:
        """Take messages as they come. No user code runs here: it would hold everybody up."""
        if not self._unclaimed.acquire(blocking=False):
            return
        self._serving = threading.get_ident()
        try:
            while True:
                self._transport.wait()
                if self._abandoned:  # a greenlet, and this a fork: the messages are the parent's
                    self._transport.left()
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
        self.loop.close()
        self._transport.end()
        atexit.unregister(self._exit)

    def _dispatch(self, data: dict[str, Any]) -> None:
        kind, number = data["type"], data.get("job", 0)
        if kind == "log":
            # Handlers are user code: where there can be no thread, nobody can be told.
            with contextlib.suppress(RuntimeError):
                self._logs.call(lambda: surroundings.write_log(data["log"]))
        elif kind == "event":
            if job := self._jobs.get(number):
                job.event(data["event"])
        elif kind == "question":
            self._ask(number, data["question"])
        elif kind == "withdrawn":
            self._withdraw(number, data["withdrawn"])
        elif kind == "result":
            self._end(number, data.get("result"), None)
        else:
            self._end(number, None, from_info(data["error"]))

    def _ask(self, number: int, question: dict[str, Any]) -> None:
        def reply(answer: bytes) -> None:
            self._transport.reply(number, answer)

        job = self._jobs.get(number)
        if job is None or job.answers is None:
            reply(
                json.dumps({"id": question["id"], "answer": {"error": "nobody answers"}}).encode()
            )
        else:
            job.answers.ask(question, reply)

    def _withdraw(self, number: int, question: int) -> None:
        job = self._jobs.get(number)
        if job is not None and job.answers is not None:
            job.answers.withdraw(question)

    def _end(self, number: int, result: Any, error: BaseException | None) -> None:
        if self._exiting:
            # The threads that still wait are daemons: they end with the interpreter,
            # and would only complain on stderr about an error of its exit.
            self._jobs.pop(number, None)
            if not self._jobs:
                self._drained.set()
            return

        if job := self._jobs.get(number):
            self._conclude(job, result, error)

    def _conclude(self, job: Job, result: Any, error: BaseException | None) -> None:
        """End a job when its callback has heard everything.

        The first word counts: an error may cross the end, such as a cancelled job's.
        """
        if job.outcome is not None:
            return
        job.outcome = result, error
        job.after_events(lambda: self._wake(job))
        if job.late:  # looked at after the outcome is there, as `hurry` does the reverse
            self._wake(job)

    def hurry(self, job: Job) -> None:
        """Let a job's end wait for its callback no longer."""
        if job.listener is not None:
            job.listener.forget()
        job.late = True
        if job.outcome is not None:
            self._wake(job)

    def _wake(self, job: Job) -> None:
        if self._jobs.pop(job.number, None):  # none where it has ended, or in a fork
            job.end()

    def _exit(self) -> None:
        """End what runs, before the interpreter does."""
        end = time.monotonic() + EXIT_TIME
        self._exiting = True
        for number in tuple(self._jobs):
            self._transport.cancel(number)
        if self._jobs:
            self._drained.wait(EXIT_TIME)
        if self._logs.active:
            written = threading.Event()
            with contextlib.suppress(RuntimeError):
                self._logs.call(written.set)
                written.wait(max(0, end - time.monotonic()))

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
