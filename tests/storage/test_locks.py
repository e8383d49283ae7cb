"""One at a time: among threads, forks, processes, and hosts that share the folder."""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

import pylego
from pylego.storage import FileStore
from pylego.storage import _locks as locks
from pylego.storage._folder import Folder

NAME = "a.example"

COUNTER = """
import sys
from pathlib import Path
from pylego.storage import FileStore

store, counter = FileStore(sys.argv[1]), Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with store.lock("a.example"):
        value = int(counter.read_text())
        counter.write_text(str(value + 1))
print("done", flush=True)
"""

HOLDER = """
import sys, time
from pylego.storage import FileStore

with FileStore(sys.argv[1]).lock("a.example"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def start():
    """Start programs in processes of their own; they are killed at the end."""
    started = []

    def run(source, *arguments):
        command = [sys.executable, "-c", source, *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def hold(store, start):
    """Have another process hold the lock."""

    def run():
        process = start(HOLDER, store.folder)
        assert process.stdout.readline() == "held\n"
        return process

    return run


def files(store):
    return list(Path(store.folder, "pylego", "locks", NAME).iterdir())


def test_processes_and_threads_count_without_losing_one(store, start, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [start(COUNTER, store.folder, counter, 40) for _ in range(3)]

    def count(_):
        for _ in range(20):
            with store.lock(NAME):
                counter.write_text(str(int(counter.read_text()) + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    for process in processes:
        assert process.stdout.readline() == "done\n"
    assert int(counter.read_text()) == 3 * 40 + 4 * 20
    assert len(files(store)) == 1


def test_a_held_lock_is_waited_for_no_longer_than_allowed(store, hold):
    process = hold()
    with pytest.raises(pylego.DeadlineExceeded, match=f"process {process.pid} on .* holds it"):
        store.lock(NAME, timeout=0.1).__enter__()
    with store.lock("b.example", timeout=0):
        pass


def test_what_a_killed_process_held_is_free_at_once(store, hold):
    process = hold()
    process.kill()  # its parent has not looked at it yet
    began = time.monotonic()
    with store.lock(NAME, timeout=10) as lock:
        assert lock.held
    assert time.monotonic() - began < 5


def test_random_kills_leave_the_lock_to_one_at_a_time(store, start, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    choose = random.Random(20261125)
    survivor = start(COUNTER, store.folder, counter, 100)
    for _ in range(12):
        victim = start(HOLDER, store.folder)
        victim.stdout.readline()
        time.sleep(choose.uniform(0, 0.02))
        victim.kill()
    assert survivor.stdout.readline() == "done\n"
    assert int(counter.read_text()) == 100


def pretended(store, **other):
    """Make the lock look as if another held it; return its file."""
    with store.lock(NAME):
        [file] = files(store)
        holder = locks._Holder.of(file.name)
    [file] = files(store)
    return file.rename(file.with_name(holder._replace(**other).name))


def test_a_process_number_that_is_used_again_holds_nothing(store):
    pretended(store, started="1")
    with store.lock(NAME, timeout=1):
        pass


def of_another_host(store):
    """Make the lock look as if a process on another host held it."""
    return pretended(store, host="elsewhere", kernel="another-boot")


class Naps:
    """A clock that only naps put forward; in each of them something happens."""

    time = staticmethod(time.time)

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile
        self.slept = 0

    def monotonic(self):
        return self.slept

    def sleep(self, seconds):
        self.slept += seconds
        self.meanwhile()


@pytest.fixture
def naps(monkeypatch):
    """Have waiting take no time."""
    naps = Naps(lambda: None)
    monkeypatch.setattr(locks, "time", naps)
    monkeypatch.setattr(locks, "_keeper", mock.Mock())  # it would nap, too
    return naps


def test_another_hosts_lock_is_held_as_long_as_it_is_refreshed(store, naps):
    file = of_another_host(store)
    written = itertools.count(time.time_ns())
    naps.meanwhile = lambda: os.utime(file, ns=(0, next(written)))
    with pytest.raises(pylego.DeadlineExceeded, match="on elsewhere holds it"):
        store.lock(NAME, timeout=3 * locks.SILENT).__enter__()
    naps.meanwhile = lambda: None
    with store.lock(NAME, timeout=2 * locks.SILENT):
        pass


def test_another_hosts_clock_does_no_harm(store, monkeypatch):
    monkeypatch.setattr(locks, "SILENT", 0.2)
    file = of_another_host(store)
    os.utime(file, (time.time() + 10**6, time.time() + 10**6))
    with store.lock(NAME, timeout=10):
        pass


def hours_ago(file, moments):
    """Have a holder show that it lives, by a clock that is two hours behind."""
    os.utime(file, ns=(0, time.time_ns() - 7200 * 10**9 + next(moments)))


@pytest.mark.parametrize("timeout", [0, 3 * locks.SILENT])
def test_another_host_whose_clock_is_hours_behind_keeps_its_lock(store, naps, timeout):
    file, moments = of_another_host(store), itertools.count()
    hours_ago(file, moments)
    naps.meanwhile = lambda: hours_ago(file, moments)
    with pytest.raises(pylego.DeadlineExceeded, match="on elsewhere holds it"):
        store.lock(NAME, timeout).__enter__()


def test_what_was_left_hours_ago_is_watched_and_taken_also_by_who_would_not_wait(store, naps):
    hours_ago(of_another_host(store), itertools.count())
    with store.lock(NAME, timeout=0):
        assert locks.SILENT < naps.slept < 2 * locks.SILENT


def test_what_shows_no_sign_yet_is_not_waited_for_by_who_would_not(store, naps):
    of_another_host(store)
    with pytest.raises(pylego.DeadlineExceeded, match="on elsewhere holds it"):
        store.lock(NAME, timeout=0).__enter__()
    assert naps.slept == 0


def test_a_holder_that_was_asleep_learns_that_its_lock_is_gone(store, monkeypatch):
    monkeypatch.setattr(locks, "SILENT", 0.1)
    with store.lock(NAME) as lock:
        assert lock.held
        lock.check()
        monkeypatch.setattr(locks, "_we", locks._We())
        locks._we.kernel = "another"
        with store.lock(NAME, timeout=10) as other:
            assert other.held
            assert not lock.held
            with pytest.raises(pylego.StorageError, match="not held any more"):
                lock.check()
    with store.lock(NAME, timeout=0):  # its end has taken nothing from the other
        pass


def test_the_holder_shows_that_it_lives(store, monkeypatch):
    monkeypatch.setattr(locks, "REFRESHED", 0.02)
    monkeypatch.setattr(locks, "_keeper", locks._Keeper())
    with store.lock(NAME):
        [file] = files(store)
        before = file.stat().st_mtime_ns
        end = time.monotonic() + 20
        while file.stat().st_mtime_ns == before:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_lock_is_not_let_go_while_its_sign_of_life_is_written(store, monkeypatch):
    # Its descriptor may be another file's the moment that it is closed.
    monkeypatch.setattr(locks, "REFRESHED", 0)
    monkeypatch.setattr(locks, "_keeper", locks._Keeper())
    story, written = [], threading.Event()

    class Kept(locks.Lock):
        def refresh(self):
            if not written.is_set():
                letting_go.start()
                letting_go.join(0.05)  # it cannot end before
                story.append("written")
                written.set()

    def let_go():
        lock.__exit__()
        story.append("let go")

    lock, letting_go = Kept(store.folder, NAME), threading.Thread(target=let_go)
    with lock:
        assert written.wait(20)
        letting_go.join()
    assert story == ["written", "let go"]


def in_a_fork(act):
    """Run something in a fork of this process; return what it printed."""
    ours, its = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: a fork beside threads
        pid = os.fork()
    if pid == 0:
        try:
            os.write(its, str(act()).encode())
        finally:
            os._exit(0)
    os.close(its)
    with os.fdopen(ours) as said:
        answer = said.read()
    os.waitpid(pid, 0)
    return answer


def test_a_fork_holds_no_lock_of_its_parents_and_lets_none_go(store):
    with store.lock(NAME) as lock:

        def in_the_child():
            held = lock.held
            lock.__exit__(None, None, None)
            try:
                store.lock(NAME, timeout=0).__enter__()
            except pylego.DeadlineExceeded:
                return f"{held} and waits"

        assert in_a_fork(in_the_child) == "False and waits"
        assert lock.held


FORKING = """
import os, sys, time
from pylego.storage import FileStore

with FileStore(sys.argv[1]).lock("a.example"):
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
    print(pid, flush=True)
    time.sleep(600)
"""


def test_a_child_that_lives_on_does_not_hold_the_lock_of_its_dead_parent(store, start):
    parent = start(FORKING, store.folder)
    child = int(parent.stdout.readline())
    try:
        parent.kill()
        parent.wait()
        os.kill(child, 0)
        with store.lock(NAME, timeout=10):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_fork_takes_locks_itself(store):
    with store.lock("b.example"):

        def in_the_child():
            with store.lock(NAME, timeout=5) as lock:
                return lock.held

        assert in_a_fork(in_the_child) == "True"


def test_an_exception_lets_the_lock_go(store):
    with pytest.raises(KeyError), store.lock(NAME):
        raise KeyError
    with store.lock(NAME, timeout=0):
        pass


def test_a_program_that_was_interrupted_while_it_took_the_lock_does_not_hold_it(store, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with store.lock(NAME):
        pass
    monkeypatch.setattr(locks, "_states", interrupted)  # it looks whether it has it alone
    with pytest.raises(KeyboardInterrupt):
        store.lock(NAME).__enter__()
    monkeypatch.undo()
    with store.lock(NAME, timeout=0):
        pass


def test_a_copy_of_a_free_lock_gives_it_to_nobody_else(store):
    with store.lock(NAME) as lock:
        [file] = files(store)
        # From a backup, or of one who had found the folder empty long ago.
        file.with_name("free").touch()
        with pytest.raises(pylego.DeadlineExceeded):
            store.lock(NAME, timeout=0.05).__enter__()
        assert lock.held
        assert files(store) == [file]


def test_copies_of_who_held_it_go_in_time(store):
    left = [pretended(store, started="1").name for _ in range(3)]
    for name in left:
        Path(store.folder, "pylego", "locks", NAME, name).touch()
    with store.lock(NAME, timeout=5):
        assert len(files(store)) == 1


def test_a_folder_of_a_lock_that_came_empty_from_a_backup_is_that_of_a_free_one(store):
    with store.lock(NAME):
        pass
    [file] = files(store)
    file.unlink()
    with store.lock(NAME, timeout=0) as lock:
        assert lock.held


def test_a_rename_that_succeeded_though_it_seemed_to_fail_has_taken_the_lock(store, monkeypatch):
    with store.lock(NAME):
        pass
    real = Folder.move_if_there

    def answered_late(folder, name, to):
        return real(folder, name, to) and name != "free"

    monkeypatch.setattr(Folder, "move_if_there", answered_late)
    with store.lock(NAME, timeout=0) as lock:
        assert lock.held


def test_locks_have_names_as_certificates_have(store):
    with pytest.raises(pylego.InvalidRequest):
        store.lock("..")
    with store.lock("*.a.example"), pytest.raises(pylego.DeadlineExceeded):
        FileStore(store.folder).lock("*.a.example", timeout=0).__enter__()
