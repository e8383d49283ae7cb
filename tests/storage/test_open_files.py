"""Windows neither renames nor removes a file that anybody has open.

Where a system does, that refusal is simulated, for what this process itself has open.
"""

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pylego import Account, StorageError
from pylego._engine import system
from pylego.storage import FileStore
from tests.servers.certificates import new_key

NAME, DIRECTORY = "a.example", "https://ca.example/dir"


@pytest.fixture(autouse=True)
def refusals(monkeypatch):
    monkeypatch.setattr("pylego.storage._folder.HAVE_DESCRIPTORS", False)
    if sys.platform != "win32":
        for name in ("replace", "unlink"):
            monkeypatch.setattr(os, name, refusing(getattr(os, name)))


def refusing(function):
    def asked(*paths):
        for path in paths:
            if Path(path).exists() and is_open(path):
                raise PermissionError(13, "another has it open", path)
        return function(*paths)

    return asked


def is_open(path):
    found = Path(path).stat()
    for descriptor in range(256):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), found):
                return True
    return False


def crt(store):
    return Path(store.folder, "certificates", f"{NAME}.crt")


def names_in(store):
    return {name for _, _, names in os.walk(store.folder) for name in names}


def test_what_is_kept_is_replaced_and_removed(store, two):
    for certificate in two:
        store.save(NAME, certificate)
        assert store.load(NAME) == certificate
    account = Account(new_key(), "https://ca.example/1", DIRECTORY, "valid")
    for each in (account, Account(new_key(), account.url, DIRECTORY, "valid")):
        store.save_account(each, "me")
        assert store.load_account(DIRECTORY, "me").key == each.key
    store.remove(NAME)
    assert store.certificate_ids() == []


def test_a_disk_that_fails_leaves_nothing_half_done(store, two, monkeypatch):
    store.save(NAME, two[0])
    before = names_in(store)

    def fail(_):
        raise OSError(5, "the disk fails")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match="the disk fails"):
            store.save(NAME, two[1])
    assert names_in(store) == before
    assert FileStore(store.folder).load(NAME) == two[0]


def test_who_reads_meanwhile_is_waited_for(store, two, monkeypatch):
    store.save(NAME, two[0])
    reader = crt(store).open()
    naps = []

    def nap(seconds):
        naps.append(seconds)
        reader.close()

    monkeypatch.setattr(system, "time", SimpleNamespace(monotonic=lambda: 0, sleep=nap))
    store.save(NAME, two[1])
    assert len(naps) == 1
    assert store.load(NAME) == two[1]


def test_who_goes_on_reading_is_told_of(store, two, monkeypatch):
    store.save(NAME, two[0])
    monkeypatch.setattr(system, "PATIENCE", 0)
    with crt(store).open(), pytest.raises(StorageError, match=r"a\.example\.crt: "):
        store.save(NAME, two[1])
    # The journal was on the disk: it was decided.
    assert FileStore(store.folder).load(NAME) == two[1]


def test_a_server_that_reads_its_certificate_is_waited_for(tmp_path, two, monkeypatch):
    two[0].write(tmp_path)
    reader = (tmp_path / "fullchain.pem").open()
    nap = SimpleNamespace(monotonic=lambda: 0, sleep=lambda _: reader.close())
    monkeypatch.setattr(system, "time", nap)
    two[1].write(tmp_path)
    assert (tmp_path / "fullchain.pem").read_text() == two[1].fullchain
