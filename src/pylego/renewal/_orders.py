"""What the manager asks of CAs for one certificate, and keeps on disk before a crash could lose it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from pylego._errors import BadCSR
from pylego._operations import Obtain, ReadRenewalInfo
from pylego.renewal._books import state_of
from pylego.renewal._caller import caller_at
from pylego.renewal._leaf import pem_of
from pylego.renewal._quotas import quotas_of
from pylego.storage import FileStore, Origin, Pending, StoredText
from pylego.storage._layout import key_type

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pylego._certificate import Certificate
    from pylego._events import Event
    from pylego._models import RenewalInfo
    from pylego.renewal._books import Books
    from pylego.renewal._caller import Caller, Ending
    from pylego.renewal._case import Case
    from pylego.renewal._managed import AccountAt, Managed
    from pylego.storage import Store

    OnEvent = Callable[[str, Event], object]

ASKING = 60.0
"""Seconds that a CA has to give its advice."""

NOT_REPLACING = "without telling which certificate it replaces"
"""So begins what the engine tells of an order that the CA would not take for a renewal
(`newOrder` in engine/issuance/renew.go)."""


@dataclass
class Progress:
    """How far an attempt has come."""

    orders: int = 0
    """How many it has made."""

    replaces: bool = True
    """Whether the CA was told what they replace, where it was to be."""
    resumed: bool = False
    """Whether it has gone on with the one that was begun before."""

    def hear(self, event: Event) -> None:
        """Count the orders."""
        self.orders += event.kind == "order"
        if event.kind == "retrying" and event.detail.startswith(NOT_REPLACING):
            self.replaces = False
        self.resumed = self.resumed or event.kind == "order_resumed"


class Orders:
    """Asks CAs by clients of the accounts that a store has."""

    def __init__(
        self, store: Store, books: Books, ending: Ending, timeout: float, on_event: OnEvent | None
    ) -> None:
        """Keep what all orders share."""
        self._store = store
        self._books = books
        self._ending = ending
        self._timeout = timeout
        self._on_event = on_event

    def advice(self, account: AccountAt, kept: StoredText) -> RenewalInfo:
        """Ask when a certificate is to be renewed (RFC 9773)."""
        caller = caller_at(account, account.server.directory, timeout=ASKING)
        return caller.perform(ReadRenewalInfo(pem_of(kept.fullchain)), self._ending)

    def rehearse(self, case: Case, account: AccountAt, directory: str, progress: Progress) -> None:
        """Have a staging issue it: what comes of it serves for nothing else."""
        caller = self._with_account(case, account, directory, progress)
        wanted = None if case.managed.csr else case.managed.key_type
        order = _order(case, directory, key_type=wanted)
        caller.perform(order, self._ending)

    def obtain(
        self,
        case: Case,
        account: AccountAt,
        kept: StoredText | None,
        pending: Pending | None,
        check: Callable[[], object],
        progress: Progress,
    ) -> Certificate:
        """Have the CA issue it, with key and order on disk before.

        A failure leaves them there: whether the order still serves the CA says when it is
        gone on with, and the next one's take their place.

        Args:
            case: the certificate.
            account: by which it is asked for.
            kept: the one that it takes the place of.
            pending: what a crash has cut off.
            check: raises where another has taken this one over.
            progress: is told how far this came.
        """
        name, directory = case.managed.name, account.server.directory
        caller = self._with_account(case, account, directory, progress)
        known, key = caller.account, self._key(case, pending)
        same = pending is not None and pending.key == (key or "")
        finalized = False

        def keep(url: str, made: str) -> None:
            nonlocal finalized
            check()
            self._store.save_pending(name, Pending(key or made, url, directory))
            finalized = True

        order = _order(
            case,
            directory,
            pem_of(kept.fullchain) if kept and case.replaced_at(directory) else None,
            key=key,
            key_type=None if key or case.managed.csr else case.managed.key_type,
            order=pending.order_url if pending is not None and same else None,
            keep_order=keep,
        )
        try:
            certificate = caller.perform(order, self._ending)
        except BadCSR:
            if finalized:  # the CA does not take the key: another is made next time
                self._store.drop_pending(name)
            raise
        if caller.account.url != known.url:  # made anew
            self._store.save_account(replace(known, url=caller.account.url), account.name)
        begun, facts = order.order is not None, case.facts
        if begun and facts is not None and certificate.not_before < facts.not_before:
            # Another program has renewed it since that order was begun.
            self._store.drop_pending(name)
            return self.obtain(case, account, kept, None, check, progress)
        return certificate

    def _key(self, case: Case, pending: Pending | None) -> str | None:
        """Return the key to use, if it is there: otherwise the engine makes one of the wanted type."""
        managed = case.managed
        if managed.csr is not None or managed.key is not None:
            return managed.key
        if pending is not None and key_type(pending.key) == managed.key_type:
            return pending.key
        if not managed.reuse_key or not case.keeps_key_type:
            return None
        kept = self._store.load(managed.name)
        return None if kept is None else kept.private_key

    def keep(self, case: Case, account: AccountAt, certificate: Certificate) -> StoredText:
        """Save what was obtained, and how it was asked for; return it as it is in the store now."""
        managed, directory = case.managed, account.server.directory
        key = certificate.private_key
        origin = Origin(
            directory=directory,
            account=account.name,
            key_type=(key_type(key) or None) if key else None,
            profile=case.profile_at(directory),
            preferred_chain=managed.preferred_chain,
            must_staple=managed.must_staple if managed.csr is None else None,
            common_name=managed.common_name if managed.csr is None else None,
        )
        self._store.save(managed.name, certificate, origin=origin)
        if managed.request is not None:
            keep_request(self._store, managed)
        self._store.drop_pending(managed.name)
        names = tuple(identifier.value for identifier in certificate.identifiers)
        fullchain, order_url = certificate.fullchain, certificate.order_url
        return StoredText(managed.name, fullchain, names, origin, order_url)

    def _with_account(
        self, case: Case, at: AccountAt, directory: str, progress: Progress
    ) -> Caller:
        """Return a client with its account, which is registered where there is none."""
        account = self._books.account(at, directory, self._ending)
        tell, name = self._on_event, case.managed.name

        def on_event(event: Event) -> None:
            progress.hear(event)
            if tell is not None:
                tell(name, event)

        # Events cost more than the rest of an order: nobody needs those of a CA without limits.
        heard = tell is not None or quotas_of(directory).orders is not None
        # Where the CA has lost the account, the engine makes it anew, by the same key.
        return caller_at(
            at,
            directory,
            account=account,
            timeout=self._timeout,
            email=at.email,
            accept_terms=at.accept_terms,
            eab=_binding(at),
            on_event=on_event if heard else None,
        )


def _binding(at: AccountAt) -> tuple[str, str] | None:
    """Read the external account's binding, which an account that is there does without."""
    with suppress(OSError):
        return at.eab()
    return None


REQUEST = "request@"
"""Begins the name, as no certificate is named, of the state that says how one was asked for."""


def check_copies(store: Store, managed: Managed) -> None:
    """Refuse what a store could not save when it is issued; one of somebody's own does so then."""
    if managed.csr is None and isinstance(store, FileStore):
        store.check_copies(managed.name)


def keep_request(store: Store, managed: Managed) -> None:
    """Keep how a command asked for a certificate; no secret is in it."""
    store.save_state(REQUEST + managed.name, dict(managed.request or {}))


def request_of(store: Store, name: str) -> dict[str, Any]:
    """Return how a command asked for a certificate."""
    return state_of(store, REQUEST + name)


def pending_of(store: Store, name: str, directory: str, kept: StoredText | None) -> Pending | None:
    """Return what a crash has cut off, unless its certificate is here already."""
    pending = store.pending(name)
    if pending is None or pending.directory != directory:
        return None
    return None if kept and kept.order_url == pending.order_url else pending


def _order(case: Case, directory: str, replaced: str | None = None, **more: Any) -> Obtain:
    managed = case.managed
    return Obtain(
        identifiers=() if managed.csr else managed.domains,  # in this order, also for a renewal
        renewed=replaced,
        csr=managed.csr,
        challenges=managed.challenges,
        profile=case.profile_at(directory),
        not_before=managed.not_before,
        not_after=managed.not_after,
        preferred_chain=managed.preferred_chain,
        bundle=managed.bundle,
        must_staple=managed.must_staple,
        common_name=managed.common_name,
        always_deactivate_authorizations=managed.always_deactivate_authorizations,
        **more,
    )
