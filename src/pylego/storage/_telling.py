"""The system's errors as StorageErrors that name the file."""

from __future__ import annotations

import errno
import os

from pylego._errors import StorageError

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from types import TracebackType


class telling:  # noqa: N801 -- a context manager, used as a verb
    """Turn the system's errors into StorageErrors that name the file."""

    def __init__(self, path: str, name: str = "") -> None:
        self._path = path
        self._name = name

    def __enter__(self) -> None:
        """Nothing has failed yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            path = os.path.join(self._path, self._name) if self._name else self._path
            raise told(error, path) from error


def told(error: OSError, path: str) -> StorageError:
    """Return the error to be raised for one of the system's."""
    return StorageError(_words(error, path), path=path)


def _words(error: OSError, path: str) -> str:
    if error.errno == errno.ELOOP:
        return f"{path} is a symbolic link, and none is followed here: put the file itself there"
    if error.errno == errno.ENOTDIR:
        return f"{path} is not a folder; a symbolic link in its place is not followed"
    if error.errno == errno.ENOSPC:
        return f"{path} cannot be written: no space is left; what was there before still is"
    return f"{path}: {error.strerror or error}"
