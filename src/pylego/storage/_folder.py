"""One folder and the files right in it; the only place that knows descriptors of folders.

Where a system has them, a folder is opened once and its files through it: nobody can
then put a link in the place of the folder, or of a file, and have us write elsewhere.
Windows has neither; there the same goes by paths.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat

from pylego._engine.system import patiently
from pylego._errors import StorageError
from pylego.storage._identity import identity_of
from pylego.storage._rights import check_rights, looks
from pylego.storage._telling import telling, told

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from pylego.storage._batch import Batch
    from pylego.storage._identity import Identity

SECRET = 0o600
PRIVATE = 0o700
"""lego's modes of files and of folders."""

STAGED = ".pylego-"
"""Begins the names of files that are to be renamed; no pattern of lego's finds them."""

HAVE_DESCRIPTORS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

# What Windows lacks is no flag there. O_NONBLOCK: somebody's pipe is not waited for.
_O_BINARY: int = getattr(os, "O_BINARY", 0)
_O_CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
_O_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
_O_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_O_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
_ALWAYS = _O_BINARY | _O_CLOEXEC | _O_NOFOLLOW


class Folder:
    """An open folder, by its descriptor; to be closed, best by `with`."""

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self._descriptor = descriptor
        self._seen = looks(status)

    @staticmethod
    def open(path: str) -> Folder | None:
        """Open a folder by its path; a symbolic link in it is the user's own and followed.

        Returns:
            The folder, or `None` where it is missing.

        Raises:
            StorageError: it cannot be opened, or others can write into it.
        """
        with telling(path):
            try:
                return _opened(path, path)
            except FileNotFoundError:
                return None

    @staticmethod
    def make(path: str) -> Folder:
        """Open a folder by its path, which is made where it is missing: for its owner alone."""
        folder = Folder.open(path)
        if folder is None:
            with telling(path):
                _make(os.path.abspath(path), PRIVATE)
            folder = Folder.open(path)
        if folder is None:
            msg = f"{path} was removed while it was being made"
            raise StorageError(msg, path=path)
        return folder

    def sub(self, name: str, *, make: bool = False, lasting: bool = True) -> Folder | None:
        """Open a folder right in this one, or make it; no symbolic link is followed."""
        # No `telling` at first: dozens are opened for one certificate.
        try:
            return self._sub(name)
        except FileNotFoundError:
            if not make:
                return None
        except OSError as error:
            raise told(error, self.at(name)) from error
        with telling(self.path, name):
            with contextlib.suppress(FileExistsError):  # another process has made it meanwhile
                self._mkdir(name)
                if lasting:
                    self.sync()
            return self._sub(name)

    def made(self, name: str, *, lasting: bool = True) -> Folder:
        """Open a folder right in this one, which is made where it is missing."""
        folder = self.sub(name, make=True, lasting=lasting)
        assert folder is not None  # noqa: S101 -- it was to be made
        return folder

    def _sub(self, name: str) -> Folder:
        return _opened(name, self.at(name), _O_NOFOLLOW, dir_fd=self._descriptor)

    def _mkdir(self, name: str) -> None:
        os.mkdir(name, PRIVATE, dir_fd=self._descriptor)

    def is_there(self) -> bool:
        """Tell whether its path still leads to it, and nobody else may write into it since."""
        try:
            return looks(os.stat(self.path)) == self._seen
        except OSError:
            return False

    def close(self) -> None:
        """Let the descriptor go."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def names(self) -> list[str]:
        """List what is in it, in no order."""
        with telling(self.path):
            return self._list()

    def read(self, name: str) -> bytes | None:
        """Read a file; `None` where there is none."""
        return self.seen(name)[0]

    def seen(self, name: str) -> tuple[bytes | None, Identity | None]:
        """Read a file, and tell which one it was."""
        # No `telling`: thousands are read.
        try:
            descriptor = self._open(name, os.O_RDONLY | _O_NONBLOCK)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    msg = f"{self.at(name)} is no regular file"
                    raise StorageError(msg, path=self.at(name))
                return _all_of(descriptor, status.st_size), identity_of(status)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise told(error, self.at(name)) from error

    def identity(self, name: str) -> Identity | None:
        """Tell which file is there now."""
        try:
            return identity_of(self._stat(name))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise told(error, self.at(name)) from error

    def create(
        self, name: str, content: bytes, batch: Batch | None = None, *, lasting: bool = True
    ) -> bool:
        """Make a file; `False` where one was there already.

        A lasting one is on the disk then, or when the batch is.
        """
        with telling(self.path, name):
            try:
                descriptor = self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                return False
            try:
                try:
                    _write(descriptor, content)
                    if batch is not None:
                        batch.add(self.at(name), descriptor)
                    elif lasting:
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            except BaseException:
                self.remove(name)
                raise
            return True

    def stage(self, content: bytes, batch: Batch | None = None) -> str:
        """Write what is to be renamed later; return the name it has until then."""
        name = STAGED + secrets.token_hex(16)
        self.create(name, content, batch)
        return name

    def write(self, name: str, content: bytes, batch: Batch | None = None) -> None:
        """Put a new file in the place of an old one: a reader sees either, whole.

        It is on the disk before it has the name; the name lasts from now on, or when the
        batch does.
        """
        staged = self.stage(content)
        try:
            self.move(staged, name)
        except BaseException:
            self.remove(staged)
            raise
        self.sync(batch)

    def move(self, name: str, to: str) -> None:
        """Rename a file, in the place of another one or not; `sync` makes it last."""
        with telling(self.path, to):
            self._rename(name, to)

    def move_if_there(self, name: str, to: str) -> bool:
        """Rename a file as `move` does; `False` where there is none."""
        try:
            self._rename(name, to)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise told(error, self.at(to)) from error
        return True

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; `sync` makes it last."""
        with telling(self.path, name), contextlib.suppress(FileNotFoundError):
            self._unlink(name)

    def touch(self, name: str) -> None:
        """Give a file the present as its time."""
        with telling(self.path, name):
            self._touch(name)

    def sync(self, batch: Batch | None = None) -> None:
        """Have the names in the folder on the disk, as they are now, or with a batch."""
        if batch is not None:
            batch.add(self.path, self._descriptor)
            return
        with telling(self.path):
            os.fsync(self._descriptor)

    def sync_file(self, name: str, batch: Batch) -> None:
        """Have a file's content on the disk with a batch, whoever has written it; none is no error."""
        with telling(self.path, name), contextlib.suppress(FileNotFoundError):
            descriptor = self._open(name, os.O_WRONLY)  # Windows syncs no file that is only read
            try:
                batch.add(self.at(name), descriptor)
            finally:
                os.close(descriptor)

    def at(self, name: str) -> str:
        """Return a file's path, for messages."""
        return f"{self.path}{os.sep}{name}"

    def _list(self) -> list[str]:
        # How far a descriptor has been read is the same for all threads: two that listed a folder
        # by one would take names from each other. And sshfs lists a folder once for each opening.
        descriptor = self._open(".", os.O_RDONLY | _O_DIRECTORY)
        try:
            return os.listdir(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | _ALWAYS, SECRET, dir_fd=self._descriptor)

    def _stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def _rename(self, name: str, to: str) -> None:
        os.replace(name, to, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def _unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def _touch(self, name: str) -> None:
        os.utime(name, dir_fd=self._descriptor, follow_symlinks=False)


class FolderByPath(Folder):
    """A folder where the system has no descriptors of folders, as on Windows.

    Nothing that anybody has open can be renamed or removed there: we hold nothing open,
    and wait for a moment where others read.
    """

    def __init__(self, path: str, status: os.stat_result) -> None:
        super().__init__(path, -1, status)

    def create(
        self,
        name: str,
        content: bytes,
        batch: Batch | None = None,  # noqa: ARG002 -- which would hold it open
        *,
        lasting: bool = True,
    ) -> bool:
        """Make a file, which is on the disk at once if it is to last."""
        return super().create(name, content, lasting=lasting)

    def _sub(self, name: str) -> Folder:
        return _by_path(self.at(name), os.lstat(self.at(name)))

    def _mkdir(self, name: str) -> None:
        os.mkdir(self.at(name), PRIVATE)

    def close(self) -> None:
        """Nothing is held."""

    def sync(self, batch: Batch | None = None) -> None:
        """Windows keeps its folders itself: it has no call for it."""

    def _list(self) -> list[str]:
        return os.listdir(self.path)

    def _open(self, name: str, flags: int) -> int:
        return patiently(os.open, self.at(name), flags | _ALWAYS, SECRET)

    def _stat(self, name: str) -> os.stat_result:
        return os.lstat(self.at(name))

    def _rename(self, name: str, to: str) -> None:
        patiently(os.replace, self.at(name), self.at(to))

    def _unlink(self, name: str) -> None:
        patiently(os.unlink, self.at(name))

    def _touch(self, name: str) -> None:
        os.utime(self.at(name))


def _make(path: str, mode: int) -> None:
    """Make a folder, and those above it that are missing; they last, unlike those of os.makedirs."""
    above, name = os.path.split(path)
    if not os.path.isdir(above):
        _make(above, 0o777)
    with contextlib.suppress(FileExistsError):  # another process has made it meanwhile
        if not HAVE_DESCRIPTORS:
            os.mkdir(path, mode)
            return
        descriptor = os.open(above, os.O_RDONLY | _O_DIRECTORY | _O_CLOEXEC)
        try:
            os.mkdir(name, mode, dir_fd=descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _opened(name: str, path: str, flags: int = 0, **where: Any) -> Folder:
    if not HAVE_DESCRIPTORS:
        return _by_path(path, os.stat(path))
    descriptor = os.open(name, os.O_RDONLY | _O_DIRECTORY | _O_CLOEXEC | flags, **where)
    try:
        status = os.fstat(descriptor)
        check_rights(status, path)
    except BaseException:
        os.close(descriptor)
        raise
    return Folder(path, descriptor, status)


def _by_path(path: str, status: os.stat_result) -> Folder:
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
    check_rights(status, path)
    return FolderByPath(path, status)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _all_of(descriptor: int, size: int) -> bytes:
    content = os.read(descriptor, size + 1)  # one more, to see the end
    if len(content) == size:
        return content
    parts = [content]
    while part := os.read(descriptor, 1 << 16):  # it has grown meanwhile
        parts.append(part)
    return b"".join(parts)
