"""What is remembered of attempts: pure data.

One attempt has one certificate issued by one CA. What is remembered of it is saved: the
certificate's own in a `History`, what it shares with the others of that CA in a `Ledger`.
`_choice` says what it allows next, `_record` what an attempt adds to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from pylego.renewal._quotas import DAY, MINUTE, WEEK, Quotas, as_issued, period_of, proven
from pylego.renewal._saved import count_of, moment_of, moments_of, object_of, text_of, texts_of
from pylego.renewal._tally import Tallies, Tally

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeVar

    Value = TypeVar("Value")

TIMES = ((1, 1), (2, 2), (5, 1), (10, 3), (20, 4), (30, 6), (60, 3), (120, 2), (180, 2), (288, 1))

INTERVALS = tuple(minutes * MINUTE for minutes, times in TIMES for _ in range(times))
"""The least waits after failures in a row: certmagic's, from a minute to 6 hours, which
the last is when it is stretched."""

STRETCH = 0.25
"""By so much of itself a wait is longer at random, that many who failed together spread."""

LONGEST_REFUSAL = WEEK
"""A CA's Retry-After is heeded so long: its longest limit is a week's (Let's Encrypt's)."""


def delay(failures: int, share: float) -> timedelta:
    """Return the wait after so many failures in a row; `share` is drawn from 0 to 1."""
    interval = INTERVALS[min(max(failures, 1), len(INTERVALS)) - 1]
    return interval * (1 + STRETCH * min(max(share, 0.0), 1.0))


@dataclass(frozen=True)
class Tries:
    """The failures in a row of one certificate at one CA, or of a CA itself."""

    failures: int = 0
    failed: datetime | None = None
    """When the last attempt failed."""
    until: datetime | None = None
    """When the next may be made."""
    error: str = ""
    """What the last failure said."""
    rehearsed: bool = False
    """Whether the CA's staging has issued the certificate since."""

    def free(self, now: datetime) -> datetime:
        """Return when the next attempt may be made: now or later.

        A wait that ends farther away than twice its length was written by a clock that
        was ahead, and is none.
        """
        if self.failed is None or self.until is None:
            return now
        left, wait = self.until - now, self.until - self.failed
        return self.until if timedelta(0) < left <= 2 * wait else now

    def after_failure(
        self, words: str, now: datetime, share: float, retry_after: datetime | None = None
    ) -> Tries:
        """Wait, longer after each failure, and until the CA will hear of it again."""
        until = now + delay(self.failures + 1, share)
        if retry_after is not None:
            until = max(until, min(retry_after, now + LONGEST_REFUSAL))
        return Tries(self.failures + 1, now, until, words)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "failures": self.failures,
            "failed": text_of(self.failed),
            "until": text_of(self.until),
            "error": self.error,
            "rehearsed": self.rehearsed,
        }

    @classmethod
    def from_json(cls, data: Any) -> Tries:
        """Read what `to_json` wrote; what is none has not failed."""
        fields = object_of(data)
        failures, error = fields.get("failures"), fields.get("error")
        return cls(
            failures=count_of(failures),
            failed=moment_of(fields.get("failed")),
            until=moment_of(fields.get("until")),
            error=error if isinstance(error, str) else "",
            rehearsed=fields.get("rehearsed") is True,
        )


UNTRIED = Tries()


@dataclass(frozen=True)
class Authority:
    """What is remembered of an account's CA."""

    orders: Tally = field(default_factory=Tally)
    tries: Tries = field(default_factory=Tries)
    """Failures that were the CA's own, whatever certificate they met."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"orders": self.orders.to_json(), "tries": self.tries.to_json()}

    @classmethod
    def from_json(cls, data: Any) -> Authority:
        """Read what `to_json` wrote."""
        fields = object_of(data)
        return cls(Tally.from_json(fields.get("orders")), Tries.from_json(fields.get("tries")))


@dataclass(frozen=True)
class History:
    """What is remembered of one certificate, wherever it is from."""

    tries: Mapping[str, Tries] = field(default_factory=dict[str, Tries])
    """By the CA's directory, since the last success."""
    issued: tuple[datetime, ...] = ()
    """When it was issued, in the last week."""

    def at(self, directory: str) -> Tries:
        """Return what came of the attempts at one CA."""
        return self.tries.get(directory, UNTRIED)

    def noted(self, directory: str, tries: Tries) -> History:
        """Remember what came of an attempt at one CA."""
        return replace(self, tries={**self.tries, directory: tries})

    def free(self, directories: Iterable[str], now: datetime) -> datetime:
        """Return when the first of these CAs may be tried, as far as this certificate goes."""
        if not self.tries:
            return now
        return min((self.at(directory).free(now) for directory in directories), default=now)

    def renewed(self, now: datetime) -> History:
        """Forget the failures: it was issued."""
        recent = (moment for moment in self.issued if now - WEEK < moment <= now)
        return History(issued=(*recent, now))

    def calm(self, begin: datetime, life: timedelta, now: datetime) -> datetime:
        """Return until when a certificate of that life is kept, whatever is said of it.

        Where the CA advises to renew at once each time, or issues for other names than it
        was asked for, it would be renewed for ever: the more there were in the last week,
        the longer each is kept. One that was old when it came says that the clock is ahead.
        """
        recent = [moment for moment in self.issued if now - WEEK < moment <= now]
        if not recent:
            return now
        last = max(recent)
        wait = DAY if last - begin > life / 3 else delay(len(recent), 0)
        return last + min(wait, life / 3)

    @property
    def last(self) -> Tries:
        """The attempt that failed last, at whatever CA."""
        failed = [tries for tries in self.tries.values() if tries.failed is not None]
        return max(failed, key=_failed, default=UNTRIED)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        tries = {directory: tries.to_json() for directory, tries in self.tries.items()}
        return {"tries": tries, "issued": texts_of(self.issued)}

    @classmethod
    def from_json(cls, data: Any) -> History:
        """Read what `to_json` wrote; what is none is no history."""
        fields = object_of(data)
        tries = object_of(fields.get("tries"))
        return cls(
            {directory: Tries.from_json(each) for directory, each in tries.items()},
            moments_of(fields.get("issued")),
        )


@dataclass(frozen=True)
class Past:
    """All that bears on an attempt to have one certificate from one CA.

    For a rehearsal `tries` are the certificate's at the CA that it is rehearsed for, and
    the rest is the staging's.
    """

    tries: Tries = field(default_factory=Tries)
    authority: Authority = field(default_factory=Authority)
    identifiers: Mapping[str, Tally] = field(default_factory=dict[str, Tally])
    """The failed authorizations of each of its identifiers, as `proven` names them."""
    names: Tally = field(default_factory=Tally)
    """The certificates for exactly its names."""

    def taken_over(self, of: str, now: datetime, kept: str) -> Past:
        """End the older attempts of a certificate: whoever holds its lock knows that they are over.

        Each may have cost an order, and a failed authorization of each identifier. But nothing was
        issued unless a certificate is there, or the order is on the disk: that one is gone on with,
        and counts then.

        Args:
            of: the certificate's ID.
            now: the time.
            kept: the serial number of the certificate that is there.
        """
        return replace(
            self,
            authority=replace(self.authority, orders=self.authority.orders.taken_over(of, now)),
            identifiers={
                name: tally.taken_over(of, now) for name, tally in self.identifiers.items()
            },
            names=self.names.taken_over(of, now, but=kept),
        )

    def settled(self, quotas: Quotas, now: datetime) -> Past:
        """Drop what no limit counts any more; to be saved, as `Tally.settled` says."""
        return replace(
            self,
            authority=replace(
                self.authority, orders=self.authority.orders.settled(now, period_of(quotas.orders))
            ),
            identifiers={
                name: tally.settled(now, period_of(quotas.failed_authorizations))
                for name, tally in self.identifiers.items()
            },
            names=self.names.settled(now, period_of(quotas.duplicates)),
        )


@dataclass(frozen=True)
class Ledger:
    """What is remembered of one account's CA, for all its certificates: one state to be saved."""

    authority: Authority = field(default_factory=Authority)
    identifiers: Tallies = field(default_factory=Tallies)
    """The failed authorizations of each identifier, as `proven` names it."""
    names: Tallies = field(default_factory=Tallies)
    """The certificates for each set of names."""
    swept: datetime | None = None
    """When all were settled last."""

    def past(self, identifiers: Iterable[str], tries: Tries) -> Past:
        """Return what bears on a certificate for these identifiers, of which `tries` are known."""
        names = list(identifiers)
        return Past(
            tries=tries,
            authority=self.authority,
            identifiers={name: self.identifiers.get(name, Tally()) for name in map(proven, names)},
            names=self.names.get(_set_of(names), Tally()),
        )

    def noted(self, identifiers: Iterable[str], past: Past) -> Ledger:
        """Remember what has become of it."""
        return replace(
            self,
            authority=past.authority,
            identifiers=self.identifiers.noted(past.identifiers),
            names=self.names.noted({_set_of(identifiers): past.names}),
        )

    def swept_at(self, now: datetime, quotas: Quotas) -> Ledger:
        """Drop what no limit counts any more: once a day, for there may be thousands that do count."""
        recently = self.swept is not None and self.swept <= now < self.swept + DAY
        if recently or not (self.identifiers or self.names):
            return self
        identifiers = self.identifiers.settled(now, period_of(quotas.failed_authorizations))
        names = self.names.settled(now, period_of(quotas.duplicates))
        return Ledger(self.authority, identifiers, names, now)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "authority": self.authority.to_json(),
            "identifiers": self.identifiers.saved,
            "names": self.names.saved,
            "swept": text_of(self.swept),
        }

    @classmethod
    def from_json(cls, data: Any) -> Ledger:
        """Read what `to_json` wrote."""
        fields = object_of(data)
        return cls(
            Authority.from_json(fields.get("authority")),
            Tallies(object_of(fields.get("identifiers"))),
            Tallies(object_of(fields.get("names"))),
            moment_of(fields.get("swept")),
        )


def _set_of(identifiers: Iterable[str]) -> str:
    return " ".join(sorted(set(map(as_issued, identifiers))))


def _failed(tries: Tries) -> datetime:
    return tries.failed or datetime.min.replace(tzinfo=timezone.utc)
