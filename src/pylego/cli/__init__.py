"""The command line `pylego`."""

from __future__ import annotations

import sys

ADD = "pip install 'pylego[cli]'"


def main() -> None:
    """Run the command line, or say how to get it."""
    try:
        import rich  # noqa: F401, PLC0415 -- both come with an extra
        import typer  # noqa: F401, PLC0415
    except ImportError:
        sys.exit(f"The command line needs two more packages:\n\n    {ADD}")

    from pylego.cli._app import app  # noqa: PLC0415

    app()
