"""Which challenge validates which name, and what may be said of each."""

import contextlib
import http.client
import http.server
import threading

import pytest

import pylego
from tests.servers.process import free_ports


def kinds(seen):
    return {event.identifier: event.challenge for event in seen if event.kind == "validated"}


@pytest.mark.parametrize("isolation", [None, "process"])
def test_the_first_pattern_that_matches_a_name_counts(isolation, any_client, acme_server):
    seen = []
    challenges = {
        "www.in.example": acme_server.http01(),
        "*.in.example": acme_server.dns01(),
        "*": [acme_server.tlsalpn01(), acme_server.dns01()],
    }
    names = ("www.in.example", "a.in.example", "*.in.example", "in.example", "*.out.example")
    client = any_client(on_event=seen.append, isolation=isolation)
    client.obtain(*names, challenges=challenges)
    assert kinds(seen) == {
        "www.in.example": "http-01",
        "a.in.example": "dns-01",
        "*.in.example": "dns-01",
        "in.example": "tls-alpn-01",
        "*.out.example": "dns-01",
    }


def test_the_names_of_a_csr_are_matched_too(any_client, acme_server):
    client = any_client()
    first = client.obtain("a.in.example", challenges=acme_server.http01())
    client.deactivate_authorizations(first)  # or the CA may take it for proven still
    seen = []
    client = any_client(on_event=seen.append)
    challenges = {"*.in.example": acme_server.tlsalpn01(), "*": acme_server.http01()}
    client.obtain(csr=first.csr, challenges=challenges)
    assert kinds(seen) == {"a.in.example": "tls-alpn-01"}


class Broken:
    """A solver that presents nothing."""

    type = "http-01"

    def present(self, presentation):
        raise LookupError

    def clean_up(self, presentation):
        """Have nothing to do."""


def test_the_next_challenge_is_that_of_the_same_pattern(any_client, acme_server):
    seen = []
    challenges = {"*.in.example": [Broken(), acme_server.tlsalpn01()], "*": acme_server.http01()}
    client = any_client(on_event=seen.append)
    client.obtain("a.in.example", "out.example", challenges=challenges)
    assert kinds(seen) == {"a.in.example": "tls-alpn-01", "out.example": "http-01"}


def test_the_next_challenge_leaves_the_other_patterns_theirs(any_client, acme_server):
    seen = []
    challenges = {"*.out.example": acme_server.tlsalpn01(), "*": [Broken(), acme_server.dns01()]}
    client = any_client(on_event=seen.append)
    client.obtain("a.out.example", "b.in.example", challenges=challenges)
    assert kinds(seen) == {"a.out.example": "tls-alpn-01", "b.in.example": "dns-01"}
    assert [event.challenge for event in seen if event.kind == "retrying"] == ["dns-01"]


def test_every_challenge_of_a_sequence_is_tried_once(any_client, acme_server):
    deaf = pylego.HTTP01("127.0.0.1", acme_server.tls_port)
    seen = []
    client = any_client(on_event=seen.append)
    client.obtain("a.example", challenges=[Broken(), deaf, acme_server.tlsalpn01()])
    tried = [event.challenge for event in seen if event.kind in ("attempt_failed", "validated")]
    assert tried == ["http-01", "http-01", "tls-alpn-01"]


@pytest.mark.parametrize(
    "challenges",
    [{"*.in.example": pylego.HTTP01()}, {"b*.example": pylego.HTTP01()}, {"*": "http-01"}, {}],
)
def test_a_name_without_a_challenge_is_refused_before_any_request(
    challenges, any_client, acme_server
):
    with pytest.raises(pylego.InvalidRequest):
        any_client().obtain("in.example", challenges=challenges)
    assert acme_server.requests().get("newOrder", 0) == 0


def test_answers_are_files_of_a_web_server(any_client, acme_server, tmp_path):
    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def log_message(self, *args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", acme_server.http_port), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        challenge = pylego.HTTP01(webroot=tmp_path)
        assert any_client().obtain("a.example", "b.example", challenges=challenge).leaf
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert list((tmp_path / ".well-known" / "acme-challenge").iterdir()) == []


def test_a_webroot_that_is_not_there_is_named(any_client, tmp_path):
    with pytest.raises(pylego.LEGOError, match="nowhere") as caught:
        any_client().obtain("a.example", challenges=pylego.HTTP01(webroot=tmp_path / "nowhere"))
    assert caught.value.attempts[0].challenge == "http-01"


@pytest.mark.parametrize("kind", ["http", "tls"])
def test_a_delay_lies_between_the_answer_and_the_trigger(kind, any_client, acme_server):
    at = {}
    challenge = (
        pylego.HTTP01("127.0.0.1", acme_server.http_port, delay=0.5)
        if kind == "http"
        else pylego.TLSALPN01("127.0.0.1", acme_server.tls_port, delay=0.5)
    )
    client = any_client(on_event=lambda event: at.update({event.kind: event.elapsed}))
    client.obtain("a.example", challenges=challenge)
    assert at["triggered"] - at["presented"] >= 0.5


def ask(port, path, headers):
    """Status and body of a GET of a loopback port."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def reverse_proxy(acme_server):
    """Start a web server where the CA asks, which hands on to another port under its own Host."""
    started = []

    def start(header, port):
        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers["Host"]
                told = f'for=192.0.2.1;host="{asked}"' if header == "Forwarded" else asked
                try:
                    status, body = ask(port, self.path, {"Host": "backend", header: told})
                except OSError:  # the order may be over before the last of the CA's looks
                    status, body = 502, b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", acme_server.http_port), Proxy)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "Forwarded"])
def test_the_host_may_be_told_by_a_proxys_header(header, any_client, acme_server, reverse_proxy):
    [port] = free_ports(1)
    reverse_proxy(header, port)
    challenge = pylego.HTTP01("127.0.0.1", port, proxy_header=header)
    assert any_client().obtain("a.example", challenges=challenge)
    unaware = pylego.HTTP01("127.0.0.1", port)
    with pytest.raises(pylego.ChallengeFailed):  # Host is the proxy's
        any_client().obtain("b.example", challenges=unaware)


def test_the_host_is_not_told_by_who_asks_without_a_proxy(any_client, acme_server):
    challenge = pylego.HTTP01("127.0.0.1", acme_server.http_port, proxy_header="X-Forwarded-Host")
    with pytest.raises(pylego.ChallengeFailed):
        any_client().obtain("a.example", challenges=challenge)
