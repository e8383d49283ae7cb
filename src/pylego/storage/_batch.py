"""What is put on the disk together."""

from __future__ import annotations

import contextlib
import os

from pylego.storage._telling import telling

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing_extensions import Self

_ADVICE = ("posix_fadvise", "POSIX_FADV_DONTNEED")


class Batch:
    """New files, and folders with new names, that are put on the disk together.

    Each alone would wait for a write of the disk; together some share one.
    """

    def __init__(self) -> None:
        self._open: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _path, descriptor in self._open:
            os.close(descriptor)

    def add(self, path: str, descriptor: int) -> None:
        """Take a file or folder; its descriptor stays the caller's."""
        self._open.append((path, os.dup(descriptor)))

    def sync(self) -> None:
        """Have all of them on the disk."""
        for _path, descriptor in self._open:
            _begin_writing(descriptor)
        for path, descriptor in self._open:
            with telling(path):
                os.fsync(descriptor)


def _begin_writing(descriptor: int) -> None:
    """Hint that a file is to be written: Linux begins at once, and finds places for several together."""
    advise, needed_no_more = (getattr(os, name, None) for name in _ADVICE)  # not on macOS
    if advise is not None:
        with contextlib.suppress(OSError):
            advise(descriptor, 0, 0, needed_no_more)
