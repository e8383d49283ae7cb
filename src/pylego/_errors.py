"""Every exception of pylego.

LEGOError
├── InvalidRequest            an argument, key, CSR or environment that cannot be used
├── AccountError              the account could not be opened
├── ACMEError                 the CA refused: its own words, type and status
│   ├── AccountDoesNotExist
│   ├── BadCSR
│   ├── ExternalAccountRequired
│   ├── RateLimited
│   ├── RejectedIdentifier
│   ├── ServerInternal
│   └── Unauthorized
├── ChallengeFailed           identifiers that were not validated, with every attempt
│   └── PropagationTimeout    a record did not become visible in time
├── ProviderError             a DNS provider, or the process it runs in
├── NetworkError              the CA could not be reached, or not trusted
├── DeadlineExceeded          the call's timeout is over
├── Cancelled                 the call was cancelled
└── EngineError               pylego itself failed, or cannot run here
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any


@dataclass
class Identifier:
    """What a certificate names (RFC 8555 section 9.7.7, RFC 8738)."""

    type: str
    """`"dns"` or `"ip"`."""
    value: str
    """The DNS name or IP address."""


@dataclass
class Subproblem:
    """The part of a CA's problem that concerns one identifier (RFC 8555 section 6.7.1)."""

    type: str
    """The last segment of the problem's URN, such as `"unauthorized"`."""
    detail: str
    """The CA's words."""
    identifier: Identifier
    """What it is about."""


@dataclass(frozen=True)
class Attempt:
    """One try to have one identifier validated."""

    identifier: Identifier
    """What was to be validated."""
    challenge: str
    """The challenge's type, such as `"http-01"`; `""` if none could be chosen."""
    detail: str
    """What went wrong, in the CA's words where it said any."""


class LEGOError(Exception):
    """The base of every error that pylego raises of its own.

    Attributes:
        type: `"acme"` for a problem that the CA reported, otherwise `"lego"`.
        code: the category: for a CA's problem the last segment of its URN.
        status: the CA's HTTP status, where it reported a problem.
        detail: what happened, for a person.
        acme_type: the problem's whole URN, where the CA reported one.
        subproblems: the problem's parts, in the order of the identifiers.
        info: the raw error as the engine described it.
    """

    def __init__(
        self,
        detail: str,
        *,
        type: str = "lego",  # noqa: A002 -- the name of 0.1
        code: str = "",
        status: int | None = None,
        acme_type: str = "",
        subproblems: list[Subproblem] | None = None,
        info: dict[str, Any] | None = None,
    ) -> None:
        """Keep what a program may want to decide by; `str()` is for people."""
        super().__init__(f"[{code}] {detail}" if code else detail)
        self.type = type
        self.code = code
        self.status = status
        self.detail = detail
        self.acme_type = acme_type
        self.subproblems = subproblems or []
        self.info = info or {}
        self.retry_after: datetime | None = _from_now(self.info.get("retry_after"))
        """When the CA allows another try (Retry-After), where it said so."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled as process pools do it: the text is not made a second time of itself."""
        return type(self), (self.detail,), {**vars(self), "args": self.args}

    @property
    def phase(self) -> str:
        """The part of the work that failed, such as `"challenge"`; `""` if unknown."""
        return _text(self.info, "phase")

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return bool(self.info.get("retryable", False))

    @property
    def identifiers(self) -> list[Identifier]:
        """The identifiers that failed, where the error is about some."""
        return [_identifier(each) for each in _objects(self.info, "identifiers")]

    @property
    def attempts(self) -> list[Attempt]:
        """Every try to have an identifier validated, in the order of the names."""
        return [
            Attempt(
                _identifier(attempt.get("identifier")),
                _text(attempt, "challenge"),
                _text(attempt, "detail"),
            )
            for attempt in _objects(self.info, "attempts")
        ]


CENTURIES = 10**10
"""Seconds that a date can be away: some later ones are in no calendar of Python's."""


def _from_now(seconds: Any) -> datetime | None:
    if not isinstance(seconds, (int, float)) or not seconds > 0:  # or NaN
        return None
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415 -- a third of our import time

    return datetime.now(timezone.utc) + timedelta(seconds=min(seconds, CENTURIES))


# The readers of what describes an error: what is not there, or of another kind, is
# empty. An exception while one is made would hide the error itself.


def _text(info: dict[str, Any], name: str, default: str = "") -> str:
    value = info.get(name)
    return value if isinstance(value, str) else default


def _objects(info: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values: Any = info.get(name)
    return [each for each in values if _is(each, dict)] if _is(values, list) else []


def _identifier(info: Any) -> Identifier:
    known: dict[str, Any] = info if _is(info, dict) else {}
    return Identifier(_text(known, "type"), _text(known, "value"))


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind)  # without telling pyright, which knows no dict of Any then


class InvalidRequest(LEGOError):
    """An argument, key, CSR or environment that cannot be used; nothing was sent."""


class AccountError(LEGOError):
    """The account could not be opened."""


class ACMEError(LEGOError):
    """The CA refused; `status`, `acme_type` and `subproblems` are its answer (RFC 8555 section 6.7)."""


class AccountDoesNotExist(ACMEError, AccountError):
    """The CA does not know the account's key."""


class BadCSR(ACMEError):
    """The CA does not accept the certificate request."""


class ExternalAccountRequired(ACMEError, AccountError):
    """The CA wants an external account binding (RFC 8555 section 7.3.4)."""


class RateLimited(ACMEError):
    """A limit of the CA's is reached; `retry_after` tells until when."""


class RejectedIdentifier(ACMEError):
    """The CA will not issue for an identifier."""


class ServerInternal(ACMEError):
    """The CA failed on its side."""


class Unauthorized(ACMEError):
    """The account may not do what it asked for."""


class ChallengeFailed(LEGOError):
    """Identifiers were not validated; `attempts` has every try."""


class PropagationTimeout(ChallengeFailed):
    """A DNS record did not become visible in time."""


class ProviderError(LEGOError):
    """A DNS provider failed, or the process it runs in."""


class NetworkError(LEGOError):
    """The CA could not be reached, or its certificate not trusted."""


class DeadlineExceeded(LEGOError):
    """The time that the call allowed is over; what it had begun is cleaned up."""


class Cancelled(LEGOError):
    """The call was cancelled; what it had begun is cleaned up."""


class EngineError(LEGOError):
    """Pylego itself failed, or cannot run here."""

    def __init__(self, detail: str, **fields: Any) -> None:
        """Give errors that Python finds itself the engine's code."""
        fields.setdefault("code", "engine_error")
        super().__init__(detail, **fields)


BY_CODE: dict[str, type[LEGOError]] = {
    "invalid_arguments": InvalidRequest,
    "invalid_environment": InvalidRequest,
    "invalid_private_key": InvalidRequest,
    "invalid_csr": InvalidRequest,
    "key_generation_failed": EngineError,
    "lego_client_creation_failed": NetworkError,
    "account_registration_failed": AccountError,
    "certificate_request_failed": LEGOError,
    "certificate_obtain_failed": LEGOError,
    "challenge_failed": ChallengeFailed,
    "dns_provider_failed": ProviderError,
    "propagation_timeout": PropagationTimeout,
    "network_error": NetworkError,
    "deadline_exceeded": DeadlineExceeded,
    "cancelled": Cancelled,
    "marshaling_failed": EngineError,
    "engine_error": EngineError,
}
"""The engine's codes; a test compares them with the engine's own table."""

BY_PROBLEM: dict[str, type[ACMEError]] = {
    "accountDoesNotExist": AccountDoesNotExist,
    "badCSR": BadCSR,
    "externalAccountRequired": ExternalAccountRequired,
    "rateLimited": RateLimited,
    "rejectedIdentifier": RejectedIdentifier,
    "serverInternal": ServerInternal,
    "unauthorized": Unauthorized,
}
"""The problems of RFC 8555 section 6.7 that have a class of their own."""


OF_THE_CA = ("rateLimited", "serverInternal")
"""Problems that say nothing of an identifier, though they may stop its validation."""


def from_info(info: dict[str, Any], base: type[LEGOError] | None = None) -> LEGOError:
    """Make the exception that an engine's error describes: the one place where that happens.

    `base` is the class to use whatever the error is, for callers of pylego 0.1.
    """
    from_ca = info.get("type") == "acme"
    code = _text(info, "code")
    if base is None:
        if info.get("attempts") and code not in OF_THE_CA:
            base = BY_CODE.get(code, ChallengeFailed)
        elif from_ca:
            base = BY_PROBLEM.get(code, ACMEError)
        else:
            base = BY_CODE.get(code, EngineError)
    status = info.get("status")
    return base(
        _text(info, "detail", "Unknown error occurred"),
        type="acme" if from_ca else "lego",
        code=code,
        status=status if isinstance(status, int) else None,
        acme_type=_text(info, "acme_type") if from_ca else "",
        subproblems=[
            Subproblem(_text(sub, "type"), _text(sub, "detail"), _identifier(sub.get("identifier")))
            for sub in _objects(info, "subproblems")
        ],
        info=dict(info),
    )
