"""The ACME server that everybody is measured against: Pebble, its DNS or BIND, and distance."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import prepare
from prepare import BUILD
from programs import GUARDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prepare import Servers

START_TIME = 15  # seconds for a server to listen
ONE_WAY = 0.025  # seconds; twice that is the far server's round trip
SLEEP_BELOW = 3  # PEBBLE_VA_SLEEPTIME: each validation waits 0, 1 or 2 s
VALIDATIONS = 3  # at once, for each challenge
# Of the greatest of three such waits.
EXPECTED_WAIT = sum(
    seconds
    * (((seconds + 1) / SLEEP_BELOW) ** VALIDATIONS - (seconds / SLEEP_BELOW) ** VALIDATIONS)
    for seconds in range(SLEEP_BELOW)
)


@dataclass(frozen=True)
class Server:
    """A running Pebble."""

    directory: str
    trust: Path
    http_port: int
    dns: str
    httpreq: str
    """Where the DNS server takes TXT records; BIND does not."""
    log: Path

    def logged(self) -> int:
        """Return the length of the log, for `waited`."""
        return self.log.stat().st_size

    def waited(self, since: int) -> float:
        """Tell the seconds for which the server itself made an order wait."""
        with self.log.open() as log:
            log.seek(since)
            sleeps = re.findall(r"Sleeping for (\d+)s", log.read())
        return max(map(float, sleeps), default=0.0)


@contextlib.contextmanager
def running(command: list[str], *, log: Path, env: dict[str, str] | None = None) -> Iterator[None]:
    """Run a server while the context lasts; end it whatever happens."""
    with log.open("wb") as output:
        # Its own session: Ctrl-C is ours, and ends it in order.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        end(process)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a process: asked first, killed after two seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def pebble(programs: Servers, *, far: bool = False, resolver: str = "") -> Iterator[Server]:
    """Start a fresh Pebble and its DNS, unless it is to ask a resolver; far away, if asked."""
    api, front, http, tls, dns, records = _free_ports(6)
    folder = BUILD / "run"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "pebble.json"
    config.write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"127.0.0.1:{api}",
                    "managementListenAddress": "",
                    "certificate": str(programs.certificate),
                    "privateKey": str(programs.key),
                    "httpPort": http,
                    "tlsPort": tls,
                    "retryAfter": {"authz": 0, "order": 0},
                    "keyAlgorithm": "ecdsa",
                    "profiles": {
                        "default": {"description": "the only one", "validityPeriod": 7776000}
                    },
                }
            }
        )
    )
    log = folder / "pebble.log"
    with contextlib.ExitStack() as stack:
        if not resolver:
            resolver = f"127.0.0.1:{dns}"
            command = [str(programs.names), "-dns", resolver, "-http", f"127.0.0.1:{records}"]
            stack.enter_context(running(command, log=folder / "dns.log"))
            _until_listening(records)
        command = [str(programs.pebble), "-config", str(config), "-dnsserver", resolver]
        stack.enter_context(running(command, log=log, env=_behaviour(far=far)))
        _until_listening(api)
        if far:
            delay = ["-listen", f"127.0.0.1:{front}", "-target", f"127.0.0.1:{api}"]
            command = [str(programs.delay), *delay, "-one-way", f"{ONE_WAY * 1000:g}ms"]
            stack.enter_context(running(command, log=folder / "delay.log"))
            _until_listening(front)
        directory = f"https://127.0.0.1:{front if far else api}/dir"
        _until_answering(directory, programs.trust)
        yield Server(
            directory=directory,
            trust=programs.trust,
            http_port=http,
            dns=resolver,
            httpreq=f"http://127.0.0.1:{records}",
            log=log,
        )


@contextlib.contextmanager
def guarded() -> Iterator[Server]:
    """Start a fresh Pebble that many may ask at once: the one that pylego embeds.

    It is the same Pebble, without two ways to lock itself up for good that it meets
    when orders come in while others are validated (engine/testca/lockups.go).
    """
    trust = BUILD / "run" / "guarded.pem"
    process = subprocess.Popen(
        [sys.executable, "-c", GUARDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            trust.write_text(told.pop("trust"))
            yield Server(**told, trust=trust, log=Path(os.devnull))
        finally:
            end(process)


KEY_NAME = "key.example."
NAMED_CONF = """
options {{
    directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    notify no;
}};
controls {{ }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "example" {{ type primary; file "zone"; allow-update {{ key "{key}"; }}; }};
"""
ZONE = """
$TTL 1
@ SOA ns.example. hostmaster.example. 1 3600 600 86400 1
@ NS ns.example.
* A 127.0.0.1
ns A 127.0.0.1
"""


@dataclass(frozen=True)
class Bind:
    """A running BIND, in whose zone `example.` every name is 127.0.0.1."""

    port: int
    secret: str
    """Of the key by which records may be changed (RFC 8945)."""

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def bind() -> Iterator[Bind]:
    """Start a BIND with an empty zone."""
    program = prepare.bind()
    folder = BUILD / "run" / "bind"
    shutil.rmtree(folder, ignore_errors=True)  # the journal of the last one
    folder.mkdir(parents=True)
    server = Bind(_free_ports(1)[0], base64.b64encode(secrets.token_bytes(32)).decode())
    (folder / "zone").write_text(ZONE)
    settings = NAMED_CONF.format(
        folder=folder, port=server.port, key=KEY_NAME, secret=server.secret
    )
    (folder / "named.conf").write_text(settings)
    command = [str(program), "-g", "-c", str(folder / "named.conf")]
    with running(command, log=BUILD / "run" / "bind.log"):
        _until_listening(server.port)
        yield server


def _behaviour(*, far: bool) -> dict[str, str]:
    """Every setting of Pebble's, so that none comes from the user's environment."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PEBBLE_")}
    return {
        **inherited,
        "PEBBLE_WFE_NONCEREJECT": "0",
        "PEBBLE_AUTHZREUSE": "0",
        **({"PEBBLE_VA_SLEEPTIME": str(SLEEP_BELOW)} if far else {"PEBBLE_VA_NOSLEEP": "1"}),
    }


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _until_listening(port: int) -> None:
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise SystemExit(f"a server does not listen after {START_TIME} s: see {BUILD}/run")


def _until_answering(directory: str, trust: Path) -> None:
    context = ssl.create_default_context(cafile=str(trust))
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    direct.open(directory, timeout=START_TIME).close()
