"""Secrets come from the environment, from a file that it names, or from a prompt.

Never from arguments, which every user of the machine can read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pylego.cli._frame import WrongUse


def secret(variable: str, meaning: str) -> str:
    """Return a variable's value, or that of the file that its `_FILE` names, or ask.

    As lego does, but for the prompt.
    """
    if value := given(variable):
        return value
    if not sys.stdin.isatty():
        raise WrongUse(f"{meaning} is wanted: give it in {variable}, or a file in {variable}_FILE")
    from getpass import getpass

    try:
        return getpass(f"{meaning}: ")
    except EOFError:
        raise WrongUse(f"{meaning} is wanted") from None


def given(variable: str) -> str | None:
    """Return a variable's value, or that of the file that its `_FILE` names; `None` for neither.

    One that is there and empty is a secret that has gone astray: nothing stands in for it.
    """
    file = f"{variable}_FILE"
    if value := os.environ.get(variable):
        return value
    if path := os.environ.get(file):
        if value := _text(Path(path)).strip():
            return value
        raise WrongUse(f"{path}, which {file} names, is empty")
    if empty := [each for each in (variable, file) if each in os.environ]:
        raise WrongUse(f"{empty[0]} is empty: give it a value, or unset it")
    return None


def in_file(path: Path) -> dict[str, str]:
    """Read the variables of a file of `NAME=value` lines."""
    found: dict[str, str] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or "\0" in text:
            raise WrongUse(f"{path}, line {number}: NAME=value is wanted")  # the line may be secret
        found[name.strip()] = _unquoted(value.strip())
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise WrongUse(f"{path} is not UTF-8 text") from None  # what is in it may be secret


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
