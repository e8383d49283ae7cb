"""What CAs allow, and how they count names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from pylego._directories import DIRECTORIES

TYPE_CHECKING = False  # typing would be a tenth of our memory


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY


@dataclass(frozen=True)
class Quota:
    """So many in any period of that length."""

    count: int
    period: timedelta


@dataclass(frozen=True)
class Quotas:
    """What a CA allows; `None` is no limit."""

    failed_authorizations: Quota | None = None
    """Of one identifier by one account."""
    orders: Quota | None = None
    """Of one account."""
    duplicates: Quota | None = None
    """Certificates for exactly the same names."""
    advised_are_exempt: bool = False
    """Whether orders that say which certificate they replace, within the window that the CA
    suggests for it (RFC 9773), count as neither orders nor duplicates."""


LETS_ENCRYPT = DIRECTORIES["letsencrypt"]
LETS_ENCRYPT_STAGING = DIRECTORIES["letsencrypt-staging"]

QUOTAS = {
    LETS_ENCRYPT: Quotas(Quota(5, HOUR), Quota(300, 3 * HOUR), Quota(5, WEEK), True),
    LETS_ENCRYPT_STAGING: Quotas(
        Quota(200, HOUR), Quota(1500, 3 * HOUR), Quota(30_000, WEEK), True
    ),
}
"""The limits that CAs publish, by directory. Let's Encrypt's are buckets that fill again
steadily; a sliding window never takes more out of one than it holds."""

STAGING = {LETS_ENCRYPT: LETS_ENCRYPT_STAGING}
"""Where a CA has attempts rehearsed, by directory: lego's short codes. Google's wants an
external account of its own, so it is none for everybody."""


def as_issued(name: str) -> str:
    """Write a name as certificates have it, to compare it: for the order the engine does that."""
    name = name.lower().rstrip(".")
    if ":" in name:
        with suppress(ValueError):
            return str(ip_address(name))
    if not name.isascii():
        with suppress(UnicodeError):
            return name.encode("idna").decode()
    return name


def proven(name: str) -> str:
    """Return what is authorized for a name: of a wildcard its domain (RFC 8555 section 7.1.4)."""
    return as_issued(name).removeprefix("*.")


def quotas_of(directory: str) -> Quotas:
    """Return what a CA is known to allow."""
    return QUOTAS.get(directory, Quotas())


def period_of(quota: Quota | None) -> timedelta:
    return timedelta(0) if quota is None else quota.period
