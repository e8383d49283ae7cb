"""`--dry-run`: what a command would ask of whom. Nobody is asked then, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be asked of whom; ask nobody.")
]


def step(whom: object, what: str) -> dict[str, str]:
    """Describe what would be asked of a CA, of another program, or of a folder of ours."""
    return {"whom": str(whom), "what": what}


def show_steps(console: Console, steps: Sequence[Mapping[str, str]]) -> None:
    """Show them to a person, in their order."""
    rows = [(each["whom"], each["what"]) for each in steps]
    console.print(Table(("of whom", "what would be asked"), rows) if rows else "nothing is to do")
