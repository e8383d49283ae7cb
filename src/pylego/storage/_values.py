"""What a store keeps beside certificates and accounts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Origin:
    """How a certificate was asked for, so that the next one is asked for likewise."""

    directory: str | None = None
    """The URL of the CA's directory; `None` for a certificate that lego obtained: it does not tell."""
    account: str | None = None
    """The ID of the account in the store; `None` as above."""
    key_type: str | None = None
    """EC256, EC384, RSA2048, RSA3072, RSA4096 or RSA8192; when it is saved the key's by default."""
    profile: str | None = None
    """The CA's profile that was asked for."""
    preferred_chain: str | None = None
    """The common name of the issuer that was preferred."""
    must_staple: bool | None = None
    """Whether the extension was asked for that wants a stapled OCSP response; `None`: it is not known."""
    common_name: bool | None = None
    """Whether a common name was asked for; `None` as above."""


@dataclass(frozen=True)
class StoredText:
    """A certificate as it lies in a store: text that nobody has parsed yet."""

    id: str
    """The certificate's ID."""
    fullchain: str
    """What its .crt holds, PEM: the leaf, and the chain after it where it is bundled."""
    names: tuple[str, ...]
    """The names it was asked for, in that order."""
    origin: Origin
    """How it was asked for."""
    order_url: str | None = None
    """The order that it came from; `None` for one that lego obtained."""


@dataclass(frozen=True)
class Pending:
    """A certificate on its way: what is needed to fetch it after a crash."""

    key: str = field(repr=False)
    """The private key that it is for, PEM."""
    order_url: str | None
    """The order at the CA; `None` as long as there is none."""
    directory: str
    """The URL of the CA's directory."""
