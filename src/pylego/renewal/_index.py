"""What was read of many certificates, kept in one note: who comes next looks at thousands without reading them.

As in git's index an entry counts as long as the store has the same files. It holds nothing
that is not in them, too: an index that is not whole, or not of this version, is made anew.
"""

from __future__ import annotations

import json
import logging
import zlib
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from pylego._errors import StorageError
from pylego.renewal._books import state_of
from pylego.renewal._leaf import Leaf, Reading, leaves_of, reading_of
from pylego.renewal._saved import object_of
from pylego.storage import Origin

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pylego.storage import Store, StoredText

    Entries = dict[str, Any]

NAME = "index@certificates"
"""The name of its state; no certificate is named so."""

FORMAT = 1
"""Of the entries."""

FEW = 100
"""So many certificates are read as quickly as an index."""

PART = 20
"""It is written anew where more than such a part of what was looked at had to be read: that
takes as long as reading so many."""

READERS, TOGETHER = 4, 250
"""So many read at once, each so many certificates: one waits for the disk, another for the engine."""

log = logging.getLogger("pylego")


class Known(NamedTuple):
    """A certificate and its state, as the store has them."""

    reading: Reading | None
    """`None` where there is none."""
    state: dict[str, Any]


class Index:
    """The index of a store."""

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self._store = store
        self._leaves: dict[bytes, Leaf] = {}
        """Those that the last look has read itself, by their texts, for who attends to one next."""

    def reading(self, text: StoredText) -> Reading:
        """Read the text of one certificate."""
        leaf = self._leaves.pop(_digest(text), None)
        return reading_of(text, leaf or leaves_of({text.id: text.fullchain}).get(text.id))

    def look(self, ids: list[str], *, keep: bool) -> dict[str, Known]:
        """Return certificates as they are now, of which those are read that the index does not have so.

        Args:
            ids: the certificates' IDs.
            keep: whether the index is kept for who comes next.

        Raises:
            LEGOError: one cannot be read.
        """
        self._leaves.clear()
        if len(ids) < FEW:
            return self._read(ids)
        stamps = self._store.stamps(ids)
        try:
            entries = _unpacked(state_of(self._store, NAME))
            same = _same(entries, stamps)
            known = {name: _known(*fields) for name, (_, *fields) in same.items()}
        except (LookupError, TypeError, ValueError, zlib.error):
            entries, known = {}, {}
        read = self._read([name for name in ids if name not in known])
        if keep and len(read) > len(ids) / PART:
            others = {name: entry for name, entry in entries.items() if name not in stamps}
            self._save(others, stamps, known | read)
        return known | read

    def _read(self, ids: list[str]) -> dict[str, Known]:
        if len(ids) <= TOGETHER:
            return self._read_some(ids)
        parts = [ids[begin : begin + TOGETHER] for begin in range(0, len(ids), TOGETHER)]
        known: dict[str, Known] = {}
        with ThreadPoolExecutor(READERS, "pylego-reading") as pool:
            for part in pool.map(self._read_some, parts):
                known |= part
        return known

    def _read_some(self, ids: list[str]) -> dict[str, Known]:
        texts, states = self._store.texts(ids), self._store.states(ids)
        leaves = leaves_of({name: text.fullchain for name, text in texts.items()})
        self._leaves |= {_digest(texts[name]): leaf for name, leaf in leaves.items()}
        readings = {name: reading_of(text, leaves.get(name)) for name, text in texts.items()}
        return {name: Known(readings.get(name), states.get(name, {})) for name in ids}

    def _save(self, others: Entries, stamps: dict[str, str], known: dict[str, Known]) -> None:
        entries = _same(others, self._store.stamps(others))
        for name, stamp in stamps.items():
            entry = _entry(stamp, *known[name])
            if entry is not None:
                entries[name] = entry
        try:
            self._store.save_state(NAME, _packed(entries))
        except StorageError as error:
            log.info("the next look at the certificates reads all of them: %s", error)


def _digest(text: StoredText) -> bytes:
    return sha256(text.fullchain.encode()).digest()


def _same(entries: Entries, stamps: dict[str, str]) -> Entries:
    return {name: entry for name, entry in entries.items() if entry[0] == stamps.get(name)}


def _packed(entries: Entries) -> dict[str, Any]:
    """Pack entries: a fifth is left, and what is damaged shows when it is unpacked."""
    text = json.dumps({"format": FORMAT, "entries": entries})
    return {"packed": b64encode(zlib.compress(text.encode(), 1)).decode()}


def _unpacked(state: dict[str, Any]) -> Entries:
    if not state:
        return {}
    fields = json.loads(zlib.decompress(b64decode(state["packed"])))
    return object_of(fields["entries"]) if fields["format"] == FORMAT else {}


def _entry(stamp: str, reading: Reading | None, state: dict[str, Any]) -> list[Any] | None:
    if reading is None or reading.leaf is None:
        return None
    leaf, origin = reading.leaf, reading.origin
    moments = leaf.not_before.isoformat(), leaf.not_after.isoformat()
    return [stamp, leaf.serial, *moments, reading.names, vars(origin), state]


def _known(
    serial: str,
    not_before: str,
    not_after: str,
    names: Iterable[str],
    origin: dict[str, Any],
    state: dict[str, Any],
) -> Known:
    moments = datetime.fromisoformat(not_before), datetime.fromisoformat(not_after)
    return Known(Reading(tuple(names), Origin(**origin), Leaf(serial, *moments)), state)
