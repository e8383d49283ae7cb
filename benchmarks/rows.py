"""The rows of the table: what is measured, of whom, how often, and what is to be reached."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import prepare
import programs
import stores
from measure import (
    Hosts,
    Sample,
    at_once,
    difference,
    in_python,
    in_turn,
    number,
    of_command,
    once,
    size,
)
from peers import (
    ACMEZ,
    CERTBOT,
    CERTBOT_WAITS,
    DNS,
    FLOOR,
    LEGO,
    OLD,
    OURS,
    Certbot,
    Failed,
    Peers,
    Task,
    lego_executable,
    rfc2136,
)
from servers import bind, guarded, pebble

if TYPE_CHECKING:
    from collections.abc import Callable

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
    plus: float = 0
    """What ours may take more than so many times a peer's, in the row's unit."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    measure: Callable[[Bench], dict[str, Sample]]
    goals: tuple[Goal, ...] = ()
    more_is_better: bool = False
    timed: bool = True
    """Whether it is among the bars of the chart, where its unit is one of time."""


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
    samples = at_once(bench.everyone, task, times)
    return _without(dict.fromkeys((CERTBOT, LEGO, OLD), ONE_PORT), samples)


def _thousand(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(5, 2), FLOOR: bench.times(5, 2)}
    # Fewer are fewer authorizations, too, through which Pebble searches for each order.
    certificates = bench.times(1000, 300)
    task = Task(certificates=certificates, at_once=64, same_account=True, on_a_loop=True)
    return at_once(bench.everyone, task, times)


def _dns_twenty(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(15, 6), FLOOR: bench.times(15, 6)}
    with pebble(bench.programs) as server:
        return in_turn(bench.everyone, server, Task(names=20, dns=DNS()), times)


def _bind_twenty(bench: Bench) -> dict[str, Sample]:
    times = {OURS: bench.times(9, 3), CERTBOT: bench.times(3)}
    if not bench.quick:
        times |= {LEGO: 1}
    try:
        with bind() as names, pebble(bench.programs, resolver=names.address) as server:
            task = Task(names=20, dns=rfc2136(names))
            samples = in_turn(bench.everyone, server, task, times)
    except prepare.Unavailable as error:
        return _without(dict.fromkeys(times, str(error)), {})
    no_pause = "RFC2136_SEQUENCE_INTERVAL=0; by default lego waits 60 s between two names"
    waits = f"--dns-rfc2136-propagation-seconds {CERTBOT_WAITS}; 60 by default"
    for peer, note in {OURS: no_pause, LEGO: no_pause, CERTBOT: waits}.items():
        if peer in samples and samples[peer].values:
            samples[peer].note = samples[peer].note or note
    return samples


@dataclass(frozen=True)
class Crowd:
    """Orders of several credentials at once, and their hosts."""

    rate: dict[str, Sample]
    alive: dict[str, Sample]
    memory: dict[str, Sample]


@cache
def _crowd(bench: Bench) -> Crowd:
    times = {OURS: bench.times(5, 2), FLOOR: bench.times(5, 2)}
    task = Task(
        certificates=200, at_once=200, same_account=True, on_a_loop=True, dns=DNS(credentials=8)
    )
    hosts = Hosts()
    rate = at_once(bench.everyone, task, times, hosts)
    if not hosts.alive:
        nothing = {OURS: Sample(note=rate[OURS].note)}
        return Crowd(rate, nothing, nothing)
    program = (
        f"the program that has them: {max(hosts.program):.0f} MB at most, after all rows above"
    )
    return Crowd(
        rate, {OURS: Sample([max(hosts.alive)])}, {OURS: Sample(hosts.memory, note=program)}
    )


def _elsewhere(way: str) -> Callable[[Bench], dict[str, Sample]]:
    def measure(bench: Bench) -> dict[str, Sample]:
        with pebble(bench.programs) as server:
            arguments = server.directory, str(server.trust), str(server.http_port), "40", way
            times = bench.times(5, 2)
            return {OURS: in_python(programs.ELSEWHERE, *arguments, times=times)}

    return measure


def _event(bench: Bench) -> dict[str, Sample]:
    return {OURS: in_python(programs.EVENT, times=bench.times(10, 3))}


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
        arguments = server.directory, str(server.trust), server.dns, server.httpreq
        times = bench.times(10, 4)
        warm = in_python(programs.PROVIDER_HOST, *arguments, "warm", times=times)
        new = in_python(programs.PROVIDER_HOST, *arguments, "new", times=times)
    return {OURS: difference(new, warm)}


def _shared_host(bench: Bench) -> dict[str, Sample]:
    """How much later the CA has an order through such a host than one by http-01."""
    try:
        lego_executable()
    except prepare.Unavailable as error:
        return {OURS: Sample(note=str(error))}
    with pebble(bench.programs) as server:
        arguments = server.directory, str(server.trust), server.dns, server.httpreq
        shared = *arguments, str(server.http_port), "40"
        return {OURS: in_python(programs.SHARED_HOST, *shared, times=bench.times(7, 2))}


MEMORY = Path("/dev/shm")  # noqa: S108 -- Linux's; for nobody else

MINUTE = 50  # seconds that certbot's lineages are to take: the rest is its start


def _none_due(bench: Bench) -> dict[str, Sample]:
    """Of certbot's time for as many as it can look at in a minute the part for each is taken.

    What is measured is a pass after others: certbot's lineages have been there, too.
    """
    count, folder = bench.times(10_000, 2_000), prepare.BUILD / "run" / "none-due"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        stores.ours(folder / "ours", count)
        arguments = str(folder / "ours"), str(count), stores.DIRECTORY
        first = once(programs.NONE_DUE, *arguments)
        ours = in_python(programs.NONE_DUE, *arguments, times=bench.times(5, 2))
        ours.note = f"the first pass, which reads all, took {number(first)} s"
        return {OURS: ours, CERTBOT: _certbots(bench, folder, count)}
    except (prepare.Unavailable, Failed) as error:
        return _without({OURS: str(error)}, {})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _certbots(bench: Bench, folder: Path, count: int) -> Sample:
    certbot = bench.everyone.get(CERTBOT)
    if isinstance(certbot, str):
        return Sample(note=certbot)
    assert isinstance(certbot, Certbot)
    try:
        stores.certbots(folder / "few", few := 100)
        many = few
        took = certbot.renew(folder / "few")
        if not bench.quick:
            many = max(min(int(few * MINUTE / took), count), few)
            stores.certbots(folder / "many", many)
            took = certbot.renew(folder / "many")
    except Failed as error:
        return Sample(note=str(error))
    return Sample([took / many * count], note=f"it took {number(took)} s for {many:,}")


def _due(bench: Bench) -> dict[str, Sample]:
    """Both renew what was issued just before; each time from a fresh server, for Pebble's sake.

    A store in memory, beside it, tells how much of the time is the disk's.
    """
    count, ratio, seconds = str(bench.times(1000, 100)), Sample(), []
    folder = prepare.BUILD / "run" / "due"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        for turn in range(bench.times(3)):
            alone, managed = _renewed(count, ""), _renewed(count, str(folder / str(turn)))
            told = f"{number(managed)} s, the engine alone {number(alone)} s"
            if MEMORY.is_dir():
                with TemporaryDirectory(dir=MEMORY) as memory:
                    quicker = _renewed(count, memory) / alone
                told += f", with a store in memory {number(quicker)} times that"
            seconds.append(told)
            ratio.values.append(managed / alone)
    except Failed as error:
        return {OURS: Sample(note=str(error))}
    finally:
        shutil.rmtree(
            folder
        )  # not between: a disk that has just removed files makes new ones slowly
    ratio.note = "; ".join(seconds)
    return {OURS: ratio}


def _renewed(count: str, folder: str) -> float:
    with guarded() as server:
        arguments = server.directory, str(server.trust), str(server.http_port), count, folder
        return once(programs.DUE, *arguments)


def _command(*arguments: str) -> Callable[[Bench], dict[str, Sample]]:
    return lambda bench: {OURS: of_command(*arguments, times=bench.times(25, 5))}


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
    Row(
        "thousand",
        "1,000 certificates of one account, AsyncClient, 64 at once",
        "/s",
        _thousand,
        (Goal(1.3, FLOOR),),
        more_is_better=True,
    ),
    Row("far-one", "1 name, far away (mean)", "s", _far_one, (Goal(1.1, FLOOR),)),
    Row("far-twenty", "20 names, far away (mean)", "s", _far_twenty, (Goal(1.1, FLOOR),)),
    Row("second", "a second certificate, same account", "s", _second),
    Row(
        "dns-twenty",
        "20 names by dns-01, httpreq, new host",
        "s",
        _dns_twenty,
        (Goal(1.5, FLOOR, plus=0.06),),
    ),
    Row(
        "bind-twenty",
        "20 names by dns-01, rfc2136 on BIND, new host",
        "s",
        _bind_twenty,
        (Goal(10, CERTBOT, faster=True), Goal(10, LEGO, faster=True)),
    ),
    Row(
        "crowd",
        "200 certificates by dns-01, 8 sets of credentials, all at once",
        "/s",
        lambda bench: _crowd(bench).rate,
        more_is_better=True,
    ),
    Row(
        "crowd-hosts",
        "the same: provider hosts alive at most",
        "hosts",
        lambda bench: _crowd(bench).alive,
        (Goal(16),),
    ),
    Row(
        "crowd-memory",
        "the same: memory of all hosts at most",
        "MB",
        lambda bench: _crowd(bench).memory,
    ),
    Row(
        "isolated",
        'isolation="process", in-process time = 1',
        "x",
        _elsewhere("process"),
        (Goal(1.2),),
    ),
    Row("forked", "in a forked child, in-process time = 1", "x", _elsewhere("fork"), (Goal(1.2),)),
    Row("event", "one event, in Python", "µs", _event, (Goal(50),)),
    Row("import", "import, above its standard modules", "ms", _import, (Goal(10),)),
    Row("first-call", "first call, without network", "ms", _first_call, (Goal(15),)),
    Row("resident", "resident memory after a certificate", "MB", _memory("Rss")),
    Row(
        "anonymous", "anonymous memory after a certificate", "MB", _memory("Anonymous"), (Goal(8),)
    ),
    Row("wheel", "wheel", "MB", _wheel, (Goal(27),)),
    Row("provider-host", "start of a provider host (dns-01)", "ms", _provider_host, (Goal(60),)),
    Row(
        "shared-host",
        "wait for a host of a running order, above http-01",
        "ms",
        _shared_host,
        (Goal(2),),
    ),
    Row(
        "due",
        "renew_due, 1,000 due on the embedded CA, the engine alone = 1",
        "x",
        _due,
        (Goal(1.5),),
    ),
    Row(
        "none-due",
        "renew_due over 10,000 certificates, none due; certbot renew, for as many",
        "s",
        _none_due,
        (Goal(2), Goal(20, CERTBOT, faster=True)),
        timed=False,
    ),
    Row("help", "pylego --help", "ms", _command("--help"), (Goal(150),)),
    Row(
        "providers-show",
        "pylego providers show cloudflare",
        "ms",
        _command("providers", "show", "cloudflare"),
    ),
)
