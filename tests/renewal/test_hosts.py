"""Managers in containers that share a store: each sees the others' locks as another host's.

A container is a namespace of processes with a host's name of its own. What a process in
another one is doing cannot be seen, only when it has last shown that it lives. The store is
on the disk of them all, or each reaches it by a mount of its own, as over a network.
"""

import os
import shutil
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest

from pylego.storage import FileStore
from tests.renewal.conftest import ended, go_on
from tests.servers.fixtures import missing

CONTAINER = ("unshare", "--pid", "--uts", "--mount-proc", "--fork", "--kill-child")

QUICKER = """
import socket
from pylego.storage import _locks

_locks.REFRESHED, _locks.SILENT = 0.05, 3.0
socket.sethostname({name!r})
os.environ["STORE"] = {folder!r}
"""

SFTP = "/usr/lib/openssh/sftp-server"


@pytest.fixture(params=["disk", "sshfs"])
def folder(request, store, tmp_path):
    """Give the store's folder as one host after another sees it: `folder()`."""
    with ExitStack() as mounts:
        yield (
            partial(_mounted, mounts, tmp_path)
            if request.param == "sshfs"
            else lambda: store.folder
        )


def _mounted(mounts, tmp_path):
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("this system has no FUSE, or not for us")
    if shutil.which("sshfs") is None or not Path(SFTP).exists():
        missing("no sshfs, or no SFTP server")
    place = Path(mkdtemp(dir=tmp_path))
    # Nobody is logged in: the server is at the other end of a pipe. What sshfs remembers for
    # 20 seconds would be too old for `QUICKER`.
    options = f"dir_cache=no,ssh_command=sh -c {SFTP}"
    subprocess.run(["sshfs", f"here:{tmp_path}", place, "-o", options], check=True)
    mounts.callback(subprocess.run, ["fusermount3", "-u", "-z", place], check=True)
    return str(place / "store")


@pytest.fixture
def container(child, folder):
    """Start a manager in a container of its own: `container("a.example")`."""
    command = CONTAINER if os.geteuid() == 0 else (*CONTAINER, "--map-root-user")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False).returncode
    ):
        missing("namespaces of one's own are not allowed here")
    hosts = iter(f"host{number}" for number in range(100))

    def container(*names, before="", **settings):
        before = QUICKER.format(name=next(hosts), folder=folder()) + before
        return child(*names, before=before, launcher=command, **settings)

    return container


def test_managers_of_two_hosts_do_each_certificate_once(container, acme_server, store):
    names = [f"{number}.example" for number in range(6)]
    ends = ended(container(*names), container(*names))
    assert [code for code, _, _ in ends] == [0, 0], ends
    asked = acme_server.requests()
    assert asked["newOrder"] == asked["finalize"] == len(names)
    assert asked["newAccount"] == 1
    assert set(FileStore(store.folder).texts()) == set(names)


HOLDING = """
with Store(os.environ["STORE"]).lock("a.example"):
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_what_another_host_is_at_is_left_to_it_and_told_with_its_name(
    container, new_manager, managed
):
    holder = container("a.example", then=HOLDING)
    assert holder.line() == "ready"
    [outcome] = new_manager(managed("a.example")).renew_due().outcomes
    assert (outcome.result, outcome.why) == (
        "busy",
        "the lock on a.example was not free within 1.0 s: process 1 on host0 holds it",
    )
    assert holder.end()[0] == 0


TWICE = """
print("ready", flush=True)
sys.stdin.readline()
manager = Manager(Store(os.environ["STORE"]), certificates)
manager.renew_due()  # what seems to be held it leaves, this time
print(*[each.result for each in manager.renew_due().outcomes], flush=True)
"""


HANGING = """
def hang(self, *args, **more):
    print("issued", flush=True)
    signal.pause()

Store.save = hang
"""


@pytest.mark.slow
def test_what_a_host_that_is_gone_was_at_is_taken_over_with_its_order(
    container, acme_server, store
):
    gone = container("a.example", before=HANGING)
    go_on(gone)
    assert gone.line() == "issued"
    gone.process.kill()
    code, out, err = ended(container("a.example", then=TWICE))
    assert (code, out.strip()) == (0, "issued"), err
    assert store.load("a.example") is not None
    asked = acme_server.requests()
    assert asked["newOrder"] == asked["finalize"] == 1
