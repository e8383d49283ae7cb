"""`pylego obtain`, which is lego's `run`: a certificate is obtained, or renewed where it is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli import _certificates, _issuing, _providers
from pylego.cli._frame import DONE, NOTHING_DUE, Outcome, WrongUse, option
from pylego.cli._hooks import HookFlags
from pylego.cli._issuing import Renewal
from pylego.cli._options import CA, Validation, listed, moment
from pylego.cli._place import (
    Copies,
    Holder,
    Place,
    account_at,
    directory_of,
    is_new,
    key_in,
    key_type_of,
)
from pylego.cli._plan import DryRun
from pylego.cli._showing import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from pylego.renewal import Managed
    from pylego.storage import Origin


@dataclass(frozen=True)
class Wanted:
    """What a certificate is to be."""

    domains: Annotated[
        list[str] | None, option("--domains", "-d", about="A name or address, as the arguments.")
    ] = None
    cert_name: Annotated[
        str | None,
        option("--cert.name", "-c", about="Its name in the store; its first name by default."),
    ] = None
    csr: Annotated[
        Path | None, option("--csr", about="A file with a certificate request, instead of names.")
    ] = None
    private_key: Annotated[
        Path | None, option("--private-key", about="A file with its key, instead of a new one.")
    ] = None
    key_type: Annotated[
        str | None,
        option(
            "--key-type",
            "-k",
            callback=key_type_of,
            about="The type of its key: EC256, EC384, RSA2048, RSA3072, RSA4096 or RSA8192; "
            "of a renewed one that which it has, otherwise EC256.",
            metavar="TYPE",
        ),
    ] = None
    profile: Annotated[
        str | None, option("--profile", about="One of the profiles that the CA offers.")
    ] = None
    preferred_chain: Annotated[
        str | None, option("--preferred-chain", about="The common name of the wanted root.")
    ] = None
    no_bundle: Annotated[
        bool, option("--no-bundle", about="Keep the chain apart from the certificate.")
    ] = False
    must_staple: Annotated[
        bool, option("--must-staple", about="Insist on a stapled OCSP answer (RFC 7633).")
    ] = False
    enable_cn: Annotated[
        bool, option("--enable-cn", about="Make the first name the common name, too.")
    ] = False
    not_before: Annotated[
        datetime | None,
        option("--not-before", parser=moment, about="Its first moment (RFC 3339).", metavar="TIME"),
    ] = None
    not_after: Annotated[
        datetime | None,
        option("--not-after", parser=moment, about="Its last moment (RFC 3339).", metavar="TIME"),
    ] = None
    always_deactivate_authorizations: Annotated[
        bool,
        option(
            "--always-deactivate-authorizations",
            about="Give up what was proven, also after success.",
        ),
    ] = False
    force_cert_domains: Annotated[
        bool,
        option(
            "--force-cert-domains",
            about="Renew for these names only, not for those beside that it has.",
        ),
    ] = False

    def check(self, names: list[str]) -> None:
        """Refuse what does not fit together, in lego's cases."""
        if self.csr is not None:
            if names:
                raise WrongUse("--csr has its own names: give either it or names")
            given = {
                "--private-key": self.private_key,
                "--key-type": self.key_type,
                "--must-staple": self.must_staple,
                "--enable-cn": self.enable_cn,
                "--force-cert-domains": self.force_cert_domains,
            }
            if wrong := [flag for flag, value in given.items() if value]:
                raise WrongUse(f"--csr says itself what {wrong[0]} would")
        elif not names and self.cert_name is None:
            raise WrongUse("which names? Give them, or --csr, or --cert.name of one to renew")


def obtain(
    place: Place,
    ca: CA,
    holder: Holder,
    ways: Validation,
    wanted: Wanted,
    renewal: Renewal,
    copies: Copies,
    hooks: HookFlags,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Names and addresses.")
    ] = None,
    dry_run: DryRun = False,
) -> Outcome:
    """Obtain a certificate, or renew it.

    It is kept in the store, with the account; one that is there is renewed if it is due.
    """
    from pylego.renewal._names import check_id, without_way
    from pylego.renewal._orders import keep_request
    from pylego.storage import Origin

    given = [*listed(names), *listed(wanted.domains)]
    wanted.check(given)
    hooks.check()
    if not ways.chosen:
        raise WrongUse("how are the names validated? Give --http, --tls, --dns or --dns-persist")
    challenges = ways.challenges()
    _providers.check(challenges)
    if wrong := without_way(given, challenges):
        raise WrongUse(f"{wrong}: {_issuing.BY_DNS}")
    store = place.store(copies)
    asked = _Asked(given, None if wanted.csr is None else _issuing.text_in(wanted.csr))
    asked.check()
    id = wanted.cert_name or asked.id
    check_id(id)
    if not asked.identifiers and store.load(id) is None:
        raise WrongUse(f"there is no certificate {id} yet: give its names")
    text, force = store.texts([id]).get(id), renewal.renew_force
    origin = Origin() if text is None else text.origin
    managed = _managed(id, asked, wanted, ca, holder, renewal, origin)
    managed = replace(
        managed,
        challenges=tuple(challenges),
        hooks=hooks.hooks(),
        request=remembered(ways, managed, wanted.csr, hooks, renewal, copies),
    )
    ca.check_binding(new=is_new(store, directory_of(ca), managed.accounts[0].name))
    if dry_run:
        action, planned = _issuing.plan(store, managed, force=force)
        if (error := _issuing.refused(store, managed, planned)) is not None:
            raise error
        told = _told(action, planned["why"], planned["next"], plan=planned)
        code = DONE if action == "planned" else NOTHING_DUE
        return Outcome(told, lambda console: show_plan(console, planned), code)
    outcome = _issuing.attend(store, managed, force=force)
    if outcome.error is not None:
        raise outcome.error
    issued = outcome.result == "issued"
    if not issued:
        keep_request(store, managed)
    action = ("obtained" if text is None else "renewed") if issued else "kept"
    certificate = _certificates.described(store, _certificates.there(store, id))
    told = _told(action, outcome.why, _issuing.moment_of(outcome), certificate=certificate)

    def show(console: Console) -> None:
        words = f"{id} is {action}: {outcome.why}"
        console.print(words, markup=False, highlight=False, soft_wrap=True)
        _certificates.show_one(console, certificate)

    return Outcome(told, show, DONE if issued else NOTHING_DUE)


@dataclass(frozen=True)
class _Asked:
    """The names that were given, or the request."""

    names: list[str]
    csr: str | None

    @property
    def id(self) -> str:
        """The certificate's ID, as lego makes it."""
        return self._request["domain"] if self.csr is not None else self.names[0]

    @property
    def identifiers(self) -> list[str]:
        """The names of the request, or those that were given."""
        if self.csr is None:
            return self.names
        return [each["value"] for each in self._request["identifiers"]]

    def check(self) -> None:
        """Refuse what is no name, before anything is kept of it."""
        from pylego.renewal._names import check_name

        for name in self.names:
            check_name(name)

    @property
    def _request(self) -> dict[str, Any]:
        from pylego import _engine

        read: dict[str, Any] = _engine.run(_engine.Call("csr_load", {"csr": self.csr}))
        return read


def _managed(
    id: str, asked: _Asked, wanted: Wanted, ca: CA, holder: Holder, renewal: Renewal, origin: Origin
) -> Managed:
    """Describe what the flags say, and for the rest what is there."""
    from pylego.renewal import Managed
    from pylego.storage import _layout

    if origin.directory not in {None, directory_of(ca)}:
        origin = replace(origin, account=None, profile=None, preferred_chain=None)
    key = None if wanted.private_key is None else key_in(wanted.private_key)
    own_type = _layout.key_type(key) if key else ""
    names, own = asked.identifiers, asked.csr is None
    return Managed(
        name=id,
        domains=tuple(names),
        challenges=(),
        accounts=(account_at(ca, holder.id(ca, origin.account)),),
        key_type=own_type or wanted.key_type or origin.key_type or "EC256",
        reuse_key=renewal.reuse_key,
        profile=wanted.profile,
        preferred_chain=wanted.preferred_chain or origin.preferred_chain,
        bundle=not wanted.no_bundle,
        must_staple=wanted.must_staple
        or (own and bool(origin.must_staple)),  # not given says nothing
        common_name=wanted.enable_cn or (own and bool(origin.common_name)),
        always_deactivate_authorizations=wanted.always_deactivate_authorizations,
        policy=renewal.policy,
        csr=asked.csr,
        key=key,
        not_before=wanted.not_before,
        not_after=wanted.not_after,
        keeps_names=own and not (wanted.force_cert_domains and names),
        at_once=True,
    )


def remembered(
    ways: Validation,
    managed: Managed,
    csr: Path | None,
    hooks: HookFlags,
    renewal: Renewal,
    copies: Copies,
) -> dict[str, Any]:
    """Return what `pylego renew` does likewise: no secret is in it."""
    return {
        **_issuing.told_of(managed.accounts[0]),
        "challenges": ways.remembered(),
        "csr": None if csr is None else str(csr.absolute()),
        "bundle": managed.bundle,
        "must_staple": managed.must_staple,
        "common_name": managed.common_name,
        "always_deactivate_authorizations": managed.always_deactivate_authorizations,
        **renewal.remembered(),
        "hooks": hooks.remembered(),
        "pfx": copies.remembered(),
    }


def _told(action: str, why: str, next_: str, **more: Any) -> dict[str, Any]:
    """Describe it for a program; `action` is obtained, renewed, kept, waiting or planned."""
    plain = {"action": action, "why": why, "next": next_, "plan": None, "certificate": None}
    return {**plain, **more}


def show_plan(console: Console, planned: Mapping[str, Any]) -> None:
    """Show to a person what would be done."""
    account = planned["account"]
    known = account["url"] or "it would be made"
    if not account["terms_accepted"]:
        known += "; the CA's terms are not accepted yet: --accept-tos does"
    rows = [
        ("certificate", planned["id"]),
        ("due", f"{'yes' if planned['due'] else 'no'}: {planned['why']}"),
        ("CA", planned["ca"]),
        ("account", f"{account['id']} ({known})"),
        ("names", ", ".join(planned["names"])),
        *(("validated by", each) for each in planned["challenges"]),
        ("key", planned["key"]),
        ("profile", planned["profile"] or ""),
        ("preferred chain", planned["preferred_chain"] or ""),
        ("goes on with", planned["order"] or ""),
        ("file", planned["certificate"]),
    ]
    console.print(Table(("", ""), [row for row in rows if row[1]]))
