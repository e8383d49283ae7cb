"""Stores, and certificates to keep in them."""

import pytest

import pylego
from pylego.storage import FileStore
from pylego.storage._folder import Folder, FolderByPath
from tests.servers.certificates import Authority
from tests.servers.fixtures import authority

__all__ = ["authority"]


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "lego")


@pytest.fixture(params=[Folder, FolderByPath])
def any_store(request, tmp_path, monkeypatch):
    """Give a store by descriptors of folders, and one by paths, as Windows has it."""
    if request.param is FolderByPath:
        monkeypatch.setattr("pylego.storage._folder.HAVE_DESCRIPTORS", False)
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
