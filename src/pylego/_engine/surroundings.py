"""What a request tells of this process, and how the engine's log comes back to it."""

from __future__ import annotations

import base64
import json
import logging
import math
import os

from pylego._engine import system
from pylego._errors import DeadlineExceeded, InvalidRequest

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from typing import Any

    from pylego._engine.call import Call

log = logging.getLogger("pylego")

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
"""The engine's log levels, least first."""


def request(call: Call, *, events: bool) -> bytes:
    """Encode a call, with this process as it is now; `events` says whether anybody listens.

    Raises:
        InvalidRequest: JSON cannot hold an argument, or a time is none.
        DeadlineExceeded: the time that it may take is over before it begins.
    """
    require_timeout(call.timeout)
    _require_cleanup_timeout(call.cleanup_timeout)
    message = {
        "operation": call.operation,
        "input": {"caller": caller(), **call.message},
        "timeout": 0 if call.timeout in (None, math.inf) else call.timeout,  # 0: none
        "events": events,
        "log_level": log_level(),
    }
    try:
        # No NaN and no Infinity: they are no JSON, and what Go cannot read on its pipe
        # ends it, with everybody's jobs.
        return json.dumps(message, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"the arguments do not fit: {error}") from error


def require_timeout(timeout: float | None) -> None:
    """Refuse what leaves no time, or is none.

    Raises:
        InvalidRequest: it is no number.
        DeadlineExceeded: it is over.
    """
    if timeout is not None:
        _require_number("timeout", timeout)
        if timeout <= 0:  # such as what is left of somebody's own deadline
            raise too_late("the time allowed for the operation is over")


def too_late(msg: str, **info: str) -> DeadlineExceeded:
    """Make the error of a timeout that Python finds over itself."""
    known = {"phase": "deadline", "retryable": True, **info}
    return DeadlineExceeded(msg, code="deadline_exceeded", info=known)


def _require_cleanup_timeout(timeout: float) -> None:
    _require_number("cleanup_timeout", timeout)
    if timeout < 0:
        raise _invalid(f"cleanup_timeout is {timeout!r}, which is less than nothing")


def _require_number(name: str, seconds: Any) -> None:
    try:
        if isinstance(seconds, (int, float)) and not math.isnan(seconds):
            return
    except OverflowError:  # an int that no float can hold
        pass
    raise _invalid(f"{name} is a number of seconds, not {seconds!r}")


def _invalid(msg: str) -> InvalidRequest:
    return InvalidRequest(msg, code="invalid_arguments", info={"phase": "request"})


def caller() -> dict[str, str]:
    """Describe this process as it is now: Go only knows how it was at the load."""
    environment = b"\0".join(b"%s=%s" % item for item in system.variables())
    try:
        directory = os.getcwdb()  # noqa: PTH109 -- bytes: it need not be UTF-8
    except FileNotFoundError:  # deleted meanwhile; only a DNS provider would need it
        directory = b""
    return {
        "environment": base64.b64encode(environment).decode(),
        "directory": base64.b64encode(directory).decode(),
    }


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
