"""Each fault at each request of an order: a certificate, or an error that says what to do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.faults.cases import CASES, STEPS
from tests.faults.order import CLEAN_UP, obtain

pytestmark = pytest.mark.slow

AT_ONCE = 30
SLACK = 5.0
"""Seconds that a busy machine may add."""


@pytest.fixture(scope="module")
def endings(request, ca, proxy_for):
    """Begin all orders of the tests that were chosen: most of what they do is waiting."""
    cases = [
        item.callspec.params["case"] for item in request.session.items if item.path == request.path
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            case.name: {step: pool.submit(one_order, case, step, ca, proxy_for) for step in STEPS}
            for case in cases
        }


def one_order(case, step, ca, proxy_for):
    kind, after = STEPS[step]
    with proxy_for(ca) as proxy:
        proxy.spoil(case.make(), kinds=(kind,), after=after, times=case.times)
        order = obtain(proxy, ca.http01(), timeout=case.deadline)
    assert proxy.hits > 0, f"no request met the fault at {step}"
    assert proxy.sent < 16 << 20, "a body was read that is too large"
    assert order.elapsed < case.deadline + CLEAN_UP + SLACK
    return order.outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_order_ends_as_the_table_says(case, endings):
    found = {step: ending.result() for step, ending in endings[case.name].items()}
    expected = {step: case.outcome(step) for step in STEPS}
    for step, outcome in found.items():
        if expected[step].says in outcome.says:
            found[step] = replace(outcome, says=expected[step].says)
    assert found == expected
