"""What the process's resource limits mean for Go."""

from __future__ import annotations

import contextlib
import sys

from pylego._errors import EngineError

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

if sys.platform == "win32":  # which has no such limits
    mmap: Any = None
    resource: Any = None
else:
    import mmap
    import resource

GO_RESERVES = 1 << 30
"""Bytes of address space, which Go's runtime reserves without using them: it needs 0.9 GB to start."""


@contextlib.contextmanager
def file_limit_kept() -> Generator[None]:
    """Undo what Go does when it is loaded: it raises the soft limit on files to the hard one.

    Programs that use select() and those that close every descriptor before an
    exec rely on a low one.
    """
    if resource is None:
        yield
        return
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def room_here() -> bool:
    """Tell whether Go can reserve its address space in this process; otherwise it would end it."""
    if address_space() is None:
        return True
    try:
        mmap.mmap(-1, GO_RESERVES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()
    except OSError:
        return False
    return True


def require_room() -> None:
    """Refuse to start a program of Go's that would end at once: it inherits the limit.

    Raises:
        EngineError: there is no room.
    """
    space = address_space()
    if space is not None and space < GO_RESERVES:
        msg = (
            f"the limit on address space (RLIMIT_AS, `ulimit -v`) of {space >> 20} MB leaves no "
            f"room for Go, which reserves {GO_RESERVES >> 20} MB"
        )
        raise EngineError(msg)


def address_space() -> int | None:
    """Return the limit in bytes, or nothing where there is none."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit
