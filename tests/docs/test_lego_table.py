"""The page on lego's command line: what it says of Python and of `pylego` exists.

That it has every command and flag of lego is tested where lego's own are at hand, in
engine/cmd/lego.
"""

import inspect
import re
from functools import reduce
from pathlib import Path

import pytest

import pylego

PAGE = (Path(__file__).parents[2] / "docs" / "lego.md").read_text()
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
SPAN = re.compile(r"`([^`]+)`")
CALL = re.compile(r"([A-Za-z]\w*(?:\.\w+)*)(?:\((.+)\))?")

ELSEWHERE = {'"pylego"'}
"""The name of a logger."""


def spans(column):
    return sorted({span for row in ROWS for span in SPAN.findall(row[column])} - ELSEWHERE)


def test_every_row_says_what_to_do_in_python_and_by_pylego():
    assert len(ROWS) > 100
    assert [row for row in ROWS if not all(cell.strip() for cell in row)] == []


BY_LEGO = ("pylego lego", "pylego migrate")
"""Commands of ours that have lego do it."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0].strip()}, {row[2].strip()}")
def test_what_a_command_of_ours_does_is_a_call_of_python_s_too(row):
    ours = [span for span in SPAN.findall(row[2]) if not span.startswith(BY_LEGO)]
    calls = {*SPAN.findall(row[1])} - ELSEWHERE
    assert not ours or calls - {"run_lego"}


@pytest.mark.parametrize("span", spans(1))
def test_what_it_names_in_python_exists(span):
    name, arguments = CALL.fullmatch(span).groups()
    owner, *rest = name.split(".")
    found = getattr(pylego, owner)
    if rest and rest[-1] in getattr(found, "__dataclass_fields__", ()):
        return
    found = reduce(getattr, rest, found)
    for argument in (arguments or "").split(", ") if arguments else ():
        assert argument.strip("*").removesuffix("=...") in inspect.signature(found).parameters


@pytest.mark.parametrize("span", spans(2))
def test_what_it_names_of_pylego_exists(span):
    typer = pytest.importorskip("typer")
    from pylego.cli._app import app

    program, *words = span.split()
    assert program == "pylego"
    command = typer.main.get_command(app)
    while words and not words[0].startswith("-"):
        word = words.pop(0)
        command = command.commands[word]
        if word == "lego":  # the rest is lego's
            return
    flags = {flag for each in command.params for flag in each.opts}
    assert set(words) <= flags
