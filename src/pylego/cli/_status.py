"""`pylego status`: what becomes of each certificate, from the store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pylego.cli import _issuing, _manager
from pylego.cli._certificates import IDs
from pylego.cli._frame import DONE, FAILED, Context, Outcome, none, refuse_beside_config
from pylego.cli._hooks import HookFlags
from pylego.cli._issuing import Renewal, Timing
from pylego.cli._manager import Config
from pylego.cli._options import CA, Validation
from pylego.cli._place import Copies, Holder, Place
from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console


def status(
    context: Context, place: Place, timing: Timing, names: IDs = None, config: Config = None
) -> Outcome:
    """Show what becomes of each certificate.

    Its names, its end, the next attempt and the last error, from the store alone: nobody is
    asked, and nothing is done.
    """
    from pylego.renewal import Manager

    if config is not None:
        refuse_beside_config(context, Timing)
        store, known = _manager.described(context, config, place)
    else:
        store = place.store()
        renewal = Renewal(**vars(timing))
        flags = CA(), Holder(), Validation(), renewal, Copies(), HookFlags()
        known = _issuing.remembered(store, *flags)
    every = _manager.chosen(known, names or (), config or store.folder)
    looked = zip(Manager(store, every).status().outcomes, every, strict=True)
    told = [_manager.status(store, _issuing.known_to_lack(*each)) for each in looked]
    wrong = any(each["expired"] or each["error"] for each in told)
    return Outcome(
        {"certificates": told},
        lambda console: _show(console, store.folder, told),
        FAILED if wrong else DONE,
    )


def _show(console: Console, folder: str, told: Sequence[Mapping[str, Any]]) -> None:
    if not told:
        none(console, folder, "certificate")
        return
    rows = [
        (
            each["id"],
            ", ".join(each["names"]),
            _end(each),
            "now" if each["due"] else _day(each["next"]),
            each["error"] or each["last_error"] or "",
        )
        for each in told
    ]
    console.print(Table(("ID", "names", "until", "next attempt", "last error"), rows))


def _end(told: Mapping[str, Any]) -> str:
    return _day(told["not_after"]) + (" (expired)" if told["expired"] else "")


def _day(moment: str | None) -> str:
    return "" if moment is None else moment[:16].replace("T", " ")
