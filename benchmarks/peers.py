"""Those who are compared: each obtains certificates when asked, and tells the time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import prepare
from servers import KEY_NAME, end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servers import Bind, Server

LONGEST = 240  # seconds for one measured call
CERTBOT_WAITS = 1  # seconds between a record and the CA's being told

OURS, FLOOR, ACMEZ, CERTBOT, LEGO, OLD = (
    "pylego",
    "floor",
    "acmez",
    "certbot",
    "lego",
    "pylego 0.1.49",
)
_numbers = count(1)


class Failed(Exception):
    """A peer did not obtain what it was asked for."""


@dataclass(frozen=True)
class DNS:
    """How names are validated by dns-01, instead of http-01.

    Attributes:
        provider: the code of lego's provider.
        variables: its settings; none are those of httpreq at the server's own DNS.
        looks: whether ours and lego look at the resolver before the CA is told.
        credentials: how many sets of them the orders use in turn.
    """

    provider: str = "httpreq"
    variables: Mapping[str, str] = field(default_factory=dict)
    looks: bool = False
    credentials: int = 1

    def message(self, server: Server) -> dict[str, object]:
        """Describe it to a worker."""
        settings = self.variables or {"HTTPREQ_ENDPOINT": server.httpreq}
        return {
            "provider": self.provider,
            "resolver": server.dns,
            "looks": self.looks,
            # Another environment is another host: each task starts its own, as a new program does.
            "variables": [
                {**settings, "LEGO_BENCHMARK": str(next(_numbers))} for _ in range(self.credentials)
            ],
        }


def rfc2136(server: Bind) -> DNS:
    """Describe dns-01 by dynamic updates (RFC 2136)."""
    return DNS(
        "rfc2136",
        {
            "RFC2136_NAMESERVER": server.address,
            "RFC2136_TSIG_KEY": KEY_NAME,
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
            "RFC2136_TSIG_SECRET": server.secret,
            "RFC2136_SEQUENCE_INTERVAL": "0",
        },
        looks=True,
    )


@dataclass(frozen=True)
class Task:
    """Certificates to obtain.

    Attributes:
        names: how many names each certificate has.
        certificates: how many there are.
        at_once: how many are under way at the same time.
        same_account: whether an account that already has one is used; making
            that account and its first certificate is not timed.
        on_a_loop: ours takes an AsyncClient on one event loop instead of threads.
        dns: how names are validated where that is not by http-01.
    """

    names: int = 1
    certificates: int = 1
    at_once: int = 1
    same_account: bool = False
    on_a_loop: bool = False
    dns: DNS | None = None

    def orders(self) -> list[list[str]]:
        """Make names that were never used: `.example` is nobody's."""
        total = self.certificates + self.same_account
        return [
            [f"n{next(_numbers)}.bench.example" for _ in range(self.names)] for _ in range(total)
        ]


class Peer(Protocol):
    """Someone who can obtain certificates."""

    def obtain(self, server: Server, task: Task) -> float:
        """Return the seconds that the task took."""
        ...


@dataclass
class Worker:
    """A program that stays: it takes a JSON line and answers with one."""

    process: subprocess.Popen[str]
    programs: prepare.Servers | None = None
    """What makes certificate requests, for those who want one."""
    owes: bool = False
    """An answer is outstanding to a command that was given up."""

    def obtain(self, server: Server, task: Task) -> float:
        """Ask the program."""
        orders = task.orders()
        command = {
            "directory": server.directory,
            "trust": str(server.trust),
            "port": server.http_port,
            "orders": orders,
            "at_once": task.at_once,
            "same_account": task.same_account,
            "on_a_loop": task.on_a_loop,
            "dns": task.dns.message(server) if task.dns else None,
        }
        if self.programs is not None:
            command["requests"] = [prepare.request(self.programs, *names) for names in orders]
        answer = self.ask(command)
        if answer.get("error"):
            raise Failed(str(answer["error"]))
        return float(answer["seconds"])

    def ask(self, command: dict[str, object]) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        assert self.process.stdin is not None
        if self.owes:
            self._answer()
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed("the program has ended") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        self.owes = True
        if not select.select([self.process.stdout], [], [], LONGEST)[0]:
            raise Failed(f"no answer after {LONGEST} s")
        self.owes = False
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the program has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def worker(
    command: list[str],
    *,
    programs: prepare.Servers | None = None,
    env: dict[str, str] | None = None,
) -> Iterator[Worker]:
    """Run a program that stays while the context lasts."""
    with (prepare.BUILD / "run" / "peers.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=env,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield Worker(process, programs)
    finally:
        end(process)
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


@dataclass
class Commands:
    """A program that is started for each certificate, as its users do."""

    program: Path
    folder: Path
    _calls: Iterator[int] = field(default_factory=lambda: count(1))

    def obtain(self, server: Server, task: Task) -> float:
        """Run it, once unmeasured if an account is to be there."""
        assert task.at_once == 1, "command lines are not started together: they need the same port"
        account = self.folder / str(next(self._calls))
        orders = task.orders()
        if task.same_account:
            self.run(server, orders.pop(0), account, task.dns)
        began = time.perf_counter()
        for names in orders:
            self.run(server, names, account, task.dns)
        return time.perf_counter() - began

    def run(self, server: Server, names: list[str], account: Path, dns: DNS | None) -> None:
        """Obtain one certificate."""
        raise NotImplementedError


class Certbot(Commands):
    """certbot with its standalone server, or its plugin for dynamic updates."""

    def run(self, server: Server, names: list[str], account: Path, dns: DNS | None) -> None:
        """Obtain one certificate."""
        options = "certonly --non-interactive --agree-tos --register-unsafely-without-email"
        folders = [f"--{kind}-dir={account / kind}" for kind in ("config", "work", "logs")]
        port = f"--http-01-port={server.http_port}"
        way = (
            self._by_dns(server, dns, account)
            if dns
            else ["--standalone", "--http-01-address=127.0.0.1", port]
        )
        _output(
            [str(self.program), *options.split(), *folders, *way, f"--server={server.directory}",
             "--key-type=ecdsa", "--elliptic-curve=secp256r1", f"--domains={','.join(names)}"],
            REQUESTS_CA_BUNDLE=str(server.trust),
        )  # fmt: skip

    def renew(self, config: Path) -> float:
        """Return the seconds that it takes for a folder of lineages, none of them due."""
        folders = [
            f"--config-dir={config}",
            *(f"--{kind}-dir={config / kind}" for kind in ("work", "logs")),
        ]
        began = time.perf_counter()
        said = _output([str(self.program), "renew", "--non-interactive", *folders])
        took = time.perf_counter() - began
        if "No renewals were attempted" not in said:
            raise Failed("it has renewed something")
        return took

    def _by_dns(self, server: Server, dns: DNS, account: Path) -> list[str]:
        host, _, port = server.dns.rpartition(":")
        settings = {
            "server": host,
            "port": port,
            "name": dns.variables["RFC2136_TSIG_KEY"],
            "secret": dns.variables["RFC2136_TSIG_SECRET"],
            "algorithm": "HMAC-SHA256",
        }
        account.mkdir(parents=True, exist_ok=True)
        file = account / "rfc2136.ini"
        file.touch(0o600)  # it warns of others
        file.write_text("".join(f"dns_rfc2136_{key} = {settings[key]}\n" for key in settings))
        return [
            "--dns-rfc2136",
            f"--dns-rfc2136-credentials={file}",
            f"--dns-rfc2136-propagation-seconds={CERTBOT_WAITS}",
        ]


class Lego(Commands):
    """lego's own command line."""

    def run(self, server: Server, names: list[str], account: Path, dns: DNS | None) -> None:
        """Obtain one certificate."""
        domains = [f"--domains={name}" for name in names]
        way = (
            # Authoritative servers would be asked at port 53.
            [f"--dns={dns.provider}", f"--dns.resolvers={server.dns}", "--dns.propagation.disable-ans"]
            if dns
            else ["--http", f"--http.address=127.0.0.1:{server.http_port}"]
        )  # fmt: skip
        _output(
            [str(self.program), "run", "--accept-tos", "--email=bench@bench.example", *way,
             f"--server={server.directory}", f"--path={account}", *domains],
            LEGO_CA_CERTIFICATES=str(server.trust), **(dns.variables if dns else {}),
        )  # fmt: skip


def _output(command: list[str], **environment: str) -> str:
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=LONGEST, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {LONGEST} s") from None
    except subprocess.CalledProcessError as error:
        raise Failed(
            (error.stderr.strip() or error.stdout.strip() or "no message")[-300:]
        ) from None
    return done.stdout


class Peers:
    """Everybody, started when first asked for; ended with the context."""

    def __init__(self, programs: prepare.Servers) -> None:
        """Keep the paths of what was built."""
        self._programs = programs
        self._stack = contextlib.ExitStack()
        self._started: dict[str, Peer | str] = {}

    def __enter__(self) -> Peers:  # noqa: PYI034 -- Self is not in Python 3.10
        """Make a folder for what command lines write."""
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers."""
        self._stack.close()

    def get(self, name: str) -> Peer | str:
        """Return a peer, or why there is none."""
        if name not in self._started:
            try:
                self._started[name] = self._start(name)
            except (prepare.Unavailable, OSError) as error:
                self._started[name] = str(error)
        return self._started[name]

    def _start(self, name: str) -> Peer:
        python_worker = str(prepare.HERE / "python_worker.py")
        enter = self._stack.enter_context
        if name == OURS:
            return enter(worker([sys.executable, python_worker]))
        if name == FLOOR:
            return enter(worker([str(self._programs.floor)]))
        if name == ACMEZ:
            return enter(worker([str(prepare.acmez())]))
        if name == OLD:
            # It reads the trust files once, from the process's first environment.
            env = prepare.clean_environment(SSL_CERT_FILE=str(self._programs.trust))
            return enter(
                worker([str(prepare.old_pylego()), python_worker], programs=self._programs, env=env)
            )
        if name == CERTBOT:
            return Certbot(prepare.certbot(), self._folder / "certbot")
        return Lego(lego_executable(), self._folder / "lego")


def lego_executable() -> Path:
    """Find lego's command line beside the library: it is lego's own."""
    found = _output([sys.executable, "-c", "import pylego; print(pylego.__path__[0])"]).strip()
    program = Path(found) / "_bin" / "lego"
    if not program.exists() or shutil.which(str(program)) is None:
        raise prepare.Unavailable("this pylego has no executable lego")
    return program
