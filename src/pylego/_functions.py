"""One call without a client of one's own."""

from __future__ import annotations

from pylego._client import Client

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, TypedDict

    from typing_extensions import Unpack

    from pylego._certificate import Certificate
    from pylego._events import EventCallback
    from pylego._models import Account
    from pylego._server import Limits, Trust
    from pylego._ways import Challenges

    class Settings(TypedDict, total=False):
        """The settings of `Client`."""

        account: Account | None
        email: str | None
        accept_terms: bool
        eab: tuple[str, str] | None
        trust: Trust | None
        verify: bool
        proxy: str | None
        ip_version: int | None
        timeout: float | None
        cleanup_timeout: float
        limits: Limits | None
        isolation: str | None
        user_agent: str | None
        on_event: EventCallback | None

    class Order(Settings, total=False):
        """Those, and the arguments that `Client.obtain` and `Client.renew` share."""

        csr: str | bytes | None
        key: str | None
        key_type: str | None
        profile: str | None
        not_before: datetime | None
        not_after: datetime | None
        preferred_chain: str | None
        bundle: bool
        must_staple: bool
        common_name: bool
        always_deactivate_authorizations: bool

    class NewOrder(Order, total=False):
        """Those, and what only `Client.obtain` takes."""

        replaces: Certificate | None


def obtain(
    *identifiers: str, directory: str, challenges: Challenges, **settings: Unpack[NewOrder]
) -> Certificate:
    """Obtain a certificate as `Client.obtain` does, with a client for this call.

    Each call without `account` makes an account of its own, which the CA limits: a
    client keeps one.

    Args:
        identifiers: as for `Client.obtain`.
        directory: as for `Client`.
        challenges: as for `Client.obtain`.
        settings: those of `Client` and of `Client.obtain`, by their names.

    Raises:
        LEGOError: as `Client.obtain` does.
    """
    client, order = _client(directory, settings)
    return client.obtain(*identifiers, challenges=challenges, **order)


def renew(
    certificate: Certificate, *, directory: str, challenges: Challenges, **settings: Unpack[Order]
) -> Certificate:
    """Renew a certificate as `Client.renew` does, with a client for this call.

    Args:
        certificate: as for `Client.renew`.
        directory: as for `Client`.
        challenges: as for `Client.renew`.
        settings: those of `Client` and of `Client.renew`, by their names.

    Raises:
        LEGOError: as `Client.renew` does.
    """
    client, order = _client(directory, settings)
    return client.renew(certificate, challenges=challenges, **order)


def revoke(
    certificate: Certificate,
    *,
    directory: str,
    reason: str | None = None,
    key: str | None = None,
    **settings: Unpack[Settings],
) -> None:
    """Revoke a certificate as `Client.revoke` does, with a client for this call.

    Args:
        certificate: as for `Client.revoke`.
        directory: as for `Client`.
        reason: as for `Client.revoke`.
        key: as for `Client.revoke`; without it `account` must have obtained the certificate.
        settings: those of `Client`, by their names.

    Raises:
        LEGOError: as `Client.revoke` does.
    """
    client, unknown = _client(directory, settings)
    client.revoke(certificate, reason=reason, key=key, **unknown)  # which refuses them


def _client(directory: str, settings: Any) -> tuple[Client, Any]:
    """Make the client; return it with the settings that are not its own."""
    names = Client.__init__.__kwdefaults__ or ()
    own = {name: settings.pop(name) for name in tuple(settings) if name in names}
    return Client(directory, **own), settings
