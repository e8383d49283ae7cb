"""Every operation once: what it asks of the engine, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from pylego._certificate import Certificate, certificate_of, moment_of
from pylego._challenges import described, own_code, presentation_of
from pylego._errors import InvalidRequest, from_now
from pylego._models import Account, Directory, RenewalInfo

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any, Protocol, TypeVar

    from pylego._engine.questions import Answer
    from pylego._ways import Challenges

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


@dataclass(frozen=True, eq=False, repr=False)
class ReadDirectory:
    """The CA's directory (RFC 8555 section 7.1.1)."""

    name = "directory"

    def message(self) -> Message:
        """Return nothing more: which directory it is, every message says."""
        return {}

    def result(self, data: Any) -> Directory:
        """Read the directory."""
        return Directory(
            url=data["url"],
            terms_of_service=data["terms_of_service"] or None,
            website=data["website"] or None,
            caa_identities=tuple(data["caa_identities"] or ()),
            external_account_required=data["external_account_required"],
            profiles=data["profiles"] or {},
            renewal_info=data["renewal_info"],
            clock_ahead=data["clock_ahead"],
        )


@dataclass(frozen=True, eq=False, repr=False)
class OnAccount:
    """An operation about the account itself (RFC 8555 section 7.3)."""

    name: str
    """`register`, `recover`, `update_account`, `rollover` or `deactivate_account`."""
    settings: Message = field(default_factory=dict)
    """What it needs beside the account; `None` leaves one out."""

    def message(self) -> Message:
        """Describe it to the engine."""
        return {name: value for name, value in self.settings.items() if value is not None}

    def result(self, data: Any) -> Account:
        """Read the account."""
        return account_of(data["account"])


def account_of(told: Message) -> Account:
    """Read an account as every result has it."""
    contact = told.get("contact") or ()
    addresses = (each[len(MAILTO) :] for each in contact if each.startswith(MAILTO))
    return Account(
        key=told["key"],
        url=told["url"],
        directory=told["directory"],
        status=told.get("status"),
        email=next(addresses, None),
    )


MAILTO = "mailto:"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Obtain:
    """From newOrder to the certificate (RFC 8555 section 7.4); `renewed` is one to renew."""

    challenges: Challenges
    identifiers: Sequence[str] = ()
    renewed: str | None = None
    """The leaf, PEM."""
    csr: str | bytes | None = None
    key: str | None = field(default=None, repr=False)
    key_type: str | None = None
    profile: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    preferred_chain: str | None = None
    bundle: bool = True
    must_staple: bool = False
    common_name: bool = False
    replaces: str | None = None
    """The leaf, PEM."""
    always_deactivate_authorizations: bool = False

    # Of the manager, which brings to their end the orders of a process that is gone.
    order: str | None = None
    """The URL of an order to go on with, by the same `key`; a new one is made where that
    serves no more."""
    keep_order: Callable[[str, str], object] | None = field(default=None, repr=False)
    """Called with the order's URL, and the key if it was made for it, before it is finalized,
    which waits for it; it may be a coroutine function."""

    @property
    def name(self) -> str:
        """The engine's name for it."""
        return "obtain" if self.renewed is None else "renew"

    def message(self) -> Message:
        """Describe the order to the engine."""
        optional = {
            "not_before": _rfc3339(self.not_before, "not_before"),
            "not_after": _rfc3339(self.not_after, "not_after"),
            "certificate": self.renewed,
            "replaces": self.replaces,
        }
        return {
            "challenges": described(self.challenges),
            "identifiers": list(self.identifiers),
            "csr": self.csr.decode(errors="replace")
            if isinstance(self.csr, bytes)
            else self.csr or "",
            "key": {"pem": self.key or "", "type": self.key_type or ""},
            "profile": self.profile or "",
            "preferred_chain": self.preferred_chain or "",
            "must_staple": self.must_staple,
            "common_name": self.common_name,
            "always_deactivate_authorizations": self.always_deactivate_authorizations,
            "order": self.order or "",
            "keep_order": self.keep_order is not None,
            **{name: value for name, value in optional.items() if value is not None},
        }

    @property
    def answer(self) -> Answer | None:
        """What answers the engine's questions: the caller's own code, and who keeps the order."""
        own, keep_order = own_code(self.challenges), self.keep_order
        if not own and keep_order is None:
            return None

        def find(ask: str, asked: Message) -> Callable[[], Any]:
            if keep_order is not None and ask == "order":
                return partial(keep_order, asked["order"], asked["key"])
            function = getattr(own[asked["solver"]], ask)
            if ask == "set_txt":
                return partial(function, asked["name"], asked["value"])
            return partial(function, presentation_of(asked["challenge"]))

        return find

    def result(self, data: Any) -> Certificate:
        """Read the certificate."""
        return certificate_of(data, bundle=self.bundle)


def leaf_of(certificate: object) -> str:
    """Return the leaf of a caller's certificate, PEM.

    Raises:
        InvalidRequest: it is none.
    """
    return _checked(certificate).leaf


def _checked(certificate: object) -> Certificate:
    if not isinstance(certificate, Certificate):  # whose text might hold a key
        msg = f"a pylego.Certificate is wanted, not {type(certificate).__name__}: Certificate.load makes one of files and text"
        raise InvalidRequest(msg)
    return certificate


def _rfc3339(moment: Any, name: str) -> str | None:
    if moment is None:
        return None
    from datetime import datetime, timezone  # noqa: PLC0415 -- a third of our import time

    if not isinstance(moment, datetime):
        msg = f"{name} is a datetime with a time zone, not {moment!r}"
        raise InvalidRequest(msg)
    if moment.utcoffset() is None:
        msg = f"{name} has no time zone: say datetime(..., tzinfo=timezone.utc), for instance"
        raise InvalidRequest(msg)
    return moment.astimezone(timezone.utc).isoformat()  # RFC 3339 has no seconds in an offset


@dataclass(frozen=True, eq=False, repr=False)
class ReadRenewalInfo:
    """The CA's advice when to renew (RFC 9773)."""

    name = "renewal_info"

    certificate: str
    """The leaf, PEM."""

    def message(self) -> Message:
        """Name the certificate."""
        return {"certificate": self.certificate}

    def result(self, data: Any) -> RenewalInfo:
        """Read the advice."""
        return RenewalInfo(
            start=moment_of(data["start"]),
            end=moment_of(data["end"]),
            explanation_url=data["explanation_url"] or None,
            retry_after=from_now(data["retry_after"]),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Revoke:
    """Revocation (RFC 8555 section 7.6)."""

    name = "revoke"

    certificate: str
    """The leaf, PEM."""
    reason: str | None
    key: str | None

    def message(self) -> Message:
        """Name the certificate and the reason."""
        message: Message = {"certificate": self.certificate, "key": self.key or ""}
        if self.reason is not None:
            if self.reason not in REASONS:
                msg = f"unknown reason {self.reason!r}; known are {', '.join(REASONS)}"
                raise InvalidRequest(msg)
            message["reason"] = REASONS[self.reason]
        return message

    def result(self, data: Any) -> None:
        """There is nothing to read."""


REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
    "removeFromCRL": 8,
    "privilegeWithdrawn": 9,
    "aACompromise": 10,
}
"""Why a certificate is revoked: RFC 5280 section 5.3.1."""


@dataclass(frozen=True, eq=False, repr=False)
class DeactivateAuthorizations:
    """What an order has proven is given up (RFC 8555 section 7.5.2)."""

    name = "deactivate_authorizations"

    order: Certificate | str

    def message(self) -> Message:
        """Name the order."""
        url = self.order if isinstance(self.order, str) else _checked(self.order).order_url
        if not url:
            msg = "the certificate does not tell its order: it was loaded; give the order's URL"
            raise InvalidRequest(msg)
        return {"order": url}

    def result(self, data: Any) -> int:
        """Read how many there were."""
        count: int = data["count"]
        return count


@dataclass(frozen=True, eq=False, repr=False)
class GenerateKey:
    """A new private key, for those who keep it before a certificate is asked for."""

    name = "generate_key"

    key_type: str

    def message(self) -> Message:
        """Name its type."""
        return {"type": self.key_type}

    def result(self, data: Any) -> str:
        """Read the key, PEM: a secret."""
        key: str = data["key"]
        return key


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


EMBEDDED_SERVER = (
    "start",
    "stop",
    "restart",
    "renewal_info",
    "dns",
    "records",
    "faults",
    "requests",
    "authorizations",
)
"""The verbs of `pylego.testing`'s server, which passes settings and answers on as they are."""

ACCOUNT = ("register", "recover", "update_account", "rollover", "deactivate_account")
"""The operations about the account itself."""

LOOKS = ("authorities", "examine_names", "csr_load")
"""What the command line looks up before anybody orders anything."""

CHECK_KEY = "check_key"
"""Whether a private key can be used: for accounts that another program has kept."""

OPERATIONS = (
    ReadDirectory.name,
    *ACCOUNT,
    "obtain",
    "renew",
    ReadRenewalInfo.name,
    Revoke.name,
    DeactivateAuthorizations.name,
    *LOOKS,
    "certificate_load",
    "describe_certificates",
    GenerateKey.name,
    CHECK_KEY,
    "pkcs12",
    "verify_record",
    RunLegoCommand.name,
    *(f"testca_{verb}" for verb in EMBEDDED_SERVER),
    "contract",
    "statistics",
)
"""Every operation that Python uses; a test compares them with the engine's table."""
