"""Run the lanes of one agent: open them as partitions come, feed them batches, checkpoint them, drop them as they go."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from agents.lane import Batch, Fenced, Lane, LaneSettings, Shell
from agents.metrics import Metrics, TableName
from agents.port import KafkaPort
from agents.settings import Settings
from schemas.channels import ChannelSpec, named

logger = logging.getLogger("overgrowth")


class Group(Protocol):
    """What a runner needs to know of the consumer group and may ask of it."""

    def generation(self) -> int | None:
        """Return the present generation, None while the group is rebalancing."""

    def port(self, generation: int) -> KafkaPort:
        """Return a port for lanes of this generation."""

    async def rewind(self, channel: str, partition: int, offset: int) -> None:
        """Have the partition delivered again from `offset` on."""

    async def earliest(self, channel: str, partition: int) -> int:
        """Return the first offset that the partition still holds."""


class AgentShell(Shell, Protocol):
    """A shell that also reports to the metrics."""

    def report(self, metrics: Metrics) -> None:
        """Tell the metrics what became of the input since the last report."""


class Runner:
    """The lanes of one agent on this worker, one for each partition that it owns."""

    def __init__(
        self,
        *,
        settings: Settings,
        group: Group,
        metrics: Metrics,
        source: ChannelSpec,
        table: ChannelSpec,
        table_name: TableName,
        make_shell: Callable[[int], AgentShell],
    ) -> None:
        self.settings = settings
        self.channel = named(source, namespace=settings.namespace)
        self.table_channel = named(table, namespace=settings.namespace)
        self.table_name: TableName = table_name
        self.lanes: dict[int, Lane] = {}
        self.recovering = 0
        self._group = group
        self._metrics = metrics
        self._make_shell = make_shell
        self._shells: dict[int, AgentShell] = {}
        self._leaving: list[Lane] = []

    async def take(self, partition: int, batch: Batch, *, end_offset: int | None) -> None:
        """Feed one fetched batch to the lane of its partition, opening it first where need be."""
        try:
            lane = self.lanes.get(partition) or await self._open(partition)
            if await self._skips_something(lane, partition, batch):
                return
            await lane.take(batch)
        except Fenced as reason:
            logger.info("%s[%d]: a batch was left to the next owner (%s)", self.channel, partition, reason)
            return
        self._report(partition, lane, end_offset)

    async def _open(self, partition: int) -> Lane:
        generation = self._group.generation()
        if generation is None:
            raise Fenced("the group is rebalancing")
        self.recovering += 1
        begun_s = time.monotonic()
        try:
            # What an earlier lane of ours handed over must have arrived before its changelog is read.
            for earlier in self._leaving:
                await earlier.settle()
            self._leaving.clear()
            shell = self._make_shell(partition)
            lane = Lane(
                shell,
                self._group.port(generation),
                LaneSettings(
                    channel=self.channel,
                    table_channel=self.table_channel,
                    partition=partition,
                    partitions=self.settings.partitions,
                    origins=self.settings.partitions,
                    generation=generation,
                ),
            )
            await lane.open()
        finally:
            self.recovering -= 1
        duration_s = time.monotonic() - begun_s
        self._metrics.observe_recovery(duration_s=duration_s)
        self.lanes[partition], self._shells[partition] = lane, shell
        logger.info(
            "%s[%d]: opened at offset %d, %d records of %s read in %.2f s, %d of former owners ignored",
            self.channel,
            partition,
            lane.next_offset,
            lane.recovered_records,
            self.table_channel,
            duration_s,
            lane.stale_records,
        )
        return lane

    async def _skips_something(self, lane: Lane, partition: int, batch: Batch) -> bool:
        """Say whether the batch begins behind what the lane needs next, and have it delivered again if so."""
        first = batch.records[0].offset
        if first <= lane.next_offset:
            return False
        earliest = await self._group.earliest(self.channel, partition)
        if earliest > lane.next_offset:
            logger.error(
                "%s[%d]: expected the record at offset %d, got %d as the first that Kafka still holds: "
                "%d records are lost to its retention; raise retention.ms, replay them from an archive",
                self.channel,
                partition,
                lane.next_offset,
                earliest,
                earliest - lane.next_offset,
            )
            return False
        if lane.rewound_from == first:
            # Delivered again, the log still goes on here: it has a hole of its own (a marker, a removed record).
            return False
        lane.rewound_from = first
        logger.warning("%s[%d]: rewound from %d to %d", self.channel, partition, first, lane.next_offset)
        await self._group.rewind(self.channel, partition, lane.next_offset)
        return True

    def _report(self, partition: int, lane: Lane, end_offset: int | None) -> None:
        self._shells[partition].report(self._metrics)
        self._metrics.observe_partition(
            self.channel, partition, applied_offset=lane.next_offset, end_offset=end_offset
        )
        self._metrics.observe_progress(now_s=time.time())

    async def checkpoint(self) -> None:
        """Checkpoint every lane that has something new."""
        lanes = list(self.lanes.items())
        done = await asyncio.gather(*(self._checkpoint(partition, lane) for partition, lane in lanes))
        if any(done):
            self._metrics.set_state_rows(self.table_name, sum(lane.rows for lane in self.lanes.values()))

    async def _checkpoint(self, partition: int, lane: Lane) -> bool:
        begun_s = time.monotonic()
        try:
            done = await lane.checkpoint()
        except Fenced as reason:
            logger.info("%s[%d]: a checkpoint was left to the next owner (%s)", self.channel, partition, reason)
            return False
        if done:
            self._metrics.observe_checkpoint(duration_s=time.monotonic() - begun_s, now_s=time.time())
            self._metrics.observe_partition(self.channel, partition, checkpoint_offset=lane.checkpoint_offset)
        return done

    def leave(self) -> None:
        """Drop every lane: the group is about to share its partitions out anew."""
        for partition in self.lanes:
            self._metrics.drop_partition(self.channel, partition)
        self._leaving.extend(self.lanes.values())
        self.lanes.clear()
        self._shells.clear()

    def status(self) -> dict[str, Any]:
        """Return what the readiness probe wants to know."""
        return {"channel": self.channel, "partitions": sorted(self.lanes), "recovering": self.recovering}
