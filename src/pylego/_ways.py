"""Types of what validates, for annotations: to load them is to load typing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pylego._challenges import Challenge

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pylego._challenges import Presentation


class Solver(Protocol):
    """Code of your own that answers challenges; its methods may be coroutine functions.

    It may have more than these two methods: `wait(presentation)`, which returns when
    the answer is visible, and attributes: `type`, the challenge's type (`"dns-01"` by
    default), and `parallel`, whether plain functions may be called by several
    orders at once; otherwise they are called one after the other.
    """

    def present(self, presentation: Presentation, /) -> Awaitable[None] | None:
        """Make an answer visible."""
        ...

    def clean_up(self, presentation: Presentation, /) -> Awaitable[None] | None:
        """Take it away; called for each `present` that began, however that ended."""
        ...


class TXTWriter(Protocol):
    """Code of your own that writes the record of `DNSPersist01`."""

    def set_txt(self, name: str, value: str, /) -> object:
        """Let a name have this TXT record, beside others that it has; it may be a coroutine function."""
        ...


Ways = Challenge | Solver | Sequence[Challenge | Solver]
"""One way to validate, or several in order of preference."""

Challenges = Ways | Mapping[str, Ways]
"""What `obtain` and `renew` validate by: one way, or several in order of preference; or
those for names and patterns of names, of which the first that fits counts."""
