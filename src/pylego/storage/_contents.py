"""What the contents of a store's files are as values; a StorageError where they do not belong together."""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import replace

from pylego._certificate import Certificate
from pylego._errors import InvalidRequest, StorageError
from pylego.storage import _layout
from pylego.storage._values import StoredText

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    from pylego._models import Account

END_CERTIFICATE = b"-----END CERTIFICATE-----"


def certificate(
    path: str, text: bytes | None, issuer: bytes | None, key: bytes | None, resource: bytes | None
) -> Certificate | None:
    """Return the certificate of a .crt and the files beside it; `path` is the .crt's."""
    if text is None:
        return None
    leaf, chain, bundle = _layout.parted(decoded(text), decoded(issuer))
    try:
        loaded = Certificate.load(leaf + chain, None if key is None else decoded(key))
    except (InvalidRequest, OSError) as error:  # OSError: an empty text is taken for a path
        msg = f"{path} and the files beside it do not belong together: {error}"
        raise StorageError(msg, path=path) from error
    beside = path.removesuffix(_layout.CERTIFICATE) + _layout.RESOURCE
    fields: dict[str, Any] = {} if resource is None else _layout.fields_of(resource, beside)
    order: dict[str, int] = {name: place for place, name in enumerate(_layout.names_in(fields))}
    identifiers = sorted(loaded.identifiers, key=lambda each: order.get(each.value, -1))
    return replace(
        loaded,
        identifiers=tuple(identifiers),  # a CA may have shuffled them
        bundle=bundle,
        url=_layout.text_in(fields, "certUrl"),
        order_url=_layout.order_url_of(fields),
    )


def text(path: str, id: str, crt: bytes | None, resource: bytes | None) -> StoredText | None:
    """Return the text of a .crt with what the .json beside it tells, its ID by default; `path` is the .json's."""
    if crt is None or resource is None:
        return None
    if not crt.rstrip().endswith(END_CERTIFICATE):
        msg = f"the certificate beside {path} is not whole"
        raise StorageError(msg, path=path)
    fields = _layout.fields_of(resource, path)
    return StoredText(
        id=_layout.text_in(fields, "id") or id,
        fullchain=decoded(crt),
        names=_layout.names_in(fields),
        origin=_layout.origin_of(fields),
        order_url=_layout.order_url_of(fields),
    )


def account(path: str, directory: str, content: bytes | None, key: bytes | None) -> Account | None:
    """Return the account of an account.json, whose path is `path`, and the key beside it."""
    if content is None:
        return None if key is None else _layout.account_of({"server": directory}, decoded(key))
    fields = _layout.fields_of(content, path)
    if _layout.text_in(fields, "server") not in (None, directory):
        return None  # another directory of the same host
    if key is None:
        _refuse_lego_4(fields, path)
        msg = f"{path} is there, but not the account's key"
        raise StorageError(msg, path=path)
    return _layout.account_of({**fields, "server": directory}, decoded(key))


def server(root: str, path: str, content: bytes | None) -> str | None:
    """Return the directory's URL of an account.json below `root`; `None` where there is no such file."""
    if content is None:
        return None
    fields = _layout.fields_of(content, path)
    url = _layout.text_in(fields, "server")
    if url is None:  # lego migrates accounts of CAs that it does not know without it
        _refuse_lego_4(fields, path)
        folder = os.path.dirname(path)
        identity = os.path.basename(folder)
        key = os.path.join(folder, identity + _layout.KEY)
        known = shlex.join(("--path", root, "--account-id", identity, "--private-key", key))
        msg = f"{path} does not say at which CA it is: `pylego accounts recover --server URL {known}` does"
        raise StorageError(msg, path=path)
    return url


def _refuse_lego_4(fields: dict[str, Any], path: str) -> None:
    """Refuse an account.json of lego 4's: it has its key elsewhere, and other fields."""
    if not {"server", "origin"} & fields.keys():
        msg = (
            f"{path} is as lego 4 has left it: `pylego migrate` makes lego 5's layout of the folder"
        )
        raise StorageError(msg, path=path)


def known(content: bytes | None, path: str) -> dict[str, Any]:
    """Read the JSON of what is to be replaced: half of one, as a crash of lego's leaves it, is none."""
    with contextlib.suppress(StorageError):
        return {} if content is None else _layout.fields_of(content, path)
    return {}


def decoded(content: bytes | None) -> str:
    """Return text, whatever the bytes are: what is no PEM is found out later."""
    return "" if content is None else content.decode("utf-8", "replace")
