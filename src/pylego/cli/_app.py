"""The commands and their options."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from pylego.cli import _demo

app = typer.Typer(
    help="Certificates by ACME, through lego.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold secrets
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pylego {version('pylego')}")
        raise typer.Exit


@app.callback()
def _pylego(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Hold what concerns every command."""


@app.command()
def demo() -> None:
    """Obtain real certificates from an ACME server inside this process, and verify them."""
    raise typer.Exit(_demo.run())
