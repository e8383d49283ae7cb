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
from servers import end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

LONGEST = 240  # seconds for one measured call

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


class Stuck(Failed):
    """A peer has not answered in time, and may be waiting for a server that has stopped."""


@dataclass(frozen=True)
class Task:
    """Certificates to obtain.

    Attributes:
        names: how many names each certificate has.
        certificates: how many there are.
        at_once: how many are under way at the same time.
        same_account: whether an account that already has one is used; making
            that account and its first certificate is not timed.
    """

    names: int = 1
    certificates: int = 1
    at_once: int = 1
    same_account: bool = False

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

    def obtain(self, server: Server, task: Task, patience: float = LONGEST) -> float:
        """Ask the program."""
        orders = task.orders()
        command = {
            "directory": server.directory,
            "trust": str(server.trust),
            "port": server.http_port,
            "orders": orders,
            "at_once": task.at_once,
            "same_account": task.same_account,
        }
        if self.programs is not None:
            command["requests"] = [prepare.request(self.programs, *names) for names in orders]
        answer = self.ask(command, patience)
        if answer.get("error"):
            raise Failed(str(answer["error"]))
        return float(answer["seconds"])

    def ask(self, command: dict[str, object], patience: float) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        assert self.process.stdin is not None
        if self.owes:
            self._answer(LONGEST)
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed("the program has ended") from None
        return self._answer(patience)

    def _answer(self, patience: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        self.owes = True
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise Stuck(f"no answer after {patience:g} s")
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
            self.run(server, orders.pop(0), account)
        began = time.perf_counter()
        for names in orders:
            self.run(server, names, account)
        return time.perf_counter() - began

    def run(self, server: Server, names: list[str], account: Path) -> None:
        """Obtain one certificate."""
        raise NotImplementedError


class Certbot(Commands):
    """certbot with its standalone server."""

    def run(self, server: Server, names: list[str], account: Path) -> None:
        """Obtain one certificate."""
        options = (
            "certonly --non-interactive --agree-tos --register-unsafely-without-email --standalone"
        )
        folders = [f"--{kind}-dir={account / kind}" for kind in ("config", "work", "logs")]
        ports = ["--http-01-address=127.0.0.1", f"--http-01-port={server.http_port}"]
        _output(
            [str(self.program), *options.split(), *folders, *ports, f"--server={server.directory}",
             "--key-type=ecdsa", "--elliptic-curve=secp256r1", f"--domains={','.join(names)}"],
            REQUESTS_CA_BUNDLE=str(server.trust),
        )  # fmt: skip


class Lego(Commands):
    """lego's own command line."""

    def run(self, server: Server, names: list[str], account: Path) -> None:
        """Obtain one certificate."""
        domains = [f"--domains={name}" for name in names]
        _output(
            [str(self.program), "run", "--accept-tos", "--email=bench@bench.example", "--http",
             f"--http.address=127.0.0.1:{server.http_port}", f"--server={server.directory}",
             f"--path={account}", *domains],
            LEGO_CA_CERTIFICATES=str(server.trust),
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
    """Find lego's command line beside the library: it is lego v5.3.1's own."""
    found = _output([sys.executable, "-c", "import pylego; print(pylego.__path__[0])"]).strip()
    program = Path(found) / "_bin" / "lego"
    if not program.exists() or shutil.which(str(program)) is None:
        raise prepare.Unavailable("this pylego has no executable lego")
    return program
