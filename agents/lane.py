"""Run one step on one input partition: recover, take batches, send what they told, checkpoint.

The order that makes the effect exactly-once (DESIGN.md §5): outputs sent and acknowledged, then changed rows and the
checkpoint row sent and acknowledged, then the input acknowledged. The port is all that is known of Kafka here, so
the same code runs under the simulator.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from agents.table import Change, Recovery, Table, TableError
from schemas.attributed import Position
from schemas.rows import ROW_VERSION, CheckpointRow

SLICE_RECORDS_MAX = 500
SLICE_BYTES_MAX = 128 * 1024
"""What one slice of a batch holds at most, but for its last record: some tens of milliseconds of work."""


class Fenced(Exception):
    """This worker no longer owns the partition: what it holds of it must not be written."""


class LaneBroken(Exception):
    """A lane was cut off in the middle of a batch or a checkpoint, so what it holds is no longer whole."""


class SendFailed(Exception):
    """The broker did not acknowledge records: which they were (`output` or `changelog`), how many, and the reason."""

    def __init__(self, destination: Literal["output", "changelog"], *, count: int, reason: BaseException) -> None:
        got = f"{type(reason).__name__}: {reason}"
        super().__init__(f"expected Kafka to acknowledge {count} more {destination} records, got {got}")
        self.destination: Literal["output", "changelog"] = destination
        self.count = count


class Record(NamedTuple):
    """One input record: its offset, its own timestamp and its bytes."""

    offset: int
    timestamp_ms: int | None
    value: bytes | None
    key: bytes | None = None


class Batch(NamedTuple):
    """The records of one fetched partition batch, in the order of their offsets.

    `begins` is the offset from which on these are all that the log holds; None where only the first record tells.
    """

    records: Sequence[Record]
    next_offset: int
    begins: int | None = None


def slices(batch: Batch) -> Iterator[Batch]:
    """Yield a batch in pieces small enough that taking one does not hold up the event loop.

    >>> batch = Batch([Record(offset, None, b"") for offset in range(1_200)], next_offset=1_300)
    >>> [(piece.records[0].offset, piece.next_offset) for piece in slices(batch)]
    [(0, 500), (500, 1000), (1000, 1300)]
    """
    records, start, size_bytes = batch.records, 0, 0
    for index, record in enumerate(records):
        if index > start and (index - start >= SLICE_RECORDS_MAX or size_bytes >= SLICE_BYTES_MAX):
            yield Batch(records[start:index], records[index - 1].offset + 1)
            start, size_bytes = index, 0
        size_bytes += len(record.value or b"")
    yield Batch(records[start:], batch.next_offset)


class Outgoing(NamedTuple):
    """One record to send. `partition` is None where the key decides."""

    channel: str
    key: bytes
    value: bytes | None
    partition: int | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Step(Protocol):
    """What a lane needs of a step in order to checkpoint it (`streams.steps`)."""

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call."""

    def resume(self) -> tuple[int, Position, bytes]:
        """Return offset, frontier and context of a checkpoint."""

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint."""


class Shell(Protocol):
    """A step with its inputs and outputs as bytes; what each agent file provides."""

    @property
    def name(self) -> str:
        """The name of the step, which its table must bear."""

    @property
    def step(self) -> Step:
        """The step itself."""

    def take(self, batch: Batch) -> list[Outgoing]:
        """Decode and advance; return what is to be sent, in order."""


TableRecord = tuple[int, bytes, bytes | None]
"""Offset, key and value of one record of a changelog."""

Sent = Sequence["asyncio.Future[object]"]
"""What acknowledges that records were sent: every one must be awaited before they count as written."""


class Port(Protocol):
    """What a lane needs of Kafka."""

    async def send(self, outgoing: Sequence[Outgoing]) -> Sent:
        """Hand records over in order; the futures resolve when the broker has acknowledged them."""

    async def append(self, channel: str, partition: int, changes: Sequence[Change]) -> int:
        """Write rows to one partition of a changelog, in order; return the offset behind the last of them.

        Raises `SendFailed` where the broker did not acknowledge.
        """

    def read_table(self, channel: str, partition: int, *, offset: int = 0) -> AsyncIterator[list[TableRecord]]:
        """Yield the records of one changelog partition from an offset to its end."""

    def fence(self) -> None:
        """Raise `Fenced` if this worker may not write any more."""

    def acknowledge(self, channel: str, partition: int, offset: int) -> None:
        """Say that every record before `offset` is settled."""

    async def give_way(self) -> None:
        """Let others do what is more urgent than the next slice of a batch; never waits for long."""


class LaneSettings(NamedTuple):
    """Where a lane reads and remembers: its channels, the numbers of partitions, the owner's generation and mark."""

    channel: str
    table_channel: str
    partition: int
    partitions: int
    origins: int
    generation: int
    channel_id: str = ""
    mark: int = 0


class Lane:
    """One step at work on one partition of its input."""

    def __init__(self, shell: Shell, port: Port, settings: LaneSettings) -> None:
        self.shell = shell
        self.port = port
        self.settings = settings
        self.next_offset = 0
        self.checkpoint_offset = 0
        self.checkpoint_at_s = time.monotonic()
        self.recovered_records = 0
        self.stale_records = 0
        self.rewound: tuple[int, int] | None = None
        """The offset that was asked for again, and the first that came instead, as long as that is so."""
        self._table: Table | None = None
        # Up to here the changelog holds nothing that this lane has not read or written itself.
        self._table_end = 0
        self._unacknowledged: list[asyncio.Future[object]] = []
        self._dirty = False
        self._is_mid_batch = False
        self._broken_by: BaseException | None = None
        # Batches are taken one after the other, and a checkpoint may come between the slices of one.
        self._arriving = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._checkpointing = asyncio.Lock()

    @property
    def rows(self) -> int:
        """Return how many rows the table holds."""
        return len(self._table) if self._table is not None else 0

    @property
    def size_bytes(self) -> int:
        """Return how many bytes the rows of the table are, with their keys."""
        return self._table.size_bytes if self._table is not None else 0

    @property
    def in_flight(self) -> int:
        """Return how many records were handed over since the last checkpoint."""
        return len(self._unacknowledged)

    @property
    def is_unsettled(self) -> bool:
        """Return whether something was taken that no checkpoint covers."""
        return self._dirty

    async def open(self) -> None:
        """Recover the table and put the step where its last checkpoint left it."""
        settings = self.settings
        recovery, self._table = await self._claim()
        self.recovered_records, self.stale_records = recovery.records, recovery.stale
        # What late writers wrote over must be written again before compaction takes it, also where no input comes; and
        # so must be what tells, once the claim itself has been compacted, whose checkpoints it passed over.
        self._dirty = recovery.records > 0
        checkpoint = recovery.checkpoint
        if checkpoint is not None:
            self.shell.step.restore(
                recovery.rows(),
                offset=checkpoint.offset,
                frontier=checkpoint.frontier,
                context=checkpoint.context,
            )
            self.next_offset = self.checkpoint_offset = checkpoint.offset
            # The owner before may have been cut off between its checkpoint and the commit.
            self.port.acknowledge(settings.channel, settings.partition, checkpoint.offset)

    async def go_on(self, port: Port) -> bool:
        """Go on in another generation of the group; False where the table must be read anew by another lane.

        Whoever had the partition in between has claimed its table before anything else. So where nothing of others lies
        behind what this lane has read or written, up to a claim of its own that it adds now, it holds all that reading
        the table would find, and what it took since.
        """
        async with self._checkpointing, self._taking:
            if self._table is None or self._is_mid_batch or self._broken_by is not None:
                return False
            self.port, self.rewound = port, None
            port.fence()
            is_alone = await self._append([self._table.claim()])
            port.fence()
            if is_alone:
                # What was noted to be committed went with the generation before.
                port.acknowledge(self.settings.channel, self.settings.partition, self.checkpoint_offset)
            return is_alone

    async def _claim(self) -> tuple[Recovery, Table]:
        """Recover the table and claim it, anew until nothing came between what was read and the claim."""
        settings = self.settings
        while True:
            recovery = await self._recover()
            self._refuse_other_shape(recovery)
            self.port.fence()
            table = Table(step=self.shell.name, generation=settings.generation, mark=settings.mark, recovery=recovery)
            is_alone = await self._append([table.claim()])
            self.port.fence()
            if is_alone:
                return recovery, table

    async def _append(self, changes: Sequence[Change]) -> bool:
        """Write to the changelog; return whether nobody else has since it was read or written to last."""
        channel, partition, begin = self.settings.table_channel, self.settings.partition, self._table_end
        self._table_end = await self.port.append(channel, partition, changes)
        if self._table_end == begin + len(changes):
            return True
        found: list[Change] = []
        async for records in self.port.read_table(channel, partition, offset=begin):
            found += [Change(key, value) for _, key, value in records]
            self._table_end = max(self._table_end, records[-1][0] + 1)
        # The offsets may also have a hole, or a request may have come twice, which changes nothing.
        return set(found) == set(changes) and dict(found) == dict(changes)

    async def _recover(self) -> Recovery:
        settings = self.settings
        reading: Recovery | None = Recovery(where=f"table {settings.table_channel}, partition {settings.partition}")
        while reading is not None:
            recovery = reading
            async for records in self.port.read_table(settings.table_channel, settings.partition):
                for _, key, value in records:
                    recovery.feed(key, value)
                self._table_end = records[-1][0] + 1
            reading = recovery.again()
        return recovery

    def _refuse_other_shape(self, recovery: Recovery) -> None:
        checkpoint, settings = recovery.checkpoint, self.settings
        if checkpoint is None:
            return
        # Where Kafka tells no id now, the one that was known stays; where it told none then, any will do.
        settings = self.settings = settings._replace(channel_id=settings.channel_id or checkpoint.channel_id)
        was_id = checkpoint.channel_id or settings.channel_id
        was = (checkpoint.step, checkpoint.partitions, checkpoint.origins, was_id)
        now = (self.shell.name, settings.partitions, settings.origins, settings.channel_id)
        if was != now:
            raise TableError(
                f"{recovery.where}: expected the state of (step, partitions, origins, channel id) = {now}, "
                f"got {was}; the channel was re-created or its partitions changed: replay into a new namespace"
            )

    async def take(self, batch: Batch) -> None:
        """Take a batch, slice by slice, and hand over what it told; records that were taken before are skipped."""
        async with self._arriving:
            for piece in slices(batch):
                if piece.next_offset > self.next_offset:
                    await self.port.give_way()
                    async with self._taking:
                        await self._take(piece)

    async def _take(self, batch: Batch) -> None:
        records = batch.records
        if records and records[0].offset < self.next_offset:
            records = [record for record in records if record.offset >= self.next_offset]
        self.port.fence()
        self._refuse_broken()
        # Cut off from here on, the step would be ahead of what it told.
        self._is_mid_batch = True
        outgoing = self.shell.take(Batch(records, batch.next_offset))
        self.next_offset = batch.next_offset
        self._dirty = True
        if outgoing:
            self._unacknowledged.extend(await self.port.send(outgoing))
        self._is_mid_batch = False

    def _refuse_broken(self) -> None:
        if isinstance(self._broken_by, Fenced):
            raise Fenced(f"the lane was fenced before: {self._broken_by}")
        if self._is_mid_batch or self._broken_by is not None:
            raise LaneBroken(
                f"{self.settings.channel}[{self.settings.partition}]: expected a lane whose last batch and checkpoint "
                f"were finished, got one that was cut off ({self._broken_by or 'in a batch'}); it must be opened anew"
            ) from self._broken_by

    async def checkpoint(self) -> bool:
        """Make what was taken so far durable and acknowledge its input; False if there was nothing new.

        Batches that are taken while this waits for the broker belong to the next checkpoint. Raises `Fenced` where
        the partition has another owner, `SendFailed` where the broker did not acknowledge: then the lane is done for.
        """
        async with self._checkpointing:
            async with self._taking:
                if not self._dirty or self._table is None:
                    return False
                self._refuse_broken()
                self._dirty = False
                # Rows, offset and the outputs behind them are taken at one moment: nothing is awaited in between.
                changes = self._table.changes(self.shell.step.changed_rows())
                offset, frontier, context = self.shell.step.resume()
                changes.append(self._table.checkpoint(self._checkpoint_row(offset, frontier, context)))
                unacknowledged, self._unacknowledged = self._unacknowledged, []
            try:
                await self._write(changes, behind=unacknowledged)
            except BaseException as reason:
                # The changes were taken from the step, so no later checkpoint would be whole without them.
                self._broken_by = reason
                raise
            self.checkpoint_offset = offset
            self.checkpoint_at_s = time.monotonic()
            self.port.acknowledge(self.settings.channel, self.settings.partition, offset)
            return True

    async def _write(self, changes: Sequence[Change], *, behind: Sent) -> None:
        """Write the records of a checkpoint once the outputs behind it are acknowledged, and wait until they are."""
        await acknowledged("output", behind)
        self.port.fence()
        is_alone = await self._append(changes)
        self.port.fence()
        if not is_alone:
            # By a claim of another owner, what was written may not count; what a late writer wrote over must be written
            # again before compaction takes it. To open the table anew does both.
            where = f"{self.settings.table_channel}[{self.settings.partition}]"
            raise Fenced(f"expected nobody else to write to {where}, found records of others; it is opened anew")

    def _checkpoint_row(self, offset: int, frontier: Position, context: bytes) -> CheckpointRow:
        return CheckpointRow(
            version=ROW_VERSION,
            step=self.shell.name,
            epoch=0,
            seq=0,
            offset=offset,
            frontier=frontier,
            context=context,
            partitions=self.settings.partitions,
            origins=self.settings.origins,
            epochs=(),
            channel_id=self.settings.channel_id,
        )

    async def settle(self) -> None:
        """Wait until nothing that was handed over is under way any more, whatever became of it."""
        async with self._checkpointing, self._taking:
            # What failed still has to fail the next checkpoint, if there is one.
            if self._unacknowledged:
                await asyncio.wait(self._unacknowledged)


async def acknowledged(destination: Literal["output", "changelog"], sent: Sent) -> list[object]:
    """Wait until the broker has acknowledged everything and return how; raises `SendFailed` where it has not."""
    results = await asyncio.gather(*sent, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        raise SendFailed(destination, count=len(failed), reason=failed[0]) from failed[0]
    return results
