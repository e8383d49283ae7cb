"""What tells a file from another one of the same name."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    import os


class Identity(NamedTuple):
    """Tells a file from its replacement, and from itself before somebody wrote into it."""

    inode: int
    size: int
    modified: int
    changed: int

    @property
    def written(self) -> float:
        """When it was written last, in seconds of the clock."""
        return self.modified / 1e9


def identity_of(status: os.stat_result) -> Identity:
    """Return that of a file."""
    return Identity(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
