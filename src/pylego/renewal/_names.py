"""What is refused as a name, found out before anything is kept of it or planned."""

from __future__ import annotations

import re
from ipaddress import ip_address

from pylego._challenges import HTTP01, TLSALPN01
from pylego._errors import InvalidRequest
from pylego.storage._layout import safe_name

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pylego._challenges import Challenge

LONGEST_NAME, LONGEST_LABEL = 253, 63
"""Characters (RFC 1035 section 2.3.4)."""


def check_name(name: str) -> None:
    """Refuse what no certificate can hold.

    Raises:
        InvalidRequest: in the engine's words.
    """
    why = "" if _is_address(name) else _fault(name.removesuffix(".").removeprefix("*."))
    if why:
        msg = f'"{printable(name)}" is not a name that a certificate can hold: {why}'
        raise InvalidRequest(msg, code="invalid_arguments")


def without_way(names: Iterable[str], ways: Iterable[Challenge]) -> str:
    """Return a wildcard that none of these ways can validate; `""` where there is none."""
    by_host = all(isinstance(way, (HTTP01, TLSALPN01)) for way in ways)
    wildcards = (name for name in names if name.startswith("*."))
    return next(wildcards, "") if by_host else ""


OURS = ("account@", "ledger@", "request@")
"""How the names begin under which the store keeps what certificates share."""


def check_id(name: str) -> str:
    """Refuse what a certificate cannot be kept under; return the name of its files.

    lego drops of a name what no file can have in its own: two of them would be one.

    Raises:
        InvalidRequest: why.
    """
    wrong = [each for each in name if not each.isprintable() or each in "/\\"]
    if wrong:
        why = f"no file can have {printable(wrong[0])} in its name"
    elif name.startswith(OURS):
        why = f"what begins with {name.partition('@')[0]}@ is not a certificate's"
    else:
        return safe_name(name)
    msg = f'"{printable(name)}" cannot be the name of a certificate: {why}'
    raise InvalidRequest(msg, code="invalid_arguments")


def printable(text: str) -> str:
    """Return a text with escapes for what cannot be shown, as TOML and Python have them."""
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return "%" not in name  # a zone is this machine's own


def _fault(name: str) -> str:
    """Say what is wrong with a name; what letters become that are not ASCII the engine finds."""
    if not name:
        return "it is empty"
    if _is_address(name):
        return "an address has neither a dot at its end nor a wildcard"
    if not name.isascii():
        name = re.sub(r"[^\0-\x7f]+", "x", name)
    if len(name) > LONGEST_NAME:
        return f"it has more than {LONGEST_NAME} characters"
    faults = (_label_fault(label) for label in name.split("."))
    return next((fault for fault in faults if fault), "")


def _label_fault(label: str) -> str:
    if not label:
        return "a label is empty"
    if len(label) > LONGEST_LABEL:
        return f"a label has more than {LONGEST_LABEL} characters"
    if label.startswith("-") or label.endswith("-"):
        return "a label begins or ends with a hyphen"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", label):
        return "it has a character that is neither letter, digit nor hyphen"
    return ""
