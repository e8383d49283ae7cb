"""The events of an awaited operation, by `async for`."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
    from typing import Any, Generic, TypeVar

    from pylego._events import AsyncEventCallback, Event

    Value = TypeVar("Value")

    class Of(Generic[Value]):
        """What makes a class generic."""

else:
    Of, Value = {object: object}, object  # without typing

follower: ContextVar[Callable[[Event], None] | None] = ContextVar("follower", default=None)
"""Who follows the operations of this task."""


@contextmanager
def following(on_event: AsyncEventCallback | None) -> Generator[AsyncEventCallback | None]:
    """Return whom to tell of an operation's events: this callback, and who follows the task.

    Operations that its solvers or callbacks begin are others, which nobody follows.
    """
    tell = follower.get()
    if tell is None:
        yield on_event
        return

    def both(event: Event) -> Awaitable[object] | object:
        tell(event)
        return None if on_event is None else on_event(event)

    token = follower.set(None)
    try:
        yield both
    finally:
        follower.reset(token)


class Progress(Of[Value]):
    """A running operation: its events by `async for`, its result by `await`."""

    def __init__(self, operation: Coroutine[Any, Any, Value]) -> None:
        """Start the operation in a task of its own."""
        import asyncio  # noqa: PLC0415 -- for those who use it

        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        token = follower.set(self._events.put_nowait)
        try:
            self._task = asyncio.create_task(operation)  # it copies the context
        finally:
            follower.reset(token)
        self._task.add_done_callback(lambda _: self._events.put_nowait(None))

    def __await__(self) -> Generator[Any, None, Value]:
        """Wait for the result, or raise the operation's error."""
        return self._task.__await__()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events until the operation has ended, well or not.

        Cancelling the iteration cancels the operation; leaving it by `break` does not.
        """
        import asyncio  # noqa: PLC0415 -- as above

        while True:
            try:
                event = await self._events.get()
            except asyncio.CancelledError:
                self._task.cancel()
                await asyncio.wait([self._task])
                raise
            if event is None:
                self._events.put_nowait(None)  # for whoever iterates again
                return
            yield event


def follow(operation: Coroutine[Any, Any, Value]) -> Progress[Value]:
    """Start an operation of an `AsyncClient`, to iterate over its events and await its result.

    ```python
    progress = pylego.follow(client.obtain("example.com", challenges=HTTP01()))
    async for event in progress:
        print(event)
    certificate = await progress
    ```

    Args:
        operation: a coroutine that runs one operation or several.

    Returns:
        What iterates over the events and is awaited for the result.
    """
    return Progress(operation)
