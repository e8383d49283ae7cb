"""What was read of thousands of certificates is kept: the next look reads what has changed since."""

import base64
import json
import random
import zlib
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pylego import HTTP01
from pylego.renewal import AccountAt, Managed, Manager, Policy, Server, _index
from pylego.renewal._index import NAME, Index
from pylego.storage import FileStore, Origin, StorageError, _stamps
from tests.storage.conftest import authority, intermediate, issue

__all__ = ["authority", "intermediate", "issue"]

IDS = [f"n{number}.example" for number in range(8)]
ORIGIN = Origin("https://ca.example/dir", "me", "EC256", "short", must_staple=False)


class Counted(FileStore):
    """Tells which certificates were read."""

    def __init__(self, folder):
        super().__init__(folder)
        self.read = []

    def texts(self, ids=None):
        self.read += ids
        return super().texts(ids)


@pytest.fixture
def store(tmp_path, issue, monkeypatch):
    """Give a store with some certificates and states, all of them long there."""
    monkeypatch.setattr(_index, "FEW", 2)
    monkeypatch.setattr(_stamps, "STILL", -60)
    store = Counted(tmp_path / "store")
    for name in IDS:
        store.save(name, issue(name), origin=ORIGIN)
        store.save_state(name, {"history": {"issued": [name]}})
    return store


def looked(store, ids=IDS, *, keep=True):
    """Look, and return what is known and which had to be read; what is known is as if all had been."""
    store.read.clear()
    known, read = Index(store).look(ids, keep=keep), sorted(store.read)
    assert known == Index(store)._read(ids)
    return known, read


def file_of_index(store):
    return Path(store.folder, "pylego", "state", f"{NAME}.json")


def test_who_looks_again_reads_no_certificate(store):
    known, read = looked(store)
    assert read == IDS
    reading, state = known[IDS[0]]
    assert (reading.names, reading.origin, state["history"]) == (
        (IDS[0],), ORIGIN, {"issued": [IDS[0]]},
    )  # fmt: skip
    assert reading.leaf.serial == store.load(IDS[0]).serial
    assert looked(store) == (known, [])


def test_many_are_read_in_parts_at_once(store, monkeypatch):
    whole = looked(store, keep=False)
    monkeypatch.setattr(_index, "TOGETHER", 3)
    assert looked(store, keep=False) == whole
    monkeypatch.setattr(store, "states", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        looked(store, keep=False)


def test_who_only_looks_leaves_nothing(store):
    assert looked(store, keep=False)[1] == IDS
    assert not file_of_index(store).exists()


def test_few_certificates_have_no_index(store, monkeypatch):
    monkeypatch.setattr(_index, "FEW", len(IDS) + 1)
    assert looked(store)[1] == IDS
    assert not file_of_index(store).exists()


def test_what_has_changed_is_read(store, issue):
    looked(store)
    store.save(IDS[1], issue("another.example"), origin=ORIGIN)
    store.save_state(IDS[2], {"deploy": {}})
    store.remove(IDS[3])
    by_lego = Path(store.folder, "certificates", f"{IDS[4]}.crt")
    by_lego.write_text(store.load(IDS[5]).fullchain)
    known, read = looked(store)
    assert read == IDS[1:5]
    assert known[IDS[3]] == (None, {})
    assert known[IDS[4]].reading.leaf == known[IDS[5]].reading.leaf
    assert looked(store)[1] == [IDS[3]]  # what is not there is looked for


def test_it_is_written_anew_only_where_that_takes_less_time_than_to_read(store, monkeypatch):
    monkeypatch.setattr(_index, "PART", 2)
    looked(store)
    before = file_of_index(store).read_bytes()
    for number, name in enumerate(IDS[:5]):
        assert file_of_index(store).read_bytes() == before
        store.save_state(name, {})
        assert looked(store)[1] == IDS[: number + 1]
    assert file_of_index(store).read_bytes() != before
    assert looked(store)[1] == []


def test_what_was_just_being_written_is_not_in_it(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_stamps, "STILL", 3600)
        looked(store)
    assert looked(store)[1] == IDS
    assert looked(store)[1] == []


def packed(content):
    return {"packed": base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()}


ENTRY = ["stamp", "1", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00", [], {}, {}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"{",
        b"[]",
        b'{"packed": 5}',
        b'{"packed": "no base64"}',
        b'{"packed": "AAAA"}',
        json.dumps(packed([])),
        json.dumps(packed({})),
        json.dumps(packed({"format": _index.FORMAT + 1, "entries": {IDS[0]: ENTRY}})),
        json.dumps(packed({"format": _index.FORMAT, "entries": [IDS]})),
        json.dumps(packed({"format": _index.FORMAT, "entries": {IDS[0]: 5}})),
        json.dumps(packed({"format": _index.FORMAT, "entries": {IDS[0]: []}})),
        json.dumps(packed({"format": _index.FORMAT, "entries": {IDS[0]: ENTRY}})),
    ],
)
def test_an_index_that_is_none_is_made_anew(store, content):
    file_of_index(store).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert looked(store)[1] == IDS
    assert looked(store)[1] == []


@pytest.mark.parametrize("change", [{"extra": 1}, "no object"])
def test_an_entry_that_is_none_is_not_believed_though_its_stamp_is_right(store, change):
    stamps, broken = store.stamps(IDS), {**vars(ORIGIN)}
    broken = {**broken, **change} if isinstance(change, dict) else change
    entries = {name: [stamp, *ENTRY[1:5], broken, {}] for name, stamp in stamps.items()}
    store.save_state(NAME, packed({"format": _index.FORMAT, "entries": entries}))
    assert looked(store)[1] == IDS


def test_a_damaged_index_is_never_believed(store):
    looked(store)
    whole, dice = file_of_index(store).read_bytes(), random.Random(0)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        file_of_index(store).write_bytes(damaged)
        looked(store, keep=False)


def test_managers_with_other_certificates_share_it(store):
    looked(store, IDS[:4])
    looked(store, IDS[4:])
    assert looked(store)[1] == []
    store.remove(IDS[7])
    looked(store, IDS[:4])
    store.save_state(IDS[0], {})
    looked(store, IDS[:4])
    entries = _index._unpacked(store.state(NAME))
    assert sorted(entries) == IDS[:7]


def test_where_it_cannot_be_written_all_is_read_again(store, monkeypatch):
    def refuse(name, state):
        raise StorageError("the disk is read-only")

    monkeypatch.setattr(store, "save_state", refuse)
    assert looked(store)[1] == looked(store)[1] == IDS


def test_a_pass_keeps_it_and_status_reads_it(store):
    account, policy = AccountAt("me", Server(ORIGIN.directory)), Policy(heed_advice=False)
    now = datetime.now(timezone.utc)
    manager = Manager(
        store,
        [Managed(name, (name,), (HTTP01(),), (account,), policy=policy) for name in IDS],
        clock=lambda: now,
    )
    before = manager.status()
    assert not file_of_index(store).exists()
    assert manager.renew_due() == before
    assert [outcome.result for outcome in before.outcomes] == ["kept"] * len(IDS)
    store.read.clear()
    assert manager.status() == before
    assert store.read == []


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_in_between_a_look_tells_what_is_there(store, issue, seed):
    dice = random.Random(seed)
    certificates = [issue(name) for name in IDS[:2]]
    folder = Path(store.folder, "certificates")
    for _ in range(40):
        name, other = dice.sample(IDS, 2)
        match dice.randrange(6):
            case 0:
                store.save(name, dice.choice(certificates), origin=ORIGIN)
            case 1:
                store.save_state(name, {"n": dice.random()})
            case 2:
                store.remove(name)
            case 3 if (folder / f"{other}.crt").exists():
                (folder / f"{name}.crt").write_bytes((folder / f"{other}.crt").read_bytes())
            case 4:
                (folder / f"{name}.json").write_text(dice.choice(["{}", '{"domains": ["x"]}']))
            case _:
                (folder / f"{name}.crt").unlink(missing_ok=True)
        looked(store, dice.sample(IDS, dice.randint(2, 8)), keep=dice.random() < 0.7)
