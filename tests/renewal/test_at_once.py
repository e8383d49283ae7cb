"""What a person asks for at once: it waits for nothing, and is counted all the same."""

from dataclasses import replace

import pytest

import pylego
from pylego._operations import GenerateKey
from pylego.renewal import _quotas
from pylego.renewal._attempt import FORCED, Keeper
from pylego.renewal._books import Books
from pylego.renewal._caller import Ending
from pylego.renewal._orders import Orders
from pylego.renewal._quotas import DAY, Quota, Quotas
from pylego.storage import Pending


@pytest.fixture
def keeper(store, clock):
    return Keeper(store, clock=clock, ending=Ending(), timeout=60, on_event=None)


@pytest.fixture
def ledger(store, acme_server, monkeypatch):
    """Limit the CA to one order in a day; give what is remembered of it."""
    limits = Quotas(orders=Quota(1, DAY), duplicates=Quota(1, DAY))
    monkeypatch.setitem(_quotas.QUOTAS, acme_server.directory, limits)
    return lambda: Books(store).ledger(acme_server.directory, "main")


def test_who_asks_waits_for_no_limit_and_is_counted(keeper, managed, store, ledger):
    certificate = managed("a.example")
    assert keeper.attend(certificate, None).result == "issued"
    [waiting] = [keeper.attend(certificate, None, force=True)]
    assert waiting.result == "kept"
    asked = keeper.attend(replace(certificate, at_once=True), None, force=True)
    assert (asked.result, asked.why) == ("issued", FORCED)
    assert len(ledger().authority.orders.past) == 2
    assert len(ledger().names["a.example"].past) == 2


@pytest.mark.acme_server(blocked_names=["a.example"])
def test_who_asks_does_not_wait_after_a_failure_and_one_attempt_is_made(
    keeper, managed, acme_server
):
    certificate = replace(managed("a.example"), at_once=True)
    for number in (1, 2):
        failed = keeper.attend(certificate, None)
        assert isinstance(failed.error, pylego.RejectedIdentifier)
        assert failed.failures == number
        assert acme_server.requests()["newOrder"] == number
    assert keeper.attend(managed("a.example"), None).result == "waiting"


def test_an_interruption_ends_what_was_counted(keeper, managed, store, ledger, monkeypatch):
    def interrupted(*_):
        assert len(ledger().authority.orders.running) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(Orders, "obtain", interrupted)
    with pytest.raises(KeyboardInterrupt):
        keeper.attend(managed("a.example"), None)
    assert ledger().authority.orders.running == ()
    assert store.state("a.example") == {}
    with store.lock("a.example", timeout=0):
        pass


def test_names_are_added_to_those_that_it_has_when_its_turn_has_come(keeper, managed, store):
    more = replace(managed("c.example", "A.example"), name="mine", keeps_names=True, at_once=True)
    keeper.attend(replace(managed("a.example", "b.example"), name="mine"), None)
    assert keeper.attend(more, None).result == "issued"
    assert [each.value for each in store.load("mine").identifiers] == [
        "a.example",
        "b.example",
        "c.example",
    ]
    fewer = replace(more, domains=("b.example",))
    assert keeper.attend(fewer, None).result == "kept"


def test_a_key_of_another_type_that_a_crash_has_left_is_not_used(
    keeper, managed, store, acme_server, new_client
):
    key = new_client(acme_server)._run(GenerateKey("EC256"), None)
    store.save_pending("a.example", Pending(key, None, acme_server.directory))
    assert keeper.attend(managed("a.example", key_type="EC384"), None).result == "issued"
    assert store.load("a.example").private_key != key
    assert keeper.attend(managed("a.example", key_type="EC384"), None).result == "kept"


def test_what_is_not_known_is_told_where_it_is_due(keeper, managed, acme_server):
    outcome = keeper.attend(replace(managed("a.example"), missing="the way is not known"), None)
    assert outcome.result == "failed"
    assert isinstance(outcome.error, pylego.InvalidRequest)
    assert "the way is not known" in outcome.why
    assert "newOrder" not in acme_server.requests()
