"""The commands, each of which is loaded when it is asked for."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Annotated, Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup

from pylego.cli._frame import command, group

ABOUT = """Obtain TLS certificates from Let's Encrypt and other CAs, and keep them valid.

\b
  pylego obtain www.example.com --http --email you@example.com --accept-tos
  pylego renew

Certificates and accounts are kept in a folder, the store: --path, or .lego here.
`pylego demo` shows it at work without any CA, and `pylego doctor` what would go wrong.
"""


class Entry(NamedTuple):
    """Where a command is."""

    module: str
    what: str
    """In that module: a function, or the app of a group of commands."""
    about: str
    """What help says of it without loading it: its own first line."""
    hidden: bool = False

    def load(self, name: str) -> Any:
        """Make the command, with its flags."""
        found = getattr(import_module(f"pylego.cli.{self.module}"), self.what)
        app = group("")
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            command(app, name, hidden=self.hidden)(found)
        return typer.main.get_group(app).commands[name]


COMMANDS = {
    "obtain": Entry("_obtain", "obtain", "Obtain a certificate, or renew it."),
    "run": Entry("_obtain", "obtain", "Obtain a certificate, or renew it.", hidden=True),
    "renew": Entry("_renew", "renew", "Renew the certificates that are due."),
    "manager": Entry("_manager", "manager", "Keep certificates valid, until it is ended."),
    "status": Entry("_status", "status", "Show what becomes of each certificate."),
    "certificates": Entry("_certificates", "app", "The certificates of the store."),
    "accounts": Entry("_accounts", "app", "The accounts of the store."),
    "migrate": Entry("_migrate", "migrate", "Take over what lego 4, certbot or acme.sh has."),
    "providers": Entry("_providers", "app", "lego's DNS providers and their settings."),
    "ca": Entry("_ca", "app", "CAs: what they offer, and what they ask for."),
    "doctor": Entry("_doctor", "doctor", "Look for what would stop an order, and say what to do."),
    "testca": Entry("_testca", "serve", "Run an ACME server for tests."),
    "demo": Entry("_demo", "demo", "Show it at work: certificates from a CA inside this process."),
}


class _Loading(UserDict[str, Any]):
    """Commands by their names, those of the table loaded when they are asked for."""

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        return found.load(name) if isinstance(found, Entry) else found


class _Commands(TyperGroup):
    """All commands. To load them takes longer than typer itself, so help does without."""

    def __init__(self, *, commands: dict[str, Any], **settings: Any) -> None:
        loading: Any = _Loading({**COMMANDS, **commands})
        super().__init__(commands=loading, **settings)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- click's signature
        return [*self.commands]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 -- click's signature
        known = cast("_Loading", self.commands).data
        rows = [
            (name, each.about if isinstance(each, Entry) else each.get_short_help_str())
            for name, each in known.items()
            if not each.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = group(ABOUT, cls=_Commands)


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
    from pylego.cli import _lego

    _lego.run(context.args)
