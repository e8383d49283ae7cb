"""Programs that bring their own threads, loops or processes, and the CA that they call."""

import os
from pathlib import Path

import pytest

from tests.bridge import guest
from tests.bridge.conftest import slow_server

__all__ = ["calm", "framework_program", "slow_server"]


@pytest.fixture
def framework_program(program, acme_server):
    """Start a program that finds the test's CA in the module `guest`.

    It imports that itself: some frameworks must come first.
    """

    def start(source, *, server=acme_server, env=None):
        environment = guest.environment(server)
        environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
        return program(source, env={**environment, **(env or {})})

    return start


@pytest.fixture
def calm():
    """Measure a stall, up to ten times: a busy machine may stall any process in most of them.

    A stall of our own making would be there each time.
    """

    def measure(once, limit=0.1):
        for _ in range(10):
            stall = float(once())
            if stall < limit:
                break
        return stall

    return measure
