"""Where a behaviour of run_lego_command is played."""

import contextlib
import http.server
import threading

from cryptography.hazmat.primitives import serialization

import pylego.testing
from tests.servers.certificates import Authority, certificate_request
from tests.servers.fault_server import Answer, FaultServer
from tests.servers.pebble import Pebble
from tests.servers.process import free_ports

HTML = Answer(502, "<html><body><h1>Bad Gateway</h1></body></html>", "text/html")


class Place:
    """Where one behaviour is played: a folder, and servers in it."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def pebble(self, *names, account=(), server=None, env=None, **arguments):
        with Pebble(self.folder, **(server or {})) as pebble:
            yield {
                **_request(pebble.directory, {**pebble.env(), **(env or {})}, names),
                **dict(zip(("eab_kid", "eab_hmac"), account, strict=False)),
                **arguments,
            }

    @contextlib.contextmanager
    def faults(self, answers=None, *names, env=None, server=None, **arguments):
        authority = Authority("The root of the fault server")
        with FaultServer(authority, answers, **(server or {})) as running:
            trusted = {**self.trust(authority), **free_listeners(), **(env or {})}
            yield {**_request(running.directory, trusted, names), **arguments}

    @contextlib.contextmanager
    def embedded(self, *names, env=None, **arguments):
        """Play with a CA whose DNS server lego's httpreq writes to."""
        with pylego.testing.ACMEServer() as server:
            file = self.folder / "trust.pem"
            file.write_text(server.trust_root)
            settings = {
                "SSL_CERT_FILE": str(file),
                "HTTP01_IFACE": "127.0.0.1",
                "HTTP01_PORT": str(server.http_port),
                "TLSALPN01_IFACE": "127.0.0.1",
                "TLSALPN01_PORT": str(server.tls_port),
                **server.dns01().variables,
                "HTTPREQ_POLLING_INTERVAL": "1",
                "HTTPREQ_PROPAGATION_TIMEOUT": "2",
                "DNS_PROPAGATION_DISABLE_ANS": "1",
                "DNS_PROPAGATION_RNS": "1",
                **(env or {}),
            }
            yield {
                **_request(server.directory, settings, names),
                "dns_nameservers": [server.dns],
                **arguments,
            }

    def trust(self, authority, name="trust.pem"):
        file = self.folder / name
        file.write_bytes(authority.pem)
        return {"SSL_CERT_FILE": str(file)}

    @contextlib.contextmanager
    def no_server(self, server, **arguments):
        yield {**_request(server, free_listeners(), ()), **arguments}


def _request(server, env, names):
    return {
        "email": "dev@example.com",
        "server": server,
        "csr": certificate_request(*(names or ("a.example",))).decode(),
        "plugin": "http",
        "env": env,
    }


@contextlib.contextmanager
def web_server(port):
    """Be a web server to which everything is "hello", and every POST is fine."""

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        do_POST = do_GET  # noqa: N815 -- as the base class calls it

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Hello) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def free_listeners():
    ports = free_ports(2)
    return {
        "HTTP01_IFACE": "127.0.0.1",
        "HTTP01_PORT": str(ports[0]),
        "TLSALPN01_IFACE": "127.0.0.1",
        "TLSALPN01_PORT": str(ports[1]),
    }


def pkcs8(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
