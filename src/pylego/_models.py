"""The values that operations return."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from datetime import datetime

    from pylego._errors import Identifier


@dataclass(frozen=True)
class Certificate:
    """A certificate as the CA delivered it, and the keys that were made for it."""

    pem: str
    """The leaf and its chain, PEM."""
    issuer_pem: str
    """The chain without the leaf, PEM."""
    private_key: str | None = field(repr=False)
    """The leaf's key, PEM; `None` for a CSR, whose key stays with its maker."""
    account_key: str = field(repr=False)
    """The account's key, PEM; keep it to use the same account again."""
    account_url: str
    """The account's URL at the CA."""
    csr: str = field(repr=False)
    """The certificate request, PEM."""
    identifiers: tuple[Identifier, ...]
    """What was asked for, in order."""
    url: str
    """Where the CA keeps the certificate."""
    not_before: datetime
    """The first moment of validity."""
    not_after: datetime
    """The last moment of validity."""
    serial: str
    """The serial number, hexadecimal."""
    issuer: str
    """Who signed it, as a distinguished name."""
