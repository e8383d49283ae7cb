"""A certificate: what it says, and the files and contexts that are made of it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

from pylego import _engine
from pylego._engine import system
from pylego._errors import Identifier, InvalidRequest

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from typing import Any

    from pylego._models import RenewalInfo

BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"

PUBLIC, SECRET = 0o644, 0o600
"""The modes of files: everybody may read certificates, and only their owner keys."""


@dataclass(frozen=True)
class Certificate:
    """A certificate as the CA delivered it, and the key that was made for it."""

    leaf: str
    """The certificate itself, PEM."""
    chain: str
    """The certificates that lead from it to a root, without the root, PEM."""
    private_key: str | None = field(repr=False)
    """Its key, PEM; `None` for a CSR, whose key stays with its maker."""
    csr: str | None = field(repr=False)
    """The certificate request, PEM; `None` for one that was loaded."""
    identifiers: tuple[Identifier, ...]
    """What it was asked for, in that order; what it names, for one that was loaded."""
    not_before: datetime
    """The first moment of validity."""
    not_after: datetime
    """The last moment of validity."""
    serial: str
    """The serial number, hexadecimal."""
    fingerprint: str
    """The SHA-256 digest of the leaf, hexadecimal."""
    issuer: str
    """Who signed it, as a distinguished name."""
    url: str | None
    """Where the CA keeps it; `None` for one that was loaded."""
    order_url: str | None
    """The order that brought it, for `deactivate_authorizations`."""
    bundle: bool = True
    """Whether `fullchain` holds the chain."""
    renewal_info: RenewalInfo | None = None
    """When the CA advises to renew it, for those who have asked and keep it here:
    `dataclasses.replace(certificate, renewal_info=client.renewal_info(certificate))`.
    Obtaining does not ask: the advice changes, and would cost a request."""

    @property
    def fullchain(self) -> str:
        """The leaf and its chain, PEM, as servers want it; the leaf alone without `bundle`."""
        return self.leaf + self.chain if self.bundle else self.leaf

    @property
    def stable_url(self) -> str | None:
        """The certificate's URL under lego's second name for it."""
        return self.url

    def pem(self) -> str:
        """Return key and full chain in one text, as HAProxy and others read it: a secret.

        Raises:
            InvalidRequest: there is no key.
        """
        return self._key() + self.fullchain

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write cert.pem, chain.pem and fullchain.pem (0644) and privkey.pem (0600), if there is a key.

        Each file is replaced as a whole: who reads meanwhile sees the old or the new
        one. The key comes first. Where there is none, an older privkey.pem stays: it may
        be the only copy of a key.

        Args:
            folder: is made where it is missing.

        Raises:
            OSError: a file cannot be written.
        """
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- pathlib is slow to import
        files = {
            "privkey.pem": (self.private_key, SECRET),
            "cert.pem": (self.leaf, PUBLIC),
            "chain.pem": (self.chain, PUBLIC),
            "fullchain.pem": (self.fullchain, PUBLIC),
        }
        for name, (text, mode) in files.items():
            if text is not None:
                _replace(os.path.join(folder, name), text, mode)  # noqa: PTH118 -- as above

    def ssl_context(self) -> ssl.SSLContext:
        """Return a server's context with the certificate, its chain and its key loaded.

        OpenSSL reads them from a file that only this user may read, and that is gone
        when the call returns.

        Raises:
            InvalidRequest: there is no key.
            ssl.SSLError: OpenSSL cannot use them.
        """
        import ssl  # noqa: PLC0415 -- for those who use it
        import tempfile  # noqa: PLC0415 -- as above

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # In a folder of mode 0700: Windows has no file that OpenSSL could open while we do.
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pem")  # noqa: PTH118 -- pathlib is slow to import
            with open(path, "x") as file:  # noqa: PTH123 -- as above
                file.write(self._key() + self.leaf + self.chain)  # the chain too, bundle or not
            context.load_cert_chain(path)
        return context

    def pkcs12(self, password: str, format: str = "SHA256") -> bytes:  # noqa: A002 -- lego's word
        """Pack key and chain into a PKCS#12 file (RFC 7292).

        Args:
            password: protects the file.
            format: `"SHA256"`; `"PBMAC1"` for readers of today, `"DES"` and `"RC2"` for
                those of long ago.

        Raises:
            InvalidRequest: there is no key, or no such format.
        """
        import base64  # noqa: PLC0415 -- for those who use it

        message = {
            "certificate": self.leaf + self.chain,  # as lego does it, bundle or not
            "private_key": self._key(),
            "password": password,
            "format": format,
        }
        content: str = _engine.run(_engine.Call("pkcs12", message))["content"]
        return base64.b64decode(content)

    @classmethod
    def load(
        cls, source: str | os.PathLike[str], private_key: str | os.PathLike[str] | None = None
    ) -> Certificate:
        """Read a certificate that somebody has kept.

        Args:
            source: a folder that `write` wrote; or a file of PEM certificates, the
                leaf first; or their text.
            private_key: its key: a file, or its text. Of a folder privkey.pem is taken by
                default, and must be the certificate's.

        Raises:
            InvalidRequest: there is no certificate, the chain is not one, or the key
                is not the certificate's.
            OSError: a file cannot be read.
        """
        apart, beside = "", None
        if not _is_text(source) and os.path.isdir(source):  # noqa: PTH112 -- as above
            folder = source
            if private_key is None:
                private_key = beside = _kept(folder, "privkey.pem")
            source = os.path.join(folder, "fullchain.pem")  # noqa: PTH118 -- as above
            chain = _kept(folder, "chain.pem")
            if chain is not None and _text(source).count(BEGIN_CERTIFICATE) == 1:
                apart = _text(chain)  # written without bundle
        message = {
            "certificate": _text(source) + apart,
            "private_key": "" if private_key is None else _text(private_key),
        }
        try:
            loaded = _engine.run(_engine.Call("certificate_load", message))
        except InvalidRequest as error:
            if beside is None or error.code != "invalid_private_key":
                raise
            msg = f"{beside}: {error.detail}, but perhaps an older one's: move it away, or load fullchain.pem without it"
            raise InvalidRequest(msg, code=error.code) from error
        return certificate_of(loaded, bundle=not apart)

    def _key(self) -> str:
        if self.private_key is None:
            msg = "the certificate has no private key here: it stayed with the maker of the CSR"
            raise InvalidRequest(msg, code="invalid_private_key")
        return self.private_key


def certificate_of(data: dict[str, Any], *, bundle: bool = True) -> Certificate:
    """Read a certificate as the engine tells it."""
    return Certificate(
        leaf=data["leaf"],
        chain=data["chain"],
        private_key=data.get("private_key"),
        csr=data.get("csr"),
        identifiers=tuple(Identifier(**identifier) for identifier in data["identifiers"]),
        not_before=moment_of(data["not_before"]),
        not_after=moment_of(data["not_after"]),
        serial=data["serial"],
        fingerprint=data["fingerprint"],
        issuer=data["issued_by"],
        url=data.get("url"),
        order_url=data.get("order_url"),
        bundle=bundle,
    )


def moment_of(text: str) -> datetime:
    """Read a moment as Go writes it: RFC 3339, of whose forms Python 3.10 does not know all.

    Raises:
        ValueError: it is none.
    """
    from datetime import datetime  # noqa: PLC0415 -- a third of our import time

    text = text.replace("Z", "+00:00")
    second, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789")
    digits = rest[: len(rest) - len(zone)]
    return datetime.fromisoformat(f"{second}.{digits[:6]:0<6}{zone}" if digits else text)


def _is_text(source: str | os.PathLike[str]) -> bool:
    return isinstance(source, str) and "-----BEGIN" in source


def _kept(folder: str | os.PathLike[str], name: str) -> str | None:
    path = os.path.join(folder, name)  # noqa: PTH118 -- as above
    return path if os.path.exists(path) else None  # noqa: PTH110 -- as above


def _text(source: str | os.PathLike[str]) -> str:
    if isinstance(source, str) and _is_text(source):
        return source
    with open(source, encoding="ascii", errors="replace") as file:  # noqa: PTH123 -- as above
        return file.read()


def _replace(path: str, text: str, mode: int) -> None:
    """Put a new file in the place of an old one, on the disk too."""
    import tempfile  # noqa: PLC0415 -- for those who write

    folder = os.path.dirname(path)  # noqa: PTH120 -- as above
    descriptor, staged = tempfile.mkstemp(dir=folder, prefix=".pylego-")  # O_EXCL, 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            if sys.platform != "win32":  # whose rights are not in a mode
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        system.patiently(os.replace, staged, path)
    except BaseException:
        os.unlink(staged)  # noqa: PTH108 -- as above
        raise
    if sys.platform == "win32":  # it keeps its folders itself
        return
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
