"""When a certificate is renewed: laws that hold for any certificate, advice and clock."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import pylego
from pylego.renewal._decision import Advice, Facts, Policy, Wanted, decide
from pylego.renewal._history import History, Tries
from pylego.renewal._quotas import DAY, HOUR, MINUTE, WEEK
from tests.fuzz.values import JSON, nearly

UTC = timezone.utc
CA, OTHER = "https://ca.example/directory", "https://other.example/directory"

NOW = st.timedeltas(timedelta(0), 36500 * DAY).map(
    lambda since: datetime(2020, 1, 1, tzinfo=UTC) + since
)
ANY = st.datetimes(timezones=st.just(UTC))
"""What a CA may write: from the year 1 to 9999."""
SHARE = st.floats(0, 1)
ASKED = st.none() | st.booleans()
NAMES = st.sampled_from([("a.example",), ("a.example", "*.b.example"), ("192.0.2.1",)])


@st.composite
def certificates(draw, now=NOW):
    begin = draw(now)
    life = draw(st.timedeltas(timedelta(0), 400 * DAY))
    return Facts(draw(NAMES), begin, begin + life, CA, "", "EC256", draw(ASKED), draw(ASKED))


@st.composite
def windows(draw):
    start, end = sorted((draw(ANY), draw(ANY)))
    assume(start < end)
    return Advice(draw(SHARE), start, end, draw(st.none() | st.just("https://ca.example/why")))


@st.composite
def tries(draw):
    nothing = Tries()
    failed = draw(NOW)
    return draw(
        st.just(nothing)
        | SHARE.map(lambda share: nothing.after_failure("no", failed, share))
        | st.timedeltas(timedelta(0), 10 * DAY).map(
            lambda wait: nothing.after_failure("no", failed, 0, failed + wait)
        )
    )


ADVICE = st.none() | windows()
POLICIES = st.builds(Policy, days=st.none() | st.floats(0, 400), heed_advice=st.booleans())
HISTORIES = st.builds(
    History, tries=st.dictionaries(st.just(CA), tries()), issued=st.lists(NOW).map(tuple)
)
QUIET = History()
AS_IT_IS = Wanted()


@given(certificates(), NOW, POLICIES, ADVICE, HISTORIES)
def test_a_decision_is_due_exactly_from_its_moment_on_and_says_why(
    facts, now, policy, advice, history
):
    decision = decide(facts, AS_IT_IS, now, policy=policy, advice=advice, history=history)
    assert decision.due == (decision.when <= now)
    assert decision.when.tzinfo
    assert decision.why
    assert decision == decide(facts, AS_IT_IS, now, policy=policy, advice=advice, history=history)


@given(certificates(), NOW, POLICIES, ADVICE, HISTORIES)
def test_nothing_is_renewed_later_than_its_end_while_it_may_be_tried(
    facts, now, policy, advice, history
):
    decision = decide(facts, AS_IT_IS, now, policy=policy, advice=advice, history=history)
    free = history.free([CA], now)
    # A third of its life it is kept in any case: a clock that makes an end of a new one is wrong.
    life = facts.not_after - facts.not_before
    kept = [each + life / 3 for each in history.issued if each <= now]
    assert decision.when <= max(facts.not_after, free, *kept)


@given(certificates(), NOW, st.timedeltas(timedelta(0), 400 * DAY), POLICIES, ADVICE, HISTORIES)
def test_what_is_due_stays_due(facts, now, later, policy, advice, history):
    # Failures of a clock that was ahead are none, until that time comes.
    assume(all(each.failed is None or each.failed <= now for each in history.tries.values()))
    history = replace(history, issued=tuple(each for each in history.issued if each <= now))
    known = {"policy": policy, "advice": advice, "history": history}
    first = decide(facts, AS_IT_IS, now, **known)
    second = decide(facts, AS_IT_IS, now + later, **known)
    assert second.when <= first.when
    assert second.due >= first.due
    at_its_moment = decide(facts, AS_IT_IS, max(now, first.when), **known)
    assert at_its_moment.due


@given(certificates(), NOW, POLICIES, windows(), st.timedeltas(timedelta(0), 400 * DAY))
def test_advice_only_brings_a_renewal_forward(facts, now, policy, advice, by):
    assume(advice.start.year > 2)
    without = decide(facts, AS_IT_IS, now, policy=policy)
    given_it = decide(facts, AS_IT_IS, now, policy=policy, advice=advice)
    earlier = replace(advice, start=advice.start - by, end=advice.end - by)
    given_more = decide(facts, AS_IT_IS, now, policy=policy, advice=earlier)
    assert given_more.when <= given_it.when <= without.when


@given(certificates(), NOW, windows())
def test_the_moment_is_the_earlier_of_the_ca_s_and_our_own(facts, now, advice):
    decision = decide(facts, AS_IT_IS, now, advice=advice)
    own = decide(facts, AS_IT_IS, now, policy=Policy(heed_advice=False), advice=advice)
    assert own.ask_at is None
    assert decision.when == min(own.when, advice.moment)
    assert advice.start <= advice.moment <= advice.end


@given(certificates(), windows(), SHARE)
def test_a_renewal_is_exempt_within_the_ca_s_window_whatever_made_it_due(facts, advice, share):
    # As Let's Encrypt has it: the start is in the window, and the end is not.
    def exempt(now):
        return decide(facts, AS_IT_IS, now, advice=advice).exempt

    assume(advice.start.year > 1)
    assert exempt(advice.start)
    assert exempt(advice.end - timedelta(microseconds=1))
    assert not exempt(advice.start - timedelta(microseconds=1))
    assert not exempt(advice.end)
    now = advice.start + (advice.end - advice.start) * share
    assert not decide(facts, AS_IT_IS, now).exempt
    assert not decide(facts, AS_IT_IS, now, policy=Policy(heed_advice=False), advice=advice).exempt


@given(certificates(), NOW, SHARE)
def test_a_window_in_the_past_has_a_certificate_renewed_at_once(facts, now, place):
    revoked = Advice(place, now - 2 * DAY, now - DAY)
    decision = decide(facts, AS_IT_IS, now, advice=revoked)
    assert decision.due
    assert not decision.exempt


@given(certificates(), NOW, HISTORIES)
def test_the_last_third_begins_after_two_and_of_short_lives_the_last_half_after_one(
    facts, now, history
):
    life = facts.not_after - facts.not_before
    part = 1 / 2 if life <= 10 * DAY else 2 / 3
    decision = decide(facts, AS_IT_IS, now)
    assert abs(decision.when - (facts.not_before + life * part)) < timedelta(milliseconds=1)
    assert decision.cause == ("expired" if facts.not_after < now else "age")


@given(certificates(), NOW, st.floats(0, 400))
def test_a_number_of_days_is_heeded_where_most_of_the_life_is_left(facts, now, days):
    decision = decide(facts, AS_IT_IS, now, policy=Policy(days=days))
    before = timedelta(days=days)
    if before <= (facts.not_after - facts.not_before) * 3 / 4:
        assert decision.when == facts.not_after - before
    else:  # it would be renewed as soon as it is there, for ever
        assert decision.when == decide(facts, AS_IT_IS, now).when
        told = f"; {days:g} days before its end would be for most of its life"
        assert decision.cause == "expired" or told in decision.why


@pytest.mark.parametrize("days", [-1, float("nan"), float("inf"), 1e9])
def test_days_that_are_none_are_refused(days):
    with pytest.raises(pylego.InvalidRequest, match="from 0 to 36500"):
        Policy(days=days)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Wanted(identifiers=("a.example", "new.example")), "does not name new.example"),
        (Wanted(identifiers=("b.example",)), "it names a.example"),
        (Wanted(directories=(OTHER,)), f"from the CA {CA}, not {OTHER}"),
        (Wanted(profile="shortlived"), "its profile is none, not shortlived"),
        (Wanted(key_type="RSA2048"), "its key is of type EC256, not RSA2048"),
        (Wanted(must_staple=True), "it was asked for without must-staple"),
        (Wanted(common_name=False), "it was asked for with a common name"),
    ],
)
@given(now=NOW)
def test_what_is_to_be_another_certificate_is_renewed_at_once(wanted, why, now):
    facts = Facts(("a.example",), now, now + 90 * DAY, CA, "", "EC256", False, True)
    decision = decide(facts, wanted, now)
    assert decision.due
    assert decision.cause == "changed"
    assert why in decision.why


@given(now=NOW)
def test_what_is_not_known_is_no_change_nor_is_another_way_to_write_the_names(now):
    facts = Facts(("a.example", "b.example"), now, now + 90 * DAY)
    wanted = Wanted(("B.example.", "A.EXAMPLE"), (OTHER, CA), "shortlived", "RSA2048", True, True)
    others = replace(facts, identifiers=("*.xn--bcher-kva.example", "2001:db8::1"))
    names = Wanted(("2001:DB8:0::1", "*.Bücher.example"))
    assert decide(others, names, now).cause == "age"
    assert decide(facts, wanted, now).cause == "age"
    assert decide(replace(facts, directory=CA), wanted, now).cause == "age"


@given(certificates(), NOW, ASKED, ASKED)
def test_a_change_of_what_is_asked_for_is_noticed_once_whatever_the_ca_makes_of_it(
    facts, now, must_staple, common_name
):
    wanted = Wanted(must_staple=must_staple, common_name=common_name)
    both = (facts.must_staple, must_staple), (facts.common_name, common_name)
    changed = any(None not in each and len(set(each)) == 2 for each in both)
    assert (decide(facts, wanted, now).cause == "changed") == changed
    # The next is remembered with what it was asked for: the certificate itself is not looked at.
    again = replace(facts, must_staple=must_staple, common_name=common_name)
    assert decide(again, wanted, now) == decide(again, AS_IT_IS, now)


@given(now=NOW, history=HISTORIES)
def test_no_certificate_is_due_at_once_unless_it_has_failed(now, history):
    decision = decide(None, Wanted(directories=(CA,)), now, history=history)
    assert decision.cause == "missing"
    assert decision.ask_at is None
    assert decision.when == history.free([CA], now)


@given(certificates(), NOW, ADVICE)
def test_an_expired_certificate_is_due_and_not_asked_about(facts, now, advice):
    assume(facts.not_after < now)
    decision = decide(facts, AS_IT_IS, now, advice=advice)
    assert decision.due
    assert decision.cause == "expired"
    assert decision.ask_at is None  # RFC 9773 section 4.3


@given(certificates(), NOW)
def test_a_clock_before_the_certificate_is_doubted_in_words(facts, now):
    assume(now < facts.not_before)
    assert "look whether it is right" in decide(facts, AS_IT_IS, now).why


@given(now=NOW, ahead=st.timedeltas(2 * WEEK, 40 * 365 * DAY), share=SHARE)
def test_a_clock_that_was_ahead_holds_nothing_up(now, ahead, share):
    then = now + ahead
    history = History({CA: Tries().after_failure("no", then, share)}, issued=(then,))
    told = pylego.RenewalInfo(then, then + DAY, None, then + DAY)
    advice = Advice(0.5).heard(told, then, share)
    facts = Facts(("a.example",), now - 80 * DAY, now + 10 * DAY, CA)
    decision = decide(facts, AS_IT_IS, now, advice=advice, history=history)
    assert decision.due
    assert decision.ask_at == now


MOMENTS = st.builds(pylego.RenewalInfo, ANY, ANY, st.none(), st.none() | ANY)
ASKING = st.lists(st.tuples(st.none() | MOMENTS, SHARE, st.timedeltas(timedelta(0), 3 * DAY)))


@given(NOW, ASKING)
@example(datetime(2026, 1, 1, tzinfo=UTC), [(None, 1.0, timedelta(0))] * 40)
def test_a_ca_is_asked_at_most_once_a_minute_and_at_least_once_a_day(now, asking):
    advice = Advice(0.5)
    facts = Facts(("a.example",), now, now + 1000 * DAY, CA)
    assert decide(facts, AS_IT_IS, now).ask_at == now
    assert decide(facts, AS_IT_IS, now, advice=advice).ask_at == now
    for told, share, late in asking:
        advice = advice.unheard(now, share) if told is None else advice.heard(told, now, share)
        ask_at = decide(facts, AS_IT_IS, now, advice=advice).ask_at
        assert now + MINUTE <= ask_at <= now + DAY
        # Until then it is not asked again, and afterwards at once.
        assert (
            decide(facts, AS_IT_IS, ask_at - timedelta(seconds=1), advice=advice).ask_at == ask_at
        )
        now = ask_at + late
        assert decide(facts, AS_IT_IS, now, advice=advice).ask_at == now


@given(NOW, st.timedeltas(MINUTE, DAY), SHARE, SHARE)
def test_the_ca_s_retry_after_is_kept(now, wait, place, share):
    told = pylego.RenewalInfo(now + DAY, now + 2 * DAY, None, now + wait)
    assert Advice(place).heard(told, now, share).ask_at == now + wait
    without = replace(told, retry_after=None)
    assert Advice(place).heard(without, now, share).ask_at == now + 6 * HOUR


@given(windows(), NOW, SHARE)
def test_the_moment_stays_as_long_as_the_window_does(advice, now, share):
    told = pylego.RenewalInfo(advice.start, advice.end, None, None)
    again = advice.heard(told, now, share)
    assert again.moment == advice.moment
    assert again.heard(told, now, share) == again
    assert again.unheard(now, share).moment == advice.moment


@given(windows(), NOW, SHARE, ANY, st.timedeltas(timedelta(0), 365 * DAY))
def test_a_window_that_ends_before_it_begins_is_no_answer(advice, now, share, start, less):
    assume(start.year > 2)
    told = pylego.RenewalInfo(start, start - less, None, None)
    assert advice.heard(told, now, share) == advice.unheard(now, share)


@given(NOW, st.integers(1, 300))
def test_a_ca_that_always_advises_to_renew_at_once_does_not_have_it_so_for_ever(now, days):
    history, issued, begin = History(), 0, now
    while now < begin + 7 * DAY:
        issued += 1
        history = history.renewed(now)
        facts = Facts(("a.example",), now, now + days * DAY, CA)
        decision = decide(facts, AS_IT_IS, now, advice=Advice(0.5, now - DAY, now), history=history)
        assert not decision.due
        assert decision.when <= facts.not_before + (facts.not_after - facts.not_before) * 2 / 3
        now = decision.when
    assert issued < 60


@given(NOW, st.integers(1, 300), st.sampled_from(["ahead", "other names"]))
def test_a_certificate_that_is_never_right_is_not_renewed_for_ever(now, days, trouble):
    history, issued, begin = History(), 0, now
    wanted = Wanted(("b.example",)) if trouble == "other names" else AS_IT_IS
    ahead = 1000 * DAY if trouble == "ahead" else timedelta(0)
    while now < begin + 7 * DAY:
        issued += 1
        history = history.renewed(now)
        facts = Facts(("a.example",), now - ahead, now - ahead + days * DAY, CA)
        decision = decide(facts, wanted, now, history=history)
        assert not decision.due
        assert "kept until" in decision.why
        now = decision.when
    assert issued < 60


@given(JSON | windows().flatmap(lambda advice: nearly(advice.to_json())), SHARE)
def test_any_json_is_some_advice(data, place):
    advice = Advice.from_json(data, place)
    assert Advice.from_json(json.loads(json.dumps(advice.to_json())), 0.0) == advice
    assert 0 <= advice.place <= 1


@given(windows(), NOW, SHARE)
def test_advice_survives_a_restart(advice, now, share):
    for each in (advice, advice.unheard(now, share)):
        assert Advice.from_json(json.loads(json.dumps(each.to_json())), share) == each
