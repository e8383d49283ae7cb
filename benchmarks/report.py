"""The results as an aligned table, as Markdown, as JSON and as a bar chart."""

from __future__ import annotations

import json
import math
import os
import platform
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import number
from peers import ACMEZ, CERTBOT, FLOOR, LEGO, OLD, OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure import Sample
    from rows import Goal, Row

COLUMNS = (OURS, FLOOR, ACMEZ, CERTBOT, LEGO, OLD)


def required(module: str, folder: str) -> str:
    """Read a peer's version in its go.mod."""
    text = (Path(__file__).parent / folder / "go.mod").read_text()
    return re.findall(rf"{module} v(\S+)", text)[0]


VERSIONS = {
    FLOOR: f"a loop on lego {required('lego/v5', 'go')}'s acme/api",
    ACMEZ: required("acmez/v3", "go/acmez"),
    CERTBOT: "5.8",
    LEGO: required("lego/v5", "../engine"),
    OLD: "",
}
NOTE_LENGTH = 40  # in the table; longer ones are told in full below it
# Readable on white and on black.
COLOURS = {
    OURS: "#2f9e6e",
    FLOOR: "#8a8f98",
    ACMEZ: "#3b82c4",
    CERTBOT: "#b8860b",
    LEGO: "#9b6bc4",
    OLD: "#cf5b5b",
}


@dataclass
class Result:
    """One row and what was measured for it."""

    row: Row
    samples: dict[str, Sample]

    def value(self, peer: str) -> float | None:
        """Return a peer's number."""
        return self.samples[peer].value if peer in self.samples else None

    def times_ours(self, peer: str) -> float | None:
        """Tell how many times our time (or size) a peer's is."""
        ours, theirs = self.value(OURS), self.value(peer)
        if peer == OURS or not ours or not theirs:
            return None
        return ours / theirs if self.row.more_is_better else theirs / ours

    def met(self, goal: Goal) -> bool | None:
        """Tell whether a goal is reached; None where that is not known."""
        if not goal.peer:
            ours = self.value(OURS)
            return None if ours is None else ours <= goal.limit
        times, theirs = self.times_ours(goal.peer), self.value(goal.peer)
        if not times or not theirs:
            return None
        return times >= goal.limit if goal.faster else 1 / times <= goal.limit + goal.plus / theirs

    def over_floor(self) -> str:
        """Divide our time by the floor's."""
        times = self.times_ours(FLOOR)
        return "" if times is None else f"{1 / times:.2f}"

    def cell(self, peer: str) -> str:
        """Show a peer's number, and the number of times that it is ours."""
        if peer not in self.samples:
            return "-"
        sample = self.samples[peer]
        if sample.value is None:
            return f"- ({shortened(sample.note)})"
        text = f"{number(sample.value)} {self.row.unit}"
        times = None if peer == FLOOR else self.times_ours(peer)
        return text if times is None else f"{text} ({number(times)}x)"

    def goals(self) -> str:
        """Show the goals, each with its mark."""
        return ", ".join(
            f"{_goal(goal, self.row)} {_mark(self.met(goal))}" for goal in self.row.goals
        )


def _goal(goal: Goal, row: Row) -> str:
    if not goal.peer:
        return f"<= {goal.limit:g} {row.unit}"
    if goal.faster:
        return f"{goal.peer} >= {goal.limit:g}x"
    more = f"{goal.plus:g} {row.unit} + " if goal.plus else ""
    return f"<= {more}{goal.limit:g}x {goal.peer}"


def _mark(met: bool | None) -> str:
    return {True: "yes", False: "NO", None: "?"}[met]


def shortened(note: str, length: int = NOTE_LENGTH) -> str:
    """Cut a long reason."""
    return note if len(note) <= length else note[: length - 3] + "..."


HEADINGS = ("", OURS, FLOOR, "pylego/floor", ACMEZ, CERTBOT, LEGO, OLD, "goals")


def lines(results: Sequence[Result]) -> list[list[str]]:
    """Return the table's cells."""
    return [
        [result.row.title, result.cell(OURS), result.cell(FLOOR), result.over_floor()]
        + [result.cell(peer) for peer in (ACMEZ, CERTBOT, LEGO, OLD)]
        + [result.goals()]
        for result in results
    ]


def table(results: Sequence[Result]) -> str:
    """Align the table for a terminal."""
    cells = [list(HEADINGS), *lines(results)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def details(results: Sequence[Result]) -> str:
    """Tell the single values where one number says too little."""
    text = []
    for result in results:
        for peer, sample in result.samples.items():
            if result.row.key == "one" and peer == OLD and sample.values:
                each = " ".join(f"{value:.2f}" for value in sample.values)
                text.append(
                    f"{peer}, {result.row.title}, each of {len(sample.values)} (mean above): {each} s"
                )
            if sample.note and (sample.values or len(sample.note) > NOTE_LENGTH):
                text.append(f"{peer}, {result.row.title}: {sample.note}")
    return "\n".join(text)


def machine(go: str, load: float) -> dict[str, Any]:
    """Describe the kind of machine, and nothing that names it."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "go": go,
        "load_before": round(load, 2),
    }


def as_json(results: Sequence[Result], about: dict[str, Any]) -> str:
    """Write everything down, single values too."""
    rows = [
        {
            "row": result.row.key,
            "title": result.row.title,
            "unit": result.row.unit,
            "over_floor": _rounded(1 / times if (times := result.times_ours(FLOOR)) else None),
            "goals": [
                {"goal": _goal(goal, result.row), "met": result.met(goal)}
                for goal in result.row.goals
            ],
            "peers": {
                peer: {
                    "value": _rounded(sample.value),
                    "statistic": sample.statistic,
                    "times_ours": _rounded(result.times_ours(peer)),
                    "each": [_rounded(value) for value in sample.values],
                    "note": sample.note,
                }
                for peer, sample in result.samples.items()
            },
        }
        for result in results
    ]
    return json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def as_markdown(results: Sequence[Result], about: dict[str, Any]) -> str:
    """Write the table as Markdown, with what has to be known about it."""
    cells = [list(HEADINGS), ["---"] * len(HEADINGS), *lines(results)]
    rows = "\n".join("| " + " | ".join(line) + " |" for line in cells)
    counts = "; ".join(
        f"{result.row.title}: "
        + ", ".join(f"{p} {len(s.values)}" for p, s in result.samples.items() if s.values)
        for result in results
    )
    return f"""# Benchmark

`make bench` wrote this page, [benchmark.json](benchmark.json) with every single value, and the chart.

![The same as bars](benchmark.svg)

{rows}

In brackets: how many times our value that is. "floor" is {VERSIONS[FLOOR]}: 32 workers, one
HTTP/2 client, directory and nonces shared, polls at once and then after a quarter of the time
spent. The others: acmez {VERSIONS[ACMEZ]} as a library, certbot {VERSIONS[CERTBOT]} and lego {VERSIONS[LEGO]}
as command lines, {OLD} from PyPI.

Measured on {about["cores"]} cores ({about["system"]}), Python {about["python"]}, Go {about["go"]}; load {about["load_before"]} before.
The server is Pebble 2.10.1 on the same cores, with Retry-After 0, every nonce accepted and no
authorization reused; each certificate is of a new account, but the second, the 1,000 and the 200;
by http-01 where dns-01 is not said. Where many come at once it is the Pebble 2.10.1 that
`pylego.testing` embeds, which is kept from locking itself up, in a process of its own. "Far away"
has round trips of 50 ms and three validations per name that each wait 0, 1 or 2 seconds; there, for
1 name, the server's random wait, as its log tells it, is put at its expected value. All values are
medians unless "mean" is said; {OLD} at 1 name is a mean, too.

By dns-01 the floor posts to the API of httpreq itself; ours starts a new host each time, for each
set of credentials. Nobody looks for the records before the CA is told, except through BIND: there
ours and lego ask the resolver, and certbot sleeps. The memory of hosts is what the system calls
proportional (Pss): what they share, as their program, is divided among them.

renew_due over 10,000 is a new Python's first pass, by files that the system has forgotten;
each has advice of its CA (RFC 9773) that is not to be asked for again yet, and so have certbot's
lineages, of which it is given as many as it can look at in a minute: its time is put at that for
10,000. The 1,000 due were issued by the same CA, and are renewed 16 at once: by the manager with
keys, orders, certificates and archives on the disk, and by an AsyncClient that keeps nothing.

{details(results).replace(chr(10), chr(10) * 2)}

Repetitions: {counts}.
"""


def as_svg(results: Sequence[Result]) -> str:
    """Draw the timed rows as bars on a logarithmic scale: shorter is faster."""
    timed = [result for result in results if in_chart(result)]
    bars = [
        (
            result,
            [(peer, _seconds(result, value)) for peer in COLUMNS if (value := result.value(peer))],
        )
        for result in timed
    ]
    everything = [seconds for _, group in bars for _, seconds in group]
    low, high = math.floor(math.log10(min(everything))), math.ceil(math.log10(max(everything)))
    left, width, bar, right = 28, 640, 13, 150
    scale = width / (high - low)
    parts: list[str] = []
    y = 58
    for result, group in bars:
        title = result.row.title + (", seconds for 100" if result.row.more_is_better else "")
        parts.append(f'<text class="title" x="{left}" y="{y}">{escape(title)}</text>')
        y += 7
        for peer, seconds in group:
            length = (math.log10(seconds) - low) * scale
            label = f"{number(seconds)} s  {peer}"
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 2}" rx="2" fill="{COLOURS[peer]}"/>'
                f'<text x="{left + length + 5:.1f}" y="{y + 9.5}">{escape(label)}</text>'
            )
            y += bar
        y += 22
    grid = [
        f'<line x1="{left + step * scale:.1f}" y1="40" x2="{left + step * scale:.1f}" y2="{y - 20}"/>'
        f'<text x="{left + step * scale:.1f}" y="{y - 6}" text-anchor="middle">{10.0 ** (low + step):g} s</text>'
        for step in range(high - low + 1)
    ]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + right} {y + 6}" role="img" aria-label="Time to obtain certificates, by client">
<style>
text {{ font: 10.5px system-ui, sans-serif; fill: #333; }}
.title {{ font-weight: 600; font-size: 12px; }}
.head {{ font-weight: 600; font-size: 15px; }}
line {{ stroke: #888; stroke-opacity: .3; }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #ddd; }} }}
</style>
<text class="head" x="{left}" y="20">Time to obtain certificates (logarithmic scale, shorter is faster)</text>
{chr(10).join(grid)}
{chr(10).join(parts)}
</svg>
"""


def in_chart(result: Result) -> bool:
    """Tell whether a row is of orders, whose times are compared."""
    timed = result.row.timed and result.row.unit in ("s", "/s")
    return timed and result.value(OURS) is not None


def _seconds(result: Result, value: float) -> float:
    return 100 / value if result.row.more_is_better else value
