"""Accounts with their keys, in the folder at `path`; `FileStore` says what each function does."""

from __future__ import annotations

import os
from dataclasses import replace

from pylego._errors import StorageError
from pylego.storage import _archives, _contents, _layout
from pylego.storage import _notes as notes
from pylego.storage._batch import Batch
from pylego.storage._places import visiting
from pylego.storage._reader import reading
from pylego.storage._recovery import account_places, replacing

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    from pylego._models import Account

PENDING_KEYS = (*_layout.OURS, "accounts")


def every(path: str) -> list[tuple[str, str]]:
    found, broken = readable(path)
    for error in broken.values():
        raise error
    return found


def readable(path: str) -> tuple[list[tuple[str, str]], dict[tuple[str, ...], StorageError]]:
    """List the accounts, and the folders of those that cannot be read, with the reason."""
    with visiting(path) as store:
        places = account_places(store)
    found: list[tuple[str, str]] = []
    broken: dict[tuple[str, ...], StorageError] = {}
    for place in places:
        try:
            directory = _server(path, place)
        except StorageError as error:  # noqa: PERF203 -- each by itself
            broken[place] = error
        else:
            if directory is not None:
                found.append((directory, place[-1]))
    return sorted(found), broken


def _server(path: str, place: tuple[str, ...]) -> str | None:
    with reading(path, place) as reader:
        file = reader.at(_layout.ACCOUNT)
        return reader.read(
            place[-1],
            [_layout.ACCOUNT],
            lambda files: _contents.server(path, file, files[_layout.ACCOUNT]),
        )


def load(path: str, directory: str, id: str) -> Account | None:
    place = _layout.account_place(directory, id)
    names = [_layout.ACCOUNT, id + _layout.KEY]
    with reading(path, place) as reader:
        file = reader.at(_layout.ACCOUNT)
        return reader.read(
            id,
            names,
            lambda files: _contents.account(file, directory, *(files[name] for name in names)),
        )


def save(path: str, account: Account, id: str | None) -> str:
    identity = id or account.email or _layout.NO_EMAIL
    key = identity + _layout.KEY
    place = _layout.account_place(account.directory or "", identity)
    with replacing(path, place, identity) as hold, Batch() as batch:
        folder = hold.places.make(place)
        seen = {name: folder.seen(name) for name in (_layout.ACCOUNT, key)}
        before = {name: content for name, (content, _) in seen.items()}
        fields = _known(folder.at(_layout.ACCOUNT), before[_layout.ACCOUNT], account)
        files = _layout.account_files(account, identity, fields)
        archive = None
        if before[key] not in (None, files[key]):
            archive = _archives.keep(hold.places, place, "_".join(place[1:]), before, batch)
        hold.replace(place, folder, files, seen, batch, archive)
    return identity


def _known(path: str, content: bytes | None, account: Account) -> dict[str, Any]:
    """Return what is known of the account that is there; another directory's is refused."""
    fields = _contents.known(content, path)
    if fields.get("server") not in (None, "", account.directory):
        msg = f"{path} is an account at {fields['server']}: lego's layout has one folder for all directories of a host, so give this one another ID"
        raise StorageError(msg, path=path)
    return fields


def save_pending_key(path: str, directory: str, id: str, key: str) -> None:
    notes.write(path, *_pending_key(directory, id), key.encode())


def pending_key(path: str, directory: str, id: str) -> str | None:
    content = notes.read(path, *_pending_key(directory, id))
    return None if content is None else _contents.decoded(content)


def settle_key(path: str, directory: str, id: str, *, changed: bool) -> None:
    place, name = _pending_key(directory, id)
    if changed:
        key, account = pending_key(path, directory, id), load(path, directory, id)
        if key is None or account is None:
            file = os.path.join(path, *place, name)
            msg = f"{file}: no key is pending, or there is no account that it is for"
            raise StorageError(msg, path=file)
        save(path, replace(account, key=key), id)
    notes.drop(path, place, name)


def _pending_key(directory: str, id: str) -> tuple[tuple[str, ...], str]:
    _, host, name = _layout.account_place(directory, id)
    return (*PENDING_KEYS, host), name + _layout.KEY
