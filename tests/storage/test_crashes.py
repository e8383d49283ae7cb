"""Writers that are killed at any moment, while others read."""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

import pylego
from pylego.storage import FileStore, recover
from pylego.storage import _journal as journal
from pylego.storage._folder import Folder

NAME = "a.example"

WRITER = """
import sys
from pathlib import Path
import pylego
from pylego.storage import FileStore

folder, pairs = sys.argv[1], Path(sys.argv[2])
certificates = [
    pylego.Certificate.load(pairs / f"{number}.crt", pairs / f"{number}.key") for number in range(3)
]
store = FileStore(folder, pem=True)
print("ready", flush=True)
while True:
    for certificate in certificates:
        store.save("a.example", certificate)
"""

READER = """
import sys
from pylego.storage import FileStore

store = FileStore(sys.argv[1])
seen = 0
print("ready", flush=True)
while not sys.stdin.closed:
    certificate = store.load("a.example")  # which makes sure that certificate and key fit
    text = store.texts()["a.example"]
    assert certificate.private_key is not None and text.fullchain.startswith("-----BEGIN")
    seen += 1
    if seen % 50 == 0:
        print(seen, flush=True)
"""


@pytest.fixture
def pairs(tmp_path, issue):
    """Three certificates with their keys, in files."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number in range(3):
        certificate = issue(NAME)
        (folder / f"{number}.crt").write_text(certificate.fullchain)
        (folder / f"{number}.key").write_text(certificate.private_key)
    return folder


@pytest.fixture
def start():
    """Start programs that are killed at the end at the latest."""
    started = []

    def run(source, *arguments):
        command = [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def kill_writers(times, seed, store, pairs, start):
    """Kill two writers so often, while a reader makes sure of what it reads."""
    print(f"\nSOAK_SEED={seed}")  # noqa: T201 -- to be used again
    choose = random.Random(seed)
    store.save(NAME, pylego.Certificate.load(pairs / "0.crt", pairs / "0.key"))
    reader = start(READER, store.folder)
    half_done = 0
    for _ in range(times):
        for writer in [start(WRITER, store.folder, pairs) for _ in range(2)]:
            time.sleep(choose.uniform(0, 0.05))
            writer.kill()
            writer.wait()
        half_done += len(list(Path(store.folder, "pylego", "journal").glob("*.json")))
        assert reader.poll() is None, "the reader has found what does not belong together"
        if choose.random() < 0.5:
            recover(store.folder)
            assert whole(store.folder)
    assert int(reader.stdout.readline()) > 0
    recover(store.folder)
    assert whole(store.folder)
    for archive in Path(store.folder, "archives", "certificates").glob("a*.zip"):
        with zipfile.ZipFile(archive) as packed:
            assert packed.testzip() is None
            texts = [packed.read(f"{NAME}.{kind}").decode() for kind in ("crt", "key")]
            assert pylego.Certificate.load(*texts)
    return half_done


def whole(folder):
    """Read the files as a server does, without the store: certificate, key and .pem are one set."""
    files = Path(folder, "certificates")
    pair = pylego.Certificate.load(files / f"{NAME}.crt", files / f"{NAME}.key")
    pem = files / f"{NAME}.pem"
    return not pem.exists() or pem.read_text() == pair.fullchain + pair.private_key


@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_certificate(store, pairs, start):
    kill_writers(12, 20261125, store, pairs, start)


@pytest.mark.soak
def test_hundreds_of_killed_writers_leave_a_whole_certificate(store, pairs, start):
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(2**32)))
    assert kill_writers(300, seed, store, pairs, start) > 0


# Every system call after which a crash can be told from one after the next: each
# changes the folder.
CHANGES = ("create", "move", "remove", "sync")


class CrashedError(BaseException):
    """Nothing after it runs: neither clean-up nor another change."""


@pytest.fixture
def crash(monkeypatch):
    """Crash at the change of this number from now on, and make no change afterwards."""

    def at(number, patch=monkeypatch):
        count = iter(range(10**9))

        def counted(real):
            def change(folder, *arguments, **settings):
                if next(count) >= number:
                    raise CrashedError
                return real(folder, *arguments, **settings)

            return change

        for change in CHANGES:
            patch.setattr(Folder, change, counted(getattr(Folder, change)))

    return at


def test_after_a_crash_at_any_change_the_old_or_the_new_one_is_whole(
    tmp_path, two, crash, monkeypatch
):
    first, second = two
    seen = set()
    folder = tmp_path / "lego"
    number, crashed = 0, True
    while crashed:
        store = FileStore(folder, pem=True)
        store.save(NAME, first)
        crash(number)
        try:
            store.save(NAME, second)
            crashed = False
        except CrashedError:
            pass
        monkeypatch.undo()
        as_read = store.load(NAME).serial  # without finishing it
        reopened = FileStore(folder)
        assert reopened.load(NAME).serial == as_read
        assert whole(folder)
        assert not list(Path(folder, "pylego", "journal").glob("*.json"))
        seen.add((as_read == second.serial, crashed))
        number += 1
    assert seen == {(False, True), (True, True), (True, False)}
    assert number > 14


def test_what_a_crash_has_staged_goes_after_an_hour(tmp_path, two, crash, monkeypatch):
    folder = tmp_path / "lego"
    store = FileStore(folder)
    store.save(NAME, two[0])
    crash(7)
    with pytest.raises(CrashedError):
        store.save(NAME, two[1])
    monkeypatch.undo()
    staged = list(Path(folder).rglob(".pylego-*"))
    assert staged
    FileStore(folder)
    assert list(Path(folder).rglob(".pylego-*")) == staged  # somebody may be at it
    for each in staged:
        os.utime(each, (time.time() - 4000, time.time() - 4000))
    FileStore(folder)
    assert not list(Path(folder).rglob(".pylego-*"))


def half_done(folder, two, monkeypatch, renamed=1):
    """Leave a store in the middle of its renames."""
    store = FileStore(folder)
    store.save(NAME, two[0])
    real, count = Folder.move, iter(range(10**9))

    def move(self, name, to):
        if to.startswith(f"{NAME}.") and next(count) == renamed:
            raise CrashedError
        real(self, name, to)

    monkeypatch.setattr(Folder, "move", move)
    with contextlib.suppress(CrashedError):
        store.save(NAME, two[1])
    monkeypatch.undo()
    return store


def test_what_lego_has_written_after_a_crash_stays(tmp_path, two, issue, monkeypatch):
    folder = tmp_path / "lego"
    half_done(folder, two, monkeypatch, renamed=0)
    other = FileStore(tmp_path / "other")
    legos = issue(NAME)
    other.save(NAME, legos)
    for file in Path(other.folder, "certificates").iterdir():
        (folder / "certificates" / file.name).write_bytes(file.read_bytes())
    recover(folder)
    assert FileStore(folder).load(NAME).serial == legos.serial
    kept = [
        packed.read(f"{NAME}.crt").decode()
        for archive in Path(folder, "archives", "certificates").iterdir()
        for packed in [zipfile.ZipFile(archive)]
    ]
    assert two[1].fullchain in kept  # issued, and so not lost


@pytest.mark.parametrize("renamed", range(5))
def test_what_lego_has_written_after_a_crash_is_read_at_once(
    tmp_path, two, issue, monkeypatch, renamed
):
    store = half_done(tmp_path / "lego", two, monkeypatch, renamed)
    other = FileStore(tmp_path / "other")
    legos = issue(NAME)
    other.save(NAME, legos)
    for file in Path(other.folder, "certificates").iterdir():
        (tmp_path / "lego" / "certificates" / file.name).write_bytes(file.read_bytes())
    assert store.load(NAME).serial == legos.serial
    assert store.texts()[NAME].fullchain == legos.fullchain
    recover(store.folder)
    assert store.load(NAME).serial == legos.serial


def test_a_writer_finishes_what_a_crash_has_left(tmp_path, two, issue, monkeypatch):
    store = half_done(tmp_path / "lego", two, monkeypatch)
    third = issue(NAME)
    store.save(NAME, third)
    assert store.load(NAME).serial == third.serial
    assert whole(store.folder)
    assert len(list(Path(store.folder, "archives", "certificates").iterdir())) == 2


def test_who_only_reads_finds_the_new_one_after_a_crash(tmp_path, two, monkeypatch):
    store = half_done(tmp_path / "lego", two, monkeypatch)
    before = sorted((tmp_path / "lego").rglob("*"))
    assert store.load(NAME).serial == two[1].serial
    assert store.texts()[NAME].fullchain == two[1].fullchain
    assert sorted((tmp_path / "lego").rglob("*")) == before


def test_a_reader_waits_for_lego_to_write_the_rest(store, two, program):
    store.save(NAME, two[0])
    other = FileStore(Path(store.folder).parent / "other")
    other.save(NAME, two[1])
    files, new = Path(store.folder, "certificates"), Path(other.folder, "certificates")
    (files / f"{NAME}.crt").write_bytes((new / f"{NAME}.crt").read_bytes())
    reader = program(
        f"""
        from pylego.storage import FileStore
        print(FileStore({store.folder!r}).load({NAME!r}).serial)
        """
    )
    (files / f"{NAME}.issuer.crt").write_bytes((new / f"{NAME}.issuer.crt").read_bytes())
    (files / f"{NAME}.key").write_bytes((new / f"{NAME}.key").read_bytes())
    code, out, err = reader.end()
    assert (code, out.strip()) == (0, two[1].serial), err


def test_files_that_do_not_belong_together_are_no_certificate(store, two):
    store.save(NAME, two[0])
    key = Path(store.folder, "certificates", f"{NAME}.key")
    key.write_text(two[1].private_key)
    os.utime(key, (0, 0))  # nobody is at work on it
    with pytest.raises(pylego.StorageError, match=r"a\.example\.crt and the files beside it"):
        store.load(NAME)


def test_a_killed_writer_holds_no_lock_not_even_before_its_parent_looks(store, pairs, start):
    writer = start(WRITER, store.folder, pairs)
    writer.send_signal(signal.SIGKILL)
    began = time.monotonic()
    recover(store.folder)
    store.save(NAME, pylego.Certificate.load(pairs / "1.crt", pairs / "1.key"))
    assert time.monotonic() - began < 10


class Unsynced:
    """The files whose content is not on the disk yet, as far as anybody has asked for it."""

    def __init__(self, patch):
        self._paths = {}
        self._open, self._move, self._fsync = Folder._open, Folder.move, os.fsync
        # Functions, for a folder hands itself to those alone.
        patch.setattr(Folder, "_open", lambda folder, *more: self.open(folder, *more))  # noqa: PLW0108
        patch.setattr(Folder, "move", lambda folder, *more: self.move(folder, *more))  # noqa: PLW0108
        patch.setattr(os, "fsync", self.fsync)

    def open(self, folder, name, flags):
        descriptor = self._open(folder, name, flags)
        if flags & os.O_CREAT:
            self._paths[os.fstat(descriptor).st_ino] = Path(folder.at(name))
        return descriptor

    def move(self, folder, name, to):
        self._move(folder, name, to)
        inode = folder.identity(to).inode
        if inode in self._paths:
            self._paths[inode] = Path(folder.at(to))

    def fsync(self, descriptor):
        self._fsync(descriptor)
        self._paths.pop(os.fstat(descriptor).st_ino, None)

    def lose(self, left, spared):
        """Leave such a part of each, as a power failure may, but those in one folder."""
        for path in self._paths.values():
            if path.exists() and path.parent.name != spared and "locks" not in path.parts:
                content = path.read_bytes()
                path.write_bytes(content[: int(len(content) * left)])


@pytest.mark.parametrize(
    ("left", "spared"), [(0, ""), (0.5, ""), (0.99, "journal"), (0.5, "certificates")]
)
def test_after_a_power_failure_at_any_change_the_old_or_the_new_one_is_whole(
    tmp_path, two, crash, monkeypatch, left, spared
):
    first, second = two
    unsynced = Unsynced(monkeypatch)
    number, crashed = 0, True
    while crashed:
        folder = tmp_path / str(number)
        store = FileStore(folder, pem=True)
        store.save(NAME, first)
        with monkeypatch.context() as patch:
            crash(number, patch)
            try:
                store.save(NAME, second)
                crashed = False
            except CrashedError:
                pass
        unsynced.lose(left, spared)
        as_read = store.load(NAME).serial  # without finishing it
        reopened = FileStore(folder)
        assert reopened.load(NAME).serial == as_read
        assert whole(folder)
        assert as_read == second.serial or crashed
        for archive in Path(folder, "archives").rglob("*.zip"):
            assert zipfile.ZipFile(archive).testzip() is None
        reopened.save(NAME, second)
        assert whole(folder)
        number += 1
    assert number > 14


def test_what_lego_overtakes_at_that_moment_is_in_an_archive(tmp_path, two, issue, monkeypatch):
    store, other = FileStore(tmp_path / "lego"), FileStore(tmp_path / "other")
    store.save(NAME, two[0])
    legos = issue(NAME)
    other.save(NAME, legos)
    sync = journal.Batch.sync

    def write_meanwhile(batch):
        sync(batch)
        for file in Path(other.folder, "certificates").iterdir():
            (tmp_path / "lego" / "certificates" / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(journal.Batch, "sync", write_meanwhile)
    store.save(NAME, two[1])
    assert store.load(NAME).serial == legos.serial
    kept = [
        zipfile.ZipFile(archive).read(f"{NAME}.crt").decode()
        for archive in Path(store.folder, "archives", "certificates").iterdir()
    ]
    assert sorted(kept) == sorted(each.fullchain for each in two)  # issued, and so not lost
