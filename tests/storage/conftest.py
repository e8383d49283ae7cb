"""Stores, and certificates to keep in them."""

import pytest

import pylego
from pylego.storage import FileStore
from tests.servers.certificates import Authority
from tests.servers.fixtures import authority

__all__ = ["authority"]


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "lego")


@pytest.fixture(scope="session")
def intermediate(authority):
    return Authority("An intermediate of the tests", authority)


@pytest.fixture(scope="session")
def issue(intermediate):
    """Make certificates with a chain and a key, without a server."""

    def make(*names):
        leaf, key = intermediate.server(*names)
        return pylego.Certificate.load((leaf + intermediate.pem).decode(), key.decode())

    return make


@pytest.fixture(scope="session")
def two(issue):
    """Two certificates of the same name, to replace each other."""
    return issue("a.example"), issue("a.example")
