"""Where user code runs: never on the thread that serves everybody's messages."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable

POOL_SIZE = 8


class Serial:
    """Calls one after the other, in order, on a thread of a shared pool.

    They see the contextvars of the code that made the Serial.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        """Copy the caller's context."""
        self._pool = pool
        self._context = contextvars.copy_context()
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._active = False

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` after those before it."""
        with self._lock:
            self._waiting.append(function)
            if self._active:
                return
            self._active = True
        try:
            self._pool.submit(self._context.run, self._drain)
        except RuntimeError:  # the interpreter is exiting: pools take nothing more
            self._context.run(self._drain)

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._active = False
                    return
                function = self._waiting.popleft()
            function()


def pool() -> ThreadPoolExecutor:
    """Make the pool that an engine's callbacks share; it starts threads as needed."""
    return ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="pylego-callback")
