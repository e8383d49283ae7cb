"""An ACME server that gives whatever answers a test wants: those that no real one can be made to give.

It checks no signature and issues to everybody; what it is asked for it counts.
"""

import base64
import http.server
import itertools
import json
import re
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field

from cryptography import x509

from tests.servers.certificates import DAY, pem, server_context

ERROR = "urn:ietf:params:acme:error:"


@dataclass(frozen=True)
class Answer:
    """What is said instead of the right answer."""

    status: int = 200
    body: bytes | str | dict | list = ""
    type: str = "application/json"
    headers: dict = field(default_factory=dict)
    times: int = -1
    """How often; then the right answers follow."""


HANG_UP = Answer(status=0)
"""No answer: the connection is closed."""


def problem(kind, detail, status, *, headers=None, times=-1, **extra):
    """Answer with a problem document (RFC 7807); its type is ACME's unless it is a URL or empty."""
    kind = kind if not kind or ":" in kind else ERROR + kind
    body = {"type": kind, "detail": detail, "status": status, **extra}
    return Answer(status, body, "application/problem+json", headers or {}, times)


def subproblem(kind, detail, name):
    return {"type": ERROR + kind, "detail": detail, "identifier": {"type": "dns", "value": name}}


class FaultServer:
    """The server, while the context lasts.

    Args:
        authority: issues its HTTPS certificate, and all others.
        answers: by the resource that is asked for: `directory`, `newNonce`,
            `newAccount`, `newOrder`, `authorization`, `challenge`, `finalize`,
            `order` or `certificate`.
        validation: by name, the error with which its challenge ends. By default
            every authorization is valid from the start.
        offers: the types of the challenges that an authorization has.
        scheme: `http` does without TLS.
        issued_from: the begin of what it issues, counted from now.
    """

    def __init__(
        self,
        authority,
        answers=None,
        *,
        validation=None,
        offers=("http-01",),
        scheme="https",
        issued_from=-DAY,
    ):
        self.authority = authority
        self.answers = dict(answers or {})
        self.validation = validation
        self.offers = offers
        self.scheme = scheme
        self.issued_from = issued_from
        self.requests = Counter()
        self.orders = []
        self.lock = threading.Lock()
        self._numbers = itertools.count(1)

    def __enter__(self):
        server = self

        class Handler(_Handler):
            acme = server

        self._http = _QuietServer(("127.0.0.1", 0), Handler)
        if self.scheme == "https":
            # Each connection's thread makes its handshake: one that never comes holds nobody up.
            self._http.socket = server_context(
                *self.authority.server("localhost", "127.0.0.1")
            ).wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{self.scheme}://127.0.0.1:{self._http.server_port}"
        self.directory = f"{self.url}/directory"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def nonce(self):
        return f"nonce-{next(self._numbers)}"

    def fault(self, resource):
        """Count a request, and return what is to be said instead of the right answer."""
        with self.lock:
            self.requests[resource] += 1
            answer = self.answers.get(resource)
            if answer is not None and 0 <= answer.times < self.requests[resource]:
                answer = None
            return answer

    # The right answers: status, object and headers.

    def give_directory(self, _):
        resources = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
        return 200, {name: f"{self.url}/{name}" for name in resources}, {}

    def give_newNonce(self, _):  # noqa: N802 -- the resource's name
        return 204, b"", {}

    def give_newAccount(self, _):  # noqa: N802 -- RFC 8555's name
        return 201, {"status": "valid"}, {"Location": f"{self.url}/account/1"}

    def give_newOrder(self, message):  # noqa: N802 -- RFC 8555's name
        with self.lock:
            number = len(self.orders)
            self.orders.append(
                {
                    "identifiers": message["identifiers"],
                    "authorizations": ["valid" if self.validation is None else "pending"]
                    * len(message["identifiers"]),
                }
            )
        return 201, self._order(number), {"Location": f"{self.url}/order/{number}"}

    def give_order(self, _, number):
        return 200, self._order(int(number)), {}

    def give_authorization(self, _, number, index):
        return 200, self._authorization(int(number), int(index)), {}

    def give_challenge(self, _, number, index, tried):
        order, index = self.orders[int(number)], int(index)
        name = order["identifiers"][index]["value"]
        order["authorizations"][index] = "invalid" if name in self.validation else "valid"
        order["tried"] = tried
        return 200, self._authorization(int(number), index)["challenges"][0], {}

    def give_finalize(self, message, number):
        der = base64.urlsafe_b64decode(message["csr"] + "==")
        order = self.orders[int(number)]
        order["certificate"] = self.authority.sign(
            x509.load_der_x509_csr(der), begins=self.issued_from
        )
        return 200, self._order(int(number)), {}

    def give_certificate(self, _, number):
        leaf = pem(self.orders[int(number)]["certificate"])
        return 200, leaf + self.authority.pem, {"Content-Type": "application/pem-certificate-chain"}

    def _order(self, number):
        order = self.orders[number]
        states = set(order["authorizations"])
        described = {
            "status": "ready"
            if states == {"valid"}
            else "invalid"
            if "invalid" in states
            else "pending",
            "identifiers": order["identifiers"],
            "authorizations": [
                f"{self.url}/authorization/{number}/{index}"
                for index in range(len(order["identifiers"]))
            ],
            "finalize": f"{self.url}/finalize/{number}",
        }
        if "certificate" in order:
            described |= {"status": "valid", "certificate": f"{self.url}/certificate/{number}"}
        return described

    def _authorization(self, number, index):
        identifier = self.orders[number]["identifiers"][index]
        status = self.orders[number]["authorizations"][index]
        challenges = [
            {
                "type": offered,
                "url": f"{self.url}/challenge/{number}/{index}/{offered}",
                "status": status,
                "token": f"token-{number}-{index}-abcdefghijklmnopqrstuvwxyz",
            }
            for offered in self.offers
            # When all is over only the one that was tried is told (RFC 8555 section 7.1.4).
            if status == "pending" or offered == self.orders[number].get("tried", offered)
        ]
        if status == "invalid":
            challenges[0]["error"] = self.validation[identifier["value"]]
        return {"identifier": identifier, "status": status, "challenges": challenges}


class _QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that do not trust us end the handshake: that is what some tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    acme: FaultServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        self._answer({})

    def do_HEAD(self):
        self._answer({})

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        payload = base64.urlsafe_b64decode(message["payload"] + "==")
        self._answer(json.loads(payload) if payload else {})

    def _answer(self, message):
        _, resource, *arguments = self.path.split("/")
        fault = self.acme.fault(resource)
        if fault is HANG_UP:
            self.close_connection = True
            return
        if fault is not None:
            self._send(fault.status, fault.body, {"Content-Type": fault.type, **fault.headers})
            return
        give = getattr(self.acme, f"give_{resource}", None)
        if give is None or not re.fullmatch(r"[a-zA-Z]+", resource):
            self._send(404, "", {})
        else:
            self._send(*give(message, *arguments))

    def _send(self, status, body, headers):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        body = body.replace(b"{url}", self.acme.url.encode())
        self.send_response(status)
        headers = {"Content-Type": "application/json", **headers}
        if headers["Content-Type"] != "text/html" and self.path != "/directory":
            headers["Replay-Nonce"] = self.acme.nonce()
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing: tests ask what was requested."""
