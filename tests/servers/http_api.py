"""A small HTTP server in this process, for whatever a test's API is."""

import functools
import http.server
import json
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    host: str
    """Whom the client takes us for; none where it knows our URL."""
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    @property
    def token(self):
        """Give what the Authorization header has after its scheme."""
        return self.headers.get("Authorization", "").partition(" ")[2]


@dataclass(frozen=True)
class Reply:
    body: Any = b""
    """Bytes, or what becomes JSON."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class HTTPAPI:
    """Has its `answer(request)` on a port of its own, while the context lasts."""

    _port = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        if self.running:
            self.stop()

    def start(self):
        """Listen, after a stop where it was before."""
        self._http = _Server(("127.0.0.1", self._port), functools.partial(Handler, self))
        self._port = self._http.server_port
        self.url = f"http://127.0.0.1:{self._port}"
        self.running = True
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Listen no more, and answer nobody who is connected still."""
        self.running = False
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request):
        """Return the `Reply` to a request, or None to break its connection; several may come at once."""
        raise NotImplementedError

    def context(self, host):
        """Return the TLS context of a host that we are taken for as a proxy."""
        raise NotImplementedError


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host = ""

    def __init__(self, api, *connection):
        self.api = api
        super().__init__(*connection)

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.host = self.path.partition(":")[0]
        context = self.api.context(self.host)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def finish(self):
        super().finish()
        self.connection.close()

    def answer(self):
        if not self.api.running:
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        reply = self.api.answer(
            Request(
                method=self.command,
                host=self.host,
                path=urllib.parse.unquote(path),
                query=dict(urllib.parse.parse_qsl(query)),
                headers=self.headers,
                body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
        )
        if reply is None:
            self.close_connection = True
            return
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        kind = "text/xml" if body.startswith(b"<") else "application/json"
        for name, value in {"Content-Type": kind, **reply.headers}.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 -- http.server's names

    def log_message(self, *_):
        """Say nothing."""
