"""Takes turns, repeats, and reads what the system tells about a process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import peers
import prepare
from servers import EXPECTED_WAIT, pebble

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Server

LOCKED_UP = 15  # seconds without an answer: four hundred certificates' time
LOCK_UPS = 5  # in a row, for one peer


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


def at_once(
    everyone: peers.Peers, programs: prepare.Servers, task: peers.Task, times: dict[str, int]
) -> dict[str, Sample]:
    """Let peers obtain many certificates at the same time, each time from a fresh server.

    Pebble 2.10.1 can lock itself up for good when orders come in while others are
    validated (its store and its authorizations are locked in both orders), so a
    turn that it does not survive is repeated. It also searches all its
    authorizations for each order: with an old one the last turns would be slow.
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
            for _ in range(LOCK_UPS):
                with pebble(programs) as server:
                    try:
                        peer.obtain(server, peers.Task(), LOCKED_UP)  # code loaded, connection open
                        seconds = peer.obtain(server, task, LOCKED_UP)
                    except peers.Stuck:
                        continue
                    except peers.Failed as error:
                        sample.note = " ".join(str(error).split())
                        break
                sample.values.append(task.certificates / seconds)
                break
            else:
                sample.note = f"Pebble locked itself up {LOCK_UPS} times"
    return samples


def _try(sample: Sample, peer: peers.Peer, server: Server, task: peers.Task) -> float | None:
    try:
        return peer.obtain(server, task)
    except peers.Failed as error:
        sample.note = " ".join(str(error).split())
        return None


def in_python(source: str, *arguments: str, times: int, python: Path | None = None) -> Sample:
    """Run a program that prints one number, each time in a new Python; the first is not counted."""
    sample = Sample()
    command = [str(python or sys.executable), "-c", source, *arguments]
    environment = prepare.clean_environment() if python else None
    for turn in range(times + 1):
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=120, check=True
            )
        except subprocess.CalledProcessError as error:
            sample.note = (error.stderr.strip() or "no message").splitlines()[-1]
            return sample
        except subprocess.TimeoutExpired:
            sample.note = "took more than 120 s"
            return sample
        if turn:
            sample.values.append(float(done.stdout.split()[-1]))
    return sample


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
