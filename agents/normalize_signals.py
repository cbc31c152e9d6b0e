"""Normalise signals: `social.raw.<network>` -> `social.signals` or a rejection; keeps no state."""

import msgspec

from agents.lane import Batch, Outgoing
from agents.metrics import Metrics
from agents.settings import Settings
from schemas.channels import REJECTIONS, SIGNALS, named, raw_channel
from schemas.rejection import Place
from schemas.signal import Heartbeat, Signal, conversation_of
from streams.networks import NETWORKS
from streams.networks.refusal import rejection

_to_json = msgspec.json.Encoder().encode


class Normalizer:
    """Turns the payloads of one network into signals, each under the key of its conversation."""

    def __init__(self, settings: Settings, network: str, metrics: Metrics) -> None:
        self.channel = named(raw_channel(network), namespace=settings.namespace)
        self._format = NETWORKS[network]
        self._metrics = metrics
        self._partitions = settings.partitions
        self._signals = named(SIGNALS, namespace=settings.namespace)
        self._rejections = named(REJECTIONS, namespace=settings.namespace)

    def take(self, partition: int, batch: Batch) -> list[Outgoing]:
        """Return what a batch becomes; a heartbeat goes to every partition, for any may wait for it."""
        outgoing = []
        applied = heartbeats = 0
        for record in batch.records:
            decoded = self._format.normalize(record.value)
            if isinstance(decoded, Signal):
                applied += 1
                key = conversation_of(decoded).encode()
                at_ms = _logged_ms(decoded.at, record_ms=record.timestamp_ms)
                outgoing.append(Outgoing(self._signals, key, _to_json(decoded), timestamp_ms=at_ms))
            elif isinstance(decoded, Heartbeat):
                heartbeats += 1
                at_ms = _logged_ms(decoded.at, record_ms=record.timestamp_ms)
                outgoing.extend(
                    heartbeat_records(decoded, channel=self._signals, partitions=self._partitions, timestamp_ms=at_ms)
                )
            else:
                place = Place(channel=self.channel, partition=partition, offset=record.offset)
                refused = rejection(decoded, record.value, place)
                self._metrics.count_rejections(refused.reason)
                outgoing.append(Outgoing(self._rejections, refused.reason.encode(), _to_json(refused)))
        self._metrics.count_records(self.channel, outcome="applied", count=applied)
        self._metrics.count_records(self.channel, outcome="heartbeat", count=heartbeats)
        self._metrics.count_records(self.channel, outcome="rejected", count=len(batch.records) - applied - heartbeats)
        return outgoing


def _logged_ms(at_ms: int, *, record_ms: int | None) -> int:
    """Return the timestamp of the record of a signal: its event time, or that of the raw record where it is earlier.

    So the next step can tell that a clock was wrong: it judges event times by the record (`clamp_to_record`).
    """
    return at_ms if record_ms is None or record_ms < 0 else min(at_ms, record_ms)


def heartbeat_records(
    heartbeat: Heartbeat, *, channel: str, partitions: int, timestamp_ms: int | None = None
) -> list[Outgoing]:
    """Return one record of a heartbeat for every partition, with its own time unless told another.

    >>> len(heartbeat_records(Heartbeat("replay", at=1_000), channel="social.signals", partitions=4))
    4
    """
    value = _to_json(heartbeat)
    key = heartbeat.heartbeat.encode()
    at_ms = heartbeat.at if timestamp_ms is None else timestamp_ms
    return [Outgoing(channel, key, value, partition=partition, timestamp_ms=at_ms) for partition in range(partitions)]
