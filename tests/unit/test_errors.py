"""What an error tells a person and a program."""

import pickle
import re
from datetime import datetime, timedelta, timezone

import pytest

import pylego
import pylego.dns_persist
from pylego import _errors
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


@pytest.mark.parametrize(
    "problem",
    [
        "accountDoesNotExist",
        "externalAccountRequired",
        "invalidContact",
        "unsupportedContact",
        "userActionRequired",
    ],
)
def test_a_refusal_that_is_about_the_account_is_both_an_account_and_an_acme_error(problem):
    error = from_info({"type": "acme", "code": problem, "detail": "no"})
    assert isinstance(error, pylego.AccountError)
    assert isinstance(error, pylego.ACMEError)


def classes(kind):
    for each in kind.__subclasses__():
        if each.__module__ == "pylego._errors":
            yield each
            yield from classes(each)


def test_the_tree_that_the_module_draws_has_every_class_where_it_is():
    drawn, above = {}, {}
    for line in _errors.__doc__.splitlines():
        if drawing := re.match(r"([│ ├└─]*)(\w+)( +an AccountError, too$)?", line):
            depth = len(drawing[1]) // 4
            if depth or drawing[2] == "LEGOError":
                above[depth] = drawing[2]
                drawn[drawing[2]] = {above[depth - 1]} if depth else set()
                drawn[drawing[2]] |= {"AccountError"} if drawing[3] else set()
    del drawn["LEGOError"]
    assert drawn == {
        each.__name__: {base.__name__ for base in each.__bases__}
        for each in classes(pylego.LEGOError)
    }


@pytest.mark.parametrize(
    ("fail", "phase"),
    [
        (lambda: pylego.Client("letsencrypt", ip_version=5), "request"),
        (lambda: pylego.Client("letsencrypt", isolation="no such").directory(), "request"),
        (lambda: pylego.Account.from_json("nonsense"), "request"),
        (lambda: pylego.Client("letsencrypt").obtain("a.example", challenges=object()), "request"),
        (lambda: pylego.dns_persist.record("a", pylego.Account()), "request"),
        (lambda: raise_(pylego.EngineError("it cannot run here")), "engine"),
    ],
)
def test_an_error_that_python_finds_knows_its_phase_and_its_code(fail, phase):
    with pytest.raises(pylego.LEGOError) as caught:
        fail()
    assert caught.value.phase == phase
    assert caught.value.code == {"request": "invalid_arguments", "engine": "engine_error"}[phase]


def raise_(error):
    raise error


def test_an_error_survives_pickling_as_process_pools_do_it():
    error = pickle.loads(pickle.dumps(from_info(FAILED_CHALLENGE)))
    assert type(error) is pylego.ChallengeFailed
    assert (error.code, error.detail) == ("dns", "no such name")
    assert str(error).startswith("[dns] a.example (http-01): no such name; ")
    assert error.attempts[0].challenge == "http-01"


def test_an_error_of_pylegos_own_survives_pickling_with_its_text():
    error = pickle.loads(pickle.dumps(pylego.EngineError("it cannot run here")))
    assert str(error) == "[engine_error] it cannot run here"


def test_a_message_says_what_failed_what_was_said_and_what_to_do():
    text = str(from_info(RATE_LIMITED))
    assert text.startswith(
        "[rateLimited] the CA refused with HTTP 429: too many certificates; wait;"
    )
    assert text.endswith(" UTC")


def test_a_message_has_room_for_five_names():
    attempts = FAILED_CHALLENGE["attempts"] * 7
    error = from_info({**FAILED_CHALLENGE, "attempts": attempts})
    assert len(error.attempts) == 7
    assert str(error).count("a.example") == 5
    assert "; and 2 more; " in str(error)


def test_the_words_of_a_problem_are_the_cas_own_for_callers_of_0_1():
    error = from_info(RATE_LIMITED, pylego.LEGOError)
    assert str(error) == "[rateLimited] too many certificates"


def test_a_date_beyond_the_calendar_is_still_one():
    error = from_info({**RATE_LIMITED, "retry_after": 1e300})
    assert error.retry_after > datetime.now(timezone.utc) + timedelta(days=365 * 300)
