"""Decisions and histories together keep certificates valid: a year passes in a moment, with its troubles."""

import heapq
import itertools
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest

import pylego
from pylego.renewal._choice import Candidate, choose
from pylego.renewal._decision import Advice, Facts, Wanted, decide
from pylego.renewal._history import History, Ledger
from pylego.renewal._quotas import (
    DAY,
    HOUR,
    LETS_ENCRYPT,
    LETS_ENCRYPT_STAGING,
    MINUTE,
    Quotas,
    quotas_of,
)
from pylego.renewal._record import Attempt, failure_of

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
SECOND = "https://second.example/directory"
LIVES = (90 * DAY, 47 * DAY, 6 * DAY)
DOWN = pylego.NetworkError("nobody there")


class CA:
    """Issues, advises, fails and counts, by the real time."""

    def __init__(self, quotas, apart=MINUTE):
        self.quotas = quotas
        self.apart = apart
        self.down = []
        self.spent = defaultdict(list)
        self.issued = Counter()
        self.last_asked = {}
        self.revoked = set()

    def check(self, time):
        if any(begin <= time < end for begin, end in self.down):
            raise DOWN

    def spend(self, time, what, quota):
        """Take from a bucket that fills again steadily, as Let's Encrypt's do."""
        moments = self.spent[what]
        moments.append(time)
        assert len([each for each in moments if each > time - quota.period]) <= quota.count, what

    def order(self, time, certificate, *, works, advised):
        self.check(time)
        exempt = advised and self.quotas.advised_are_exempt
        names = certificate.wanted.identifiers
        if self.quotas.orders and not exempt:
            self.spend(time, "orders", self.quotas.orders)
        if not works:
            if quota := self.quotas.failed_authorizations:
                self.spend(time, names[0], quota)
            told = {"type": "dns", "value": names[0]}
            info = {"identifiers": [told], "code": "challenge_failed"}
            raise pylego.ChallengeFailed("it is not there", code="challenge_failed", info=info)
        if self.quotas.duplicates and not exempt:
            self.spend(time, ("duplicates", names), self.quotas.duplicates)
        self.issued[names] += 1

    def advise(self, time, certificate):
        self.check(time)
        last = self.last_asked.get(certificate.serial)
        assert last is None or time - last >= self.apart
        self.last_asked[certificate.serial] = time
        facts = certificate.facts
        third = facts.not_before + (facts.not_after - facts.not_before) * 0.6
        if certificate.serial in self.revoked:
            third = time - 3 * DAY
        return pylego.RenewalInfo(third, third + 2 * DAY, None, time + 6 * HOUR)


@dataclass
class Kept:
    """A certificate and what is saved with it."""

    name: str
    life: timedelta
    wanted: Wanted
    serial: int = 0
    facts: Facts | None = None
    advice: dict = field(default_factory=dict)
    history: dict = field(default_factory=dict)
    broken: list = field(default_factory=list)
    """When its challenges cannot be answered."""


class Year:
    def __init__(self, seed, count=12, days=400):
        self.random = random.Random(seed)
        self.time, self.end = BEGIN, BEGIN + days * DAY
        self.cas = {url: CA(quotas_of(url)) for url in (LETS_ENCRYPT, LETS_ENCRYPT_STAGING, SECOND)}
        self.ledgers = dict.fromkeys(self.cas, "null")
        self.serials = itertools.count(1)
        self.attempts = Counter()
        self.certificates = [self.certificate(number) for number in range(count)]
        self.waiting = [(BEGIN, number) for number in range(count)]
        self.jumps = []

    def certificate(self, number):
        names = (f"n{number}.example",)
        return Kept(names[0], self.random.choice(LIVES), Wanted(names, (LETS_ENCRYPT, SECOND)))

    def between(self, count, longest):
        """Draw periods of trouble."""
        starts = [BEGIN + self.random.random() * (self.end - BEGIN) for _ in range(count)]
        return [(start, start + self.random.random() * longest) for start in starts]

    @property
    def now(self):
        """What the clock says."""
        return self.time + sum(
            (by for begin, end, by in self.jumps if begin <= self.time < end), timedelta(0)
        )

    def past(self, certificate, directory, tries):
        ledger = Ledger.from_json(json.loads(self.ledgers[directory]))
        return ledger.past(certificate.wanted.identifiers, tries)

    def keep(self, certificate, directory, past):
        ledger = Ledger.from_json(json.loads(self.ledgers[directory]))
        ledger = ledger.noted(certificate.wanted.identifiers, past)
        self.ledgers[directory] = json.dumps(ledger.to_json())

    def candidate(self, certificate, directory, history, *, advised=False):
        tries = history.at(directory)
        staging = None
        if directory == LETS_ENCRYPT:
            there = self.past(certificate, LETS_ENCRYPT_STAGING, tries)
            staging = Candidate(LETS_ENCRYPT_STAGING, there, quotas_of(LETS_ENCRYPT_STAGING))
        past = self.past(certificate, directory, tries)
        return Candidate(directory, past, quotas_of(directory), advised, staging)

    def look(self, certificate):
        """Do what is to be done for a certificate; return when to look again."""
        history = History.from_json(certificate.history)
        advice = Advice.from_json(certificate.advice, self.random.random())
        decision = decide(
            certificate.facts, certificate.wanted, self.now, advice=advice, history=history
        )
        if decision.ask_at is not None and decision.ask_at <= self.now:
            advice = self.ask(certificate, advice)
            decision = decide(
                certificate.facts, certificate.wanted, self.now, advice=advice, history=history
            )
        if not decision.due:
            return decision.next
        own = certificate.facts and certificate.facts.directory
        candidates = [
            self.candidate(certificate, url, history, advised=decision.exempt and url == own)
            for url in certificate.wanted.directories
        ]
        choice = choose(candidates, self.now)
        if not choice.granted:
            return choice.until
        self.attempt(certificate, choice, history)
        return self.now

    def ask(self, certificate, advice):
        try:
            told = self.cas[certificate.facts.directory].advise(self.time, certificate)
        except pylego.LEGOError:
            advice = advice.unheard(self.now, self.random.random())
        else:
            by = self.now - self.time  # what Retry-After says is counted from now
            told = pylego.RenewalInfo(told.start, told.end, None, told.retry_after + by)
            advice = advice.heard(told, self.now, self.random.random())
        certificate.advice = json.loads(json.dumps(advice.to_json()))
        return advice

    def attempt(self, certificate, choice, history):
        at = choice.candidate.directory
        attempt = Attempt(choice.candidate.quotas, self.now, choice.candidate.advised)
        past = attempt.begun(choice.candidate.past)
        self.keep(certificate, at, past)
        self.attempts[at] += 1
        works = not any(begin <= self.time < end for begin, end in certificate.broken)
        preferred = LETS_ENCRYPT if choice.rehearsal else at
        try:
            self.cas[at].order(self.time, certificate, works=works, advised=attempt.advised)
        except pylego.LEGOError as error:
            past = attempt.failed(past, failure_of(error), self.random.random())
            history = history.noted(preferred, past.tries)
        else:
            if choice.rehearsal:
                past = attempt.rehearsed(past)
                history = history.noted(preferred, past.tries)
            else:
                past = attempt.succeeded(past)
                history = history.renewed(self.now)
                self.issue(certificate, at)
        self.keep(certificate, at, past)
        certificate.history = json.loads(json.dumps(history.to_json()))

    def issue(self, certificate, directory):
        begin = self.time - HOUR  # as Let's Encrypt dates it
        certificate.serial, certificate.advice = next(self.serials), {}
        certificate.facts = Facts(
            certificate.wanted.identifiers, begin, begin + certificate.life, directory, "", "EC256"
        )

    def pass_by(self, days=None):
        """Let time pass; each certificate is looked at when it asked to be, and once a day."""
        end = self.end if days is None else BEGIN + days * DAY
        while self.waiting[0][0] < end:
            self.time, number = heapq.heappop(self.waiting)
            certificate = self.certificates[number]
            again = self.look(certificate)
            facts = certificate.facts
            assert facts is None or self.time < facts.not_after, f"{certificate.name} has expired"
            wait = min(max(again - self.now, timedelta(seconds=1)), DAY)
            heapq.heappush(self.waiting, (self.time + wait, number))

    def issued(self, certificate):
        return sum(
            self.cas[url].issued[certificate.wanted.identifiers]
            for url in certificate.wanted.directories
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_nothing_expires_and_no_limit_is_broken_in_a_year_with_troubles(seed):
    year = Year(seed)
    for ca in year.cas.values():
        ca.down = year.between(20, 2 * DAY)
    for certificate in year.certificates:
        certificate.broken = year.between(12, 30 * HOUR)
    year.pass_by()
    for certificate in year.certificates:
        lives = (year.end - BEGIN) / certificate.life
        assert year.issued(certificate) <= 3 * lives + 10
    assert year.attempts[LETS_ENCRYPT_STAGING] > 0
    assert year.attempts[SECOND] > 0


def test_without_troubles_each_is_renewed_at_its_time_and_never_rehearsed():
    year = Year(0)
    year.pass_by()
    for certificate in year.certificates:
        lives = (year.end - BEGIN) / certificate.life
        assert lives * 1.4 - 2 <= year.issued(certificate) <= lives * 2.1 + 2
    assert set(year.attempts) == {LETS_ENCRYPT}


def test_what_the_ca_revokes_is_replaced_within_a_day():
    year = Year(1)
    year.pass_by(days=20)
    revoked = {each.serial for each in year.certificates}
    year.cas[LETS_ENCRYPT].revoked = revoked
    year.pass_by(days=21)
    assert not revoked & {each.serial for each in year.certificates}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_clock_that_jumps_makes_nothing_expire_and_nothing_be_issued_for_ever(seed):
    year = Year(seed)
    # What a limit counts is over too soon by a clock that is ahead: then the CA says so.
    year.cas[LETS_ENCRYPT] = CA(Quotas(), apart=timedelta(0))
    for begin, end in year.between(25, DAY):
        year.jumps.append((begin, end, (year.random.random() - 0.5) * 400 * DAY))
    year.pass_by()
    for certificate in year.certificates:
        lives = (year.end - BEGIN) / certificate.life
        assert year.issued(certificate) <= 2.1 * lives + 3 * len(year.jumps)
