"""`pylego providers`: what the catalogue knows, for people and for programs."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pylego.cli import _completion
from pylego.cli._frame import DONE, FAILED, Outcome, command, group
from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from pylego._challenges import Challenge
    from pylego._providers import Provider

app = group("lego's DNS providers and their settings.")


@command(app, "list")
def list_(
    search: Annotated[
        str, typer.Argument(metavar="WORDS", help="A part of a name, home page or variable.")
    ] = "",
) -> Outcome:
    """List the providers."""
    from pylego._providers import providers

    found = providers.search(search)
    data = {"providers": [asdict(each) for each in found]}
    return Outcome(data, lambda console: _list(console, found), DONE if found else FAILED)


def _list(console: Console, found: list[Provider]) -> None:
    if not found:
        console.print("none of lego's DNS providers is like that", highlight=False)
        return
    rows = [(", ".join((each.code, *each.aliases)), each.name, each.since) for each in found]
    console.print(Table(("code", "name", "since"), rows))


@command(app)
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help="The provider's code, as `pylego providers list` has it, or an alias.",
            autocompletion=_completion.provider,
        ),
    ],
) -> Outcome:
    """Show one provider: its settings, and Python code to copy."""
    provider = _found(name)
    data = {**asdict(provider), "python": provider.python}
    return Outcome(data, lambda console: _show(console, provider))


def _found(name: str) -> Provider:
    from pylego._errors import UnknownProvider
    from pylego._providers import providers

    try:
        return providers[name]
    except KeyError as unknown:
        raise UnknownProvider(unknown.args[0], code="unknown_provider") from None


HOW = "set them in the environment, or in a file for --env-file"
IN_A_FILE = (
    "set them in the environment, or name files that hold them in the configuration (..._FILE)"
)
"""How whoever lacks credentials gives them."""


def check(ways: Sequence[Challenge], how: str = HOW) -> None:
    """Refuse providers that there are not, and what the only one lacks for certain; nobody is asked.

    Raises:
        ProviderError: there is no such provider, or it cannot log in.
    """
    from pylego._challenges import DNS01
    from pylego._providers import refuse_missing

    for way in ways:
        if isinstance(way, DNS01):
            _found(way.provider)
            if len(ways) == 1:  # of several another one may have its turn
                refuse_missing(way.provider, way.variables, f"{how}{_misspelt(way.provider)}")


def _misspelt(provider: str) -> str:
    """Name what the environment has under a name that is nearly one of the provider's."""
    from pylego._providers import misspelt

    found = misspelt(provider, os.environ)
    return "".join(f"; {name} is there: is it to be {near}?" for name, near in found.items())


def _show(console: Console, provider: Provider) -> None:
    from rich.markup import escape
    from rich.syntax import Syntax

    heading = f"[bold]{escape(provider.name)}[/]  {', '.join((provider.code, *provider.aliases))}"
    console.print(heading, highlight=False)
    told = [provider.url, provider.description, *provider.notes, *provider.caveats]
    for line in filter(None, told):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(_variables(provider))
    if provider.needs:
        console.print(f"Needs {provider.needs}.", markup=False, highlight=False, soft_wrap=True)
    console.print("Each may be given as a file: its name and _FILE.\n", highlight=False)
    # As text, not as rich's block: that would add spaces to what is copied.
    syntax = Syntax("", "python", background_color="default")
    console.print(syntax.highlight(provider.python), soft_wrap=True)


def _variables(provider: Provider) -> Table:
    rows = [
        (each.name, "required" if each.required else "", each.default or "", each.description)
        for each in provider.variables
    ]
    return Table(("variable", "", "default", ""), rows)
