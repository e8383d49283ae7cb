"""The engine's questions, answered by the caller's own code: never on the thread that serves everybody."""

from __future__ import annotations

import contextvars
import functools
import inspect
import json
import threading

from pylego._engine import surroundings
from pylego._engine.threads import on_a_thread

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    Answer = Callable[[str, dict[str, Any]], Callable[[], Any]]
    """Finds what answers a question; it may be a coroutine function."""
    Reply = Callable[[bytes], None]


class Answers:
    """Who answers the questions of one call.

    Functions run on a thread each, not on those of the callbacks: a solver may make
    calls of its own, which ask in turn. Coroutines run on an event loop. Both see
    the contextvars of the code that made the call.
    """

    def __init__(self, answer: Answer, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """Keep the caller's code, and how to get at a loop."""
        self.error: BaseException | None = None
        """The first exception that was an answer."""
        self._answer = answer
        self._loop = loop
        self._context = contextvars.copy_context()
        self._tasks: dict[int, Future[None]] = {}

    def ask(self, question: dict[str, Any], reply: Reply) -> None:
        """Have a question answered; the reply is given when it is.

        The engine's thread calls this: whatever the caller's code raises must not end it.
        """
        number = question["id"]
        try:
            self._begin(number, self._answer(question["ask"], question["input"]), reply)
        except BaseException as error:  # noqa: BLE001 -- it is the order's
            self._tell(number, reply, error)

    def _begin(self, number: int, function: Callable[[], Any], reply: Reply) -> None:
        if inspect.iscoroutinefunction(function):
            self._on_the_loop(number, function, reply)
            return
        context = self._context.copy()  # one cannot be entered twice at a time

        def work() -> None:
            context.run(self._run, number, function, reply)

        on_a_thread(work, "pylego-solver")

    def withdraw(self, number: int) -> None:
        """Cancel the answering of a question, where that can be done: a coroutine's."""
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()

    def _run(self, number: int, function: Callable[[], Any], reply: Reply) -> None:
        try:
            outcome = function()
        except BaseException as error:  # noqa: BLE001 -- it is the order's
            self._tell(number, reply, error)
            return
        if inspect.isawaitable(outcome):
            self._on_the_loop(number, functools.partial(_awaited, outcome), reply)
        else:
            self._tell(number, reply, None)

    def _on_the_loop(self, number: int, function: Callable[[], Any], reply: Reply) -> None:
        import asyncio  # noqa: PLC0415 -- for those who use it

        context, coroutine = self._context.copy(), function()
        try:
            task: Future[None] = context.run(
                asyncio.run_coroutine_threadsafe, coroutine, self._loop()
            )
        except RuntimeError:  # the interpreter is exiting: no thread can run a loop any more
            self._run(number, lambda: context.run(asyncio.run, coroutine), reply)
            return
        self._tasks[number] = task
        task.add_done_callback(functools.partial(self._done, number, reply))

    def _done(self, number: int, reply: Reply, task: Future[None]) -> None:
        self._tasks.pop(number, None)
        if task.cancelled():
            self._tell(number, reply, InterruptedError("it was cancelled"))
        else:
            self._tell(number, reply, task.exception())

    def _tell(self, number: int, reply: Reply, error: BaseException | None) -> None:
        answer = {}
        if error is not None:
            surroundings.log.info("code of the caller's failed", exc_info=error)
            self.error = self.error or error
            answer = {"error": f"{type(error).__name__}: {error}"}
        reply(json.dumps({"id": number, "answer": answer}).encode())


async def _awaited(outcome: Any) -> None:
    await outcome


class LoopThread:
    """An event loop on a thread of its own, for the coroutines of callers who have none."""

    def __init__(self) -> None:
        """Start nothing."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self) -> asyncio.AbstractEventLoop:
        """Return the loop; the first call starts it.

        Raises:
            RuntimeError: there can be no more threads, or the engine has failed.
        """
        import asyncio  # noqa: PLC0415 -- for those who use it

        with self._lock:
            if self._closed:
                msg = "the engine of this loop has failed"
                raise RuntimeError(msg)
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=_serve, args=(loop,), name="pylego-loop", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:
                    loop.close()
                    raise
                self._loop = loop
            return self._loop

    def close(self) -> None:
        """Cancel what runs on the loop, and end it and its thread."""
        with self._lock:
            self._closed = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and what is still on it to its end."""
    import asyncio  # noqa: PLC0415 -- as above

    loop.run_forever()
    if tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks))
    loop.close()
