"""The values that operations return."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType

from pylego._errors import InvalidRequest

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any


@dataclass(frozen=True)
class Account:
    """An account at a CA (RFC 8555 section 7.1.2): its key, and where the CA keeps it.

    Give it to a `Client` to use the same account again.
    """

    key: str | None = field(default=None, repr=False)
    """Its private key, PEM: a secret."""
    url: str | None = None
    """Its URL at the CA; `None` as long as the CA has not told it."""
    directory: str | None = None
    """The URL of the CA's directory; `None` as long as it was not asked."""
    status: str | None = None
    """`"valid"`, `"deactivated"` or `"revoked"`, as the CA last told it; `None` if it was not asked."""
    email: str | None = None
    """Where the CA may write to, as it last told it."""

    def to_json(self, *, include_key: bool = False) -> str:
        """Return the account as JSON text, with the key only if that is asked for."""
        fields = {name: value for name, value in vars(self).items() if value is not None}
        if not include_key:
            fields.pop("key", None)
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Account:
        """Return the account that `to_json` wrote.

        Raises:
            InvalidRequest: the text is something else.
        """
        try:
            fields = json.loads(text)
            if not all(isinstance(value, str) for value in fields.values()):
                raise TypeError  # noqa: TRY301 -- told in the same words
            return cls(**fields)
        except (ValueError, TypeError, AttributeError):
            msg = "this is not the JSON text of an account"  # which may hold its key
            raise InvalidRequest(msg) from None


@dataclass(frozen=True)
class Directory:
    """What a CA says of itself (RFC 8555 section 7.1.1)."""

    url: str
    """Where the directory is."""
    terms_of_service: str | None
    """The URL of the terms that `accept_terms` accepts, if there are any."""
    website: str | None
    """The CA's site."""
    caa_identities: tuple[str, ...]
    """The names by which CAA records allow this CA (RFC 8659)."""
    external_account_required: bool
    """Whether an account needs `eab`."""
    profiles: Mapping[str, str] = field(hash=False)
    """Names of profiles, for `obtain(profile=...)`, and what the CA says of them."""
    renewal_info: bool
    """Whether the CA suggests when to renew (RFC 9773)."""
    clock_ahead: float | None = None
    """By how many seconds the CA's clock is ahead of this machine's, to about a second;
    `None` if it told no time."""

    def __post_init__(self) -> None:
        """Keep the profiles as nobody can change them."""
        object.__setattr__(self, "profiles", MappingProxyType(dict(self.profiles)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied and pickled: a mapping that nobody can change is not, by itself."""
        return type(self), tuple({**vars(self), "profiles": dict(self.profiles)}.values())


@dataclass(frozen=True)
class RenewalInfo:
    """When a CA advises to renew a certificate (RFC 9773 section 4.2)."""

    start: datetime
    """The window's first moment; one chosen at random within it is meant."""
    end: datetime
    """The window's last moment. One in the past means: now."""
    explanation_url: str | None
    """Why, for a person, where the CA explains it."""
    retry_after: datetime | None
    """When to ask again, where the CA says so."""
