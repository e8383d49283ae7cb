"""Reads files that belong together as they were at one moment."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from pylego._errors import StorageError
from pylego.storage import _journal
from pylego.storage._places import visiting

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import TypeVar

    from pylego.storage._folder import Folder
    from pylego.storage._places import Places

    T = TypeVar("T")

Files = dict[str, "bytes | None"]

PATIENCE = 2.0
"""Seconds for which a program is waited for that writes file after file, as lego does."""
NAP = 0.005
"""Seconds between two looks then."""


@contextmanager
def reading(path: str, place: tuple[str, ...]) -> Generator[Reader]:
    """Read in a folder below that of the store at `path`."""
    with visiting(path) as places:
        yield Reader(places, place)


class Reader:
    """Reads sets of files in one folder, thousands without opening it again."""

    def __init__(self, places: Places, place: tuple[str, ...]) -> None:
        """Open nothing yet."""
        self._path = os.path.join(places.path, *place)
        self._places = places
        self._place = place
        self._folder: Folder | None = None
        self._journals: Folder | None = None

    def at(self, name: str) -> str:
        """Return a file's path, for messages."""
        return os.path.join(self._path, name)

    def stems(self, extension: str) -> list[str]:
        """List the names of sets, sorted: each has a file with the extension."""
        folder = self._opened()
        names = folder.names() if folder else ()
        return sorted(name.removesuffix(extension) for name in names if name.endswith(extension))

    def read(self, stem: str, names: Sequence[str], make: Callable[[Files], T]) -> T:
        """Read files of one set, and make something of them.

        A set that we replace has a journal meanwhile, which tells the new files. lego
        writes into its files one after the other: what can only be made of them when
        they belong together is tried again as long as one of them is that new.

        Args:
            stem: the name of the set.
            names: the files.
            make: makes the result of their contents; raises a StorageError where they
                do not belong together.

        Raises:
            StorageError: they cannot be read, do not belong together, or change all
                the time.
        """
        journal = _journal.key(self._place, stem)
        end: float | None = None
        while True:
            files, newest = self._at_one_moment(journal, names)
            late = end is not None and time.monotonic() >= end
            if files is not None:
                try:
                    return make(files)
                except StorageError:
                    if late or time.time() - newest > PATIENCE:
                        raise
            elif late:
                path = self.at(stem)
                msg = f"{path} is changed all the time: it cannot be read as it is at one moment"
                raise StorageError(msg, path=path)
            end = end or time.monotonic() + PATIENCE
            time.sleep(NAP)

    def _at_one_moment(self, journal: str, names: Sequence[str]) -> tuple[Files | None, float]:
        """Read the files, if they stay the same meanwhile; and tell when the newest was written.

        A look at the journal between two looks at the files: where it is not there, and
        the files are the same before and after, they are a whole set.
        """
        folder = self._opened()
        if folder is None:
            return dict.fromkeys(names), 0
        seen = {name: folder.seen(name) for name in names}
        entry = self._entry(journal)
        if entry is not None:
            files = _journal.decided(folder, entry, names)
            if files is not None or self._entry(journal) != entry:
                return files, 0
            # lego has written since a crash: its files stay, as `finish` has it.
        newest = 0.0
        for name, (_, identity) in seen.items():
            if folder.identity(name) != identity:
                return None, 0
            if identity is not None:
                newest = max(newest, identity.written)
        return {name: content for name, (content, _) in seen.items()}, newest

    def _opened(self) -> Folder | None:
        self._folder = self._folder or self._places.find(self._place)
        return self._folder

    def _entry(self, journal: str) -> _journal.Entry | None:
        self._journals = self._journals or self._places.find(_journal.JOURNAL)
        return None if self._journals is None else _journal.read(self._journals, journal)
