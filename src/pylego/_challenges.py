"""How identifiers are validated (RFC 8555 section 8, RFC 8737)."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


@dataclass(frozen=True)
class HTTP01:
    """Answer http-01 (RFC 8555 section 8.3) with a listener of pylego's.

    Args:
        host: the interface to listen on; all of them by default.
        port: the port to listen on. A CA always asks port 80: choose another one
            only where something forwards to it.
    """

    host: str = ""
    port: int = 80

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        return {"type": "http-01", "host": self.host, "port": self.port}


@dataclass(frozen=True)
class TLSALPN01:
    """Answer tls-alpn-01 (RFC 8737) with a listener of pylego's.

    Args:
        host: the interface to listen on; all of them by default.
        port: the port to listen on. A CA always asks port 443: choose another
            one only where something forwards to it.
    """

    host: str = ""
    port: int = 443

    def message(self) -> dict[str, Any]:
        """Describe the challenge to the engine."""
        return {"type": "tls-alpn-01", "host": self.host, "port": self.port}


@dataclass(frozen=True, init=False)
class DNS01:
    """Answer dns-01 (RFC 8555 section 8.4) through one of lego's DNS providers.

    Args:
        provider: lego's code of the provider, such as `"cloudflare"`.
        resolvers: the recursive name servers to ask, `host` or `host:port`;
            the system's by default.
        propagation_wait: seconds to wait instead of checking; 0 checks.
        check_authoritative: wait until every authoritative server of the zone
            has the record.
        check_recursive: wait until every resolver has the record.
        variables: the provider's settings under lego's names, such as
            `CF_DNS_API_TOKEN`. They go to the provider's own process and nowhere else.
    """

    provider: str
    variables: Mapping[str, str] = field(repr=False)
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
        check_recursive: bool = False,
        **variables: str,
    ) -> None:
        """Keep the settings; nothing is checked before the provider's process does."""
        put = object.__setattr__  # frozen
        put(self, "provider", provider)
        put(self, "variables", dict(variables))
        put(self, "resolvers", tuple(resolvers))
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


Challenge = HTTP01 | TLSALPN01 | DNS01
"""One way to validate."""
