"""`pylego migrate`: into the store, from a folder of lego 4, of certbot or of acme.sh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli._frame import DONE, FAILED, PARTLY_FAILED, Outcome, WrongUse, option
from pylego.cli._place import Place
from pylego.cli._plan import DryRun, show_steps, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from pylego._certificate import Certificate
    from pylego._models import Account
    from pylego.storage import FileStore, Imported

LEGO, CERTBOT, ACME_SH = "lego", "certbot", "acme.sh"
CLIENTS = (LEGO, CERTBOT, ACME_SH)


def migrate(
    place: Place,
    client: Annotated[
        str, typer.Argument(metavar="CLIENT", help=f"Whose it is: {', '.join(CLIENTS)}.")
    ] = LEGO,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="certbot's --config-dir or acme.sh's --config-home; lego's own folder is --path.",
        ),
    ] = None,
    account_only: Annotated[
        bool, option("--account-only", about="Of lego 4: the accounts only.")
    ] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Take over what lego 4, certbot or acme.sh has.

    lego's folder becomes a store where it is; those of certbot and acme.sh stay as they are.
    """
    if client not in CLIENTS:
        raise WrongUse(f"CLIENT is one of {', '.join(CLIENTS)}, not {client!r}")
    if client == LEGO:
        if folder is not None:
            raise WrongUse("lego's folder becomes the store where it is: name it by --path")
        return _of_lego(place, account_only=account_only, dry_run=dry_run)
    if account_only:
        raise WrongUse("--account-only is for lego's folder")
    store = place.store()
    imported = _imported(_Unwritten(store) if dry_run else store, client, folder)
    told: dict[str, Any] = {
        "client": client,
        "certificates": imported.certificates,
        "accounts": _accounts(imported.accounts),
        "left_out": imported.left_out,
        "warnings": [],
        "plan": None,
    }
    if dry_run:
        told["plan"] = [step(store.folder, f"to keep {each}") for each in _taken(told)]
    return Outcome(told, lambda console: _show(console, told), _code(told))


class _Unwritten:
    """A store of which nothing is written: it says what would be refused."""

    def __init__(self, store: FileStore) -> None:
        self._store = store
        self._saved: dict[object, Any] = {}

    def load(self, id: str) -> Certificate | None:
        return self._saved.get(id) or self._store.load(id)

    def save(self, id: str, certificate: Certificate, **_: object) -> None:
        from pylego.storage._layout import safe_name

        self._saved[safe_name(id)] = certificate

    def load_account(self, directory: str, id: str) -> Account | None:
        return self._saved.get((directory, id)) or self._store.load_account(directory, id)

    def save_account(self, account: Account, id: str) -> None:
        from pylego.storage._layout import account_place

        account_place(account.directory or "", id)
        self._saved[account.directory, id] = account


def _imported(store: Any, client: str, folder: Path | None) -> Imported:
    from pylego.storage import import_acme_sh, import_certbot

    take = import_certbot if client == CERTBOT else import_acme_sh
    return take(store) if folder is None else take(store, folder)


def _accounts(found: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"ca": directory, "id": id} for directory, id in found]


def _code(told: Mapping[str, Any]) -> int:
    if not told["left_out"]:
        return DONE
    return PARTLY_FAILED if told["certificates"] or told["accounts"] else FAILED


def _of_lego(place: Place, *, account_only: bool, dry_run: bool) -> Outcome:
    """Have lego itself change its folder."""
    from pylego._errors import StorageError
    from pylego._lego import run_lego
    from pylego.storage import _accounts as accounts

    path = place.folder.absolute()
    if not path.is_dir():
        msg = f"{path} is no folder of lego's"
        raise StorageError(msg, path=str(path))
    told: dict[str, Any] = {"client": LEGO, "certificates": [], "accounts": [], "left_out": {}}
    told |= {"warnings": [], "plan": None}
    arguments = ["migrate", "--path", str(path), *(["--account-only"] if account_only else [])]
    if dry_run:
        told["plan"] = [step("lego", " ".join(arguments))]
        return Outcome(told, lambda console: _show(console, told))
    env = {"LEGO_LOG_FORMAT": "json", "LEGO_LOG_LEVEL": "WARN"}
    done = run_lego(*arguments, input="y\n", env=env)
    said = _records(done.stdout)
    if done.returncode:
        why = "; ".join(words for _, words, _ in said) or done.stderr.strip()
        msg = f"lego could not migrate {path}: {why}"
        raise StorageError(msg, path=str(path))
    store = place.store()
    told["certificates"] = store.certificate_ids()
    found, broken = accounts.readable(store.folder)
    told["accounts"] = _accounts(found)
    told["warnings"] = [words for level, words, _ in said if level == "WARN"]
    told["left_out"] = {file: words for level, words, file in said if level == "ERROR" and file}
    told["left_out"] |= {str(Path(path, *each)): str(error) for each, error in broken.items()}
    return Outcome(told, lambda console: _show(console, told), _code(told))


def _records(output: str) -> list[tuple[str, str, str]]:
    """Read lego's log: the level of each message, its words, and the file that it is about."""
    import json

    # Other lines are its question, and a configuration that it could not write.
    records = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [(each["level"], _words(each), each.get("filepath", "")) for each in records]


def _words(record: Mapping[str, Any]) -> str:
    about = [str(record[name]) for name in record if name not in {"time", "level", "msg"}]
    return ": ".join([record["msg"].rstrip("."), *about])


def _taken(told: Mapping[str, Any]) -> list[str]:
    accounts = (f"account {each['id']} at {each['ca']}" for each in told["accounts"])
    return [*(f"certificate {each}" for each in told["certificates"]), *accounts]


def _show(console: Console, told: Mapping[str, Any]) -> None:
    left_out = [f"left out: {path}: {why}" for path, why in told["left_out"].items()]
    lines = [*_taken(told), *(f"lego: {each}" for each in told["warnings"])]
    if told["plan"]:
        show_steps(console, told["plan"])
        lines = []
    for line in [*lines, *left_out] or ([] if told["plan"] else ["nothing was there"]):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
