"""What was saved, read again: it may be an older program's, or somebody's who has edited it.

What cannot be read is not there; renewing goes on.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def moment_of(value: Any) -> datetime | None:
    """Read a moment as it was saved."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(timezone.utc) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def count_of(value: Any) -> int:
    """Read how many there were."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def duration_of(value: Any, longest: timedelta) -> timedelta:
    """Read how many seconds something may take; what is none is the longest."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    seconds = longest.total_seconds()
    return timedelta(seconds=value) if number and 0 <= value <= seconds else longest


def moments_of(value: Any) -> tuple[datetime, ...]:
    return tuple(moment for moment in map(moment_of, list_of(value)) if moment is not None)


def list_of(value: Any) -> list[Any]:
    """Read a list; what is none is empty."""
    values: list[Any] = value if _is(value, list) else []
    return values


def object_of(value: Any) -> dict[str, Any]:
    """Read an object; what is none is empty."""
    fields: dict[str, Any] = value if _is(value, dict) else {}
    return fields


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind)  # without telling pyright, which knows no dict of Any then


def text_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def texts_of(moments: Iterable[datetime]) -> list[str]:
    return [moment.isoformat() for moment in moments]
