"""Certificates obtained in the processes of Celery's prefork pool, and in their parent."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import pylego.testing
from tests.bridge.processes import SOON, Watched, descendants

QUIET = "ignore::DeprecationWarning,ignore:You're running the worker"
"""Python 3.12 warns of any fork beside threads, Celery of root."""

WORKER = [
    *("celery", "--app=celery_app", "--quiet", "worker", "--loglevel=ERROR"),
    *("--pool=prefork", "--concurrency=2", "--without-mingle", "--without-gossip"),
]


@pytest.fixture
def celery(framework_program, tmp_path):
    """Start something of Celery's, with a queue and results of its own folder."""

    def start(name, arguments, server, **variables):
        folder = tmp_path / name
        for each in ("queue", "outbox", "control", "results"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        source = f"""
            import runpy, sys
            sys.argv = {arguments!r}
            runpy.run_module(sys.argv[0], run_name="__main__")
            """
        variables = {"TEST_FOLDER": str(folder), "PYTHONWARNINGS": QUIET, **variables}
        return framework_program(source, server=server, env=variables)

    return start


def test_a_prefork_pool_and_its_parent_work(celery):
    def check(when):
        with pylego.testing.ACMEServer() as server:
            running = celery(when, WORKER, server, TEST_FORK=when)
            serials = json.loads(running.line())
            assert len(set(serials)) == {"before": 1, "after": 1, "during": 9}[when]

            code, out, err = celery(when, ["celery_client"], server).end()
            assert (code, err) == (0, "")
            pids, serials = zip(*json.loads(out), strict=True)
            assert len(set(pids)) == 2
            assert set(pids) <= set(descendants(running.process.pid))
            assert len(set(serials)) == 8

            started = Watched(descendants(running.process.pid))
            running.process.send_signal(signal.SIGTERM)
            code, out, err = running.end()
            assert (code, err) == (0, "")
            assert out.splitlines()[-1].startswith("at the end: ")
            assert started.left_after(SOON) == []

    # Pools that are forked before, after and during calls of their parent.
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(check, ["before", "after", "during"]))
