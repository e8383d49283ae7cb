"""What a call may take: any time that is one, and none that is not."""

import math

import pytest

import pylego


@pytest.mark.parametrize("timeout", [0, -0.0, -1, -math.inf])
def test_where_no_time_is_left_nothing_is_sent(acme_server, any_client, timeout):
    with pytest.raises(pylego.DeadlineExceeded) as caught:
        any_client().directory(timeout=timeout)
    assert (caught.value.phase, caught.value.retryable) == ("deadline", True)
    assert acme_server.requests() == {}


@pytest.mark.parametrize("timeout", [None, math.inf, 1e300, 60])
def test_any_other_time_is_one(any_client, timeout):
    assert any_client(timeout=timeout).directory().url


@pytest.mark.parametrize("timeout", [math.nan, "5", pytest.param(10**400, id="too-big"), [], 1j])
def test_what_is_no_number_is_refused(acme_server, any_client, timeout):
    for settings in ({"timeout": timeout}, {"cleanup_timeout": timeout}):
        with pytest.raises(pylego.InvalidRequest, match=r"timeout is|do not fit"):
            any_client(**settings).directory()
    assert acme_server.requests() == {}


def test_a_clean_up_cannot_take_less_than_nothing(any_client):
    with pytest.raises(pylego.InvalidRequest, match="cleanup_timeout"):
        any_client(cleanup_timeout=-1).directory()
