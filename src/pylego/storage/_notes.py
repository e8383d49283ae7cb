"""Single files in folders of ours, in the folder at `path`: pending orders, renewal state, pending keys."""

from __future__ import annotations

import json
import os

from pylego._errors import InvalidRequest, StorageError
from pylego.storage import _layout
from pylego.storage._places import visiting
from pylego.storage._values import Pending

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

STATE = (*_layout.OURS, "state")
PENDING = (*_layout.OURS, "pending")


def pending(path: str, id: str) -> Pending | None:
    fields = _object(path, PENDING, id)
    try:
        return Pending(**fields) if fields else None
    except TypeError:
        file = os.path.join(path, *PENDING, file_of(id))
        msg = f"{file} is no pending order of this version of pylego"
        raise StorageError(msg, path=file) from None


def save_pending(path: str, id: str, pending: Pending) -> None:
    write(path, PENDING, file_of(id), json.dumps(vars(pending)).encode())


def drop_pending(path: str, id: str) -> None:
    # After a crash it may be there again: the certificate that is kept tells that its order
    # is done, or the CA that it has failed.
    drop(path, PENDING, file_of(id), lasting=False)


def state(path: str, id: str) -> dict[str, Any]:
    return _object(path, STATE, id)


def states(path: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    files = {each: file_of(each) for each in ids}
    with visiting(path) as places:
        folder = places.find(STATE)
        if folder is None:
            return {}
        contents = {each: folder.read(name) for each, name in files.items()}
        return {
            each: _layout.fields_of(content, folder.at(files[each]))
            for each, content in contents.items()
            if content is not None
        }


def save_state(path: str, id: str, state: dict[str, Any]) -> None:
    try:
        content = json.dumps(state).encode()
    except (TypeError, ValueError) as error:
        msg = f"the state of {id} cannot be written as JSON: {error}"
        raise InvalidRequest(msg) from error
    write(path, STATE, file_of(id), content)


def file_of(id: str) -> str:
    return _layout.safe_name(id) + ".json"


def write(path: str, place: tuple[str, ...], name: str, content: bytes) -> None:
    with visiting(path) as places:
        places.make(place).write(name, content)


def read(path: str, place: tuple[str, ...], name: str) -> bytes | None:
    with visiting(path) as places:
        folder = places.find(place)
        return None if folder is None else folder.read(name)


def drop(path: str, place: tuple[str, ...], name: str, *, lasting: bool = True) -> None:
    with visiting(path) as places:
        folder = places.find(place)
        if folder is not None:
            folder.remove(name)
            if lasting:
                folder.sync()


def _object(path: str, place: tuple[str, ...], id: str) -> dict[str, Any]:
    content = read(path, place, file_of(id))
    if content is None:
        return {}
    return _layout.fields_of(content, os.path.join(path, *place, file_of(id)))
