"""Hold the numbers of one connector that Prometheus scrapes; every label has a closed set of values."""

from collections.abc import Callable, Iterable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Info, ProcessCollector

from agents.connectors.errors import CUT_REASONS, CutReason
from agents.partition_metrics import PREFIX

ANSWERS = (202, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503)
"""What the intake answers with."""


class ConnectorMetrics:
    """All metrics of one connector, in a registry of its own. `networks` are those that it delivers payloads of."""

    def __init__(self, *, version: str, networks: Iterable[str]) -> None:
        disable_created: Callable[[], None] = prometheus_client.disable_created_metrics
        disable_created()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._records = self._counter("records_total", "Payloads that Kafka has acknowledged.", "network")
        for network in networks:
            self._records.labels(network)
        self._rejections = self._counter("rejections_total", "Payloads that Kafka would not take, and so rejected.")
        self._send_errors = self._counter("send_errors_total", "Attempts to send that Kafka did not acknowledge.")
        self._reconnects = self._counter("reconnects_total", "Connections that ended, by why.", "reason")
        for reason in CUT_REASONS:
            self._reconnects.labels(reason)
        self._lost = self._counter("lost_seconds_total", "Time of the feed that it could not give any more.")
        self._answers = self._counter("answers_total", "Requests to the intake, by status of the answer.", "status")
        for status in ANSWERS:
            self._answers.labels(str(status))
        self._lag = self._gauge("lag_seconds", "Time between the last event and its receipt.")
        self._progress = self._gauge("progress_timestamp_seconds", "Event time that the feed has come to, 0 for none.")
        self._in_flight = self._gauge("in_flight_bytes", "Bytes taken that Kafka has not acknowledged.")
        self._connected = self._gauge("connected", "1 while the feed is connected, or the intake listens.")
        Info(f"{PREFIX}_build", "What runs here.", registry=self.registry).info({"version": version})

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_connector_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"{PREFIX}_connector_{name}", text, registry=self.registry)

    def count_delivered(self, network: str, *, count: int = 1) -> None:
        """Count payloads that Kafka has."""
        self._records.labels(network).inc(count)

    def count_rejection(self) -> None:
        """Count one payload that went to the rejections."""
        self._rejections.inc()

    def count_send_error(self) -> None:
        """Count one attempt that Kafka did not acknowledge."""
        self._send_errors.inc()

    def count_cut(self, reason: CutReason) -> None:
        """Count one connection that ended."""
        self._reconnects.labels(reason).inc()

    def count_lost(self, *, seconds: float) -> None:
        """Count time of the feed that is lost."""
        self._lost.inc(seconds)

    def count_answer(self, status: int) -> None:
        """Count one answer of the intake; a status of none of `ANSWERS` counts as 500."""
        self._answers.labels(str(status if status in ANSWERS else 500)).inc()

    def observe_event(self, *, at_ms: int, now_ms: int) -> None:
        """Tell when the last event happened and when it came."""
        self._lag.set(max(0, now_ms - at_ms) / 1000)

    def set_progress(self, at_ms: int) -> None:
        """Tell how far event time has come."""
        self._progress.set(at_ms / 1000)

    def set_in_flight(self, size_bytes: int) -> None:
        """Tell how much waits for Kafka."""
        self._in_flight.set(size_bytes)

    def set_connected(self, connected: bool) -> None:
        """Tell whether payloads can come."""
        self._connected.set(connected)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)
