"""ACMEServer: an embedded CA as a context manager."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pylego import _engine
from pylego._challenges import DNS01, HTTP01, TLSALPN01

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from types import TracebackType

    from typing_extensions import Self


@dataclass(frozen=True)
class DNSChange:
    """One change of the server's DNS, as a provider made it."""

    action: str
    """`"presented"` or `"cleaned_up"`."""
    name: str
    """The record's name, in lower case, without the last dot."""
    value: str
    """The TXT value."""


@dataclass(frozen=True)
class Profile:
    """A profile of certificates that the directory offers."""

    description: str = ""
    """What it is for."""
    validity: timedelta | None = None
    """How long its certificates are valid: 90 days by default."""


@dataclass(frozen=True)
class Faults:
    """What the server does wrong, from one moment on.

    Args:
        path: only requests of this kind (`"newOrder"`, `"finalize"`, ...), or
            whose path contains this; all of them by default.
        nonce_reject: percent of requests answered with badNonce.
        delay_ms: milliseconds before each answer.
        status: answer with this HTTP status instead: 429, 500 or 503, say.
        status_count: for how many requests; -1 for all of them.
        retry_after: the Retry-After header of such answers.
        drop: how many requests get no answer but a closed connection.
    """

    path: str = ""
    nonce_reject: int = 0
    delay_ms: int = 0
    status: int = 0
    status_count: int = 0
    retry_after: str = ""
    drop: int = 0


class ACMEServer:
    """Pebble and a DNS server, inside this process, while the context lasts.

    Every name resolves to 127.0.0.1 and every identifier is issued for, unless
    told otherwise. One server may be entered once.

    Args:
        nonce_reject: percent of good nonces that are rejected.
        validation_sleep: each of the three validations of a challenge waits a
            random whole number of seconds below this.
        authz_reuse: percent of new orders that find valid authorizations used again.
        external_accounts: key identifiers and base64url HMAC keys of external
            accounts; where there are any, newAccount requires one of them.
        retry_after_authz: seconds of the Retry-After header on authorizations.
        retry_after_order: seconds of the Retry-After header on orders.
        chain_length: intermediates between root and certificate; 1 by default.
        alternate_roots: further roots, whose chains are offered as alternates.
        key_algorithm: of the CA's own keys, `"ecdsa"` or `"rsa"`.
        blocked_names: names that are refused, with all names below them.
        profiles: names of profiles with their descriptions, or a `Profile` each. Of
            several the server takes any for an order that names none.
        http_port: the port on which it validates http-01; a free one by default.
        tls_port: the port on which it validates tls-alpn-01; a free one by default.
        port: the port of its directory; a free one by default.
        dns_port: the port of its DNS server; a free one by default.
        httpreq_port: the port on which its DNS records are set; a free one by default.
        addresses: what every name resolves to that has no addresses of its own.
        strict: Pebble's strict mode, which refuses what later versions of ACME may.

    Attributes:
        directory: the URL of the ACME directory.
        trust_root: the root of the server's HTTPS certificate, PEM; give it to
            `Client(trust=...)`.
        roots: the roots that it issues under, PEM, the default chain's first.
        dns: its DNS server, `host:port`.
        http_port: the port on which it validates http-01.
        tls_port: the port on which it validates tls-alpn-01.
        httpreq: the URL at which any program sets its TXT records, as lego's provider
            `httpreq` does: a POST of `{"fqdn": ..., "value": ...}` to `/present` below
            it adds one, to `/cleanup` removes it.
    """

    def __init__(
        self,
        *,
        nonce_reject: int = 0,
        validation_sleep: int = 0,
        authz_reuse: int = 0,
        external_accounts: Mapping[str, str] | None = None,
        retry_after_authz: int = 0,
        retry_after_order: int = 0,
        chain_length: int = 1,
        alternate_roots: int = 0,
        key_algorithm: str = "ecdsa",
        blocked_names: Sequence[str] = (),
        profiles: Mapping[str, str | Profile] | None = None,
        http_port: int = 0,
        tls_port: int = 0,
        port: int = 0,
        dns_port: int = 0,
        httpreq_port: int = 0,
        addresses: Sequence[str] = ("127.0.0.1",),
        strict: bool = False,
    ) -> None:
        """Keep the settings; the server starts when the context is entered."""
        self._config: dict[str, Any] = {
            "nonce_reject": nonce_reject,
            "validation_sleep": validation_sleep,
            "authz_reuse": authz_reuse,
            "external_accounts": dict(external_accounts or {}),
            "retry_after_authz": retry_after_authz,
            "retry_after_order": retry_after_order,
            "chain_length": chain_length,
            "alternate_roots": alternate_roots,
            "key_algorithm": key_algorithm,
            "blocked_names": list(blocked_names),
            "profiles": {name: _profile(profile) for name, profile in (profiles or {}).items()},
            "http_port": http_port,
            "tls_port": tls_port,
            "port": port,
            "dns_port": dns_port,
            "httpreq_port": httpreq_port,
            "addresses": list(addresses),
            "strict": strict,
        }
        self._id, self._pid = "", 0

    def __enter__(self) -> Self:
        """Start the server.

        Raises:
            InvalidRequest: a setting is out of range.
            EngineError: the engine cannot run here.
        """
        info = self._call("start", **self._config)
        self._id, self._pid = info["id"], os.getpid()
        self._keep(info)
        return self

    def _keep(self, info: Any) -> None:
        self.directory: str = info["directory"]
        self.trust_root: str = info["trust_root"]
        self.roots: tuple[str, ...] = tuple(info["roots"])
        self.dns: str = info["dns"]
        self.http_port: int = info["http_port"]
        self.tls_port: int = info["tls_port"]
        self.httpreq: str = info["httpreq"]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server; its ports are free afterwards. A fork leaves it to its parent."""
        if self._pid == os.getpid():
            self._call("stop")

    def http01(self) -> HTTP01:
        """Return the challenge settings with which this server finds http-01's answers."""
        return HTTP01(host="127.0.0.1", port=self.http_port)

    def tlsalpn01(self) -> TLSALPN01:
        """Return the challenge settings with which this server finds tls-alpn-01's answers."""
        return TLSALPN01(host="127.0.0.1", port=self.tls_port)

    def dns01(self, **variables: str) -> DNS01:
        """Return settings for dns-01: lego's `httpreq` provider, which sets this server's records.

        No name server but this one is asked. Its NS are not on port 53, so it is
        asked as a recursive server instead of an authoritative one.
        """
        variables.setdefault("HTTPREQ_ENDPOINT", self.httpreq)
        return DNS01(
            "httpreq",
            resolvers=[self.dns],
            propagation_wait=0,
            check_authoritative=False,
            check_recursive=True,
            **variables,
        )

    def set_faults(self, faults: Faults | None = None) -> None:
        """Do these things wrong from now on; nothing, by default."""
        self._call("faults", faults=asdict(faults or Faults()))

    def restart(self) -> None:
        """Lose everything, as a CA does that keeps nothing and is started again.

        Accounts, orders and nonces are gone, and `roots` are new ones. Addresses, the
        HTTPS certificate, the DNS records and the faults stay.
        """
        self._keep(self._call("restart"))

    def set_renewal_info(
        self, certificate: str, start: datetime, end: datetime, *, explanation: str = ""
    ) -> None:
        """Suggest another window for a certificate's renewal (RFC 9773 section 4.2).

        Args:
            certificate: the certificate, PEM, alone or with its chain.
            start: the window's first moment, aware.
            end: its last moment, aware.
            explanation: the URL of a page that says why.

        Raises:
            InvalidRequest: the server has not issued this certificate.
        """
        answer: dict[str, Any] = {
            "suggestedWindow": {"start": start.isoformat(), "end": end.isoformat()}
        }
        if explanation:
            answer["explanationURL"] = explanation
        self._call("renewal_info", certificate=certificate, answer=json.dumps(answer))

    def requests(self) -> dict[str, int]:
        """Count the requests so far, by kind: `"newOrder"`, `"finalize"`, ..."""
        return dict(self._call("requests")["requests"])

    def authorizations(self) -> dict[str, int]:
        """Count the authorizations of all orders so far, by status: `"pending"`, `"valid"`, ..."""
        return dict(self._call("authorizations")["authorizations"])

    def set_txt(self, name: str, *values: str) -> None:
        """Set a name's TXT records; none removes them."""
        self._call("dns", set_txt={name: list(values)})

    def add_txt(self, name: str, value: str) -> None:
        """Add a TXT record to those that a name has; it is in `dns_log`."""
        self._call("dns", add_txt={name: [value]})

    def remove_txt(self, name: str, value: str) -> None:
        """Remove one of a name's TXT records, if it is there; it is in `dns_log`."""
        self._call("dns", remove_txt={name: [value]})

    def set_a(self, name: str, *addresses: str) -> None:
        """Set a name's IPv4 addresses; none leaves it without an address."""
        self._call("dns", set_a={name: list(addresses)})

    def set_aaaa(self, name: str, *addresses: str) -> None:
        """Set a name's IPv6 addresses; none leaves it without an address."""
        self._call("dns", set_aaaa={name: list(addresses)})

    def set_caa(self, name: str, *records: tuple[int, str, str]) -> None:
        """Set a name's CAA records (RFC 8659): flags, tag and value; none removes them.

        They are there for those who ask: Pebble issues whatever they say.
        """
        caa = [{"flag": flag, "tag": tag, "value": value} for flag, tag, value in records]
        self._call("dns", set_caa={name: caa})

    def set_nxdomain(self, name: str, missing: bool = True) -> None:
        """Say that there is no such name; `False` ends that."""
        self._call("dns", set_nxdomain={name: missing})

    def set_cname(self, name: str, target: str) -> None:
        """Make a name an alias of another; `""` ends that."""
        self._call("dns", set_cname={name: target})

    def set_servfail(self, name: str, answers: int = -1) -> None:
        """Answer so many queries for a name with SERVFAIL; -1 for all of them."""
        self._call("dns", set_servfail={name: answers})

    def set_dns_delay(self, name: str, milliseconds: int) -> None:
        """Answer queries for a name late; `""` is every name."""
        self._call("dns", set_delay_ms={name: milliseconds})

    def clear(self, *names: str) -> None:
        """Forget what the DNS was told of these names; without any, everything and the log."""
        if names:
            self._call("dns", clear_names=list(names))
        else:
            self._call("dns", clear=True)

    def records(self) -> dict[str, list[str]]:
        """Return the TXT records that are there, by name."""
        return dict(self._call("records")["records"] or {})

    def dns_log(self) -> list[DNSChange]:
        """Return what was presented and cleaned up, in order."""
        changes: list[dict[str, str]] = self._call("records")["log"] or []
        return [DNSChange(**change) for change in changes]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'directory', '')!r})"

    def _call(self, verb: str, **settings: Any) -> Any:
        message = settings if verb == "start" else {"id": self._id, **settings}
        return _engine.run(_engine.Call(f"testca_{verb}", message))


def _profile(given: str | Profile) -> dict[str, Any]:
    profile = Profile(given) if isinstance(given, str) else given
    seconds = 0 if profile.validity is None else int(profile.validity.total_seconds())
    return {"description": profile.description, "validity_seconds": seconds}
