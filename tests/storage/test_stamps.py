"""A stamp tells, without reading, whether a certificate and its state are still the same."""

import os
import time
from pathlib import Path

import pytest

from pylego.storage import FileStore, _journal, _stamps

NAME, OTHER = "a.example", "*.b.example"
FILES = ("certificates/a.example.crt", "certificates/a.example.json", "pylego/state/a.example.json")


@pytest.fixture
def store(any_store, two):
    """Give a store with two certificates and their states."""
    for name in (NAME, OTHER):
        any_store.save(name, two[0])
        any_store.save_state(name, {"failures": []})
    return any_store


@pytest.fixture
def later(monkeypatch):
    """Have what was written be older than it is."""
    now = time.time
    monkeypatch.setattr(_stamps.time, "time", lambda: now() + 60)


def test_as_long_as_nothing_is_written_the_stamps_stay(store, later):
    before = store.stamps([NAME, OTHER])
    assert set(before) == {NAME, OTHER}
    store.texts(), store.states([NAME, OTHER]), store.load(NAME)
    assert FileStore(store.folder).stamps([OTHER, NAME]) == before


@pytest.mark.parametrize("file", FILES)
def test_what_another_program_has_written_has_another_stamp(store, later, file):
    before = store.stamps([NAME, OTHER])
    path = Path(store.folder, file)
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(bytes(reversed(content)))
    after = store.stamps([NAME, OTHER])
    if os.name == "posix":  # its time and size being the same, too
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        after = store.stamps([NAME, OTHER])
    assert after[NAME] != before[NAME]
    assert after[OTHER] == before[OTHER]


def test_what_we_have_replaced_has_another_stamp(store, later, two):
    seen = [store.stamps([NAME])[NAME]]
    store.save_state(NAME, {"failures": []})
    seen.append(store.stamps([NAME])[NAME])
    store.save(NAME, two[1])
    seen.append(store.stamps([NAME])[NAME])
    Path(store.folder, FILES[2]).unlink()
    seen.append(store.stamps([NAME])[NAME])
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("file", FILES[:2])
def test_what_is_not_there_has_none(store, later, file):
    Path(store.folder, file).unlink()
    assert set(store.stamps([NAME, OTHER, "c.example"])) == {OTHER}
    assert FileStore(Path(store.folder, "nowhere")).stamps([NAME]) == {}


def test_what_has_just_been_written_has_none_since_it_may_be_written_again_at_once(
    store, monkeypatch
):
    written = Path(store.folder, FILES[2]).stat().st_mtime
    monkeypatch.setattr(_stamps.time, "time", lambda: written + 1)
    assert store.stamps([NAME]) == {}
    monkeypatch.setattr(_stamps.time, "time", lambda: written + 5)
    assert set(store.stamps([NAME])) == {NAME}


def test_what_is_being_replaced_has_none(store, later, two, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_journal, "_put", crash)
        with pytest.raises(KeyboardInterrupt):
            store.save(NAME, two[1])
    assert store.texts([NAME])[NAME].fullchain == two[1].fullchain  # by the journal
    assert set(store.stamps([NAME, OTHER])) == {OTHER}
    assert set(FileStore(store.folder).stamps([NAME, OTHER])) == {NAME, OTHER}


def test_a_link_in_the_place_of_a_file_has_another_stamp(store, later):
    if os.name != "posix":
        pytest.skip("Windows' links need a right of their own")
    before = store.stamps([NAME])
    path = Path(store.folder, FILES[0])
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))
    assert store.stamps([NAME])[NAME] != before[NAME]
