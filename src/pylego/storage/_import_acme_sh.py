"""Takes over what acme.sh keeps in ~/.acme.sh."""

from __future__ import annotations

import base64
import binascii
import os
from urllib.parse import urlsplit

from pylego._errors import StorageError
from pylego._models import Account
from pylego.storage._imported import (
    Imported,
    folders,
    settings,
    take_account,
    take_certificate,
    text,
)
from pylego.storage._layout import NO_EMAIL
from pylego.storage._values import Origin

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pylego.storage._store import Store

OF_CURVE = "_ecc"
"""Ends the name of a folder whose key is on a curve."""
WRAPPED = "__ACME_BASE64__START_", "__ACME_BASE64__END_"
"""Around a value that acme.sh has encoded."""


def import_acme_sh(store: Store, folder: str | os.PathLike[str] = "~/.acme.sh") -> Imported:
    """Copy certificates and accounts of acme.sh's into a store; acme.sh's stay as they are.

    A certificate has the ID of its first name; where there are two, of RSA and of a
    curve, each that of its folder. An account has its email address as ID, as with
    lego. How names were validated is to be configured anew.

    Args:
        store: where they go; what is there already is left as it is.
        folder: acme.sh's `--config-home`.

    Returns:
        What was copied, and what not, and why.

    Raises:
        StorageError: the folder has neither certificates nor accounts of acme.sh's.
    """
    root = os.path.abspath(os.path.expanduser(folder))
    found = dict(_certificates(root))
    if not found and not os.path.isdir(os.path.join(root, "ca")):
        msg = f"{root} is no folder of acme.sh's: it has neither certificates nor `ca`"
        raise StorageError(msg, path=root)
    imported = Imported()
    everywhere = _settings(os.path.join(root, "account.conf"))
    directories: dict[str, str] = {}
    emails: dict[str, str] = {}
    for known in found.values():
        url = known.get("Le_API", "")
        directories[_place(url)] = url
    for path, place in _accounts(root):
        ours = _settings(os.path.join(path, "ca.conf"))
        email = ours.get("CA_EMAIL") or everywhere.get("ACCOUNT_EMAIL")
        emails[place] = email or NO_EMAIL
        account = Account(
            key=text(os.path.join(path, "account.key")),
            url=ours.get("ACCOUNT_URL") or None,
            directory=directories.get(place) or f"https://{place}",
            email=email or None,
        )
        take_account(store, imported, path, emails[place], account)
    for name, known in found.items():
        domain, url = known["Le_Domain"], known.get("Le_API", "")
        origin = Origin(
            directory=url or None,
            account=emails.get(_place(url)),
            profile=known.get("Le_Certificate_Profile") or None,
            preferred_chain=known.get("Le_Preferred_Chain") or None,
        )
        both = {domain, domain + OF_CURVE} <= found.keys()
        path = os.path.join(root, name)
        files = os.path.join(path, "fullchain.cer"), os.path.join(path, f"{domain}.key")
        take_certificate(
            store,
            imported,
            name if both else domain,
            files,
            known.get("Le_LinkCert") or None,
            origin,
        )
    return imported


def _certificates(root: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the folders of certificates with what acme.sh has noted of them."""
    for name in folders(root):
        domain = name.removesuffix(OF_CURVE)
        known = _settings(os.path.join(root, name, f"{domain}.conf"))
        if "Le_Domain" in known:
            yield name, known


def _accounts(root: str) -> Iterator[tuple[str, str]]:
    """Yield the folders of accounts with their places: the host and path of a directory's URL."""
    top = os.path.join(root, "ca")
    for folder, _, files in sorted(os.walk(top)):  # which follows no links
        if "account.key" in files:
            yield folder, os.path.relpath(folder, top).replace(os.sep, "/")


def _place(url: str) -> str:
    """Return the folder of a directory's account: its URL without scheme and port."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}".rstrip("/")


def _settings(path: str) -> dict[str, str]:
    return {name: _unwrapped(value) for name, value in settings(text(path)).items()}


def _unwrapped(value: str) -> str:
    start, end = WRAPPED
    if not (value.startswith(start) and value.endswith(end)):
        return value
    try:
        return base64.b64decode(value[len(start) : -len(end)]).decode("utf-8", "replace")
    except binascii.Error:
        return value
