"""Python and Go keep the same lists: messages, operations, events, errors."""

import pytest

from pylego import _engine, _errors, _events, _operations
from pylego._engine import jobs


@pytest.fixture(scope="module")
def contract():
    return _engine.run("contract", {})


def test_messages(contract):
    assert contract["messages"] == list(jobs.MESSAGE_TYPES)


def test_operations(contract):
    assert contract["operations"] == sorted(_operations.OPERATIONS)


def test_events(contract):
    assert contract["events"] == list(_events.KINDS)


def test_error_codes(contract):
    assert {entry["code"] for entry in contract["errors"]} == set(_errors.BY_CODE)
    assert all(entry["phase"] for entry in contract["errors"])


def test_every_class_of_the_tree_is_reached_by_a_code_or_a_problem():
    reached = {*_errors.BY_CODE.values(), *_errors.BY_PROBLEM.values(), _errors.ACMEError}
    tree = {kind for kind in vars(_errors).values() if isinstance(kind, type)}
    assert reached == {kind for kind in tree if issubclass(kind, _errors.LEGOError)}
