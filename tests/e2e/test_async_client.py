"""AsyncClient: the same operations on an event loop."""

import asyncio
import inspect
import sys
import time

import pytest

import pylego
import pylego.testing

since_python_3_11 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio has it since Python 3.11"
)


@pytest.fixture
def async_client(acme_server):
    """Make async clients of one's own settings."""

    def make(server=acme_server, **settings):
        settings = {"trust": server.trust_root, "accept_terms": True, "timeout": 30, **settings}
        return pylego.AsyncClient(server.directory, **settings)

    return make


@pytest.fixture
def slow_server():
    """Give a CA that never gets to its validations: each waits for minutes."""
    with pylego.testing.ACMEServer(validation_sleep=600) as server:
        yield server


def parameters(function):
    return [
        (each.name, each.kind, each.default)
        for each in inspect.signature(function).parameters.values()
    ]


def test_the_clients_are_twins():
    def methods(client):
        return {
            name: function
            for name, function in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }

    ours, theirs = methods(pylego.Client), methods(pylego.AsyncClient)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert parameters(ours[name]) == parameters(theirs[name]), name
        assert inspect.iscoroutinefunction(theirs[name]), name
        assert inspect.getdoc(theirs[name]), name
        assert ours[name].__annotations__ == theirs[name].__annotations__, name
    assert parameters(pylego.Client) == parameters(pylego.AsyncClient)


def test_many_at_once_share_one_new_account(acme_server, async_client):
    async def main():
        async with async_client() as client:
            names = [f"a{number}.example" for number in range(20)]
            certificates = await asyncio.gather(
                *(client.obtain(name, challenges=acme_server.http01()) for name in names)
            )
            assert [each.identifiers[0].value for each in certificates] == names

    asyncio.run(main())
    assert acme_server.requests()["newAccount"] == 1


def test_an_error_is_raised_where_it_is_awaited(acme_server, async_client):
    async def main():
        with pytest.raises(pylego.InvalidRequest):
            await async_client().obtain("no name", challenges=acme_server.http01())

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["order", "presented", "triggered"])
def test_cancelling_the_task_cleans_up_and_then_raises(slow_server, async_client, kind):
    async def main():
        reached = asyncio.Event()
        seen = []

        def tell(event):
            seen.append(event.kind)
            if event.kind == kind:
                reached.set()

        client = async_client(slow_server, on_event=tell)
        task = asyncio.create_task(client.obtain("a.example", challenges=slow_server.dns01()))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    seen = asyncio.run(main())
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()
    assert ("cleaned_up" in seen) == ("presented" in seen)


def leap(seconds):
    """Put the clock of the running loop forward."""
    asyncio.get_running_loop().time = lambda: time.monotonic() + seconds


async def by_wait_for(operation):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(operation, 600)


async def by_timeout(operation):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(600):
            await operation


@pytest.mark.parametrize(
    "time_is_up", [by_wait_for, pytest.param(by_timeout, marks=since_python_3_11)]
)
def test_a_timeout_of_asyncio_cancels(slow_server, async_client, time_is_up):
    seen = []

    def tell(event):
        seen.append(event.kind)
        if event.kind == "presented":
            leap(600)

    async def main():
        client = async_client(slow_server, on_event=tell, timeout=None)  # the clock leaps
        await time_is_up(client.obtain("a.example", challenges=slow_server.dns01()))

    asyncio.run(main())
    assert {"presented", "cleaned_up"} <= set(seen)
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()


@since_python_3_11
def test_a_task_group_that_fails_is_left_when_everything_is_cleaned_up(slow_server, async_client):
    async def main():
        presented = asyncio.Event()
        client = async_client(
            slow_server, on_event=lambda event: event.kind != "presented" or presented.set()
        )
        async with asyncio.TaskGroup() as group:
            for name in ("a.example", "b.example"):
                group.create_task(client.obtain(name, challenges=slow_server.dns01()))
            await presented.wait()
            raise ZeroDivisionError

    with pytest.raises(BaseException, match="in a TaskGroup") as caught:
        asyncio.run(main())
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
    assert slow_server.records() == {}
    assert "presented" in {change.action for change in slow_server.dns_log()}
    assert "pending" not in slow_server.authorizations()


def test_a_second_cancellation_is_raised_at_once(slow_server, async_client):
    async def main():
        reached = asyncio.Event()

        async def tell(event):
            if event.kind == "triggered":
                reached.set()

        client = async_client(slow_server, on_event=tell, cleanup_timeout=600)
        task = asyncio.create_task(client.obtain("a.example", challenges=slow_server.http01()))
        await reached.wait()
        slow_server.set_faults(pylego.testing.Faults(delay_ms=600_000))
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow_server.set_faults()

    asyncio.run(main())


def test_events_come_in_order_on_the_loop(acme_server, async_client):
    async def main():
        kinds, loops = [], set()

        async def tell(event):
            await asyncio.sleep(0)
            kinds.append(event.kind)
            loops.add(asyncio.get_running_loop())

        client = async_client(on_event=tell)
        await client.obtain("a.example", challenges=acme_server.http01())
        assert loops == {asyncio.get_running_loop()}
        return kinds

    kinds = asyncio.run(main())
    assert kinds[:3] == ["account", "order", "authorization"]
    assert kinds.index("presented") < kinds.index("triggered") < kinds.index("validated")
    assert "issued" in kinds


def test_what_a_callback_raises_ends_the_call(acme_server, async_client):
    async def main():
        async def fail(event):
            raise ZeroDivisionError(event.kind)

        with pytest.raises(ZeroDivisionError, match="account"):
            await async_client(on_event=fail).obtain("a.example", challenges=acme_server.http01())

    asyncio.run(main())


def test_following_an_operation_gives_its_events_and_its_result(acme_server, async_client):
    async def main():
        told = []
        client = async_client(on_event=told.append)
        progress = pylego.follow(client.obtain("a.example", challenges=acme_server.http01()))
        seen = [event async for event in progress]
        certificate = await progress
        assert seen == told
        assert [event async for event in progress] == []
        assert certificate.identifiers[0].value == "a.example"
        return [event.kind for event in seen]

    kinds = asyncio.run(main())
    assert kinds[0] == "account"
    assert {"triggered", "validated", "issued", "cleaned_up"} <= set(kinds)


def test_an_operation_that_fails_ends_its_events_and_raises_where_it_is_awaited(async_client):
    async def main():
        progress = pylego.follow(async_client().obtain(challenges=[]))
        assert [event async for event in progress] == []
        with pytest.raises(pylego.InvalidRequest):
            await progress

    asyncio.run(main())


def test_several_operations_may_be_followed_as_one(acme_server, async_client):
    async def main():
        client = async_client()

        async def both():
            await client.obtain("a.example", challenges=acme_server.http01())
            await client.obtain("b.example", challenges=acme_server.http01())

        return [event.identifier async for event in pylego.follow(both())]

    assert {"a.example", "b.example"} <= set(asyncio.run(main()))


def test_cancelling_the_iteration_cancels_the_operation(slow_server, async_client):
    async def main():
        client = async_client(slow_server)
        progress = pylego.follow(client.obtain("a.example", challenges=slow_server.dns01()))

        async def watch():
            async for event in progress:
                if event.kind == "triggered":
                    watching.cancel()

        watching = asyncio.create_task(watch())
        for each in (watching, progress):
            with pytest.raises(asyncio.CancelledError):
                await each

    asyncio.run(main())
    assert slow_server.records() == {}
