"""What an error tells a person and a program."""

import pickle
from datetime import datetime, timedelta, timezone

import pytest

import pylego
from pylego._errors import from_info

RATE_LIMITED = {
    "type": "acme",
    "code": "rateLimited",
    "status": 429,
    "detail": "too many certificates",
    "acme_type": "urn:ietf:params:acme:error:rateLimited",
    "phase": "server",
    "retryable": True,
    "retry_after": 3600,
}

FAILED_CHALLENGE = {
    "type": "acme",
    "code": "dns",
    "status": 400,
    "detail": "no such name",
    "acme_type": "urn:ietf:params:acme:error:dns",
    "phase": "challenge",
    "identifiers": [{"type": "dns", "value": "a.example"}],
    "attempts": [
        {
            "identifier": {"type": "dns", "value": "a.example"},
            "challenge": "http-01",
            "detail": "no such name",
        }
    ],
}


def test_a_rate_limit_says_when_to_try_again():
    error = from_info(RATE_LIMITED)
    assert type(error) is pylego.RateLimited
    assert isinstance(error, pylego.ACMEError)
    assert error.retryable
    assert error.phase == "server"
    wait = error.retry_after - datetime.now(timezone.utc)
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)


def test_a_failed_challenge_names_identifier_challenge_and_the_words_of_the_ca():
    error = from_info(FAILED_CHALLENGE)
    assert type(error) is pylego.ChallengeFailed
    assert error.identifiers == [pylego.Identifier("dns", "a.example")]
    assert error.attempts == [
        pylego.Attempt(pylego.Identifier("dns", "a.example"), "http-01", "no such name")
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_csr", pylego.InvalidRequest),
        ("dns_provider_failed", pylego.ProviderError),
        ("network_error", pylego.NetworkError),
        ("deadline_exceeded", pylego.DeadlineExceeded),
        ("something from the future", pylego.EngineError),
    ],
)
def test_a_code_has_its_class(code, kind):
    assert type(from_info({"type": "lego", "code": code, "detail": "x"})) is kind


def test_an_account_that_the_ca_does_not_know_is_both_an_account_and_an_acme_error():
    error = from_info({"type": "acme", "code": "accountDoesNotExist", "detail": "who?"})
    assert isinstance(error, pylego.AccountError)
    assert isinstance(error, pylego.ACMEError)


def test_an_error_survives_pickling_as_process_pools_do_it():
    error = pickle.loads(pickle.dumps(from_info(FAILED_CHALLENGE)))
    assert type(error) is pylego.ChallengeFailed
    assert (error.code, error.detail, str(error)) == ("dns", "no such name", "[dns] no such name")
    assert error.attempts[0].challenge == "http-01"


def test_an_error_of_pylegos_own_survives_pickling_with_its_text():
    error = pickle.loads(pickle.dumps(pylego.EngineError("it cannot run here")))
    assert str(error) == "[engine_error] it cannot run here"


def test_a_date_beyond_the_calendar_is_still_one():
    error = from_info({**RATE_LIMITED, "retry_after": 1e300})
    assert error.retry_after > datetime.now(timezone.utc) + timedelta(days=365 * 300)
