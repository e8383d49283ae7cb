"""Name servers, and for each a CA that resolves through it."""

import contextlib

import pytest

import pylego
from tests.servers.fixtures import authority, bind, own_network, powerdns, started  # noqa: F401 -- fixtures are found by their names
from tests.servers.httpreq import HTTPReq
from tests.servers.pebble import Pebble


class Zone:
    """A name server whose records one of lego's providers changes, and the CA that asks it."""

    def __init__(self, server, directory, trust, provider=None, credentials=None):
        self.server, self.directory, self.trust = server, directory, trust
        self.provider = provider or server.provider
        self.credentials = credentials or server.credentials()

    def by(self, provider, credentials):
        """Return the same zone, changed by another provider."""
        return Zone(self.server, self.directory, self.trust, provider, credentials)

    def dns01(self, credentials=None, **settings):
        settings = {
            "resolvers": [self.server.address],
            "check_authoritative": False,  # they would be asked at port 53
            "check_recursive": True,
            **settings,
            **(credentials or self.credentials),
        }
        return pylego.DNS01(self.provider, **settings)

    def client(self, **settings):
        return pylego.Client(
            self.directory, trust=self.trust, accept_terms=True, **{"timeout": 60, **settings}
        )


@pytest.fixture(scope="session")
def zones(request, tmp_path_factory):
    """Give the zone of a server by its fixture's name."""
    with contextlib.ExitStack() as stack:
        known = {}

        def zone(name):
            if name not in known:
                server = request.getfixturevalue(name)
                folder = tmp_path_factory.mktemp(f"pebble-{name}")
                ca = stack.enter_context(started(Pebble(folder, resolver=server.address)))
                known[name] = Zone(server, ca.directory, ca.trust.read_text())
            return known[name]

        yield zone


@pytest.fixture
def httpreq(acme_server):
    """Give the zone of the embedded server, which httpreq changes."""
    with HTTPReq(acme_server) as server:
        yield Zone(server, acme_server.directory, acme_server.trust_root)
