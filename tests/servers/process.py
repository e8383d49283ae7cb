"""A server in a process of its own, from its start to its end."""

import contextlib
import os
import random
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

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


def get(url, trust):
    """Fetch a page over HTTPS, trusting one PEM file."""
    context = ssl.create_default_context(cafile=str(trust))
    handler = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    with opener.open(url, timeout=5) as answer:
        return answer.read()


def free_ports(count):
    """Find TCP ports of 127.0.0.1 that nobody holds, and that no other caller of this process got.

    They are below those that the system gives to outgoing connections: between
    this call and the server's own bind none of those can take one. Tests that run in
    several processes have a range each.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 10_000 + worker % 4 * 5_000
    with _choosing:
        ports = []
        while len(ports) < count:
            port = random.randrange(first, first + 5_000)
            if port not in _given and _free(port):
                _given.add(port)
                ports.append(port)
        return ports


_choosing = threading.Lock()
_given = set()


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
