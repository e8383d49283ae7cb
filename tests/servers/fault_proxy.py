"""A proxy between a client and a real ACME server, on which anything can go wrong.

The server makes its URLs of the Host header; that is passed on, so they lead back here.
"""

import http.client
import http.server
import socket
import ssl
import struct
import sys
import threading
import urllib.parse
from dataclasses import dataclass

from tests.servers.certificates import server_context
from tests.servers.process import free_ports

KINDS = {
    "dir": "directory",
    "nonce-plz": "newNonce",
    "sign-me-up": "newAccount",
    "order-plz": "newOrder",
    "authZ": "authorization",
    "chalZ": "challenge",
    "finalize-order": "finalize",
    "my-order": "order",
    "certZ": "certificate",
}
"""Pebble's paths in the terms of RFC 8555, in the order in which an order first asks for them."""

EVERY = tuple(KINDS.values())


@dataclass
class Answer:
    """What the server said, to be sent as it is or not."""

    status: int
    headers: dict
    body: bytes


class FaultProxy:
    """The proxy, while the context lasts.

    Args:
        directory: of the server behind it.
        trust: the roots of that server's HTTPS certificate, PEM.
        authority: issues the proxy's own certificate.
        pair: another certificate and key for the proxy, both PEM.
    """

    def __init__(self, directory, trust, authority, *, pair=None):
        self.upstream = urllib.parse.urlsplit(directory)
        self.upstream_context = ssl.create_default_context(cadata=trust)
        self.trust_root = authority.pem.decode()
        self._context = server_context(*(pair or authority.server("localhost", "127.0.0.1")))
        self.connections = 0
        self.requests = []
        """The kind of each request, in order."""
        self.hits = 0
        """How many requests met the fault."""
        self.sent = 0
        """How many bytes of a body too large could be sent."""
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self.spoil(None)

    def spoil(self, fault, *, kinds=EVERY, after=0, times=-1):
        """Let a fault happen at requests of some kinds: after so many of them, so many times.

        A fault is a function of an exchange, which asks the server and sends the
        answer, or does not.
        """
        with self._lock:
            self._fault, self._kinds, self._after, self._left = fault, kinds, after, times

    def __enter__(self):
        class Handler(Exchange):
            proxy = self

        # A port of its own: the pauses that a client keeps belong to host and port.
        self._http = _QuietServer(("127.0.0.1", *free_ports(1)), Handler)
        # Each connection's thread makes its handshake: one that never comes holds nobody up.
        self._http.socket = self._context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._http.server_port
        self.directory = f"https://127.0.0.1:{self.port}{self.upstream.path}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def connected(self):
        """Count a connection, before its handshake."""
        with self._lock:
            self.connections += 1

    def meet(self, path):
        """Count a request; return the fault that it meets, if any."""
        kind = KINDS.get(path.split("/")[1], "other")
        with self._lock:
            self.requests.append(kind)
            if self._fault is None or kind not in self._kinds or self._left == 0:
                return Exchange.forward
            if self._after > 0:
                self._after -= 1
                return Exchange.forward
            self._left -= 1
            self.hits += 1
            return self._fault


class Exchange(http.server.BaseHTTPRequestHandler):
    """A connection of the client's, and one request on it at a time."""

    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    timeout = 30
    upstream = None

    def setup(self):
        self.proxy.connected()
        super().setup()

    def do_GET(self):
        self.body = None
        self.proxy.meet(self.path)(self)

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.proxy.meet(self.path)(self)

    def forward(self):
        """Do what is right."""
        self.send(self.ask())

    def ask(self):
        """Ask the server, on a connection as lasting as the client's."""
        kept = self.upstream is not None
        try:
            return self._ask()
        except (OSError, http.client.HTTPException) as error:
            self.upstream.close()
            self.upstream = None
            if kept:  # it may have been idle for too long
                return self.ask()
            raise ConnectionError("the server is away") from error

    def _ask(self):
        if self.upstream is None:
            target = self.proxy.upstream
            self.upstream = http.client.HTTPSConnection(
                target.hostname, target.port, timeout=30, context=self.proxy.upstream_context
            )
        own = ("connection", "accept-encoding", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
        self.upstream.request(self.command, self.path, self.body, headers)
        answer = self.upstream.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read())

    def send(self, answer, *, length=None):
        """Send an answer, which may tell another length than it has."""
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def reset(self):
        """End the connection as a cable that is cut would: with a reset, in place of an end of TLS."""
        self.close_connection = True
        with socket.socket(fileno=self.connection.detach()) as bare:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def finish(self):
        if self.upstream is not None:
            self.upstream.close()
        super().finish()

    def log_message(self, *_):
        """Say nothing: tests ask what was requested."""


class _QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A connection that breaks, on either side, is what the tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
