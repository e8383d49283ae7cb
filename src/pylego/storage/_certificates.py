"""Certificates with their chains and keys, in the folder at `path`; `FileStore` says what each function does."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

from pylego._errors import StorageError
from pylego.storage import _archives, _contents, _layout
from pylego.storage import _notes as notes
from pylego.storage._batch import Batch
from pylego.storage._places import visiting
from pylego.storage._reader import reading
from pylego.storage._recovery import replacing

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pylego._certificate import Certificate
    from pylego.storage._folder import Folder
    from pylego.storage._journal import Seen
    from pylego.storage._reader import Files, Reader
    from pylego.storage._values import Origin, StoredText

log = logging.getLogger("pylego")


@dataclass(frozen=True)
class Copies:
    """The files for servers that are wanted beside lego's."""

    pem: bool
    pfx_password: str | None
    pfx_format: str

    def of(self, folder: Folder, stem: str, certificate: Certificate, before: Files) -> Files:
        """Return the .pem and .pfx, where they are wanted or there; neither can be without a key."""
        crt, pem, pfx = (stem + each for each in (_layout.CERTIFICATE, _layout.PEM, _layout.PFX))
        copies: Files = {}
        key = certificate.private_key
        if key is None:
            copies = {name: None for name in (pem, pfx) if before[name] is not None}
            for name in copies:
                log.warning("%s was removed: the new certificate has no key", folder.at(name))
            return copies
        if self.pem or before[pem] is not None:
            copies[pem] = (certificate.fullchain + key).encode()
        if self.pfx_password is not None:
            copies[pfx] = certificate.pkcs12(self.pfx_password, self.pfx_format)
        elif before[pfx] is not None and before[crt] != certificate.fullchain.encode():
            raise _without_password(folder.at(pfx))
        return copies


def _without_password(pfx: str) -> StorageError:
    msg = f"{pfx} would be left with an older certificate: give the password for a new one (pfx_password=; --pfx on the command line), or remove the file"
    return StorageError(msg, path=pfx)


def ids(path: str) -> list[str]:
    with reading(path, _layout.CERTIFICATES) as reader:
        found = {stem: _text(reader, stem, stem) for stem in reader.stems(_layout.RESOURCE)}
    return sorted(text.id if text else stem for stem, text in found.items())


def load(path: str, id: str) -> Certificate | None:
    stem = _layout.safe_name(id)
    with reading(path, _layout.CERTIFICATES) as reader:
        crt = reader.at(stem + _layout.CERTIFICATE)
        names = [stem + extension for extension in _layout.READ]
        return reader.read(
            stem, names, lambda files: _contents.certificate(crt, *(files[name] for name in names))
        )


def texts(path: str, ids: Iterable[str] | None) -> dict[str, StoredText]:
    stems = None if ids is None else {each: _layout.safe_name(each) for each in ids}
    with reading(path, _layout.CERTIFICATES) as reader:
        if stems is None:
            stems = {stem: stem for stem in reader.stems(_layout.RESOURCE)}
        found = [_text(reader, stem, each) for each, stem in stems.items()]
    return {text.id: text for text in found if text is not None}


def _text(reader: Reader, stem: str, id: str) -> StoredText | None:
    """Read a text, whose ID is this one where its .json does not tell it, as lego 4's does not."""
    names = [stem + _layout.CERTIFICATE, stem + _layout.RESOURCE]
    with contextlib.suppress(StorageError):
        return reader.read(
            stem,
            names,
            lambda files: _contents.text(reader.at(names[1]), id, *(files[name] for name in names)),
        )
    return None


def check_copies(path: str, id: str, copies: Copies) -> None:
    pfx = _layout.safe_name(id) + _layout.PFX
    if copies.pfx_password is not None:
        return
    with visiting(path) as places:
        folder = places.find(_layout.CERTIFICATES)
        if folder is not None and folder.identity(pfx) is not None:
            raise _without_password(folder.at(pfx))


def save(path: str, id: str, certificate: Certificate, origin: Origin, copies: Copies) -> None:
    place, stem = _layout.CERTIFICATES, _layout.safe_name(id)
    written = _layout.certificate_files(id, certificate, origin)
    files = {stem + extension: content for extension, content in written.items()}
    crt = stem + _layout.CERTIFICATE
    with replacing(path, place, stem) as hold, Batch() as batch:
        folder = hold.places.make(place)
        seen, before = _before(folder, id, stem)
        files |= copies.of(folder, stem, certificate, before)
        archive = None
        if before[crt] not in (None, files[crt]):
            archive = _archives.keep(hold.places, place, stem, before, batch)
        hold.replace(place, folder, files, seen, batch, archive)


def remove(path: str, id: str) -> None:
    place, stem = _layout.CERTIFICATES, _layout.safe_name(id)
    with replacing(path, place, stem) as hold, Batch() as batch:
        folder = hold.places.make(place)
        seen, before = _before(folder, id, stem)
        there = [name for name, content in before.items() if content is not None]
        if there:
            archive = _archives.keep(hold.places, place, stem, before, batch)
            hold.replace(place, folder, dict.fromkeys(there), seen, batch, archive)
        notes.drop(path, notes.STATE, notes.file_of(id))


def _before(folder: Folder, id: str, stem: str) -> tuple[Seen, Files]:
    """Read what is there; another's whose name has the same file name is refused."""
    seen = {stem + extension: folder.seen(stem + extension) for extension in _layout.EXTENSIONS}
    path = folder.at(stem + _layout.RESOURCE)
    other = _layout.text_in(_contents.known(seen[stem + _layout.RESOURCE][0], path), "id")
    if other not in (None, id):
        msg = f"{path} is of the certificate {other!r}: {id!r} has the same file name in lego's layout"
        raise StorageError(msg, path=path)
    return seen, {name: content for name, (content, _) in seen.items()}
