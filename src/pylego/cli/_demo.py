"""`pylego demo`: three real certificates from the embedded CA, shown while they are made."""

from __future__ import annotations

import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from pylego._client import Client
from pylego._errors import LEGOError
from pylego.testing import ACMEServer

if TYPE_CHECKING:
    from pylego._challenges import Challenge
    from pylego._events import Event
    from pylego._models import Certificate

TIMEOUT = 60.0
"""Seconds for each certificate; it takes milliseconds."""

PHASES = {
    "account": "account is ready",
    "order": "order is made",
    "authorization": "authorizations are fetched",
    "waiting": "waiting in line",
    "presented": "answers are presented",
    "propagated": "records are visible",
    "triggered": "the CA is asked to validate",
    "validated": "names are validated",
    "finalized": "the CA is signing",
    "issued": "certificate is there",
    "cleaned_up": "cleaned up",
}


@dataclass(frozen=True)
class Order:
    """One certificate of the demo."""

    title: str
    names: tuple[str, ...]
    challenge: Challenge


def run() -> int:
    """Obtain, show and verify; return the exit code."""
    console = Console()
    with ACMEServer() as server:
        console.print(f"ACME server [bold]{server.directory}[/] with its own DNS at {server.dns}")
        many = tuple(f"host{number}.shop.example" for number in range(1, 21))
        orders = (
            Order("HTTP-01", ("www.shop.example",), server.http01()),
            Order("TLS-ALPN-01", ("mail.shop.example",), server.tlsalpn01()),
            Order("DNS-01", ("*.shop.example", *many), server.dns01()),
        )
        try:
            verified = [_order(console, server, order) for order in orders]
        except LEGOError as error:
            console.print(f"[bold red]{type(error).__name__}[/] {error}", highlight=False)
            return 1
    return 0 if all(verified) else 1


def _order(console: Console, server: ACMEServer, order: Order) -> bool:
    columns = (
        TextColumn("[bold]{task.fields[title]:<12}"),
        BarColumn(),
        TextColumn("{task.completed:>2}/{task.total} names"),
        TextColumn("{task.fields[phase]}", style="cyan"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(order.names), title=order.title, phase="")

        def show(event: Event) -> None:
            phase = PHASES.get(event.kind, event.detail)
            progress.update(task, phase=phase, advance=event.kind == "validated")

        client = Client(
            server.directory,
            trust=server.trust_root,
            accept_terms=True,
            timeout=TIMEOUT,
            on_event=show,
        )
        began = time.perf_counter()
        certificate = client.obtain(*order.names, challenges=order.challenge)
        seconds = time.perf_counter() - began
    problem = _unverified(certificate, server.roots[0], order.names)
    console.print(_described(order, certificate, seconds, problem))
    return problem == ""


def _described(order: Order, certificate: Certificate, seconds: float, problem: str) -> Panel:
    table = Table.grid(padding=(0, 2))
    names = ", ".join(identifier.value for identifier in certificate.identifiers)
    table.add_row("names", names)
    table.add_row("issuer", certificate.issuer)
    table.add_row("valid", f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}")
    table.add_row("time", f"{seconds * 1000:.0f} ms")
    table.add_row(
        "chain",
        f"[red]does not verify: {problem}" if problem else "[green]verified against the CA's root",
    )
    return Panel(table, title=order.title, title_align="left", border_style="dim")


def _unverified(certificate: Certificate, root: str, names: tuple[str, ...]) -> str:
    """Return why a TLS client would refuse the certificate; `""` if it would not.

    OpenSSL makes real handshakes in memory, one for each name: a judge who knows
    nothing of the code that obtained the certificate.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.touch(0o600)
        file.write_text(certificate.pem + (certificate.private_key or ""))
        server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=root)
    for name in names:
        try:
            _handshake(client, server, name.replace("*", "anything"))
        except ssl.SSLError as error:  # noqa: PERF203 -- once
            return f"{name}: {error}"
    return ""


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in tuple(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
