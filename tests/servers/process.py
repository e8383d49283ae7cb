"""A server in a process of its own, from its start to its end."""

import contextlib
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

START_TIME = 30
"""Seconds until a server that does not listen counts as broken."""


class ServerProcess:
    """A server, running while the context lasts; its output goes to a file."""

    def __init__(self, command, *, folder, environment=None):
        self.command = [str(word) for word in command]
        self.log = folder / f"{os.path.basename(self.command[0])}.log"  # noqa: PTH119 -- a word
        self.folder = folder
        self.environment = {**_bare_environment(), **(environment or {})}

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which ends us in turn
            )
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_for(self, url, trust):
        """Wait until the server answers a request; return its answer."""
        return self._until(lambda: get(url, trust))

    def wait_for_port(self, port):
        """Wait until the server listens."""
        self._until(lambda: socket.create_connection(("127.0.0.1", port)).close())

    def _until(self, works):
        limit = time.monotonic() + START_TIME
        while True:
            with contextlib.suppress(OSError):
                return works()
            if self.process.poll() is not None or time.monotonic() > limit:
                raise AssertionError(f"{self.command[0]} does not start:\n{self.log.read_text()}")
            time.sleep(0.02)


class NameServer:
    """A name server in a process of its own, while the context lasts.

    Those who are one have `provider`, lego's that changes their zone, `prepare()`, which
    writes what they read, sets `address` and returns their command and their ports, and
    `begun()`, for what is to be done when they run for the first time.
    """

    def __init__(self, folder, program):
        self.folder, self.program = folder, program

    def __enter__(self):
        command, self._ports = self.prepare()
        self._process = ServerProcess([self.program, *command], folder=self.folder)
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self.start()
            self.begun()
            stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.stop()

    def start(self):
        """Start it, after a stop on its ports and with what its zone had."""
        self._process.__enter__()
        for port in self._ports:
            self._process.wait_for_port(port)

    def stop(self):
        """End the server at once; its zone stays on the disk."""
        self._process.process.kill()
        self._process.__exit__(None, None, None)

    def begun(self):
        """Do nothing more."""


def installed(program):
    """Find a server that a package of the system has brought, or None.

    Debian keeps servers where people's PATH does not look.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(program, path=path)


def get(url, trust):
    """Fetch a page over HTTPS, trusting one PEM file."""
    context = ssl.create_default_context(cafile=str(trust))
    handler = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    with opener.open(url, timeout=5) as answer:
        return answer.read()


def free_ports(count):
    """Find TCP ports of 127.0.0.1 that nobody holds, and that no other caller got.

    They are below those that the system gives to outgoing connections: between
    this call and the server's own bind none of those can take one. The embedded CA's
    begin above them.
    """
    with _choosing:
        ports = []
        while len(ports) < count:
            port = random.randrange(10_000, 15_000)
            if port not in _given and _marked(port) and _free(port):
                _given.add(port)
                ports.append(port)
        return ports


_choosing = threading.Lock()
_given = set()
_marks = os.open(
    Path(tempfile.gettempdir()) / f"pylego-tests-ports-{getattr(os, 'getuid', int)()}",
    os.O_RDWR | os.O_CREAT,
    0o600,
)
"""A byte for each port, on which the process that was given it has a lock until it ends."""


def _marked(port):
    try:
        if sys.platform == "win32":
            os.lseek(_marks, port, os.SEEK_SET)
            msvcrt.locking(_marks, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.lockf(_marks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _bare_environment():
    """Leave out what would change a server: proxies, and Pebble's own switches."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PEBBLE_", "STEP")) and not name.lower().endswith("_proxy")
    }
