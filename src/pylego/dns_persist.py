"""The record of dns-persist-01, for whoever sets it (draft-ietf-acme-dns-persist)."""

from __future__ import annotations

from dataclasses import dataclass

from pylego import _engine
from pylego._challenges import DNSPersist01, several
from pylego._errors import InvalidRequest

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pylego._models import Account

LONGEST = 255
"""Bytes of one string of a TXT record (RFC 1035 section 3.3)."""


@dataclass(frozen=True)
class Record:
    """A TXT record that lets a CA issue to an account. As text it is a line for a zone file."""

    name: str
    """The record's name, without a last dot."""
    value: str
    """Its text."""

    def __str__(self) -> str:
        """Write it as zone files and many DNS services take it."""
        parts = [self.value[at : at + LONGEST] for at in range(0, len(self.value), LONGEST)]
        quoted = " ".join(f'"{part}"' for part in parts)
        return f"{self.name}. IN TXT {quoted}"

    def verify(
        self,
        *,
        resolvers: Sequence[str] = (),
        check_authoritative: bool = True,
        check_recursive: bool = False,
        timeout: float = 0,
    ) -> None:
        """Look for the record on every authoritative server of its zone.

        It waits for them: on an event loop, `await asyncio.to_thread(record.verify)`.

        Args:
            resolvers: the recursive name servers by which the zone is found, `host` or
                `host:port`; the system's by default.
            check_authoritative: whether the zone's servers are asked.
            check_recursive: whether the resolvers have to have it, too.
            timeout: seconds to look for it again and again; once, by default.

        Raises:
            PropagationTimeout: it is not there; `answers` has what each server said.
            InvalidRequest: no server is to be asked, or what is named is none.
        """
        message = {
            "name": self.name,
            "value": self.value,
            "resolvers": several(resolvers),
            "propagation": {"authoritative": check_authoritative, "recursive": check_recursive},
            "within": timeout,
        }
        _engine.run(_engine.Call("verify_record", message))


def record(
    identifier: str,
    account: Account,
    *,
    policy: str | None = None,
    until: datetime | None = None,
    issuer: str | None = None,
) -> Record:
    """Return the TXT record that lets a CA issue certificates for a name to an account.

    Args:
        identifier: the DNS name to obtain certificates for.
        account: the account, with its URL.
        policy: `"wildcard"` to allow wildcards below the name, too; for an identifier
            that is a wildcard it goes without saying.
        until: from when on the record is worth nothing, with a time zone; never by default.
        issuer: the CA's own domain name, as its documentation tells it. By default the
            CA's directory is asked for the first one of its `caa_identities`.

    Raises:
        InvalidRequest: the account has no URL yet, the moment no time zone, the CA tells
            no name, or the identifier is no name in ASCII.
        LEGOError: the CA was to be asked, and could not.
    """
    allowed = DNSPersist01(
        policy=policy or ("wildcard" if identifier[:2] == "*." else None), until=until
    )
    name = identifier.removeprefix("*.").rstrip(".").lower()
    if not name.isascii() or not all(name.split(".")):
        msg = f"{identifier!r} is no name in ASCII: say it as DNS has it (xn--...)"
        raise InvalidRequest(msg)
    if account.url is None:
        msg = "the account has no URL yet: register it first"
        raise InvalidRequest(msg)
    text = f"{issuer or _issuer(account)}; accounturi={account.url}"
    if allowed.policy:
        text += f"; policy={allowed.policy}"
    if until is not None:
        text += f"; persistUntil={int(until.timestamp())}"
    return Record(f"_validation-persist.{name}", text)


def _issuer(account: Account) -> str:
    """Ask the account's CA for its name."""
    from pylego._client import Client  # noqa: PLC0415 -- whoever names the issuer needs none

    if account.directory is None:
        msg = "the account does not tell its CA: give the issuer"
        raise InvalidRequest(msg)
    names = Client(account.directory).directory().caa_identities
    if not names:
        msg = f"{account.directory} tells no caaIdentities: give the issuer"
        raise InvalidRequest(msg)
    return names[0]
