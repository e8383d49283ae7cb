"""The metrics, as Prometheus asks for them."""

import socket
import sys
from datetime import datetime, timezone
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import pylego
from pylego.renewal._metrics import Metrics, Standing

pytest.importorskip("prometheus_client")
from prometheus_client.parser import text_string_to_metric_families

EXPIRES = datetime(2027, 3, 1, tzinfo=timezone.utc)
NEXT = datetime(2027, 1, 30, 12, tzinfo=timezone.utc)
LAST = datetime(2026, 12, 1, tzinfo=timezone.utc)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def served(metrics):
    with metrics.serve(0) as served:
        yield served


def read(served):
    """Ask as Prometheus does; give each sample's value by its name and label."""
    with urlopen(f"http://127.0.0.1:{served.port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return {(each.name, *each.labels.values()): each.value for each in samples}


def test_how_each_certificate_stands_is_told(metrics, served):
    metrics.update(
        {"a.example": Standing(EXPIRES, NEXT, LAST, failures=2), "*.b.example": Standing()},
        {"renewed": 3, "failed": 2},
    )
    assert read(served) == {
        ("pylego_certificates",): 2,
        ("pylego_certificate_expiry_timestamp_seconds", "a.example"): EXPIRES.timestamp(),
        ("pylego_certificate_next_attempt_timestamp_seconds", "a.example"): NEXT.timestamp(),
        ("pylego_certificate_last_success_timestamp_seconds", "a.example"): LAST.timestamp(),
        ("pylego_certificate_failures", "a.example"): 2,
        ("pylego_certificate_failures", "*.b.example"): 0,
        ("pylego_attempts_total", "renewed"): 3,
        ("pylego_attempts_total", "failed"): 2,
    }


def test_certificates_are_as_last_told_and_attempts_add_up(metrics, served):
    metrics.update({"a.example": Standing(EXPIRES)}, {"renewed": 1})
    metrics.update({"b.example": Standing(EXPIRES)}, {"renewed": 2})
    metrics.update({"b.example": Standing(EXPIRES)})
    told = read(served)
    assert {key[1] for key in told if "expiry" in key[0]} == {"b.example"}
    assert told["pylego_attempts_total", "renewed"] == 3


def test_before_the_first_update_there_is_no_certificate(served):
    assert read(served) == {("pylego_certificates",): 0}


def test_only_this_machine_is_served_by_default(served):
    assert served._server.server_address[0] == "127.0.0.1"


def test_after_the_end_nobody_listens(metrics):
    with metrics.serve(0) as served:
        pass
    with pytest.raises(URLError):
        read(served)
    metrics.serve(served.port).close()


def test_a_port_that_is_taken_is_one_sentence(metrics):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(pylego.InvalidRequest, match=f"on 127.0.0.1, port {port}: Address"):
            metrics.serve(port)
    with pytest.raises(pylego.InvalidRequest, match="port 70000"):
        metrics.serve(70000)


def test_without_the_extra_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(pylego.InvalidRequest, match=r"pip install 'pylego\[metrics\]'"):
        Metrics()
