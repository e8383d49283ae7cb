"""Processes of lego's real providers that misbehave, by a script for its provider exec."""

import itertools
import os
import random
import secrets
import signal
import stat
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import pylego
from tests.bridge.processes import SOON, hosts
from tests.soak.test_random_orders import SETTLED, settled

SCRIPT = f"""#!{sys.executable} -ES
import os, signal, socket, sys, time

action, name, value = sys.argv[1:]
host = os.getppid()
body = '{{"fqdn": "%s", "value": "%s"}}' % (name, value)


def write(descriptor, text):
    with open("/proc/%d/fd/%d" % (host, descriptor), "w") as pipe:
        pipe.write(text)


def change():
    request = "POST /%s HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (action, len(body), body)
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) as connection:
        connection.sendall(request.encode())
        assert b" 200 " in connection.recv(1000)


def misbehave(how):
    write(2, "about to %s\\n" % how)
    if how == "print":
        write(1, "on stdout\\n")
    elif how == "garble":
        write(4, "on the pipe of the frames\\n")
    elif how == "stop":
        os.kill(host, signal.SIGSTOP)
    elif how == "kill":
        os.kill(host, signal.SIGKILL)
    if how != "print":
        time.sleep(600)


moment, how = os.environ["WHEN"], os.environ["HOW"]
try:
    os.mkdir(os.environ["ONCE"] + action)
except FileExistsError:
    moment = "not again"
if moment == action == "cleanup":
    misbehave(how)
change()
if moment == action == "present":
    misbehave(how)
"""
ENDS = ("kill", "garble")
HANGS = ("hang", "stop")
HOW = [*ENDS, *(pytest.param(how, marks=pytest.mark.slow) for how in HANGS), "print"]


@pytest.fixture
def misbehaving(acme_server, tmp_path):
    """Make a challenge whose host does what it should not, once."""
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    like = acme_server.dns01()
    port = urlsplit(like.variables["HTTPREQ_ENDPOINT"]).port

    def challenge(moment, how, number=0, **settings):
        return pylego.DNS01(
            "exec",
            resolvers=like.resolvers,
            **{"check_authoritative": False, "check_recursive": True, **settings},
            EXEC_PATH=str(script),
            EXEC_SEQUENCE_INTERVAL="0",
            EXEC_POLLING_INTERVAL="1",
            PORT=str(port),
            WHEN=moment,
            HOW=how,
            ONCE=str(tmp_path / f"{number}-"),
        )

    return challenge


def end_hosts(how):
    """Do from outside what a script does that still runs while the order waits."""
    number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how]
    for pid in hosts():
        with suppress(OSError):
            os.kill(pid, number)


@pytest.mark.parametrize("how", HOW)
def test_a_host_that_misbehaves_at_present_is_a_typed_error_and_leaves_no_record(
    acme_server, new_client, misbehaving, how
):
    events = []
    client = new_client(acme_server, on_event=lambda e: events.append(e.kind))
    client.register()
    if how == "print":
        assert client.obtain("a.example", challenges=misbehaving("present", how))
    else:
        error = pylego.DeadlineExceeded if how in HANGS else pylego.ProviderError
        # A busy machine does not come to the script within three seconds.
        for timeout in (3, 9, 27) if how in HANGS else (30,):
            challenge = misbehaving("present", how, timeout)
            with pytest.raises(error) as caught:
                client.obtain("a.example", challenges=challenge, timeout=timeout)
            if f"about to {how}" in str(caught.value):
                break
        assert "DNS provider exec could not present" in str(caught.value)
        assert f"about to {how}" in str(caught.value)
    assert acme_server.records() == {}
    assert "clean_up_failed" not in events


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_host_that_ends_or_stops_while_the_order_waits_costs_nothing(
    acme_server, new_client, misbehaving, how
):
    events = []

    def tell(event):
        events.append(event.kind)
        if event.kind == "presented":
            end_hosts(how)

    challenge = misbehaving("never", how, propagation_wait=1)
    client = new_client(acme_server, on_event=tell)
    assert client.obtain("a.example", challenges=challenge)
    assert acme_server.records() == {}
    assert "cleaned_up" in events


@pytest.mark.parametrize("how", HOW)
def test_a_host_that_misbehaves_at_clean_up_is_followed_by_another(
    acme_server, new_client, misbehaving, how
):
    client = new_client(acme_server)
    assert client.obtain("a.example", challenges=misbehaving("cleanup", how))
    assert acme_server.records() == {}


def one_round(server, challenge, number):
    """Obtain a certificate by a host that misbehaves once; return when it did, and the end."""
    choose = random.Random(number)
    moment = choose.choice(["present", "cleanup"])
    how = choose.choice([*ENDS * 6, *["print"] * 6, *HANGS])
    client = pylego.Client(
        server.directory,
        trust=server.trust_root,
        accept_terms=True,
        timeout=1 if how in HANGS and moment == "present" else 60,
        isolation="",
    )
    try:
        client.obtain(f"n{number}.example", challenges=challenge(moment, how, number))
    except (pylego.ProviderError, pylego.DeadlineExceeded) as error:
        return moment, type(error).__name__
    return moment, "Certificate"


def rounds(server, challenge, seed, warm_up, count, settle):
    """Let so many hosts misbehave; return what this process uses before and after them."""
    print(f"\nSOAK_SEED={seed}")  # noqa: T201 -- to be used again
    numbers = itertools.count(seed)

    def play(count):
        with ThreadPoolExecutor(4) as pool:
            some = itertools.islice(numbers, count)
            return Counter(pool.map(lambda number: one_round(server, challenge, number), some))

    play(warm_up)
    warm = settled(settle)
    outcomes = play(count)
    after = settled(settle, warm)
    print(f"warm:  {warm}\nafter: {after}\n{dict(outcomes)}")  # noqa: T201 -- for who compares runs
    assert server.records() == {}
    assert zombies() == []
    assert {end for moment, end in outcomes if moment == "cleanup"} == {"Certificate"}
    assert after.descriptors <= warm.descriptors
    assert after.processes <= warm.processes
    assert after.threads <= warm.threads + 8  # Go keeps what a moment has needed
    return warm, after


def zombies():
    """List the engine's children that have ended and that nobody waits for; other tests have theirs."""
    end = time.monotonic() + SOON
    while (found := [*ended_hosts()]) and time.monotonic() < end:
        pass
    return found


def ended_hosts():
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            name, _, rest = status.read_text().rpartition(")")
            state, parent = rest.split()[:2]
            if (state, int(parent)) == ("Z", os.getpid()) and name.endswith("(lego"):
                yield status.parent.name


@pytest.fixture
def ca_apart(monkeypatch):
    """Let the CA run in a process of its own; the orders say theirs."""
    monkeypatch.setenv("PYLEGO_ISOLATION", "process")


@pytest.mark.slow
def test_nothing_is_left_of_some_hosts_that_misbehaved(ca_apart, acme_server, misbehaving):
    rounds(acme_server, misbehaving, seed=20261125, warm_up=16, count=24, settle=0)


@pytest.mark.soak
def test_nothing_is_left_of_a_thousand_hosts_that_misbehaved(ca_apart, acme_server, misbehaving):
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(2**32)))
    warm, after = rounds(acme_server, misbehaving, seed, 100, 1000, settle=SETTLED)
    assert after.connections == warm.connections == 0
    assert after.goroutines <= warm.goroutines
    assert after.heap <= warm.heap + 4096  # accounts are remembered for an hour
    assert after.resident <= warm.resident + 16384
