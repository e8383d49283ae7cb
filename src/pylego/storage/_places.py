"""A store's folders, each opened once for all who are at work in the store.

One renewal looks into a dozen folders again and again, under the lock that it holds all
the while: what is open stays so until the last one leaves. Each look makes sure that a
path still leads to what is open: somebody may have put another folder in its place.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

from pylego.storage._folder import Folder

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Generator

    Place = tuple[str, ...]


class Places:
    """The folders of a store, open as long as somebody is at work there."""

    def __init__(self, path: str) -> None:
        """Open nothing yet."""
        self.path = path
        self.visitors = 0
        self._open: dict[Place, Folder] = {}
        self._replaced: list[Folder] = []
        """No more to be found, and perhaps in use."""

    def find(self, place: Place) -> Folder | None:
        """Return a folder below the store's; `None` where it is missing. It is not the caller's to close.

        Raises:
            StorageError: it cannot be opened, or others can write into it.
        """
        return self._opened(place, make=False, lasting=False)

    def make(self, place: Place, *, lasting: bool = True) -> Folder:
        """Return a folder below the store's, which is made where it is missing.

        Raises:
            StorageError: as `find`, or it cannot be made.
        """
        folder = self._opened(place, make=True, lasting=lasting)
        assert folder is not None  # noqa: S101 -- it was to be made
        return folder

    def _opened(self, place: Place, *, make: bool, lasting: bool) -> Folder | None:
        known = self._open.get(place)
        if known is not None and known.is_there():
            return known
        folder = self._anew(place, make=make, lasting=lasting)
        if folder is not None:
            with _visits.guard:
                if (before := self._open.get(place)) is not None:
                    self._replaced.append(before)
                self._open[place] = folder
        return folder

    def _anew(self, place: Place, *, make: bool, lasting: bool) -> Folder | None:
        if not place:
            return Folder.make(self.path) if make else Folder.open(self.path)
        above = self._opened(place[:-1], make=make, lasting=lasting)
        return above and above.sub(place[-1], make=make, lasting=lasting)

    def close(self) -> None:
        """Close them all."""
        for folder in (*self._open.values(), *self._replaced):
            folder.close()


class _Visits:
    """Who is at work where."""

    def __init__(self) -> None:
        self.guard = threading.RLock()  # a signal's handler may come in between
        self.known: dict[str, Places] = {}
        """By the store's path."""


_visits = _Visits()


@contextmanager
def visiting(path: str) -> Generator[Places]:
    """Be at work in the store whose folder has this path."""
    with _visits.guard:
        places = _visits.known.setdefault(path, Places(path))
        places.visitors += 1
    try:
        yield places
    finally:
        _left(places)


def _left(places: Places) -> None:
    with _visits.guard:
        places.visitors -= 1
        if places.visitors:
            return
        if _visits.known.get(places.path) is places:  # in a fork it may be another
            del _visits.known[places.path]
    places.close()


def _forget() -> None:
    """Let a fork open its own: of its parent's visitors it has one thread at most."""
    _visits.guard = threading.RLock()
    _visits.known.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
