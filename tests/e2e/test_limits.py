"""Limits: how much is asked of a CA at once and in time."""

import asyncio
import math
import time

import pytest

import pylego


def test_an_order_waits_for_its_place_says_so_and_goes_on(acme_server):
    acme_server.set_dns_delay("slow.example", 60_000)

    async def main():
        told, reached = [], {"triggered": asyncio.Event(), "waiting": asyncio.Event()}

        def tell(event):
            told.append(event)
            if event.kind in reached:
                reached[event.kind].set()

        client = pylego.AsyncClient(
            acme_server.directory,
            trust=acme_server.trust_root,
            accept_terms=True,
            limits=pylego.Limits(orders_in_flight=1),
            on_event=tell,
        )
        first = asyncio.create_task(client.obtain("slow.example", challenges=acme_server.http01()))
        await reached["triggered"].wait()
        second = asyncio.create_task(client.obtain("b.example", challenges=acme_server.http01()))
        await reached["waiting"].wait()
        assert [event.kind for event in told].count("order") == 1
        first.cancel()
        await second
        return [event for event in told if event.kind == "waiting"]

    (waiting,) = asyncio.run(main())
    assert "127.0.0.1" in waiting.detail


def test_waiting_in_line_counts_against_the_deadline(acme_server, any_client):
    class Ordered(Exception):
        """What the first order ends with, which has taken the only place."""

    def end(event):
        if event.kind == "order":
            raise Ordered

    first = any_client(limits=pylego.Limits(new_orders=(1, 3600)), on_event=end)
    with pytest.raises(Ordered):
        first.obtain("a.example", challenges=acme_server.http01())
    second = any_client()
    second.register()
    with pytest.raises(pylego.DeadlineExceeded, match="in line for 127") as caught:
        second.obtain("b.example", challenges=acme_server.http01(), timeout=1)
    assert caught.value.retryable
    assert acme_server.requests()["newOrder"] == 1


def test_who_waits_can_be_cancelled(acme_server, any_client):
    any_client(limits=pylego.Limits(new_orders=(1, 3600))).obtain(
        "a.example", challenges=acme_server.http01()
    )

    async def main():
        waiting = asyncio.Event()

        def tell(event):
            if event.kind == "waiting":
                assert 3000 < event.wait <= 3600
                waiting.set()

        client = pylego.AsyncClient(
            acme_server.directory, trust=acme_server.trust_root, accept_terms=True, on_event=tell
        )
        task = asyncio.create_task(client.obtain("b.example", challenges=acme_server.http01()))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert acme_server.requests()["newOrder"] == 1


def test_new_orders_keep_their_pace(acme_server, any_client):
    client = any_client(limits=pylego.Limits(new_orders=(2, 0.5)), timeout=60)
    began = time.monotonic()
    for number in range(5):
        client.obtain(f"n{number}.example", challenges=acme_server.http01())
    assert time.monotonic() - began >= 1  # 2, 2 and 1


def test_requests_keep_their_rate(acme_server, any_client):
    client = any_client(limits=pylego.Limits(requests_per_second=10), timeout=60)
    began = time.monotonic()
    for number in range(3):
        client.obtain(f"n{number}.example", challenges=acme_server.http01())
    requests = sum(acme_server.requests().values())
    assert requests > 15
    # The first ten at once. The directory itself is asked for at the same rate.
    assert time.monotonic() - began >= (requests - 11) / 10


def test_limits_hold_for_the_ca_until_somebody_says_otherwise(acme_server, any_client):
    any_client(limits=pylego.Limits(new_orders=(1, 3600))).obtain(
        "a.example", challenges=acme_server.http01()
    )
    endless = pylego.Limits(
        new_orders=(math.inf, 1),
        requests_per_second=math.inf,
        requests_in_flight=math.inf,
        orders_in_flight=math.inf,
    )
    for number in range(3):
        any_client(limits=endless).obtain(f"n{number}.example", challenges=acme_server.http01())
