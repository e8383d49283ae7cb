"""What attempts are remembered for: laws that hold for any sequence of them, and any clock."""

import json
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

import pylego
from pylego._errors import from_info
from pylego.renewal._choice import Candidate, choose, may_try
from pylego.renewal._history import Authority, History, Ledger, Past, Tries, delay
from pylego.renewal._quotas import (
    DAY,
    HOUR,
    LETS_ENCRYPT,
    LETS_ENCRYPT_STAGING,
    MINUTE,
    QUOTAS,
    STAGING,
    WEEK,
    Quota,
    Quotas,
)
from pylego.renewal._record import Attempt, Failure, failure_of
from pylego.renewal._tally import Begun, Tallies, Tally
from tests.fuzz.values import JSON, nearly

UTC = timezone.utc
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = st.timedeltas(timedelta(0), 36500 * DAY).map(lambda since: BEGIN + since)
SHARE = st.floats(0, 1)
MOMENTS = st.lists(NOW, max_size=8).map(tuple)
PAIRS = st.lists(st.tuples(NOW, NOW), max_size=4).map(tuple)
BEGUN = st.lists(
    st.builds(Begun, st.text(), NOW, st.timedeltas(timedelta(0), DAY), st.text()), max_size=4
).map(tuple)
TALLIES = st.builds(Tally, MOMENTS, BEGUN, PAIRS)
TRIES = st.builds(
    Tries, st.integers(0, 40), st.none() | NOW, st.none() | NOW, st.text(), st.booleans()
)
HISTORIES = st.builds(History, st.dictionaries(st.text(), TRIES, max_size=3), MOMENTS)
AUTHORITIES = st.builds(Authority, TALLIES, TRIES)
COUNTED = st.dictionaries(st.text(), TALLIES, max_size=2).map(Tallies().noted)
LEDGERS = st.builds(Ledger, AUTHORITIES, COUNTED, COUNTED, st.none() | NOW)
NO = Failure("no")
OF_WHOLE_HISTORIES = settings(max_examples=max(100, settings().max_examples // 20))
"""Each example is a history of dozens of attempts."""


@given(st.integers(1, 100), SHARE)
def test_waits_are_from_a_minute_to_six_hours_and_grow_with_each_failure(failures, share):
    assert MINUTE <= delay(failures, share) <= 6 * HOUR
    assert delay(failures, share) <= delay(failures + 1, share)
    assert delay(failures, 0) <= delay(failures, share) <= delay(failures, 1)


def test_waits_reach_six_hours_within_a_day():
    spent, failures = timedelta(0), 0
    while delay(failures, 1) < 6 * HOUR:
        failures += 1
        spent += delay(failures, 0)
    assert spent < 25 * HOUR


@given(NOW, st.integers(1, 40), SHARE)
def test_who_failed_may_try_again_exactly_when_the_wait_is_over(now, times, share):
    past = Past()
    for _ in range(times):
        past = Attempt(Quotas(), now).failed(past, NO, share)
        permission = may_try(past, Quotas(), now)
        assert not permission.granted
        assert permission.until == now + delay(past.tries.failures, share)
        assert "no" in permission.why
        assert not may_try(past, Quotas(), permission.until - timedelta(seconds=1)).granted
        now = permission.until
        assert may_try(past, Quotas(), now).granted
    assert past.tries.failures == times
    assert may_try(Attempt(Quotas(), now).succeeded(past), Quotas(), now).granted


@given(NOW, SHARE, st.timedeltas(timedelta(0), 30 * DAY))
def test_a_ca_s_retry_after_is_heeded_for_up_to_a_week(now, share, wait):
    failure = Failure("later", retry_after=now + wait)
    past = Attempt(Quotas(), now).failed(Past(), failure, share)
    until = may_try(past, Quotas(), now).until
    assert until == max(now + delay(1, share), now + min(wait, WEEK))


@given(NOW, TRIES)
def test_no_clock_s_jump_holds_anything_up_for_longer_than_twice_the_wait(now, tries):
    free = tries.free(now)
    assert now <= free
    if free > now:
        assert free - now <= 2 * (tries.until - tries.failed)


@given(TALLIES, NOW, st.integers(1, 5), st.sampled_from([HOUR, 3 * HOUR, WEEK]))
def test_what_is_settled_is_bounded_and_stays_so(tally, now, count, period):
    quota = Quota(count, period)
    settled = tally.settled(now, period)
    assert settled == settled.settled(now, period)
    assert all(now - period < moment <= now + period for moment in settled.past)
    for each in settled.running:
        assert now - period < each.over
        assert each.moment <= now + DAY
    assert all(now - period < seen <= now for _, seen in settled.outside)
    assert settled.free(quota, now) > now or tally.free(quota, now) == now
    # What was settled and saved is over at last, whatever the clock was.
    for _ in range(3):
        now += DAY + period
        settled = settled.settled(now, period)
    assert settled == Tally()


def test_what_was_begun_at_the_end_of_time_counts_nothing():
    end = datetime.max.replace(tzinfo=UTC)
    tally = Tally(running=(Begun("a.example", end, DAY),))
    assert tally.free(Quota(1, WEEK), BEGIN) == BEGIN
    assert tally.settled(BEGIN, WEEK).running == ()


@given(TALLIES, NOW, st.integers(1, 5), st.sampled_from([HOUR, 3 * HOUR, WEEK]))
def test_what_a_clock_that_was_ahead_has_written_holds_nothing_up_for_ever(
    tally, now, count, period
):
    quota = Quota(count, period)
    for _ in range(100 * (count + 1)):  # nobody is allowed to, so nobody settles and saves it
        free = tally.free(quota, now)
        if free == now:
            return
        now = max(free, now + HOUR)
    pytest.fail("it waits for ever")


@given(MOMENTS, NOW, st.integers(1, 5))
def test_a_limit_says_the_first_moment_at_which_one_more_is_allowed(past, now, count):
    quota, tally = Quota(count, 3 * HOUR), Tally(past).settled(now, 3 * HOUR)
    free = tally.free(quota, now)
    assert free <= now + 6 * HOUR
    assert tally.free(quota, free) == free
    if free > now:
        assert tally.free(quota, free - timedelta(microseconds=1)) == free


# A CA that counts by itself, and a worker whose clock is the test's.

LIMITS = Quotas(Quota(5, HOUR), Quota(12, 3 * HOUR), Quota(5, WEEK), advised_are_exempt=True)
"""Let's Encrypt's, with fewer orders, so that a short sequence meets the limit."""


class World:
    """One account at one CA: what the CA counts, and what is remembered here, as JSON."""

    def __init__(self, seed, quotas):
        self.random = random.Random(seed)
        self.quotas = quotas
        self.now = BEGIN
        self.saved = {}
        self.under_way = []
        self.counted = defaultdict(list)
        self.serials, self.pending = Counter(), {}

    def past(self, certificate):
        tries = Tries.from_json(self.load(certificate))
        past = self.ledger.past(names_of(certificate), tries)
        return past.settled(self.quotas, self.now)

    def save(self, certificate, past):
        ledger = self.ledger.noted(names_of(certificate), past)
        self.saved["the ledger"] = json.dumps(ledger.to_json())
        self.saved[certificate] = json.dumps(past.tries.to_json())

    def load(self, key):
        return json.loads(self.saved.get(key, "null"))

    @property
    def ledger(self):
        return Ledger.from_json(self.load("the ledger"))

    def remember(self, certificates):
        """Have certificates looked at, with nothing to be done."""
        for certificate in certificates:
            self.save(certificate, self.past(certificate))

    def glance(self, by):
        """Have some certificates remembered while the clock is wrong by so much, and all swept or not."""
        right = self.now
        for self.now in (right + by, right):
            self.remember(each for each in sorted(CERTIFICATES) if self.random.random() < 2 / 3)
            if self.random.random() < 1 / 2:
                ledger = replace(self.ledger, swept=None).swept_at(self.now, self.quotas)
                self.saved["the ledger"] = json.dumps(ledger.to_json())

    def begin(self, certificate, advised):
        serial = str(self.serials[certificate])
        past = self.past(certificate).taken_over(certificate, self.now, serial)
        permission = may_try(past, self.quotas, self.now, advised=advised)
        assert permission.granted == (permission.until == self.now)
        if any(attempt.of == certificate for attempt in self.under_way):
            return permission  # it is locked
        if permission.granted:
            attempt = Attempt(
                self.quotas, self.now, advised, of=certificate, kept=serial, longest=LONGEST
            )
            self.save(certificate, attempt.begun(past))
            self.under_way.append(attempt)
        else:
            assert permission.why
            assert permission.until <= self.now + 2 * WEEK
        return permission

    def end(self, outcome):
        """End some attempt, and remember that unless it was killed."""
        if not self.under_way:
            return
        attempt = self.under_way.pop(self.random.randrange(len(self.under_way)))
        past, resumed = self.past(attempt.of), attempt.of in self.pending
        fails = outcome in {"challenge", "killed"} and not resumed
        identifiers = (self.random.choice(names_of(attempt.of)),) if fails else ()
        self.happen(attempt, outcome, identifiers)
        if outcome.startswith("killed"):
            return
        finalized = attempt.of in self.pending
        told = {"ended": self.now, "orders": int(not resumed), "finalized": finalized}
        attempt = replace(attempt, **told)
        if outcome == "success":
            past = attempt.succeeded(past)
        elif outcome == "cancelled":
            past = attempt.given_up(past)
        else:
            failure = Failure(outcome, not fails, identifiers)
            past = attempt.failed(past, failure, self.random.random())
        self.save(attempt.of, past)

    def happen(self, attempt, outcome, failed):
        """Have the CA count, sometime within the attempt, and an order be left."""
        began, until = attempt.began, min(self.now, attempt.began + LONGEST)
        order = self.pending.get(attempt.of)

        def count(*what):
            self.counted[what].append(began + (until - began) * self.random.random())

        for name in failed:
            count("identifier", name)
        if order is None and not attempt.advised:
            count("order")
        if outcome in ISSUED and order != "issued" and not attempt.advised:
            count("names", names_of(attempt.of))
        if outcome in ISSUED:
            self.pending[attempt.of] = "issued"
        elif outcome == "killed when ready":
            self.pending[attempt.of] = order or "ready"
        if outcome in {"success", "killed when saved"}:
            self.serials[attempt.of] += 1
            del self.pending[attempt.of]

    def check(self):
        """No window of the CA's has more than it allows."""
        limits = {
            "order": self.quotas.orders,
            "names": self.quotas.duplicates,
            "identifier": self.quotas.failed_authorizations,
        }
        for key, moments in self.counted.items():
            quota = limits[key if isinstance(key, str) else key[0]]
            moments.sort()
            for place, first in enumerate(moments):
                within = [each for each in moments[place:] if each - first < quota.period]
                assert len(within) <= quota.count, (key, within)


LONGEST = 35 * MINUTE

CERTIFICATES = {
    "one": ("a.example",),
    "same": ("a.example",),
    "both": ("a.example", "b.example"),
    "other": ("b.example",),
}
KILLED = ["killed", "killed when ready", "killed when issued", "killed when saved"]
"""While it is validated, before and after it is issued, before that is remembered."""
ISSUED = {"success", "cut off", "killed when issued", "killed when saved"}
OUTCOMES = st.sampled_from(["success", "challenge", "outage", "cut off", "cancelled", *KILLED])


def names_of(certificate):
    """Return what it names: "one 1" and "one 2" are kept under names of their own."""
    return CERTIFICATES[certificate.split(" ")[0]]


STEPS = st.lists(
    st.tuples(st.just("begin"), st.sampled_from(sorted(CERTIFICATES)), st.booleans())
    | st.tuples(st.just("end"), OUTCOMES)
    | st.tuples(st.just("pass"), st.timedeltas(timedelta(0), 2 * DAY))
    | st.tuples(st.just("pass"), st.timedeltas(timedelta(0), HOUR)),
    max_size=60,
)


@given(st.integers(0, 10**9), STEPS)
def test_no_limit_is_broken_by_any_sequence_of_attempts(seed, steps):
    world = World(seed, LIMITS)
    for verb, *what in steps:
        if verb == "pass":
            world.now += what[0]
        else:
            getattr(world, verb)(*what)
    while world.under_way:
        world.end("challenge")
    world.check()


GLANCES = st.lists(
    st.tuples(st.just("begin"), st.sampled_from(sorted(CERTIFICATES)), st.booleans())
    | st.tuples(st.just("glance"), st.timedeltas(-400 * DAY, 400 * DAY))
    | st.tuples(st.just("glance"), st.timedeltas(-2 * HOUR, 2 * HOUR))
    | st.tuples(st.just("pass"), st.timedeltas(timedelta(0), HOUR)),
    max_size=60,
)


@given(st.integers(0, 10**9), GLANCES, st.sampled_from(["challenge", "success"]))
@example(0, [("begin", "one", False), ("glance", 8 * DAY)] * 6, "success")
@example(0, [("begin", "one", False), ("pass", 2 * MINUTE), ("glance", -DAY)] * 6, "challenge")
def test_no_limit_is_broken_by_a_clock_that_jumps_and_jumps_back(seed, steps, outcome):
    world = World(seed, LIMITS)
    for verb, *what in steps:
        if verb == "pass":
            world.now += what[0]
        else:
            getattr(world, verb)(*what)
        world.end(outcome)
    world.check()


@OF_WHOLE_HISTORIES
@given(st.integers(0, 10**9), st.sampled_from(["challenge", "success", "mixed"]))
def test_no_limit_is_broken_by_whoever_tries_as_often_as_it_may(seed, outcome):
    world = World(seed, LIMITS)
    made = 0
    for _ in range(60):
        certificate = world.random.choice(sorted(CERTIFICATES))
        permission = world.begin(certificate, advised=False)
        if permission.granted:
            made += 1
            world.now += world.random.random() * 5 * MINUTE
            world.end(
                world.random.choice(["challenge", "success"]) if outcome == "mixed" else outcome
            )
        else:
            world.now = permission.until
    world.check()
    note(f"{made} attempts in {world.now - BEGIN}")
    assert made >= 20  # it is not by never trying that limits are kept


@pytest.mark.parametrize("outcome", ["success", "challenge"])
def test_attempts_that_are_under_way_count_before_anything_is_known_of_them(outcome):
    world = World(0, LIMITS)
    for number in range(10):
        world.begin(f"one {number}", advised=False)
        world.now += timedelta(seconds=1)
    assert len(world.under_way) == LIMITS.failed_authorizations.count
    assert not world.begin("same", advised=True).granted
    while world.under_way:
        world.end(outcome)
    world.check()


@OF_WHOLE_HISTORIES
@given(st.integers(0, 10**9), st.lists(st.timedeltas(-400 * DAY, timedelta(0)), max_size=5))
def test_after_any_jumps_of_the_clock_back_attempts_go_on_within_the_longest_period(seed, jumps):
    world = World(seed, LIMITS)
    for jump in (*jumps, timedelta(0)):
        for _ in range(10):
            certificate = world.random.choice(sorted(CERTIFICATES))
            if world.begin(certificate, advised=False).granted:
                world.end("challenge")
            world.now += world.random.random() * HOUR
        world.now += jump
        world.remember(CERTIFICATES)
    for _ in range(3):
        world.now += WEEK + DAY
        world.remember(CERTIFICATES)
    assert world.ledger.identifiers.saved == world.ledger.names.saved == {}
    assert all(world.begin(certificate, advised=False).granted for certificate in CERTIFICATES)


@OF_WHOLE_HISTORIES
@given(
    st.integers(0, 10**9),
    st.lists(
        st.tuples(st.sampled_from(KILLED), st.booleans(), st.timedeltas(timedelta(0), LONGEST)),
        min_size=5,
        max_size=40,
    ),
)
@example(0, [("killed", False, MINUTE)] * 40)
@example(0, [("killed when issued", False, MINUTE)] * 40)
def test_whatever_is_killed_is_tried_again_within_hours_and_no_limit_is_broken(seed, kills):
    world = World(seed, replace(LIMITS, duplicates=Quota(len(kills) + 1, WEEK)))
    for outcome, advised, after in [*kills, ("success", False, MINUTE)]:
        begin = world.now
        while not (permission := world.begin("one", advised)).granted:
            world.now = permission.until
        assert world.now - begin <= 3 * HOUR + LONGEST
        world.now += after
        world.end(outcome)
    world.check()


def test_an_order_that_is_gone_on_with_counts_as_one_certificate():
    world = World(0, LIMITS)
    for outcome in ["killed when ready", "killed when issued", "cut off", "killed when ready"] * 5:
        while not (permission := world.begin("one", advised=False)).granted:
            world.now = permission.until
        world.end(outcome)
        world.now += HOUR
    assert world.now < BEGIN + WEEK
    assert world.begin("one", advised=False).granted
    world.end("success")
    assert len(world.ledger.names["a.example"].past) == 1
    assert world.begin("same", advised=False).granted
    world.check()


def exhausted(quota, now):
    return Tally((now,) * quota.count)


def test_let_s_encrypt_s_limits_are_known_and_each_says_which_it_is():
    quotas = QUOTAS[LETS_ENCRYPT]
    full = Past(
        authority=Authority(exhausted(quotas.orders, BEGIN)),
        identifiers={"a.example": exhausted(quotas.failed_authorizations, BEGIN)},
        names=exhausted(quotas.duplicates, BEGIN),
    )
    empty = Past()
    for past, after, why in (
        (
            replace(empty, identifiers=full.identifiers),
            HOUR,
            "5 failed authorizations of a.example",
        ),
        (replace(empty, authority=full.authority), 3 * HOUR, "300 orders of one account"),
        (replace(empty, names=full.names), WEEK, "5 certificates for the same names"),
    ):
        permission = may_try(past, quotas, BEGIN)
        assert permission.until == BEGIN + after
        assert why in permission.why


def test_what_the_ca_advised_is_exempt_from_orders_and_duplicates_but_not_from_failures():
    quotas = QUOTAS[LETS_ENCRYPT]
    past = Past(
        authority=Authority(exhausted(quotas.orders, BEGIN)),
        names=exhausted(quotas.duplicates, BEGIN),
    )
    assert may_try(past, quotas, BEGIN, advised=True).granted
    assert not may_try(past, replace(quotas, advised_are_exempt=False), BEGIN, advised=True).granted
    past = replace(past, identifiers={"a.example": exhausted(quotas.failed_authorizations, BEGIN)})
    assert may_try(past, quotas, BEGIN, advised=True).until == BEGIN + HOUR
    done = Attempt(quotas, BEGIN, advised=True).succeeded(Past())
    assert done.names == done.authority.orders == Tally()


def test_many_that_fail_together_for_the_ca_s_sake_are_one_failure_of_its():
    down = Failure("down", of_authority=True)
    began, past = BEGIN, Past()
    for second in range(1, 6):
        past = Attempt(Quotas(), began, ended=began + timedelta(seconds=second)).failed(
            past, down, 0
        )
    assert past.authority.tries.failures == 1
    assert past.tries.failures == 0
    again = past.authority.tries.until
    past = Attempt(Quotas(), again).failed(past, down, 0)
    assert past.authority.tries.failures == 2
    back = BEGIN - WEEK  # a clock that was ahead wrote of that failure
    past = Attempt(Quotas(), back).failed(past, down, 0)
    assert past.authority.tries.failures == 3
    assert not may_try(past, Quotas(), back).granted


PREFERRED, SECOND = "https://one.example/directory", "https://two.example/directory"


def after(failures, *, at=BEGIN, words="no"):
    tries = Tries()
    for _ in range(failures):
        tries = tries.after_failure(words, at, 0)
    return Past(tries)


def test_a_second_ca_takes_over_after_three_failures_and_the_first_is_tried_again():
    for failures in (0, 1, 2):
        choice = choose([Candidate(PREFERRED, after(failures)), Candidate(SECOND)], BEGIN)
        assert choice.candidate.directory == PREFERRED
        assert choice.granted == (failures == 0)
    both = [Candidate(PREFERRED, after(3)), Candidate(SECOND)]
    assert choose(both, BEGIN).candidate.directory == SECOND
    assert choose(both, BEGIN).granted
    assert choose(both, BEGIN + delay(3, 0)).candidate.directory == PREFERRED


def test_a_second_ca_takes_over_at_once_where_the_first_is_closed_for_long():
    closed = Past(Tries().after_failure("not today", BEGIN, 0, BEGIN + DAY))
    assert (
        choose([Candidate(PREFERRED, closed), Candidate(SECOND)], BEGIN).candidate.directory
        == SECOND
    )
    down = Past(authority=Authority(tries=after(3).tries))
    assert (
        choose([Candidate(PREFERRED, down), Candidate(SECOND)], BEGIN).candidate.directory == SECOND
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), NOW)
def test_whoever_is_chosen_may_be_tried_and_otherwise_something_may_at_the_moment_that_is_told(
    failures, now
):
    candidates = [Candidate(str(place), after(each)) for place, each in enumerate(failures)]
    choice = choose(candidates, now)
    assert choice.granted == (choice.until <= now)
    assert choice.granted or choice.why
    assert choose(candidates, choice.until).granted


def rehearsing(past, staging=None):
    return Candidate(LETS_ENCRYPT, past, staging=Candidate(LETS_ENCRYPT_STAGING, staging or Past()))


def test_a_retry_is_rehearsed_at_the_staging_first():
    assert STAGING[LETS_ENCRYPT] == LETS_ENCRYPT_STAGING
    first = choose([rehearsing(Past())], BEGIN)
    assert (first.candidate.directory, first.rehearsal) == (LETS_ENCRYPT, False)
    now = BEGIN + DAY
    failed = after(1)
    second = choose([rehearsing(failed)], now)
    assert (second.candidate.directory, second.rehearsal) == (LETS_ENCRYPT_STAGING, True)
    # It fails there: the certificate waits longer, and is rehearsed again.
    worse = Attempt(Quotas(), now).failed(failed, NO, 0)
    assert worse.tries.failures == 2
    assert not choose([rehearsing(worse)], now).granted
    assert choose([rehearsing(worse)], now + DAY).rehearsal
    # It is issued there: the real attempt follows at once.
    better = Attempt(Quotas(), now).rehearsed(worse)
    real = choose([rehearsing(better)], now)
    assert (real.candidate.directory, real.granted, real.rehearsal) == (LETS_ENCRYPT, True, False)
    # And if that fails all the same, the next is rehearsed again.
    again = Attempt(Quotas(), now).failed(better, NO, 0)
    assert choose([rehearsing(again)], now + DAY).rehearsal


def test_a_staging_that_is_closed_holds_nothing_up():
    down = Past(authority=Authority(tries=after(5, at=BEGIN + DAY).tries))
    choice = choose([rehearsing(after(1), down)], BEGIN + DAY)
    assert (choice.candidate.directory, choice.granted) == (LETS_ENCRYPT, True)


@pytest.mark.parametrize("read", [Tally, Tries, Authority, History])
@given(data=JSON)
def test_any_json_is_some_history(read, data):
    something = read.from_json(data)
    assert read.from_json(json.loads(json.dumps(something.to_json()))) == something


@given(data=JSON)
def test_any_json_is_some_ledger(data):
    # It holds tallies as they were saved, and a NaN among them is equal to none.
    saved = json.dumps(Ledger.from_json(data).to_json())
    assert json.dumps(Ledger.from_json(json.loads(saved)).to_json()) == saved


@given(data=JSON)
def test_any_json_is_some_tally_of_a_ledger(data):
    ledger = Ledger.from_json({"identifiers": {"a.example": data}, "names": data})
    past = ledger.past(["a.example"], Tries())
    assert Tally.from_json(data) == past.identifiers["a.example"]
    assert ledger.noted(["a.example"], past).past(["a.example"], Tries()) == past


def test_what_no_limit_counts_any_more_is_swept_and_not_at_each_attempt(monkeypatch):
    quotas, swept, real = QUOTAS[LETS_ENCRYPT], [], Tallies.settled
    monkeypatch.setattr(Tallies, "settled", lambda *told: swept.append(len(told[0])) or real(*told))
    ledger, now = Ledger(), BEGIN
    for number in range(5000):
        now += 10 * MINUTE
        names = [f"n{number}.example"]
        past = Attempt(quotas, now, ended=now).succeeded(ledger.past(names, Tries()))
        ledger = Ledger.from_json(ledger.noted(names, past).swept_at(now, quotas).to_json())
    # What is over is kept for a period more: the clock may be wrong.
    assert WEEK <= len(ledger.names) * (10 * MINUTE) <= 2 * (WEEK + DAY)
    days = 5000 * (10 * MINUTE) / DAY
    assert len(swept) <= 2 * (days + 1)


@given(data=st.data(), record=TALLIES | TRIES | HISTORIES | AUTHORITIES | LEDGERS)
def test_a_history_survives_a_restart_and_what_is_spoilt_of_it_is_not_there(data, record):
    saved = record.to_json()
    assert type(record).from_json(json.loads(json.dumps(saved))) == record
    spoilt = type(record).from_json(data.draw(nearly(saved)))
    assert type(record).from_json(spoilt.to_json()) == spoilt


def test_a_ledger_knows_a_name_however_it_is_written():
    names = ("*.Bücher.example", "2001:DB8:0::1", "a.example.")
    quotas = QUOTAS[LETS_ENCRYPT]
    past = Attempt(quotas, BEGIN).begun(Ledger().past(names, Tries()))
    assert set(past.identifiers) == {"xn--bcher-kva.example", "2001:db8::1", "a.example"}
    ledger = Ledger().noted(names, past)
    again = ledger.past(("A.EXAMPLE", "2001:db8::1", "*.xn--bcher-kva.example"), Tries())
    assert again == past
    assert ledger.noted(names, Attempt(quotas, BEGIN, orders=0).given_up(past)) == Ledger()


def test_what_the_ca_could_not_validate_is_of_the_identifier():
    attempt = {"identifier": {"type": "dns", "value": "*.a.example"}, "challenge": "dns-01"}
    info = {
        "code": "challenge_failed",
        "detail": "no record",
        "attempts": [{**attempt, "detail": "no record"}],
        "identifiers": [attempt["identifier"]],
    }
    failure = failure_of(from_info(info))
    assert failure.identifiers == ("a.example",)
    assert not failure.of_authority
    assert "no record" in failure.words


@pytest.mark.parametrize(
    ("error", "of_authority"),
    [
        (pylego.NetworkError("nobody there"), True),
        (pylego.ServerInternal("trouble", status=500), True),
        (pylego.TermsNotAccepted("terms"), True),
        (pylego.LEGOError("down", status=503), True),
        (pylego.RateLimited("too many", status=429), False),
        (pylego.RejectedIdentifier("not this one", status=403), False),
        (pylego.DeadlineExceeded("too late"), False),
        (OSError("no space"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_trouble_of_the_ca_s_own_is_told_from_the_certificate_s(error, of_authority):
    failure = failure_of(error)
    assert failure.of_authority is of_authority
    assert failure.identifiers == ()
    assert str(error) in failure.words
