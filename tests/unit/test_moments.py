"""Moments as Go writes them: RFC 3339, with as many digits of a second as it needs."""

import datetime as dt

import pytest

from pylego._certificate import moment_of

SECOND = dt.datetime(2026, 3, 1, 12, 30, 15, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2026-03-01T12:30:15Z", 0),
        ("2026-03-01T12:30:15.5Z", 500_000),
        ("2026-03-01T12:30:15.12345Z", 123_450),
        ("2026-03-01T12:30:15.000001Z", 1),
        ("2026-03-01T12:30:15.123456789Z", 123_456),
        ("2026-03-01T14:30:15.25+02:00", 250_000),
        ("2026-03-01T09:00:15.25-03:30", 250_000),
    ],
)
def test_a_moment_has_any_number_of_digits(text, microseconds):
    """Python 3.10 reads three or six of them, and no Z."""
    assert moment_of(text) == SECOND + dt.timedelta(microseconds=microseconds)


@pytest.mark.parametrize("text", ["", "now", "2026-03-01T12:30:15.", "2026-13-01T00:00:00.5Z"])
def test_what_is_no_moment_is_an_error(text):
    with pytest.raises(ValueError, match=r"isoformat|month"):
        moment_of(text)
