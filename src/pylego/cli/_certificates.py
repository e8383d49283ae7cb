"""`pylego certificates`: those of the store."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli import _issuing
from pylego.cli._frame import (
    DONE,
    FAILED,
    PARTLY_FAILED,
    Context,
    Outcome,
    WrongUse,
    command,
    group,
    none,
    option,
    typed,
)
from pylego.cli._options import CA, listed
from pylego.cli._place import Holder, Place, account_there, directory_of, file_of, known_account
from pylego.cli._plan import DryRun, show_steps, step
from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from rich.console import Console

    from pylego._certificate import Certificate
    from pylego.storage import FileStore, Origin

app = group("The certificates of the store.")

IDs = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Certificates; all by default.")
]
CertName = Annotated[
    list[str] | None, option("--cert.name", "-c", about="An ID, as the arguments.")
]


@command(app, "list")
def list_(place: Place) -> Outcome:
    """List the certificates: their names, their end, their CA, and where they are."""
    store = place.store()
    told, unreadable = _all(store)
    return Outcome(
        {"certificates": told, "unreadable": unreadable},
        lambda console: _list(console, store.folder, told, unreadable),
        FAILED if unreadable else DONE,
    )


@command(app)
def show(
    place: Place, name: Annotated[str, typer.Argument(metavar="ID", help="The certificate's ID.")]
) -> Outcome:
    """Show one certificate."""
    store = place.store()
    told = described(store, there(store, name))
    return Outcome(told, lambda console: show_one(console, told))


@command(app)
def revoke(
    context: Context,
    place: Place,
    ca: CA,
    holder: Holder,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="The certificates' IDs.")
    ] = None,
    cert_name: CertName = None,
    reason: Annotated[
        str | None,
        option(
            "--reason",
            about="Why: keyCompromise, superseded or another of RFC 5280, or its number.",
        ),
    ] = None,
    keep: Annotated[
        bool, option("--keep", about="Leave it in the store, instead of archiving it.")
    ] = False,
    by_key: Annotated[
        bool, typer.Option("--by-key", help="Revoke by the certificate's key, not the account's.")
    ] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Revoke certificates; they go into an archive."""
    from pylego._errors import LEGOError

    ids = [*(names or ()), *listed(cert_name)]
    if not ids:
        raise WrongUse("which certificates? Give their IDs")
    why = None if reason is None else reason_of(reason)
    store = place.store()
    for each in ids:
        with suppress(LEGOError):  # one that cannot be read is told with what is done
            found = there(store, each)
            if "server" in typed(context):
                _refuse_another(ca, found)
    revoking = _Revoking(store=store, ca=ca, holder=holder, reason=why, keep=keep, by_key=by_key)
    told = [revoking.planned(each) if dry_run else revoking.done(each) for each in ids]
    return Outcome({"certificates": told}, lambda console: _show(console, told), code_of(told))


def reason_of(text: str) -> str:
    """Read a reason: its words, or its number as lego has it."""
    from pylego._operations import REASONS

    known = {str(number): words for words, number in REASONS.items()}
    reason = known.get(text, text)
    if reason not in REASONS:
        raise WrongUse(f"--reason is one of {', '.join(REASONS)}, not {text!r}")
    return reason


def _refuse_another(ca: CA, found: Kept) -> None:
    """Refuse another CA than the one that a certificate is known to be from."""
    if found.origin.directory not in {None, directory_of(ca)}:
        msg = (
            f"{found.id} is from {found.origin.directory}, and is revoked there: leave --server out"
        )
        raise WrongUse(msg)


@dataclass(frozen=True)
class Kept:
    """A certificate of the store, and how it was asked for."""

    id: str
    certificate: Certificate
    origin: Origin


def there(store: FileStore, id: str) -> Kept:
    """Read a certificate that has to be there."""
    from pylego.storage import Origin

    certificate, text = store.load(id), store.texts([id]).get(id)
    if certificate is None:
        known = ", ".join(store.certificate_ids()) or "none"
        raise WrongUse(f"{store.folder} has no certificate {id}; it has {known}")
    return Kept(id, certificate, Origin() if text is None else text.origin)


@dataclass(frozen=True, kw_only=True)
class _Revoking:
    """What is done to each of the certificates."""

    store: FileStore
    ca: CA
    holder: Holder
    reason: str | None
    keep: bool
    by_key: bool

    def done(self, id: str) -> dict[str, Any]:
        """Revoke one, and say what has become of it."""
        told = _of_one(id)
        with self._telling(told), self.store.lock(id):
            found = there(self.store, id)
            self._revoke(found)
            told["revoked"] = True
            if not self.keep:
                self.store.remove(id)
                told["archived"] = True
        return told

    def planned(self, id: str) -> dict[str, Any]:
        """Say what would be done."""
        told = _of_one(id)
        with self._telling(told):
            found = there(self.store, id)
            ca = self._ca(found)
            whose = "its own key"
            if self.by_key:
                _key_of(found)
            else:
                whose = f"the account {known_account(self.store, ca, self._account(found)).url}"
            why = f", as {self.reason}" if self.reason else ""
            serial = found.certificate.serial
            steps = [step(directory_of(ca), f"to revoke {id} (serial {serial}){why}, by {whose}")]
            if not self.keep:
                steps.append(step(self.store.folder, f"to move {id} into an archive"))
            told["plan"] = steps
        return told

    @contextmanager
    def _telling(self, told: dict[str, Any]) -> Generator[None]:
        """Say what went wrong; the others have their turn."""
        from pylego._errors import LEGOError

        try:
            yield
        except (LEGOError, WrongUse) as error:
            told["error"] = str(error)

    def _ca(self, found: Kept) -> CA:
        directory = found.origin.directory
        return self.ca if directory is None else replace(self.ca, server=directory)

    def _account(self, found: Kept) -> str:
        return self.holder.id(self._ca(found), found.origin.account)

    def _revoke(self, found: Kept) -> None:
        """Have it revoked; one that is already, as by a command that was cut off, goes into the archive."""
        from pylego._errors import ACMEError

        try:
            self._ask(found)
        except ACMEError as error:
            if self.keep or error.code != "alreadyRevoked":
                raise

    def _ask(self, found: Kept) -> None:
        ca, certificate = self._ca(found), found.certificate
        if self.by_key:
            ca.client().revoke(certificate, reason=self.reason, key=_key_of(found))
            return
        account = account_there(self.store, ca, self._account(found))
        ca.client(account=account).revoke(certificate, reason=self.reason)


def _of_one(id: str) -> dict[str, Any]:
    return {"id": id, "revoked": False, "archived": False, "error": None, "plan": None}


def _key_of(found: Kept) -> str:
    from pylego._errors import InvalidRequest

    key = found.certificate.private_key
    if key is None:
        msg = f"the key of {found.id} is not in the store: --by-key needs it"
        raise InvalidRequest(msg)
    return key


def code_of(told: Sequence[Mapping[str, Any]]) -> int:
    """Return the exit code of what was done to several."""
    failed = [each for each in told if each["error"] is not None]
    if not failed:
        return DONE
    return FAILED if len(failed) == len(told) else PARTLY_FAILED


def _show(console: Console, told: Sequence[Mapping[str, Any]]) -> None:
    for each in told:
        if each["plan"] is not None:
            show_steps(console, each["plan"])
            continue
        done = "revoked, and in an archive" if each["archived"] else "revoked"
        words = each["error"] or done
        console.print(f"{each['id']}: {words}", markup=False, highlight=False, soft_wrap=True)


def _all(store: FileStore) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Describe all certificates; those that cannot be read, with the reason."""
    from pylego._errors import LEGOError

    told: list[dict[str, Any]] = []
    unreadable: dict[str, str] = {}
    for id in store.certificate_ids():
        try:
            told.append(described(store, there(store, id)))
        except LEGOError as error:  # noqa: PERF203 -- each by itself
            unreadable[id] = str(error)
    return told, unreadable


def described(store: FileStore, found: Kept) -> dict[str, Any]:
    """Describe a certificate for a program."""
    certificate, origin = found.certificate, found.origin
    return {
        "id": found.id,
        "names": [each.value for each in certificate.identifiers],
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "expired": certificate.not_after < _issuing.now(),
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "fingerprint": certificate.fingerprint,
        "ca": origin.directory,
        "account": origin.account,
        "profile": origin.profile,
        "key_type": origin.key_type or None,
        "has_key": certificate.private_key is not None,
        "url": certificate.url,
        "path": file_of(store, found.id, ".crt"),
    }


def show_one(console: Console, told: Mapping[str, Any]) -> None:
    """Show a certificate to a person."""
    rows = [
        ("names", ", ".join(told["names"])),
        ("valid", f"{told['not_before'][:10]} to {_end(told)}"),
        ("issuer", told["issuer"]),
        ("serial", told["serial"]),
        ("CA", told["ca"] or ""),
        ("account", told["account"] or ""),
        ("profile", told["profile"] or ""),
        ("key", (told["key_type"] or "") if told["has_key"] else "elsewhere"),
        ("file", told["path"]),
    ]
    console.print(Table(("", ""), [row for row in rows if row[1]]))


def _list(
    console: Console, folder: str, told: Sequence[Mapping[str, Any]], unreadable: Mapping[str, str]
) -> None:
    if not told and not unreadable:
        none(console, folder, "certificate")
        return
    rows = [
        (
            each["id"],
            ", ".join(each["names"]),
            _end(each),
            each["ca"] or each["issuer"],
            each["path"],
        )
        for each in told
    ]
    console.print(Table(("ID", "names", "until", "CA", "file"), rows))
    show_unreadable(console, unreadable)


def show_unreadable(console: Console, unreadable: Mapping[str, str]) -> None:
    """Show to a person what cannot be read, and why."""
    for id, why in unreadable.items():
        console.print(f"{id}: {why}", markup=False, highlight=False, soft_wrap=True)


def _end(told: Mapping[str, Any]) -> str:
    return f"{told['not_after'][:10]}{' (expired)' if told['expired'] else ''}"
