"""What the imports of other clients' folders have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from pylego import _engine
from pylego._certificate import Certificate
from pylego._errors import LEGOError
from pylego._operations import CHECK_KEY

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from pylego._models import Account
    from pylego.storage._store import Store
    from pylego.storage._values import Origin


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    certificates: list[str] = field(default_factory=list[str])
    """The IDs of the certificates that are in the store now."""
    accounts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The directory URLs and IDs of the accounts that are in the store now."""
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """The paths of what is not, and why."""


def take_certificate(
    store: Store,
    imported: Imported,
    id: str,
    files: tuple[str, str],
    url: str | None,
    origin: Origin,
) -> None:
    """Save the certificate of a file with its chain and one with its key, or tell why not."""
    path, key = files
    try:
        if store.load(id) is not None:
            imported.left_out[path] = f"the store has a certificate {id} already"
            return
        certificate = Certificate.load(path, key if os.path.exists(key) else None)
        store.save(id, replace(certificate, url=url), origin=origin)
    except (LEGOError, OSError) as error:
        imported.left_out[path] = str(error)
    else:
        imported.certificates.append(id)


def take_account(store: Store, imported: Imported, path: str, id: str, account: Account) -> None:
    """Save an account, or tell why not."""
    directory = account.directory or ""
    try:
        _engine.run(_engine.Call(CHECK_KEY, {"private_key": account.key}))
        kept = store.load_account(directory, id)
        if kept is not None and kept.key != account.key:
            imported.left_out[path] = f"the store has another account {id} at {directory} already"
            return
        store.save_account(account, id)
    except LEGOError as error:
        imported.left_out[path] = str(error)
    else:
        imported.accounts.append((directory, id))


def folders(path: str) -> list[str]:
    """List the folders in a folder, sorted; none where it is missing."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except FileNotFoundError:
        return []


def text(path: str) -> str:
    """Read a text; an empty one where the file is missing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def settings(content: str) -> dict[str, str]:
    """Read lines of `name = value` or `name='value'`, whatever sections they are in."""
    found: dict[str, str] = {}
    for line in content.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            found[name.strip()] = value.strip().strip("'\"")
    return found
