"""`pylego renew`: the certificates of the store that are due."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli import _issuing, _manager, _providers
from pylego.cli._certificates import CertName, IDs
from pylego.cli._frame import (
    DONE,
    FAILED,
    NOTHING_DUE,
    PARTLY_FAILED,
    Context,
    Outcome,
    WrongUse,
    none,
    refuse_beside_config,
    say,
    typed,
)
from pylego.cli._hooks import HookFlags
from pylego.cli._issuing import Renewal
from pylego.cli._manager import Config
from pylego.cli._obtain import show_plan
from pylego.cli._options import CA, Validation, listed
from pylego.cli._place import Copies, Holder, Place, directory_of, is_new
from pylego.cli._plan import DryRun
from pylego.cli._progress import Watch, progress_of_many

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rich.console import Console

    from pylego.renewal import Managed
    from pylego.storage import FileStore

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Tell only what has failed. That nothing was due is 0 then, too."
    ),
]


def renew(
    context: Context,
    place: Place,
    ca: CA,
    holder: Holder,
    ways: Validation,
    renewal: Renewal,
    copies: Copies,
    hooks: HookFlags,
    names: IDs = None,
    cert_name: CertName = None,
    config: Config = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> Outcome:
    """Renew the certificates that are due.

    As they were obtained: CA, account, profile, key type, challenges and hooks are those
    that `pylego obtain` was told. Flags stand for what is not known, as of certificates of
    another program's, and challenges or hooks that are given are used instead. A
    configuration file says all of that itself, but for the copies.
    """
    ids = [*(names or ()), *listed(cert_name)]
    hooks.check()
    if config is not None:
        flags = CA, Holder, Validation, Renewal, HookFlags
        refuse_beside_config(context, *flags, but="renew_force")
        store, known = _manager.described(context, config, place)
    else:
        ca.check_binding(new=False)
        store = place.store(copies)
        known = _issuing.remembered(store, ca, holder, ways, renewal, copies, hooks)
    every, force = _manager.chosen(known, ids, config or store.folder), renewal.renew_force
    if config is None:
        _refuse_others(typed(context), ca, holder, every)
    how = _providers.HOW if config is None else _providers.IN_A_FILE
    every = [
        replace(_issuing.checked(store, each, copies, ca, how), at_once=force) for each in every
    ]
    if dry_run:
        parts = _parted(place, store, every, copies)
        told = [_planned(its, each, force=force) for its, part in parts for each in part]
    else:
        watched = sys.stdin.isatty() or (sys.stderr.isatty() and not quiet)
        due = _due(store, every, force=force) if watched else ()
        if config is None and sys.stdin.isatty():
            every = _with_accounts(store, every, due, ca)
        parts = _parted(place, store, every, copies)
        told = _renewed(parts, every, len(due), force=force, quiet=quiet)
        if ways.chosen or hooks != HookFlags() or copies.pfx:
            _keep(store, every, told)
    code = code_of(told)
    return Outcome(
        {"certificates": told},
        lambda console: _show(console, store.folder, told, dry_run=dry_run, quiet=quiet),
        DONE if quiet and code == NOTHING_DUE else code,
    )


def _refuse_others(
    given: Mapping[str, str], ca: CA, holder: Holder, every: Sequence[Managed]
) -> None:
    """Refuse another CA or account than a certificate's own: a renewal is by these."""
    for each in every:
        at = each.accounts[0]
        if "server" in given and at.server.directory != directory_of(ca):
            its = f"from {at.server.directory}: `pylego obtain --server` has another CA issue it"
        elif "account_id" in given and at.name != holder.account_id:
            its = f"the account {at.name}'s: `pylego obtain --account-id` gives it to another"
        else:
            continue
        raise WrongUse(f"{each.name} is {its}")


def _parted(
    place: Place, store: FileStore, every: Sequence[Managed], copies: Copies
) -> list[tuple[FileStore, list[Managed]]]:
    """Part them by what is written beside them: a store has the same for all of its certificates."""
    parts: dict[Copies, list[Managed]] = {}
    for each in every:
        parts.setdefault(copies.or_those(_issuing.pfx_of(each)), []).append(each)
    folder = replace(place, path=Path(store.folder))
    return [(folder.store(wanted), part) for wanted, part in parts.items()]


def _renewed(
    parts: Sequence[tuple[FileStore, list[Managed]]],
    every: Sequence[Managed],
    due: int,
    *,
    force: bool,
    quiet: bool,
) -> list[dict[str, Any]]:
    """Renew what is due, as the manager does: many at once, and each by itself."""
    from pylego.renewal import Manager

    names, told = {each.name: len(each.domains) for each in every}, dict[str, dict[str, Any]]()
    with nullcontext(Watch()) if quiet else progress_of_many(names, due) as watch:
        for store, part in parts:
            managing = Manager(store, part, on_event=watch.on_event, on_outcome=watch.on_outcome)
            report = managing.renew_due(force=force)
            for outcome, managed in zip(report.outcomes, part, strict=True):
                lacking = _issuing.known_to_lack(outcome, managed)
                told[outcome.id] = _manager.renewed(store, lacking)
    return [told[each.name] for each in every]


def _keep(store: FileStore, every: Sequence[Managed], told: Sequence[Mapping[str, Any]]) -> None:
    """Keep what was given for those that were not due, too: it is given once."""
    from pylego.renewal._orders import keep_request, request_of

    for managed, each in zip(every, told, strict=True):
        done = each["action"] in {"renewed", "failed"}
        if not done and managed.request not in (None, request_of(store, managed.name)):
            keep_request(store, managed)


def _due(store: FileStore, every: Sequence[Managed], *, force: bool) -> set[str]:
    """Find those that will be attended to."""
    from pylego.renewal import Manager

    looked, now = Manager(store, every).status().outcomes, _issuing.now()
    return {each.id for each in looked if force or each.next <= now}


def _with_accounts(
    store: FileStore, every: Sequence[Managed], due: Collection[str], ca: CA
) -> list[Managed]:
    """Make the accounts that are missing before many go at once: who is at the terminal may be asked.

    From then on nobody is: a signal would not end a question that a thread asks.
    """
    from pylego._errors import LEGOError
    from pylego.renewal._books import Books
    from pylego.renewal._caller import Ending

    wanted = [each.accounts[0] for each in every if each.name in due and not each.missing]
    new = any(is_new(store, at.server.directory, at.name) for at in wanted)
    bound = ca.binding() if new else None
    books, failures = Books(store), dict[tuple[str, str], str]()
    made: list[Managed] = []
    for each in every:
        at = each.accounts[0]
        at = replace(at, binding=lambda: bound)
        place = at.server.directory, at.name
        if each.name in due and not each.missing and place not in failures:
            try:
                books.account(at, at.server.directory, Ending())
                failures[place] = ""
            except LEGOError as error:
                failures[place] = error.detail
        missing = each.missing or failures.get(place, "")
        made.append(replace(each, accounts=(replace(at, consent=None),), missing=missing))
    return made


def _planned(store: FileStore, managed: Managed, *, force: bool) -> dict[str, Any]:
    action, planned = _issuing.plan(store, managed, force=force)
    error = managed.missing or _issuing.refused(store, managed, planned)
    return {
        "id": managed.name,
        "action": "failed" if error else action,
        "why": planned["why"],
        "next": planned["next"],
        "plan": None if error else planned,
        "certificate": None,
        "error": str(error) if error else None,
    }


def code_of(told: Sequence[Mapping[str, Any]]) -> int:
    """Return the exit code."""
    done = any(each["action"] in {"renewed", "planned"} for each in told)
    if any(each["error"] for each in told):
        return PARTLY_FAILED if done else FAILED
    return DONE if done else NOTHING_DUE


def _show(
    console: Console, folder: str, told: Sequence[Mapping[str, Any]], *, dry_run: bool, quiet: bool
) -> None:
    """Tell on stderr what has failed, and on stdout all else, unless quietly."""
    if not told and not quiet:
        none(console, folder, "certificate")
    for each in told:
        if each["error"]:
            failed = "would fail" if dry_run else "has failed"
            words = failed if each["action"] == "failed" else f"is {each['action']}"
            say(f"{each['id']} {words}: {each['error']}", err=True)
        elif not quiet:
            line = f"{each['id']} is {each['action']}: {each['why']}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
            if each["plan"] is not None:
                show_plan(console, each["plan"])
