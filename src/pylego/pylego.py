"""The drop-in: run_lego_command as pylego 0.1 had it, on today's engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pylego import _engine
from pylego._errors import Identifier, LEGOError, Subproblem, from_info

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = [
    "Identifier",
    "LEGOError",
    "LEGOResponse",
    "Metadata",
    "Subproblem",
    "library",
    "run_lego_command",
]


@dataclass
class Metadata:
    """Where the certificate is kept at the CA."""

    stable_url: str
    """The URL of the certificate."""
    url: str
    """The URL of the certificate."""
    domain: str
    """The common name, or the first name of the certificate request."""


@dataclass
class LEGOResponse:
    """What an order brought; every field but `metadata` is PEM text."""

    csr: str
    """The certificate request."""
    private_key: str
    """The certificate's key: always `""`, since it stays with the maker of the CSR."""
    certificate: str
    """The certificate and its chain."""
    issuer_certificate: str
    """The chain without the certificate."""
    metadata: Metadata
    """Where the certificate is kept at the CA."""
    account_key: str = field(default="", repr=False)
    """The account's key: the one given, or the new one. New in 1.0."""


class Library:
    """The engine as pylego 0.1 called it: JSON bytes in, JSON bytes out.

    It exists because programs' tests replace `pylego.pylego.library`.
    """

    def RunLegoCommand(self, message: bytes) -> bytes:  # noqa: N802 -- the name of 0.1
        """Answer a message with `{"success": true, "data": ...}` or `{"success": false, "error": ...}`.

        Exceptions of signal handlers, such as KeyboardInterrupt, come through
        when the order has cleaned up.
        """
        from pylego._operations import RunLegoCommand  # noqa: PLC0415 -- half of our import time

        operation = RunLegoCommand(text=message.decode())
        try:
            call = _engine.Call(operation.name, operation.message())
            data = operation.result(_engine.run(call))
        except LEGOError as error:
            # What Python raises itself has no info of the engine's.
            info = {"type": error.type, "code": error.code, "detail": error.detail, **error.info}
            return json.dumps({"success": False, "error": info}).encode()
        return json.dumps({"success": True, "data": data}).encode()


library = Library()


def run_lego_command(
    email: str,
    server: str,
    csr: bytes | bytearray | str,
    env: Mapping[str, str] | str = "",
    plugin: str | Mapping[str, str] = "",
    private_key: str | bytes = "",
    dns_propagation_wait: int | None = None,
    dns_nameservers: Sequence[str] | None = None,
    eab_kid: str | None = None,
    eab_hmac: str | None = None,
) -> LEGOResponse:
    """Obtain a certificate for a certificate request.

    `env` and `plugin` may be given in either order: the first releases documented
    `plugin` before `env`, and took them the other way round.

    Args:
        email: where the CA may write to about the account.
        server: the https URL of the CA's ACME directory, or one of lego's short
            codes such as `"letsencrypt"`.
        csr: the certificate request, PEM.
        env: settings for this call, put over the process's own environment: the
            DNS provider's credentials, HTTP01_IFACE, HTTP01_PORT (80),
            TLSALPN01_IFACE, TLSALPN01_PORT (443), SSL_CERT_FILE, and others of lego's.
        plugin: `"http"` or `""` for HTTP-01 and TLS-ALPN-01, `"tls"` for
            TLS-ALPN-01 alone, or the name of one of lego's DNS providers.
        private_key: the account's key, PEM; a new P-256 key by default. It comes
            back as `account_key`.
        dns_propagation_wait: seconds to wait for DNS records instead of checking
            them; 0 and `None` check.
        dns_nameservers: recursive name servers to ask, `host` or `host:port`.
        eab_kid: key identifier of an external account (RFC 8555 section 7.3.4).
        eab_hmac: its HMAC key, base64url; given together with `eab_kid`.

    Returns:
        The certificate, its chain, and where the CA keeps it.

    Raises:
        LEGOError: the order failed; `code`, `type` and `acme_type` say how.
        ValueError: a negative wait, or half an external account.
    """
    if isinstance(env, str) and not isinstance(plugin, str):
        env, plugin = plugin, env
    if isinstance(dns_propagation_wait, (int, float)) and dns_propagation_wait < 0:
        msg = "dns_propagation_wait cannot be negative"
        raise ValueError(msg)
    if (eab_kid is None) != (eab_hmac is None):
        msg = "eab_kid and eab_hmac must both be provided or both omitted"
        raise ValueError(msg)
    optional = {
        "dns_propagation_wait": dns_propagation_wait,
        "dns_nameservers": dns_nameservers,
        "eab_kid": eab_kid,
        "eab_hmac": eab_hmac,
    }
    message = {
        "email": email,
        "server": server,
        "csr": _text(csr),
        "plugin": plugin,
        "env": dict(env) if isinstance(env, Mapping) else env or {},
        "private_key": _text(private_key),
        **{name: value for name, value in optional.items() if value is not None},
    }
    return _response(library.RunLegoCommand(_encoded(message)))


def _encoded(message: dict[str, Any]) -> bytes:
    parts = (f'"{name}": {_json(name, value)}' for name, value in message.items())
    return f"{{{', '.join(parts)}}}".encode()


def _json(name: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        detail = f"the arguments do not fit: {name}: {error}"
        raise LEGOError(detail, code="invalid_arguments") from error


def _text(value: bytes | bytearray | str) -> str:
    # What is no text is no PEM either: the engine says so.
    return value.decode(errors="replace") if isinstance(value, (bytes, bytearray)) else value


def _response(answer: bytes) -> LEGOResponse:
    try:
        result = json.loads(answer)
        if result.get("success", False):
            data: dict[str, Any] = {**result["data"]}
            data["metadata"] = Metadata(**data["metadata"])
            return LEGOResponse(**data)
        error = from_info(result.get("error", {}), LEGOError)
    # Neither JSON, nor of the shape that JSON should have.
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as cause:
        msg = f"Failed to parse response: {_quotable(answer)}"
        raise LEGOError(msg) from cause
    raise error


def _quotable(answer: bytes) -> str:
    # An order that succeeded, or a part of its answer, has the account's key in it.
    text = _text(answer)
    if "PRIVATE KEY" in text or '"success":true' in "".join(text.split()):
        return f"a success of {len(answer)} bytes that is not of the known shape"
    return text
