"""pytest's fixtures `acme_server` and `acme_client`: there wherever pylego is installed.

A test that asks for none of them pays for an import alone: the engine is loaded by
the first server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pylego._client import Client
    from pylego.testing import ACMEServer

MARKER = "acme_server(**settings): settings of the fixture acme_server, as pylego.testing.ACMEServer takes them"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def acme_server(request: pytest.FixtureRequest) -> Iterator[ACMEServer]:
    """Give an ACME server of the test's own, with the settings of its marker `acme_server`."""
    from pylego.testing import ACMEServer  # noqa: PLC0415 -- only for those who use it

    # The nearest marker wins: a test's own over that of its class or module.
    markers = reversed(list(request.node.iter_markers("acme_server")))
    settings = {name: value for marker in markers for name, value in marker.kwargs.items()}
    with ACMEServer(**settings) as server:
        yield server


@pytest.fixture
def acme_client(acme_server: ACMEServer) -> Client:
    """Give a client of that server, whose operations may take a minute."""
    from pylego._client import Client  # noqa: PLC0415 -- only for those who use it

    return Client(
        acme_server.directory, trust=acme_server.trust_root, accept_terms=True, timeout=60
    )
