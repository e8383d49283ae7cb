"""The servers as fixtures; a conftest.py imports those that its tests ask for."""

import os
import shutil
import subprocess

import pytest

from tests.servers.bind import Bind
from tests.servers.build import NoGoError
from tests.servers.certificates import Authority
from tests.servers.pebble import Pebble
from tests.servers.powerdns import PowerDNS
from tests.servers.step_ca import StepCA


@pytest.fixture(scope="session")
def pebble(tmp_path_factory):
    """Pebble without faults."""
    with started(Pebble(tmp_path_factory.mktemp("pebble"))) as server:
        yield server


@pytest.fixture(scope="session")
def difficult_pebble(tmp_path_factory):
    """Pebble that rejects nonces, validates slowly and requires an external account."""
    folder = tmp_path_factory.mktemp("difficult-pebble")
    settings = {"nonce_reject": 30, "validation_sleep": 2, "external_account": True}
    with started(Pebble(folder, **settings)) as server:
        yield server


@pytest.fixture(scope="session")
def step_ca(tmp_path_factory):
    with started(StepCA(tmp_path_factory.mktemp("step-ca"))) as server:
        yield server


@pytest.fixture(scope="session")
def bind(tmp_path_factory):
    with found(Bind(tmp_path_factory.mktemp("bind"))) as server:
        yield server


@pytest.fixture(scope="session")
def powerdns(tmp_path_factory):
    with found(PowerDNS(tmp_path_factory.mktemp("powerdns"))) as server:
        yield server


@pytest.fixture(scope="session")
def authority():
    """A CA for the certificates of a test's own servers."""
    return Authority("The root of the tests")


@pytest.fixture(scope="session")
def own_network():
    """Give a command that runs another one in a network of its own, where all ports are free."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False).returncode
    ):
        missing("a network of one's own is not allowed here")
    return command


class started:  # noqa: N801 -- a context manager, used as a verb
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


def found(server):
    """Give a server that is installed on this machine."""
    if server.program is None:
        missing(f"{type(server).__name__} is not installed")
    return server


def missing(reason):
    """Skip what this machine cannot run; CI has to have everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
