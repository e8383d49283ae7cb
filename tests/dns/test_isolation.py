"""Orders with credentials of their own for one provider, all at once: none uses another's."""

import asyncio
import os
import random
import secrets
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

import pylego
from tests.servers.httpreq import HTTPReq

ACCOUNTS = 32
ROUNDS = 4


@pytest.fixture
def recorder(acme_server):
    with HTTPReq(acme_server, anyone=True) as recorder:
        yield recorder


def credentials_of(account):
    return f"user-{account}:password-{account}-{account}"


def challenge(acme_server, recorder, account):
    return acme_server.dns01(**recorder.credentials(*credentials_of(account).split(":")))


def names_of(account, number):
    return [f"{place}.o{number}.a{account}.example" for place in ("x", "y")]


def in_threads(client, make, orders):
    def obtain(order):
        client.obtain(*names_of(*order), challenges=make(order[0]))

    with ThreadPoolExecutor(ACCOUNTS) as pool:
        list(pool.map(obtain, orders))


async def on_a_loop(client, make, orders):
    await asyncio.gather(
        *(client.obtain(*names_of(*order), challenges=make(order[0])) for order in orders)
    )


def in_a_fork(client, make, orders):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: a fork beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            in_threads(client, make, orders)
            code = 0
        finally:
            os._exit(code)
    return child


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_order_uses_the_credentials_of_another(acme_server, new_client, recorder, seed):
    orders_of_all(acme_server, new_client, recorder, ROUNDS, seed)


@pytest.mark.soak
def test_no_order_of_thousands_uses_the_credentials_of_another(acme_server, new_client, recorder):
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(2**32)))
    print(f"\nSOAK_SEED={seed}")  # noqa: T201 -- to be used again
    for number in range(30):
        orders_of_all(acme_server, new_client, recorder, ROUNDS, seed + number)
        recorder.calls.clear()


def orders_of_all(acme_server, new_client, recorder, rounds, seed):
    """Obtain with all credentials in turn, in an order of the seed's; each is the one that was told."""

    def make(account):
        return challenge(acme_server, recorder, account)

    orders = [(account, number) for account in range(ACCOUNTS) for number in range(rounds)]
    random.Random(seed).shuffle(orders)
    client = new_client(acme_server, timeout=600)
    awaited = pylego.AsyncClient(
        acme_server.directory, trust=acme_server.trust_root, accept_terms=True, timeout=600
    )
    client.register()
    child = in_a_fork(client, make, orders[0::4])
    loop = threading.Thread(target=lambda: asyncio.run(on_a_loop(awaited, make, orders[1::4])))
    loop.start()
    in_threads(client, make, orders[2::4] + orders[3::4])
    loop.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    for _, credentials, name, _ in recorder.calls:
        account = int(name.rpartition(".a")[2].removesuffix(".example"))
        assert credentials == credentials_of(account)
    shown, taken = (  # a call that a busy server answers late is made again
        {call[1:] for call in recorder.calls if call[0] == path}
        for path in ("/present", "/cleanup")
    )
    assert shown == taken
    assert len(shown) == 2 * len(orders)
    assert acme_server.records() == {}
