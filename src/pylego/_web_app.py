"""http-01 inside of a web server that runs already."""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from pylego._challenges import Presentation

PREFIX = "/.well-known/acme-challenge/"
"""Where a CA asks (RFC 8555 section 8.3)."""

TYPE = "application/octet-stream"

WSGI_ARGUMENTS = 2


class HTTP01App:
    """Answers http-01 (RFC 8555 section 8.3) in your own web server, and is a challenge for `obtain`.

    It is an ASGI and a WSGI application; around an application of yours it is
    middleware, which answers the CA and passes everything else on. The server must be
    what the CA reaches at port 80, and run in the process that obtains: several worker
    processes share a folder instead, with `HTTP01(webroot=...)`.

    Args:
        app: the ASGI or WSGI application for all other requests; 404 without one.
    """

    type = "http-01"
    parallel = True

    def __init__(self, app: Callable[..., Any] | None = None) -> None:
        """Answer nothing yet."""
        self._app = app
        self._answers: dict[str, list[bytes]] = {}
        if app is None or _is_asgi(app):
            # Servers tell ASGI from WSGI by what they see here. A call of the object does
            # not: Python looks that up in the class.
            self.__dict__["__call__"] = self._asgi

    def present(self, presentation: Presentation) -> None:
        """Answer for a token from now on."""
        shown = self._answers.get(presentation.path, [])
        self._answers[presentation.path] = [*shown, presentation.key_authorization.encode()]

    def clean_up(self, presentation: Presentation) -> None:
        """Answer for it no more, unless another order has been given the same challenge."""
        if left := self._answers.pop(presentation.path, [])[1:]:
            self._answers[presentation.path] = left

    def __call__(self, *request: Any) -> Any:
        """Answer a request: `(scope, receive, send)` of ASGI, or `(environ, start_response)` of WSGI."""
        # The number of arguments tells them apart. One is ASGI 2, for which uvicorn takes
        # whatever is no coroutine function.
        if len(request) == 1:
            return partial(self._asgi, *request)
        return self._wsgi(*request) if len(request) == WSGI_ARGUMENTS else self._asgi(*request)

    def _find(self, method: str, path: str) -> bytes | None:
        shown = self._answers.get(path)
        return shown[0] if shown and method in {"GET", "HEAD"} else None

    def _wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        answer = self._find(method, environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        if answer is None and self._app is not None:
            rest: Iterable[bytes] = self._app(environ, start_response)
            return rest
        status, body = ("404 Not Found", b"") if answer is None else ("200 OK", answer)
        start_response(status, [("Content-Type", TYPE), ("Content-Length", str(len(body)))])
        return [b"" if method == "HEAD" else body]

    async def _asgi(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        http = scope["type"] == "http"
        answer = self._find(scope["method"], scope["path"]) if http else None
        if answer is None and self._app is not None:
            await self._app(scope, receive, send)
        elif http:
            await _respond(scope["method"], answer, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        else:  # a websocket: refused before it is accepted
            await send({"type": "websocket.close"})


def _is_asgi(app: Any) -> bool:
    from inspect import iscoroutinefunction  # noqa: PLC0415 -- a third of our import time

    return iscoroutinefunction(app) or iscoroutinefunction(getattr(app, "__call__", None))  # noqa: B004 -- not whether it can be called, but how


async def _respond(
    method: str, answer: bytes | None, send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    body = answer or b""
    headers = [(b"content-type", TYPE.encode()), (b"content-length", str(len(body)).encode())]
    status = 404 if answer is None else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def _live(
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Say that there is nothing to start and nothing to stop."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
