"""What a request tells of this process, and how the engine's log comes back to it."""

from __future__ import annotations

import base64
import logging
import os

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from typing import Any

log = logging.getLogger("pylego")

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
"""The engine's log levels, least first."""


def caller() -> dict[str, str]:
    """Describe this process as it is now: Go only knows how it was at the load."""
    environment = b"\0".join(b"%s=%s" % item for item in _environment())
    try:
        directory = os.getcwdb()  # noqa: PTH109 -- bytes: it need not be UTF-8
    except FileNotFoundError:  # deleted meanwhile; only a DNS provider would need it
        directory = b""
    return {
        "environment": base64.b64encode(environment).decode(),
        "directory": base64.b64encode(directory).decode(),
    }


def _environment() -> list[tuple[bytes, bytes]]:
    while True:
        try:
            return list(os.environb.items())
        except (KeyError, RuntimeError):  # noqa: PERF203 -- another thread has changed it meanwhile
            continue


def log_level() -> str:
    """Name the least level that the logger would let through, in the engine's words."""
    level = log.getEffectiveLevel()
    return next((name for name, limit in LEVELS.items() if level <= limit), "ERROR")


def write_log(record: dict[str, Any]) -> None:
    """Hand a record of the engine's to Python's logging."""
    level = LEVELS.get(record["level"], logging.INFO)
    attributes = record.get("attributes", {})
    text = " ".join([record["message"], *(f"{key}={value}" for key, value in attributes.items())])
    log.log(level, "%s", text, extra={"lego": attributes})
