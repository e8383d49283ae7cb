"""`pylego ca`: the CAs that lego knows by a code, and what each says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli import _completion
from pylego.cli._frame import Outcome, command, group
from pylego.cli._options import CA
from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from pylego._models import Directory
    from pylego.renewal._quotas import Quota

app = group("CAs: what they offer, and what they ask for.")

LIMITS = {
    "new_orders": "new orders",
    "requests_per_second": "requests a second",
    "requests_in_flight": "requests at once",
    "orders_in_flight": "orders at once",
}
"""The fields of `pylego.Limits`."""

ITS_LIMITS = {
    "failed_authorizations": "failed authorizations of one identifier",
    "orders": "orders of one account",
    "duplicates": "certificates for the same names",
}
"""What a CA counts; fields of `Quotas`."""


@command(app, "list")
def list_() -> Outcome:
    """List the CAs that have a code of lego's. Nobody is asked."""
    known = known_as("")
    rows = [(each["code"], each["directory"]) for each in known]
    return Outcome(
        {"authorities": known}, lambda console: console.print(Table(("code", "directory"), rows))
    )


@command(app)
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_URL", help="A code, or a URL.", autocompletion=_completion.authority
        ),
    ],
    ca: CA,
) -> Outcome:
    """Ask a CA what it offers: its terms, profiles, renewal advice, and the limits."""
    from dataclasses import replace

    [known] = known_as(name)
    directory = replace(ca, server=name).client().directory()
    told = {**known, **vars(directory), "profiles": dict(directory.profiles)}
    del told["url"]  # it is the directory's
    return Outcome(told, lambda console: _show(console, known, directory))


def known_as(name: str) -> list[dict[str, Any]]:
    """Return what is known of one CA without asking it, or of all that have a code."""
    from pylego import _engine

    call = _engine.Call("authorities", {"directory": name})
    known: list[dict[str, Any]] = _engine.run(call)["authorities"]
    return [
        {**each, "limits": _limits(each["limits"]), "rate_limits": _rate_limits(each["directory"])}
        for each in known
    ]


def _limits(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told.get(name) for name in LIMITS}


def _rate_limits(directory: str) -> dict[str, Any]:
    """Return what a CA is known to allow."""
    from pylego.renewal._quotas import quotas_of

    quotas = quotas_of(directory)
    told: dict[str, Any] = {name: _count(getattr(quotas, name)) for name in ITS_LIMITS}
    return {**told, "advised_are_exempt": quotas.advised_are_exempt}


def _count(quota: Quota | None) -> dict[str, Any] | None:
    if quota is None:
        return None
    return {"count": quota.count, "seconds": int(quota.period.total_seconds())}


def _show(console: Console, known: Mapping[str, Any], directory: Directory) -> None:
    rows = [
        ("code", known["code"] + (" (staging)" if known["staging"] else "")),
        ("directory", directory.url),
        ("terms", directory.terms_of_service or ""),
        ("website", directory.website or ""),
        ("CAA", ", ".join(directory.caa_identities)),
        ("external account", "needed: --eab.kid" if directory.external_account_required else ""),
        ("renewal advice", "yes (RFC 9773)" if directory.renewal_info else "no"),
        *(("profile", f"{name}: {text}") for name, text in directory.profiles.items()),
        *(
            ("our limit", f"{_in_words(limit)} {LIMITS[name]}")
            for name, limit in known["limits"].items()
            if limit is not None
        ),
        *_shown(known["rate_limits"]),
    ]
    console.print(Table(("", ""), [row for row in rows if row[1]]))


def _shown(limits: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, words in ITS_LIMITS.items():
        if limit := limits[name]:
            yield "the CA's limit", f"{limit['count']} in {limit['seconds'] / 3600:g} h: {words}"
    if limits["advised_are_exempt"]:
        yield "exempt", "renewals that the CA advises (RFC 9773), from orders and the same names"


def _in_words(limit: Any) -> str:
    return f"{limit['count']} in {limit['seconds']:g} s:" if isinstance(limit, dict) else str(limit)
