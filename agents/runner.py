"""Run the lanes of one agent: open them as partitions come, feed and checkpoint them, drop them as they go."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from agents.lane import Batch, Fenced, Lane, LaneSettings, Port, SendFailed, Shell
from agents.metrics import Metrics
from agents.partition_metrics import TableName
from agents.settings import Settings
from agents.table import TableError
from schemas.channels import ChannelSpec, named

logger = logging.getLogger("overgrowth")


class Group(Protocol):
    """What a runner needs to know of the consumer group and may ask of it."""

    def generation(self) -> int | None:
        """Return the present generation, None while the group is rebalancing."""

    def owns(self, channel: str, partition: int) -> bool:
        """Return whether this worker owns a partition in the present generation."""

    def port(self, generation: int) -> Port:
        """Return a port for lanes of this generation."""

    def mark(self) -> int:
        """Return a number below 2 ** `MARK_BITS` for one lane, which those of other workers hardly share."""

    async def channel_id(self, channel: str) -> str:
        """Return the id that Kafka has given a channel, empty where it tells none."""

    async def rewind(self, channel: str, partition: int, offset: int) -> None:
        """Have the partition delivered again from `offset` on."""

    async def earliest(self, channel: str, partition: int) -> int:
        """Return the first offset that the partition still holds."""

    async def end(self, channel: str, partition: int) -> int:
        """Return the offset behind the last record of the partition, looked up anew."""


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
        # The lanes of the generation before, whose partitions may come back to us.
        self._kept: dict[int, tuple[Lane, AgentShell]] = {}
        # Partitions whose lane was dropped and whose input goes on behind what the lane took, unless it is rewound.
        self._to_rewind: set[int] = set()
        self._opening = asyncio.Lock()

    async def take(self, partition: int, batch: Batch, *, end_offset: int | None) -> None:
        """Feed one fetched batch to the lane of its partition, opening it first where need be."""
        lane = None
        try:
            lane = await self._lane(partition)
            await self._refuse_shorter_channel(lane, partition, end_offset)
            if await self._skips_something(lane, partition, batch):
                return
            await lane.take(batch)
        except Fenced as reason:
            logger.info("%s[%d]: a batch was left to the next owner (%s)", self.channel, partition, reason)
            self._drop_fenced(partition, lane)
            return
        self._report(partition, lane, end_offset)

    async def _lane(self, partition: int) -> Lane:
        if (lane := self.lanes.get(partition)) is not None:
            return lane
        async with self._opening:
            return self.lanes.get(partition) or await self._open(partition)

    def _drop_fenced(self, partition: int, lane: Lane | None) -> None:
        """Drop a lane that may not write any more, so that the partition is opened anew if it comes back to us.

        Where there was none yet, the batch may have come early, of a share that is ours from now on.
        """
        if lane is None:
            self._to_rewind.add(partition)
        elif self.lanes.get(partition) is lane:
            del self.lanes[partition], self._shells[partition]
            self._metrics.drop_partition(self.channel, partition)
            self._leaving.append(lane)
            self._to_rewind.add(partition)

    async def open_assigned(self, partitions: Iterable[int]) -> None:
        """Open the lanes of partitions that have sent no batch yet, so that what they settled before is committed.

        `partitions` are all of this worker: what is remembered of others is forgotten.
        """
        owned = set(partitions)
        try:
            async with self._opening:
                self._leaving += [self._kept.pop(partition)[0] for partition in sorted(self._kept.keys() - owned)]
                await self._settle_leaving()
            for partition in sorted(owned):
                await self._lane(partition)
        except Fenced as reason:
            logger.info("%s: opening was left to the next owner (%s)", self.channel, reason)

    async def _open(self, partition: int) -> Lane:
        generation = self._group.generation()
        if generation is None:
            raise Fenced("the group is rebalancing")
        if not self._group.owns(self.channel, partition):
            # The batch was fetched in a former generation: to claim the table would pass its owner over.
            raise Fenced(f"expected a partition of this worker in generation {generation}, got one of another")
        self.recovering += 1
        try:
            # Raises `Fenced` where the group moved on meanwhile, and is not interrupted after that.
            channel_id = await self._group.channel_id(self.channel)
            opened = await self._go_on(partition, generation, channel_id)
            opened = opened or await self._open_anew(partition, generation, channel_id)
        finally:
            self.recovering -= 1
        lane, shell = self.lanes[partition], self._shells[partition] = opened
        shell.report(self._metrics)
        self._metrics.observe_partition(
            self.channel, partition, applied_offset=lane.next_offset, checkpoint_offset=lane.checkpoint_offset
        )
        self._tell_table(partition, lane)
        if partition in self._to_rewind:
            await self._rewind_dropped(lane, partition)
        return lane

    async def _go_on(self, partition: int, generation: int, channel_id: str) -> tuple[Lane, AgentShell] | None:
        """Return the lane of the generation before if nobody else has had its partition since."""
        kept = self._kept.pop(partition, None)
        if kept is None:
            return None
        # Where it cannot go on, what it handed over must have arrived before its changelog is read.
        self._leaving.append(kept[0])
        is_same_channel = channel_id in ("", kept[0].settings.channel_id)
        if not (is_same_channel and await kept[0].go_on(self._group.port(generation))):
            return None
        self._leaving.remove(kept[0])
        logger.info("%s[%d]: goes on at offset %d, nobody else had it", self.channel, partition, kept[0].next_offset)
        return kept

    async def _open_anew(self, partition: int, generation: int, channel_id: str) -> tuple[Lane, AgentShell]:
        begun_s = time.monotonic()
        await self._settle_leaving()
        shell = self._make_shell(partition)
        lane = self._new_lane(shell, partition, generation, channel_id)
        await lane.open()
        duration_s = time.monotonic() - begun_s
        self._metrics.observe_recovery(duration_s=duration_s)
        self._metrics.count_stale(lane.stale_records)
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
        return lane, shell

    async def _settle_leaving(self) -> None:
        """Wait until what earlier lanes of ours handed over has arrived, and forget them."""
        for earlier in self._leaving:
            await earlier.settle()
        self._leaving.clear()

    async def _rewind_dropped(self, lane: Lane, partition: int) -> None:
        """Have all delivered again that the lane before had taken: nothing else may come that would show it missing."""
        earliest = await self._group.earliest(self.channel, partition)
        lane.port.fence()
        await self._group.rewind(self.channel, partition, max(lane.next_offset, earliest))
        self._to_rewind.discard(partition)

    def _new_lane(self, shell: Shell, partition: int, generation: int, channel_id: str) -> Lane:
        settings = LaneSettings(
            channel=self.channel,
            table_channel=self.table_channel,
            partition=partition,
            partitions=self.settings.partitions,
            origins=self.settings.partitions,
            generation=generation,
            channel_id=channel_id,
            mark=self._group.mark(),
        )
        return Lane(shell, self._group.port(generation), settings)

    async def _refuse_shorter_channel(self, lane: Lane, partition: int, end_offset: int | None) -> None:
        """Raise `TableError` where the channel ends before what the lane knows to be settled."""
        if end_offset is None or end_offset >= lane.checkpoint_offset:
            return
        # A worker that was paused knows the end of long ago, while another one has settled what came since.
        end_offset = await self._group.end(self.channel, partition)
        lane.port.fence()
        if end_offset < lane.checkpoint_offset:
            raise TableError(
                f"{self.channel}[{partition}]: expected the channel to reach offset {lane.checkpoint_offset}, which "
                f"{self.table_channel} has settled, got its end at {end_offset}: it was re-created or lost records; "
                "replay into a new namespace"
            )

    async def _skips_something(self, lane: Lane, partition: int, batch: Batch) -> bool:
        """Say whether the batch begins behind what the lane needs next, and have it delivered again if so."""
        first = batch.records[0].offset
        if first <= lane.next_offset:
            lane.rewound = None
            return False
        earliest = await self._group.earliest(self.channel, partition)
        lane.port.fence()
        if earliest > lane.next_offset:
            # A lane that has read nothing yet begins with what there is.
            if lane.next_offset > 0:
                self._tell_lost(partition, needed=lane.next_offset, earliest=earliest)
            lane.next_offset = earliest
        if first <= lane.next_offset or (batch.begins is not None and batch.begins <= lane.next_offset):
            return False
        if lane.rewound is None or lane.rewound[0] != lane.next_offset:
            logger.warning("%s[%d]: rewound from %d to %d", self.channel, partition, first, lane.next_offset)
            lane.rewound = (lane.next_offset, first)
        elif first <= lane.rewound[1] and batch.begins is None:
            # Delivered again, the log still goes on here: it has a hole of its own (a marker, a removed record). What
            # is known to begin behind what was asked for was fetched before, and tells nothing of that.
            return False
        # A batch from further behind was fetched before; nothing of it may be taken before what was asked for.
        await self._group.rewind(self.channel, partition, lane.next_offset)
        return True

    def _tell_lost(self, partition: int, *, needed: int, earliest: int) -> None:
        self._metrics.count_lost(self.channel, count=earliest - needed)
        logger.error(
            "%s[%d]: expected the record at offset %d, got %d as the first that Kafka still holds: "
            "%d records are lost to its retention; raise retention.ms, replay them from an archive",
            self.channel,
            partition,
            needed,
            earliest,
            earliest - needed,
        )

    def _report(self, partition: int, lane: Lane, end_offset: int | None) -> None:
        shell = self._shells.get(partition)
        if shell is None:
            # The group began to share its partitions out anew while the batch was sent.
            return
        shell.report(self._metrics)
        self._metrics.observe_partition(self.channel, partition, applied_offset=lane.next_offset, end_offset=end_offset)
        self._metrics.observe_progress(now_s=time.time())

    async def checkpoint(self) -> None:
        """Checkpoint every lane that has something new."""
        lanes = list(self.lanes.items())
        await asyncio.gather(*(self._checkpoint(partition, lane) for partition, lane in lanes))

    async def _checkpoint(self, partition: int, lane: Lane) -> None:
        begun_s = time.monotonic()
        try:
            done = await lane.checkpoint()
        except Fenced as reason:
            logger.info("%s[%d]: a checkpoint was left to the next owner (%s)", self.channel, partition, reason)
            self._drop_fenced(partition, lane)
            return
        except SendFailed as error:
            self._metrics.count_send_errors(error.destination, count=error.count)
            raise
        if done:
            self._metrics.observe_checkpoint(duration_s=time.monotonic() - begun_s, now_s=time.time())
            self._metrics.observe_partition(self.channel, partition, checkpoint_offset=lane.checkpoint_offset)
            self._tell_table(partition, lane)

    def _tell_table(self, partition: int, lane: Lane) -> None:
        self._metrics.set_table(self.table_name, partition, rows=lane.rows, size_bytes=lane.size_bytes)

    async def settle(self) -> None:
        """Wait until nothing is under way any more that the lanes handed over which were let go."""
        for lane in [*self._leaving, *(lane for lane, _ in self._kept.values())]:
            await lane.settle()

    def leave(self) -> None:
        """Let every lane go, for the group is about to share its partitions out anew; some may come back to us."""
        for partition, lane in self.lanes.items():
            self._metrics.drop_partition(self.channel, partition)
            self._kept[partition] = lane, self._shells[partition]
        self.lanes.clear()
        self._shells.clear()
        self._to_rewind.clear()
