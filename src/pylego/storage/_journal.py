"""Files that belong together are replaced together.

New files are staged beside the old ones, with a journal of what is to become of which;
together they are put on the disk, and from then on they count: a reader finds them,
under whichever of their two names, by their digests. Then they are renamed, and the
journal goes. A crash before leaves the old files: a journal that is not whole, or whose
new files are not, decides nothing. One after it leaves the new ones, which whoever comes
next puts in their places. Which of both it was nobody can see, so whoever comes next puts
them on the disk first: of files that are not there yet a power failure could leave names.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from pylego._errors import StorageError
from pylego.storage import _archives, _layout
from pylego.storage._batch import Batch
from pylego.storage._folder import STAGED

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from pylego.storage._folder import Folder
    from pylego.storage._identity import Identity
    from pylego.storage._places import Places

    Seen = Mapping[str, tuple[bytes | None, Identity | None]]


JOURNAL = (*_layout.OURS, "journal")


@dataclass(frozen=True)
class Step:
    """What is to become of one file."""

    staged: str | None
    """Where its new content waits; `None` for a file that is removed, or stays as it is."""
    digest: str | None
    """The SHA-256 of its new content; `None` for a file that is removed."""
    before: str | None
    """That of what it replaces; `None` where there was nothing."""


@dataclass(frozen=True)
class Entry:
    """A replacement that has been decided."""

    place: tuple[str, ...]
    """The folder that the files are in, below the root."""
    steps: Mapping[str, Step]
    """The steps, by the names of the files, in their order."""
    archive: str | None
    """The name of the archive of what they replace, where there is one."""


@dataclass(frozen=True)
class Overtaken:
    """A replacement that another program has made void: it has written the files since."""

    place: tuple[str, ...]
    """The folder of the files, below the root."""
    files: Mapping[str, bytes | None]
    """What they were to become."""


def key(place: tuple[str, ...], stem: str) -> str:
    """Return the name of the journal of a set of files: short, whatever they are called."""
    return hashlib.sha256("/".join((*place, stem)).encode()).hexdigest()[:32] + ".json"


def read(journals: Folder, name: str) -> Entry | None:
    """Return what a journal has decided; `None` where nothing is under way."""
    content = journals.read(name)
    fields = None if content is None else _parsed(content)
    if fields is None:
        return None
    try:
        steps = {file: Step(**step) for file, step in fields["steps"].items()}
        return Entry(tuple(fields["place"]), steps, fields["archive"])
    except (KeyError, TypeError, AttributeError):
        msg = f"{journals.at(name)} is not a journal of this version of pylego"
        raise StorageError(msg, path=journals.at(name)) from None


def _parsed(content: bytes) -> dict[str, Any] | None:
    """Read JSON; one that is not whole was being written, now or before a crash."""
    try:
        fields: dict[str, Any] = json.loads(content)
    except ValueError:
        return None
    return fields


def under_way(places: Places) -> list[str]:
    """Return the names of the journals that there are, sorted."""
    journals = places.find(JOURNAL)
    names = () if journals is None else journals.names()
    return sorted(name for name in names if not name.startswith(STAGED))


def replace(
    place: tuple[str, ...],
    folder: Folder,
    journals: Folder,
    name: str,
    files: Mapping[str, bytes | None],
    seen: Seen,
    batch: Batch,
    archive: str | None,
) -> Overtaken | None:
    """Replace a set of files; those without content are removed.

    The caller holds the set's lock, and has finished what an earlier one had begun.

    Args:
        place: the folder that the files are in, below the root.
        folder: the same, open.
        journals: the folder of journals, open.
        name: the journal's name.
        files: the new files; those that are as they were, mostly the issuer's, stay.
        seen: what is there, of each of them at least.
        batch: what else is to be on the disk before they count.
        archive: the name of an archive that is in the batch.

    Returns:
        As `finish`.
    """
    staged: list[str] = []
    begun = False
    try:
        steps: dict[str, Step] = {}
        for file, content in files.items():
            before, waits = seen[file][0], None
            if content not in (None, before):
                waits = folder.stage(content, batch)
                staged.append(waits)
            steps[file] = Step(waits, _digest(content), _digest(before))
        entry = Entry(place, steps, archive)
        _begin(journals, name, entry, batch)
        begun = True
        if staged:
            folder.sync(batch)
        journals.sync(batch)
        batch.sync()
    except BaseException:
        if begun:
            journals.remove(name)  # first: without it nothing is decided
        for each in staged:
            folder.remove(each)
        raise
    if any(folder.identity(file) != seen[file][1] for file in steps):
        return _finish(folder, journals, name, entry)  # another program has written meanwhile
    _put(folder, journals, name, steps)
    return None


def _begin(journals: Folder, name: str, entry: Entry, batch: Batch) -> None:
    steps = {file: vars(step) for file, step in entry.steps.items()}
    content = json.dumps({**vars(entry), "steps": steps})
    if not journals.create(name, content.encode(), batch):
        path = journals.at(name)
        msg = f"{path}: the lock was lost, and another process replaces the files"
        raise StorageError(msg, path=path)


def finish(places: Places, journals: Folder, name: str) -> Overtaken | None:
    """Do what a journal has decided, as far as it is still to be done; the caller holds the lock.

    Returns:
        `None`; or, where another program has written the files meanwhile, what they were
        to become, if all of that is left: the other program's files stay.
    """
    if journals.identity(name) is None:
        return None
    entry = read(journals, name)
    if entry is None:
        journals.remove(name)  # a crash has come before it was whole
        return None
    folder = places.make(entry.place)
    _sync(places, folder, journals, name, entry)
    return _finish(folder, journals, name, entry)


def _sync(places: Places, folder: Folder, journals: Folder, name: str, entry: Entry) -> None:
    """Have on the disk what was to be there before it counts: a crash may have come between."""
    with Batch() as batch:
        before = {file: folder.read(file) for file in entry.steps}
        begun = any(_digest(before[file]) != step.before for file, step in entry.steps.items())
        if entry.archive is not None and not begun:
            _archives.keep_again(places, entry.place, entry.archive, before, batch)
        staged = [step.staged for step in entry.steps.values() if step.staged is not None]
        for each in staged:
            folder.sync_file(each, batch)
        if staged:
            folder.sync(batch)
        journals.sync_file(name, batch)
        journals.sync(batch)
        batch.sync()


def _finish(folder: Folder, journals: Folder, name: str, entry: Entry) -> Overtaken | None:
    if all(_possible(folder, file, step) for file, step in entry.steps.items()):
        left = {
            file: step
            for file, step in entry.steps.items()
            if step.staged is None or folder.identity(step.staged) is not None
        }
        _put(folder, journals, name, left)
        return None
    new = {file: _new(folder, file, step) for file, step in entry.steps.items()}
    whole = all(new[file] or not step.digest for file, step in entry.steps.items())
    for step in entry.steps.values():
        if step.staged is not None:
            folder.remove(step.staged)
    folder.sync()
    journals.remove(name)
    return Overtaken(entry.place, new) if whole and any(new.values()) else None


def _put(folder: Folder, journals: Folder, name: str, steps: Mapping[str, Step]) -> None:
    for file, step in steps.items():
        if step.staged is not None:
            folder.move(step.staged, file)
        elif step.digest is None:
            folder.remove(file)
    folder.sync()
    journals.remove(name)  # need not last: what is done already is found to be


def _possible(folder: Folder, file: str, step: Step) -> bool:
    """Tell whether a step is done, or can be: nobody else has written the file since."""
    found = _digest(folder.read(file))
    if found == step.digest:
        return True
    waits = step.staged is None or _digest(folder.read(step.staged)) == step.digest
    return waits and found == step.before


def _new(folder: Folder, file: str, step: Step) -> bytes | None:
    """Return what a step makes of its file; `None` also where that is nowhere."""
    for name in (step.staged, file):  # it may be renamed in between
        content = folder.read(name) if name else None
        if content is not None and _digest(content) == step.digest:
            return content
    return None


def decided(folder: Folder, entry: Entry, files: Iterable[str]) -> dict[str, bytes | None] | None:
    """Read files as a journal has decided them; `None` where another has written them since."""
    if not all(
        _digest(folder.read(file)) in (step.before, step.digest)
        for file, step in entry.steps.items()
    ):
        return None
    contents: dict[str, bytes | None] = {}
    for file in files:
        step = entry.steps.get(file)
        contents[file] = _new(folder, file, step) if step else folder.read(file)
        if step and step.digest is not None and contents[file] is None:
            return None
    return contents


def _digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()
