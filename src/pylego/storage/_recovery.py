"""Who replaces files holds their lock, and finishes first what a crash has left of them."""

from __future__ import annotations

import contextlib
import logging
import os
import time

from pylego._errors import DeadlineExceeded, StorageError
from pylego.storage import _archives, _journal, _layout
from pylego.storage._folder import STAGED
from pylego.storage._locks import Lock
from pylego.storage._notes import PENDING, STATE
from pylego.storage._places import visiting

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Generator

    from pylego.storage._batch import Batch
    from pylego.storage._folder import Folder
    from pylego.storage._places import Places
    from pylego.storage._reader import Files

COMMIT = 60.0
"""Seconds to wait for who replaces the same files; that takes milliseconds."""
FORGOTTEN = 3600.0
"""Seconds after which a staged file that no journal knows was left by a crash."""

log = logging.getLogger("pylego")


class Replacing:
    """A set of files whose lock is held: nobody else of ours replaces them."""

    def __init__(self, places: Places, journals: Folder, name: str) -> None:
        self.places = places
        self._journals = journals
        self._name = name

    def replace(
        self,
        place: tuple[str, ...],
        folder: Folder,
        files: Files,
        seen: _journal.Seen,
        batch: Batch,
        archive: str | None,
    ) -> None:
        """Replace the files; what another program has overtaken is kept in an archive."""
        journal = self._journals, self._name
        self._keep(_journal.replace(place, folder, *journal, files, seen, batch, archive))

    def finish(self) -> None:
        """Finish what a crash has left."""
        self._keep(_journal.finish(self.places, self._journals, self._name))

    def _keep(self, overtaken: _journal.Overtaken | None) -> None:
        if overtaken is not None:
            _keep(self.places, overtaken)


@contextlib.contextmanager
def replacing(path: str, place: tuple[str, ...], stem: str) -> Generator[Replacing, None, None]:
    """Hold the lock of a set of files of the store at `path`; nothing of it is half done then."""
    with _held(path, _journal.key(place, stem), COMMIT) as replacing:
        yield replacing


@contextlib.contextmanager
def _held(path: str, journal: str, timeout: float) -> Generator[Replacing, None, None]:
    # Sets share locks, which are held for milliseconds: one each would be thousands of files.
    # Names of a caller's own have no "~".
    with Lock(path, "~" + journal[:2], timeout), visiting(path) as places:
        replacing = Replacing(places, places.make(_journal.JOURNAL), journal)
        replacing.finish()
        yield replacing


def _keep(places: Places, overtaken: _journal.Overtaken) -> None:
    """Keep what was to be saved: it has been issued, and the key may be nowhere else."""
    first = next(iter(overtaken.files))
    stem = "_".join(overtaken.place[1:]) or first.removesuffix(_layout.CERTIFICATE)
    name = _archives.keep(places, overtaken.place, stem, overtaken.files)
    archive = os.path.join(places.path, _archives.ARCHIVES, overtaken.place[0], name)
    log.warning("another program has saved one since a crash: what was to be saved is %s", archive)


def recover(folder: str | os.PathLike[str]) -> None:
    """Finish what crashes have left half done in a store.

    Opening a store does it; it is for those who let lego at the folder without that.
    Whoever is still at work is waited for.

    Args:
        folder: the store's folder; one that is not there needs nothing.

    Raises:
        StorageError: it cannot be read or written.
        DeadlineExceeded: another process does not come to its end within a minute.
    """
    path = os.path.abspath(folder)
    for journal in _under_way(path):
        with _held(path, journal, COMMIT):
            pass
    _sweep(path)


def recover_at_once(path: str) -> None:
    """Finish what crashes have left; who is still at work finishes by itself."""
    for journal in _under_way(path):
        with contextlib.suppress(DeadlineExceeded), _held(path, journal, timeout=0):
            pass
    if not _under_way(path):
        _sweep(path)


def _under_way(path: str) -> list[str]:
    with visiting(path) as places:
        return _journal.under_way(places)


def _sweep(path: str) -> None:
    """Remove what was staged by who crashed before it counted."""
    archives = [(_archives.ARCHIVES, kind[0]) for kind in (_layout.CERTIFICATES, _layout.ACCOUNTS)]
    ours = [_layout.CERTIFICATES, STATE, PENDING, _journal.JOURNAL]
    with visiting(path) as places:
        for place in [*ours, *archives, *account_places(places)]:
            folder = places.find(place)
            if folder is not None:
                _sweep_one(folder)


def _sweep_one(folder: Folder) -> None:
    for name in folder.names():
        if name.startswith(STAGED):
            identity = folder.identity(name)
            if identity and time.time() - identity.written > FORGOTTEN:
                folder.remove(name)


def account_places(places: Places) -> list[tuple[str, ...]]:
    """List the folders of accounts: two below lego's."""
    found: list[tuple[str, ...]] = [_layout.ACCOUNTS]
    for _ in range(2):
        found = [(*place, name) for place in found for name in _folders(places, place)]
    return found


def _folders(places: Places, place: tuple[str, ...]) -> list[str]:
    with contextlib.suppress(StorageError):  # a file is none
        folder = places.find(place)
        if folder is not None:
            return sorted(name for name in folder.names() if not name.startswith("."))
    return []
