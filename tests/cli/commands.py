"""Commands in the frame of `pylego`, for tests of the frame itself."""

import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

import pylego
from pylego.cli import _frame
from pylego.cli._frame import AsJSON, Outcome, WrongUse, command, group
from pylego.cli._options import CA, Validation
from pylego.cli._place import account_made
from pylego.cli._progress import progress
from pylego.storage import FileStore

app = group("Commands for tests.")

ERRORS = {
    "refused": pylego.RateLimited(
        "too many",
        code="rateLimited",
        info={
            "retryable": True,
            "retry_after": 3600,
            "identifiers": [{"type": "dns", "value": "a.example"}],
        },
    ),
    "system": FileNotFoundError(2, "No such file or directory", "/nowhere"),
    "internal": ZeroDivisionError("a bug"),
    "use": WrongUse("--this needs --that"),
}


@command(app)
def obtain(names: Annotated[list[str], typer.Argument()], ca: CA, ways: Validation) -> Outcome:
    """Obtain a certificate."""
    with progress("Order", len(names)) as on_event:
        client = ca.client(on_event=on_event)
        certificate = client.obtain(*names, challenges=ways.challenges())
    found = [each.value for each in certificate.identifiers]
    return Outcome({"names": found}, lambda console: console.print(" ".join(found)))


@command(app)
def register(ca: CA) -> Outcome:
    """Make an account."""
    with TemporaryDirectory() as folder:
        account = account_made(FileStore(folder), ca, "main", "EC256")
    return Outcome({"email": account.email}, lambda console: console.print(account.email))


@command(app)
def fail(kind: str) -> Outcome:
    """Raise an error."""
    raise ERRORS[kind]


@command(app)
def moment() -> Outcome:
    """Find a moment and a path."""
    found = datetime(2026, 3, 1, tzinfo=timezone.utc)
    return Outcome({"moment": found, "path": Path("/a")}, lambda console: console.print(found))


@command(app, "code")
def with_a_code(code: int) -> Outcome:
    """End with an exit code."""
    return Outcome({"code": code}, lambda console: console.print(code), code)


@command(app)
def flags(*, as_json: AsJSON = False) -> None:
    """Tell everything by itself."""
    print(as_json)  # noqa: T201 -- the command's output


@command(app)
def ask() -> Outcome:
    """Ask something."""
    typer.confirm("Well?", err=True)
    return Outcome({}, lambda console: console.print("well"))


@command(app)
def wait() -> None:
    """Wait to be ended."""
    os.write(2, b"waiting\n")
    while True:
        _frame.signal.pause()


if __name__ == "__main__":
    sys.exit(_frame.run(app, sys.argv[1:]))
