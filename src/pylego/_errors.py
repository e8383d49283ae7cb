"""Every exception of pylego.

LEGOError
├── InvalidRequest            an argument, key, CSR or environment that cannot be used
├── AccountError              the account could not be opened or changed
├── ACMEError                 the CA refused: its own words, type and status
│   ├── AccountDoesNotExist       an AccountError, too
│   ├── BadCSR
│   ├── ExternalAccountRequired   an AccountError, too
│   ├── InvalidContact            an AccountError, too
│   ├── RateLimited
│   ├── RejectedIdentifier
│   ├── ServerInternal
│   ├── TermsNotAccepted          an AccountError, too
│   └── Unauthorized
├── ChallengeFailed           identifiers that were not validated, with every attempt
│   └── PropagationTimeout    a record did not become visible in time
├── ProviderError             a DNS provider, or the process it runs in
│   ├── MissingCredentials    settings that it needs, all of them named
│   ├── UnknownProvider       no provider of lego's, with the nearest names
│   └── UnknownSetting        no setting of the provider's, with the nearest names
├── NetworkError              the CA could not be reached, or not trusted
├── DeadlineExceeded          the call's timeout is over
├── Cancelled                 the call was cancelled
├── StorageError              a store cannot be read or written
├── HookFailed                what was to be run before or after a renewal failed
└── EngineError               pylego itself failed, or cannot run here
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any


@dataclass(frozen=True)
class Identifier:
    """What a certificate names (RFC 8555 section 9.7.7, RFC 8738)."""

    type: str
    """`"dns"` or `"ip"`."""
    value: str
    """The DNS name or IP address."""


@dataclass(frozen=True)
class Subproblem:
    """The part of a CA's problem that concerns one identifier (RFC 8555 section 6.7.1)."""

    type: str
    """The last segment of the problem's URN, such as `"unauthorized"`."""
    detail: str
    """The CA's words."""
    identifier: Identifier
    """What it is about."""


@dataclass(frozen=True)
class Answer:
    """What a name server said when it was asked for a TXT record."""

    server: str
    """The server's name and address."""
    name: str
    """The name that was asked for."""
    said: str
    """Its answer: the values that it has, an error of DNS (RFC 1035 section 4.1.1) or of the network."""


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
        self.retry_after: datetime | None = from_now(self.info.get("retry_after"))
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


def from_now(seconds: Any) -> datetime | None:
    """Return the moment that is so many seconds away; nothing for none."""
    if not isinstance(seconds, (int, float)) or not seconds > 0:  # or NaN
        return None
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415 -- a third of our import time

    return datetime.now(timezone.utc) + timedelta(seconds=min(seconds, CENTURIES))


# The readers of what describes an error: what is not there, or of another kind, is
# empty. An exception while one is made would hide the error itself.


def _text(info: dict[str, Any], name: str, default: str = "") -> str:
    value = info.get(name)
    return value if isinstance(value, str) else default


def _texts(info: dict[str, Any], name: str) -> tuple[str, ...]:
    values: Any = info.get(name)
    return tuple(each for each in values if _is(each, str)) if _is(values, list) else ()


def _objects(info: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values: Any = info.get(name)
    return [each for each in values if _is(each, dict)] if _is(values, list) else []


def _identifier(info: Any) -> Identifier:
    known: dict[str, Any] = info if _is(info, dict) else {}
    return Identifier(_text(known, "type"), _text(known, "value"))


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind)  # without telling pyright, which knows no dict of Any then


def _completed(fields: dict[str, Any], code: str, phase: str) -> dict[str, Any]:
    info: dict[str, Any] = {"phase": phase, **(fields.get("info") or {})}
    return {"code": code, **fields, "info": info}


class InvalidRequest(LEGOError):
    """An argument, key, CSR or environment that cannot be used; nothing was sent."""

    def __init__(self, detail: str, **fields: Any) -> None:
        """Give errors that Python finds itself the engine's code and phase."""
        super().__init__(detail, **_completed(fields, "invalid_arguments", "request"))


class AccountError(LEGOError):
    """The account could not be opened or changed."""


class ACMEError(LEGOError):
    """The CA refused; `status`, `acme_type` and `subproblems` are its answer (RFC 8555 section 6.7)."""


class AccountDoesNotExist(ACMEError, AccountError):
    """The CA does not know the account's key."""


class BadCSR(ACMEError):
    """The CA does not accept the certificate request."""


class ExternalAccountRequired(ACMEError, AccountError):
    """The CA wants an external account binding (RFC 8555 section 7.3.4)."""


class InvalidContact(ACMEError, AccountError):
    """The CA does not accept the address that it may write to."""


class RateLimited(ACMEError):
    """A limit of the CA's is reached; `retry_after` tells until when."""


class RejectedIdentifier(ACMEError):
    """The CA will not issue for an identifier."""


class ServerInternal(ACMEError):
    """The CA failed on its side."""


class TermsNotAccepted(ACMEError, AccountError):
    """Nobody has accepted the CA's terms of service; the message has their URL."""


class Unauthorized(ACMEError):
    """The account may not do what it asked for."""


class ChallengeFailed(LEGOError):
    """Identifiers were not validated; `attempts` has every try."""


class PropagationTimeout(ChallengeFailed):
    """A DNS record did not become visible in time."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What each name server said when it was asked last."""
        return tuple(
            Answer(_text(answer, "server"), _text(answer, "name"), _text(answer, "said"))
            for answer in _objects(self.info, "answers")
        )


class ProviderError(LEGOError):
    """A DNS provider failed, or the process it runs in."""


class MissingCredentials(ProviderError):
    """A DNS provider lacks settings that it needs.

    Nothing was sent to the CA where only DNS providers are configured for a name.
    """

    @property
    def missing(self) -> tuple[str, ...]:
        """Every variable that has no value; of several ways to log in, those of all."""
        return _texts(self.info, "missing")


class UnknownProvider(ProviderError):
    """lego has no such DNS provider.

    Nothing was sent to the CA where only DNS providers are configured for a name.
    """

    @property
    def nearest(self) -> tuple[str, ...]:
        """The names of providers that are most like it, the nearest first."""
        return _texts(self.info, "nearest")


class UnknownSetting(ProviderError):
    """A DNS provider reads no such variable, as pylego's catalogue of them tells."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Every variable that was given and is none of the provider's."""
        return _texts(self.info, "unknown")

    @property
    def nearest(self) -> tuple[str, ...]:
        """The variables that are most like them, the nearest first."""
        return _texts(self.info, "nearest")


class NetworkError(LEGOError):
    """The CA could not be reached, or its certificate not trusted."""


class DeadlineExceeded(LEGOError):
    """The time that the call allowed is over; what it had begun is cleaned up."""


class Cancelled(LEGOError):
    """The call was cancelled; what it had begun is cleaned up."""


class StorageError(LEGOError):
    """A store cannot be read or written; what it held before is still there.

    Its `__cause__` is the system's own error, where there was one.
    """

    def __init__(self, detail: str, *, path: str | None = None, **fields: Any) -> None:
        """Keep the file or folder that it is about."""
        super().__init__(detail, **_completed(fields, "storage_failed", "storage"))
        self.path = path


class HookFailed(LEGOError):
    """What was to be run before or after a renewal failed, or did not end in time.

    Its `__cause__` is the exception of a Python function, or why a command cannot be started.
    """

    def __init__(
        self,
        detail: str,
        *,
        hook: str = "",
        exit_code: int | None = None,
        stderr: str = "",
        **fields: Any,
    ) -> None:
        """Keep which one it was, and how it ended."""
        super().__init__(detail, **_completed(fields, "hook_failed", "hook"))
        self.hook = hook
        """The command's program, or the function's name."""
        self.exit_code = exit_code
        """The command's; less than 0 for a signal that ended it; `None` where it has none."""
        self.stderr = stderr
        """The command's last words on stderr."""


class EngineError(LEGOError):
    """Pylego itself failed, or cannot run here."""

    def __init__(self, detail: str, **fields: Any) -> None:
        """Give errors that Python finds itself the engine's code and phase."""
        super().__init__(detail, **_completed(fields, "engine_error", "engine"))


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
    "unknown_provider": UnknownProvider,
    "missing_credentials": MissingCredentials,
    "propagation_timeout": PropagationTimeout,
    "network_error": NetworkError,
    "deadline_exceeded": DeadlineExceeded,
    "cancelled": Cancelled,
    "marshaling_failed": EngineError,
    "engine_error": EngineError,
    "terms_not_accepted": TermsNotAccepted,
    "solver_failed": ChallengeFailed,
    "order_not_kept": LEGOError,
}
"""The engine's codes; a test compares them with the engine's own table."""

BY_PROBLEM: dict[str, type[ACMEError]] = {
    "accountDoesNotExist": AccountDoesNotExist,
    "badCSR": BadCSR,
    "externalAccountRequired": ExternalAccountRequired,
    "invalidContact": InvalidContact,
    "rateLimited": RateLimited,
    "rejectedIdentifier": RejectedIdentifier,
    "serverInternal": ServerInternal,
    "unauthorized": Unauthorized,
    "unsupportedContact": InvalidContact,
    "userActionRequired": TermsNotAccepted,
}
"""The problems of RFC 8555 section 6.7 that have a class of their own."""


WHAT_TO_DO: dict[str, str] = {
    "badCSR": "make another certificate request",
    "caa": "name this CA in the CAA records of the domain, or take them away",
    "connection": "let the CA reach what pylego listens on: it asks port 80 of the name for http-01, 443 for tls-alpn-01",
    "dns": "look at what the domain's name servers answer",
    "rateLimited": "wait",
    "serverInternal": "the trouble is the CA's own: try again later",
}
"""Advice for a person, by the type of the CA's problem."""

TOLD = 5
"""Attempts and subproblems that a message has room for; a program finds all of them."""

OF_THE_CA = ("rateLimited", "serverInternal")
"""Problems that say nothing of an identifier, though they may stop its validation."""


def from_info(info: dict[str, Any], base: type[LEGOError] | None = None) -> LEGOError:
    """Make the exception that an engine's error describes: the one place where that happens.

    `base` is the class to use whatever the error is, for callers of pylego 0.1.
    """
    from_ca = info.get("type") == "acme"
    code = _text(info, "code")
    chosen: type[LEGOError]
    if info.get("attempts") and code not in OF_THE_CA:
        chosen = BY_CODE.get(code, ChallengeFailed)
    elif from_ca:
        chosen = BY_PROBLEM.get(code, ACMEError)
    else:
        chosen = BY_CODE.get(code, EngineError)
    status = info.get("status")
    error = (base or chosen)(
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
    if base is None:
        error.args = (_message(error),)
    return error


def _message(error: LEGOError) -> str:
    """Say what failed, for which name, what the server said and what to do."""
    if error.attempts:
        said = _listed(
            [
                f"{attempt.identifier.value}{attempt.challenge and f' ({attempt.challenge})'}: {attempt.detail}"
                for attempt in error.attempts
            ]
        )
    elif error.type == "acme":
        said = f"the CA refused with HTTP {error.status}: {error.detail}"
        if error.subproblems:
            parts = [f"{sub.identifier.value}: {sub.detail}" for sub in error.subproblems]
            said += f" ({_listed(parts)})"
    else:
        said = error.detail
    if advice := WHAT_TO_DO.get(error.code):
        said += f"; {advice}"
    if error.retry_after is not None:
        said += f"; not before {error.retry_after:%Y-%m-%d %H:%M:%S} UTC"
    return f"[{error.code}] {said}"


def _listed(parts: list[str]) -> str:
    more = len(parts) - TOLD
    return "; ".join(parts[:TOLD]) + (f"; and {more} more" if more > 0 else "")
