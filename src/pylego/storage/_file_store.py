"""A store in a folder that lego v5 reads and writes, too."""

from __future__ import annotations

import errno
import os

from pylego._errors import StorageError
from pylego.storage import _accounts, _certificates, _layout, _notes, _stamps
from pylego.storage._locks import Lock
from pylego.storage._recovery import recover_at_once
from pylego.storage._values import Origin

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pylego._certificate import Certificate
    from pylego._models import Account
    from pylego.storage._values import Pending, StoredText

CANNOT_WRITE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


class FileStore:
    """Certificates, accounts and what renewing them needs, in a folder in lego v5's layout.

    lego reads and writes the same folder; what it has no place for lies in a folder
    `pylego` in it, which lego leaves alone. Any number of threads, processes and hosts
    may use a store at once.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        pem: bool = False,
        pfx_password: str | None = None,
        pfx_format: str = "SHA256",
    ) -> None:
        """Open a store, and finish what a crash has left half done.

        Args:
            folder: lego's `--path`, such as `.lego`; what is first saved makes it.
            pem: whether each certificate is saved as a .pem, too: chain and key in one
                file, which is replaced at once, for servers that may read it at any
                moment. As in lego that is to be asked for, since it is one more copy of
                the key; where there is a .pem already it is replaced with the rest.
            pfx_password: has each certificate saved as a .pfx (PKCS#12), too. Without it
                no other certificate is saved where there is a .pfx already.
            pfx_format: as in `Certificate.pkcs12`.

        Raises:
            StorageError: others can write into the folder, or what a crash has left
                cannot be finished.
        """
        self.folder = os.path.abspath(folder)
        """Where the store is, an absolute path."""
        self._copies = _certificates.Copies(pem, pfx_password, pfx_format)
        try:
            recover_at_once(self.folder)
        except StorageError as error:
            # Reading goes without: the journal tells the new files.
            if getattr(error.__cause__, "errno", None) not in CANNOT_WRITE:
                raise

    def __repr__(self) -> str:
        return f"FileStore({self.folder!r})"

    # Certificates

    def certificate_ids(self) -> list[str]:
        """Return the IDs of all certificates, sorted; `load` tells why one cannot be read.

        Raises:
            StorageError: the folder cannot be read.
        """
        return _certificates.ids(self.folder)

    def load(self, id: str) -> Certificate | None:
        """Return a certificate with its chain and key: always ones that belong together.

        Where lego writes them at the moment it is waited for.

        Args:
            id: the certificate's ID, as lego has it: its first name by default.

        Returns:
            The certificate; `None` where there is none.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be read, or the files do not belong together.
        """
        return _certificates.load(self.folder, id)

    def texts(self, ids: Iterable[str] | None = None) -> dict[str, StoredText]:
        """Return certificates as text, without parsing them and without their keys: thousands in a second.

        Args:
            ids: the IDs of those that are wanted; all by default.

        Returns:
            The texts by ID. One that cannot be read is missing: `load` tells why.

        Raises:
            InvalidRequest: no certificate can have one of the IDs.
            StorageError: the folder cannot be read.
        """
        return _certificates.texts(self.folder, ids)

    def save(self, id: str, certificate: Certificate, *, origin: Origin | None = None) -> None:
        """Keep a certificate with its chain and key, in the place of an older one.

        All of its files are replaced, or none; the older ones go into an archive, as
        `lego archives list` shows it. When this returns they are on the disk.

        Args:
            id: the certificate's ID.
            certificate: the certificate; without a key none is kept with it.
            origin: how it was asked for.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be written, or there is a .pfx, for which the store has
                no password; what is read then is the older one or this one, whole.
        """
        _certificates.save(self.folder, id, certificate, origin or Origin(), self._copies)

    def check_copies(self, id: str) -> None:
        """Make sure, before a certificate is asked for, that its .pfx can be replaced with it.

        Args:
            id: the certificate's ID.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: there is a .pfx, for which the store has no password.
        """
        _certificates.check_copies(self.folder, id, self._copies)

    def remove(self, id: str) -> None:
        """Remove a certificate and its renewal state; its files go into an archive.

        What is pending stays: a certificate may come of it.

        Args:
            id: the certificate's ID; one that is not there is none.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be removed.
        """
        _certificates.remove(self.folder, id)

    # Accounts

    def accounts(self) -> list[tuple[str, str]]:
        """Return the directory URL and the ID of each account, sorted.

        Raises:
            StorageError: the folder, or an account in it, cannot be read, or one does not
                say at which CA it is.
        """
        return _accounts.every(self.folder)

    def load_account(self, directory: str, id: str = _layout.NO_EMAIL) -> Account | None:
        """Return an account with its key.

        Args:
            directory: the URL of the CA's directory.
            id: the account's ID, as lego has it: its email address by default.

        Returns:
            The account, without a URL where a key is there that no account was seen of
            yet: registering it returns the account that the CA has for it, or makes one.
            `None` where there is no key.

        Raises:
            InvalidRequest: no account can have this directory and ID.
            StorageError: it cannot be read, or its key is missing.
        """
        return _accounts.load(self.folder, directory, id)

    def save_account(self, account: Account, id: str | None = None) -> str:
        """Keep an account with its key; where it has another one, the older files go into an archive.

        Args:
            account: the account; it has a key and a directory.
            id: its ID; as with lego its email address by default.

        Returns:
            The ID.

        Raises:
            InvalidRequest: the account has no key, or no folder can have its ID's name.
            StorageError: it cannot be written; what was there before still is.
        """
        return _accounts.save(self.folder, account, id)

    def save_pending_key(self, directory: str, id: str, key: str) -> None:
        """Keep the key that an account is to have, before the CA is told of it.

        Args:
            directory: the URL of the CA's directory.
            id: the account's ID.
            key: the new key, PEM.

        Raises:
            InvalidRequest: no account can have this directory and ID.
            StorageError: it cannot be written.
        """
        _accounts.save_pending_key(self.folder, directory, id, key)

    def pending_key(self, directory: str, id: str) -> str | None:
        """Return the key that an account was to have; `None` where none is pending.

        The CA tells which one it has: after a crash both are tried.

        Args:
            directory: the URL of the CA's directory.
            id: the account's ID.

        Raises:
            InvalidRequest: no account can have this directory and ID.
            StorageError: it cannot be read.
        """
        return _accounts.pending_key(self.folder, directory, id)

    def settle_key(self, directory: str, id: str, *, changed: bool) -> None:
        """End a change of an account's key, as the CA has decided it.

        Args:
            directory: the URL of the CA's directory.
            id: the account's ID.
            changed: whether the CA has the pending key: then the account gets it, and
                the old one goes into an archive. Otherwise the pending one goes.

        Raises:
            InvalidRequest: no account can have this directory and ID.
            StorageError: it cannot be written, or no key is pending.
        """
        _accounts.settle_key(self.folder, directory, id, changed=changed)

    # What is on its way, and renewal state

    def pending(self, id: str) -> Pending | None:
        """Return a certificate's order that was begun and not seen to its end.

        Args:
            id: the certificate's ID.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be read.
        """
        return _notes.pending(self.folder, id)

    def save_pending(self, id: str, pending: Pending) -> None:
        """Keep a key and the order it is for, before the order is finalized.

        Args:
            id: the certificate's ID.
            pending: key, order and directory.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be written; then the order is not to be finalized.
        """
        _notes.save_pending(self.folder, id, pending)

    def drop_pending(self, id: str) -> None:
        """Forget an order: its certificate is saved, or it has failed.

        Args:
            id: the certificate's ID.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be removed.
        """
        _notes.drop_pending(self.folder, id)

    def state(self, id: str) -> dict[str, Any]:
        """Return what was kept by `save_state`; nothing where that was not called.

        Args:
            id: the certificate's ID.

        Raises:
            InvalidRequest: no certificate can have this ID.
            StorageError: it cannot be read.
        """
        return _notes.state(self.folder, id)

    def states(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the states of many at once; those without one are missing.

        Args:
            ids: the certificates' IDs.

        Raises:
            InvalidRequest: no certificate can have one of the IDs.
            StorageError: one cannot be read.
        """
        return _notes.states(self.folder, ids)

    def save_state(self, id: str, state: dict[str, Any]) -> None:
        """Keep what renewing a certificate has to remember.

        Args:
            id: the certificate's ID.
            state: an object of JSON.

        Raises:
            InvalidRequest: no certificate can have this ID, or the state is no JSON.
            StorageError: it cannot be written; what was there before still is.
        """
        _notes.save_state(self.folder, id, state)

    def stamps(self, ids: Iterable[str]) -> dict[str, str]:
        """Tell which files certificates and their states are at the moment, without reading them.

        As long as a certificate's stamp is the same, so is what `texts` and `state` return.

        Args:
            ids: the certificates' IDs.

        Returns:
            The stamps by ID. Those have none that are not there, and those that are being
            written, or were in the last two seconds.

        Raises:
            InvalidRequest: no certificate can have one of the IDs.
            StorageError: the folder cannot be read.
        """
        return _stamps.stamps(self.folder, ids)

    def lock(self, name: str, timeout: float | None = None) -> Lock:
        """Return a lock for `with`: among threads, processes and hosts one has it at a time.

        Lock, read again, then act: another may have done the work meanwhile. What a
        crash on this host leaves locked is free at once, what one on another host
        leaves after half a minute. It is not to be taken twice by the same thread.
        Saving and reading take none: each is whole by itself.

        Args:
            name: what is locked, such as a certificate's ID.
            timeout: seconds to wait for it at most, when it is entered; for ever by default.
                What another host seems to have left an hour ago or more is watched for
                half a minute all the same, and taken then.

        Raises:
            InvalidRequest: no file can have this name.
            DeadlineExceeded: (on entering) it was not free in time.
            StorageError: (on entering) the folder cannot be written.
        """
        return Lock(self.folder, _layout.safe_name(name), timeout)
