"""What the process's resource limits mean for Go."""

from __future__ import annotations

import contextlib
import mmap

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Generator

try:
    import resource
except ImportError:  # Windows: no such limits
    resource = None  # type: ignore[assignment]

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


def address_space() -> int | None:
    """Return the limit in bytes, or nothing where there is none."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit
