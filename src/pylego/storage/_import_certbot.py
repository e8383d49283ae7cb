"""Takes over what certbot keeps in /etc/letsencrypt."""

from __future__ import annotations

import base64
import json
import os
from urllib.parse import urlsplit

from pylego._errors import StorageError
from pylego._models import Account
from pylego.storage._imported import (
    Imported,
    folders,
    settings,
    take_account,
    take_certificate,
    text,
)
from pylego.storage._values import Origin

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pylego.storage._store import Store

INTEGER, BITS, OCTETS, OBJECT, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30
OF_RSA = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
"""The numbers of a JSON Web Key (RFC 7518 section 6.3), in the order of RFC 8017 appendix A.1.2."""
CURVES = {"P-256": b"\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-384": b"\x2b\x81\x04\x00\x22"}


def import_certbot(store: Store, folder: str | os.PathLike[str] = "/etc/letsencrypt") -> Imported:
    """Copy certificates and accounts of certbot's into a store; certbot's stay as they are.

    A certificate keeps its name, an account the number that certbot has given it. What
    certbot knows of the CA, the account, the profile, the preferred chain and must-staple
    is the certificate's `Origin`; how it was validated is to be configured anew.

    Args:
        store: where they go; what is there already is left as it is.
        folder: certbot's `--config-dir`.

    Returns:
        What was copied, and what not, and why.

    Raises:
        StorageError: the folder has neither certificates nor accounts of certbot's.
    """
    root = os.path.abspath(folder)
    if not any(os.path.isdir(os.path.join(root, each)) for each in ("live", "accounts")):
        msg = f"{root} is no folder of certbot's: it has neither `live` nor `accounts`"
        raise StorageError(msg, path=root)
    imported = Imported()
    servers: set[str] = set()
    for name in folders(os.path.join(root, "live")):
        told = os.path.join(root, "renewal", f"{name}.conf")
        known = settings(text(told))
        if "server" in known:
            servers.add(known["server"])
        if _said(known, "reuse_key") == "True":
            imported.left_out[told] = "its reuse_key: `pylego renew --reuse-key` keeps a key"
        origin = Origin(
            directory=known.get("server"),
            account=known.get("account"),
            profile=_said(known, "required_profile") or _said(known, "preferred_profile"),
            preferred_chain=_said(known, "preferred_chain"),
            must_staple=_said(known, "must_staple") == "True" if known else None,
        )
        live = os.path.join(root, "live", name)
        files = os.path.join(live, "fullchain.pem"), os.path.join(live, "privkey.pem")
        take_certificate(store, imported, name, files, None, origin)
    for path, server in _accounts(root, servers):
        _take_account(store, imported, path, server)
    return imported


def _said(known: dict[str, str], name: str) -> str | None:
    value = known.get(name)
    return None if value in (None, "", "None") else value


def _accounts(root: str, servers: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the folders of accounts with the URLs of their directories.

    certbot's folders have the URL as their path, without what is in front of the host. Where
    a directory has taken another one's place, as Let's Encrypt's of ACME v2 have, certbot
    links the new one's folder, or that of each account in it, to the old one's.
    """
    accounts = os.path.join(root, "accounts")
    urls = {url.partition("://")[2].rstrip("/"): url for url in servers}
    walked = sorted(os.walk(accounts))  # which follows no links
    below = (os.path.join(folder, name) for folder, names, _ in walked for name in names)
    links = {os.path.realpath(path): path for path in below if os.path.islink(path)}
    for folder, _, files in walked:
        if "private_key.json" in files:
            above, name = os.path.split(os.path.realpath(folder))
            of_all = links.get(above, os.path.dirname(folder))
            used = links.get(os.path.join(above, name), os.path.join(of_all, name))
            place = os.path.relpath(os.path.dirname(used), accounts).replace(os.sep, "/")
            yield folder, urls.get(place, f"https://{place}")


def _take_account(store: Store, imported: Imported, path: str, server: str) -> None:
    try:
        account = _account(path, server)
    except (ValueError, KeyError, OSError, TypeError, AttributeError):
        imported.left_out[path] = "it cannot be read as an account of certbot's"
    else:
        take_account(store, imported, path, os.path.basename(path), account)


def _account(path: str, server: str) -> Account:
    registration: dict[str, Any] = json.loads(text(os.path.join(path, "regr.json")) or "{}")
    contacts: list[str] = registration.get("body", {}).get("contact") or []
    emails = [each.removeprefix("mailto:") for each in contacts if each.startswith("mailto:")]
    url: str | None = registration.get("uri")
    if urlsplit(url or "").netloc != urlsplit(server).netloc:
        url = None  # that of a directory of before: the CA tells the account's by its key
    return Account(
        key=key_of(json.loads(text(os.path.join(path, "private_key.json")))),
        url=url,
        directory=server,
        email=next(iter(emails), None),
    )


def key_of(jwk: dict[str, Any]) -> str:
    """Return a JSON Web Key as PEM, in the form that lego writes: PKCS #1 or SEC 1."""
    numbers = {name: _bytes(value) for name, value in jwk.items() if name in (*OF_RSA, "x", "y")}
    if jwk.get("kty") == "EC":
        curve, secret = CURVES[jwk["crv"]], _bytes(jwk["d"])
        point = b"\0\4" + numbers["x"] + numbers["y"]  # no unused bits; uncompressed
        parts = [
            _der(INTEGER, b"\1"),
            _der(OCTETS, secret),
            _der(0xA0, _der(OBJECT, curve)),
            _der(0xA1, _der(BITS, point)),
        ]
        return _pem("EC PRIVATE KEY", _der(SEQUENCE, b"".join(parts)))
    version = _der(INTEGER, b"\0")
    return _pem(
        "RSA PRIVATE KEY",
        _der(SEQUENCE, version + b"".join(_integer(numbers[name]) for name in OF_RSA)),
    )


def _bytes(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _integer(value: bytes) -> bytes:
    stripped = value.lstrip(b"\0")
    positive = b"\0" if not stripped or stripped[0] & 0x80 else b""
    return _der(INTEGER, positive + stripped)


def _der(tag: int, content: bytes) -> bytes:
    """Write a value as DER does (X.690 section 8.1)."""
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 -- the short form's last
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _pem(label: str, der: bytes) -> str:
    body = base64.b64encode(der).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
