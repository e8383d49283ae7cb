"""Locks between threads, processes and hosts that share a folder.

A lock is a folder that holds one file, whose name says all: "free", or who holds it. It
is taken, let go and taken over by renaming that file: of all who rename it from the same
name one succeeds, and a name that tells a holder never comes twice. So no two can both
believe that they have taken it, or cleared away what a crash has left.

On one host the holder's process tells whether it is still held. Of another host only
the file's time is to be seen: the holder writes it every few seconds, and the waiter
sees, by its own clock, for how long it has not changed. Clocks that differ do no harm: at
worst who would not wait has to, for as long as that takes. No lock of the kernel's is
used: those are inherited by forks, or lost with any descriptor of the file, and some
network file systems have none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import secrets
import socket
import threading
import time
from typing import NamedTuple

from pylego._errors import DeadlineExceeded, StorageError
from pylego.storage import _layout
from pylego.storage._places import visiting

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing_extensions import Self

    from pylego.storage._folder import Folder
    from pylego.storage._identity import Identity

LOCKS = (*_layout.OURS, "locks")

FREE = "free"
"""The name of a lock's file while nobody holds it."""
HELD = "held."
"""Begins its name while somebody does."""
LONGEST_HOST = 128
"""Characters of a host's name in it: file systems take 255 bytes."""

REFRESHED = 5.0
"""Seconds between two signs of life."""
SILENT = 30.0
"""Seconds without one after which another host's holder is taken for dead."""
LONG_AGO = 3600.0
"""Seconds by the clock after which a lock is likely to be left: it is watched for as long as
it takes to be sure, also by who would not wait so long and may never come back."""
ENDED = "ended"
"""The start of a process that has ended, and whose parent has not looked yet."""
LONGEST_NAP = 0.25
"""Seconds between two looks at a lock that is held."""


class Lock:
    """A lock by its name: `with store.lock("example.com"):`."""

    def __init__(self, root: str, name: str, timeout: float | None = None) -> None:
        """Make it; it is taken by `with`."""
        self._root = root
        self._name = name
        self._timeout = timeout
        self._taken = contextlib.ExitStack()
        self._folder: Folder | None = None
        self._mine = ""
        self._pid = 0

    def __enter__(self) -> Self:
        """Wait for the lock and take it."""
        with contextlib.ExitStack() as taken:
            # Who holds a lock is at work in the store: the folders that it needs stay open.
            locks = taken.enter_context(visiting(self._root)).make(LOCKS, lasting=False)
            folder = taken.enter_context(locks.made(self._name, lasting=False))
            self._folder, self._pid, self._mine = folder, os.getpid(), _we.holder()
            taken.callback(self._let_go)  # what an interruption has left taken, too
            _wait(folder, self._name, self._mine, self._timeout)
            _keeper.keep(self)
            self._taken = taken.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go; a fork lets nothing go that is its parent's."""
        self._taken.close()

    def _let_go(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None and self._pid == os.getpid():
            _keeper.leave(self)
            folder.move_if_there(self._mine, FREE)

    @property
    def held(self) -> bool:
        """Whether it is still this process's.

        It is not in a fork; nor after this host has been silent, asleep perhaps or cut
        off from the folder, for so long that another has taken it.
        """
        folder = self._folder
        if folder is None or self._pid != os.getpid():
            return False
        return folder.identity(self._mine) is not None

    def check(self) -> None:
        """Make sure that the lock is still held, before something is done under it.

        Raises:
            StorageError: it is not.
        """
        if not self.held:
            path = os.path.join(self._root, *LOCKS, self._name)
            msg = f"the lock on {self._name} is not held any more: another has taken it, or this is a fork of its holder"
            raise StorageError(msg, path=path)

    def refresh(self) -> None:
        """Show that the holder lives; a thread does it every few seconds."""
        folder = self._folder
        if folder is not None:
            folder.touch(self._mine)


def _wait(folder: Folder, name: str, mine: str, timeout: float | None) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    nap = 0.002
    watch = _Watch()
    while not _attempt(folder, mine, watch):
        left = LONGEST_NAP if end is None or watch.likely_left else end - time.monotonic()
        if left <= 0:
            msg = f"the lock on {name} was not free within {timeout} s: {watch.holder}"
            raise DeadlineExceeded(msg, code="deadline_exceeded", info={"phase": "storage"})
        time.sleep(min(nap * random.uniform(0.5, 1), left))  # noqa: S311 -- so that waiters do not march in step
        nap = min(nap * 1.5, LONGEST_NAP)


def _attempt(folder: Folder, mine: str, watch: _Watch) -> bool:
    """Take the lock if it is free, or was left by one that is gone; `mine` tells who does."""
    if not folder.move_if_there(FREE, mine):
        there = _states(folder)
        if not there:  # nobody has ever held it
            folder.create(FREE, b"", lasting=False)
            there = [FREE]
        # A network file system may have renamed it already, when it says that it was not there.
        if mine not in there and not (
            (FREE in there or all(watch.is_dead(folder, each) for each in there))
            and folder.move_if_there(min(there), mine)
        ):
            return False
    folder.touch(mine)
    if _states(folder) == [mine]:
        return True
    # Two have begun it, or somebody has put copies there: who does not see itself alone holds
    # nothing, and of all that are there each goes in time.
    folder.remove(mine)
    return False


def _states(folder: Folder) -> list[str]:
    return [name for name in folder.names() if name == FREE or name.startswith(HELD)]


class _Holder(NamedTuple):
    """Who holds a lock, as its file's name tells."""

    pid: str = ""
    started: str = ""
    """As `_started` tells; nothing where it does not."""
    kernel: str = ""
    """As `_kernel` tells, in short; nothing where it does not."""
    token: str = ""
    """Tells this time from others."""
    host: str = ""

    @classmethod
    def of(cls, name: str) -> _Holder:
        return cls(*name.removeprefix(HELD).split(".", len(cls._fields) - 1))

    @property
    def name(self) -> str:
        return HELD + ".".join(self)


class _Watch:
    """What a waiter has seen of who holds the lock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Identity | None, float]] = {}
        self.holder = "nobody can be seen to hold it"
        self.likely_left = False
        """Whether the holder was silent for long by the clock, and has been since."""

    def is_dead(self, folder: Folder, name: str) -> bool:
        """Tell whether a holder is gone for certain."""
        who, identity = _Holder.of(name), folder.identity(name)
        self.holder = f"process {who.pid} on {who.host} holds it"
        if _we.kernel and who.kernel == _we.kernel:
            self.likely_left = False
            return not _lives(who.pid, who.started)
        before = self._seen.get(name)
        if before is None or before[0] != identity:
            old = identity is not None and time.time() - identity.written > LONG_AGO
            self.likely_left = old and before is None
            self._seen[name] = before = identity, time.monotonic()
        return time.monotonic() - before[1] > SILENT


class _We:
    """This process, for others; made anew in a fork."""

    def __init__(self) -> None:
        self.kernel = _kernel()
        self._pid = os.getpid()
        self._started = _started(self._pid)

    def holder(self) -> str:
        """Return the name of the file of a lock that this process takes now."""
        host = re.sub(r"[^\w.-]", "-", socket.gethostname(), flags=re.ASCII)[:LONGEST_HOST]
        token = secrets.token_hex(8)
        return _Holder(str(self._pid), self._started, self.kernel, token, host).name


def _kernel() -> str:
    """Name what process numbers hold in: a boot of a system, and a namespace in it.

    Nothing where that cannot be told, and so another's process not be looked at.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            both = f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
    return hashlib.sha256(both.encode()).hexdigest()[:16]


def _started(pid: int) -> str:
    """Tell when a process started, in ticks of the kernel; nothing where that is not shown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return ENDED if fields[0] in (b"Z", b"X") else fields[19].decode()


def _lives(pid: str, started: str) -> bool:
    """Tell whether it is still the same process: numbers are used again."""
    number = int(pid) if pid.isdecimal() else 0
    if not number:
        return False
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    now = _started(number)
    return not now or now == started


class _Keeper:
    """Shows that this process lives, in the locks that it holds."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: dict[Lock, threading.Lock] = {}
        """Each with who may write its sign of life, or let it go: a folder that hangs holds up no other."""
        self._thread: threading.Thread | None = None

    def keep(self, lock: Lock) -> None:
        with self._guard:
            self._kept[lock] = threading.Lock()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="pylego-locks", daemon=True)
                with contextlib.suppress(RuntimeError):  # at the interpreter's exit
                    thread.start()
                    self._thread = thread

    def leave(self, lock: Lock) -> None:
        with self._guard:
            writing = self._kept.pop(lock, None)
        with writing or contextlib.nullcontext():
            pass  # its descriptor is closed next, and may be another file's then

    def _run(self) -> None:
        idle = 0
        while True:
            time.sleep(REFRESHED)
            with self._guard:
                kept = dict(self._kept)
                idle = 0 if kept else idle + 1
                if idle > 1:
                    self._thread = None
                    return
            for lock, writing in kept.items():
                with writing, contextlib.suppress(StorageError):  # `held` tells
                    if lock in self._kept:
                        lock.refresh()


_we = _We()
_keeper = _Keeper()


def _forget() -> None:
    """Let a fork begin without its parent's locks, perhaps in a namespace of its own."""
    global _keeper, _we
    _keeper, _we = _Keeper(), _We()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
