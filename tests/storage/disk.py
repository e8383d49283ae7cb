"""A disk that keeps no more than it was told to: what each power failure could leave of a folder.

POSIX promises the content of a file after its fsync, and a name in a folder after the
folder's. Before that each change may be on the disk or not, whatever came before it;
journaling file systems keep more order, and so no test on one of them can tell an fsync
that is missing. `Disk` stands between a store and the system, and makes the folders that
could be found after a power failure at that moment.
"""

import itertools
import os
import stat
from pathlib import Path

WITHOUT = frozenset({"locks"})
"""Folders whose content is worth nothing after a power failure."""


class Disk:
    """What of a folder is on the disk; `os` for the module that writes there.

    A folder is a dict of names, a file a list with what it has and what the disk has of it:
    the same object under each name, as an inode.
    """

    def __init__(self, folder, moment, ignored=None):
        """Take all of a folder for being on the disk.

        Args:
            folder: the folder.
            moment: is called after each change; to sync only leaves less that could be found.
            ignored: the number of the fsync that is left out.
        """
        self._moment = moment
        self._ignored = ignored
        self.synced = 0
        self._objects = {}
        self._changes = {}
        self._root = self._known(Path(folder))

    def __getattr__(self, name):
        return getattr(os, name)

    def _known(self, path):
        """Take what is there for being on the disk."""
        if path.is_dir():
            known = {each.name: self._known(each) for each in path.iterdir()}
            self._changes[id(known)] = (path.name, known, [])
        else:
            content = path.read_bytes()
            known = [content, content]
        self._objects[path.stat().st_ino] = known
        return known

    def _of(self, descriptor):
        return self._objects[os.fstat(descriptor).st_ino]

    def _now(self, folder):
        """Return a folder as it is seen, whatever the disk has."""
        names = dict(folder)
        for change in self._changes[id(folder)][2]:
            names = applied(names, change)
        return names

    def _change(self, descriptor, change):
        name, _, changes = self._changes[id(self._of(descriptor))]
        changes.append(change)
        if name not in WITHOUT:
            self._moment()

    # What the store asks of the system

    def open(self, name, flags, mode=0o777, *, dir_fd=None):
        descriptor = os.open(name, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT:
            new = self._objects[os.fstat(descriptor).st_ino] = [b"", b""]
            self._change(dir_fd, {name: new})
        return descriptor

    def write(self, descriptor, content):
        written = os.write(descriptor, content)
        self._of(descriptor)[0] += bytes(content[:written])
        return written

    def mkdir(self, name, mode, *, dir_fd):
        os.mkdir(name, mode, dir_fd=dir_fd)
        new = self._objects[os.stat(name, dir_fd=dir_fd).st_ino] = {}
        self._changes[id(new)] = (name, new, [])
        self._change(dir_fd, {name: new})

    def replace(self, name, to, *, src_dir_fd, dst_dir_fd):
        os.replace(name, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        moved = self._now(self._of(src_dir_fd))[name]
        self._change(src_dir_fd, {name: None, to: moved})

    def unlink(self, name, *, dir_fd):
        os.unlink(name, dir_fd=dir_fd)
        self._change(dir_fd, {name: None})

    def fsync(self, descriptor):
        self.synced += 1
        if self.synced - 1 == self._ignored:
            return
        synced = self._of(descriptor)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            names = self._now(synced)
            synced.clear()
            synced.update(names)
            self._changes[id(synced)][2].clear()
        else:
            synced[1] = synced[0]

    # What a power failure leaves

    def left(self):
        """Return what there could be after one now: each as a dict of folders and contents."""
        pending = {
            key: changes
            for key, (name, _, changes) in self._changes.items()
            if name not in WITHOUT and changes
        }
        for whole in itertools.product((0, None), repeat=len(pending)):
            ends = zip(pending.items(), whole, strict=True)
            chosen = {key: changes[:end] for (key, changes), end in ends}
            for key, changes in pending.items():
                for some in _choices(changes):
                    for version in (0, 1):  # what was not synced is whole by chance, or lost
                        yield self._tree(self._root, {**chosen, key: some}, version)
        if not pending:
            yield from (self._tree(self._root, {}, version) for version in (0, 1))

    def _tree(self, folder, chosen, version):
        names = dict(folder)
        for change in chosen.get(id(folder), ()):
            names = applied(names, change)
        return {
            name: self._tree(each, chosen, version) if isinstance(each, dict) else each[version]
            for name, each in names.items()
            if name not in WITHOUT
        }


def applied(names, change):
    """Return the names in a folder after a change of it."""
    return {name: each for name, each in {**names, **change}.items() if each is not None}


def _choices(changes):
    """Choose which changes of a folder are on the disk: so many, or one alone."""
    return [*(changes[:count] for count in range(len(changes) + 1)), *([each] for each in changes)]


def make(tree, folder):
    """Make a folder of such a tree."""
    folder.mkdir(mode=0o700)
    for name, each in tree.items():
        if isinstance(each, dict):
            make(each, folder / name)
        else:
            (folder / name).write_bytes(each)
