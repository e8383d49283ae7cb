"""Client: one CA, one account, and the operations on it."""

from __future__ import annotations

from pylego import _engine
from pylego._challenges import Challenge
from pylego._operations import AccountSettings, Obtain, Server

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from pylego._events import EventCallback
    from pylego._models import Certificate
    from pylego._operations import Operation

    Value = TypeVar("Value")


class Client:
    """One account at one CA.

    The account is made by the first operation that needs it: with a key of its
    own where none is given, and with the same one in later operations.

    Args:
        directory: the URL of the CA's ACME directory, or one of lego's short
            codes such as `"letsencrypt"` and `"letsencrypt-staging"`.
        account_key: the account's private key, PEM; a new one by default.
        email: where the CA may write to.
        accept_terms: whether the CA's terms of service are agreed to.
        eab: key identifier and HMAC key of an external account (RFC 8555 section 7.3.4).
        trust: PEM roots for the CA's own HTTPS certificate, beside the system's.
            By default what SSL_CERT_FILE, SSL_CERT_DIR and LEGO_CA_CERTIFICATES say.
        timeout: seconds that an operation may take; none by default.
        cleanup_timeout: seconds that the clean-up may take after the end of a
            failed or cancelled operation.
        isolation: `"process"` runs the engine in a process of its own, where not even
            a crash of it could end this one; a call is some milliseconds slower. By
            default what PYLEGO_ISOLATION in the environment says, otherwise in this
            process where that is possible.
        on_event: is called with each event of each operation, in order, on a
            thread of pylego's. An exception of its cancels the operation, which raises it.
    """

    def __init__(
        self,
        directory: str,
        *,
        account_key: str | None = None,
        email: str | None = None,
        accept_terms: bool = False,
        eab: tuple[str, str] | None = None,
        trust: str | None = None,
        timeout: float | None = None,
        cleanup_timeout: float = 10.0,
        isolation: str | None = None,
        on_event: EventCallback | None = None,
    ) -> None:
        """Keep the settings; nothing is sent."""
        self._server = Server(directory=directory, trust=trust)
        self._account = AccountSettings(
            key=account_key, email=email, accept_terms=accept_terms, eab=eab
        )
        self._timeout = timeout
        self._cleanup_timeout = cleanup_timeout
        self._isolation = isolation
        self._on_event = on_event

    def obtain(
        self,
        *identifiers: str,
        challenges: Challenge | Sequence[Challenge],
        csr: str | None = None,
        key_type: str = "EC256",
        profile: str | None = None,
        timeout: float | None = None,
    ) -> Certificate:
        """Obtain a certificate (RFC 8555 section 7.4).

        Args:
            identifiers: DNS names, wildcards and IP addresses; none with a CSR.
            challenges: how they are validated, one way or several in order of preference.
            csr: a certificate request, PEM, instead of identifiers and key.
            key_type: the type of the new key: EC256, EC384, RSA2048, RSA3072, RSA4096 or RSA8192.
            profile: one of the profiles that the CA's directory offers.
            timeout: seconds that the whole operation may take; the client's by default.

        Raises:
            InvalidRequest: an argument cannot be used; nothing was sent.
            ChallengeFailed: an identifier was not validated.
            ProviderError: the DNS provider failed.
            ACMEError: the CA refused.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
            EngineError: the engine cannot run here.
        """
        operation = Obtain(
            server=self._server,
            account=self._account,
            identifiers=identifiers,
            csr=csr,
            challenges=(challenges,) if isinstance(challenges, Challenge) else tuple(challenges),
            key_type=key_type,
            profile=profile,
            cleanup_timeout=self._cleanup_timeout,
        )
        certificate = self._run(operation, timeout)
        self._account = self._account.with_key(certificate.account_key)
        return certificate

    def _run(self, operation: Operation[Value], timeout: float | None) -> Value:
        data = _engine.run(
            operation.name,
            operation.message(),
            timeout=self._timeout if timeout is None else timeout,
            cleanup_timeout=self._cleanup_timeout,
            on_event=self._on_event,
            isolation=self._isolation,
        )
        return operation.result(data)
