"""What every test may ask for."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

import pylego
import pylego.testing


@pytest.fixture
def acme_server():
    with pylego.testing.ACMEServer() as server:
        yield server


@pytest.fixture
def client(acme_server):
    return make_client(acme_server)


def make_client(server, **settings):
    settings = {"trust": server.trust_root, "accept_terms": True, "timeout": 30, **settings}
    return pylego.Client(server.directory, **settings)


@pytest.fixture
def new_client():
    """Make clients of one's own settings: `new_client(server, on_event=...)`."""
    return make_client


class Program:
    """A Python program in a process of its own: where a hang or a crash is possible."""

    def __init__(self, source, *, env=None):
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )

    def line(self):
        """Wait for the program's next line."""
        return self.process.stdout.readline().strip()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, timeout=30):
        """Wait for its end; return its exit code and what it printed."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            pytest.fail(f"the program hangs\n{out}\n{err}")
        return self.process.returncode, out, err


@pytest.fixture
def program():
    """Start a program in a process of its own; it is killed at the test's end."""
    started = []

    def start(source, **settings):
        started.append(Program(source, **settings))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()
        each.process.stdout.close()
        each.process.stderr.close()
