"""Every operation once: what it asks of the engine, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pylego._errors import Identifier
from pylego._models import Certificate

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any, Protocol, TypeVar

    from pylego._challenges import Challenge

    Message = dict[str, Any]
    Value_co = TypeVar("Value_co", covariant=True)

    class Operation(Protocol[Value_co]):
        """Something that the engine can do."""

        @property
        def name(self) -> str:
            """The engine's name for it."""
            ...

        def message(self) -> Message:
            """Describe the operation to the engine."""
            ...

        def result(self, data: Any) -> Value_co:
            """Read the engine's answer."""
            ...


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Server:
    """A CA, and how it is reached."""

    directory: str
    trust: str | None = None
    """PEM roots for its HTTPS certificate beside the system's."""

    def message(self) -> Message:
        """Describe the CA to the engine."""
        return {"directory": self.directory, "trust": {"pem": self.trust or ""}}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AccountSettings:
    """An account as its owner knows it."""

    key: str | None = field(default=None, repr=False)
    email: str | None = None
    accept_terms: bool = False
    eab: tuple[str, str] | None = field(default=None, repr=False)
    """Key identifier and HMAC key of an external account."""

    def with_key(self, key: str) -> AccountSettings:
        """Return the same account with the key that was made for it."""
        return replace(self, key=key)

    def message(self) -> Message:
        """Describe the account to the engine."""
        message: Message = {
            "key": self.key or "",
            "email": self.email or "",
            "terms_agreed": self.accept_terms,
        }
        if self.eab is not None:
            message["eab"] = {"key_id": self.eab[0], "hmac": self.eab[1]}
        return message


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Obtain:
    """From newOrder to the certificate (RFC 8555 section 7.4)."""

    name = "obtain"

    server: Server
    account: AccountSettings
    challenges: Sequence[Challenge]
    identifiers: Sequence[str] = ()
    csr: str | None = None
    key_type: str = "EC256"
    profile: str | None = None
    cleanup_timeout: float = 10.0

    def message(self) -> Message:
        """Describe the order to the engine."""
        return {
            "server": self.server.message(),
            "account": self.account.message(),
            "challenges": [challenge.message() for challenge in self.challenges],
            "identifiers": list(self.identifiers),
            "csr": self.csr or "",
            "key": {"type": self.key_type},
            "profile": self.profile or "",
            "cleanup_timeout": self.cleanup_timeout,
        }

    def result(self, data: Any) -> Certificate:
        """Read the certificate."""
        return Certificate(
            pem=data["certificate"],
            issuer_pem=data["issuer_certificate"],
            private_key=data.get("private_key"),
            account_key=data["account_key"],
            account_url=data["account_url"],
            csr=data["csr"],
            identifiers=tuple(Identifier(**identifier) for identifier in data["identifiers"]),
            url=data["url"],
            not_before=_moment(data["not_before"]),
            not_after=_moment(data["not_after"]),
            serial=data["serial"],
            issuer=data["issued_by"],
        )


def _moment(text: str) -> datetime:
    from datetime import datetime  # noqa: PLC0415 -- a third of our import time

    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 does not know Z


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunLegoCommand:
    """run_lego_command of pylego 0.1: its JSON message, answered in kind."""

    name = "run_lego_command"

    text: str = field(repr=False)

    def message(self) -> Message:
        """Pass the message on."""
        return {"message": self.text}

    def result(self, data: Any) -> dict[str, Any]:
        """Return the answer's data as it is."""
        return dict(data)


EMBEDDED_SERVER = ("start", "stop", "dns", "records", "faults", "requests", "authorizations")
"""The verbs of `pylego.testing`'s server, which passes settings and answers on as they are."""

OPERATIONS = (
    Obtain.name,
    RunLegoCommand.name,
    *(f"testca_{verb}" for verb in EMBEDDED_SERVER),
    "contract",
    "statistics",
)
"""Every operation that Python uses; a test compares them with the engine's table."""
