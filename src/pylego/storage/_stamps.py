"""Which files are there, without reading them; `FileStore.stamps` says what for."""

from __future__ import annotations

import time

from pylego.storage import _journal, _layout
from pylego.storage._notes import STATE
from pylego.storage._places import visiting

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pylego.storage._folder import Folder

STILL = 2.0
"""Seconds for which a file has stayed as it is: systems count time in steps, and who writes
into one twice in the same step may leave the same size and moment."""


def stamps(path: str, ids: Iterable[str]) -> dict[str, str]:
    stems = {each: _layout.safe_name(each) for each in ids}
    before = int((time.time() - STILL) * 1e9)
    with visiting(path) as places:
        folder = places.find(_layout.CERTIFICATES)
        if folder is None:
            return {}
        states = places.find(STATE)
        told = {each: _stamp(stem, folder, states, before) for each, stem in stems.items()}
        under_way = set(_journal.under_way(places))
    if under_way:  # what they are to become is in the journal
        for each, stem in stems.items():
            if _journal.key(_layout.CERTIFICATES, stem) in under_way:
                told[each] = None
    return {each: stamp for each, stamp in told.items() if stamp is not None}


def _stamp(stem: str, folder: Folder, states: Folder | None, before: int) -> str | None:
    crt = folder.identity(stem + _layout.CERTIFICATE)
    resource = folder.identity(stem + _layout.RESOURCE)
    state = None if states is None else states.identity(stem + _layout.RESOURCE)
    if crt is None or resource is None:
        return None
    there = (crt, resource) if state is None else (crt, resource, state)
    if any(file.modified >= before or file.changed >= before for file in there):
        return None
    return " ".join([f"{inode}:{size}:{mtime}:{ctime}" for inode, size, mtime, ctime in there])
