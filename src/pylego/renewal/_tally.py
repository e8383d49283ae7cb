"""What one limit of a CA's counts, as far as we know of it: pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from pylego.renewal._quotas import DAY, MINUTE
from pylego.renewal._saved import (
    duration_of,
    list_of,
    moment_of,
    moments_of,
    object_of,
    text_of,
    texts_of,
)

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from typing import Any

    from pylego.renewal._quotas import Quota

LONGEST_ATTEMPT = DAY
"""Whatever else is said, no attempt takes longer."""

LAST = datetime.max.replace(tzinfo=timezone.utc) - LONGEST_ATTEMPT
"""What is later than that was written by nobody, and could not be reckoned with."""


@dataclass(frozen=True)
class Begun:
    """An attempt of which no end was heard: it is under way, or was killed."""

    of: str
    """The certificate's ID. One attempt at a time is made for it, by whoever holds its lock."""
    moment: datetime
    longest: timedelta
    kept: str = ""
    """The serial number of the certificate that was there: after another one has come it has succeeded."""

    @property
    def over(self) -> datetime:
        """When it has ended, whatever has become of its process."""
        return min(self.moment, LAST) + self.longest

    def may_count(self, begin: datetime, now: datetime) -> bool:
        """Tell whether it may count in a period, by a clock that may have been set by so much."""
        return begin < self.over and self.moment <= now + LONGEST_ATTEMPT

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        longest = self.longest.total_seconds()
        return {
            "of": self.of,
            "moment": text_of(self.moment),
            "longest": longest,
            "kept": self.kept,
        }

    @classmethod
    def from_json(cls, data: Any) -> Begun | None:
        """Read what `to_json` wrote, if it is that."""
        fields = object_of(data)
        moment, longest = moment_of(fields.get("moment")), fields.get("longest")
        of, kept = fields.get("of"), fields.get("kept")
        if moment is None or not isinstance(of, str) or not isinstance(kept, str):
            return None
        return cls(of, moment, duration_of(longest, LONGEST_ATTEMPT), kept)


@dataclass(frozen=True)
class Tally:
    """What one limit counts: when it happened, and what is under way and may yet count."""

    past: tuple[datetime, ...] = ()
    running: tuple[Begun, ...] = ()
    """Counted from the beginning until its end is heard, otherwise as if it happened at the last moment."""
    outside: tuple[tuple[datetime, datetime], ...] = ()
    """What happened neither in the last period nor just ahead, by the clock: that moment,
    and when it was first seen to be so. The clock may be wrong, and the CA still count it:
    so it is kept for a period more."""

    def settled(self, now: datetime, period: timedelta) -> Tally:
        """Drop what is over, and find what is outside by the clock as it is now.

        Save the outcome: what a clock that was far ahead has written counts from then on.
        """
        begin = now - period
        usual = not self.running and not self.outside
        if usual and all(begin < moment <= now for moment in self.past):
            return self  # of thousands most are so
        running = [each for each in self.running if each.may_count(begin, now)]
        lost = [each.over for each in self.running if not each.may_count(begin, now)]
        back = [moment for moment, _ in self.outside if begin < moment <= now]
        past = [moment for moment in self.past if begin < moment <= now + period]
        outside = [(moment, now) for moment in self.past if not begin < moment <= now + period]
        outside += [(moment, now) for moment in lost]
        outside += [
            (moment, min(seen, now))
            for moment, seen in self.outside
            if not begin < moment <= now and seen > begin
        ]
        return Tally(
            past=(*past, *back), running=tuple(running), outside=tuple(outside) if period else ()
        )

    def free(self, quota: Quota, now: datetime) -> datetime:
        """Return when one more is allowed: now or later.

        What is far ahead, and not settled yet, holds up nothing: with nobody to save when
        it was seen it would do so until that time really comes.
        """
        end = now + quota.period
        near = Tally(
            tuple(moment for moment in self.past if moment <= end),
            tuple(each for each in self.running if each.moment <= now + LONGEST_ATTEMPT),
            tuple(each for each in self.outside if each[1] <= end),
        ).settled(now, quota.period)
        ahead = [seen for moment, seen in near.outside if moment > now]
        lost = [each.over for each in near.running if each.over <= now]
        past = sorted([*near.past, *ahead, *lost])
        over = len(near.past) + len(ahead) + len(near.running) - quota.count
        if over < 0:
            return now
        if over >= len(past):  # who is under way may succeed: look again soon
            return now + MINUTE
        return past[over] + quota.period

    def begun(self, attempt: Begun) -> Tally:
        """Count what begins, whatever will come of it."""
        return replace(self, running=(*self.running, attempt))

    def ended(self, of: str, now: datetime, count: int) -> Tally:
        """Count what has come of a certificate's attempt."""
        running = tuple(each for each in self.running if each.of != of)
        return replace(self, past=(*self.past, *[now] * count), running=running)

    def taken_over(self, of: str, now: datetime, *, but: str | None = None) -> Tally:
        """Count what may have come of a certificate's older attempts, which are over.

        `but` is the serial number of a certificate: where it is the one of before, nothing has come of them.
        """
        older = [each for each in self.running if each.of == of]
        counted = [each for each in older if each.kept != but]
        past = (*self.past, *[min(each.over, now) for each in counted])
        running = tuple(each for each in self.running if each.of != of)
        return replace(self, past=past, running=running) if older else self

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        fields = {
            "past": texts_of(self.past),
            "running": [each.to_json() for each in self.running],
            "outside": [texts_of(each) for each in self.outside],
        }
        return {name: each for name, each in fields.items() if each}

    @classmethod
    def from_json(cls, data: Any) -> Tally:
        """Read what `to_json` wrote; what is none counts nothing."""
        fields = object_of(data)
        outside = map(moments_of, list_of(fields.get("outside")))
        running = map(Begun.from_json, list_of(fields.get("running")))
        return cls(
            moments_of(fields.get("past")),
            tuple(each for each in running if each is not None),
            tuple((each[0], each[1]) for each in outside if len(each) == 2),  # noqa: PLR2004 -- a pair
        )


@dataclass(frozen=True)
class Tallies(Mapping[str, Tally]):
    """Tallies by what they count for. Of many thousands few are asked for, and only those are read."""

    saved: dict[str, Any] = field(default_factory=dict[str, "Any"])
    """As JSON has them; nobody is to change it."""

    def __getitem__(self, name: str) -> Tally:
        """Return one as it was saved."""
        return Tally.from_json(self.saved[name])

    def __iter__(self) -> Iterator[str]:
        """Go over what they count for."""
        return iter(self.saved)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.saved)

    def noted(self, tallies: Mapping[str, Tally]) -> Tallies:
        """Return them with some changed; what counts nothing is not kept."""
        saved = dict(self.saved)
        for name, tally in tallies.items():
            saved[name] = tally.to_json()
            if not saved[name]:
                del saved[name]
        return Tallies(saved)

    def settled(self, now: datetime, period: timedelta) -> Tallies:
        """Return all of them settled."""
        return Tallies().noted({name: tally.settled(now, period) for name, tally in self.items()})
