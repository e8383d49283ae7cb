"""The rows of the table: what is measured, of whom, how often, and what is to be reached."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import prepare
import programs
from measure import Sample, at_once, difference, in_python, in_turn, size
from peers import ACMEZ, CERTBOT, FLOOR, LEGO, OLD, OURS, Peers, Task, lego_executable
from servers import pebble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of a peer that is left out, with the reason in its place.
TOO_SLOW = "5 s per name"
ONE_ACCOUNT = "cannot reuse an account"
ONE_PORT = "needs the port alone"


@dataclass(frozen=True)
class Bench:
    """What every row is given."""

    programs: prepare.Servers
    everyone: Peers
    quick: bool

    def times(self, full: int, quick: int = 1) -> int:
        """Choose a number of repetitions."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Goal:
    """A number to reach: ours as it is, or a ratio with a peer's."""

    limit: float
    peer: str = ""
    faster: bool = False
    """Whether the peer's time is divided by ours, and the limit is the least."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    measure: Callable[[Bench], dict[str, Sample]]
    goals: tuple[Goal, ...] = ()
    more_is_better: bool = False


def _without(reasons: dict[str, str], samples: dict[str, Sample]) -> dict[str, Sample]:
    return {**samples, **{peer: Sample(note=reason) for peer, reason in reasons.items()}}


def _one(bench: Bench) -> dict[str, Sample]:
    times = {
        OURS: bench.times(40, 12), FLOOR: bench.times(40, 12), ACMEZ: bench.times(5, 2),
        CERTBOT: bench.times(3), LEGO: bench.times(3), OLD: bench.times(20, 2),
    }  # fmt: skip
    with pebble(bench.programs) as server:
        samples = in_turn(bench.everyone, server, Task(), times)
    # It takes 0.08 s or seconds, by luck: a median would show one of the two.
    samples[OLD].statistic = "mean"
    return samples


def _twenty(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(15, 6), FLOOR: bench.times(15, 6), ACMEZ: 1, CERTBOT: bench.times(3)}
    if not bench.quick:
        times |= {LEGO: 1, OLD: 1}
    with pebble(bench.programs) as server:
        return in_turn(bench.everyone, server, Task(names=20), times)


def _hundred(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(9, 4), FLOOR: bench.times(9, 4), CERTBOT: 1}
    if not bench.quick:
        times |= {ACMEZ: 1}
    with pebble(bench.programs) as server:
        samples = in_turn(bench.everyone, server, Task(names=100), times)
    return _without({LEGO: TOO_SLOW, OLD: TOO_SLOW}, samples)


def _many(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(7, 3), FLOOR: bench.times(7, 3), ACMEZ: 1}
    task = Task(certificates=100, at_once=16)
    samples = at_once(bench.everyone, bench.programs, task, times)
    return _without(dict.fromkeys((CERTBOT, LEGO, OLD), ONE_PORT), samples)


def _far_one(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(12, 4), FLOOR: bench.times(12, 4)}
    if not bench.quick:
        times |= {ACMEZ: 6, CERTBOT: 2, LEGO: 1, OLD: 5}
    with pebble(bench.programs, far=True) as server:
        return in_turn(bench.everyone, server, Task(), times, far=True)


def _far_twenty(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(4, 2), FLOOR: bench.times(4, 2)}
    if not bench.quick:
        times |= {ACMEZ: 1, CERTBOT: 1}
    with pebble(bench.programs, far=True) as server:
        samples = in_turn(bench.everyone, server, Task(names=20), times, far=True)
    return _without({LEGO: TOO_SLOW, OLD: TOO_SLOW}, samples)


def _second(bench: Bench) -> dict[str, Sample]:
    times = {
        OURS: bench.times(20, 8), FLOOR: bench.times(20, 8), ACMEZ: bench.times(3),
        CERTBOT: bench.times(2), LEGO: bench.times(2),
    }  # fmt: skip
    with pebble(bench.programs) as server:
        samples = in_turn(bench.everyone, server, Task(same_account=True), times)
    return _without({OLD: ONE_ACCOUNT}, samples)


def _old_python() -> Path | str:
    try:
        return prepare.old_pylego()
    except prepare.Unavailable as error:
        return str(error)


def _import(bench: Bench) -> dict[str, Sample]:
    times, old = bench.times(25, 10), _old_python()
    ours = in_python(programs.IMPORT, times=times)
    if in_python(programs.IMPORT_LOADS_GO, times=1).value:
        ours.note = "loads Go!"
    return {
        OURS: ours,
        OLD: Sample(note=old)
        if isinstance(old, str)
        else in_python(programs.IMPORT, times=times, python=old),
    }


def _first_call(bench: Bench) -> dict[str, Sample]:
    return {
        OURS: in_python(programs.FIRST_CALL, times=bench.times(25, 10)),
        OLD: Sample(note="loads Go when imported"),
    }


def _memory(kind: str) -> Callable[[Bench], dict[str, Sample]]:
    def measure(bench: Bench) -> dict[str, Sample]:
        times, old = bench.times(5, 2), _old_python()
        base = in_python(programs.MEMORY, kind, times=3)
        samples = {}
        with pebble(bench.programs) as server:
            command = {
                "directory": server.directory, "trust": str(server.trust), "port": server.http_port,
                "orders": [["memory.bench.example"]], "at_once": 1, "same_account": False,
                "requests": [prepare.request(bench.programs, "memory.bench.example")],
            }  # fmt: skip
            arguments = kind, str(prepare.HERE), json.dumps(command)
            samples[OURS] = difference(in_python(programs.MEMORY, *arguments, times=times), base)
            if isinstance(old, str):
                samples[OLD] = Sample(note=old)
            else:
                took = in_python(programs.MEMORY, *arguments, times=min(times, 2), python=old)
                samples[OLD] = difference(took, base)
        return samples

    return measure


def _wheel(_: Bench) -> dict[str, Sample]:
    return {OURS: _weighed(prepare.our_wheel), OLD: _weighed(prepare.old_wheel)}


def _weighed(find: Callable[[], Path]) -> Sample:
    try:
        return size(find())
    except prepare.Unavailable as error:
        return Sample(note=str(error))


def _provider_host(bench: Bench) -> dict[str, Sample]:
    """One dns-01 order through a new host, less one through a host that runs already."""
    try:
        lego_executable()
    except prepare.Unavailable as error:
        return {OURS: Sample(note=str(error))}
    with pebble(bench.programs) as server:
        arguments = server.directory, str(server.trust), server.dns, server.records
        times = bench.times(10, 4)
        warm = in_python(programs.PROVIDER_HOST, *arguments, "warm", times=times)
        new = in_python(programs.PROVIDER_HOST, *arguments, "new", times=times)
    return {OURS: difference(new, warm)}


ROWS = (
    Row(
        "one",
        "1 name",
        "s",
        _one,
        (Goal(1.5, FLOOR), Goal(10, ACMEZ, faster=True), Goal(50, OLD, faster=True)),
    ),
    Row("twenty", "20 names", "s", _twenty, (Goal(1.5, FLOOR),)),
    Row("hundred", "100 names", "s", _hundred, (Goal(1.5, FLOOR),)),
    Row(
        "many",
        "100 certificates, 16 at once",
        "/s",
        _many,
        (Goal(1.5, FLOOR),),
        more_is_better=True,
    ),
    Row("far-one", "1 name, far away (mean)", "s", _far_one, (Goal(1.1, FLOOR),)),
    Row("far-twenty", "20 names, far away (mean)", "s", _far_twenty, (Goal(1.1, FLOOR),)),
    Row("second", "a second certificate, same account", "s", _second),
    Row("import", "import, above its standard modules", "ms", _import, (Goal(10),)),
    Row("first-call", "first call, without network", "ms", _first_call, (Goal(15),)),
    Row("resident", "resident memory after a certificate", "MB", _memory("Rss")),
    Row(
        "anonymous", "anonymous memory after a certificate", "MB", _memory("Anonymous"), (Goal(8),)
    ),
    Row("wheel", "wheel", "MB", _wheel, (Goal(27),)),
    Row("provider-host", "start of a provider host (dns-01)", "ms", _provider_host),
)
