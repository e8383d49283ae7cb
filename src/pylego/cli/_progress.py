"""What an operation is doing: a bar on a terminal, plain lines otherwise; both on stderr."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from pylego.cli._frame import say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from rich.progress import TaskID

    from pylego._events import Event
    from pylego.renewal import Outcome

PHASES = {
    "account": "the account is ready",
    "account_renewed": "the account is registered anew",
    "order": "the order is made",
    "authorization": "to be validated",
    "waiting": "waiting in line",
    "presented": "presented",
    "propagated": "visible in the DNS",
    "triggered": "the CA is asked to validate",
    "validated": "validated",
    "attempt_failed": "an attempt has failed",
    "finalized": "the CA is signing",
    "issued": "issued",
    "cleaned_up": "cleaned up",
    "clean_up_failed": "not cleaned up",
    "retrying": "trying again",
}
"""Each kind of event for a person."""

TROUBLE = ("attempt_failed", "clean_up_failed", "retrying")
"""Kinds whose detail says what went wrong."""

DUMB = ("dumb", "unknown")
"""TERM of terminals that know no control sequences."""


@contextmanager
def progress(title: str, names: int) -> Generator[Callable[[Event], None]]:
    """Show the events of one order for so many names: what is given is an `on_event`."""
    if not _can_draw():
        yield plain
        return
    bars = _Bars({title: names})
    try:
        yield lambda event: bars.show(title, event)
    finally:
        bars.stop()


@contextmanager
def progress_of_many(names: Mapping[str, int], due: int) -> Generator[Watch]:
    """Show many orders at once: for so many names under each ID, of which so many are due."""
    if not _can_draw():
        yield Watch(plain_of_many, _told_later)
        return
    bars = _Bars(names, due)
    try:
        yield Watch(bars.show, bars.done)
    finally:
        bars.stop()


class Watch(NamedTuple):
    """What the manager tells of its work to; nobody by default."""

    on_event: Callable[[str, Event], None] | None = None
    on_outcome: Callable[[Outcome], None] | None = None


def _can_draw() -> bool:
    """Whether what was written can be drawn over: programs read lines, and dumb terminals show them."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in DUMB


class _Bars:
    """A bar for each order, as long as it goes on, and one for all where there are several."""

    def __init__(self, names: Mapping[str, int], due: int = 1) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.fields[title]:<12}", style="bold", markup=False),
            BarColumn(),
            TextColumn("{task.completed:>2}/{task.total} {task.fields[unit]}", markup=False),
            TextColumn("{task.fields[phase]}", style="cyan", markup=False),
        )
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._names = dict(names)
        self._tasks: dict[str, TaskID] = {}
        self._all = self._added("all", due, "certificates") if due > 1 else None

    def _added(self, title: str, total: int, unit: str) -> TaskID:
        return self._bars.add_task("", total=total, title=title, unit=unit, phase="")

    def show(self, title: str, event: Event) -> None:
        """Show an event; the first one draws the bars, for somebody may have been asked before."""
        if title not in self._tasks:
            self._tasks[title] = self._added(title, self._names[title], "names")
        advance = event.kind == "validated"
        self._bars.update(self._tasks[title], phase=_told(event), advance=advance)
        with suppress(OSError):  # the terminal has gone, and the order goes on
            self._bars.start()

    def done(self, outcome: Outcome) -> None:
        """Make room for the next one."""
        if self._all is not None:
            self._bars.advance(self._all)
            if outcome.id in self._tasks:
                self._bars.remove_task(self._tasks.pop(outcome.id))

    def stop(self) -> None:
        """Leave them as they are."""
        with suppress(OSError):
            self._bars.stop()


def plain(event: Event, title: str = "") -> None:
    """Print a line for an event, which may be one of many orders at once."""
    subjects = [each for each in (title, event.identifier) if each]
    say(": ".join([*dict.fromkeys(subjects), _told(event)]), err=True)


def plain_of_many(title: str, event: Event) -> None:
    """Print a line for an event of one of many orders at once."""
    plain(event, title)


def _told_later(_: Outcome) -> None:
    """Print nothing: all outcomes are told at the end."""


def _told(event: Event) -> str:
    phase = PHASES.get(event.kind, event.kind)
    return f"{phase}: {event.detail}" if event.kind in TROUBLE and event.detail else phase
