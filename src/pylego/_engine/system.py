"""What differs between the systems, each with its alternative; groups of processes are in `groups`."""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

OWN_GROUP = 0x0800_0200 if sys.platform == "win32" else 0
"""The `creationflags` of a process that Ctrl-C is not to reach, and that shows no window on
Windows (CREATE_NEW_PROCESS_GROUP and CREATE_NO_WINDOW); elsewhere `start_new_session` says it."""

PATIENCE = 2.0
"""Seconds for which others, a server that reads or a virus scanner, may hold up `patiently`."""
NAP = 0.01
"""Seconds between two attempts."""


def patiently(function: Callable[..., T], *arguments: object) -> T:
    """Do what Windows refuses while another has the file open, when that has let go of it.

    A file is neither renamed nor removed there as long as anybody has it open, and not
    opened while it is going. That is no other error than a right which is missing.

    Raises:
        OSError: it is refused for longer, or for another reason.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return function(*arguments)
        except PermissionError:
            if time.monotonic() >= until:
                raise
        time.sleep(NAP)


def least_environment() -> dict[str, str]:
    """Return the variables without which no program of Go's runs: on Windows its sockets need one."""
    if sys.platform == "win32":
        return {"SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
    return {}


def variables() -> list[tuple[bytes, bytes]]:
    """List this process's environment as it is now, as Go reads it: UTF-8 on Windows."""
    # To ask it for each variable takes as long as all else of a call: what it wraps is a dict.
    wrapped: dict[bytes, bytes] | None = getattr(getattr(os, "environb", None), "_data", None)
    if wrapped is not None:
        return list(wrapped.items())
    while True:
        try:
            if sys.platform == "win32":
                return [
                    (os.fsencode(name), os.fsencode(value)) for name, value in os.environ.items()
                ]
            return list(os.environb.items())
        except (KeyError, RuntimeError):  # noqa: PERF203 -- another thread has changed it meanwhile
            continue


def signals_taken_back() -> list[signal.Signals]:
    """List the signals that Python ignores, and that a program which takes its place does not."""
    if sys.platform != "win32":
        return [signal.SIGPIPE, signal.SIGXFSZ]
    return []
