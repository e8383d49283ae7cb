"""What both clients are: one CA, one account, and how a call is made of an operation."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from pylego import _server
from pylego._engine import Call
from pylego._errors import InvalidRequest
from pylego._models import Account
from pylego._operations import Obtain, account_of

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from pylego._operations import Operation
    from pylego._server import Limits, Trust

    Value = TypeVar("Value")

SEED_SIZE = 32
"""Random bytes of which the engine makes an account's key."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """What newAccount asks of a person (RFC 8555 section 7.3)."""

    email: str | None
    accept_terms: bool
    eab: tuple[str, str] | None = field(repr=False)
    """Key identifier and HMAC key of an external account."""
    seed: str = field(repr=False, default_factory=lambda: os.urandom(SEED_SIZE).hex())
    """What a new key is made of. It is no key yet, whose making would load the engine,
    and one for all operations, also for those that begin at once."""

    def message(self, account: Account, key_changes: int) -> dict[str, Any]:
        """Describe the account to the engine."""
        message: dict[str, Any] = {
            "key": account.key or "",
            "key_changes": key_changes,
            "url": account.url or "",
            "directory": account.directory or "",
            "seed": self.seed,
            "email": self.email or "",
            "terms_agreed": self.accept_terms,
        }
        if self.eab is not None:
            message["eab"] = {"key_id": self.eab[0], "hmac": self.eab[1]}
        return message


class BaseClient:
    """The settings of a client, and the account that it has by now."""

    def __init__(
        self,
        directory: str,
        *,
        account: Account | None = None,
        email: str | None = None,
        accept_terms: bool = False,
        eab: tuple[str, str] | None = None,
        trust: Trust | None = None,
        verify: bool = True,
        proxy: str | None = None,
        ip_version: int | None = None,
        timeout: float | None = None,
        cleanup_timeout: float = 10.0,
        limits: Limits | None = None,
        isolation: str | None = None,
        user_agent: str | None = None,
    ) -> None:
        """Keep the settings; nothing is sent."""
        self._directory = directory
        self._server = _server.message(
            directory,
            trust=trust,
            verify=verify,
            proxy=proxy,
            ip_version=ip_version,
            limits=limits,
            user_agent=user_agent,
        )
        # By how often its key was changed: results may be read in any order.
        self._accounts = {0: _usable(account or Account())}
        self._application = Application(
            email=email, accept_terms=accept_terms, eab=None if eab is None else _binding(eab)
        )
        self._timeout = timeout
        self._cleanup_timeout = cleanup_timeout
        self._isolation = isolation

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._directory!r}, account={self.account!r})"

    @property
    def account(self) -> Account:
        """The account; its key is `None` until an operation needed one."""
        return self._accounts[self._key_changes]

    @property
    def _key_changes(self) -> int:
        return max(tuple(self._accounts))  # a copy, which other threads do not change

    def _call(self, operation: Operation[Any], timeout: float | None) -> Call:
        changes = self._key_changes
        message = {
            "server": self._server,
            "account": self._application.message(self._accounts[changes], changes),
            "cleanup_timeout": self._cleanup_timeout,
            **operation.message(),
        }
        timeout = self._timeout if timeout is None else timeout
        return Call(
            operation.name,
            message,
            timeout,
            self._cleanup_timeout,
            answer=operation.answer if isinstance(operation, Obtain) else None,
            isolation=self._isolation,
        )

    def _value(self, operation: Operation[Value], data: dict[str, Any]) -> Value:
        """Read the engine's answer, and keep what it tells of the account."""
        if told := data.get("account"):
            account = account_of(told)
            if account.status is None:  # the CA was not asked about it
                kept = self.account
                account = replace(account, status=kept.status, email=kept.email)
            self._accounts[told["key_changes"]] = account
        return operation.result(data)


def _usable(account: Account) -> Account:
    if account.url is not None and account.key is None:
        msg = (
            f"the account {account.url} lacks its key, without which nobody can use it: "
            "Account.to_json(include_key=True) keeps it"
        )
        raise InvalidRequest(msg, code="invalid_arguments")
    return account


def _binding(eab: object) -> tuple[str, str]:
    match eab:
        case (str(key_id), str(hmac)):
            return key_id, hmac
        case _:
            pass
    msg = "eab is a pair: the key identifier and the HMAC key"  # which it may hold
    raise InvalidRequest(msg, code="invalid_arguments")
