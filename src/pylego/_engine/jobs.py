"""A message becomes a Future; replies find it. Knows nothing of certificates."""

from __future__ import annotations

import atexit
import base64
import json
import logging
import os
import select
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout  # TimeoutError itself from 3.11

from pylego._engine import callbacks
from pylego._engine.library import Library
from pylego._errors import EngineError, from_info
from pylego._events import Event

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pylego._events import EventCallback

_log = logging.getLogger("pylego")

MESSAGE_TYPES = ("event", "question", "log", "result", "error")
"""Every type of message; a test compares them with the engine's own list."""

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
"""The engine's log levels, least first."""

EXIT_TIME = 10.0
"""Seconds that jobs get for their clean-up when the interpreter exits."""


class Job:
    """One running operation."""

    def __init__(
        self,
        cancel: Callable[[], None],
        on_event: EventCallback | None,
        serial: callbacks.Serial | None,
    ) -> None:
        """Be made by `Engine.start`."""
        self.future: Future[Any] = Future()
        self.cancel = cancel
        self._on_event = on_event
        self._serial = serial
        self._callback_error: BaseException | None = None

    def wait(self, cleanup_timeout: float) -> Any:
        """Return the job's result.

        Whatever a signal handler raises meanwhile (KeyboardInterrupt, SystemExit)
        cancels the job and is raised when it has cleaned up, at latest after
        `cleanup_timeout` seconds; a second exception is raised at once.

        Raises:
            LEGOError: the job failed.
        """
        try:
            return self.future.result()
        except BaseException:
            if not self.future.done():  # not the job's own error
                self.cancel()
                try:
                    self.future.exception(cleanup_timeout)
                except FutureTimeout:
                    _log.warning("a cancelled operation is still cleaning up")
            raise

    def event(self, data: dict[str, Any]) -> None:
        """Hand an event to the callback."""
        if self._serial is not None:
            event = Event(**data)
            self._serial.call(lambda: self._tell(event))

    def _tell(self, event: Event) -> None:
        if self._on_event is None or self._callback_error is not None:
            return
        try:
            self._on_event(event)
        except BaseException as error:  # noqa: BLE001 -- it is raised to the caller
            self._callback_error = error
            self.cancel()

    def end(self, result: Any, error: BaseException | None) -> None:
        """Resolve the Future, after the callback has seen every event."""
        if self._serial is None:
            self._resolve(result, error)
        else:
            self._serial.call(lambda: self._resolve(result, error))

    def _resolve(self, result: Any, error: BaseException | None) -> None:
        error = self._callback_error or error
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Engine:
    """This process's engine: its jobs, and the thread that takes its messages."""

    def __init__(self) -> None:
        """Load the library and start the thread."""
        self._library = Library()
        self._jobs: dict[int, Job] = {}
        # Reentrant: a signal handler may start a call while its thread starts another.
        self._lock = threading.RLock()
        self._pool = callbacks.pool()
        self._logs = callbacks.Serial(self._pool)
        self._closed = False
        threading.Thread(target=self._pump, name="pylego", daemon=True).start()
        # Not a thread's work: none can be started any more when the hooks run.
        atexit.register(self._close)

    def start(
        self,
        operation: str,
        message: dict[str, Any],
        *,
        timeout: float | None,
        on_event: EventCallback | None,
    ) -> Job:
        """Start a job."""
        request = {
            "operation": operation,
            "input": {"caller": _caller(), **message},
            "timeout": timeout or 0,
            "events": on_event is not None,
            "log_level": _level(),
        }
        encoded = json.dumps(request).encode()
        serial = None if on_event is None else callbacks.Serial(self._pool)
        number = 0
        job = Job(lambda: self._library.cancel(number), on_event, serial)
        with self._lock:  # its first message may be there before its number is
            number = 0 if self._closed else self._library.start(encoded)
            if not number:
                msg = "the interpreter is exiting: the engine takes no more calls"
                raise EngineError(msg)
            self._jobs[number] = job
        return job

    def _pump(self) -> None:
        """Take messages as they come. No user code runs here: it would hold everybody up."""
        readable = _readable(self._library.descriptor)
        while not self._closed:
            readable()
            batch = self._library.next()
            for data in json.loads(batch) if batch else ():
                self._dispatch(data)

    def _dispatch(self, data: dict[str, Any]) -> None:
        if data["type"] == "log":
            self._logs.call(lambda: _write_log(data["log"]))
            return
        number = data["job"]
        with self._lock:
            job = self._jobs[number]
        kind = data["type"]
        if kind == "event":
            job.event(data["event"])
            return
        if kind == "question":
            answer = {"id": data["question"]["id"], "answer": {"error": "nobody answers"}}
            self._library.reply(number, json.dumps(answer).encode())
            return
        with self._lock:
            self._jobs.pop(number, None)
        if kind == "result":
            job.end(data.get("result"), None)
        else:
            job.end(None, from_info(data["error"]))

    def _close(self) -> None:
        self._closed = True
        self._library.close(EXIT_TIME)
        self._pool.shutdown(wait=False)


def _readable(descriptor: int) -> Callable[[], object]:
    """Return a function that waits until there are messages, and blocks only this thread.

    poll, since select cannot take descriptors above 1023; gevent replaces both.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return poll.poll
    return lambda: select.select([descriptor], [], [])


def _caller() -> dict[str, str]:
    """Describe this process as it is now: Go only knows how it was at the load."""
    environment = b"\0".join(b"%s=%s" % item for item in os.environb.items())
    try:
        directory = os.getcwdb()  # noqa: PTH109 -- bytes: it need not be UTF-8
    except FileNotFoundError:  # deleted meanwhile; only a DNS provider would need it
        directory = b""
    return {
        "environment": base64.b64encode(environment).decode(),
        "directory": base64.b64encode(directory).decode(),
    }


def _level() -> str:
    """Name the least level that the logger would let through, in the engine's words."""
    level = _log.getEffectiveLevel()
    return next((name for name, limit in LEVELS.items() if level <= limit), "ERROR")


def _write_log(record: dict[str, Any]) -> None:
    level = LEVELS.get(record["level"], logging.INFO)
    attributes = record.get("attributes", {})
    text = " ".join([record["message"], *(f"{key}={value}" for key, value in attributes.items())])
    _log.log(level, "%s", text, extra={"lego": attributes})
