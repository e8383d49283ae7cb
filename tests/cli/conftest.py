"""Commands as programs: piped, and on a terminal."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pylego
from pylego.storage import FileStore
from tests.servers.fixtures import authority  # noqa: F401 -- a fixture

COMMANDS = Path(__file__).with_name("commands.py")

LEGO = Path(pylego.__file__).resolve().parent / "_bin" / "lego"

PYLEGO = "from pylego.cli import main; main()"


class Ended:
    """A command that has ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def pylego_command():
    """Run `pylego ARGUMENTS` with pipes."""

    def run(*arguments, env=None):
        return _run(["-c", PYLEGO, *arguments], env)

    return run


@pytest.fixture
def own_command():
    """Run a command of tests/cli/commands.py with pipes."""

    def run(*arguments, env=None, **settings):
        return _run([COMMANDS, *arguments], env, **settings)

    return run


def _run(arguments, env, **settings):
    command = [sys.executable, *map(str, arguments)]
    return Ended(
        subprocess.run(
            command,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            **settings,
        )
    )


def redirected(redirection):
    """Launch a program as a shell does, with a redirection of its streams."""
    return ("sh", "-c", f'exec "$@" {redirection}', "sh")


@pytest.fixture
def started(program):
    """Start a command of tests/cli/commands.py, or `pylego` itself, which goes on running."""

    def start(*arguments, source=None, **settings):
        put = f"import sys; sys.argv[1:] = {list(map(str, arguments))!r}\n"
        return program(put + (source or COMMANDS.read_text()), **settings)

    return start


def until(stream, text):
    """Read until the text has come."""
    read = b""
    while text.encode() not in read:
        try:
            part = os.read(stream.fileno(), 1 << 12)
        except OSError:  # a terminal's other end has closed
            part = b""
        assert part, read
        read += part
    return read.decode(errors="replace")  # it may end in the middle of a character


CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What tells a terminal how to show what follows, or where."""


class Shown(Ended):
    """What a command that has ended has shown on its terminal, drawn by drawn."""

    def __init__(self, code, said):
        self.code, self.said = code, said

    @property
    def lines(self):
        return re.split(r"[\r\n]|\x1b\[2K", self.said)

    @property
    def words(self):
        """All that is not blank, as it was before lines were broken."""
        return "".join(CONTROL.sub("", self.said).replace("│", "").split())


@pytest.fixture
def on_terminal(started, way, folder):
    """Run `pylego ARGUMENTS` on a terminal, on the test's folder and CA."""

    def run(command, *arguments, env=None, columns=80):
        env = {**way.env, "LEGO_PATH": str(folder), **(env or {})}
        words = (*command.split(), *arguments)
        running = started(*words, source=PYLEGO, env=env, terminal=True, columns=columns)
        code, said, _ = running.end()
        return Shown(code, said)

    return run


@pytest.fixture
def way(acme_server, tmp_path):
    """Flags and variables by which a command reaches the test's CA."""
    root = tmp_path / "root.pem"
    root.write_text(acme_server.trust_root)
    return Way(acme_server, root)


class Way:
    """How commands reach a CA."""

    def __init__(self, server, root):
        self.server = server
        self.env = {"LEGO_CA_CERTIFICATES": str(root), "HTTPREQ_ENDPOINT": server.httpreq}
        self.ca = ("--server", server.directory, "--accept-tos")
        self.http = ("--http", "--http.address", f"127.0.0.1:{server.http_port}")
        self.tls = ("--tls", "--tls.address", f"127.0.0.1:{server.tls_port}")
        self.dns = (
            *("--dns", "httpreq", "--dns.resolvers", server.dns),
            "--dns.propagation.disable-ans",
        )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lego"


@pytest.fixture
def here(pylego_command, way, folder):
    """Run a command on the test's folder and CA: `here("obtain", "a.example", *way.http)`."""

    def run(command, *arguments, env=None):
        env = {**way.env, "LEGO_PATH": str(folder), **(env or {})}
        return pylego_command(*command.split(), *arguments, env=env)

    return run


@pytest.fixture
def obtained(here, way):
    """Obtain a certificate; give what was told."""

    def run(*arguments, env=None):
        done = here("obtain", *way.ca, *way.http, "--json", *arguments, env=env)
        assert done.code == 0, done.out + done.err
        return done.json

    return run


@pytest.fixture
def lego(way, folder):
    """Run lego itself on the folder."""

    def run(*arguments):
        env = {**os.environ, **way.env, "LEGO_PATH": str(folder)}
        done = subprocess.run(
            [LEGO, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def names(certificate):
    return [each.value for each in certificate.identifiers]


def account_of(folder, way, name="a@a.example"):
    return FileStore(folder).load_account(way.server.directory, name)
