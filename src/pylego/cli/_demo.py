"""`pylego demo`: three real certificates from the embedded CA, shown while they are made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pylego.cli._frame import DONE, FAILED, Outcome
from pylego.cli._progress import progress

if TYPE_CHECKING:
    import ssl

    from rich.console import Console
    from rich.panel import Panel

    from pylego._certificate import Certificate
    from pylego._challenges import Challenge
    from pylego.testing import ACMEServer

END_CERTIFICATE = "-----END CERTIFICATE-----"

TIMEOUT = 60.0
"""Seconds for each certificate; it takes milliseconds."""

WIDTH = 100
"""Columns that a box takes at most."""


@dataclass(frozen=True)
class Order:
    """One certificate of the demo."""

    title: str
    names: tuple[str, ...]
    challenge: Challenge


@dataclass(frozen=True)
class Obtained:
    """What came of it."""

    order: Order
    certificate: Certificate
    chain: list[str]
    """The common names from the leaf to the root."""
    seconds: float
    problem: str
    """Why a TLS client would refuse it; `""` if it would not."""


def demo() -> Outcome:
    """Show it at work: certificates from a CA inside this process.

    Nothing else is asked, and nothing kept. Each is verified by TLS handshakes.
    """
    from pylego.testing import ACMEServer

    with ACMEServer() as server:
        many = tuple(f"host{number}.shop.example" for number in range(1, 21))
        orders = (
            Order("HTTP-01", ("www.shop.example",), server.http01()),
            Order("TLS-ALPN-01", ("mail.shop.example",), server.tlsalpn01()),
            Order("DNS-01", ("*.shop.example", *many), server.dns01()),
        )
        obtained = [_obtained(server, order) for order in orders]
    told = f"ACME server {server.directory} with its own DNS at {server.dns}"

    def show(console: Console) -> None:
        console.print(told, highlight=False, soft_wrap=True)
        for each in obtained:
            console.print(_panel(each, min(console.width, WIDTH)))

    return Outcome(
        {"certificates": [_described(each) for each in obtained]},
        show,
        FAILED if any(each.problem for each in obtained) else DONE,
    )


def _obtained(server: ACMEServer, order: Order) -> Obtained:
    from pylego._client import Client

    with progress(order.title, len(order.names)) as on_event:
        client = Client(
            server.directory,
            trust=server.trust_root,
            accept_terms=True,
            timeout=TIMEOUT,
            on_event=on_event,
        )
        began = time.perf_counter()
        certificate = client.obtain(*order.names, challenges=order.challenge)
        seconds = time.perf_counter() - began
    problem = _unverified(certificate, server.roots[0], order.names)
    chain = [order.names[0], *_authorities(certificate.chain + server.roots[0])]
    return Obtained(order, certificate, chain, seconds, problem)


def _described(obtained: Obtained) -> dict[str, Any]:
    return {
        "challenge": obtained.order.title.lower(),
        "names": list(obtained.order.names),
        "chain": obtained.chain,
        "seconds": obtained.seconds,
        "verified": not obtained.problem,
        "problem": obtained.problem,
    }


def _panel(obtained: Obtained, width: int) -> Panel:
    from rich.panel import Panel
    from rich.table import Table

    certificate = obtained.certificate
    table = Table.grid(padding=(0, 2))
    names = ", ".join(identifier.value for identifier in certificate.identifiers)
    table.add_row("names", names)
    table.add_row("issuer", certificate.issuer)
    table.add_row("valid", f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}")
    table.add_row("time", f"{obtained.seconds * 1000:.0f} ms")
    table.add_row("chain", "\n<- ".join(obtained.chain))
    verdict = "[green]verified against the CA's root"
    table.add_row("", f"[red]does not verify: {obtained.problem}" if obtained.problem else verdict)
    title = obtained.order.title
    return Panel(table, title=title, title_align="left", border_style="dim", width=width)


def _authorities(chain: str) -> list[str]:
    """Return the common names of a chain's authorities, in its order."""
    *every, _ = chain.split(END_CERTIFICATE)
    return [_common_name(pem + END_CERTIFICATE) for pem in every]


def _common_name(authority: str) -> str:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Python's only reader of certificates
    context.load_verify_locations(cadata=authority)
    [told] = context.get_ca_certs()
    subject: Any = told["subject"]
    return str(dict(pair for names in subject for pair in names)["commonName"])


def _unverified(certificate: Certificate, root: str, names: tuple[str, ...]) -> str:
    """Return why a TLS client would refuse the certificate; `""` if it would not.

    OpenSSL makes real handshakes in memory, one for each name: a judge who knows
    nothing of the code that obtained the certificate.
    """
    import ssl

    server = certificate.ssl_context()
    client = ssl.create_default_context(cadata=root)
    for name in names:
        try:
            _handshake(client, server, name.replace("*", "anything"))
        except ssl.SSLError as error:  # noqa: PERF203 -- once
            return f"{name}: {error}"
    return ""


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    import ssl

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
