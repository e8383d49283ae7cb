"""Crashes and several managers on one store: nothing is lost, and nothing done twice."""

import os
import random
import secrets
import signal
import subprocess
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from pylego.renewal import _quotas
from pylego.renewal._books import Books
from pylego.renewal._quotas import DAY, Quota, Quotas
from pylego.storage import FileStore
from tests.renewal.conftest import ended, go_on

KILLED = "    os.kill(os.getpid(), signal.SIGKILL)\n"

CRASHES = {
    "before the CA has issued": "    FileStore.save_pending(self, *args)\n" + KILLED,
    "after the CA has issued": KILLED,
    "after it was saved": KILLED,
}
METHODS = dict(zip(CRASHES, ("save_pending", "save", "drop_pending"), strict=True))


@pytest.mark.parametrize("when", CRASHES)
def test_a_crash_loses_no_certificate_and_costs_no_second_order(
    child, new_manager, managed, store, acme_server, when
):
    crash = f"def crash(self, *args, **more):\n{CRASHES[when]}\nStore.{METHODS[when]} = crash\n"
    code, _, _ = ended(child("a.example", before=crash))
    assert code == -signal.SIGKILL
    pending = store.pending("a.example")
    assert (store.load("a.example") is None) == (when != "after it was saved")

    [outcome] = new_manager(managed("a.example")).renew_due().outcomes
    assert outcome.result == ("kept" if when == "after it was saved" else "issued")
    certificate = store.load("a.example")
    assert certificate.order_url == pending.order_url
    assert certificate.private_key == pending.key
    assert acme_server.requests()["newOrder"] == acme_server.requests()["finalize"] == 1


LIMITED = """
from pylego.renewal import _quotas
from pylego.renewal._quotas import DAY, Quota, Quotas

_quotas.QUOTAS[os.environ["DIRECTORY"]] = Quotas(orders=Quota(2, DAY), duplicates=Quota(1, DAY))
"""


def test_what_was_killed_holds_up_no_next_attempt_and_is_counted_once(
    child, new_manager, managed, store, acme_server, monkeypatch
):
    crash = f"def crash(self, *args, **more):\n{KILLED}\nStore.save = crash\n"
    code, _, _ = ended(child("a.example", before=LIMITED + crash))
    assert code == -signal.SIGKILL
    limits = Quotas(orders=Quota(2, DAY), duplicates=Quota(1, DAY))
    monkeypatch.setitem(_quotas.QUOTAS, acme_server.directory, limits)
    [issued] = new_manager(managed("a.example")).renew_due().outcomes
    assert issued.result == "issued"
    ledger = Books(store).ledger(acme_server.directory, "main")
    assert (len(ledger.names["a.example"].past), ledger.names["a.example"].running) == (1, ())
    assert len(ledger.authority.orders.past) == acme_server.requests()["newOrder"] == 1
    [waiting] = new_manager(managed("a.example")).renew_due(force=True).outcomes
    assert waiting.result == "kept"


def test_an_order_that_is_here_already_is_not_taken_for_the_next(
    child, new_manager, managed, store, clock
):
    crash = f"def crash(self, *args, **more):\n{KILLED}\nStore.drop_pending = crash\n"
    ended(child("a.example", before=crash))
    before = store.load("a.example")
    clock.pass_by(days=70)
    new_manager(managed("a.example")).renew_due()
    assert store.load("a.example").serial != before.serial
    assert store.pending("a.example") is None


def test_two_managers_on_one_store_do_each_certificate_once(child, acme_server, store):
    names = [f"{number}.example" for number in range(6)]
    ends = ended(child(*names), child(*names))
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert acme_server.requests()["newOrder"] == acme_server.requests()["finalize"] == len(names)
    assert acme_server.requests()["newAccount"] == 1
    assert set(FileStore(store.folder).texts()) == set(names)


def test_what_another_process_is_at_is_left_to_it(child, new_manager, managed, store):
    with store.lock("a.example"):
        started = child("a.example")
        code, out, _ = ended(started)
    assert (code, out.strip()) == (0, "busy")


STOPPED = """
manager = Manager(Store(os.environ["STORE"]), certificates,
    on_outcome=lambda outcome: print(outcome.result, flush=True))
signal.signal(signal.SIGTERM, lambda *_: manager.stop())
print("ready", flush=True)
sys.stdin.readline()
manager.run()
print("ended", flush=True)
"""


def test_a_signal_stops_it(child):
    started = child("a.example", then=STOPPED)
    assert started.line() == "ready"
    started.type("\n")
    assert started.line() == "issued"
    started.process.send_signal(signal.SIGTERM)
    code, out, err = started.end()
    assert (code, out.strip()) == (0, "ended"), err


NOTED = """
def noted(self, name, pending):
    FileStore.save_pending(self, name, pending)
    with open({!r}, "a") as file:
        file.write(f"{{name}} {{pending.order_url}}\\n")

Store.save_pending = noted
"""


def killed_at_random(child, draw, names, **settings):
    """Run two managers at once, of which one is killed before it is done, mostly."""
    both = [child(*names, **settings), child(*names, **settings)]
    go_on(*both)
    victim = draw.choice(both)
    with suppress(subprocess.TimeoutExpired):
        victim.process.wait(draw.random() / 2)  # or it is done before
    victim.process.kill()
    for each in both:
        each.end()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_managers_killed_at_random_lose_nothing(child, store, tmp_path, seed):
    draw, finalized = random.Random(seed), tmp_path / "finalized"
    names, before = [f"{number}.example" for number in range(10)], NOTED.format(str(finalized))
    for _ in range(4):
        killed_at_random(child, draw, names, before=before)
    code, out, err = ended(child(*names, before=before))
    assert (code, set(out.split())) == (0, {"kept"}), err
    # No order that the CA was asked to issue was given up for another.
    orders = {f"{name} {store.load(name).order_url}" for name in names}
    assert set(finalized.read_text().splitlines()) <= orders  # a kill may come before the note


# Not by its date: that a certificate was issued just now, though by the clock it is old, may
# not be on the disk yet when it is killed.
ANOTHER_DAY = """
from dataclasses import replace
from datetime import datetime, timedelta, timezone

ahead = timedelta(days={})
Manager = functools.partial(Manager, clock=lambda: datetime.now(timezone.utc) + ahead)
certificates = [replace(each, key_type={!r}) for each in certificates]
"""


DAYS = 25


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_managers_killed_at_random_renew_each_certificate_once(child, store, tmp_path, acme_server):
    """Day after day all are to have keys of another type, and each day has one successor of each."""
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(2**32)))
    print(f"\nSOAK_SEED={seed}")  # noqa: T201 -- to be used again
    draw, names = random.Random(seed), [f"{number}.example" for number in range(20)]
    for day in range(DAYS):
        finalized, asked = tmp_path / f"finalized {day}", acme_server.requests().get("newOrder", 0)
        another = ANOTHER_DAY.format(2 * day, ("EC256", "EC384")[day % 2])
        settings = {"before": another + NOTED.format(str(finalized))}
        for _ in range(4):
            killed_at_random(child, draw, names, **settings)
        code, out, err = ended(child(*names, **settings))
        assert code == 0, err
        assert set(out.split()) <= {"kept", "issued"}, err
        orders = {f"{name} {store.load(name).order_url}" for name in names}
        assert set(finalized.read_text().splitlines()) <= orders  # as above
        # One that is killed before an order is noted, of two at once, has it made again.
        assert acme_server.requests()["newOrder"] - asked <= len(names) + 4 * 2
    replaced = {
        packed.read(file)
        for archive in Path(store.folder, "archives", "certificates").iterdir()
        for packed in [zipfile.ZipFile(archive)]
        for file in packed.namelist()
        if file.endswith(".example.crt")
    }
    assert len(replaced) == len(names) * (DAYS - 1)
