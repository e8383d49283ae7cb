"""What an attempt leaves behind: the past that is to be saved, as pure functions.

Before it begins there is `Attempt.begun`, and at its end `succeeded`, `rehearsed`, `failed`
or `given_up`. What a limit counts is counted before it is tried: a crash in between forgets
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pylego._errors import (
    AccountError,
    ChallengeFailed,
    LEGOError,
    NetworkError,
    RateLimited,
    ServerInternal,
)
from pylego.renewal._history import Past, Tries
from pylego.renewal._quotas import proven
from pylego.renewal._tally import LONGEST_ATTEMPT, Begun, Tally

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from pylego.renewal._quotas import Quotas


WORDS = 1000
"""Characters of an error that are kept."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, as far as it matters to the next one."""

    words: str
    of_authority: bool = False
    """Whether it was the CA's own trouble, and so concerns all its certificates."""
    identifiers: tuple[str, ...] = ()
    """Those that the CA may have failed to validate."""
    retry_after: datetime | None = None


def failure_of(error: BaseException, *, rehearsal: bool = False) -> Failure:
    """Read an exception; what a staging allows is its own affair, and holds no certificate up."""
    if not isinstance(error, LEGOError):
        return Failure(f"{type(error).__name__}: {error}"[:WORDS])
    kinds = (AccountError, NetworkError, ServerInternal)
    own = isinstance(error, (*kinds, RateLimited) if rehearsal else kinds)
    validated = isinstance(error, ChallengeFailed)
    return Failure(
        words=str(error)[:WORDS],
        of_authority=not validated and (own or (error.status or 0) >= 500),  # noqa: PLR2004 -- of HTTP
        identifiers=tuple(proven(each.value) for each in error.identifiers) if validated else (),
        retry_after=error.retry_after,
    )


@dataclass(frozen=True)
class Attempt:
    """An attempt: each of its functions returns what is to be remembered, also of what others have done meanwhile."""

    quotas: Quotas
    """The CA's."""
    began: datetime
    advised: bool = False
    """Whether its order replaces a certificate within the CA's window for that."""
    ended: datetime | None = None
    of: str = ""
    """The certificate's ID."""
    kept: str = ""
    """The serial number of the certificate that is there."""
    longest: timedelta = LONGEST_ATTEMPT
    """It takes no longer, whatever becomes of its process."""
    orders: int = 1
    """How many it has made."""
    finalized: bool = False
    """Whether an order is on the disk that may bring the certificate in spite of a failure: the
    next attempt goes on with it."""
    lost: int = 0
    """Orders of before that may have brought one, and that it did not go on with."""

    def begun(self, past: Past) -> Past:
        """Count it before it begins: save the outcome before it does."""
        begun = Begun(self.of, self.began, min(self.longest, LONGEST_ATTEMPT), self.kept)

        def begin(tally: Tally, _: int | None) -> Tally:
            return tally.begun(begun)

        return self._counting(past, self.began, begin, _Counts())

    def failed(self, past: Past, failure: Failure, share: float) -> Past:
        """Remember its failure; `share` is drawn from 0 to 1: how much longer than needed the wait is."""
        past, now = self._ended(past, self._unissued(failure.identifiers)), self._end
        tries, authority = past.tries, past.authority
        if not failure.of_authority:
            tries = tries.after_failure(failure.words, now, share, failure.retry_after)
        elif not authority.tries.failed or not self.began < authority.tries.failed <= now:
            # Of many attempts that were under way together, one says it for all.
            of_ca = authority.tries.after_failure(failure.words, now, share, failure.retry_after)
            authority = replace(authority, tries=of_ca)
        return replace(past, tries=tries, authority=authority)

    def succeeded(self, past: Past) -> Past:
        """Remember that the certificate was issued."""
        past = self._ended(past, _Counts(self.orders, 1 + self.lost))
        return replace(past, tries=Tries(), authority=replace(past.authority, tries=Tries()))

    def rehearsed(self, past: Past) -> Past:
        """Remember that the staging has issued: the real attempt follows at once."""
        tries = replace(past.tries, until=None, rehearsed=True)
        return replace(self.succeeded(past), tries=tries)

    def given_up(self, past: Past) -> Past:
        """Remember that it was cancelled: it says nothing of the next."""
        return self._ended(past, self._unissued())

    def _unissued(self, failed: tuple[str, ...] = ()) -> _Counts:
        return _Counts(self.orders, None if self.finalized else self.lost, failed)

    @property
    def _end(self) -> datetime:
        return self.began if self.ended is None else self.ended

    def _ended(self, past: Past, counts: _Counts) -> Past:
        def end(tally: Tally, count: int | None) -> Tally:
            return tally if count is None else tally.ended(self.of, self._end, count)

        return self._counting(past, self._end, end, counts)

    def _counting(
        self,
        past: Past,
        now: datetime,
        change: Callable[[Tally, int | None], Tally],
        counts: _Counts,
    ) -> Past:
        """Change the tallies of those limits that it is subject to."""
        quotas = self.quotas
        past = past.settled(quotas, now)
        if quotas.failed_authorizations:
            identifiers = {
                name: change(tally, int(name in counts.failed))
                for name, tally in past.identifiers.items()
            }
            past = replace(past, identifiers=identifiers)
        if self.advised and quotas.advised_are_exempt:
            return past
        if quotas.orders:
            orders = change(past.authority.orders, counts.orders)
            past = replace(past, authority=replace(past.authority, orders=orders))
        if quotas.duplicates:
            past = replace(past, names=change(past.names, counts.names))
        return past


@dataclass(frozen=True)
class _Counts:
    """What an attempt adds to the tallies."""

    orders: int = 0
    names: int | None = 0
    """`None`: its order may bring one yet, and goes on counting as one."""
    failed: tuple[str, ...] = ()
