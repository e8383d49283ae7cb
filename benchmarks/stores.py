"""Folders of many certificates of which none is due: ours, and certbot's lineages."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, NamedTuple

import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIRECTORY = "https://ca.bench.example/directory"  # nobody's: it is not to be asked
DAY = dt.timedelta(days=1)
BEGAN, LIFE = 10 * DAY, 90 * DAY
CERTBOT_VERSION = "5.8.0"  # a newer one in the file would have it warn


class Pair(NamedTuple):
    """A certificate, its issuer's and its key, PEM."""

    name: str
    serial: str
    leaf: str
    issuer: str
    key: str


def pairs(count: int) -> Iterator[Pair]:
    """Make certificates, each with its own key."""
    try:
        from cryptography import x509  # noqa: PLC0415 -- only these rows need it
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    except ImportError:
        raise prepare.Unavailable("cryptography is not installed") from None
    now = dt.datetime.now(dt.timezone.utc)
    pem = serialization.Encoding.PEM

    def signed(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            issuer,
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
            key.public_key(),
            x509.random_serial_number(),
            now - BEGAN,
            now - BEGAN + LIFE,
        )
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        return builder.add_extension(names, critical=False).sign(root_key, hashes.SHA256())

    root_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    root = signed("bench", root_key).public_bytes(pem).decode()
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"n{number}.bench.example"
        leaf = signed(name, key)
        private = key.private_bytes(
            pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        serial = f"{leaf.serial_number:x}"
        yield Pair(name, serial, leaf.public_bytes(pem).decode(), root, private.decode())


def ours(folder: Path, count: int) -> None:
    """Make a store: the first certificate is saved, the others are copies with other texts.

    Each has advice of the CA that is to be asked for again in hours, as it has when
    `renew_due` runs often.
    """
    from pylego import Certificate  # noqa: PLC0415 -- not every row needs it
    from pylego.renewal._case import Memory  # noqa: PLC0415
    from pylego.renewal._decision import Advice  # noqa: PLC0415
    from pylego.storage import FileStore, Origin  # noqa: PLC0415

    store, now = FileStore(folder), dt.datetime.now(dt.timezone.utc)
    advice = Advice(0.5, now + 40 * DAY, now + 42 * DAY, ask_at=now + DAY / 4)
    certificates, states = folder / "certificates", folder / "pylego" / "state"
    made = pairs(count)
    first = next(made)
    certificate = Certificate.load(first.leaf + first.issuer, first.key)
    store.save(first.name, certificate, origin=Origin(DIRECTORY, "bench", "EC256"))
    store.save_state(first.name, Memory(advice=advice, of=first.serial).to_json())
    resource = (certificates / f"{first.name}.json").read_text()
    state = (states / f"{first.name}.json").read_text()
    for pair in made:
        texts = {
            certificates / f"{pair.name}.crt": pair.leaf + pair.issuer,
            certificates / f"{pair.name}.issuer.crt": pair.issuer,
            certificates / f"{pair.name}.key": pair.key,
            certificates / f"{pair.name}.json": resource.replace(first.name, pair.name),
            states / f"{pair.name}.json": state.replace(first.serial, pair.serial),
        }
        for path, text in texts.items():
            path.write_text(text)
    os.sync()  # what is not on the disk yet cannot be read from there


def certbots(folder: Path, count: int) -> None:
    """Make certbot's configuration folder with so many lineages; their CA was asked just before."""
    asked = dt.datetime.now() + DAY / 4  # noqa: DTZ005 -- certbot writes it without its zone
    for pair in pairs(count):
        live, archive = folder / "live" / pair.name, folder / "archive" / pair.name
        texts = {
            "cert": pair.leaf,
            "chain": pair.issuer,
            "fullchain": pair.leaf + pair.issuer,
            "privkey": pair.key,
        }
        for each in (live, archive):
            each.mkdir(parents=True)
        for kind, text in texts.items():
            (archive / f"{kind}1.pem").write_text(text)
            (live / f"{kind}.pem").symlink_to(f"../../archive/{pair.name}/{kind}1.pem")
        lines = [
            f"version = {CERTBOT_VERSION}",
            f"archive_dir = {archive}",
            *(f"{kind} = {live / kind}.pem" for kind in texts),
            "[renewalparams]",
            "authenticator = standalone",
            f"server = {DIRECTORY}",
            "key_type = ecdsa",
            "[acme_renewal_info]",
            f"ari_retry_after = {asked.isoformat(timespec='seconds')}",
        ]
        conf = folder / "renewal" / f"{pair.name}.conf"
        conf.parent.mkdir(exist_ok=True)
        conf.write_text("\n".join(lines) + "\n")
