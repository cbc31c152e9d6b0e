"""Attribute signals: `social.signals` -> `social.attributed`, rejections and late signals, one lane a partition."""

from collections import Counter
from collections.abc import Callable
from operator import attrgetter

import msgspec

from agents.lane import Batch, Outgoing
from agents.metrics import Metrics, Outcome
from agents.packing import item_partition, packed
from agents.pseudonyms import pseudonyms_of
from agents.settings import Settings
from schemas.channels import ATTRIBUTED, LATE, REJECTIONS, SIGNALS, named
from schemas.rejection import Rejection
from schemas.signal import Erasure, Kind, Op, Signal, conversation_of
from streams.attribution.matcher import Registry
from streams.eventtime.clock import ClockSettings
from streams.networks.native import normalize
from streams.pseudonyms import Pseudonyms, without_words
from streams.steps.attribute import NAME, Arrival, AttributeSettings, AttributeStep
from streams.steps.ledger import Ledger

_OUTCOMES: tuple[Outcome, ...] = (
    "applied",
    "late",
    "rejected",
    "duplicate",
    "heartbeat",
    "unmatched",
    "foreign",
    "erased",
)

_kind_and_op: Callable[[Signal], tuple[Kind, Op]] = attrgetter("kind", "op")
_to_json = msgspec.json.Encoder().encode


class AttributeShell:
    """The step on one partition of `social.signals`, with its inputs and outputs as bytes."""

    name = NAME

    def __init__(self, settings: Settings, registry: Callable[[], Registry], partition: int) -> None:
        self._registry = registry
        self._partition = partition
        self._partitions = settings.partitions
        self._signals = named(SIGNALS, namespace=settings.namespace)
        self._attributed = named(ATTRIBUTED, namespace=settings.namespace)
        self._rejections = named(REJECTIONS, namespace=settings.namespace)
        self._late = named(LATE, namespace=settings.namespace)
        self._pseudonyms = pseudonyms_of(settings)
        self._told = Ledger()
        self._arrived: Counter[tuple[Kind, Op]] = Counter()
        self._refused: list[Rejection] = []
        self.step = AttributeStep(
            registry(), channel=self._signals, partition=partition, settings=step_settings(settings)
        )

    def take(self, batch: Batch) -> list[Outgoing]:
        """Decode a batch, advance, and return packets for every partition of actors, rejections and late signals."""
        step = self.step
        step.registry = self._registry()
        arrivals = [
            Arrival(record.offset, record.timestamp_ms, record.value or b"", normalize(record.value))
            for record in batch.records
        ]
        if self._pseudonyms is not None:
            _hide(arrivals, self._pseudonyms)
        told = step.advance(arrivals, next_offset=batch.next_offset)
        signals = [arrival.decoded for arrival in arrivals if isinstance(arrival.decoded, Signal)]
        self._arrived.update(map(_kind_and_op, signals))
        outgoing = packed(
            told.items,
            channel=self._attributed,
            partition_of=lambda item: item_partition(item, partitions=self._partitions),
            partitions=self._partitions,
            origin=self._partition,
            after=told.after,
            upto=told.upto,
        )
        rejections = told.rejections if self._pseudonyms is None else list(map(without_words, told.rejections))
        self._refused += rejections
        outgoing += [Outgoing(self._rejections, refused.reason.encode(), _to_json(refused)) for refused in rejections]
        for late in told.late:
            key = conversation_of(late.signal).encode()
            outgoing.append(Outgoing(self._late, key, _to_json(late), timestamp_ms=late.signal.at))
        return outgoing

    def report(self, metrics: Metrics) -> None:
        """Tell the metrics what became of the input since the last report."""
        ledger = self.step.ledger
        for outcome in _OUTCOMES:
            more = getattr(ledger, outcome) - getattr(self._told, outcome)
            if more:
                metrics.count_records(self._signals, outcome=outcome, count=more)
                setattr(self._told, outcome, getattr(ledger, outcome))
        metrics.count_clamped(ledger.flagged - self._told.flagged)
        self._told.flagged = ledger.flagged
        metrics.count_signals(self._arrived)
        self._arrived.clear()
        for refused in self._refused:
            metrics.count_rejections(refused.reason)
        self._refused.clear()
        metrics.observe_partition(
            self._signals,
            self._partition,
            watermark_ms=self.step.clock.watermark_ms,
            reorder_buffer_records=len(self.step),
        )
        conversations = self.step.conversations
        metrics.set_cascades(self._partition, open=conversations.live, orphans=conversations.waiting)


def _hide(arrivals: list[Arrival], pseudonyms: Pseudonyms) -> None:
    """Put pseudonyms where names still are: in what somebody else wrote into this channel."""
    for number, arrival in enumerate(arrivals):
        if isinstance(arrival.decoded, Signal):
            arrivals[number] = arrival._replace(decoded=pseudonyms.signal(arrival.decoded))
        elif isinstance(arrival.decoded, Erasure):
            arrivals[number] = arrival._replace(decoded=pseudonyms.erasures(arrival.decoded)[0])


def step_settings(settings: Settings) -> AttributeSettings:
    """Return the settings of the step."""
    clock = ClockSettings(lateness_ms=settings.lateness_ms, idle_ms=settings.source_idle_ms)
    return AttributeSettings(
        clock=clock,
        duplicate_ms=settings.duplicate_ms,
        changes_ms=settings.changes_ms,
        erased_ms=settings.erased_ms,
    )
