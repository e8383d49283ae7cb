"""The servers that the drop-in is held against."""

import pytest

from tests.servers.fixtures import authority, difficult_pebble, pebble, step_ca  # noqa: F401 -- fixtures are found by their names


@pytest.fixture(autouse=True, scope="module", params=["here", "process"])
def isolation(request):
    """Run every test in this process, and again through the pipes."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "process":
            patch.setenv("PYLEGO_ISOLATION", "process")
        yield


@pytest.fixture
def trust(acme_server, env_of):
    return env_of(acme_server)


@pytest.fixture
def env_of(tmp_path):
    """Return what a call's env needs for an embedded server: its root, and where it looks."""

    def env(server):
        file = tmp_path / "trust.pem"
        file.write_text(server.trust_root)
        return {
            "SSL_CERT_FILE": str(file),
            "HTTP01_IFACE": "127.0.0.1",
            "HTTP01_PORT": str(server.http_port),
            "TLSALPN01_IFACE": "127.0.0.1",
            "TLSALPN01_PORT": str(server.tls_port),
        }

    return env
