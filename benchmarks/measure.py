"""Takes turns, repeats, and reads what the system tells about a process."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import peers
import prepare
import programs
from servers import EXPECTED_WAIT, guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

HOSTS_STAY = 10  # seconds after which none can be left of an earlier order: twice their own
PROGRAM_TIME = 240  # seconds for one program of programs.py
LOOKS = 0.05  # seconds between two looks at a process's hosts


@dataclass
class Sample:
    """What was measured of one peer in one row: single values, or why there are none."""

    values: list[float] = field(default_factory=list)
    note: str = ""
    statistic: Literal["median", "mean"] = "median"

    @property
    def value(self) -> float | None:
        """The value that goes into the table."""
        if not self.values:
            return None
        return (
            statistics.mean(self.values)
            if self.statistic == "mean"
            else statistics.median(self.values)
        )


def in_turn(
    everyone: peers.Peers,
    server: Server,
    task: peers.Task,
    times: dict[str, int],
    *,
    far: bool = False,
) -> dict[str, Sample]:
    """Let peers obtain certificates in turn: a slow moment of the machine meets all of them.

    Args:
        everyone: the peers by name.
        server: where the certificates come from.
        task: what to obtain.
        times: how often each peer does.
        far: take means, with the server's random waits put at their expected value:
            with twelve orders luck would decide more than the peer does.
    """
    samples = {name: Sample(statistic="mean" if far else "median") for name in times}
    ready: dict[str, peers.Peer] = {}
    for name, sample in samples.items():
        peer = everyone.get(name)
        if isinstance(peer, str):
            sample.note = peer
        else:
            ready[name] = peer
            if isinstance(peer, peers.Worker):
                _try(sample, peer, server, peers.Task())  # code loaded, connection open
    for turn in range(max(times.values())):
        for name, peer in ready.items():
            if turn < times[name] and not samples[name].note:
                sample = samples[name]
                before = server.logged()
                seconds = _try(sample, peer, server, task)
                if seconds is not None:
                    luck = server.waited(before) - EXPECTED_WAIT if far and task.names == 1 else 0
                    sample.values.append(seconds - luck)
    return samples


@dataclass
class Hosts:
    """What was seen of the provider hosts of ours while it obtained many certificates.

    Attributes:
        alive: for each time, how many there were at most.
        memory: for each time, the MB of all of them together at most.
        program: for each time, the MB of the process that has them.
    """

    alive: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    program: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def watched(self, process: int) -> Iterator[None]:
        """Look at the hosts of a process as long as the context lasts."""
        _until_alone(process)
        seen: list[tuple[int, float, float]] = []
        ended = threading.Event()

        def look() -> None:
            while True:
                hosts = _hosts(process)
                seen.append((len(hosts), sum(map(_memory, hosts)), _memory(process)))
                if ended.wait(LOOKS):
                    return

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        for values, most in zip(
            (self.alive, self.memory, self.program), zip(*seen, strict=True), strict=True
        ):
            values.append(max(most))


def _until_alone(process: int) -> None:
    deadline = time.monotonic() + HOSTS_STAY
    while _hosts(process) and time.monotonic() < deadline:
        time.sleep(LOOKS)


def _hosts(process: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended
            found += [int(child) for child in children.read_text().split()]
    return [child for child in found if b"provider" in _read(child, "cmdline").split(b"\0")]


def _memory(process: int) -> float:
    """Tell the MB that a process takes; what it shares with others is divided among them."""
    for line in _read(process, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0


def _read(process: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{file}").read_bytes()
    except OSError:  # it has ended
        return b""


def at_once(
    everyone: peers.Peers, task: peers.Task, times: dict[str, int], hosts: Hosts | None = None
) -> dict[str, Sample]:
    """Let peers obtain many certificates at the same time, each time from a fresh server.

    Pebble searches all its authorizations for each order: with an old one the last
    turns would be slow.
    """
    samples = {name: Sample() for name in times}
    for turn in range(max(times.values())):
        for name, sample in samples.items():
            if turn >= times[name] or sample.note:
                continue
            peer = everyone.get(name)
            if isinstance(peer, str):
                sample.note = peer
                continue
            assert isinstance(peer, peers.Worker)
            with guarded() as server:
                _try(sample, peer, server, peers.Task())  # code loaded, connection open
                with _watch(hosts if name == peers.OURS else None, peer):
                    seconds = _try(sample, peer, server, task)
            if seconds is not None:
                sample.values.append(task.certificates / seconds)
    return samples


def _watch(hosts: Hosts | None, peer: peers.Worker) -> contextlib.AbstractContextManager[None]:
    return hosts.watched(peer.process.pid) if hosts else contextlib.nullcontext()


def _try(sample: Sample, peer: peers.Peer, server: Server, task: peers.Task) -> float | None:
    try:
        return peer.obtain(server, task)
    except peers.Failed as error:
        sample.note = " ".join(str(error).split())
        return None


def in_python(source: str, *arguments: str, times: int, python: Path | None = None) -> Sample:
    """Run a program that prints one number, each time in a new Python; the first is not counted."""
    sample = Sample()
    for turn in range(times + 1):
        try:
            value = once(source, *arguments, python=python)
        except peers.Failed as error:
            sample.note = str(error)
            return sample
        if turn:
            sample.values.append(value)
    return sample


def once(source: str, *arguments: str, python: Path | None = None) -> float:
    """Run a program that prints one number in a new Python.

    Raises:
        Failed: it did not come to its end.
    """
    command = [str(python or sys.executable), "-c", source, *arguments]
    environment = prepare.clean_environment() if python else None
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PROGRAM_TIME,
            check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise peers.Failed((error.stderr.strip() or "no message").splitlines()[-1]) from None
    except subprocess.TimeoutExpired:
        raise peers.Failed(f"took more than {PROGRAM_TIME} s") from None
    return float(done.stdout.split()[-1])


def of_command(*arguments: str, times: int) -> Sample:
    """Run a command of pylego's, each time in a new process, in ms; the first is not counted."""
    sample = Sample()
    command = [str(Path(sys.executable).parent / "pylego"), *arguments]
    for turn in range(times + 1):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = (time.perf_counter() - began) * 1000
        if done.returncode:
            sample.note = (done.stderr.strip() or "no message").splitlines()[-1]
            return sample
        if turn:
            sample.values.append(took)
    if once(programs.COMMAND_LOADS_GO, *arguments):
        sample.note = "loads Go!"
    return sample


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def load() -> float:
    """Tell how many processes wanted to run in the last minute."""
    return os.getloadavg()[0]


def difference(sample: Sample, base: Sample) -> Sample:
    """Take a median of nothing but Python away from every value."""
    if base.value is None:
        return Sample(note=base.note)
    return Sample([value - base.value for value in sample.values], sample.note)


def size(path: Path) -> Sample:
    """Weigh a file, in MB of a million bytes as package indexes show them."""
    return Sample([path.stat().st_size / 1e6])
