"""A certificate that is worked at, and what hooks are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pylego.renewal._hooks import About, Files, files_of
from pylego.renewal._quotas import MINUTE
from pylego.renewal._record import Attempt

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from pylego.renewal._case import Case, Ledgers
    from pylego.renewal._choice import Choice
    from pylego.renewal._managed import AccountAt, Managed
    from pylego.storage import Store, StoredText

BESIDES = 5 * MINUTE
"""What an attempt may take beside its order: to open an account, and to clean up."""


@dataclass
class Work:
    """A certificate that is worked at, and what has become of it so far."""

    case: Case
    lock: Any
    kept: StoredText | None
    """The certificate that is there: the new one, once it is."""
    ledgers: Ledgers
    account: AccountAt
    """By which it is asked for."""
    why: str = ""
    """Why it was due."""
    renewal: bool = False
    """Whether there was one before."""
    issued: bool = False
    error: Exception | None = None

    def check(self) -> None:
        """Raise where the lock was lost; one of somebody else's store may not tell."""
        check = getattr(self.lock, "check", None)
        if check is not None:
            check()

    def about(self, store: Store) -> About:
        """Say what hooks are told."""
        managed, account = self.case.managed, self.account
        return About(
            managed.name,
            managed.domains,
            managed.key_type,
            account.server.directory,
            account.name,
            account.email,
            renewal=self.renewal,
            files=files_of(store, managed.name) if self.issued else Files(),
        )


def account_of(managed: Managed, choice: Choice) -> AccountAt:
    """Return the account by which an attempt is made."""
    directory = choice.candidate.directory
    every = ((each, each.server) for each in managed.accounts)
    return next(
        each
        for each, server in every
        if directory == (server.staging if choice.rehearsal else server.directory)
    )


def attempt_at(work: Work, choice: Choice, began: datetime, timeout: float) -> Attempt:
    """Describe an attempt that begins now; its order may take so many seconds by default."""
    candidate, seconds = choice.candidate, work.account.server.timeout or timeout
    return Attempt(
        candidate.quotas,
        began,
        candidate.advised,
        of=work.case.managed.name,
        kept=work.case.memory.of,
        longest=timedelta(seconds=seconds) + BESIDES,
    )
