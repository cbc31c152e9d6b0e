"""Watch topics: `social.contributions` -> vitals, cascades, alerts and their state, one lane a partition of topics."""

import time
from collections.abc import Callable

import msgspec

from agents.lane import Batch, Outgoing
from agents.metrics import Metrics
from agents.packing import unpack_contributions, unpacked
from agents.settings import Settings
from schemas.alert import Alert
from schemas.channels import ALERT_STATE, ALERTS, CASCADES, CONTRIBUTIONS, REJECTIONS, VITALS, named
from schemas.contribution import ContributionPacket
from schemas.rejection import Rejection
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry
from streams.steps.watch import NAME, WatchStep

CLOUD_EVENT_TYPE = "org.overgrowth.alert"

_to_json = msgspec.json.Encoder().encode


class WatchShell:
    """The step on one partition of `social.contributions`, with its inputs and outputs as bytes."""

    name = NAME

    def __init__(self, settings: Settings, registry: Callable[[], Registry], partition: int) -> None:
        self._registry = registry
        self._partition = partition
        self._contributions = named(CONTRIBUTIONS, namespace=settings.namespace)
        self._vitals = named(VITALS, namespace=settings.namespace)
        self._cascades = named(CASCADES, namespace=settings.namespace)
        self._alerts = named(ALERTS, namespace=settings.namespace)
        self._alert_state = named(ALERT_STATE, namespace=settings.namespace)
        self._rejections = named(REJECTIONS, namespace=settings.namespace)
        self._partitions = settings.partitions
        self._applied = self._gaps = 0
        self._refused: list[Rejection] = []
        self._raised: list[tuple[int, Alert]] = []
        self._newest: dict[str, Vitals] = {}
        self._is_live = settings.clock == "wall"
        self.step = WatchStep(registry(), origins=settings.partitions)

    def take(self, batch: Batch) -> list[Outgoing]:
        """Unpack a batch, advance, and return the vitals, cascades and alerts of every tick that was passed."""
        self.step.registry = self._registry()
        came = unpacked(batch, self._unpack, channel=self._contributions, partition=self._partition)
        told = self.step.advance(came.packets, next_offset=batch.next_offset)
        outgoing = [
            Outgoing(self._vitals, f"{vitals.brand}/{vitals.topic}".encode(), _to_json(vitals), timestamp_ms=vitals.at)
            for vitals in told.vitals
        ]
        outgoing += [
            Outgoing(
                self._cascades,
                f"{cascade.brand}/{cascade.topic}|{cascade.root}".encode(errors="surrogatepass"),
                _to_json(cascade),
                timestamp_ms=cascade.at,
            )
            for cascade in told.cascades
        ]
        for at_ms, alert in told.alerts:
            outgoing.extend(self._alert_records(alert, at_ms=at_ms))
        self._raised += told.alerts
        self._newest.update((f"{vitals.brand}/{vitals.topic}", vitals) for vitals in told.vitals)
        self._refused += came.rejections
        outgoing += [
            Outgoing(self._rejections, refused.reason.encode(), _to_json(refused)) for refused in came.rejections
        ]
        return outgoing

    def _unpack(self, value: bytes) -> ContributionPacket:
        return unpack_contributions(value, origins=self._partitions)

    def _alert_records(self, alert: Alert, *, at_ms: int) -> list[Outgoing]:
        """Return the alert for its two channels, as a CloudEvent in Kafka's binary mode (WIRE.md §6)."""
        value = _to_json(alert)
        key = f"{alert.brand}/{alert.topic}"
        headers = tuple(
            (name, text.encode())
            for name, text in (
                ("ce_specversion", "1.0"),
                ("ce_id", alert.id),
                ("ce_source", f"/overgrowth/{key}"),
                ("ce_type", f"{CLOUD_EVENT_TYPE}.{alert.state}.{alert.status}.v1"),
                ("ce_time", alert.at),
                ("ce_subject", key),
                ("ce_severity", str(alert.severity)),
                ("ce_episode", alert.episode),
                ("content-type", "application/json"),
            )
        )
        return [
            Outgoing(self._alerts, key.encode(), value, timestamp_ms=at_ms, headers=headers),
            Outgoing(self._alert_state, alert.episode.encode(), value, timestamp_ms=at_ms, headers=headers),
        ]

    def report(self, metrics: Metrics) -> None:
        """Tell the metrics what became of the input, and which alerts were raised, since the last report."""
        metrics.count_records(self._contributions, outcome="applied", count=self.step.applied - self._applied)
        self._applied = self.step.applied
        metrics.count_packet_gaps(self._contributions, count=self.step.gaps - self._gaps)
        self._gaps = self.step.gaps
        for at_ms, alert in self._raised:
            metrics.count_alert(state=alert.state, status=alert.status)
            if self._is_live:
                metrics.observe_alert_latency(latency_s=time.time() - at_ms / 1000)
        self._raised.clear()
        for vitals in self._newest.values():
            metrics.topics.set(self._partition, vitals)
        self._newest.clear()
        metrics.count_records(self._contributions, outcome="rejected", count=len(self._refused))
        for refused in self._refused:
            metrics.count_rejections(refused.reason)
        self._refused.clear()
        metrics.observe_partition(
            self._contributions,
            self._partition,
            watermark_ms=self.step.frontier[0],
            reorder_buffer_records=len(self.step),
        )
