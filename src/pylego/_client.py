"""Client: the operations on one account at one CA."""

from __future__ import annotations

from pylego import _engine
from pylego._base_client import BaseClient
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
    from pylego._events import EventCallback
    from pylego._models import Account, Directory, RenewalInfo
    from pylego._operations import Operation
    from pylego._server import Limits, Trust
    from pylego._ways import Challenges

    Value = TypeVar("Value")


class Client(BaseClient):
    """One account at one CA.

    The account is made by the first operation that needs it: with a key of its
    own where none is given, and with the same one in later operations. A client
    may be used by many threads at once, and in forks of its process. There is
    nothing to close: the engine ends connections that nobody uses.

    Args:
        directory: the URL of the CA's ACME directory, or one of lego's short
            codes such as `"letsencrypt"` and `"letsencrypt-staging"`.
        account: the account to use, with its key; a new one by default.
        email: where the CA may write to.
        accept_terms: whether the CA's terms of service are agreed to.
        eab: key identifier and HMAC key of an external account (RFC 8555 section 7.3.4).
        trust: roots for the CA's own HTTPS certificate, beside the system's: PEM, or
            a `pathlib.Path` to a file or folder of PEM, which is read again when it
            changes. By default what SSL_CERT_FILE, SSL_CERT_DIR and
            LEGO_CA_CERTIFICATES say.
        verify: whether the CA's HTTPS certificate has to be trusted. `False` is for
            tests: anybody on the way could pretend to be the CA; a warning is logged.
        proxy: the URL of a proxy to the CA (`http://`, `https://` or `socks5://`), or
            `""` for none. By default what HTTPS_PROXY and NO_PROXY say at the call.
        ip_version: 4 or 6 to reach the CA, or the proxy, over that version of IP
            only; either by default.
        timeout: seconds that an operation may take; none by default.
        cleanup_timeout: seconds that the clean-up may take after the end of a
            failed or cancelled operation.
        limits: how much is asked of the CA at once and in time; what the CA
            publishes by default.
        isolation: `"process"` runs the engine in a process of its own, where not even
            a crash of it could end this one; a call is some milliseconds slower. By
            default what PYLEGO_ISOLATION in the environment says, otherwise in this
            process where that is possible.
        user_agent: what the CA reads before our own User-Agent (RFC 8555 section
            6.1), such as `"mine/1.2 (ops@example.com)"`.
        on_event: is called with each event of each operation, in order, on a
            thread of pylego's. An exception of its cancels the operation, which raises it.

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
        on_event: EventCallback | None = None,
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

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: there is nothing to close."""

    def directory(self, *, timeout: float | None = None) -> Directory:
        """Read what the CA says of itself (RFC 8555 section 7.1.1). No account is needed.

        Args:
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            NetworkError: the CA could not be reached, or what answers is no ACME directory.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(ReadDirectory(), timeout)

    def register(self, *, timeout: float | None = None) -> Account:
        """Make the account now, or find the one that the key has (RFC 8555 section 7.3).

        There is no need to: the first operation that needs an account does the same.

        Args:
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            TermsNotAccepted: the CA has terms of service, and nobody has accepted them.
            ExternalAccountRequired: the CA wants an external account (`eab`).
            InvalidContact: the CA does not accept the address.
            AccountError: the external account's HMAC key is not base64url.
            ACMEError: the CA refused in another way.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(OnAccount("register"), timeout)

    def recover(self, *, timeout: float | None = None) -> Account:
        """Find the account of the client's key, and make none (RFC 8555 section 7.3.1).

        Args:
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            InvalidRequest: the client was given no account with a key.
            AccountDoesNotExist: the CA does not know the key.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(OnAccount("recover"), timeout)

    def update_account(self, *, email: str | None, timeout: float | None = None) -> Account:
        """Change where the CA may write to (RFC 8555 section 7.3.2).

        Args:
            email: the new address; `None` removes it.
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            InvalidContact: the CA does not accept the address.
            AccountDoesNotExist: the CA does not know the account.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(OnAccount("update_account", {"new_email": email}), timeout)

    def rollover(
        self, *, new_key: str | None = None, key_type: str = "EC256", timeout: float | None = None
    ) -> Account:
        """Give the account another key (RFC 8555 section 7.3.5).

        It waits for the account's operations that run in this process; those that begin
        meanwhile wait for it, and go on with the new key. Their clients use it afterwards,
        as this one does; keep it, too: the old one is worth nothing then.

        Args:
            new_key: the new key, PEM; one of `key_type` is made by default. Give one
                that is stored: a key made here is lost with this process, should a call
                fail after the CA has taken it. Until then the next call goes on with it.
            key_type: EC256, EC384, RSA2048, RSA3072, RSA4096 or RSA8192.
            timeout: seconds that the operation may take; the client's by default.

        Returns:
            The account with its new key.

        Raises:
            InvalidRequest: the key or its type cannot be used; nothing was sent.
            AccountDoesNotExist: the CA does not know the account.
            ACMEError: the CA refused: the key may have an account already.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        operation = OnAccount("rollover", {"new_key": new_key, "key_type": key_type})
        return self._run(operation, timeout)

    def deactivate_account(self, *, timeout: float | None = None) -> Account:
        """End the account for good (RFC 8555 section 7.3.6). Its certificates stay valid.

        Args:
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            AccountDoesNotExist: the CA does not know the account.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(OnAccount("deactivate_account"), timeout)

    def obtain(
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
        """Obtain a certificate (RFC 8555 section 7.4).

        Args:
            identifiers: DNS names, wildcards and IP addresses; none with a CSR. Names in
                other scripts become A-labels (RFC 5890).
            challenges: how they are validated, one way or several in order of preference.
            csr: a certificate request, PEM, instead of identifiers and key.
            key: the certificate's own key, PEM, instead of a new one; not with a CSR.
            key_type: the type of the new key: EC256, EC384, RSA2048, RSA3072, RSA4096
                or RSA8192; EC256 by default. Not with a CSR.
            profile: one of the profiles that the CA's directory offers.
            not_before: the first moment of validity, with a time zone; few CAs let choose.
            not_after: the last moment of validity, as before.
            preferred_chain: the common name of the root to which the chain shall lead;
                where the CA offers none such, its own choice is taken, and logged.
            bundle: whether `fullchain` holds the chain; `chain` has it in any case.
            must_staple: ask for the extension by which clients insist on a stapled OCSP
                answer (RFC 7633); not with a CSR.
            common_name: whether the first name is the common name, too, unless it is longer
                than the 64 characters that one may have; not with a CSR.
            replaces: the certificate whose place the new one takes, which exempts from some
                limits (RFC 9773 section 5); told where the CA offers renewal information.
                `renew` does it by itself.
            always_deactivate_authorizations: give up what was proven, also after success, so
                that the next order proves it again.
            timeout: seconds that the whole operation may take; the client's by default.

        Raises:
            InvalidRequest: an argument cannot be used; nothing was sent.
            AccountError: the account could not be opened.
            ChallengeFailed: an identifier was not validated.
            ProviderError: the DNS provider failed.
            ACMEError: the CA refused.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
            EngineError: the engine cannot run here.
        """
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
        return self._run(operation, timeout)

    def renew(
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
        """Obtain a certificate for the same names.

        The CA is told which certificate it replaces, where it offers renewal information
        (RFC 9773 section 5); should it not hear of that, the order is made once more
        without, and an event `retrying` says why.

        Args:
            certificate: the one to renew.
            challenges: how its names are validated, one way or several in order of preference.
            csr: a certificate request, PEM, instead of its names and a new key.
            key: the certificate's own key, PEM, instead of a new one; not with a CSR.
            key_type: the type of the new key: EC256, EC384, RSA2048, RSA3072, RSA4096
                or RSA8192; the old one's by default, and EC256 where that is another.
                Not with a CSR.
            profile: one of the profiles that the CA's directory offers.
            not_before: the first moment of validity, with a time zone; few CAs let choose.
            not_after: the last moment of validity, as before.
            preferred_chain: the common name of the root to which the chain shall lead;
                where the CA offers none such, its own choice is taken, and logged.
            bundle: whether `fullchain` holds the chain; `chain` has it in any case.
            must_staple: ask for the extension by which clients insist on a stapled OCSP
                answer (RFC 7633); not with a CSR.
            common_name: whether the first name is the common name, too, unless it is longer
                than the 64 characters that one may have; not with a CSR.
            always_deactivate_authorizations: give up what was proven, also after success, so
                that the next order proves it again.
            timeout: seconds that the whole operation may take; the client's by default.

        Raises:
            InvalidRequest: an argument cannot be used; nothing was sent.
            AccountError: the account could not be opened.
            ChallengeFailed: an identifier was not validated.
            ProviderError: the DNS provider failed.
            ACMEError: the CA refused.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
            EngineError: the engine cannot run here.
        """
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
        return self._run(operation, timeout)

    def renewal_info(
        self, certificate: Certificate, *, timeout: float | None = None
    ) -> RenewalInfo:
        """Ask when the certificate should be renewed (RFC 9773). No account is needed.

        Args:
            certificate: the one to ask about.
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            InvalidRequest: the CA offers no such information.
            ACMEError: the CA does not know the certificate.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(ReadRenewalInfo(leaf_of(certificate)), timeout)

    def revoke(
        self,
        certificate: Certificate,
        *,
        reason: str | None = None,
        key: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Revoke a certificate (RFC 8555 section 7.6).

        Args:
            certificate: the one to revoke.
            reason: `"keyCompromise"`, `"superseded"`, `"cessationOfOperation"` or another of
                RFC 5280 section 5.3.1; none is given by default.
            key: the certificate's own key, PEM, which may revoke it without an account;
                by default the account that obtained it does.
            timeout: seconds that the operation may take; the client's by default.

        Raises:
            InvalidRequest: there is no such reason, or the key is another's.
            Unauthorized: the account may not revoke it.
            ACMEError: the CA refused: it may be revoked already (`alreadyRevoked`).
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        self._run(Revoke(leaf_of(certificate), reason, key), timeout)

    def deactivate_authorizations(
        self, order: Certificate | str, *, timeout: float | None = None
    ) -> int:
        """Give up what an order has proven (RFC 8555 section 7.5.2).

        Whoever gets hold of the account can then obtain nothing without proving it again.
        The certificate stays valid.

        Args:
            order: the certificate that the order brought, or the order's URL.
            timeout: seconds that the operation may take; the client's by default.

        Returns:
            How many authorizations the order had.

        Raises:
            InvalidRequest: the certificate does not know its order, or that is no URL.
            ACMEError: the CA refused.
            NetworkError: the CA could not be reached.
            DeadlineExceeded: the timeout is over.
        """
        return self._run(DeactivateAuthorizations(order), timeout)

    def _run(self, operation: Operation[Value], timeout: float | None) -> Value:
        return self._value(operation, _engine.run(self._call(operation, timeout), self._on_event))
