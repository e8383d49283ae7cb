"""Archives of what was replaced or removed, as `lego archives list` and `restore` know them."""

from __future__ import annotations

import io
import re
import time
import zipfile

from pylego.storage._layout import cut

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pylego.storage._batch import Batch
    from pylego.storage._folder import Folder
    from pylego.storage._places import Places

ARCHIVES = "archives"

ONE_DAY = 24 * 3600
KEPT = 30 * ONE_DAY
"""Seconds for which lego keeps an archive."""

ONE = re.compile(r".+_(\d+)\.zip", re.ASCII)
"""The name of an archive; the number is when it was made, in seconds of Unix's time."""
LONGEST = 255 - len("_1234567890.zip")
"""Bytes of what comes before that; what lego restores, and where, the archive itself tells."""


def keep(
    places: Places,
    place: tuple[str, ...],
    stem: str,
    files: Mapping[str, bytes | None],
    batch: Batch | None = None,
) -> str:
    """Pack files that were in a folder; archives that are older than lego keeps them go.

    The caller holds the lock of the files: no other archive has their name.

    Args:
        places: the store's folders.
        place: the folder that the files were in, below the root; lego puts them there again.
        stem: begins the archive's name.
        files: the files, by name; those without content are none.
        batch: makes the archive's name last; by default it does when this returns.

    Returns:
        The archive's name.
    """
    stem = cut(stem, LONGEST)
    folder = places.make((ARCHIVES, place[0]))
    _clean(folder)
    when = int(time.time())
    while folder.identity(f"{stem}_{when}.zip"):
        when += 1  # lego would write over one of the same second
    folder.write(name := f"{stem}_{when}.zip", _packed(place, files), batch)
    return name


def keep_again(
    places: Places,
    place: tuple[str, ...],
    name: str,
    files: Mapping[str, bytes | None],
    batch: Batch,
) -> None:
    """Make sure of an archive whose name may not have been on the disk before a crash."""
    folder = places.make((ARCHIVES, place[0]))
    if folder.identity(name) is None:
        folder.write(name, _packed(place, files), batch)
    else:
        folder.sync(batch)


def _packed(place: tuple[str, ...], files: Mapping[str, bytes | None]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # to compress some kilobytes takes milliseconds
        archive.comment = "/".join(place).encode()
        for name, content in files.items():
            if content is not None:
                archive.writestr(name, content)
    return packed.getvalue()


_cleaned: dict[str, float] = {}
"""When which folder was cleaned last: to list thousands of archives takes its time."""


def _clean(folder: Folder) -> None:
    began = time.monotonic()
    if began - _cleaned.get(folder.path, -ONE_DAY) < ONE_DAY:
        return
    _cleaned[folder.path] = began
    for name in folder.names():
        dated = ONE.fullmatch(name)
        if dated and int(dated[1]) + KEPT < time.time():
            folder.remove(name)
