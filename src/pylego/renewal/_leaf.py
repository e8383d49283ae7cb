"""What deciding needs of certificates' texts: read by the engine, thousands at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from pylego import _engine
from pylego._certificate import BEGIN_CERTIFICATE, moment_of

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pylego._certificate import Certificate
    from pylego.storage import Origin, StoredText

END = "-----END CERTIFICATE-----"

AT_ONCE = 1000
"""Certificates in one message, which then has about a megabyte."""


@dataclass(frozen=True)
class Leaf:
    """The first certificate of a text."""

    serial: str
    """Hexadecimal."""
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Reading:
    """A certificate in a store, as far as deciding goes."""

    names: tuple[str, ...]
    """The names it was asked for, in that order."""
    origin: Origin
    leaf: Leaf | None
    """`None` where it cannot be read."""


def reading_of(text: StoredText, leaf: Leaf | None) -> Reading:
    """Return what deciding needs of a text whose first certificate is known."""
    return Reading(text.names, text.origin, leaf)


def leaf_of(certificate: Certificate) -> Leaf:
    """Return what a certificate that was issued is."""
    return Leaf(certificate.serial, certificate.not_before, certificate.not_after)


def pem_of(fullchain: str) -> str:
    """Return the first certificate of a PEM text, as it stands there."""
    begin = max(fullchain.find(BEGIN_CERTIFICATE), 0)
    return fullchain[begin : fullchain.find(END) + len(END)] + "\n"


def leaves_of(texts: Mapping[str, str]) -> dict[str, Leaf]:
    """Read the first certificate of each PEM text; what cannot be read has none.

    Raises:
        EngineError: the engine cannot run here.
    """
    leaves: dict[str, Leaf] = {}
    every = iter(texts.items())
    while some := dict(islice(every, AT_ONCE)):
        first = [pem_of(text) for text in some.values()]
        call = _engine.Call("describe_certificates", {"certificates": first})
        described = _engine.run(call)["certificates"]
        leaves |= {
            name: Leaf(each["serial"], moment_of(each["not_before"]), moment_of(each["not_after"]))
            for name, each in zip(some, described, strict=True)
            if each is not None
        }
    return leaves
