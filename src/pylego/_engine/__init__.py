"""The engine behind the bridge: the only place that knows ctypes, pipes and fork."""

from __future__ import annotations

import os
import threading

from pylego._errors import EngineError

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    from pylego._engine.jobs import Engine, Job
    from pylego._events import EventCallback

_engine: Engine | None = None
_opening = threading.Lock()
_forked = False


def start(
    operation: str,
    message: dict[str, Any],
    *,
    timeout: float | None = None,
    on_event: EventCallback | None = None,
) -> Job:
    """Start an operation on this process's engine, which the first call loads.

    Args:
        operation: the operation's name.
        message: its input.
        timeout: seconds until the engine ends it; none by default.
        on_event: is called with each event, on a thread of pylego's.

    Raises:
        EngineError: the engine cannot run here.
    """
    return _open().start(operation, message, timeout=timeout, on_event=on_event)


def _open() -> Engine:
    global _engine  # noqa: PLW0603 -- one Go runtime per process
    if _engine is not None:
        return _engine
    if _forked:
        msg = (
            "this process was forked from one in which pylego had started its engine, and a Go "
            "runtime does not survive a fork; make the first call after the fork"
        )
        raise EngineError(msg)
    with _opening:
        if _engine is None:
            # Not before the first call: importing pylego loads no Go, and costs
            # neither a thread nor the modules for one.
            from pylego._engine.jobs import Engine  # noqa: PLC0415

            _engine = Engine()
    return _engine


def _after_fork() -> None:
    """Forget the parent's engine; its threads do not exist here."""
    global _engine, _opening, _forked  # noqa: PLW0603
    _forked = _forked or _engine is not None
    _engine = None
    _opening = threading.Lock()  # another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
