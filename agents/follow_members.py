"""Follow members: `social.attributed` -> `social.contributions`, one lane a partition of actors."""

from collections.abc import Callable

import msgspec

from agents.lane import Batch, Outgoing
from agents.metrics import Metrics
from agents.packing import contribution_partition, packed, unpack_attributed, unpacked
from agents.settings import Settings
from schemas.attributed import AttributedPacket
from schemas.channels import ATTRIBUTED, CONTRIBUTIONS, REJECTIONS, named
from schemas.rejection import Rejection
from streams.attribution.matcher import Registry
from streams.steps.follow import NAME, FollowStep

_to_json = msgspec.json.Encoder().encode


class FollowShell:
    """The step on one partition of `social.attributed`, with its inputs and outputs as bytes."""

    name = NAME

    def __init__(self, settings: Settings, registry: Callable[[], Registry], partition: int) -> None:
        self._registry = registry
        self._partition = partition
        self._partitions = settings.partitions
        self._attributed = named(ATTRIBUTED, namespace=settings.namespace)
        self._contributions = named(CONTRIBUTIONS, namespace=settings.namespace)
        self._rejections = named(REJECTIONS, namespace=settings.namespace)
        self._applied = self._gaps = 0
        self._refused: list[Rejection] = []
        self.step = FollowStep(registry(), origins=settings.partitions, changes_ms=settings.changes_ms)

    def take(self, batch: Batch) -> list[Outgoing]:
        """Unpack a batch, advance, and return packets for every partition of topics."""
        self.step.registry = self._registry()
        came = unpacked(batch, self._unpack, channel=self._attributed, partition=self._partition)
        told = self.step.advance(came.packets, next_offset=batch.next_offset)
        outgoing = packed(
            told.items,
            channel=self._contributions,
            partition_of=lambda item: contribution_partition(item, partitions=self._partitions),
            partitions=self._partitions,
            origin=self._partition,
            after=told.after,
            upto=told.upto,
        )
        self._refused += came.rejections
        outgoing += [
            Outgoing(self._rejections, refused.reason.encode(), _to_json(refused)) for refused in came.rejections
        ]
        return outgoing

    def _unpack(self, value: bytes) -> AttributedPacket:
        return unpack_attributed(value, origins=self._partitions)

    def report(self, metrics: Metrics) -> None:
        """Tell the metrics what became of the input since the last report."""
        metrics.count_records(self._attributed, outcome="applied", count=self.step.applied - self._applied)
        self._applied = self.step.applied
        metrics.count_packet_gaps(self._attributed, count=self.step.gaps - self._gaps)
        self._gaps = self.step.gaps
        metrics.count_records(self._attributed, outcome="rejected", count=len(self._refused))
        for refused in self._refused:
            metrics.count_rejections(refused.reason)
        self._refused.clear()
        metrics.observe_partition(
            self._attributed,
            self._partition,
            watermark_ms=self.step.frontier[0],
            reorder_buffer_records=len(self.step),
        )
