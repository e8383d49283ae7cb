"""Disks that are full or read-only, folders that are somebody else's, and links."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pylego
from pylego.storage import FileStore, Pending
from tests.servers.fixtures import missing

NAME = "a.example"

PRELUDE = """
import errno, os, resource, subprocess, sys
from pathlib import Path
import pylego
from pylego.storage import FileStore, recover

folder, pairs = Path(sys.argv[1]), Path(sys.argv[2])
certificates = [
    pylego.Certificate.load(pairs / f"{number}.crt", pairs / f"{number}.key") for number in range(2)
]

def files():
    return sorted(path for path in folder.rglob("*") if path.is_file())

def fails(action, *numbers):
    try:
        action()
    except pylego.StorageError as error:
        assert error.__cause__.errno in numbers, error
        assert error.path.startswith(str(folder)), error.path
        return str(error)

def mount(*options):
    subprocess.run(["mount", *options, folder], check=True)
"""


@pytest.fixture
def pairs(tmp_path, two):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number, certificate in enumerate(two):
        (folder / f"{number}.crt").write_text(certificate.fullchain)
        (folder / f"{number}.key").write_text(certificate.private_key)
    return folder


@pytest.fixture
def run(tmp_path, pairs):
    """Run a program on a folder for a store, perhaps under a launcher."""

    def run(source, *launcher):
        folder = tmp_path / "lego"
        folder.mkdir(mode=0o700, exist_ok=True)
        source = PRELUDE + textwrap.dedent(source)
        done = subprocess.run(
            [*launcher, sys.executable, "-c", source, folder, pairs],
            capture_output=True,
            check=False,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def run_with_mounts(run, tmp_path):
    """Run a program that may mount what nobody else sees: as root, or in a user namespace."""
    for unshare in (["unshare", "--mount"], ["unshare", "-r", "--mount"]):
        if shutil.which("unshare") and may_mount(unshare, tmp_path):
            return lambda source: run(source, *unshare)
    missing("mounts of one's own are not allowed here")
    return None


def may_mount(unshare, folder):
    command = [*unshare, "mount", "-t", "tmpfs", "tmpfs", folder]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_full_disk_keeps_the_old_certificate_whatever_is_not_written(run_with_mounts):
    said = run_with_mounts(
        """
        mount("-t", "tmpfs", "-o", "mode=700", "tmpfs")
        store = FileStore(folder, pem=True)
        store.save("a.example", certificates[0])
        store.save("a.example", certificates[1])  # so that all folders are there
        used = os.statvfs(folder).f_files - os.statvfs(folder).f_ffree
        outcomes = []
        for spare in range(100):  # so many files more can be made
            now = store.load("a.example")
            next_one = certificates[now.serial == certificates[0].serial]
            mount("-o", f"remount,nr_inodes={used + spare}")
            error = fails(lambda: store.save("a.example", next_one), errno.ENOSPC)
            mount("-o", "remount,nr_inodes=1000")
            after = FileStore(folder).load("a.example")
            assert after.serial in (now.serial, next_one.serial)
            if error is None:
                assert after.serial == next_one.serial
                break
            assert "no space is left" in error and after.serial == now.serial, error
            outcomes.append(error)
            used = os.statvfs(folder).f_files - os.statvfs(folder).f_ffree
        assert not list(folder.rglob(".pylego-*"))
        print(len(outcomes))
        """
    )
    assert int(said) > 4  # an archive, certificate, key and .pem, and a journal


def test_a_disk_without_blocks_keeps_the_old_certificate(run_with_mounts):
    run_with_mounts(
        """
        mount("-t", "tmpfs", "-o", "mode=700,size=256k", "tmpfs")
        store = FileStore(folder)
        store.save("a.example", certificates[0])
        with open(folder / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        before = files()
        assert fails(lambda: store.save("a.example", certificates[1]), errno.ENOSPC)
        assert fails(lambda: store.save_state("a.example", {"a": "b" * 9000}), errno.ENOSPC)
        assert FileStore(folder).load("a.example").serial == certificates[0].serial
        assert [path for path in files() if "locks" not in str(path)] == [
            path for path in before if "locks" not in str(path)
        ]
        (folder / "filler").unlink()
        store.save("a.example", certificates[1])
        assert store.load("a.example").serial == certificates[1].serial
        """
    )


def test_a_file_that_may_not_grow_leaves_the_old_one(run):
    run(
        """
        store = FileStore(folder)
        store.save("a.example", certificates[0])
        store.save_state("a.example", {"old": 1})
        before = files()
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
        assert fails(lambda: store.save("a.example", certificates[1]), errno.EFBIG)
        assert fails(lambda: store.save_state("a.example", {"a": "b" * 9000}), errno.EFBIG)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert store.state("a.example") == {"old": 1}
        assert store.load("a.example").serial == certificates[0].serial
        assert {path for path in files() if "locks" not in str(path)} == {
            path for path in before if "locks" not in str(path)
        }
        """
    )


def test_a_read_only_disk_is_read_even_where_a_crash_has_left_it_half_done(run_with_mounts):
    run_with_mounts(
        """
        from pylego.storage import _journal

        store = FileStore(folder)
        store.save("a.example", certificates[0])
        put = _journal._put
        _journal._put = lambda folder, journals, name, steps: 1 / 0
        try:
            store.save("a.example", certificates[1])
        except ZeroDivisionError:
            pass
        _journal._put = put
        mount("--bind", folder)
        mount("-o", "remount,bind,ro")
        os.chdir("/")
        reopened = FileStore(folder)
        assert reopened.load("a.example").serial == certificates[1].serial
        assert reopened.texts()["a.example"].fullchain == certificates[1].fullchain
        for action in (
            lambda: reopened.save("a.example", certificates[1]),
            lambda: reopened.save_state("a.example", {}),
            lambda: reopened.lock("a.example").__enter__(),
            lambda: recover(folder),
        ):
            assert fails(action, errno.EROFS)
        """
    )


def test_a_folder_without_the_right_to_write_is_read(run, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere: a disk that is read-only stands for it")
    run(
        """
        store = FileStore(folder)
        store.save("a.example", certificates[0])
        for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            each.chmod(0o500)
        assert FileStore(folder).load("a.example").serial == certificates[0].serial
        assert fails(lambda: store.save("a.example", certificates[1]), errno.EACCES)
        assert fails(lambda: store.lock("b.example").__enter__(), errno.EACCES)
        for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            each.chmod(0o700)
        """
    )


NOBODY = 65534

AS_NOBODY = """
store = FileStore(folder)
store.save("a.example", certificates[0])
FOLDERS = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_without_rights_is_told_which_file(run):
    run(
        AS_NOBODY
        + f"""
for each in FOLDERS:
    each.chmod(0o755)
pylego.Certificate.load(pairs / "0.crt")
for above in folder.parents:
    if above != Path("/") and above.stat().st_uid == 0 and not above.stat().st_mode & 1:
        above.chmod(0o711)
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
assert "Permission denied" in fails(lambda: store.save("a.example", certificates[1]), errno.EACCES)
assert fails(lambda: store.save_state("a.example", {{}}), errno.EACCES)
assert fails(lambda: store.load("a.example"), errno.EACCES)
assert store.certificate_ids() == ["a.example"]
"""
    )


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
@pytest.mark.parametrize("which", ["", "certificates", "pylego", "pylego/state"])
def test_a_folder_that_others_can_write_into_is_refused(store, two, mode, which):
    store.save(NAME, two[0])
    store.save_state(NAME, {})
    folder = Path(store.folder, which)
    folder.chmod(mode)

    def use():
        opened = FileStore(store.folder)
        opened.load(NAME)
        opened.save_state(NAME, {})

    with pytest.raises(pylego.StorageError, match="others can write into") as caught:
        use()
    assert caught.value.path == str(folder)
    folder.chmod(0o755)
    use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_may_use_the_folder_of_whom_it_works_for(store, two):
    store.save(NAME, two[0])
    os.chown(store.folder, NOBODY, NOBODY)
    assert FileStore(store.folder).load(NAME).serial == two[0].serial


def test_the_stores_own_path_may_be_a_link(store, two, tmp_path):
    store.save(NAME, two[0])
    (tmp_path / "link").symlink_to(store.folder)
    linked = FileStore(tmp_path / "link")
    linked.save(NAME, two[1])
    assert store.load(NAME).serial == two[1].serial


@pytest.mark.parametrize("which", ["certificates", "pylego"])
def test_no_link_is_followed_in_the_place_of_a_folder(store, two, tmp_path, which):
    store.save(NAME, two[0])
    elsewhere = tmp_path / "elsewhere"
    Path(store.folder, which).rename(elsewhere)
    Path(store.folder, which).symlink_to(elsewhere)
    before = {path: path.stat().st_mtime_ns for path in elsewhere.rglob("*")}
    with pytest.raises(pylego.StorageError, match="symbolic link"):
        store.save(NAME, two[1])
    with pytest.raises(pylego.StorageError, match="symbolic link"):
        store.load(NAME)
    assert {path: path.stat().st_mtime_ns for path in elsewhere.rglob("*")} == before


def test_no_link_is_followed_in_the_place_of_a_file(store, two, tmp_path):
    target = tmp_path / "target"
    target.write_text("{}")
    folder = Path(store.folder, "pylego", "state")
    store.save_state("b.example", {})
    (folder / "a.example.json").symlink_to(target)
    with pytest.raises(pylego.StorageError, match=r"a\.example\.json is a symbolic link"):
        store.state(NAME)
    store.save_state(NAME, {"a": 1})  # in the link's place
    assert target.read_text() == "{}"
    assert not (folder / "a.example.json").is_symlink()
    assert store.state(NAME) == {"a": 1}


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(store):
    store.save_state("b.example", {})
    os.mkfifo(Path(store.folder, "pylego", "state", "a.example.json"))
    with pytest.raises(pylego.StorageError, match="is no regular file"):
        store.state(NAME)


def test_a_file_in_the_place_of_a_folder_is_named(store):
    Path(store.folder).mkdir(mode=0o700)
    Path(store.folder, "pylego").touch()
    with pytest.raises(pylego.StorageError, match="pylego is not a folder") as caught:
        store.save_state(NAME, {})
    assert caught.value.__cause__.errno == errno.ENOTDIR
    with pytest.raises(pylego.StorageError, match="pylego is not a folder"):
        FileStore(Path(store.folder, "pylego"))


def test_a_key_is_never_readable_by_others(store, two, monkeypatch):
    """Not even between its making and its renaming, whatever the umask."""
    modes = set()
    real = os.fsync

    def look(descriptor):
        modes.add(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        store.save(NAME, two[0])
        store.save_pending(NAME, Pending(two[0].private_key, None, "https://ca/dir"))
    finally:
        os.umask(before)
    assert modes == {0o600, 0o700}


def test_no_descriptor_is_left_open(store, two):
    def descriptors():
        return list(Path("/dev/fd").iterdir())

    store.save(NAME, two[0])
    store.load(NAME)
    before = len(descriptors())
    for certificate in two:
        store.save(NAME, certificate)
        store.load(NAME)
        store.texts()
        with store.lock(NAME):
            store.save_state(NAME, {})
        with pytest.raises(pylego.StorageError):
            store.settle_key("https://ca/dir", "me", changed=True)
    store.accounts()
    store.remove(NAME)
    FileStore(store.folder)
    assert len(descriptors()) <= before  # others may end meanwhile
