"""Threads for user code: daemons, so that none of them can hold up the interpreter's exit."""

from __future__ import annotations

import threading

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable


def on_a_thread(function: Callable[[], None], name: str) -> None:
    """Run a function on a thread of its own; here where the interpreter is exiting.

    Since Python 3.12 no thread can be started then, and nobody new can come who would
    be held up.

    Raises:
        RuntimeError: there can be no more threads.
    """
    try:
        threading.Thread(target=function, name=name, daemon=True).start()
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise
        function()
