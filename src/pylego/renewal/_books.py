"""What certificates share, kept in the store: a CA's tallies, and the accounts."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from urllib.parse import urlsplit

from pylego._errors import AccountDoesNotExist, ACMEError, StorageError, TermsNotAccepted
from pylego._models import Account
from pylego._operations import GenerateKey, OnAccount
from pylego.renewal._caller import caller_at
from pylego.renewal._history import Ledger

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from pylego.renewal._caller import Ending
    from pylego.renewal._managed import AccountAt
    from pylego.storage import Store

ACCOUNT_KEY = "EC256"
"""The type of an account's key; lego's default."""

REGISTERING = 60.0
"""Seconds that a CA has to open an account, while others wait for it."""

log = logging.getLogger("pylego")


class Books:
    """The ledgers and accounts of a store, for any number of threads, processes and hosts."""

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self._store = store
        self._guards: dict[str, threading.Lock] = {}

    def ledger(self, directory: str, account: str) -> Ledger:
        """Return what is remembered of an account's CA."""
        return Ledger.from_json(self._state(_name("ledger", directory, account)))

    def change(
        self, directory: str, account: str, before: Ledger, change: Callable[[Ledger], Ledger]
    ) -> Ledger:
        """Remember something else, and return it: what others have noted since `before` is kept."""
        if change(before) == before:  # so where a CA has no limits, for thousands in a row
            return before
        name = _name("ledger", directory, account)
        with self._locked(name):
            after = change(Ledger.from_json(self._state(name)))
            self._store.save_state(name, after.to_json())
        return after

    def account(
        self, at: AccountAt, directory: str, ending: Ending, key_type: str = ACCOUNT_KEY
    ) -> Account:
        """Return an account; where there is none it is registered, with a key that is on disk before.

        Should everything end then, registering it once more returns the account that the
        CA has for that key.

        Raises:
            LEGOError: the CA refused, or the store.
            OSError: the key of an external account cannot be read.
        """
        account = self._account(at, directory)
        if account is not None:
            return account
        with self._locked(account_name(directory, at.name)):
            self.settle(at, directory, ending)
            return self._account(at, directory) or self._register(at, directory, ending, key_type)

    def _account(self, at: AccountAt, directory: str) -> Account | None:
        """Return an account that can be used as it is."""
        account = self._store.load_account(directory, at.name)
        settled = account is not None and account.url is not None
        return account if settled and self._store.pending_key(directory, at.name) is None else None

    def settle(self, at: AccountAt, directory: str, ending: Ending) -> bool | None:
        """End a change of the key that was cut off, as the CA says; the caller holds the account's lock.

        Returns:
            Whether the CA has the new key; `None` where no change was cut off.

        Raises:
            LEGOError: the CA does not say; both keys stay, and it can be asked again.
        """
        key = self._store.pending_key(directory, at.name)
        if key is None:
            return None
        changed = self._has_changed(at, directory, key, ending)
        self._store.settle_key(directory, at.name, changed=changed)
        return changed

    def _has_changed(self, at: AccountAt, directory: str, key: str, ending: Ending) -> bool:
        """Ask the CA whether it has the new key for the account."""
        account = self._store.load_account(directory, at.name)

        def url_of(key: str | None) -> str | None:
            caller = caller_at(at, directory, account=Account(key=key), timeout=REGISTERING)
            return caller.perform(OnAccount("recover"), ending).url

        try:
            url = url_of(key)
        except AccountDoesNotExist:
            return False
        except ACMEError as error:
            if error.retryable or account is None:
                raise
            why = str(error)  # it may be no key that the CA takes
        else:
            if account is None or account.url in {None, url}:
                return True
            why = f"it is that of the account {url}"
        # A key is let go only where the account can do without it.
        url_of(account.key)
        log.warning(
            "the account %s at %s keeps its key, and the new one is let go: %s",
            at.name,
            directory,
            why,
        )
        return False

    def _register(self, at: AccountAt, directory: str, ending: Ending, key_type: str) -> Account:
        account = self._store.load_account(directory, at.name)
        if account is None or account.key is None:
            caller = caller_at(at, directory, timeout=REGISTERING)
            key = caller.perform(GenerateKey(key_type), ending)
            account = Account(key=key, directory=directory, email=at.email)
            self._store.save_account(account, at.name)
        application: dict[str, Any] = {
            "account": Account(key=account.key),
            "timeout": REGISTERING,
            "email": at.email,
            "eab": at.eab(),
        }

        def register(*, terms: bool) -> Account:
            caller = caller_at(at, directory, accept_terms=terms, **application)
            return caller.perform(OnAccount("register"), ending)

        try:
            registered = register(terms=at.accept_terms)
        except TermsNotAccepted as error:
            if at.accept_terms or at.consent is None or not at.consent(error.detail):
                raise
            registered = register(terms=True)
        registered = replace(registered, email=registered.email or at.email, directory=directory)
        self._store.save_account(registered, at.name)
        return registered

    def _state(self, name: str) -> dict[str, Any]:
        return state_of(self._store, name)

    @contextmanager
    def _locked(self, name: str) -> Generator[None]:
        # Threads wait for each other here: the store's lock is looked at now and then.
        with self._guards.setdefault(name, threading.Lock()), self._store.lock(name):
            yield


def state_of(store: Store, name: str) -> dict[str, Any]:
    """Return what was remembered. What cannot be read is not there: renewing goes on."""
    with suppress(StorageError):
        return store.state(name)
    log.warning("what was remembered of %s cannot be read, and is forgotten", name)
    return {}


def account_name(directory: str, account: str) -> str:
    """Name the lock of who makes an account or changes its key."""
    return _name("account", directory, account)


def _name(what: str, directory: str, account: str) -> str:
    """Name it as no certificate is named, and each account differently."""
    digest = sha256(f"{directory} {account}".encode()).hexdigest()[:16]
    return f"{what}@{urlsplit(directory).hostname or ''}@{digest}"
