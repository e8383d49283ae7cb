"""Whether an attempt may be made, and at which CA: pure functions of what is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field

from pylego.renewal._history import Past, Tries
from pylego.renewal._quotas import HOUR, Quota, Quotas

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime


TAKE_OVER = 3
"""After so many failures in a row the next CA takes over, beside the tries at the first."""

CLOSED = 6 * HOUR
"""A CA that is closed for longer leaves the attempt to the next one at once."""


@dataclass(frozen=True)
class Permission:
    """Whether an attempt may be made."""

    until: datetime
    """The moment of the question, where it may; otherwise when to ask again."""
    granted: bool
    why: str = ""
    """What forbids it, for a person."""


def may_try(past: Past, quotas: Quotas, now: datetime, *, advised: bool = False) -> Permission:
    """Say whether an attempt may be made now; `advised` is one in the CA's window (RFC 9773)."""
    until, why = max(_obstacles(past, quotas, now, advised=advised), key=_moment)
    return Permission(until, granted=until <= now, why=why if until > now else "")


def _obstacles(
    past: Past, quotas: Quotas, now: datetime, *, advised: bool
) -> Iterable[tuple[datetime, str]]:
    yield past.tries.free(now), _said(past.tries, "attempt")
    yield past.authority.tries.free(now), _said(past.authority.tries, "attempt at the CA")
    if quota := quotas.failed_authorizations:
        for name, tally in past.identifiers.items():
            yield tally.free(quota, now), f"{_told(quota)} failed authorizations of {name}"
    if advised and quotas.advised_are_exempt:
        return
    if quota := quotas.orders:
        yield past.authority.orders.free(quota, now), f"{_told(quota)} orders of one account"
    if quota := quotas.duplicates:
        yield past.names.free(quota, now), f"{_told(quota)} certificates for the same names"


def _said(tries: Tries, what: str) -> str:
    return f"{_counted(tries.failures, what)} failed, the last with: {tries.error}"


def _told(quota: Quota) -> str:
    hours = quota.period / HOUR
    return f"in {hours:g} hours the CA allows no more than {quota.count}"


def _counted(count: int, what: str) -> str:
    first, *rest = what.split(" ")
    return " ".join([f"{count} {first}{'' if count == 1 else 's'}", *rest])


@dataclass(frozen=True)
class Candidate:
    """A CA that may issue a certificate."""

    directory: str
    past: Past = field(default_factory=Past)
    quotas: Quotas = field(default_factory=Quotas)
    advised: bool = False
    """Whether its order will replace a certificate within this CA's window for that."""
    staging: Candidate | None = None
    """Where its attempts are rehearsed."""

    def may_try(self, now: datetime) -> Permission:
        """Say whether an attempt may be made here now."""
        return may_try(self.past, self.quotas, now, advised=self.advised)

    def rehearsal(self, now: datetime) -> Candidate | None:
        """Return where the next attempt is rehearsed: the first try needs none (certmagic's way).

        A staging that is closed itself is no reason to wait.
        """
        tries = self.past.tries
        if self.staging is None or tries.failures == 0 or tries.rehearsed:
            return None
        return self.staging if self.staging.may_try(now).granted else None

    def leaves_it(self, now: datetime) -> bool:
        """Tell whether the next CA takes over: this one has failed, or is closed for long."""
        failures = max(self.past.tries.failures, self.past.authority.tries.failures)
        return failures >= TAKE_OVER or self.may_try(now).until - now > CLOSED


@dataclass(frozen=True)
class Choice:
    """Where the next attempt is made, and when."""

    candidate: Candidate
    """The CA; its staging, for a rehearsal."""
    until: datetime
    granted: bool
    why: str = ""
    """What forbids it now, for a person."""
    rehearsal: bool = False


def choose(candidates: Sequence[Candidate], now: datetime) -> Choice:
    """Choose among a certificate's CAs, the preferred one first: there is at least one."""
    choices: list[Choice] = []
    for candidate in candidates:
        permission = candidate.may_try(now)
        if permission.granted:
            staging = candidate.rehearsal(now)
            return Choice(staging or candidate, now, True, rehearsal=staging is not None)
        choices.append(Choice(candidate, permission.until, False, permission.why))
        if not candidate.leaves_it(now):
            break
    return min(choices, key=lambda choice: choice.until)


def _moment(obstacle: tuple[datetime, str]) -> datetime:
    return obstacle[0]
