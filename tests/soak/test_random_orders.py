"""Random orders, faults, cancellations and forks; nothing may be left at the end.

In the long run SOAK_CERTIFICATES (5000) is how many are obtained, SOAK_SECONDS (900)
the time to spend at most, SOAK_SEED the seed, printed to be used again.
"""

import os
import random
import secrets
import signal
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import pylego
from pylego import _engine
from pylego.testing import ACMEServer, Faults
from tests.bridge.processes import descendants, hosts

WORKERS = 8
KILLED = "killed"
"""Begins the names of a process that is killed: nobody can remove its records."""
PATHS = ("newNonce", "newAccount", "newOrder", "authorization", "challenge", "finalize", "order")
SETTLED = 90  # seconds in which idle connections and hosts end by themselves


class GivenUpError(Exception):
    """Raised by an event callback, which cancels the call."""


def random_faults(choose):
    return choose.choice(
        [
            Faults(),
            Faults(nonce_reject=choose.randrange(1, 80)),
            Faults(path=choose.choice(PATHS), drop=choose.randrange(1, 4)),
            Faults(path=choose.choice(PATHS), status=503, status_count=1, retry_after="1"),
            Faults(path=choose.choice(PATHS), status=500, status_count=choose.randrange(1, 6)),
            Faults(delay_ms=choose.randrange(1, 30)),
        ]
    )


def one_order(server, seed, prefix="n"):
    """Obtain one certificate, or give up, or fail, by chance; return how it ended."""
    choose = random.Random(seed)
    last_event = choose.choice([1, 2, 5, 8, *[1000] * 12])

    def tell(event, seen=[]):  # noqa: B006 -- it counts
        seen.append(event)
        if len(seen) == last_event:
            raise GivenUpError

    client = pylego.Client(
        server.directory,
        trust=server.trust_root,
        accept_terms=True,
        timeout=choose.choice([0.01, 0.05, 0.5, *[30] * 9]),
        isolation=choose.choice(["", "", "process"]),
        on_event=tell,
    )
    names = [
        f"{prefix}{choose.randrange(10**6)}.example" for _ in range(choose.choice([1, 1, 1, 2, 5]))
    ]
    challenge = choose.choice([server.http01, server.tlsalpn01, server.dns01])()
    try:
        client.obtain(*names, challenges=challenge)
    except (pylego.LEGOError, GivenUpError) as error:
        return type(error).__name__
    return "Certificate"


def in_a_fork(server, seed, *, kill):
    """Let a child of this process obtain one, or be killed at it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: a fork beside threads
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.environ.pop("PYLEGO_ISOLATION")
            outcome = one_order(server, seed, KILLED if kill else "fork")
            code = 0 if outcome != "EngineError" else 2
        finally:
            os._exit(code)
    if kill:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class State:
    """What this process uses; the CA runs in another."""

    def __init__(self):
        statistics = _engine.run(_engine.Call("statistics", {}, isolation=""))
        self.goroutines = statistics["goroutines"]
        self.heap = statistics["heap"] // 1024
        self.descriptors = len(list(Path("/proc/self/fd").iterdir())) - len(connections())
        self.connections = len(connections())
        self.threads = len(list(Path("/proc/self/task").iterdir()))
        self.processes = len(descendants(os.getpid()))
        fields = Path("/proc/self/statm").read_text().split()
        self.resident = int(fields[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    def __str__(self):
        return ", ".join(f"{name} {value}" for name, value in vars(self).items())


def connections():
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            found += [each] if str(each.readlink()).startswith("socket:") else []
    return found


def settled(seconds, before=None):
    """Wait until provider hosts have ended, and for so long until idle connections have.

    Descriptors that are closed a moment after a host's end are waited for, too.
    """
    end = time.monotonic() + seconds
    last = time.monotonic() + SETTLED
    while (
        hosts()
        or (connections() and time.monotonic() < end)
        or (before and State().descriptors > before.descriptors and time.monotonic() < last)
    ):
        assert time.monotonic() < last, f"these do not end: {hosts()}"
        time.sleep(0.2)
    return State()


def random_orders(wanted, seed, seconds, settle):
    """Obtain so many certificates within so many seconds; return the states and the outcomes."""
    end = time.monotonic() + seconds
    print(f"\nSOAK_SEED={seed}")  # noqa: T201 -- to be used again
    choose = random.Random(seed)
    outcomes, forks = Counter(), Counter()
    with ACMEServer() as server:
        with ThreadPoolExecutor(WORKERS) as pool:
            while outcomes["Certificate"] < wanted // 10 and time.monotonic() < end:
                outcomes.update(pool.map(lambda number: one_order(server, number), range(64)))
            warm = settled(settle)
            print(f"warm:  {warm}")  # noqa: T201 -- for who compares runs
            while outcomes["Certificate"] < wanted and time.monotonic() < end:
                server.set_faults(random_faults(choose))
                seeds = [choose.randrange(2**32) for _ in range(8 * WORKERS)]
                orders = pool.map(lambda number: one_order(server, number), seeds)
                kill = sum(forks.values()) % 3 == 1
                forks[in_a_fork(server, choose.randrange(2**32), kill=kill)] += 1
                outcomes.update(orders)
            server.set_faults()
            assert one_order_without_haste(server)
        after = settled(settle, warm)
        assert [name for name in server.records() if f".{KILLED}" not in name] == []
    print(f"after: {after}\n{dict(outcomes)}; forks by exit code {dict(forks)}")  # noqa: T201 -- for who compares runs
    assert "EngineError" not in outcomes
    assert outcomes["Certificate"] >= wanted, f"{seconds} s were not enough"
    assert set(forks) == {0, -signal.SIGKILL}
    assert after.descriptors <= warm.descriptors
    assert after.threads <= warm.threads + 8  # Go keeps what a moment has needed
    assert after.processes <= warm.processes
    return warm, after


@pytest.mark.slow
def test_nothing_is_left_after_some_random_orders(monkeypatch):
    monkeypatch.setenv("PYLEGO_ISOLATION", "process")  # for the CA; the orders say their own
    random_orders(wanted=150, seed=20261124, seconds=100, settle=0)


@pytest.mark.soak
def test_nothing_is_left_after_many_random_orders(monkeypatch):
    monkeypatch.setenv("PYLEGO_ISOLATION", "process")
    warm, after = random_orders(
        wanted=int(os.environ.get("SOAK_CERTIFICATES", "5000")),
        seed=int(os.environ.get("SOAK_SEED", secrets.randbelow(2**32))),
        seconds=float(os.environ.get("SOAK_SECONDS", "900")),
        settle=SETTLED,
    )
    assert after.connections == warm.connections == 0
    assert after.goroutines <= warm.goroutines
    assert after.heap <= warm.heap + 4096  # accounts are remembered for an hour
    assert after.resident <= warm.resident + 16384


def one_order_without_haste(server):
    client = pylego.Client(
        server.directory, trust=server.trust_root, accept_terms=True, timeout=30, isolation=""
    )
    return client.obtain("last.example", challenges=server.http01())
