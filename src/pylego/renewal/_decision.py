"""When a certificate is renewed: a pure function of what is known, which says why in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from pylego._errors import InvalidRequest
from pylego.renewal._history import History, delay
from pylego.renewal._quotas import DAY, HOUR, MINUTE, as_issued
from pylego.renewal._saved import count_of, moment_of, object_of

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pylego._models import RenewalInfo

SHORT_LIVED = 10 * DAY
"""A certificate that lives no longer is renewed for the last half of its life, others for
the last third (lego's rule)."""

MOST_OF_A_LIFE = 3 / 4
"""A fixed number of days is for certificates that live longer than so: CAs shorten lives,
and one that is renewed as soon as it is there is renewed for ever."""

SHORTEST, USUAL, LONGEST = MINUTE, 6 * HOUR, DAY
"""How soon a CA may be asked for its advice again: RFC 9773 sections 4.3.1 to 4.3.3."""


@dataclass(frozen=True)
class Facts:
    """What a certificate is, as it is kept. `None`: that is not known."""

    identifiers: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    directory: str | None = None
    """The CA's."""
    profile: str | None = None
    """`""` for none."""
    key_type: str | None = None
    must_staple: bool | None = None
    """Whether it was asked for, and not whether the certificate has it: some CAs leave it
    out or add it, and one that does would have its certificates renewed for ever."""
    common_name: bool | None = None
    """As above."""


@dataclass(frozen=True)
class Wanted:
    """What a certificate is to be. `()` and `None`: as it is."""

    identifiers: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    """The CAs that may issue it."""
    profile: str | None = None
    """`""` for none."""
    key_type: str | None = None
    must_staple: bool | None = None
    common_name: bool | None = None


@dataclass(frozen=True)
class Policy:
    """When to renew, where nothing else is said."""

    days: float | None = None
    """So many before the end; by default, and where that would be for more than three quarters
    of the life, the last third of it begins then, or the last half of ten days or less."""
    heed_advice: bool = True
    """Whether the CA is asked for its advice (RFC 9773)."""

    def __post_init__(self) -> None:
        """Refuse a number of days that is none."""
        if self.days is not None and not 0 <= self.days <= 36500:  # noqa: PLR2004 -- a century
            msg = f"a certificate is renewed some days before its end, from 0 to 36500, not {self.days!r}"
            raise InvalidRequest(msg)


@dataclass(frozen=True)
class Advice:
    """What a CA has said of when to renew one certificate (RFC 9773), to be kept with it."""

    place: float
    """Where in the CA's window the renewal is, from 0 to 1: drawn once for a certificate,
    so that the moment stays the same as long as the window does."""
    start: datetime | None = None
    end: datetime | None = None
    explanation_url: str | None = None
    ask_at: datetime | None = None
    """When the CA may be asked next, and should be; `None` as long as it was not asked."""
    failures: int = 0
    """How often it gave no advice, in a row."""

    @property
    def moment(self) -> datetime | None:
        """The moment in the window that was chosen."""
        if self.start is None or self.end is None:
            return None
        return self.start + (self.end - self.start) * self.place

    def is_open(self, now: datetime) -> bool:
        """Tell whether now is in the window as Let's Encrypt has it: the start is, the end is not."""
        return self.start is not None and self.end is not None and self.start <= now < self.end

    def heard(self, told: RenewalInfo, now: datetime, share: float) -> Advice:
        """Keep what the CA has said; `share` is drawn from 0 to 1.

        A window that ends before it begins is no answer (RFC 9773 section 4.2).
        """
        start, end = _utc(told.start), _utc(told.end)
        if start is None or end is None or end <= start:
            return self.unheard(now, share, told.retry_after)
        asked_for = USUAL if told.retry_after is None else told.retry_after - now
        ask_at = now + min(max(asked_for, SHORTEST), LONGEST)
        return Advice(self.place, start, end, told.explanation_url, ask_at)

    def unheard(self, now: datetime, share: float, retry_after: datetime | None = None) -> Advice:
        """Ask again later, where the CA gave no answer: what it said before still holds."""
        wait = delay(self.failures + 1, share)
        if retry_after is not None:
            wait = max(wait, retry_after - now)
        return replace(self, ask_at=now + min(wait, LONGEST), failures=self.failures + 1)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        moments = {"start": self.start, "end": self.end, "ask_at": self.ask_at}
        return {
            "place": self.place,
            "explanation_url": self.explanation_url,
            "failures": self.failures,
            **{name: moment and moment.isoformat() for name, moment in moments.items()},
        }

    @classmethod
    def from_json(cls, data: Any, place: float) -> Advice:
        """Read what `to_json` wrote; where there is none, the place is the one that was drawn now."""
        fields = object_of(data)
        kept, url = fields.get("place"), fields.get("explanation_url")
        start, end = moment_of(fields.get("start")), moment_of(fields.get("end"))
        both = start is not None and end is not None and start < end
        return cls(
            place=kept if isinstance(kept, float) and 0 <= kept <= 1 else place,
            start=start if both else None,
            end=end if both else None,
            explanation_url=url if isinstance(url, str) else None,
            ask_at=moment_of(fields.get("ask_at")),
            failures=count_of(fields.get("failures")),
        )


@dataclass(frozen=True)
class Decision:
    """Whether a certificate is to be renewed now."""

    due: bool
    when: datetime
    """From when on it is."""
    why: str
    """For a person."""
    cause: str
    """`"missing"`, `"changed"`, `"expired"`, `"advised"`, `"days"` or `"age"`."""
    exempt: bool
    """Whether the CA's window is open, whatever made it due: then it may exempt the renewal
    from its limits, and not when the window is over (it is for what was revoked)."""
    ask_at: datetime | None
    """When the CA is to be asked for its advice: now or later; `None`: not at all."""

    @property
    def next(self) -> datetime:
        """When something is to be done: until then the decision stays."""
        return self.when if self.ask_at is None else min(self.when, self.ask_at)


@dataclass(frozen=True)
class _Reason:
    moment: datetime
    cause: str
    why: str


def decide(
    facts: Facts | None,
    wanted: Wanted,
    now: datetime,
    *,
    policy: Policy = Policy(),
    advice: Advice | None = None,
    history: History = History(),  # noqa: B008 -- as above
) -> Decision:
    """Decide on one certificate; `facts` are `None` where there is none yet.

    The moment is the earliest of the reasons to renew, unless the certificate's own
    failures have it wait (`history`). What the CA allows is another question: `choose`.
    """
    advice = advice if policy.heed_advice else None
    advised = None if advice is None else advice.moment
    reason = _reason(facts, wanted, now, policy, advice, advised)
    free = history.free(wanted.directories or _directories(facts), now)
    when, why = reason.moment, reason.why
    calm = now if facts is None else history.calm(facts.not_before, _life(facts), now)
    if calm > max(when, now):
        when = calm
        why += f"; but it was issued just before, and is kept until {_told(calm)}"
    if free > now:
        when = max(when, free)
        last = history.last
        why += f"; the last of {last.failures} attempts failed, the next is at {_told(free)}: {last.error}"
    if facts is not None and now < facts.not_before:
        why += f"; the clock says {_told(now)}, before the certificate's first moment: look whether it is right"
    return Decision(
        due=when <= now,
        when=when,
        why=why,
        cause=reason.cause,
        exempt=facts is not None and advice is not None and advice.is_open(now),
        ask_at=_ask_at(facts, now, policy, advice),
    )


def _reason(
    facts: Facts | None,
    wanted: Wanted,
    now: datetime,
    policy: Policy,
    advice: Advice | None,
    advised: datetime | None,
) -> _Reason:
    if facts is None:
        return _Reason(now, "missing", "there is no certificate yet")
    changes = list(_changes(facts, wanted))
    if changes:
        return _Reason(now, "changed", f"it is to be another: {'; '.join(changes)}")
    moment, cause = _own(facts, policy)
    if advised is not None and advised < moment:
        moment, cause = advised, "advised"
    if facts.not_after < now:
        return _Reason(moment, "expired", f"it has expired at {_told(facts.not_after)}")
    return _Reason(moment, cause, _words(moment, cause, facts, policy, advice))


def _changes(facts: Facts, wanted: Wanted) -> Iterable[str]:
    if wanted.identifiers and facts.identifiers != wanted.identifiers:
        has = set(map(as_issued, facts.identifiers))
        needs = set(map(as_issued, wanted.identifiers))
        if more := sorted(needs - has):
            yield f"it does not name {_listed(more)}"
        if less := sorted(has - needs):
            yield f"it names {_listed(less)}"
    known = facts.directory is not None and wanted.directories
    if known and facts.directory not in wanted.directories:
        yield f"it is from the CA {facts.directory}, not {' or '.join(wanted.directories)}"
    if _differ(facts.profile, wanted.profile):
        yield f"its profile is {facts.profile or 'none'}, not {wanted.profile or 'none'}"
    if _differ(facts.key_type, wanted.key_type):
        yield f"its key is of type {facts.key_type}, not {wanted.key_type}"
    if _differ(facts.must_staple, wanted.must_staple):
        yield f"it was asked for {'without' if wanted.must_staple else 'with'} must-staple"
    if _differ(facts.common_name, wanted.common_name):
        yield f"it was asked for {'without' if wanted.common_name else 'with'} a common name"


def _differ(has: object, needs: object) -> bool:
    return has is not None and needs is not None and has != needs


def _life(facts: Facts) -> timedelta:
    return max(facts.not_after - facts.not_before, timedelta(0))


def _own(facts: Facts, policy: Policy) -> tuple[datetime, str]:
    """Return our own date, and its cause."""
    life = _life(facts)
    if policy.days is not None:
        before = timedelta(days=policy.days)
        if before <= life * MOST_OF_A_LIFE:
            return facts.not_after - before, "days"
    return facts.not_after - life / (2 if life <= SHORT_LIVED else 3), "age"


def _words(
    moment: datetime, cause: str, facts: Facts, policy: Policy, advice: Advice | None
) -> str:
    if cause == "advised" and advice is not None:
        url = f" (see {advice.explanation_url})" if advice.explanation_url else ""
        return f"the CA advises to renew it between {_told(advice.start)} and {_told(advice.end)}{url}; {_told(moment)} was chosen"
    if cause == "days":
        return f"it is renewed {policy.days:g} days before its end, {_told(facts.not_after)}"
    life = _life(facts)
    part = "half" if life <= SHORT_LIVED else "third"
    words = f"the last {part} of its {life / DAY:.3g} days begins at {_told(moment)}"
    if policy.days is None:
        return words
    return f"{words}; {policy.days:g} days before its end would be for most of its life"


def _ask_at(
    facts: Facts | None, now: datetime, policy: Policy, advice: Advice | None
) -> datetime | None:
    if facts is None or not policy.heed_advice or facts.not_after < now:  # RFC 9773 section 4.3
        return None
    at = None if advice is None else advice.ask_at
    # No answer allows more than a day: a later moment was written by a clock that was ahead.
    return now if at is None or at - now > LONGEST else max(at, now)


def _listed(names: list[str]) -> str:
    more = len(names) - TOLD
    return ", ".join(names[:TOLD]) + (f" and {more} more" if more > 0 else "")


TOLD = 5
"""Names that a sentence has room for."""


def _directories(facts: Facts | None) -> tuple[str, ...]:
    return () if facts is None or facts.directory is None else (facts.directory,)


def _utc(moment: datetime) -> datetime | None:
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        return None


def _told(moment: datetime | None) -> str:
    # A quarter of the time that strftime takes: every certificate's reason has two.
    return "" if moment is None else f"{moment.isoformat(' ', 'minutes')[:16]} UTC"
