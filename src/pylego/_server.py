"""How a CA is reached: trust, proxy, IP version and limits of one client."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from pylego._errors import InvalidRequest

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from typing import Any

    Trust = str | bytes | os.PathLike[str]
    """Roots: PEM, or the path of a file or folder that holds some."""

NO_LIMIT = -1
"""The engine's number for a limit that is none."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one process asks of a CA, at most: `Client(limits=...)`.

    They hold for the CA's host, for all clients of this process, from this client's
    next operation on and until another client says otherwise. Orders that wait are
    served in the order of their coming; the wait counts against their timeout, and
    is told as the event `waiting`.

    `None` leaves a limit as it is: the CA's own, at first. `math.inf` is no limit.
    """

    new_orders: tuple[float, float] | None = None
    """So many new orders in any period of so many seconds. For Let's Encrypt 10 in 10
    seconds, for other CAs no limit."""
    requests_per_second: float | None = None
    """18 for Let's Encrypt, 7 for ZeroSSL, for other CAs no limit."""
    requests_in_flight: float | None = None
    """Requests that wait for their answer at once: 32."""
    orders_in_flight: float | None = None
    """Orders between newOrder and their certificate at once: no limit."""

    def message(self) -> dict[str, Any]:
        """Describe the limits to the engine.

        Raises:
            InvalidRequest: a limit is none.
        """
        message: dict[str, Any] = {}
        if self.new_orders is not None:
            pair: Any = self.new_orders
            if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004 -- a pair  # pyright: ignore[reportUnknownArgumentType]
                raise _refused("new_orders", pair, "a count and the seconds in which it holds")
            count, seconds = self.new_orders
            if _checked("new_orders", count, whole=True) == NO_LIMIT:
                message["new_orders"] = {"count": NO_LIMIT}
            else:
                _checked("new_orders", seconds)
                if math.isinf(seconds):
                    raise _refused("new_orders", pair, "up to a day's seconds")
                message["new_orders"] = {"count": count, "seconds": seconds}
        if self.requests_per_second is not None:
            message["requests_per_second"] = _checked(
                "requests_per_second", self.requests_per_second
            )
        if self.requests_in_flight is not None:
            message["requests_in_flight"] = _checked(
                "requests_in_flight", self.requests_in_flight, whole=True
            )
        if self.orders_in_flight is not None:
            message["orders_in_flight"] = _checked(
                "orders_in_flight", self.orders_in_flight, whole=True
            )
        return message


def _checked(name: str, value: Any, *, whole: bool = False) -> float:
    """Check that a limit is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise _refused(name, value, "a number above 0, or math.inf for no limit")
    if math.isinf(value):
        return NO_LIMIT
    if whole and value != int(value):
        raise _refused(name, value, "a whole number, or math.inf for no limit")
    return int(value) if whole else value


def message(
    directory: str,
    *,
    trust: Trust | None,
    verify: bool,
    proxy: str | None,
    ip_version: int | None,
    limits: Limits | None,
    user_agent: str | None,
) -> dict[str, Any]:
    """Describe the CA to the engine. What has to be parsed the engine checks, at each call.

    Raises:
        InvalidRequest: a setting cannot be used.
    """
    described: dict[str, Any] = {"directory": directory, "trust": _trust(trust)}
    if not verify:
        _warn(directory)
        described["trust"]["insecure"] = True
    if proxy is not None:
        if not _is(proxy, str):
            raise _refused("proxy", type(proxy), 'a URL, or "" for none')
        described["proxy"] = {"url": proxy} if proxy else {"direct": True}
    if ip_version is not None:
        if ip_version not in {4, 6}:
            raise _refused("ip_version", ip_version, "4 and 6")
        described["ip_version"] = int(ip_version)
    if user_agent is not None:
        if not _is(user_agent, str):
            raise _refused("user_agent", user_agent, "text")
        described["user_agent"] = user_agent
    if limits is not None:
        if not _is(limits, Limits):
            raise _refused("limits", limits, "a pylego.Limits")
        described["limits"] = limits.message()
    return described


def _trust(trust: Trust | None) -> dict[str, Any]:
    if trust is None:
        return {}
    if isinstance(trust, str):
        return {"pem": trust}
    if isinstance(trust, bytes):
        return {
            "pem": trust.decode("utf-8", "replace")
        }  # comments between the blocks may be anything
    if _is(trust, os.PathLike):
        return {"files": [os.path.abspath(trust)]}  # noqa: PTH100 -- pathlib would be a tenth of our import time
    raise _refused("trust", trust, "PEM as str or bytes, or a path as pathlib.Path")


def _warn(directory: str) -> None:
    import logging  # noqa: PLC0415 -- only for those who ask for it

    logging.getLogger("pylego").warning(
        "verify=False: anybody on the way to %s can pretend to be it", directory
    )


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)  # type checkers believe the annotations, and call it unnecessary


def _refused(name: str, value: Any, allowed: str) -> InvalidRequest:
    msg = f"{name}={value!r} cannot be used: allowed is {allowed}"
    return InvalidRequest(msg)
