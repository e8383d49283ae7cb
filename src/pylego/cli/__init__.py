"""The command line `pylego`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

ADD = "pip install 'pylego[cli]'"


def main() -> None:
    """Run the command line, or say how to get it."""
    if not (find_spec("rich") and find_spec("typer")):
        sys.exit(f"The command line needs two more packages:\n\n    {ADD}")

    from pylego.cli._app import app  # noqa: PLC0415 -- they come with an extra

    app()
