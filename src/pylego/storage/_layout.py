"""Where lego v5 keeps what, under which names (its cmd/internal/storage)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import cast
from urllib.parse import urlsplit

from pylego._certificate import BEGIN_CERTIFICATE
from pylego._errors import InvalidRequest, StorageError
from pylego._models import Account
from pylego.storage._values import Origin

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    from pylego._certificate import Certificate

CERTIFICATES = ("certificates",)
ACCOUNTS = ("accounts",)
CERTIFICATE, ISSUER, KEY, PEM, PFX, RESOURCE = (
    ".crt",
    ".issuer.crt",
    ".key",
    ".pem",
    ".pfx",
    ".json",
)
EXTENSIONS = (CERTIFICATE, ISSUER, KEY, PEM, PFX, RESOURCE)
READ = (CERTIFICATE, ISSUER, KEY, RESOURCE)
"""What a certificate is read from; the others are copies for servers."""
ACCOUNT = "account.json"

OURS = ("pylego",)
"""What lego has no place for; it looks into no folder of this name."""

NO_EMAIL = "noemail@example.com"
"""lego's name for an account without one."""

LONGEST = 255 - len(ISSUER)
"""Bytes of a name without what is added to it: file systems take 255."""

PLAIN = re.compile(r"(?!.*xn--)[A-Za-z0-9_@-][A-Za-z0-9._@-]*")
"""A name that stays as it is, as most do."""

KEY_TYPE = "keyType"
DER_OF_CURVES = {
    "EC256": b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    "EC384": b"\x06\x05\x2b\x81\x04\x00\x22",
}
ONE_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
ONE_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL
)


def safe_name(name: str) -> str:
    """Return a certificate's name as lego makes a file name of it.

    One that is too long for lego, as that of a domain may be, is cut: the .json tells it.

    Raises:
        InvalidRequest: nothing is left of it, or nothing that can name a file.
    """
    if PLAIN.fullmatch(name) and len(name) <= LONGEST:
        return name
    try:
        name.encode()  # Punycode would take half a surrogate
        labels = [_ascii(label) for label in name.replace(":", "-").replace("*", "_").split(".")]
    except UnicodeError:
        msg = f"{name!r} cannot be the name of a certificate: it has no ASCII form"
        raise InvalidRequest(msg) from None
    safe = re.sub(r"[^A-Za-z0-9._@-]", "", ".".join(labels))
    if not safe or safe.startswith("."):
        msg = f"{name!r} cannot be the name of a certificate: the file would be {safe!r}"
        raise InvalidRequest(msg)
    return cut(safe, LONGEST)


def cut(name: str, longest: int) -> str:
    """Return a name of so many bytes at most: of a longer one the beginning, and what tells it from others."""
    content = name.encode()
    if len(content) <= longest:
        return name
    digest = "-" + hashlib.sha256(content).hexdigest()[:16]
    return content[: longest - len(digest)].decode(errors="ignore") + digest


def _ascii(label: str) -> str:
    """Return a label as Go's idna.ToASCII does: no mapping, Punycode (RFC 3492) alone."""
    if label.startswith("xn--"):
        encoded = label[4:].encode("ascii")
        decoded = encoded.decode("punycode")
        if decoded.isascii() or encoded.rfind(b"-") == 0:
            raise UnicodeError  # as Go: no encoder makes such a label
        label = decoded
    if label.isascii():
        return label
    return "xn--" + label.encode("punycode").decode("ascii")


def account_place(directory: str, account: str) -> tuple[str, ...]:
    """Return the folder of an account, below the root.

    Raises:
        InvalidRequest: the directory is no URL, or no folder can have the account's name.
    """
    host = urlsplit(directory).netloc.rpartition("@")[2]  # Go's URL.Host has no user
    host = host.replace(":", "_").replace("\\", "_")
    if not host or host.startswith("."):
        msg = f"{directory!r} is not the URL of a directory"
        raise InvalidRequest(msg)
    if not account or account.startswith(".") or re.search(r"[/\\\0]", account):
        msg = f"{account!r} cannot be the ID of an account: a folder has its name"
        raise InvalidRequest(msg)
    return (*ACCOUNTS, host, account)


def certificate_files(
    name: str, certificate: Certificate, origin: Origin
) -> dict[str, bytes | None]:
    """Return the files that lego reads a certificate from; those that are not to be have no content."""
    key, chain = certificate.private_key, certificate.chain
    return {
        CERTIFICATE: certificate.fullchain.encode(),
        ISSUER: chain.encode() if chain else None,
        KEY: None if key is None else key.encode(),
        RESOURCE: json_of(_resource(name, certificate, origin)),
    }


def _resource(name: str, certificate: Certificate, origin: Origin) -> dict[str, Any]:
    """Return lego's certificate.Resource, and what only we know beside it: lego ignores that."""
    key = certificate.private_key
    resource = {
        "id": name,
        "domains": [identifier.value for identifier in certificate.identifiers],
        KEY_TYPE: origin.key_type or ("" if key is None else key_type(key)),
        "preferredChain": origin.preferred_chain,
        "profile": origin.profile,
        "certUrl": certificate.url or "",
        "certStableUrl": certificate.stable_url or "",
        "origin": "command",
        "pylego": {
            "directory": origin.directory,
            "account": origin.account,
            "mustStaple": origin.must_staple,
            "commonName": origin.common_name,
            "orderUrl": certificate.order_url,
        },
    }
    for empty in [each for each in ("preferredChain", "profile") if not resource[each]]:
        del resource[empty]
    return resource


def origin_of(resource: dict[str, Any]) -> Origin:
    """Return where a certificate came from, as far as its .json tells."""
    ours = object_in(resource, "pylego")
    return Origin(
        directory=text_in(ours, "directory"),
        account=text_in(ours, "account"),
        key_type=text_in(resource, KEY_TYPE),
        profile=text_in(resource, "profile"),
        preferred_chain=text_in(resource, "preferredChain"),
        must_staple=ours.get("mustStaple"),
        common_name=ours.get("commonName"),
    )


def order_url_of(resource: dict[str, Any]) -> str | None:
    """Return the order that a certificate came from, where its .json tells it."""
    return text_in(object_in(resource, "pylego"), "orderUrl")


def parted(text: str, issuer: str) -> tuple[str, str, bool]:
    """Part what a .crt holds: the leaf, the chain, and whether the .crt holds the chain, too."""
    first = ONE_CERTIFICATE.search(text)
    leaf = first[0] if first else text
    chain = "".join(ONE_CERTIFICATE.findall(text[first.end() :])) if first else ""
    return leaf, chain or issuer, bool(chain) or BEGIN_CERTIFICATE not in issuer


def account_files(
    account: Account, identity: str, before: dict[str, Any]
) -> dict[str, bytes | None]:
    """Return an account's files; what lego knew of it beside stays as it was."""
    key = account.key
    if key is None:
        msg = "an account that has no key cannot be kept"
        raise InvalidRequest(msg)
    registration: dict[str, Any] | None = None
    if account.url is not None:  # without it lego asks the CA for the account of the key
        registration = {
            **object_in(before, "registration"),
            "status": account.status or "valid",
            "accountURL": account.url,
        }
        if account.email:
            registration["contact"] = [f"mailto:{account.email}"]
    fields: dict[str, Any] = {
        **before,
        "id": identity,
        "email": account.email or "",
        KEY_TYPE: key_type(key),
        "server": account.directory,
        "origin": before.get("origin") or "command",
        "registration": registration,
    }
    return {ACCOUNT: json_of(fields), identity + KEY: key.encode()}


def account_of(fields: dict[str, Any], key: str) -> Account:
    """Return the account of an account.json."""
    registration = object_in(fields, "registration")
    return Account(
        key=key,
        url=text_in(registration, "accountURL"),
        directory=text_in(fields, "server"),
        status=text_in(registration, "status"),
        email=text_in(fields, "email"),
    )


def key_type(key: str) -> str:
    """Return lego's name for the type of a PEM key; `""` for one that has none.

    lego writes it beside every key, and reading three bytes takes no parser.
    """
    found = ONE_KEY.search(key)
    try:
        der = base64.b64decode(found[2]) if found else b""
    except binascii.Error:
        return ""
    for name, curve in DER_OF_CURVES.items():
        if curve in der:
            return name
    place = der.find(b"\x02\x82")  # the first long INTEGER of an RSA key is its modulus
    bits = (int.from_bytes(der[place + 2 : place + 4], "big") - 1) * 8 if place >= 0 else 0
    return f"RSA{bits}" if bits in {2048, 3072, 4096, 8192} else ""


def fields_of(content: bytes, path: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StorageError: it is none.
    """
    try:
        fields: Any = json.loads(content)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        msg = f"{path} is not what it should be, a JSON object"
        raise StorageError(msg, path=path)  # without its cause: that may hold a key
    return cast("dict[str, Any]", fields)


def object_in(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object in another one; an empty one where there is none."""
    value: Any = fields.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def text_in(fields: dict[str, Any], name: str) -> str | None:
    """Return a text in an object; `None` where it is empty, or none."""
    value: Any = fields.get(name)
    return value if value and isinstance(value, str) else None


def names_in(fields: dict[str, Any]) -> tuple[str, ...]:
    """Return the names that a certificate's .json tells."""
    names: Any = fields.get("domains")
    every = cast("list[object]", names) if isinstance(names, list) else []
    return tuple(each for each in every if isinstance(each, str))


def json_of(fields: dict[str, Any]) -> bytes:
    """Write a JSON object as lego does."""
    return json.dumps(fields, indent="\t", ensure_ascii=False).encode()
