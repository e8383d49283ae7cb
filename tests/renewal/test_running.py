"""The manager as a program that runs for months: it waits, does what comes due, and stops."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

from pylego.renewal import _manager

PATIENCE = 60


class Slow:
    """Answers a challenge, and has nobody see it."""

    type = "dns-01"

    def __init__(self, server):
        self.server = server
        self.waiting = threading.Event()

    def present(self, presentation):
        self.server.add_txt(presentation.name, presentation.value)

    async def wait(self, presentation):
        self.waiting.set()
        await asyncio.Event().wait()

    def clean_up(self, presentation):
        self.server.remove_txt(presentation.name, presentation.value)


@contextmanager
def running(manager):
    """Run a manager on a thread; what failed there fails here."""
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(manager.run)
        try:
            yield
        finally:
            manager.stop()
        run.result(PATIENCE)


def test_it_obtains_what_is_missing_and_renews_what_comes_due(
    new_manager, managed, store, clock, monkeypatch
):
    monkeypatch.setattr(_manager, "LONGEST_WAIT", 0.05)  # the test's clock wakes nobody
    told = SimpleQueue()
    manager = new_manager(managed("a.example"), managed("b.example"), on_outcome=told.put)
    with running(manager):
        first = {told.get(timeout=PATIENCE).id for _ in range(2)}
        before = store.load("a.example")
        clock.pass_by(days=62)
        second = {told.get(timeout=PATIENCE).id for _ in range(2)}
    assert first == second == {"a.example", "b.example"}
    assert store.load("a.example").serial != before.serial


def test_it_does_nothing_before_its_time_and_spreads_what_is_not_urgent(
    new_manager, managed, monkeypatch
):
    monkeypatch.setattr(_manager.random, "random", lambda: 0.5)
    told = SimpleQueue()
    manager = new_manager(managed("a.example"), on_outcome=told.put)
    waits = []
    waited = threading.Event()
    next_ = _manager.Manager._next

    def watched(self, inbox, moment):
        waits.append(moment)
        if moment != _manager.NEVER:
            waited.set()
        return next_(self, inbox, moment)

    monkeypatch.setattr(_manager.Manager, "_next", watched)
    with running(manager):
        issued = told.get(timeout=PATIENCE)
        assert waited.wait(PATIENCE)
    [moment] = [each for each in waits if each != _manager.NEVER]
    assert moment == issued.next + _manager.SPREAD / 2


def test_stopping_ends_an_order_which_cleans_up(new_manager, managed, store, acme_server):
    slow, told = Slow(acme_server), []
    manager = new_manager(managed("a.example", challenge=slow), on_outcome=told.append)
    with running(manager):
        assert slow.waiting.wait(PATIENCE)
    assert [each.result for each in told] == ["stopped"]
    assert acme_server.records() == {}
    assert "pending" not in acme_server.authorizations()
    assert store.load("a.example") is None
    with store.lock("a.example", 0):  # nobody holds it
        pass
    [due] = new_manager(managed("a.example")).status().outcomes
    assert due.result == "due"  # being stopped is no failure


def test_what_has_been_stopped_does_nothing_more(new_manager, managed, acme_server):
    manager = new_manager(managed("a.example"))
    manager.stop()
    manager.run()
    manager.renew_due()
    assert "newOrder" not in acme_server.requests()


def test_one_that_is_slow_holds_no_other_up(new_manager, managed, acme_server):
    slow, told = Slow(acme_server), SimpleQueue()
    certificates = managed("slow.example", challenge=slow), managed("a.example")
    with running(new_manager(*certificates, on_outcome=told.put)):
        assert slow.waiting.wait(PATIENCE)
        assert told.get(timeout=PATIENCE).id == "a.example"


def test_a_cancelled_task_stops_it_and_waits_for_the_end(new_manager, managed, acme_server):
    slow, told = Slow(acme_server), []
    manager = new_manager(managed("a.example", challenge=slow), on_outcome=told.append)

    async def main():
        task = asyncio.create_task(manager.run_async())
        await asyncio.to_thread(slow.waiting.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert [each.result for each in told] == ["stopped"]
    assert acme_server.records() == {}


def test_an_exception_of_the_caller_s_ends_what_is_under_way(new_manager, managed, acme_server):
    slow = Slow(acme_server)

    def refuse(outcome):
        assert slow.waiting.wait(PATIENCE)
        raise RuntimeError("not this one")

    certificates = managed("slow.example", challenge=slow), managed("a.example")
    with pytest.raises(RuntimeError, match="not this one"):
        new_manager(*certificates, on_outcome=refuse).renew_due()
    assert acme_server.records() == {}
