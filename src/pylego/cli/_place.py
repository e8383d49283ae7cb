"""The store, and the account in it that a command uses: lego's `--path` and `--account-id`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli import _secrets
from pylego.cli._frame import WrongUse, option, say, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pylego._models import Account
    from pylego.cli._options import CA
    from pylego.renewal import AccountAt
    from pylego.storage import FileStore

FOLDER = ".lego"
"""lego's, in the working directory."""

PASSWORD = "--pfx.password"  # noqa: S105 -- the flag
NO_PASSWORD = "changeit"  # noqa: S105 -- lego's, which everybody knows


PFX_FORMATS = ("SHA256", "PBMAC1", "DES", "RC2")
"""The engine's, which would refuse another one when the certificate is there already."""


def key_type_of(value: str | None) -> str | None:
    """Refuse a type of key that there is not, before anything is kept of it."""
    from pylego.renewal._managed import KEY_TYPES

    if value is not None and value not in KEY_TYPES:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(KEY_TYPES)}")
    return value


def _pfx_format(value: str) -> str:
    if value not in PFX_FORMATS:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(PFX_FORMATS)}")
    return value


def _refuse_password(value: str | None) -> None:
    if value is not None:
        raise typer.BadParameter(
            f"others could read it: give it in {variable(PASSWORD)}, or a file in {variable(PASSWORD)}_FILE"
        )


@dataclass(frozen=True)
class Place:
    """Where certificates and accounts are."""

    path: Annotated[
        Path | None,
        option("--path", about="The folder of certificates and accounts; .lego by default."),
    ] = None

    @property
    def folder(self) -> Path:
        """The folder that was chosen, or lego's."""
        return self.path or Path(FOLDER)

    def store(self, copies: Copies | None = None) -> FileStore:
        """Open the store."""
        from pylego.storage import FileStore

        if copies is None:
            return FileStore(self.folder)
        return FileStore(
            self.folder,
            pem=copies.pem,
            pfx_password=copies.password() if copies.pfx else None,
            pfx_format=copies.pfx_format,
        )


@dataclass(frozen=True)
class Copies:
    """What is written beside a certificate, for servers."""

    pem: Annotated[bool, option("--pem", about="Write a .pem, too: chain and key in one file.")] = (
        False
    )
    pfx: Annotated[
        bool,
        option(
            "--pfx",
            about=f"Write a .pfx (PKCS#12), too. Its password is read from {variable(PASSWORD)} "
            f"or from the file in {variable(PASSWORD)}_FILE; otherwise it is lego's: {NO_PASSWORD}.",
        ),
    ] = False
    pfx_password: Annotated[
        str | None, typer.Option(PASSWORD, hidden=True, callback=_refuse_password)
    ] = None
    pfx_format: Annotated[
        str,
        option(
            "--pfx.format",
            callback=_pfx_format,
            about="SHA256, PBMAC1, DES or RC2.",
            metavar="FORMAT",
        ),
    ] = "SHA256"

    def password(self) -> str:
        """Return the password of .pfx files."""
        return _secrets.given(variable(PASSWORD)) or NO_PASSWORD

    def remembered(self, told: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return what is kept for renewals: the format, and whether the password is somebody's own.

        It stays that, as `told` before: by another one no server could read the file.
        """
        if not self.pfx:
            return None
        own = self.password() != NO_PASSWORD or bool(told and told.get("own"))
        return {"format": self.pfx_format, "own": own}

    def lacking(self, told: Mapping[str, Any]) -> str:
        """Say that the password is missing, if it is."""
        if not told.get("own") or self.password() != NO_PASSWORD:
            return ""
        return f"its .pfx has a password of its own: give it in {variable(PASSWORD)}, or a file in {variable(PASSWORD)}_FILE"

    def or_those(self, told: Mapping[str, Any]) -> Copies:
        """Return these, or what `remembered` returned where none is wanted."""
        kept = told.get("format")
        if self.pfx or kept not in PFX_FORMATS:
            return self
        return replace(self, pfx=True, pfx_format=kept)


@dataclass(frozen=True)
class Holder:
    """Which of the store's accounts at a CA."""

    account_id: Annotated[
        str | None,
        option("--account-id", about="The account's name in the store; the email by default."),
    ] = None

    def id(self, ca: CA, known: str | None = None) -> str:
        """Return the account's ID, as lego has it; `known` is a certificate's own."""
        return self.account_id or ca.email or known or _no_email()


def _no_email() -> str:
    from pylego.storage._layout import NO_EMAIL

    return NO_EMAIL


def directory_of(ca: CA) -> str:
    """Return the URL of the CA's directory."""
    from pylego._directories import DIRECTORIES, directory_of
    from pylego.renewal._toml import suggestion

    url = directory_of(ca.server)
    if not url.startswith("https://"):
        near = suggestion(ca.server, DIRECTORIES)
        msg = f"--server is an https URL or a code of `pylego ca list`, not {ca.server!r}{near}"
        raise WrongUse(msg)
    return url


def account_lock(directory: str, id: str) -> str:
    """Name the lock of who makes an account or changes its key: the manager's."""
    from pylego.renewal._books import account_name

    return account_name(directory, id)


def account_at(ca: CA, id: str) -> AccountAt:
    """Describe an account and its CA; who is at the terminal is asked for what is missing."""
    from pylego.renewal import AccountAt, Server

    server = Server(
        directory_of(ca),
        verify=not ca.tls_skip_verify,
        ip_version=ca.ip_version,
        user_agent=ca.user_agent,
        requests_per_second=ca.overall_request_limit,
        timeout=ca.timeout,
    )
    return AccountAt(
        id, server, ca.email, accept_terms=ca.accept_tos, binding=ca.binding, consent=_consent
    )


def _consent(terms: str) -> bool:
    """Ask on a terminal whether the CA's terms are accepted, as lego does."""
    if not sys.stdin.isatty():
        return False
    say(terms, err=True)
    return typer.confirm("Do you accept them?", err=True)


def account_there(store: FileStore, ca: CA, id: str) -> Account:
    """Return an account that the CA has told of."""
    with store.lock(account_lock(directory_of(ca), id)):
        settle(store, ca, id)
        return known_account(store, ca, id)


def known_account(store: FileStore, ca: CA, id: str) -> Account:
    """Return an account that the CA has told of; the caller holds its lock."""
    account = store.load_account(directory_of(ca), id)
    if account is None or account.url is None:
        msg = f"{store.folder} has no account {id} at {directory_of(ca)}: `pylego accounts register` makes one, and --email or --account-id names another"
        raise WrongUse(msg)
    return account


def is_new(store: FileStore, directory: str, id: str) -> bool:
    """Whether an account is still to be registered."""
    account = store.load_account(directory, id)
    return account is None or account.url is None


def account_made(store: FileStore, ca: CA, id: str, key_type: str) -> Account:
    """Return the account of the store; where there is none it is made."""
    from pylego.renewal._books import Books
    from pylego.renewal._caller import Ending

    return Books(store).account(account_at(ca, id), directory_of(ca), Ending(), key_type)


def settle(store: FileStore, ca: CA, id: str) -> bool | None:
    """End a change of an account's key that was cut off; the caller holds its lock.

    Returns:
        Whether the CA has the new one; `None` where no change was cut off.
    """
    from pylego.renewal._books import Books
    from pylego.renewal._caller import Ending

    return Books(store).settle(account_at(ca, id), directory_of(ca), Ending())


def new_key(key_type: str) -> str:
    """Make a private key, PEM."""
    from pylego import _engine
    from pylego._operations import GenerateKey

    making = GenerateKey(key_type)
    return making.result(_engine.run(_engine.Call(making.name, making.message())))


def key_in(path: Path) -> str:
    """Read a private key, PEM."""
    text = path.read_text(encoding="ascii", errors="replace")
    if "PRIVATE KEY-----" not in text:
        raise WrongUse(f"{path} has no private key in PEM, which begins with -----BEGIN")
    return text


def file_of(store: FileStore, id: str, extension: str) -> str:
    """Return where one of a certificate's files is."""
    from pylego.storage import _layout

    folder = Path(store.folder, *_layout.CERTIFICATES)
    return str(folder / (_layout.safe_name(id) + extension))
