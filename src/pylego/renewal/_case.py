"""One certificate as it is, as it is to be, and what is decided of it: nothing is asked of anybody here."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from pylego.renewal._choice import Candidate, Choice, choose
from pylego.renewal._decision import Advice, Facts, Wanted, decide
from pylego.renewal._history import History, Tries
from pylego.renewal._outcome import Outcome
from pylego.renewal._quotas import as_issued, quotas_of
from pylego.renewal._saved import object_of
from pylego.storage import Origin

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from pylego.renewal._decision import Decision
    from pylego.renewal._history import Ledger
    from pylego.renewal._leaf import Reading
    from pylego.renewal._managed import AccountAt, Managed


@dataclass(frozen=True)
class Memory:
    """What is remembered with a certificate: its state in the store."""

    history: History = field(default_factory=History)
    advice: Advice | None = None
    of: str = ""
    """The serial number of the certificate that the advice is about."""
    owed: Tries | None = None
    """The tries to deploy it, as long as that was not done."""
    profiles: Mapping[str, str] = field(default_factory=dict[str, str])
    """The profile that it had from a CA, by the directory, where another has issued it since."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "history": self.history.to_json(),
            "advice": self.advice and {"of": self.of, **self.advice.to_json()},
            "deploy": self.owed and self.owed.to_json(),
            "profiles": dict(self.profiles),
        }

    @classmethod
    def from_json(cls, data: Any, serial: str) -> Memory:
        """Read what `to_json` wrote; advice about another certificate than this one is none."""
        fields = object_of(data)
        advice, owed = object_of(fields.get("advice")), fields.get("deploy")
        same = bool(advice) and advice.get("of") == serial
        profiles = object_of(fields.get("profiles")).items()
        return cls(
            History.from_json(fields.get("history")),
            Advice.from_json(advice, share()) if same else None,
            serial,
            None if owed is None else Tries.from_json(owed),
            {directory: each for directory, each in profiles if isinstance(each, str)},
        )


class Ledgers:
    """Ledgers, each read once for many looks, unless one is to be as it is now."""

    def __init__(self, read: Callable[[str, str], Ledger]) -> None:
        """Read nothing yet."""
        self._read = read
        self._known: dict[tuple[str, str], Ledger] = {}

    def get(self, directory: str, account: str) -> Ledger:
        """Return what is remembered of an account's CA."""
        place = directory, account
        if place not in self._known:
            self._known[place] = self._read(directory, account)
        return self._known[place]

    def put(self, directory: str, account: str, ledger: Ledger) -> None:
        """Take one as it has become."""
        self._known[directory, account] = ledger

    def forget(self) -> None:
        """Have them read again: others may have written."""
        self._known.clear()


@dataclass(frozen=True)
class Case:
    """A certificate with all that bears on it."""

    managed: Managed
    facts: Facts | None
    """What it is; `None` where there is none yet."""
    memory: Memory
    origin: Origin
    now: datetime

    @cached_property
    def decision(self) -> Decision:
        """Whether it is due, when and why."""
        return _decided(self.managed, self.facts, self.memory, self.now)

    def remembering(self, memory: Memory, now: datetime) -> Case:
        """Return the same with another memory."""
        return replace(self, memory=memory, now=now)

    def renewed(self, reading: Reading, now: datetime) -> Case:
        """Return the certificate that has taken its place; what was advised was of the older one."""
        profiles, before = {**self.memory.profiles}, self.origin
        if before.directory in profiles or (before.directory is not None and before.profile):
            profiles[before.directory] = before.profile or ""
        memory = replace(self.memory, advice=None, of=_serial(reading), profiles=profiles)
        return Case(self.managed, _facts(reading), memory, reading.origin, now)

    @property
    def adviser(self) -> AccountAt | None:
        """How the CA of the certificate is reached, to ask for its advice."""
        return _adviser(self.managed, self.facts)

    def replaced_at(self, directory: str) -> bool:
        """Whether a CA is told what the new certificate replaces: one of its own, for the same names."""
        facts = self.facts
        if facts is None or facts.directory not in {None, directory}:
            return False
        names = set(map(as_issued, self.managed.domains))
        return set(map(as_issued, facts.identifiers)) == names

    def profile_at(self, directory: str) -> str | None:
        """Return the profile to ask for: where none is said the one of before, at the same CA or its staging."""
        if self.managed.profile is not None:
            return self.managed.profile or None
        servers = (account.server for account in self.managed.accounts)
        directory = next(
            (each.directory for each in servers if each.staging == directory), directory
        )
        if self.origin.directory in {None, directory}:
            return self.origin.profile
        return self.memory.profiles.get(directory) or None

    @property
    def keeps_key_type(self) -> bool:
        """Whether the certificate's key is of the type that is wanted."""
        return self.facts is None or self.facts.key_type in {None, self.managed.key_type}

    def choice(self, ledgers: Ledgers, now: datetime) -> Choice:
        """Choose where the next attempt is made, and when."""
        every = [self._candidate(account, ledgers, now) for account in self.managed.accounts]
        if self.managed.at_once:
            return Choice(replace(every[0], staging=None), now, granted=True)
        return choose(every, now)

    def _candidate(self, account: AccountAt, ledgers: Ledgers, now: datetime) -> Candidate:
        directory, staging = account.server.directory, account.server.staging
        tries = self.memory.history.at(directory)

        def at(url: str, *, advised: bool, staging: Candidate | None = None) -> Candidate:
            past = ledgers.get(url, account.name).past(self.managed.domains, tries)
            past = past.taken_over(self.managed.name, now, self.memory.of)
            return Candidate(url, past, quotas_of(url), advised, staging)

        return at(
            directory,
            advised=self.decision.exempt and self.replaced_at(directory),
            staging=None if staging is None else at(staging, advised=False),
        )

    def look(self, ledgers: Ledgers) -> Outcome:
        """Say what is to be done: at once if `next` is not later than now."""
        decision, (result, why, when) = self.decision, self._standing(ledgers)
        moment, deploy_at = when if decision.due else decision.next, self.deploy_at(self.now)
        if deploy_at is not None:
            moment = min(moment, deploy_at)
        return self._outcome(result, f"{decision.why}{why and f'; {why}'}", moment, when)

    def deploy_at(self, now: datetime) -> datetime | None:
        """Return from when on the hook that deploys is to be run again; `None` where it is not owed."""
        owed = self.memory.owed
        if owed is None or self.facts is None:
            return None
        return owed.free(now) if self.managed.hooks.patient else now

    def _standing(self, ledgers: Ledgers) -> tuple[str, str, datetime]:
        """Return result, what forbids an attempt, and when one is to be made."""
        if not self.decision.due:
            result = "waiting" if self.memory.history.last.failures else "kept"
            return result, "", self.decision.when
        choice = self.choice(ledgers, self.now)
        return ("due" if choice.granted else "waiting"), choice.why, choice.until

    def _outcome(self, result: str, why: str, next_: datetime, when: datetime) -> Outcome:
        facts, history, owed = self.facts, self.memory.history, self.memory.owed
        last = history.last
        return Outcome(
            self.managed.name,
            result,
            why,
            next_,
            names=self.managed.domains if facts is None else facts.identifiers,
            not_after=None if facts is None else facts.not_after,
            directory=None if facts is None else facts.directory,
            issued_at=max(history.issued, default=None if facts is None else facts.not_before),
            failures=last.failures,
            last_error=last.error,
            last_failed=last.failed,
            undeployed="" if owed is None or not owed.failures else owed.error,
            when=when,
        )


def case_of(managed: Managed, reading: Reading | None, state: object, now: datetime) -> Case:
    """Make a case of what a store has; without a leaf there is no certificate yet, or none to be read."""
    facts = _facts(reading)
    if managed.keeps_names and facts is not None:
        has = set(map(as_issued, facts.identifiers))
        more = (each for each in managed.domains if as_issued(each) not in has)
        managed = replace(managed, domains=(*facts.identifiers, *more))
    memory = Memory.from_json(state, _serial(reading))
    return Case(managed, facts, memory, Origin() if reading is None else reading.origin, now)


def _decided(managed: Managed, facts: Facts | None, memory: Memory, now: datetime) -> Decision:
    policy = managed.policy
    if policy.heed_advice and _adviser(managed, facts) is None:
        policy = replace(policy, heed_advice=False)  # nobody is there to be asked
    wanted = Wanted(
        managed.domains,
        tuple(account.server.directory for account in managed.accounts),
        managed.profile,
        **({} if managed.csr else _of_a_request(managed)),
    )
    decide_by = partial(decide, facts, wanted, now, policy=policy, advice=memory.advice)
    if not managed.at_once:
        return decide_by(history=memory.history)
    if (decision := decide_by(history=History())).cause == "changed":
        return decision
    # A CA may advise to renew at once each time: whoever asks in a loop would never end.
    return decide_by(history=replace(memory.history, tries={}))


def _of_a_request(managed: Managed) -> dict[str, Any]:
    """Return what a certificate request of somebody's says itself."""
    return {
        "key_type": managed.key_type,
        "must_staple": managed.must_staple,
        "common_name": managed.common_name,
    }


def _serial(reading: Reading | None) -> str:
    return "" if reading is None or reading.leaf is None else reading.leaf.serial


def _facts(reading: Reading | None) -> Facts | None:
    if reading is None or reading.leaf is None:
        return None
    leaf = reading.leaf
    return Facts(
        reading.names,
        leaf.not_before,
        leaf.not_after,
        reading.origin.directory,
        reading.origin.profile or "",  # lego writes it, too
        reading.origin.key_type,
        reading.origin.must_staple,
        reading.origin.common_name,
    )


def _adviser(managed: Managed, facts: Facts | None) -> AccountAt | None:
    if facts is None or facts.directory is None:
        return managed.accounts[0]  # of one that lego obtained its CA is not known
    of_it = (each for each in managed.accounts if each.server.directory == facts.directory)
    return next(of_it, None)


def share() -> float:
    """Draw from 0 to 1."""
    return random.random()  # noqa: S311 -- spreads, and protects nothing
