"""Waiting for descriptors, so that only the thread that waits is held up."""

from __future__ import annotations

import select

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Collection


def wait(reading: Collection[int], writing: Collection[int] = ()) -> set[int]:
    """Wait until some can be read or written; return those.

    By poll, since select cannot take descriptors above 1023. gevent replaces both;
    eventlet takes poll away, and its select takes any descriptor.
    """
    if not hasattr(select, "poll"):
        readable, writable, _ = select.select(reading, writing, [])
        return {*readable, *writable}
    poll = select.poll()
    for descriptors, event in ((reading, select.POLLIN), (writing, select.POLLOUT)):
        for descriptor in descriptors:
            poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll()}
