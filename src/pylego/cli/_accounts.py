"""`pylego accounts`: those of the store, and what the CA keeps of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli._certificates import show_unreadable
from pylego.cli._frame import DONE, FAILED, Outcome, WrongUse, command, group, none, option
from pylego.cli._options import CA
from pylego.cli._place import (
    Holder,
    Place,
    account_lock,
    account_made,
    account_there,
    directory_of,
    is_new,
    key_in,
    key_type_of,
    known_account,
    new_key,
    settle,
)
from pylego.cli._plan import DryRun, show_steps, step
from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from pylego._errors import LEGOError
    from pylego._models import Account
    from pylego.storage import FileStore

app = group(
    "The accounts of the store.\n\n--server, and --email or --account-id, choose one of them."
)

KeyType = Annotated[
    str,
    option(
        "--key-type",
        "-k",
        callback=key_type_of,
        about="The type of its key: EC256, EC384, RSA2048, RSA3072, RSA4096 or RSA8192.",
        metavar="TYPE",
    ),
]


@command(app, "list")
def list_(place: Place) -> Outcome:
    """List the accounts. Nobody is asked."""
    store = place.store()
    told, unreadable = _all(store)
    return Outcome(
        {"accounts": told, "unreadable": unreadable},
        lambda console: _list(console, store.folder, told, unreadable),
        FAILED if unreadable else DONE,
    )


def _all(store: FileStore) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Describe all accounts; those that cannot be read, by their folders, with the reason."""
    from pylego._errors import LEGOError
    from pylego.storage import _accounts, _layout

    found, broken = _accounts.readable(store.folder)
    unreadable = {"/".join(place[1:]): str(error) for place, error in broken.items()}
    told: list[dict[str, Any]] = []
    for directory, id in found:
        try:
            account = store.load_account(directory, id)
            if account is not None:
                told.append(described(store, account, id))
        except LEGOError as error:  # noqa: PERF203 -- each by itself
            unreadable["/".join(_layout.account_place(directory, id)[1:])] = str(error)
    return told, unreadable


@command(app)
def register(
    place: Place, ca: CA, holder: Holder, key_type: KeyType = "EC256", dry_run: DryRun = False
) -> Outcome:
    """Make an account and keep it; one that is there stays."""
    store, id = place.store(), holder.id(ca)
    ca.check_binding(new=is_new(store, directory_of(ca), id))
    if dry_run:
        return _registration(store, ca, id, key_type)
    return _told(store, account_made(store, ca, id, key_type), id)


@command(app)
def recover(
    place: Place,
    ca: CA,
    holder: Holder,
    private_key: Annotated[Path, option("--private-key", about="A file with the account's key.")],
    dry_run: DryRun = False,
) -> Outcome:
    """Find the account that the CA has for a key, and keep it."""
    from pylego._models import Account

    store, id = place.store(), holder.id(ca)
    if dry_run:
        account = Account(key=key_in(private_key), directory=directory_of(ca))
        asked = step(directory_of(ca), f"which account has the key of {private_key}")
        return _planned(store, account, id, asked, step(store.folder, f"to keep it as {id}"))
    with store.lock(account_lock(directory_of(ca), id)):
        account = ca.client(account=Account(key=key_in(private_key))).recover()
        store.save_account(account, id)
    return _told(store, account, id)


@command(app)
def update(
    place: Place,
    ca: CA,
    holder: Holder,
    new_email: Annotated[
        str | None, typer.Option(help="Where the CA may write to from now on.")
    ] = None,
    no_email: Annotated[
        bool, typer.Option("--no-email", help="The CA shall have no address.")
    ] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Change where the CA may write to; the account's name in the store stays."""
    if bool(new_email) is no_email:
        raise WrongUse("give either --new-email or --no-email")
    store, id = place.store(), holder.id(ca)
    if dry_run:
        account, address = known_account(store, ca, id), new_email or "no address"
        asked = step(account.directory, f"to write to {address} about {account.url}")
        return _planned(store, account, id, asked, step(store.folder, "to keep that"))
    account = account_there(store, ca, id)
    with store.lock(account_lock(directory_of(ca), id)):
        account = ca.client(account=account).update_account(email=new_email)
        store.save_account(account, id)
    return _told(store, account, id)


@command(app)
def rollover(
    place: Place,
    ca: CA,
    holder: Holder,
    private_key: Annotated[
        Path | None, option("--private-key", about="A file with the new key, instead of one made.")
    ] = None,
    key_type: KeyType = "EC256",
    dry_run: DryRun = False,
) -> Outcome:
    """Give the account another key.

    The new one is kept before the CA is told of it. Where that was cut off, the CA is asked
    which one it has, and the change is brought to its end.
    """
    store, id = place.store(), holder.id(ca)
    directory = directory_of(ca)
    if dry_run:
        return _rollover(store, known_account(store, ca, id), id, private_key, key_type)
    with store.lock(account_lock(directory_of(ca), id)):
        if not settle(store, ca, id):
            account = known_account(store, ca, id)
            key = new_key(key_type) if private_key is None else key_in(private_key)
            store.save_pending_key(directory, id, key)
            _roll(store, ca, id, account, key)
        account = known_account(store, ca, id)
    return _told(store, account, id)


def _roll(store: FileStore, ca: CA, id: str, account: Account, key: str) -> None:
    from pylego._errors import InvalidRequest, LEGOError

    directory = directory_of(ca)
    try:
        account = ca.client(account=account).rollover(new_key=key)
    except InvalidRequest:  # nothing was sent
        store.settle_key(directory, id, changed=False)
        raise
    except LEGOError as error:  # which does not tell which key it has: an answer may have been lost
        if not _settled(store, ca, id, error):
            raise
        return
    store.save_account(account, id)
    store.settle_key(directory, id, changed=False)  # the account has it


def _settled(store: FileStore, ca: CA, id: str, failure: LEGOError) -> bool | None:
    """Ask the CA which key it has after a failure; where it does not say either, both are kept."""
    from pylego._errors import AccountError, LEGOError

    try:
        return settle(store, ca, id)
    except LEGOError as error:
        msg = f"{error.detail}; whether the CA has the new key is not known: both are kept, and the next command asks it"
        raise AccountError(msg, code=error.code, info=error.info) from failure


@command(app)
def deactivate(
    place: Place,
    ca: CA,
    holder: Holder,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """End the account at the CA, for good. Its certificates stay valid."""
    store, id = place.store(), holder.id(ca)
    if dry_run:
        account = known_account(store, ca, id)
        asked = step(account.directory, f"to end {account.url} for good")
        return _planned(store, account, id, asked, step(store.folder, "to keep that"))
    account = account_there(store, ca, id)
    if not yes and not _confirmed(f"End the account {id} at {directory_of(ca)} for good?"):
        told = {**described(store, account, id), "plan": None}
        return Outcome(told, lambda console: console.print("nothing was done"), FAILED)
    with store.lock(account_lock(directory_of(ca), id)):
        account = replace(account, status=ca.client(account=account).deactivate_account().status)
        store.save_account(account, id)
    return _told(store, account, id)


def _confirmed(question: str) -> bool:
    import sys

    if not sys.stdin.isatty():
        raise WrongUse("nobody is there to be asked: --yes says that it is meant")
    return typer.confirm(question, err=True)


def _registration(store: FileStore, ca: CA, id: str, key_type: str) -> Outcome:
    """Say what an account that is to be made would take."""
    from pylego._models import Account

    directory = directory_of(ca)
    there = store.load_account(directory, id)
    if there is not None and there.url is not None:
        return _planned(store, there, id)
    account = there or Account(key=None, directory=directory, email=ca.email)
    kept = step(store.folder, f"to keep a new key, {key_type}") if there is None else None
    bound = f", bound to the external account {ca.eab_kid}" if ca.eab_kid else ""
    terms = "" if ca.accept_tos else "; its terms are not accepted yet: --accept-tos does"
    asked = step(
        directory, f"to register {ca.email or 'an account without an address'}{bound}{terms}"
    )
    steps = [each for each in (kept, asked, step(store.folder, f"to keep it as {id}")) if each]
    return _planned(store, account, id, *steps)


def _rollover(
    store: FileStore, account: Account, id: str, private_key: Path | None, key_type: str
) -> Outcome:
    """Say what another key would take, or one whose change was cut off."""
    directory = account.directory or ""
    if store.pending_key(directory, id) is not None:
        asked = step(directory, f"whether {account.url} has the new key already")
        return _planned(
            store, account, id, asked, step(store.folder, "to keep the one that it has")
        )
    key = f"a new key, {key_type}"
    if private_key is not None:
        key_in(private_key)  # which may be missing
        key = f"the key of {private_key}"
    return _planned(
        store,
        account,
        id,
        step(store.folder, f"to keep {key} as one that is to come"),
        step(directory, f"to give {account.url} that key"),
        step(store.folder, "to keep it as the account's"),
    )


def described(store: FileStore, account: Account, id: str) -> dict[str, Any]:
    """Describe an account for a program, without its key."""
    from pylego.storage import _layout

    directory = account.directory or ""
    return {
        "id": id,
        "ca": directory,
        "email": account.email,
        "url": account.url,
        "status": account.status,
        "key_type": _layout.key_type(account.key or "") or None,
        "key_change_pending": store.pending_key(directory, id) is not None,
        "path": str(Path(store.folder, *_layout.account_place(directory, id), _layout.ACCOUNT)),
    }


def _planned(store: FileStore, account: Account, id: str, *steps: dict[str, str]) -> Outcome:
    told = {**described(store, account, id), "plan": [*steps]}
    return Outcome(told, lambda console: show_steps(console, steps))


def _told(store: FileStore, account: Account, id: str) -> Outcome:
    told: dict[str, Any] = {**described(store, account, id), "plan": None}
    rows = [
        ("account", id),
        ("CA", told["ca"]),
        ("URL", told["url"] or ""),
        ("email", told["email"] or ""),
        ("status", told["status"] or ""),
        ("key", told["key_type"] or ""),
        ("file", told["path"]),
    ]
    shown = [row for row in rows if row[1]]
    return Outcome(told, lambda console: console.print(Table(("", ""), shown)))


def _list(
    console: Console, folder: str, told: Sequence[Mapping[str, Any]], unreadable: Mapping[str, str]
) -> None:
    if not told and not unreadable:
        none(console, folder, "account")
        return
    rows = [
        (each["id"], each["ca"], each["status"] or "", each["key_type"] or "", each["path"])
        for each in told
    ]
    if rows:
        console.print(Table(("ID", "CA", "status", "key", "file"), rows))
    show_unreadable(console, unreadable)
