"""What is on the disk at each moment, and that no fsync could be left out."""

import json
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import pylego
from pylego.storage import FileStore, Pending, recover
from pylego.storage import _batch as batches
from pylego.storage import _folder as folders
from tests.servers.certificates import key_pem, new_key
from tests.storage.disk import Disk, make

NAME = "a.example"
DIRECTORY = "https://ca.example:14000/dir"
TYPES = ["EC256", "EC384"]
KEYS = [
    new_key(),
    key_pem(ec.generate_private_key(ec.SECP384R1())).decode(),
]  # so both files change


def archived(store):
    """Return the keys that are in archives."""
    keys = []
    for each in Path(store.folder, "archives").rglob("*_*.zip"):
        with zipfile.ZipFile(each) as packed:
            names = [name for name in packed.namelist() if name.endswith(".key")]
            keys += [packed.read(name).decode() for name in names]
    return keys


class Saved:
    """A certificate takes the place of an older one, which is in an archive then."""

    def __init__(self, two):
        self.two = two

    def act(self, store, number):
        FileStore(store.folder, pem=True).save(NAME, self.two[number])

    def found(self, store):
        found = store.load(NAME)
        files = Path(store.folder, "certificates", NAME)
        crt, key, pem = (files.with_name(f"{NAME}.{kind}") for kind in ("crt", "key", "pem"))
        assert crt.read_text() + key.read_text() == pem.read_text()
        assert pem.read_text() == found.fullchain + found.private_key
        number = [each.serial for each in self.two].index(found.serial)
        assert number == 0 or archived(store) == [self.two[0].private_key]
        return number


class Removed(Saved):
    """A certificate is removed, and is in an archive then."""

    def act(self, store, number):
        if number == 0:
            super().act(store, 0)
        else:
            store.remove(NAME)

    def found(self, store):
        if store.load(NAME) is not None:
            return super().found(store)
        assert archived(store) == [self.two[0].private_key]
        assert not list(Path(store.folder, "certificates").glob(f"{NAME}*"))
        return 1


class Ordered:
    """A key and the order that it is for."""

    def act(self, store, number):
        store.save_pending(NAME, Pending(KEYS[number], f"https://ca/order/{number}", DIRECTORY))

    def found(self, store):
        pending = store.pending(NAME)
        assert pending.order_url == f"https://ca/order/{KEYS.index(pending.key)}"
        return KEYS.index(pending.key)


class Remembered:
    """The state of a certificate."""

    def act(self, store, number):
        store.save_state(NAME, {"number": number})

    def found(self, store):
        return store.state(NAME)["number"]


class Accounts:
    """An account gets another key, and the older one is in an archive then."""

    url = None
    """Its URL, where it keeps that."""

    def act(self, store, number):
        account = pylego.Account(KEYS[number], f"https://ca/account/{number}", DIRECTORY)
        store.save_account(account, "me")

    def found(self, store):
        account = store.load_account(DIRECTORY, "me")
        number = KEYS.index(account.key)
        file = Path(store.folder, "accounts", "ca.example_14000", "me", "account.json")
        assert json.loads(file.read_text())["keyType"] == TYPES[number]
        assert account.url in (f"https://ca/account/{number}", self.url)
        assert number == 0 or archived(store) == [KEYS[0]]
        return number


class PendingKeys:
    """The key that an account is to have, before the CA is told of it."""

    def act(self, store, number):
        if number == 1:
            store.save_pending_key(DIRECTORY, "me", KEYS[1])
        else:
            Accounts().act(store, 0)

    def found(self, store):
        assert Accounts().found(store) == 0
        key = store.pending_key(DIRECTORY, "me")
        assert key in (None, KEYS[1])
        return int(key is not None)


class SettledKeys(PendingKeys):
    """The account has that key: the pending one is gone for good, and the older one archived."""

    def act(self, store, number):
        if number == 0:
            super().act(store, 0)
            super().act(store, 1)
        else:
            store.settle_key(DIRECTORY, "me", changed=True)

    def found(self, store):
        pending = store.pending_key(DIRECTORY, "me")
        account = Accounts()
        account.url = "https://ca/account/0"
        assert account.found(store) == 1 or pending == KEYS[1]
        return int(pending is None)


KINDS = (Saved, Removed, Ordered, Remembered, Accounts, PendingKeys, SettledKeys)
JOURNALED = (Saved, Removed, Accounts)
"""Those whose journal decides; what is done beside it a recovery does not know of."""


class FailedError(AssertionError):
    """A power failure would have left what must not be."""


class KilledError(BaseException):
    """Nothing after it runs: neither clean-up nor another change."""


def killed(act, *arguments):
    """Act, and be killed when the journal is there, but not on the disk yet."""

    def kill(*_):
        raise KilledError

    def kill_from_now_on(_):
        for change in ("create", "move", "remove", "sync"):
            patch.setattr(folders.Folder, change, kill)
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches.Batch, "sync", kill_from_now_on)
        with pytest.raises(KilledError):
            act(*arguments)


def made(kind, two):
    return kind(two) if issubclass(kind, Saved) else kind()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__.lower())
def action(request, two):
    return made(request.param, two)


@pytest.fixture(params=JOURNALED, ids=lambda kind: kind.__name__.lower())
def journaled(request, two):
    return made(request.param, two)


def finished(action, store, number):
    """Be killed, and have another process finish it."""
    killed(action.act, store, number)
    assert list(Path(store.folder, "pylego", "journal").iterdir())
    recover(store.folder)


def fsyncs(folder, action, ignored=None, act=None):
    """Act on a disk, whose power fails at each moment; return how often it was told to sync."""
    store, during = FileStore(folder / "lego"), {}
    action.act(store, 0)
    disk = Disk(store.folder, lambda: during.update(trees(disk)), ignored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "os", disk)
        patch.setattr(batches, "os", disk)
        (act or type(action).act)(action, store, 1)
    check(action, folder, trees(disk), {1})
    check(action, folder, during, {0, 1})
    return disk.synced


def trees(disk):
    """Return what a power failure could leave now, each once."""
    return {repr(tree): tree for tree in disk.left()}


def check(action, folder, found, allowed):
    """Read what was found after a power failure."""
    for number, tree in enumerate(found.values()):
        make(tree, place := folder / f"{len(allowed)}-{number}")
        try:
            assert action.found(FileStore(place)) in allowed
        except Exception as error:
            raise FailedError(tree) from error


def test_whatever_a_power_failure_leaves_the_old_or_the_new_one_is_whole(tmp_path, action):
    assert fsyncs(tmp_path, action) > 1


def test_what_was_killed_before_it_was_on_the_disk_is_there_before_it_is_finished(
    tmp_path, journaled
):
    fsyncs(tmp_path, journaled, act=finished)


def test_a_new_store_s_own_folder_lasts_with_what_is_saved_first(tmp_path, two):
    disk = Disk(tmp_path, lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "os", disk)
        patch.setattr(batches, "os", disk)
        FileStore(tmp_path / "made" / "lego").save(NAME, two[0])
    for number, tree in enumerate(trees(disk).values()):
        make(tree, place := tmp_path / f"found-{number}")
        assert FileStore(place / "made" / "lego").load(NAME).serial == two[0].serial


@pytest.mark.slow
def test_no_fsync_could_be_left_out(tmp_path, action):
    count = fsyncs(tmp_path, action)
    for number in range(count):
        (tmp_path / f"without-{number}").mkdir(mode=0o700)
        with pytest.raises(FailedError):
            fsyncs(tmp_path / f"without-{number}", action, number)


@pytest.mark.soak
def test_nor_could_one_where_another_process_finishes_it(tmp_path, journaled):
    count = fsyncs(tmp_path, journaled, act=finished)
    for number in range(count):
        (tmp_path / f"without-{number}").mkdir(mode=0o700)
        with pytest.raises(FailedError):
            fsyncs(tmp_path / f"without-{number}", journaled, number, finished)
