"""`pylego testca`: the embedded ACME server as a program of its own, for any client."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli._frame import AsJSON, Stopped
from pylego.cli._options import listed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pylego.testing import ACMEServer

HMAC_SIZE = 32
"""Bytes of an external account's key: as many as HS256 takes at least (RFC 7518 section 3.2)."""


RECORD = '{"fqdn": "_acme-challenge.a.example.", "value": "..."}'
"""What sets a TXT record."""


def _port(about: str) -> Any:
    about = f"{about} A free one by default."
    return typer.Option(min=0, max=65535, help=about, metavar="PORT", show_default=False)


def serve(
    *,
    port: Annotated[int, _port("The directory's port.")] = 0,
    http_port: Annotated[int, _port("The port on which it validates http-01.")] = 0,
    tls_port: Annotated[int, _port("The port on which it validates tls-alpn-01.")] = 0,
    dns_port: Annotated[int, _port("The port of its DNS server.")] = 0,
    httpreq_port: Annotated[int, _port("The port on which DNS records are set.")] = 0,
    path: Annotated[
        Path | None,
        typer.Option(
            help="A folder for root.pem and issuers.pem; a temporary one by default.",
            file_okay=False,
        ),
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="What every name resolves to.", metavar="IP")
    ] = None,
    external_account: Annotated[
        list[str] | None,
        typer.Option(help="Require an external account: its key identifier.", metavar="KID"),
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="Offer a profile of this name.", metavar="NAME")
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="Refuse a name, and all below it.", metavar="NAME")
    ] = None,
    nonce_reject: Annotated[int, typer.Option(help="Percent of good nonces to reject.")] = 0,
    validation_sleep: Annotated[
        int, typer.Option(help="Each validation waits less than so many seconds.")
    ] = 0,
    authz_reuse: Annotated[
        int, typer.Option(help="Percent of orders that find valid authorizations.")
    ] = 0,
    retry_after: Annotated[
        int, typer.Option(help="Seconds of Retry-After on orders and authorizations.")
    ] = 0,
    chain_length: Annotated[int, typer.Option(help="Intermediates below the root.")] = 1,
    alternate_roots: Annotated[int, typer.Option(help="Further chains to choose from.")] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Pebble's strict mode: it asks more of clients.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Run an ACME server for tests.

    It has a DNS server of its own, listens on this machine alone, and runs until Ctrl-C or
    SIGTERM ends it.
    """
    from pylego.testing import ACMEServer

    accounts = {name: _hmac() for name in listed(external_account)}
    server = ACMEServer(
        port=port,
        http_port=http_port,
        tls_port=tls_port,
        dns_port=dns_port,
        httpreq_port=httpreq_port,
        addresses=listed(address) or ["127.0.0.1"],
        external_accounts=accounts,
        profiles=dict.fromkeys(listed(profile), ""),
        blocked_names=listed(block),
        nonce_reject=nonce_reject,
        validation_sleep=validation_sleep,
        authz_reuse=authz_reuse,
        retry_after_authz=retry_after,
        retry_after_order=retry_after,
        chain_length=chain_length,
        alternate_roots=alternate_roots,
        strict=strict,
    )
    try:
        with server, _files(server, path) as files:
            told = {**_described(server), **files, "external_accounts": accounts}
            typer.echo(json.dumps(told) if as_json else _in_words(told))
            while True:
                time.sleep(3600)  # not `signal.pause`, which Windows has not
    except Stopped:
        return  # that is how it is ended


def _hmac() -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(os.urandom(HMAC_SIZE)).decode().rstrip("=")


@contextmanager
def _files(server: ACMEServer, path: Path | None) -> Generator[dict[str, str]]:
    """Write the roots into a folder; a temporary one is removed afterwards."""
    if path is None:
        with tempfile.TemporaryDirectory(prefix="pylego-testca-") as folder:
            yield _written(server, Path(folder))
    else:
        path.mkdir(parents=True, exist_ok=True)
        yield _written(server, path.absolute())


def _written(server: ACMEServer, folder: Path) -> dict[str, str]:
    root, issuers = folder / "root.pem", folder / "issuers.pem"
    root.write_text(server.trust_root, encoding="ascii")
    issuers.write_text("".join(server.roots), encoding="ascii")
    return {"root": str(root), "issuers": str(issuers)}


def _described(server: ACMEServer) -> dict[str, Any]:
    names = ("directory", "http_port", "tls_port", "dns", "httpreq")
    return {name: getattr(server, name) for name in names}


def _in_words(told: Mapping[str, Any]) -> str:
    accounts = told["external_accounts"].items()
    lines = [
        ("directory", told["directory"]),
        ("its root", told["root"]),
        ("issues under", told["issuers"]),
        ("http-01", f"asks 127.0.0.1:{told['http_port']}"),
        ("tls-alpn-01", f"asks 127.0.0.1:{told['tls_port']}"),
        ("DNS", told["dns"]),
        *(("account", f"{name} with the HMAC key {key}") for name, key in accounts),
    ]
    return "\n".join(
        [
            *(f"{what:<14}{text}" for what, text in lines),
            "",
            "DNS records are set as lego's provider httpreq does it:",
            f"  HTTPREQ_ENDPOINT={told['httpreq']}",
            f"  curl -d '{RECORD}' {told['httpreq']}/present",
            "and removed at /cleanup. Ctrl-C ends the server.",
        ]
    )
