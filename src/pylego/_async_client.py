"""AsyncClient: the same operations, awaited."""

from __future__ import annotations

from pylego._base_client import BaseClient
from pylego._follow import following
from pylego._operations import (
    DeactivateAuthorizations,
    Obtain,
    OnAccount,
    ReadDirectory,
    ReadRenewalInfo,
    Revoke,
    leaf_of,
)

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType
    from typing import TypeVar

    from typing_extensions import Self

    from pylego._certificate import Certificate
    from pylego._events import AsyncEventCallback
    from pylego._models import Account, Directory, RenewalInfo
    from pylego._operations import Operation
    from pylego._server import Limits, Trust
    from pylego._ways import Challenges

    Value = TypeVar("Value")


class AsyncClient(BaseClient):
    """One account at one CA, for programs on asyncio.

    Every method is its namesake of `Client`, awaited: the same arguments, result
    and errors. Cancelling the task (also by `asyncio.timeout`) cancels the operation,
    and CancelledError is raised when it has cleaned up, at latest after `cleanup_timeout`.

    Args:
        directory: as for `Client`.
        account: as for `Client`.
        email: as for `Client`.
        accept_terms: as for `Client`.
        eab: as for `Client`.
        trust: as for `Client`.
        verify: as for `Client`.
        proxy: as for `Client`.
        ip_version: as for `Client`.
        timeout: as for `Client`.
        cleanup_timeout: as for `Client`.
        limits: as for `Client`.
        isolation: as for `Client`.
        user_agent: as for `Client`.
        on_event: a function or coroutine function that is called on the event loop
            with each event of each operation, in order. An exception of its cancels
            the operation, which raises it.

    Raises:
        InvalidRequest: a setting cannot be used.
    """

    def __init__(
        self,
        directory: str,
        *,
        account: Account | None = None,
        email: str | None = None,
        accept_terms: bool = False,
        eab: tuple[str, str] | None = None,
        trust: Trust | None = None,
        verify: bool = True,
        proxy: str | None = None,
        ip_version: int | None = None,
        timeout: float | None = None,
        cleanup_timeout: float = 10.0,
        limits: Limits | None = None,
        isolation: str | None = None,
        user_agent: str | None = None,
        on_event: AsyncEventCallback | None = None,
    ) -> None:
        """Keep the settings; nothing is sent."""
        super().__init__(
            directory,
            account=account,
            email=email,
            accept_terms=accept_terms,
            eab=eab,
            trust=trust,
            verify=verify,
            proxy=proxy,
            ip_version=ip_version,
            timeout=timeout,
            cleanup_timeout=cleanup_timeout,
            limits=limits,
            isolation=isolation,
            user_agent=user_agent,
        )
        self._on_event = on_event

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: there is nothing to close."""

    async def directory(self, *, timeout: float | None = None) -> Directory:
        """Read what the CA says of itself: `Client.directory`, awaited."""
        return await self._run(ReadDirectory(), timeout)

    async def register(self, *, timeout: float | None = None) -> Account:
        """Make the account now, or find it: `Client.register`, awaited."""
        return await self._run(OnAccount("register"), timeout)

    async def recover(self, *, timeout: float | None = None) -> Account:
        """Find the account of the client's key: `Client.recover`, awaited."""
        return await self._run(OnAccount("recover"), timeout)

    async def update_account(self, *, email: str | None, timeout: float | None = None) -> Account:
        """Change where the CA may write to: `Client.update_account`, awaited."""
        return await self._run(OnAccount("update_account", {"new_email": email}), timeout)

    async def rollover(
        self, *, new_key: str | None = None, key_type: str = "EC256", timeout: float | None = None
    ) -> Account:
        """Give the account another key: `Client.rollover`, awaited."""
        operation = OnAccount("rollover", {"new_key": new_key, "key_type": key_type})
        return await self._run(operation, timeout)

    async def deactivate_account(self, *, timeout: float | None = None) -> Account:
        """End the account for good: `Client.deactivate_account`, awaited."""
        return await self._run(OnAccount("deactivate_account"), timeout)

    async def obtain(
        self,
        *identifiers: str,
        challenges: Challenges,
        csr: str | bytes | None = None,
        key: str | None = None,
        key_type: str | None = None,
        profile: str | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        preferred_chain: str | None = None,
        bundle: bool = True,
        must_staple: bool = False,
        common_name: bool = False,
        replaces: Certificate | None = None,
        always_deactivate_authorizations: bool = False,
        timeout: float | None = None,
    ) -> Certificate:
        """Obtain a certificate: `Client.obtain`, awaited."""
        operation = Obtain(
            identifiers=identifiers,
            challenges=challenges,
            csr=csr,
            key=key,
            key_type=key_type,
            profile=profile,
            not_before=not_before,
            not_after=not_after,
            preferred_chain=preferred_chain,
            bundle=bundle,
            must_staple=must_staple,
            common_name=common_name,
            replaces=None if replaces is None else leaf_of(replaces),
            always_deactivate_authorizations=always_deactivate_authorizations,
        )
        return await self._run(operation, timeout)

    async def renew(
        self,
        certificate: Certificate,
        *,
        challenges: Challenges,
        csr: str | bytes | None = None,
        key: str | None = None,
        key_type: str | None = None,
        profile: str | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        preferred_chain: str | None = None,
        bundle: bool = True,
        must_staple: bool = False,
        common_name: bool = False,
        always_deactivate_authorizations: bool = False,
        timeout: float | None = None,
    ) -> Certificate:
        """Obtain a certificate for the same names: `Client.renew`, awaited."""
        operation = Obtain(
            renewed=leaf_of(certificate),
            challenges=challenges,
            csr=csr,
            key=key,
            key_type=key_type,
            profile=profile,
            not_before=not_before,
            not_after=not_after,
            preferred_chain=preferred_chain,
            bundle=bundle,
            must_staple=must_staple,
            common_name=common_name,
            always_deactivate_authorizations=always_deactivate_authorizations,
        )
        return await self._run(operation, timeout)

    async def renewal_info(
        self, certificate: Certificate, *, timeout: float | None = None
    ) -> RenewalInfo:
        """Ask when the certificate should be renewed: `Client.renewal_info`, awaited."""
        return await self._run(ReadRenewalInfo(leaf_of(certificate)), timeout)

    async def revoke(
        self,
        certificate: Certificate,
        *,
        reason: str | None = None,
        key: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Revoke a certificate: `Client.revoke`, awaited."""
        await self._run(Revoke(leaf_of(certificate), reason, key), timeout)

    async def deactivate_authorizations(
        self, order: Certificate | str, *, timeout: float | None = None
    ) -> int:
        """Give up what an order has proven: `Client.deactivate_authorizations`, awaited."""
        return await self._run(DeactivateAuthorizations(order), timeout)

    async def _run(self, operation: Operation[Value], timeout: float | None) -> Value:
        from pylego._engine import asynchronous  # noqa: PLC0415 -- asyncio, for those who use it

        call = self._call(operation, timeout)
        with following(self._on_event) as on_event:
            data = await asynchronous.run(call, on_event)
        return self._value(operation, data)
