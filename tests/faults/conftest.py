"""A CA, and orders that reach it through a proxy of their own."""

import pytest

from pylego.testing import ACMEServer
from tests.faults.order import listens
from tests.servers.fault_proxy import FaultProxy
from tests.servers.fixtures import authority, pebble  # noqa: F401 -- fixtures are found by their names


@pytest.fixture(scope="session")
def ca():
    with ACMEServer() as server:
        yield server


@pytest.fixture(scope="session")
def proxy_for(authority):  # noqa: F811 -- a fixture
    """Put a proxy before a server: `with proxy_for(server) as proxy`."""
    return lambda server, **settings: FaultProxy(
        server.directory, server.trust_root, authority, **settings
    )


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(ca):
    yield
    assert not listens(ca.http_port)
