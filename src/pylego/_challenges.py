"""How identifiers are validated (RFC 8555 section 8, RFC 8737)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from os import PathLike, fspath

from pylego._errors import Identifier, InvalidRequest

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from pylego._ways import Challenges, Solver, TXTWriter, Ways


class Challenge:
    """A way to validate that pylego itself knows: what those below have in common."""

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        raise NotImplementedError


@dataclass(frozen=True)
class HTTP01(Challenge):
    """Answer http-01 (RFC 8555 section 8.3) with a listener of pylego's, or by files.

    Args:
        host: the interface to listen on; all of them by default.
        port: the port to listen on. A CA always asks port 80: choose another one
            only where something forwards to it.
        delay: seconds between the answer's being there and the CA's being told.
        ip_version: 4 or 6 to listen by that version of IP only; by both by default.
        proxy_header: behind a proxy that changes Host, the header that tells which name
            was asked for: `"X-Forwarded-Host"`, or `"Forwarded"` (RFC 7239).
        webroot: a folder that a web server of yours serves at port 80. The answers are
            written below it, and nothing listens.

    Raises:
        InvalidRequest: there is no such version of IP.
    """

    host: str = ""
    port: int = 80
    delay: float = 0
    ip_version: int | None = field(default=None, kw_only=True)
    proxy_header: str | None = field(default=None, kw_only=True)
    webroot: str | PathLike[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a version of IP that there is not."""
        _check_version(self.ip_version)

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        return {
            "type": "http-01",
            "host": self.host,
            "port": self.port,
            "ip_version": self.ip_version or 0,
            "delay": self.delay,
            "proxy_header": self.proxy_header or "",
            "webroot": "" if self.webroot is None else fspath(self.webroot),
        }


@dataclass(frozen=True)
class TLSALPN01(Challenge):
    """Answer tls-alpn-01 (RFC 8737) with a listener of pylego's.

    Args:
        host: the interface to listen on; all of them by default.
        port: the port to listen on. A CA always asks port 443: choose another
            one only where something forwards to it.
        delay: seconds between the answer's being there and the CA's being told.
        ip_version: 4 or 6 to listen by that version of IP only; by both by default.

    Raises:
        InvalidRequest: there is no such version of IP.
    """

    host: str = ""
    port: int = 443
    delay: float = 0
    ip_version: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a version of IP that there is not."""
        _check_version(self.ip_version)

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        return {
            "type": "tls-alpn-01",
            "host": self.host,
            "port": self.port,
            "ip_version": self.ip_version or 0,
            "delay": self.delay,
        }


def _check_version(version: int | None) -> None:
    if version not in {None, 4, 6}:
        msg = f"ip_version is 4, 6 or left out, not {version!r}"
        raise InvalidRequest(msg)


@dataclass(frozen=True, init=False)
class DNS01(Challenge):
    """Answer dns-01 (RFC 8555 section 8.4) through one of lego's DNS providers.

    Args:
        provider: lego's code of the provider, such as `"cloudflare"`.
        resolvers: the recursive name servers to ask, `host` or `host:port`;
            the system's by default.
        propagation_wait: seconds to wait instead of checking; 0 checks.
        check_authoritative: wait until every authoritative server of the zone
            has the record.
        check_recursive: wait until every resolver has the record. Both checks end
            with the provider's own timeout (its `..._PROPAGATION_TIMEOUT`) or the call's,
            whichever comes first.
        variables: the provider's settings under lego's names, such as
            `CF_DNS_API_TOKEN`, or files with their values, `CF_DNS_API_TOKEN_FILE`.
            They go to the provider's own process and nowhere else. Those that are
            not given are looked for in the environment, at each call.

    Raises:
        UnknownSetting: the provider reads no such variable.
        InvalidRequest: a variable is no text, or another setting not what it has to be.
    """

    provider: str
    variables: Mapping[str, str] = field(repr=False, hash=False)
    resolvers: tuple[str, ...]
    propagation_wait: float
    check_authoritative: bool
    check_recursive: bool

    def __init__(
        self,
        provider: str,
        *,
        resolvers: Sequence[str] = (),
        propagation_wait: float = 0,
        check_authoritative: bool = True,
        check_recursive: bool = True,
        **variables: str,
    ) -> None:
        """Keep the settings. What they are worth is the provider's to say, in its process."""
        kept: object = variables.pop("variables", None)  # `dataclasses.replace` gives the field
        if isinstance(kept, Mapping):
            variables = {**kept, **variables}
        if variables:  # the catalogue is not loaded for nothing
            from pylego._providers import refuse_unknown  # noqa: PLC0415

            refuse_unknown(provider, variables)
        _refuse_all_but_text(variables)
        if not propagation_wait >= 0:  # nor NaN
            msg = f"propagation_wait is a number of seconds, not {propagation_wait}"
            raise InvalidRequest(msg)
        put = object.__setattr__  # frozen
        put(self, "provider", provider)
        put(self, "variables", dict(variables))
        put(self, "resolvers", several(resolvers))
        put(self, "propagation_wait", propagation_wait)
        put(self, "check_authoritative", check_authoritative)
        put(self, "check_recursive", check_recursive)

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        return {
            "type": "dns-01",
            "provider": self.provider,
            "variables": dict(self.variables),
            "resolvers": list(self.resolvers),
            "propagation": {
                "wait": self.propagation_wait,
                "authoritative": self.check_authoritative,
                "recursive": self.check_recursive,
            },
        }


@dataclass(frozen=True)
class DNSPersist01(Challenge):
    """Use a record that stays (draft-ietf-acme-dns-persist), which is set once.

    It names the CA and your account. pylego looks whether it is there. Where it is not,
    `writer` sets it; without one you do: the error says which record to create, and
    `pylego.dns_persist.record` tells beforehand.

    Args:
        resolvers: the recursive name servers to ask, `host` or `host:port`;
            the system's by default.
        check_authoritative: every authoritative server of the zone has to have the record.
        check_recursive: every resolver has to have it.
        policy: `"wildcard"` for a record that allows wildcards, too. It is written or asked
            for where an order is for a wildcard, anyway.
        until: from when on a record that is written is worth nothing, with a time zone;
            never by default.
        writer: an object with `set_txt(name, value)`, a coroutine function perhaps, which
            creates the record. pylego waits until it is visible, a minute at most.

    Raises:
        InvalidRequest: a setting is none of these.
    """

    resolvers: Sequence[str] = ()
    check_authoritative: bool = field(default=True, kw_only=True)
    check_recursive: bool = field(default=False, kw_only=True)
    policy: str | None = field(default=None, kw_only=True)
    until: datetime | None = field(default=None, kw_only=True)
    writer: TXTWriter | None = field(default=None, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        """Keep the servers as nobody can change them, and refuse what makes no record."""
        object.__setattr__(self, "resolvers", several(self.resolvers))
        if self.policy not in {None, "wildcard"}:
            msg = f'policy is "wildcard" or left out, not {self.policy!r}'
            raise InvalidRequest(msg)
        if self.until is not None and self.until.utcoffset() is None:
            msg = "until has no time zone: say datetime(..., tzinfo=timezone.utc), for instance"
            raise InvalidRequest(msg)
        if self.writer is not None and not callable(getattr(self.writer, "set_txt", None)):
            msg = f"{self.writer!r} writes no records: it has no set_txt"
            raise InvalidRequest(msg)

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        return {
            "type": "dns-persist-01",
            "resolvers": list(self.resolvers),
            "propagation": {
                "authoritative": self.check_authoritative,
                "recursive": self.check_recursive,
            },
            "wildcard": self.policy is not None,
            "until": 0 if self.until is None else int(self.until.timestamp()),
        }


@dataclass(frozen=True)
class Presentation:
    """What a solver of your own has to make visible for one challenge (RFC 8555 section 8)."""

    type: str
    """The challenge's type, such as `"dns-01"`."""
    identifier: Identifier
    """What is validated."""
    wildcard: bool
    """Whether it is validated for a wildcard: the identifier then has no `*.`."""
    token: str
    """The CA's token."""
    key_authorization: str
    """The token and the account key's thumbprint (RFC 8555 section 8.1)."""
    name: str
    """For DNS types: the name of the TXT record, without a last dot."""
    value: str
    """For DNS types: the text of the record."""

    @property
    def path(self) -> str:
        """For http-01: the path that the CA asks for (RFC 8555 section 8.3)."""
        return f"/.well-known/acme-challenge/{self.token}"


def several(resolvers: Sequence[str]) -> tuple[str, ...]:
    """Keep name servers as nobody can change them; text is a sequence, too, but of letters."""
    if isinstance(resolvers, str):
        msg = f'resolvers are several: say resolvers=["{resolvers}"]'
        raise InvalidRequest(msg)
    return tuple(resolvers)


def _refuse_all_but_text(variables: Mapping[str, object]) -> None:
    for name, value in variables.items():
        if not isinstance(value, str):  # which may be a secret
            msg = f"{name} has to be text, and is of the type {type(value).__name__}"
            raise InvalidRequest(msg)


def described(challenges: Challenges) -> list[dict[str, Any]]:
    """Describe challenges to the engine, the preferred one of each group first."""
    if isinstance(challenges, DNS01):
        # Others would have their turn; which names a pattern fits, the engine finds.
        from pylego._providers import refuse_missing  # noqa: PLC0415 -- as above

        refuse_missing(challenges.provider, challenges.variables)
    messages: list[dict[str, Any]] = []
    for group, (pattern, ways) in enumerate(_groups(challenges)):
        for way in ways:
            message = _message(way, len(messages))
            messages.append({**message, "for": pattern, "group": group})
    return messages


def own_code(challenges: Challenges) -> dict[int, Solver | TXTWriter]:
    """Find what is the caller's own, by the places among all challenges."""
    every = [_own(way) for _, ways in _groups(challenges) for way in ways]
    return {place: own for place, own in enumerate(every) if own is not None}


def _own(way: Challenge | Solver) -> Solver | TXTWriter | None:
    if isinstance(way, Challenge):
        return way.writer if isinstance(way, DNSPersist01) else None
    return way


def presentation_of(told: dict[str, Any]) -> Presentation:
    """Read a challenge as the engine tells it."""
    fields: dict[str, Any] = {**told, "identifier": Identifier(**told["identifier"])}
    return Presentation(**fields)


def _groups(challenges: Challenges) -> list[tuple[str, Sequence[Challenge | Solver]]]:
    if isinstance(challenges, Mapping):
        return [(pattern, _ways(ways)) for pattern, ways in challenges.items()]
    return [("", _ways(challenges))]


def _ways(given: Ways) -> Sequence[Challenge | Solver]:
    return given if isinstance(given, Sequence) else (given,)


def _message(way: Challenge | Solver, place: int) -> dict[str, Any]:
    if isinstance(way, DNSPersist01) and way.writer is not None:
        return {**way.message(), "own": _asked(way.writer, place, way.writer.set_txt)}
    if isinstance(way, Challenge):
        return way.message()
    missing = [name for name in ("present", "clean_up") if not callable(getattr(way, name, None))]
    if isinstance(way, type):
        msg = f"{way!r} is a class: give an instance of it"
        raise InvalidRequest(msg)
    if missing:
        msg = f"{way!r} is neither a challenge nor a solver: it has no {' and no '.join(missing)}"
        raise InvalidRequest(msg)
    own = {**_asked(way, place, way.present), "looks": hasattr(way, "wait")}
    return {"type": getattr(way, "type", "dns-01"), "own": own}


def _asked(own: Solver | TXTWriter, place: int, function: object) -> dict[str, Any]:
    """Say how the caller's own code is asked: by its place, and one thing at a time or not."""
    at_once = getattr(own, "parallel", False) or iscoroutinefunction(function)
    return {"number": place, "alone": "" if at_once else str(id(own))}
