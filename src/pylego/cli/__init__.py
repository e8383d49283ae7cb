"""The command line `pylego`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

ADD = "pip install 'pylego[cli]'"


def main() -> None:
    """Run the command line, or say how to get it."""
    _fill_streams()
    if sys.argv[1:2] == ["lego"]:  # needs no package, and nobody else shall read its arguments
        from pylego.cli import _lego

        _lego.run(sys.argv[2:])
    if not (find_spec("rich") and find_spec("typer")):
        sys.exit(f"The command line needs two more packages:\n\n    {ADD}")

    try:
        from pylego.cli import _app, _completion, _frame
    except KeyboardInterrupt:
        sys.exit(130)  # as a command that it ends

    sys.exit(_frame.run(_app.app, _completion.with_shell(sys.argv[1:])))


def _fill_streams() -> None:
    """Put /dev/null where a standard stream is closed.

    Python has none there then, and the next file that is opened would take its number: what
    others write to "stdout" would go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 -- it stays
