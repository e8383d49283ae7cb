"""What every test may ask for."""

import asyncio
import inspect
import os
import select
import signal
import struct
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import pytest

import pylego
from tests.systems import collect_ignore_glob  # noqa: F401 -- pytest reads it here

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

# A shell starts what it runs in the background with SIGINT ignored, and a program
# inherits that: those that the tests interrupt would never hear of it. nohup does so with SIGHUP.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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


class Awaited:
    """An AsyncClient whose methods can be called without a loop."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        value = getattr(self.client, name)
        if not inspect.iscoroutinefunction(value):
            return value
        return lambda *args, **settings: asyncio.run(value(*args, **settings))


@pytest.fixture(params=["sync", "async"])
def any_client(request, acme_server):
    """Make clients of either kind, with the settings that the test's CA needs."""

    def make(server=acme_server, **settings):
        settings = {"trust": server.trust_root, "accept_terms": True, "timeout": 30, **settings}
        if request.param == "sync":
            return pylego.Client(server.directory, **settings)
        return Awaited(pylego.AsyncClient(server.directory, **settings))

    return make


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Program:
    """A Python program in a process of its own: where a hang or a crash is possible.

    With a terminal, so many columns wide, it has that for all its streams, and is its
    foreground group. A launcher is a command that starts it.
    """

    def __init__(self, source, *, env=None, terminal=False, columns=80, launcher=()):
        ours, its = pty.openpty() if terminal else (None, subprocess.PIPE)
        screen = {"TERM": "xterm", "COLUMNS": ""}  # and not as wide as that of the tests
        if terminal:
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [*launcher, sys.executable, "-c", textwrap.dedent(source)],
            stdin=its,
            stdout=its,
            stderr=its,
            text=True,
            env={**os.environ, **(screen if terminal else {}), **(env or {})},
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,  # noqa: PLW1509 -- one system call
        )
        self.input, self.output = self.process.stdin, self.process.stdout
        if terminal:
            os.close(its)
            self.input, self.output = os.fdopen(os.dup(ours), "w"), os.fdopen(ours)

    def line(self):
        """Wait for the program's next line; what has come after it is left for others to read."""
        read = b""
        while not read.endswith(b"\n") and (byte := os.read(self.output.fileno(), 1)):
            read += byte
        return read.decode().strip()

    def type(self, text):
        self.input.write(text)
        self.input.flush()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, timeout=60):
        """Wait for its end; return its exit code and what it printed."""
        try:
            if self.process.stdout is None:
                said = self._on_the_terminal(time.monotonic() + timeout)
                self.process.wait(timeout)
                return self.process.returncode, said, ""
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # its forks hold its streams
            pytest.fail(f"the program hangs: {self.process.communicate()}")
        return self.process.returncode, out, err

    def _on_the_terminal(self, until):
        """Read what is left: a terminal gives it in pieces, and EIO when nobody writes any more."""
        pieces = []
        with suppress(OSError):
            while select.select([self.output], [], [], max(until - time.monotonic(), 0))[0]:
                if not (piece := os.read(self.output.fileno(), 1 << 16)):
                    break
                pieces.append(piece)
        return b"".join(pieces).decode().replace("\r", "")

    def close(self):
        """Kill it and all of its group: a fork that hangs may outlive it."""
        with suppress(ProcessLookupError):
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


class Lifeline:
    """A pipe that a script holds: `exec 9>PATH`. It breaks when all that hold it are gone."""

    def __init__(self, folder):
        self.path = folder / "lifeline"
        os.mkfifo(self.path)
        self.end = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.heard = lambda _: None

    def said(self):
        """Wait for what is written into it, or for its end: then it is nothing."""
        select.select([self.end], [], [], 60)
        words = os.read(self.end, 100)
        self.heard(words)
        return words

    def breaks(self):
        """Wait for its end: a process closes it a moment later than its streams."""
        return self.said() == b""

    def broken(self):
        try:
            return os.read(self.end, 100) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def lifeline(tmp_path):
    line = Lifeline(tmp_path)
    yield line
    os.close(line.end)
