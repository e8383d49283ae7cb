"""Ours and its peers side by side: `python benchmarks/run.py [--quick] [--only ROW]`.

Run it by a Python in which pylego is installed; `make bench` does. A full run writes
docs/benchmark.json, .md and .svg; --quick and --only write them to build/bench.
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
import time
from typing import TYPE_CHECKING

import prepare
import report
from measure import load
from peers import Peers
from report import Result
from rows import ROWS, Bench

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Measure, print, write."""
    arguments = _arguments()
    if importlib.util.find_spec("pylego") is None:
        raise SystemExit("pylego is not installed in this Python: use `make bench`")
    signal.signal(signal.SIGTERM, _terminate)
    began, before = time.monotonic(), load()
    _say("building the servers and the floor")
    programs = prepare.servers()
    (prepare.BUILD / "run").mkdir(parents=True, exist_ok=True)
    results = []
    with Peers(programs) as everyone:
        bench = Bench(programs, everyone, arguments.quick)
        for row in ROWS:
            if arguments.only and row.key not in arguments.only:
                continue
            _say(row.title)
            results.append(Result(row, row.measure(bench)))
    _say("")
    print(report.table(results))
    print(report.details(results))
    about = report.machine(prepare.go_version(), before)
    folder = prepare.BUILD if arguments.quick or arguments.only else prepare.ROOT / "docs"
    folder.mkdir(exist_ok=True)
    (folder / "benchmark.json").write_text(report.as_json(results, about))
    (folder / "benchmark.md").write_text(report.as_markdown(results, about))
    if any(map(report.in_chart, results)):
        (folder / "benchmark.svg").write_text(report.as_svg(results))
    print(f"\n{time.monotonic() - began:.0f} s; written to {folder.relative_to(prepare.ROOT)}/")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure pylego and its peers side by side.")
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions, no slow peer: 3 minutes"
    )
    parser.add_argument(
        "--only", action="append", choices=[row.key for row in ROWS], metavar="ROW",
        help="one row, may be repeated: %(choices)s",
    )  # fmt: skip
    return parser.parse_args()


def _say(what: str) -> None:
    """Show on a terminal what is under way."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit("terminated")  # through every finally: no server stays


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None
