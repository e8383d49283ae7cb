"""The commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pylego.cli import (
    _accounts,
    _ca,
    _certificates,
    _demo,
    _doctor,
    _lego,
    _manager,
    _migrate,
    _obtain,
    _providers,
    _renew,
    _status,
    _testca,
)
from pylego.cli._frame import command, group

ABOUT = """Obtain TLS certificates from Let's Encrypt and other CAs, and keep them valid.

\b
  pylego obtain www.example.com --http --email you@example.com --accept-tos
  pylego renew

Certificates and accounts are kept in a folder, the store: --path, or .lego here.
`pylego demo` shows it at work without any CA, and `pylego doctor` what would go wrong.
"""

app = group(ABOUT)
command(app)(_obtain.obtain)
command(app, "run", hidden=True)(_obtain.obtain)
command(app)(_renew.renew)
command(app)(_manager.manager)
command(app)(_status.status)
app.add_typer(_certificates.app, name="certificates")
app.add_typer(_accounts.app, name="accounts")
command(app)(_migrate.migrate)
app.add_typer(_providers.app, name="providers")
app.add_typer(_ca.app, name="ca")
command(app)(_doctor.doctor)
command(app, "testca")(_testca.serve)
command(app)(_demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes a fifth of what --help does

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


class _Untouched(TyperCommand):
    """A command whose arguments are another program's, `--` and `--help` among them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.args = args
        return args


@app.command(cls=_Untouched, options_metavar="[ARGS]...")
def lego(context: typer.Context) -> None:
    """Run lego's own command line.

    `pylego lego --help` is lego's.
    """
    _lego.run(context.args)
