"""Writes the table of docs/faults.md: `python -m tests.faults.table`."""

from pathlib import Path

from tests.faults.cases import CASES, CERTIFICATE, RESTART, SHOWN, STEPS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- table: python -m tests.faults.table -->\n", "<!-- end of table -->\n"

HEADER = ("The other side", "how often", "at", "the order ends in", "code", "retryable", "says")


def rows():
    for case in CASES:
        yield from _rows_of(case)
    for shown in SHOWN:
        yield _row(shown.title, "always", "the first connection", shown.outcome)
    yield _row(RESTART, "once", "each request", CERTIFICATE)


def _rows_of(case):
    """Put the steps that end in the same way into one row, and the most of them last."""
    by_outcome = {}
    for step in STEPS:
        by_outcome.setdefault(case.outcome(step), []).append(step)
    for outcome, steps in sorted(by_outcome.items(), key=lambda item: len(item[1])):
        if len(steps) == len(STEPS):
            where = "each request"
        elif len(steps) > len(STEPS) / 2:
            where = "every other request"
        else:
            where = "; ".join(steps)
        yield _row(case.title, case.often, where, outcome)


def _row(title, often, where, outcome):
    if outcome == CERTIFICATE:
        return (title, often, where, "a certificate", "", "", "")
    says = outcome.says
    if outcome.retry_after is not None:
        says += f"; `retry_after` in {outcome.retry_after} s"
    retryable = "yes" if outcome.retryable else "no"
    return (title, often, where, f"`{outcome.error}`", f"`{outcome.code}`", retryable, says)


def table():
    lines = [HEADER, ("---",) * len(HEADER)]
    above = ("", "")
    for row in rows():
        # A fault that has several rows is named once.
        lines.append(("", "", *row[2:]) if row[:2] == above else row)
        above = row[:2]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page():
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page())
