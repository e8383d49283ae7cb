"""What happens during an operation, told while it happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

KINDS = (
    "account",
    "account_renewed",
    "order",
    "order_resumed",
    "authorization",
    "waiting",
    "presented",
    "propagated",
    "triggered",
    "validated",
    "attempt_failed",
    "finalized",
    "issued",
    "cleaned_up",
    "clean_up_failed",
    "retrying",
)
"""Every kind of event, in the order in which an order meets them."""


@dataclass(frozen=True)
class Event:
    """One step of an operation."""

    kind: str
    """One of `KINDS`."""
    identifier: str = ""
    """The name or address it is about; a wildcard begins with `*.`."""
    challenge: str = ""
    """The challenge's type, such as `"dns-01"`."""
    detail: str = ""
    """More for a person: a URL, a state, what went wrong."""
    wait: float = 0.0
    """Seconds until the next try, for `retrying`."""
    elapsed: float = 0.0
    """Seconds since the operation began."""


EventCallback = Callable[[Event], object]
"""Called with each event, in order, on a thread of pylego's."""

AsyncEventCallback = Callable[[Event], "Awaitable[object] | object"]
"""The same on an event loop: a function or a coroutine function."""
