"""Memory of a process of its own, whatever the other side sends."""

import json
import sys
import threading
from pathlib import Path

import pytest

from tests.faults import faults

MEGABYTE = 1 << 20
BOUND = 32 * MEGABYTE
"""How much more memory a process may ever have used than for an order that nobody disturbs."""

ORDERS = """
    import json, os
    import pylego

    def peak():
        lines = open("/proc/self/status").read().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    settings = json.loads(os.environ["SETTINGS"])
    make = getattr(pylego, settings["challenge"])
    challenge = make(host="127.0.0.1", port=settings["port"])
    client = pylego.Client(
        settings["directory"], trust=settings["trust"], accept_terms=True, timeout=60
    )
    client.obtain("first.example", challenges=challenge)
    before = peak()
    try:
        client.obtain("a.example", challenges=challenge)
        outcome = "certificate"
    except pylego.LEGOError as error:
        outcome = error.code
    print(json.dumps({"outcome": outcome, "growth": peak() - before}), flush=True)
"""


pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"), pytest.mark.slow]


@pytest.fixture
def orders(program):
    """Start two orders through a proxy, in a process of its own; the second is disturbed."""

    def start(proxy, challenge, port):
        settings = {
            "directory": proxy.directory,
            "trust": proxy.trust_root,
            "challenge": challenge,
            "port": port,
        }
        return program(ORDERS, env={"SETTINGS": json.dumps(settings)})

    return start


def result_of(running):
    code, out, err = running.end(timeout=60)
    assert code == 0, err
    return json.loads(out)


@pytest.mark.parametrize("kind", ["newOrder", "certificate"])
def test_100_mb_are_not_read(kind, ca, proxy_for, orders):
    with proxy_for(ca) as proxy:
        proxy.spoil(faults.huge_body, kinds=(kind,), after=1)
        result = result_of(orders(proxy, "HTTP01", ca.http_port))
    assert result["outcome"] == "certificate_obtain_failed"
    assert result["growth"] < BOUND
    assert proxy.sent < faults.HUGE / 5


@pytest.mark.parametrize("challenge", ["HTTP01", "TLSALPN01"])
def test_an_order_completes_among_10000_strangers(challenge, ca, proxy_for, orders, program):
    port = ca.http_port if challenge == "HTTP01" else ca.tls_port
    tls = challenge == "TLSALPN01"
    ready, attacked = threading.Event(), threading.Event()

    def wait_for_strangers(exchange):
        ready.set()  # the answer is there to be fetched, and the CA does not know it yet
        attacked.wait(60)
        exchange.forward()

    with proxy_for(ca) as proxy:
        proxy.spoil(wait_for_strangers, kinds=("challenge",), after=1, times=1)
        running = orders(proxy, challenge, port)
        assert ready.wait(30)
        attacker = Path(__file__).with_name("attacker.py")
        strangers = program(
            f"""
            import runpy, sys
            sys.argv = ["attacker", "{port}", "{"tls" if tls else "http"}"]
            runpy.run_path({str(attacker)!r}, run_name="__main__")
            """
        )
        assert "connections are held" in strangers.line()
        attacked.set()
        result = result_of(running)
    assert result["outcome"] == "certificate"
    assert result["growth"] < BOUND
