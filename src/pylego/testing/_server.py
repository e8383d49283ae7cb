"""ACMEServer: an embedded CA as a context manager."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pylego import _engine
from pylego._challenges import DNS01, HTTP01, TLSALPN01

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    told otherwise.

    Args:
        nonce_reject: percent of good nonces that are rejected.
        validation_sleep: each of the three validations of a challenge waits a
            random whole number of seconds below this.
        external_accounts: key identifiers and base64url HMAC keys of external
            accounts; where there are any, newAccount requires one of them.
        retry_after_authz: seconds of the Retry-After header on authorizations.
        retry_after_order: seconds of the Retry-After header on orders.
        chain_length: intermediates between root and certificate; 1 by default.
        alternate_roots: further roots, whose chains are offered as alternates.
        key_algorithm: of the CA's own keys, `"ecdsa"` or `"rsa"`.
        blocked_names: names that are refused, with all names below them.
        profiles: profile names and their descriptions.

    Attributes:
        directory: the URL of the ACME directory.
        trust_root: the root of the server's HTTPS certificate, PEM; give it to
            `Client(trust=...)`.
        roots: the roots that it issues under, PEM, the default chain's first.
        dns: its DNS server, `host:port`.
        http_port: the port on which it validates http-01.
        tls_port: the port on which it validates tls-alpn-01.
    """

    def __init__(
        self,
        *,
        nonce_reject: int = 0,
        validation_sleep: int = 0,
        external_accounts: Mapping[str, str] | None = None,
        retry_after_authz: int = 0,
        retry_after_order: int = 0,
        chain_length: int = 1,
        alternate_roots: int = 0,
        key_algorithm: str = "ecdsa",
        blocked_names: Sequence[str] = (),
        profiles: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the settings; the server starts when the context is entered."""
        self._config: dict[str, Any] = {
            "nonce_reject": nonce_reject,
            "validation_sleep": validation_sleep,
            "external_accounts": dict(external_accounts or {}),
            "retry_after_authz": retry_after_authz,
            "retry_after_order": retry_after_order,
            "chain_length": chain_length,
            "alternate_roots": alternate_roots,
            "key_algorithm": key_algorithm,
            "blocked_names": list(blocked_names),
            "profiles": {name: {"description": text} for name, text in (profiles or {}).items()},
        }
        self._id = ""

    def __enter__(self) -> Self:
        """Start the server.

        Raises:
            InvalidRequest: a setting is out of range.
            EngineError: the engine cannot run here.
        """
        info = self._call("start", **self._config)
        self._id = info["id"]
        self.directory: str = info["directory"]
        self.trust_root: str = info["trust_root"]
        self.roots: tuple[str, ...] = tuple(info["roots"])
        self.dns: str = info["dns"]
        self.http_port: int = info["http_port"]
        self.tls_port: int = info["tls_port"]
        self._httpreq: str = info["httpreq"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server; its ports are free afterwards."""
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
        variables.setdefault("HTTPREQ_ENDPOINT", self._httpreq)
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

    def requests(self) -> dict[str, int]:
        """Count the requests so far, by kind: `"newOrder"`, `"finalize"`, ..."""
        return dict(self._call("requests")["requests"])

    def authorizations(self) -> dict[str, int]:
        """Count the authorizations of all orders so far, by status: `"pending"`, `"valid"`, ..."""
        return dict(self._call("authorizations")["authorizations"])

    def set_txt(self, name: str, *values: str) -> None:
        """Set a name's TXT records; none removes them."""
        self._call("dns", set_txt={name: list(values)})

    def set_a(self, name: str, *addresses: str) -> None:
        """Set a name's IPv4 addresses; none leaves it without an address."""
        self._call("dns", set_a={name: list(addresses)})

    def set_cname(self, name: str, target: str) -> None:
        """Make a name an alias of another; `""` ends that."""
        self._call("dns", set_cname={name: target})

    def set_servfail(self, name: str, answers: int = -1) -> None:
        """Answer so many queries for a name with SERVFAIL; -1 for all of them."""
        self._call("dns", set_servfail={name: answers})

    def set_dns_delay(self, name: str, milliseconds: int) -> None:
        """Answer queries for a name late; `""` is every name."""
        self._call("dns", set_delay_ms={name: milliseconds})

    def records(self) -> dict[str, list[str]]:
        """Return the TXT records that are there, by name."""
        return dict(self._call("records")["records"] or {})

    def dns_log(self) -> list[DNSChange]:
        """Return what was presented and cleaned up, in order."""
        changes: list[dict[str, str]] = self._call("records")["log"] or []
        return [DNSChange(**change) for change in changes]

    def _call(self, verb: str, **settings: Any) -> Any:
        message = settings if verb == "start" else {"id": self._id, **settings}
        return _engine.run(f"testca_{verb}", message)
