"""A client whose operations another thread can end."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path

from pylego import _engine
from pylego._client import Client
from pylego._server import Limits

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeVar

    from pylego._engine.jobs import Job
    from pylego._models import Account
    from pylego._operations import Operation
    from pylego.renewal._managed import AccountAt

    Value = TypeVar("Value")


class Ending:
    """Ends what runs, and what begins afterwards."""

    def __init__(self) -> None:
        """Let everything run, at first."""
        self.come = False
        """Whether it has come; a signal handler may say so."""
        self.signal = threading.Event()
        """Tells hooks."""
        self._jobs: set[Job] = set()

    def come_now(self) -> None:
        """Cancel every operation: each cleans up, and raises `Cancelled`."""
        self.come = True
        self.signal.set()
        for job in tuple(self._jobs):
            job.cancel()

    @contextmanager
    def watching(self) -> Generator[Callable[[Job], None]]:
        """Return what is to be told of one job when it has begun."""
        mine: list[Job] = []

        def begun(job: Job) -> None:
            mine.append(job)
            self._jobs.add(job)
            if self.come:  # which may have been before it was to be found
                job.cancel()

        try:
            yield begun
        finally:
            self._jobs.difference_update(mine)


class Caller(Client):
    """A client for the manager's operations."""

    def perform(self, operation: Operation[Value], ending: Ending) -> Value:
        """Run an operation until its end, or `ending`.

        Raises:
            Cancelled: the ending has come.
            LEGOError: the operation failed.
        """
        call = self._call(operation, None)
        with ending.watching() as begun:
            return self._value(operation, _engine.run(call, self._on_event, begun))


def caller_at(
    at: AccountAt, directory: str, *, timeout: float, account: Account | None = None, **more: Any
) -> Caller:
    """Return a client of a CA, or of its staging, as it is to be reached."""
    server = at.server
    limit = server.requests_per_second
    return Caller(
        directory,
        account=account,
        trust=None if server.trust is None else Path(server.trust),
        verify=server.verify,
        limits=None if limit is None else Limits(requests_per_second=limit),
        ip_version=server.ip_version,
        user_agent=server.user_agent,
        timeout=server.timeout or timeout,
        **more,
    )
