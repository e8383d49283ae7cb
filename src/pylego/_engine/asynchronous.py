"""A call that an event loop waits for."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import weakref
from typing import TYPE_CHECKING

from pylego import _engine
from pylego._engine import surroundings
from pylego._engine.questions import Answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pylego._engine.call import Call
    from pylego._events import AsyncEventCallback, Event


async def run(call: Call, on_event: AsyncEventCallback | None = None) -> Any:
    """Run a call while the loop goes on.

    Cancelling the task cancels the call; CancelledError is raised when it has
    cleaned up, at latest after its `cleanup_timeout`; a second one at once.

    Raises:
        LEGOError: the operation failed.
        InvalidRequest: an argument does not fit.
        EngineError: the engine cannot run here.
    """
    request = surroundings.request(call, events=on_event is not None)
    engine = _engine.of(call)
    job = engine.job()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = weakref.ref(ended)  # the engine's job must not keep a forgotten coroutine alive

    def tell_the_end() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            if event := waiting():
                loop.call_soon_threadsafe(event.set)

    job.on_end = tell_the_end
    hurry: asyncio.TimerHandle | None = None
    if on_event is not None:
        job.listener = Listener(on_event, job.cancel, loop)
        if call.timeout is not None:
            hurry = loop.call_later(call.patience, engine.hurry, job)
    if call.answer is not None:
        # A clean-up may come after the caller's loop, where nobody waited for it.
        job.answers = Answers(call.answer, lambda: engine.loop() if loop.is_closed() else loop)
    try:
        engine.start(job, request)
        await ended.wait()
    except asyncio.CancelledError:
        job.cancel()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ended.wait(), call.cleanup_timeout)
        if job.outcome is None:
            surroundings.log.warning("a cancelled operation is still cleaning up")
        raise
    except BaseException:  # GeneratorExit: the loop is gone, or never came back
        job.cancel()
        raise
    finally:
        if hurry is not None:
            hurry.cancel()
    return job.result()


class Listener:
    """The callback of one call, on its event loop; it may be a coroutine function.

    An exception of its ends the call, which raises it.
    """

    def __init__(
        self,
        on_event: AsyncEventCallback,
        cancel: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Start the task that calls it, in this task's context."""
        self.error: BaseException | None = None
        self._on_event = on_event
        self._cancel = cancel
        self._loop = loop
        self._heard = True
        self._queue: asyncio.Queue[Event | Callable[[], None]] = asyncio.Queue()
        self._task = loop.create_task(self._tell_all())
        self._task.add_done_callback(self._deserted)

    def event(self, event: Event) -> None:
        """Tell the callback, after those before it."""
        if self._heard:
            self._put(event)

    def afterwards(self, function: Callable[[], None]) -> None:
        """Run a function when the callback has seen every event so far; it is the last."""
        self._put(function)

    def forget(self) -> None:
        """Tell nothing more."""
        self._heard = False

    def _put(self, item: Event | Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._take, item)
        except RuntimeError:  # the loop is closed, and the job's end concerns others too
            if callable(item):
                item()

    def _take(self, item: Event | Callable[[], None]) -> None:
        if not self._task.done():
            self._queue.put_nowait(item)
        elif callable(item):
            item()

    def _deserted(self, _: asyncio.Task[None]) -> None:
        """Run what waits behind the events when the task is cancelled, as at asyncio.run's end."""
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if callable(item):
                item()

    async def _tell_all(self) -> None:
        while True:
            item = await self._queue.get()
            if callable(item):
                item()
                return
            if self.error is not None or not self._heard:
                continue
            try:
                outcome = self._on_event(item)
                if inspect.isawaitable(outcome):
                    await outcome
            except BaseException as error:  # noqa: BLE001 -- it is raised to the caller
                self.error = error
                self._cancel()
