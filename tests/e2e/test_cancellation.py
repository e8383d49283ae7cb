"""A call that is cancelled at any step leaves nothing behind, whichever way it is cancelled."""

import asyncio
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import pylego
import pylego.testing
from pylego._events import KINDS
from tests.bridge.processes import SOON, Watched, descendants

STEPS = (
    *("account", "account_renewed", "order", "authorization", "waiting", "presented"),
    *("triggered", "validated", "attempt_failed", "retrying", "finalized", "issued", "cleaned_up"),
)
CASES = [
    *((challenge, step) for challenge in ("http01", "tlsalpn01", "dns01") for step in STEPS),
    *(("dns01", step) for step in ("propagated", "clean_up_failed")),
]
NAMES = ("a.example", "b.example")
FOR_ALL_CALLS = {"pylego", "pylego-callback", "pylego-loop"}
"""The threads that stay for the next call."""
IDLE = 5
"""Seconds that the process of a DNS provider stays for the next order."""


class Stop(Exception):
    """What a callback raises to end its call."""


def by_an_exception_of_the_callback(server, challenges, step, **settings):
    def tell(event):
        if event.kind == step:
            raise Stop

    client = pylego.Client(server.directory, on_event=tell, **known(server), **settings)
    with pytest.raises(Stop):
        client.obtain(*NAMES, challenges=challenges)


def by_cancelling_the_task(server, challenges, step, **settings):
    async def main():
        reached = asyncio.Event()

        def tell(event):
            if event.kind == step and not reached.is_set():  # a second time would not wait
                reached.set()
                task.cancel()

        client = pylego.AsyncClient(server.directory, on_event=tell, **known(server), **settings)
        task = asyncio.create_task(client.obtain(*NAMES, challenges=challenges))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def known(server):
    return {"trust": server.trust_root, "accept_terms": True, "timeout": 60}


class Untidy:
    """A solver that cleans up, and complains all the same."""

    def __init__(self, server):
        self.server = server

    def present(self, presentation):
        self.server.add_txt(presentation.name, presentation.value)

    def clean_up(self, presentation):
        self.server.remove_txt(presentation.name, presentation.value)
        raise LookupError


def on_the_way_to(step, server, challenge):
    """Prepare the server; return challenges and settings by which an order comes to the step."""
    client = pylego.Client(server.directory, **known(server))
    if step == "account_renewed":
        account = client.register()
        server.restart()
        return challenge, {"account": account}
    if step == "waiting":
        line = pylego.Limits(new_orders=(1, 3600))
        first = pylego.Client(server.directory, limits=line, **known(server))
        first.obtain("first.example", challenges=challenge)
    if step in ("attempt_failed", "retrying"):
        return [pylego.HTTP01("127.0.0.1", server.tls_port), challenge], {}
    return Untidy(server) if step == "clean_up_failed" else challenge, {}


def somebody_listens(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def threads():
    """Name the kinds of threads that there are; those that are about to end may do so."""
    for thread in threading.enumerate():
        if thread.name == "pylego-solver":
            thread.join(SOON)
    return {thread.name.partition("_")[0] for thread in threading.enumerate()}


def processes():
    """Find what this process has started: provider hosts, and everything else."""
    hosts, others = set(), set()
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has ended
            if command := Path(f"/proc/{pid}/cmdline").read_bytes():
                (hosts if b"provider" in command else others).add(pid)
    return hosts, others


def left_beside_hosts(before):
    """Find the processes that have been started meanwhile; one before its exec looks like us."""
    end = time.monotonic() + SOON
    while (left := processes()[1] - before) and time.monotonic() < end:
        pass
    return left


def test_every_kind_of_event_is_a_case():
    # An order is gone on with by a manager alone: tests/e2e/test_resuming.py.
    assert {step for _, step in CASES} | {"order_resumed"} == set(KINDS)


@pytest.mark.parametrize("way", [by_an_exception_of_the_callback, by_cancelling_the_task])
@pytest.mark.parametrize(("challenge", "step"), CASES)
def test_nothing_stays(acme_server, challenge, step, way):
    challenges, settings = on_the_way_to(step, acme_server, getattr(acme_server, challenge)())
    threads_before, (_, before) = threads(), processes()
    way(acme_server, challenges, step, **settings)
    assert acme_server.records() == {}
    assert "pending" not in acme_server.authorizations()
    assert not somebody_listens(acme_server.http_port)
    assert not somebody_listens(acme_server.tls_port)
    assert threads() - threads_before <= FOR_ALL_CALLS
    # The hosts hold no record, and wait for the next order.
    assert left_beside_hosts(before) == set()


def test_the_process_of_a_provider_stays_no_longer_than_for_another_order(acme_server):
    by_an_exception_of_the_callback(acme_server, acme_server.dns01(), "presented")
    hosts, _ = processes()
    assert hosts
    assert Watched(hosts).left_after(IDLE + SOON) == []
