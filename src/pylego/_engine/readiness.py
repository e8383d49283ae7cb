"""Waiting for descriptors, so that only the thread that waits is held up."""

from __future__ import annotations

import select
import sys
import time

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Collection

GLANCE = 0.01
"""Seconds between two looks at pipes, where nothing tells that one can be read."""


def by_greenlets() -> bool:
    """Tell whether gevent waits, whose greenlets go on in a fork."""
    return getattr(getattr(select, "poll", None), "__module__", "") == "gevent.select"


def wait(
    reading: Collection[int], writing: Collection[int] = (), timeout: float | None = None
) -> set[int]:
    """Wait until some can be read or written, or the seconds are over; return those.

    By poll, since select cannot take descriptors above 1023. gevent replaces both;
    eventlet takes poll away, and its select takes any descriptor.
    """
    if sys.platform == "win32" or not hasattr(select, "poll"):
        readable, writable, _ = select.select(reading, writing, [], timeout)
        return {*readable, *writable}
    poll = select.poll()
    for descriptors, event in ((reading, select.POLLIN), (writing, select.POLLOUT)):
        for descriptor in descriptors:
            poll.register(descriptor, event)
    milliseconds = None if timeout is None else timeout * 1000
    return {descriptor for descriptor, _ in poll.poll(milliseconds)}


def wait_for_pipes(pipes: Collection[int], timeout: float) -> set[int]:
    """Wait until some of the pipes can be read, or the seconds are over; return those.

    Windows' select knows sockets alone: there they are looked at, one by one.
    """
    if sys.platform != "win32":
        return wait(pipes, timeout=timeout)
    until = time.monotonic() + timeout
    while not (ready := {pipe for pipe in pipes if _can_be_read(pipe)}):
        if time.monotonic() >= until:
            break
        time.sleep(GLANCE)
    return ready


def _can_be_read(pipe: int) -> bool:
    """Tell whether reading would not wait, on Windows."""
    if sys.platform != "win32":
        return True
    import _winapi  # noqa: PLC0415 -- what no other system has
    import msvcrt  # noqa: PLC0415 -- likewise

    try:
        return _winapi.PeekNamedPipe(msvcrt.get_osfhandle(pipe))[-2] > 0
    except BrokenPipeError:  # it has ended, as reading it tells
        return True
