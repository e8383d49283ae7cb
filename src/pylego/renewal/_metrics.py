"""How certificates stand, as Prometheus asks for it: `pip install 'pylego[metrics]'`."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

from pylego._errors import InvalidRequest

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from types import ModuleType, TracebackType

    from prometheus_client.metrics_core import Metric
    from typing_extensions import Self

LOOPBACK = "127.0.0.1"

TIMES = (
    ("expires", "expiry", "When the certificate ends."),
    ("next_attempt", "next_attempt", "When it is next looked at, or tried again."),
    ("last_success", "last_success", "When it was last obtained."),
)
"""Of each moment: the attribute, its place in the metric's name, and what it is."""


@dataclass(frozen=True)
class Standing:
    """How one certificate stands; what is not known is left out."""

    expires: datetime | None = None
    next_attempt: datetime | None = None
    last_success: datetime | None = None
    failures: int = 0
    """Attempts that have failed since the last that did not."""


class Metrics:
    """What was last told of all certificates; a collector for a registry of Prometheus' client."""

    def __init__(self) -> None:
        """Begin with no certificate and no attempt.

        Raises:
            InvalidRequest: the extra `metrics` is not installed.
        """
        self._client = _prometheus()
        self._lock = threading.Lock()
        self._standings: dict[str, Standing] = {}
        self._attempts: Counter[str] = Counter()

    def update(
        self, standings: Mapping[str, Standing], attempts: Mapping[str, int] | None = None
    ) -> None:
        """Tell how all certificates stand now, by ID, and how many attempts have ended how since the last time."""
        with self._lock:
            self._standings = dict(standings)
            self._attempts.update(attempts or {})

    def collect(self) -> Iterator[Metric]:
        """Give the metrics, as a registry asks for them."""
        with self._lock:
            standings, attempts = self._standings, dict(self._attempts)
        core = self._client.metrics_core
        yield core.GaugeMetricFamily(
            "pylego_certificates", "Certificates that are kept valid.", len(standings)
        )
        for attribute, name, words in TIMES:
            moments = core.GaugeMetricFamily(
                f"pylego_certificate_{name}_timestamp_seconds", words, labels=["certificate"]
            )
            for each, standing in standings.items():
                moment: datetime | None = getattr(standing, attribute)
                if moment is not None:
                    moments.add_metric([each], moment.timestamp())
            yield moments
        failures = core.GaugeMetricFamily(
            "pylego_certificate_failures",
            "Attempts that have failed since the last that did not.",
            labels=["certificate"],
        )
        for each, standing in standings.items():
            failures.add_metric([each], standing.failures)
        yield failures
        ended = core.CounterMetricFamily(
            "pylego_attempts", "Attempts by how they ended.", labels=["result"]
        )
        for result, count in attempts.items():
            ended.add_metric([result], count)
        yield ended

    def serve(self, port: int, host: str = LOOPBACK) -> Served:
        """Serve the metrics, and nothing else, by HTTP on a thread of their own.

        Anybody who reaches the address reads the certificates' IDs: by default that is
        this machine.

        Args:
            port: where to listen; 0 for a free one.
            host: the address to listen on.

        Raises:
            InvalidRequest: nobody can listen there.
        """
        return Served(self._client, self, host, port)


class Served:
    """Metrics while they are served; `close`, or the end of a `with`, ends that."""

    def __init__(self, client: ModuleType, metrics: Metrics, host: str, port: int) -> None:
        registry = client.CollectorRegistry()
        registry.register(metrics)
        try:
            self._server, self._thread = client.start_http_server(port, host, registry)
        except (OSError, OverflowError) as error:
            words = getattr(error, "strerror", None) or error
            msg = f"metrics cannot be served on {host}, port {port}: {words}"
            raise InvalidRequest(msg) from error
        self.port: int = self._server.server_port
        """The port that they are served on."""

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _prometheus() -> ModuleType:
    try:
        import prometheus_client  # noqa: PLC0415 -- an extra, for those who want it
    except ImportError:
        msg = "metrics need one more package: pip install 'pylego[metrics]'"
        raise InvalidRequest(msg) from None
    return prometheus_client
