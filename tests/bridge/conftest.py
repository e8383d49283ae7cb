"""Programs in processes of their own, and the CA that they call."""

import os
import textwrap

import pytest

import pylego.testing
from tests.bridge import guest


@pytest.fixture
def guest_program(program, acme_server):
    """Start a program that finds the test's CA in its module `guest`."""

    def start(source, *, server=acme_server, env=None, path=(), **settings):
        source = "from guest import *\n" + textwrap.dedent(source)
        environment = guest.environment(server)
        environment["PYTHONPATH"] = os.pathsep.join([*path, environment["PYTHONPATH"]])
        return program(source, env={**environment, **(env or {})}, **settings)

    return start


@pytest.fixture
def slow_server():
    """Give a CA that never gets to its validations: each waits for minutes."""
    with pylego.testing.ACMEServer(validation_sleep=600) as server:
        yield server
