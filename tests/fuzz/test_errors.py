"""Any description of an error becomes an exception that can be used."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from pylego._errors import BY_CODE, BY_PROBLEM, LEGOError, from_info
from tests.fuzz.values import JSON, check, nearly

IDENTIFIER = {"type": "dns", "value": "a.example"}
SHAPE = {
    "type": "acme",
    "code": "compound",
    "status": 403,
    "detail": "no",
    "acme_type": "urn:ietf:params:acme:error:compound",
    "phase": "server",
    "retryable": True,
    "retry_after": 60.5,
}
PARTS = st.lists(
    JSON | nearly({"type": "caa", "detail": "no", "identifier": IDENTIFIER}), max_size=3
)
ATTEMPTS = st.lists(
    JSON | nearly({"identifier": IDENTIFIER, "challenge": "http-01", "detail": "x"})
)
LISTS = {
    "code": st.sampled_from([*BY_CODE, *BY_PROBLEM]),
    "retry_after": st.floats() | st.integers(),
    "identifiers": st.lists(JSON | nearly(IDENTIFIER), max_size=3),
    "subproblems": PARTS,
    "attempts": ATTEMPTS,
}
INFO = st.builds(
    lambda one, other: {**one, **other}, nearly(SHAPE), st.fixed_dictionaries({}, optional=LISTS)
)


@given(info=INFO)
def test_any_description_becomes_an_exception(info):
    check(from_info(info))


@given(info=INFO)
def test_an_exception_of_any_description_survives_pickling(info):
    error = from_info(info)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.detail, again.code, str(again)) == (error.detail, error.code, str(error))


@given(info=INFO)
def test_callers_of_0_1_get_the_one_class_that_they_know(info):
    assert type(from_info(info, LEGOError)) is LEGOError
