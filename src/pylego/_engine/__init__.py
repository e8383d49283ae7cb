"""The engine behind the bridge: the only place that knows ctypes, pipes and fork."""

from __future__ import annotations

import importlib
import os
import threading

from pylego._engine.call import Call
from pylego._errors import EngineError, InvalidRequest

__all__ = ["Call", "of", "run"]

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pylego._engine.jobs import Engine, Job
    from pylego._engine.library import Library
    from pylego._engine.process import Process
    from pylego._events import EventCallback

ISOLATIONS = ("", "process")
"""Where the engine runs: in this process where that is possible, or in one of its own."""

_engines: dict[str, Engine] = {}
_abandoned: list[Engine] = []
# Reentrant: a signal handler may make the first call while its thread makes another's.
_opening = threading.RLock()
"""Held while an engine is opened, and during a fork: see `_after_fork`."""


def run(
    call: Call,
    on_event: EventCallback | None = None,
    on_begin: Callable[[Job], object] | None = None,
) -> Any:
    """Run a call on this process's engine, which the first call starts.

    Args:
        call: the operation.
        on_event: is called with each event, on a thread of pylego's.
        on_begin: is called with the job when it has begun: another thread may cancel it.

    Raises:
        LEGOError: the operation failed.
        InvalidRequest: an argument does not fit.
        EngineError: the engine cannot run here.
    """
    return of(call).run(call, on_event, on_begin)


def of(call: Call) -> Engine:
    """Return the engine for a call; it is started where this process has none.

    Raises:
        InvalidRequest: there is no such isolation.
        EngineError: the engine cannot run here.
    """
    isolation = call.isolation
    if isolation is None:
        isolation = os.environ.get("PYLEGO_ISOLATION", "")
    engine = _engines.get(isolation)
    if engine is None or not engine.usable or engine.pid != os.getpid():
        engine = _open(isolation)
    return engine


def _open(isolation: str) -> Engine:
    if isolation not in ISOLATIONS:
        msg = f'isolation is "process" or left out, not {isolation!r}'
        raise InvalidRequest(msg, code="invalid_arguments")
    engine = _engines.get(isolation)
    if engine is not None and engine.pid != os.getpid():
        _after_fork()  # by C code, which has not called the hook
    with _opening:
        engine = _engines.get(isolation)
        if engine is None or not engine.usable:
            _refuse_subinterpreter()
            # Not before the first call: importing pylego loads no Go, and costs
            # neither a thread nor the modules for one.
            importlib.import_module("datetime")  # what results and errors import later
            from pylego._engine.jobs import Engine  # noqa: PLC0415 -- for those who make a call

            # Known before it begins: whatever interrupts that, no engine is lost.
            engine = _engines[isolation] = Engine(_transport(isolation))
            engine.begin()
    return engine


def _transport(isolation: str) -> Library | Process:
    if isolation != "process":
        from pylego._engine.library import open_library  # noqa: PLC0415 -- as above

        if library := open_library():
            return library
    from pylego._engine.process import Process  # noqa: PLC0415 -- as above

    return Process()


def _refuse_subinterpreter() -> None:
    """Say in one sentence what would fail in several ways: ctypes, the thread, the exit."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # since Python 3.13, and before
        try:
            interpreters: Any = importlib.import_module(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            msg = "pylego runs in a process's main interpreter only, and this is a sub-interpreter"
            raise EngineError(msg)
        return


# The lock is looked up at each fork: a child has one of its own.


def _before_fork() -> None:
    _opening.acquire()


def _after_fork_in_parent() -> None:
    _opening.release()


def _after_fork() -> None:
    """Leave the parent's engines alone: their threads do not exist here.

    No thread of the parent was opening one: an import that a fork has interrupted
    could never be made in the child, where nobody is left to end it.
    """
    global _opening  # noqa: PLW0603 -- a process has one, and a fork another
    _opening = threading.RLock()
    for engine in _engines.values():
        engine.abandon()
    _abandoned.extend(_engines.values())  # never freed: what they hold is the parent's
    _engines.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork
    )
