"""Hundreds of orders at once, from one event loop and from threads."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

import pylego

MANY = 300
LIMITS = [None, pylego.Limits(orders_in_flight=50), pylego.Limits(requests_in_flight=math.inf)]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def at_once_on_a_loop(server, limits):
    async def main():
        client = pylego.AsyncClient(
            server.directory, trust=server.trust_root, accept_terms=True, limits=limits, timeout=240
        )
        orders = (
            client.obtain(f"n{number}.example", challenges=server.http01())
            for number in range(MANY)
        )
        return await asyncio.gather(*orders)

    return asyncio.run(main())


def at_once_in_threads(server, limits):
    client = pylego.Client(
        server.directory, trust=server.trust_root, accept_terms=True, limits=limits, timeout=240
    )

    def obtain(number):
        return client.obtain(f"n{number}.example", challenges=server.http01())

    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(obtain, range(MANY)))


def check(server, certificates):
    names = [certificate.identifiers[0].value for certificate in certificates]
    assert names == [f"n{number}.example" for number in range(MANY)]
    assert len({certificate.serial for certificate in certificates}) == MANY
    asked = server.requests()
    assert (asked["newOrder"], asked["newAccount"]) == (MANY, 1)
    assert server.authorizations() == {"valid": MANY}


@pytest.mark.parametrize("at_once", [at_once_on_a_loop, at_once_in_threads])
@pytest.mark.parametrize("limits", LIMITS, ids=["default", "orders", "requests"])
def test_all_of_many_orders_at_once_succeed(at_once, limits, acme_server):
    check(acme_server, at_once(acme_server, limits))


@pytest.mark.acme_server(nonce_reject=50)
@pytest.mark.parametrize("at_once", [at_once_on_a_loop, at_once_in_threads])
def test_all_of_them_succeed_where_half_of_the_nonces_are_rejected(at_once, acme_server):
    certificates = at_once(acme_server, None)
    assert len({certificate.serial for certificate in certificates}) == MANY
    assert acme_server.authorizations() == {"valid": MANY}


def test_a_thousand_orders_at_once_take_less_than_100_kb_each(acme_server, program):
    source = f"""
        import asyncio
        from pathlib import Path
        import pylego

        def resident():
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

        async def watch(seen):
            while True:
                seen.append(resident())
                await asyncio.sleep(0.02)

        async def main():
            client = pylego.AsyncClient({acme_server.directory!r}, trust={acme_server.trust_root!r}, accept_terms=True)
            challenge = pylego.HTTP01(host="127.0.0.1", port={acme_server.http_port})
            await client.obtain("first.example", challenges=challenge)
            before, seen = resident(), []
            watching = asyncio.create_task(watch(seen))
            names = [f"n{{number}}.example" for number in range(1000)]
            await asyncio.gather(*(client.obtain(name, challenges=challenge) for name in names))
            watching.cancel()
            print((max(seen) - before) / len(names))

        asyncio.run(main())
    """
    code, out, err = program(source).end(timeout=240)
    assert code == 0, err
    assert float(out) < 100
