"""What every test may ask for."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
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


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Program:
    """A Python program in a process of its own: where a hang or a crash is possible.

    With a terminal it has that for all its streams, and is its foreground group. A
    launcher is a command that starts it.
    """

    def __init__(self, source, *, env=None, terminal=False, launcher=()):
        ours, its = pty.openpty() if terminal else (None, subprocess.PIPE)
        self.process = subprocess.Popen(
            [*launcher, sys.executable, "-c", textwrap.dedent(source)],
            stdin=its,
            stdout=its,
            stderr=its,
            text=True,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,  # noqa: PLW1509 -- one system call
        )
        self.input, self.output = self.process.stdin, self.process.stdout
        if terminal:
            os.close(its)
            self.input, self.output = os.fdopen(os.dup(ours), "w"), os.fdopen(ours)

    def line(self):
        """Wait for the program's next line."""
        return self.output.readline().strip()

    def type(self, text):
        self.input.write(text)
        self.input.flush()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, timeout=60):
        """Wait for its end; return its exit code and what it printed."""
        try:
            if self.process.stdout is None:  # a terminal's other end closes with EIO
                self.process.wait(timeout)
                return (
                    self.process.returncode,
                    os.read(self.output.fileno(), 1 << 16).decode().replace("\r", ""),
                    "",
                )
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # its forks hold its streams
            pytest.fail(f"the program hangs: {self.process.communicate()}")
        return self.process.returncode, out, err

    def close(self):
        """Kill it and all of its session."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.input, self.output, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def program():
    """Start a program in a process of its own; it is killed at the test's end."""
    started = []

    def start(source, **settings):
        started.append(Program(source, **settings))
        return started[-1]

    yield start
    for each in started:
        each.close()
