"""One order through a proxy, and how it ends."""

import socket
import time
from dataclasses import dataclass

import pylego
from tests.faults.cases import Outcome

CLEAN_UP = 1.0
"""Seconds that the clean-up may take after the deadline."""


@dataclass
class Order:
    """An order that has ended."""

    outcome: Outcome
    elapsed: float
    certificate: pylego.Certificate | None = None


def obtain(proxy, challenge, *, timeout, **settings):
    """Obtain a certificate through the proxy, and tell how that ended."""
    client = pylego.Client(
        proxy.directory,
        accept_terms=True,
        cleanup_timeout=CLEAN_UP,
        **{"trust": proxy.trust_root, **settings},
    )
    began = time.monotonic()
    try:
        certificate = client.obtain("a.example", challenges=challenge, timeout=timeout)
    except pylego.LEGOError as error:
        outcome = Outcome(
            type(error).__name__,
            error.code,
            error.retryable,
            error.detail,
            error.info.get("retry_after"),
        )
        return Order(outcome, time.monotonic() - began)
    return Order(Outcome(), time.monotonic() - began, certificate)


def listens(port):
    """Tell whether anybody still holds a port: an order has to leave it free."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
