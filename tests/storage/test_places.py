"""What is open while somebody is at work in a store, and what becomes of it when a folder is exchanged."""

import os
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from pylego import StorageError
from pylego.storage import FileStore
from pylego.storage._places import visiting

NAME = "a.example"


def exchange(folder, by):
    """Put another folder in the place of one, which stays under another name."""
    shutil.copytree(by, copy := folder.with_name("copy"))
    folder.rename(folder.with_name("before"))
    copy.rename(folder)


def test_who_holds_a_lock_opens_each_folder_once(store, two, monkeypatch):
    opened, real = Counter(), os.open

    def counted(path, flags, *more, **where):
        if flags & os.O_DIRECTORY and path[0] not in "~.":  # a lock's own, and to list it
            opened[path] += 1
        return real(path, flags, *more, **where)

    def work():
        for certificate in two:
            store.save(NAME, certificate)
            store.load(NAME)
            store.save_state(NAME, {})
            store.state(NAME)

    work()
    with store.lock(NAME):
        monkeypatch.setattr(os, "open", counted)
        work()
    # The archives have a folder of the name, too.
    assert opened == {"certificates": 2, "archives": 1, "journal": 1, "state": 1}


def test_a_folder_is_listed_as_a_whole_while_another_thread_lists_it(any_store, two):
    any_store.save(NAME, two[0])
    with any_store.lock(NAME), visiting(any_store.folder) as places:
        folder = places.find(("certificates",))
        names = sorted(folder.names())
        # That one is in the middle of it, at any moment that a thread can be.
        with os.scandir(getattr(folder, "_descriptor", folder.path)) as another:
            next(another)
            assert sorted(folder.names()) == names != []


def test_a_folder_that_was_exchanged_meanwhile_is_not_worked_at(any_store, two, tmp_path):
    other = FileStore(tmp_path / "other")
    other.save(NAME, two[1])
    any_store.save(NAME, two[0])
    with any_store.lock(NAME):
        assert any_store.load(NAME) == two[0]
        exchange(Path(any_store.folder, "certificates"), Path(other.folder, "certificates"))
        assert any_store.load(NAME) == two[1]
        any_store.save(NAME, two[0])
        assert any_store.load(NAME) == two[0]
    assert other.load(NAME) == two[1]


def test_neither_is_a_whole_store_that_was(any_store, two, tmp_path):
    other = FileStore(tmp_path / "other")
    other.save(NAME, two[1])
    any_store.save(NAME, two[0])
    with any_store.lock("another"):
        assert any_store.load(NAME) == two[0]
        exchange(Path(any_store.folder), Path(other.folder))
        assert any_store.load(NAME) == two[1]
        any_store.save_state(NAME, {"new": True})
    assert any_store.state(NAME) == {"new": True}
    assert not (tmp_path / "before" / "pylego" / "state").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are not in modes here")
def test_a_folder_that_others_may_write_into_meanwhile_is_refused(any_store, two):
    any_store.save(NAME, two[0])
    folder = Path(any_store.folder, "certificates")
    with any_store.lock(NAME):
        any_store.load(NAME)
        folder.chmod(0o722)
        with pytest.raises(StorageError, match="others can write"):
            any_store.load(NAME)
        folder.chmod(0o700)
        assert any_store.load(NAME) == two[0]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are not in modes here")
def test_nothing_is_opened_in_a_store_that_others_may_write_into_meanwhile(any_store, two):
    any_store.save(NAME, two[0])
    store = Path(any_store.folder)
    with any_store.lock(NAME):
        any_store.load(NAME)
        store.chmod(0o722)
        exchange(store / "certificates", store / "certificates")  # as any of them can
        with pytest.raises(StorageError, match="others can write"):
            any_store.load(NAME)


def test_threads_come_and_go(any_store, two):
    any_store.save(NAME, two[0])
    wrong = []

    def work(number):
        for _ in range(20):
            with any_store.lock(f"n{number}"):
                any_store.save_state(NAME, {})
                if any_store.load(NAME) != two[0]:
                    wrong.append(number)
            any_store.state(NAME)

    before = len(list(Path("/dev/fd").iterdir()))
    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(list(Path("/dev/fd").iterdir())) <= before
