"""The servers as fixtures; a conftest.py imports those that its tests ask for."""

import os

import pytest

from tests.servers.build import NoGoError
from tests.servers.certificates import Authority
from tests.servers.pebble import Pebble
from tests.servers.step_ca import StepCA


@pytest.fixture(scope="session")
def pebble(tmp_path_factory):
    """Pebble without faults."""
    with _started(Pebble(tmp_path_factory.mktemp("pebble"))) as server:
        yield server


@pytest.fixture(scope="session")
def difficult_pebble(tmp_path_factory):
    """Pebble that rejects nonces, validates slowly and requires an external account."""
    folder = tmp_path_factory.mktemp("difficult-pebble")
    settings = {"nonce_reject": 30, "validation_sleep": 2, "external_account": True}
    with _started(Pebble(folder, **settings)) as server:
        yield server


@pytest.fixture(scope="session")
def step_ca(tmp_path_factory):
    with _started(StepCA(tmp_path_factory.mktemp("step-ca"))) as server:
        yield server


@pytest.fixture(scope="session")
def authority():
    """A CA for the certificates of a test's own servers."""
    return Authority("The root of the tests")


class _started:  # noqa: N801 -- a context manager, used as a verb
    """Start a server; where it cannot be built, skip, and fail in CI."""

    def __init__(self, server):
        self._server = server

    def __enter__(self):
        try:
            return self._server.__enter__()
        except NoGoError as error:
            missing(f"{type(self._server).__name__} cannot be built: {error}")

    def __exit__(self, *exception):
        return self._server.__exit__(*exception)


def missing(reason):
    """Skip what this machine cannot run; CI has to have everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
