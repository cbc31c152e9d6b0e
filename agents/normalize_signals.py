"""Normalise signals: `social.raw.<network>` -> `social.signals` or a rejection; keeps no state."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from agents.lane import Batch, Outgoing
from agents.metrics import Metrics, Outcome
from agents.pseudonyms import pseudonyms_of
from agents.settings import Settings
from schemas.channels import REJECTIONS, SIGNALS, named, raw_channel
from schemas.rejection import Place
from schemas.signal import Erasure, Heartbeat, Signal, conversation_of, is_addressed
from streams.networks import NETWORKS, native
from streams.networks.refusal import Refusal, rejection
from streams.pseudonyms import without_words

ERASURE_KEY = b"erase"
"""The key of all erasures: keys show up in many a tool, and must not name who is erased."""

HEARTBEAT_PREFIX = b'{"heartbeat":'
"""How heartbeats begin that connectors write among the payloads of any network; no network's own payload does."""

_normalize_native = NETWORKS[native.NAME].normalize
_to_json = msgspec.json.Encoder().encode


class Normalizer:
    """Turns the payloads of one network into signals, each under the key of its conversation."""

    def __init__(self, settings: Settings, network: str, metrics: Metrics) -> None:
        self.channel = named(raw_channel(network), namespace=settings.namespace)
        self._normalize = NETWORKS[network].normalize
        self._metrics = metrics
        self._partitions = settings.partitions
        self._pseudonyms = pseudonyms_of(settings)
        self._signals = named(SIGNALS, namespace=settings.namespace)
        self._rejections = named(REJECTIONS, namespace=settings.namespace)

    def take(self, partition: int, batch: Batch) -> list[Outgoing]:
        """Return what a batch becomes; a heartbeat goes to every partition, for any may wait for it."""
        outgoing = []
        outcomes: Counter[Outcome] = Counter()
        for record in batch.records:
            is_heartbeat = record.value is not None and record.value.startswith(HEARTBEAT_PREFIX)
            # A connector sends its heartbeats the way of its payloads, so that they cannot overtake those.
            normalize = _normalize_native if is_heartbeat else self._normalize
            said = normalize(record.value, _arrived_ms(record.timestamp_ms))
            if isinstance(said, Refusal):
                outcomes["rejected"] += 1
                place = Place(channel=self.channel, partition=partition, offset=record.offset)
                refused = rejection(said, record.value, place)
                if self._pseudonyms is not None:
                    refused = without_words(refused)
                self._metrics.count_rejections(refused.reason)
                outgoing.append(Outgoing(self._rejections, refused.reason.encode(), _to_json(refused)))
                continue
            # A record counts once, however much it says.
            heard = any(isinstance(one, Signal | Erasure) for one in said)
            outcomes["applied" if heard else "heartbeat" if said else "ignored"] += 1
            for one in said:
                outgoing += self._sent(one, record_ms=record.timestamp_ms)
        for outcome, count in outcomes.items():
            self._metrics.count_records(self.channel, outcome=outcome, count=count)
        return outgoing

    def _sent(self, said: Signal | Heartbeat | Erasure, *, record_ms: int | None) -> list[Outgoing]:
        at_ms = _logged_ms(said.at, record_ms=record_ms)
        if isinstance(said, Erasure):
            erasures = [said] if self._pseudonyms is None else self._pseudonyms.erasures(said)
            return erasure_records(erasures, channel=self._signals, partitions=self._partitions, timestamp_ms=at_ms)
        if isinstance(said, Heartbeat):
            return heartbeat_records(said, channel=self._signals, partitions=self._partitions, timestamp_ms=at_ms)
        if self._pseudonyms is not None:
            said = self._pseudonyms.signal(said)
        return signal_records(said, channel=self._signals, partitions=self._partitions, timestamp_ms=at_ms)


def _arrived_ms(record_ms: int | None) -> int | None:
    """Return when a raw record came in, None where it has no timestamp."""
    return None if record_ms is None or record_ms < 0 else record_ms


def _logged_ms(at_ms: int, *, record_ms: int | None) -> int:
    """Return the timestamp of the record of a signal: its event time, or that of the raw record where it is earlier.

    So the next step can tell that a clock was wrong: it judges event times by the record (`clamp_to_record`).
    """
    arrived_ms = _arrived_ms(record_ms)
    return at_ms if arrived_ms is None else min(at_ms, arrived_ms)


def signal_records(signal: Signal, *, channel: str, partitions: int, timestamp_ms: int) -> list[Outgoing]:
    """Return the record of a signal for its conversation; one for every partition where it does not say which that is.

    >>> undo = Signal("n:1", "n", "like", 1_000, "ana", op="undo")
    >>> len(signal_records(undo, channel="social.signals", partitions=4, timestamp_ms=1_000))
    4
    """
    value = _to_json(signal)
    if is_addressed(signal):
        return [Outgoing(channel, conversation_of(signal).encode(), value, timestamp_ms=timestamp_ms)]
    return _everywhere(channel, signal.id.encode(), value, partitions=partitions, timestamp_ms=timestamp_ms)


def _everywhere(channel: str, key: bytes, value: bytes, *, partitions: int, timestamp_ms: int | None) -> list[Outgoing]:
    return [
        Outgoing(channel, key, value, partition=partition, timestamp_ms=timestamp_ms) for partition in range(partitions)
    ]


def erasure_records(
    erasures: Sequence[Erasure], *, channel: str, partitions: int, timestamp_ms: int | None
) -> list[Outgoing]:
    """Return one record of each erasure for every partition: any may know the actor.

    >>> len(erasure_records([Erasure("ana", "n", 1_000)], channel="social.signals", partitions=4, timestamp_ms=1_000))
    4
    """
    return [
        record
        for erasure in erasures
        for record in _everywhere(
            channel, ERASURE_KEY, _to_json(erasure), partitions=partitions, timestamp_ms=timestamp_ms
        )
    ]


def heartbeat_records(
    heartbeat: Heartbeat, *, channel: str, partitions: int, timestamp_ms: int | None = None
) -> list[Outgoing]:
    """Return one record of a heartbeat for every partition, with its own time unless told another.

    >>> len(heartbeat_records(Heartbeat("replay", at=1_000), channel="social.signals", partitions=4))
    4
    """
    at_ms = heartbeat.at if timestamp_ms is None else timestamp_ms
    key = heartbeat.heartbeat.encode()
    return _everywhere(channel, key, _to_json(heartbeat), partitions=partitions, timestamp_ms=at_ms)
