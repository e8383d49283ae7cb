"""Locks between threads, processes and hosts that share a folder.

A lock is a folder of numbered files, of which the highest counts: "held" by whom, or
"free". Who finds it free makes the next number, which only one can, and removes the
lower ones. So no file is ever removed or written by anybody but its maker while it
counts, and taking over what a crash has left is the same step as taking what is free:
no two can both believe they have cleared it away.

On one host the holder's process tells whether it is still held. Of another host only
the file's time is to be seen: the holder writes it every few seconds, and the waiter
sees, by its own clock, for how long it has not changed. Clocks that differ do no harm: at
worst who would not wait has to, for as long as that takes. No lock of the kernel's is
used: those are inherited by forks, or lost with any descriptor of the file, and some
network file systems have none.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import threading
import time

from pylego._errors import DeadlineExceeded, StorageError
from pylego.storage import _layout
from pylego.storage._places import visiting

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from pylego.storage._folder import Folder, Identity

LOCKS = (*_layout.OURS, "locks")

HELD, FREE = b"held", b"free"
"""Begin a lock's file; as long as each other, so that one is written over the other at once."""

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
        self._number = 0
        self._pid = 0

    def __enter__(self) -> Self:
        """Wait for the lock and take it."""
        with contextlib.ExitStack() as taken:
            # Who holds a lock is at work in the store: the folders that it needs stay open.
            locks = taken.enter_context(visiting(self._root, make=True)).make(LOCKS, lasting=False)
            folder = taken.enter_context(locks.made(self._name, lasting=False))
            self._folder, self._pid, self._number = folder, os.getpid(), 0
            taken.callback(self._let_go)
            self._number = _wait(folder, self._name, self._timeout)
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
            folder.overwrite(str(self._number), FREE)

    @property
    def held(self) -> bool:
        """Whether it is still this process's.

        It is not in a fork; nor after this host has been silent, asleep perhaps or cut
        off from the folder, for so long that another has taken it.
        """
        folder = self._folder
        if folder is None or self._pid != os.getpid():
            return False
        return _highest(folder) == self._number

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
            folder.touch(str(self._number))


def _wait(folder: Folder, name: str, timeout: float | None) -> int:
    end = None if timeout is None else time.monotonic() + timeout
    nap = 0.002
    watch = _Watch()
    while True:
        number = _attempt(folder, watch)
        if number is not None:
            return number
        left = LONGEST_NAP if end is None or watch.likely_left else end - time.monotonic()
        if left <= 0:
            msg = f"the lock on {name} was not free within {timeout} s: {watch.holder}"
            raise DeadlineExceeded(msg, code="deadline_exceeded", info={"phase": "storage"})
        time.sleep(min(nap * random.uniform(0.5, 1), left))  # noqa: S311 -- so that waiters do not march in step
        nap = min(nap * 1.5, LONGEST_NAP)


def _attempt(folder: Folder, watch: _Watch) -> int | None:
    """Take the lock if it is free, or was left by one that is gone."""
    highest = _highest(folder)
    if highest:
        content, identity = folder.seen(str(highest))
        if content is None:
            return None  # taken and cleared away since
        if not content.startswith(FREE) and not watch.is_dead(highest, content, identity):
            return None
    number, ours = highest + 1, HELD + _we.content()
    try:
        if not folder.create(str(number), ours, lasting=False):
            return None
        present = _numbers(folder)
        if max(present, default=0) != number:  # what was seen of the folder was long ago
            folder.remove(str(number))
            return None
        for lower in present:
            if lower != number:
                folder.remove(str(lower))
    except BaseException:  # Ctrl-C, too: this process lives, and nobody would take it from us
        if folder.read(str(number)) == ours:
            folder.overwrite(str(number), FREE)
        raise
    return number


def _numbers(folder: Folder) -> list[int]:
    return [int(name) for name in folder.names() if name.isascii() and name.isdigit()]


def _highest(folder: Folder) -> int:
    return max(_numbers(folder), default=0)


class _Watch:
    """What a waiter has seen of who holds the lock."""

    def __init__(self) -> None:
        self._seen: tuple[int, Identity | None] | None = None
        self._since = 0.0
        self.holder = "nobody can be seen to hold it"
        self.likely_left = False
        """Whether the holder was silent for long by the clock, and has been since."""

    def is_dead(self, number: int, content: bytes, identity: Identity | None) -> bool:
        """Tell whether the holder is gone for certain."""
        who = _read(content)
        self.holder = f"process {who.get('pid')} on {who.get('host')} holds it"
        if _we.kernel is not None and who.get("kernel") == _we.kernel:
            self.likely_left = False
            return not _lives(who.get("pid"), who.get("started"))
        if self._seen != (number, identity):
            old = identity is not None and time.time() - identity.written > LONG_AGO
            self.likely_left = old and self._seen is None
            self._seen, self._since = (number, identity), time.monotonic()
        return time.monotonic() - self._since > SILENT


def _read(content: bytes) -> dict[str, Any]:
    with contextlib.suppress(StorageError):  # its maker is still writing it, or was killed at it
        return _layout.fields_of(content[len(HELD) :], "the lock")
    return {}


class _We:
    """This process, for others; made anew in a fork."""

    def __init__(self) -> None:
        self.kernel = _kernel()
        self._pid = os.getpid()
        self._started = _started(self._pid)

    def content(self) -> bytes:
        who = {
            "host": socket.gethostname(),
            "kernel": self.kernel,
            "pid": self._pid,
            "started": self._started,
            "token": secrets.token_hex(8),
        }
        return json.dumps(who).encode()


def _kernel() -> str | None:
    """Name what process numbers hold in: a boot of a system, and a namespace in it.

    `None` where that cannot be told, and so another's process not be looked at.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """Tell when a process started, in ticks of the kernel; `None` where that is not shown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return ENDED if fields[0] in (b"Z", b"X") else fields[19].decode()


def _lives(pid: Any, started: Any) -> bool:
    """Tell whether it is still the same process: numbers are used again."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError, TypeError):
        return False
    except PermissionError:
        pass  # another user's
    now = _started(pid)
    return now is None or now == started


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
