"""One certificate: whether it is due, and how it comes into the store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pylego.cli import _providers
from pylego.cli._frame import WrongUse, option, words_of
from pylego.cli._options import CA, Validation, fitting
from pylego.cli._place import account_at, file_of, is_new
from pylego.cli._progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pylego._challenges import Challenge
    from pylego._errors import LEGOError
    from pylego.cli._hooks import HookFlags
    from pylego.cli._place import Copies, Holder
    from pylego.renewal import AccountAt, Managed, Outcome
    from pylego.renewal._attempt import Keeper
    from pylego.renewal._decision import Policy
    from pylego.renewal._orders import OnEvent
    from pylego.storage import FileStore, Origin, StoredText


@dataclass(frozen=True)
class Timing:
    """When a certificate that is there is renewed."""

    renew_days: Annotated[
        float | None,
        option(
            "--renew-days",
            min=0,
            about="Renew so many days before the end; by default for the last third of its life, "
            "or the last half of ten days or less.",
            show_default=False,
        ),
    ] = None
    ari_disable: Annotated[
        bool, option("--ari-disable", about="Do not ask the CA when to renew (RFC 9773).")
    ] = False


@dataclass(frozen=True)
class Renewal(Timing):
    """When it is renewed, and how."""

    renew_force: Annotated[
        bool, option("--renew-force", about="Renew now, whether it is due or not.")
    ] = False
    reuse_key: Annotated[bool, option("--reuse-key", about="Renew with the same private key.")] = (
        False
    )

    @property
    def policy(self) -> Policy:
        """When to renew."""
        from pylego.renewal._decision import Policy

        return Policy(days=self.renew_days, heed_advice=not self.ari_disable)

    def remembered(self) -> dict[str, Any]:
        """Return what is kept for renewals."""
        return {
            "renew_days": self.renew_days,
            "ari_disable": self.ari_disable,
            "reuse_key": self.reuse_key,
        }

    def or_those(self, told: Mapping[str, Any]) -> Renewal:
        """Return these, with what `remembered` returned where nothing is given."""
        from pylego._errors import InvalidRequest

        kept = Renewal(**fitting(Renewal, told))
        both = replace(
            self,
            renew_days=kept.renew_days if self.renew_days is None else self.renew_days,
            ari_disable=self.ari_disable or kept.ari_disable,
            reuse_key=self.reuse_key or kept.reuse_key,
        )
        with suppress(InvalidRequest):
            _ = both.policy
            return both
        return self  # somebody has edited what was kept


def now() -> datetime:
    """Return the moment."""
    return datetime.now(timezone.utc)


def remembered(
    store: FileStore,
    ca: CA,
    holder: Holder,
    ways: Validation,
    renewal: Renewal,
    copies: Copies,
    hooks: HookFlags,
) -> dict[str, Managed]:
    """Describe all certificates of the store as they were asked for; what is not known flags say."""
    texts, flags = store.texts(), (ca, holder, ways, renewal, copies, hooks)
    return {id: _remembered(store, id, texts.get(id), *flags) for id in store.certificate_ids()}


def _remembered(
    store: FileStore,
    id: str,
    text: StoredText | None,
    ca: CA,
    holder: Holder,
    ways: Validation,
    renewal: Renewal,
    copies: Copies,
    hooks: HookFlags,
) -> Managed:
    from pylego.renewal import Managed
    from pylego.renewal._names import without_way
    from pylego.renewal._orders import request_of
    from pylego.renewal._saved import object_of
    from pylego.storage import Origin

    known, origin = request_of(store, id), text.origin if text else Origin()
    at = _account_of(origin, known, ca, holder)
    if not ways.chosen:
        ways = Validation.from_remembered(object_of(known.get("challenges")))
    hooks = hooks.or_those(object_of(known.get("hooks")))
    pfx = object_of(known.get("pfx"))
    renewal = renewal.or_those(known)
    names = text.names if text else ()
    challenges, csr, missing = _known(store, id, ways, known.get("csr"))
    if wrong := "" if missing else without_way(names, challenges):
        missing = f"{wrong}: {BY_DNS}"
    bundle = known.get("bundle")
    if not isinstance(bundle, bool):
        bundle = text is None or text.fullchain.count(BEGIN) != 1
    return Managed(
        name=id,
        domains=names,
        challenges=challenges,
        accounts=(at,),
        key_type=origin.key_type or "EC256",
        reuse_key=renewal.reuse_key,
        preferred_chain=origin.preferred_chain,
        bundle=bundle,
        must_staple=bool(known.get("must_staple", origin.must_staple)),
        common_name=bool(known.get("common_name", origin.common_name)),
        always_deactivate_authorizations=bool(known.get("always_deactivate_authorizations")),
        policy=renewal.policy,
        hooks=hooks.hooks(),
        csr=csr,
        missing=missing,
        request={
            **known,
            **told_of(at),
            "challenges": ways.remembered(),
            "hooks": hooks.remembered(),
            "pfx": copies.or_those(pfx).remembered(pfx),
        },
    )


def _account_of(origin: Origin, known: Mapping[str, Any], ca: CA, holder: Holder) -> AccountAt:
    """Describe a certificate's account: for one of lego's, which does not keep it, as it was told."""
    server, account = (
        each if isinstance(each := known.get(name), str) else "" for name in ("server", "account")
    )
    own = origin.directory
    if own is None and ca.server == CA().server and server.startswith("https://"):
        own = server
    ca = replace(ca, server=own or ca.server)
    return account_at(ca, origin.account or holder.id(ca, account or None))


def told_of(at: AccountAt) -> dict[str, str]:
    """Return what is kept of an account, for certificates that lego obtained: it does not keep that."""
    return {"server": at.server.directory, "account": at.name}


BEGIN = "-----BEGIN CERTIFICATE-----"


def _known(
    store: FileStore, id: str, ways: Validation, csr: object
) -> tuple[tuple[Challenge, ...], str | None, str]:
    """Return how the names are validated, the certificate request, and what is not known of both."""
    from pylego._errors import LEGOError

    if not ways.chosen:
        return (), None, f"how the names of {id} are validated is not known: {GIVE_A_WAY} once"
    path = csr if isinstance(csr, str) else None
    if path is None and not Path(file_of(store, id, ".key")).exists():
        why = "which is not known: `pylego obtain --csr` renews it"
        return (), None, f"{id} was obtained by a certificate request, {why}"
    try:
        request = None if path is None else text_in(Path(path))
        return tuple(ways.challenges()), request, ""
    except LEGOError as error:
        return (), None, error.detail
    except OSError as error:
        return (), None, words_of(error)
    except WrongUse as error:
        return (), None, str(error)


def checked(store: FileStore, managed: Managed, copies: Copies, ca: CA, how: str) -> Managed:
    """Look for what a renewal would lack for certain, before anybody is asked for anything."""
    from pylego._errors import LEGOError

    at, missing = managed.accounts[0], managed.missing or copies.lacking(pfx_of(managed))
    try:
        _providers.check(managed.challenges, how)
        if is_new(store, at.server.directory, at.name):
            ca.check_binding(new=True) if at.binding else at.eab()
    except LEGOError as error:
        missing = missing or error.detail
    except OSError as error:
        missing = missing or words_of(error)
    except WrongUse as error:
        missing = missing or str(error)
    return replace(managed, missing=missing)


def pfx_of(managed: Managed) -> dict[str, Any]:
    """Return what is kept of a certificate's .pfx; nothing for none."""
    from pylego.renewal._saved import object_of

    return object_of((managed.request or {}).get("pfx"))


def known_to_lack(outcome: Outcome, managed: Managed) -> Outcome:
    """Tell what is missing before its time has come: until then it would be for nobody to see."""
    from pylego._errors import InvalidRequest

    if outcome.error is not None or not managed.missing:
        return outcome
    return replace(outcome, error=InvalidRequest(managed.missing))


GIVE_A_WAY = "give `pylego renew` --http, --tls, --dns or --dns-persist"
BY_DNS = "a wildcard is validated by --dns or --dns-persist, not by --http or --tls"


def attend(store: FileStore, managed: Managed, *, force: bool) -> Outcome:
    """Do what is to be done for a certificate, as the manager does, on this thread: somebody may be asked."""
    with progress(managed.name, len(managed.domains)) as show:
        keeper = _keeper(store, lambda _, event: show(event))
        return keeper.attend(managed, None, force=force)


def _keeper(store: FileStore, on_event: OnEvent | None = None) -> Keeper:
    from pylego.renewal._attempt import Keeper
    from pylego.renewal._caller import Ending
    from pylego.renewal._manager import TIMEOUT, system_clock

    return Keeper(store, clock=system_clock, ending=Ending(), timeout=TIMEOUT, on_event=on_event)


def plan(store: FileStore, managed: Managed, *, force: bool) -> tuple[str, dict[str, Any]]:
    """Say what would become of it, and what would be asked of whom; nobody is asked."""
    from pylego.renewal._attempt import FORCED

    keeper = _keeper(store)
    case = keeper.case(managed)
    outcome, managed = case.look(keeper.ledgers()), case.managed
    due, at = outcome.result == "due", managed.accounts[0]
    directory = at.server.directory
    account, pending = store.load_account(directory, at.name), store.pending(managed.name)
    return "planned" if due or force else outcome.result, {
        "id": managed.name,
        "due": due or force,
        "why": FORCED if force and not due else outcome.why,
        "next": moment_of(outcome) if due or not force else now().isoformat(),
        "ca": directory,
        "account": {
            "id": at.name,
            "url": None if account is None else account.url,
            "email": at.email if account is None else account.email,
            "terms_accepted": at.accept_terms or not is_new(store, directory, at.name),
        },
        "names": list(managed.domains),
        "challenges": [in_words(each) for each in managed.challenges],
        "key": _whose(managed),
        "profile": case.profile_at(directory),
        "preferred_chain": managed.preferred_chain,
        "order": None if pending is None else pending.order_url,
        "replaces": case.memory.of if case.replaced_at(directory) else None,
        "certificate": file_of(store, managed.name, ".crt"),
    }


def refused(store: FileStore, managed: Managed, planned: Mapping[str, Any]) -> LEGOError | None:
    """Return why what is planned would be refused before anybody is asked."""
    from pylego._errors import LEGOError
    from pylego.renewal._orders import check_copies

    try:
        if planned["due"]:
            check_copies(store, managed)
    except LEGOError as error:
        return error
    return None


def moment_of(outcome: Outcome) -> str:
    """Return from when on a certificate is due, or may be tried again."""
    return (outcome.when or outcome.next).isoformat()


def _whose(managed: Managed) -> str:
    if managed.csr is not None:
        return "the certificate request's"
    if managed.reuse_key:
        return "the same again"
    return "given" if managed.key is not None else f"a new one, {managed.key_type}"


def in_words(challenge: Challenge) -> str:
    """Say how names are validated."""
    from pylego._challenges import DNS01, HTTP01, TLSALPN01

    match challenge:
        case HTTP01(webroot=None):
            return f"http-01, answered at {challenge.host}:{challenge.port}"
        case HTTP01():
            return f"http-01, answered from {challenge.webroot}"
        case TLSALPN01():
            return f"tls-alpn-01, answered at {challenge.host}:{challenge.port}"
        case DNS01():
            return f"dns-01, by {challenge.provider}"
        case _:
            return "dns-persist-01, by the record that is there"


def text_in(path: Path) -> str:
    """Read a certificate request."""
    return path.read_text(encoding="ascii", errors="replace")
