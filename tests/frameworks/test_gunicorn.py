"""Certificates obtained in gunicorn's workers: forks of a process that has obtained one itself."""

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

import pylego.testing
from tests.bridge import guest
from tests.bridge.processes import SOON, Watched, descendants

PRELOADED = {
    "TEST_FORK": "after",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",  # Python 3.12 warns of any fork beside threads
}


class Gunicorn:
    """A gunicorn that listens on a UNIX socket."""

    def __init__(self, start, path, arguments, settings):
        hooks = Path(__file__).with_name("gunicorn_hooks.py")
        arguments = ["--log-level=error", f"--config={hooks}", f"--bind=unix:{path}", *arguments]
        self.path = path
        self.running = start(
            f"""
            import runpy, sys
            sys.argv = {["gunicorn", *arguments, "gunicorn_app"]!r}
            runpy.run_module("gunicorn", run_name="__main__")
            """,
            **settings,
        )
        assert self.running.line() == "ready"

    def workers(self, count=2):
        """Wait for so many new workers."""
        return {int(self.running.line()) for _ in range(count)}

    def get(self, path):
        """Ask for a path; return the worker's pid and its answer."""
        connection = HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.path))
        try:
            connection.request("GET", path)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def get_at_once(self, *paths):
        with ThreadPoolExecutor(len(paths)) as threads:
            return list(threads.map(self.get, paths))

    def stop(self, number=signal.SIGTERM):
        """End it; check that it says nothing and leaves nothing."""
        started = Watched(descendants(self.running.process.pid))
        self.running.process.send_signal(number)
        code, _, err = self.running.end()
        assert (code, err) == (0, "")
        assert started.left_after(SOON) == []


@pytest.fixture
def gunicorn(framework_program, tmp_path):
    def start(*arguments, **settings):
        return Gunicorn(framework_program, tmp_path / "socket", arguments, settings)

    return start


@pytest.mark.parametrize("when", ["after", "during"])
def test_two_workers_of_a_preloaded_application_take_turns_on_one_port(gunicorn, when):
    # They are forked after a call of the application's, and during eight.
    server = gunicorn("--workers=2", "--preload", env={**PRELOADED, "TEST_FORK": when})
    workers = server.workers()
    answers = server.get_at_once(*["/one-port"] * 8)
    assert {pid for pid, _ in answers} == workers
    assert len({serial for _, serial in answers}) == 8
    if when == "during":
        server.get("/forked")
        assert server.running.line() == "8"

    server.running.process.send_signal(signal.SIGHUP)
    reloaded = server.workers()
    assert Watched(workers).left_after(10) == []
    answers = server.get_at_once(*["/one-port"] * 8)
    assert {pid for pid, _ in answers} == reloaded
    assert len({serial for _, serial in answers}) == 8
    server.stop()


def test_two_workers_listen_on_two_ports_at_once(gunicorn, acme_server):
    with pylego.testing.ACMEServer() as other:
        authorities = [
            json.loads(guest.environment(each)["TEST_CA"]) for each in (acme_server, other)
        ]
        environment = {**PRELOADED, "TEST_CAS": json.dumps(authorities)}
        server = gunicorn("--workers=2", "--preload", env=environment)
        answers = server.get_at_once("/first-port", "/second-port")
        assert {pid for pid, _ in answers} == server.workers()
        server.stop()


def test_a_quick_shutdown_cancels_the_workers_calls_and_cleans_up(gunicorn, slow_server):
    # gunicorn itself logs the SystemExit that ends a request as an error.
    server = gunicorn("--workers=2", "--preload", "--log-level=critical", server=slow_server)
    server.workers()
    with ThreadPoolExecutor(2) as threads:
        requests = [threads.submit(server.get, "/never") for _ in range(2)]
        assert [server.running.line() for _ in requests] == ["triggered"] * 2
        server.stop(signal.SIGINT)
        for request in requests:
            with pytest.raises((OSError, ValueError)):  # no answer
                request.result()
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()


@pytest.mark.parametrize("preloaded", [[], ["--preload"]], ids=["", "preloaded"])
def test_a_gevent_worker_s_call_stalls_no_other_greenlet(gunicorn, calm, preloaded):
    def once():
        server = gunicorn("--worker-class=gevent", *preloaded, env=PRELOADED if preloaded else {})
        pids = server.workers(1)
        pid, gap = server.get("/ticking")  # the worker's first call
        assert pids == {pid}
        assert server.get("/ticking")[0] == pid
        server.stop()
        return gap

    assert calm(once) < 0.1
