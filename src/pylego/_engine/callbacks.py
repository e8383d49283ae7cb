"""Where user code runs: never on the thread that serves everybody's messages."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections import deque

from pylego._engine.threads import on_a_thread
from pylego._errors import EngineError

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable

    from pylego._events import Event, EventCallback


PATIENCE = 0.05
"""Seconds for which a thread waits for the next call: to start one takes longer than a call."""


class Serial:
    """Calls one after the other, in order, on a thread of its own while there are any.

    Its own: what is called may make calls that wait for callbacks in turn. They see
    the contextvars of the code that made the Serial.
    """

    def __init__(self) -> None:
        """Copy the caller's context."""
        self._context = contextvars.copy_context()
        self._waiting: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition(threading.Lock())
        self.active = False
        """Whether there is a thread: anything is called, waits for it, or has just been."""

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` after those before it.

        Raises:
            RuntimeError: there can be no thread; the function is forgotten.
        """
        with self._changed:
            self._waiting.append(function)
            if self.active:
                self._changed.notify()
                return
            self.active = True
        here = threading.get_ident()
        try:
            on_a_thread(lambda: self._context.run(self._drain, here), "pylego-callback")
        except RuntimeError:
            with self._changed:
                self._waiting.clear()
                self.active = False
            raise

    def _drain(self, caller: int) -> None:
        # At the interpreter's exit it may be the caller's own thread: nothing is worth a wait.
        patience = 0 if threading.get_ident() == caller else PATIENCE
        while True:
            with self._changed:
                if not self._waiting:
                    self._changed.wait(patience)
                if not self._waiting:
                    self.active = False
                    return
                function = self._waiting.popleft()
            try:
                function()
            except BaseException as error:  # noqa: BLE001 -- a log handler's, say: the next is called all the same
                with contextlib.suppress(BaseException):
                    sys.excepthook(type(error), error, error.__traceback__)


class Listener:
    """The callback of one call, on a thread of its own.

    An exception of its ends the call, which raises it.
    """

    def __init__(self, on_event: EventCallback, cancel: Callable[[], None]) -> None:
        """Keep the callback, and how to cancel the call."""
        self.error: BaseException | None = None
        self._on_event: EventCallback | None = on_event
        self._cancel = cancel
        self._serial = Serial()

    def event(self, event: Event) -> None:
        """Tell the callback, after those before it."""
        try:
            self._serial.call(lambda: self._tell(event))
        except RuntimeError as error:
            self._end(EngineError(f"there can be no thread for the callback: {error}"))

    def _tell(self, event: Event) -> None:
        if self._on_event is None or self.error is not None:
            return
        try:
            self._on_event(event)
        except BaseException as error:  # noqa: BLE001 -- it is raised to the caller
            self._end(error)

    def _end(self, error: BaseException) -> None:
        self.error = self.error or error
        self._cancel()

    def afterwards(self, function: Callable[[], None]) -> None:
        """Run a function of ours when the callback has seen every event so far."""
        try:
            self._serial.call(function)
        except RuntimeError:  # no thread, so that no event waits either
            function()

    def forget(self) -> None:
        """Tell nothing more."""
        self._on_event = None
