"""Python and Go keep the same lists: messages, operations, events, errors."""

import dataclasses

import pytest

from pylego import _engine, _errors, _events, _operations
from pylego._directories import DIRECTORIES
from pylego._engine import jobs, surroundings


@pytest.fixture(scope="module")
def contract():
    return _engine.run(_engine.Call("contract", {}))


def test_messages(contract):
    assert contract["messages"] == list(jobs.MESSAGE_TYPES)


def test_operations(contract):
    assert contract["operations"] == sorted(_operations.OPERATIONS)


def test_events(contract):
    assert contract["events"] == list(_events.KINDS)
    fields = dataclasses.fields(_events.Event)  # another would be an error at its first event
    assert contract["event_fields"] == [field.name for field in fields]


def test_directories(contract):
    assert contract["directories"] == DIRECTORIES


def test_error_codes(contract):
    assert {entry["code"] for entry in contract["errors"]} == set(_errors.BY_CODE)
    assert all(entry["phase"] for entry in contract["errors"])


@pytest.mark.parametrize(
    "call",
    [_engine.Call("contract", {}, timeout=0), _engine.Call("contract", {}, timeout="none")],
    ids=["deadline", "arguments"],
)
def test_an_error_of_python_s_own_is_what_the_engine_s_is(contract, call):
    with pytest.raises(_errors.LEGOError) as caught:
        surroundings.request(call, events=False)
    assert_is_in_the_table(contract, caught.value)


def test_an_engine_error_of_python_s_own_is_what_the_engine_s_is(contract):
    assert_is_in_the_table(contract, _errors.EngineError("it failed"))


def assert_is_in_the_table(contract, error):
    entry = {"code": error.code, "phase": error.phase, "retryable": error.retryable}
    assert entry in contract["errors"]
    assert type(error) is _errors.BY_CODE[error.code]


def test_every_class_of_the_tree_is_reached_by_a_code_or_a_problem():
    reached = {*_errors.BY_CODE.values(), *_errors.BY_PROBLEM.values(), _errors.ACMEError}
    # What Python finds by itself:
    reached |= {_errors.HookFailed, _errors.StorageError, _errors.UnknownSetting}
    tree = {kind for kind in vars(_errors).values() if isinstance(kind, type)}
    assert reached == {kind for kind in tree if issubclass(kind, _errors.LEGOError)}
