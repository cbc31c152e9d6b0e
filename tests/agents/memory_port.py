"""Stand in for Kafka and for a step in the tests of lanes: a log in memory that keeps the order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from agents.lane import Batch, Lane, LaneSettings, Outgoing, Record, Sent, TableRecord, acknowledged
from agents.table import Change, Recovery
from schemas.attributed import Position

CHANNEL = "numbers"
TABLE_CHANNEL = "table.numbers"
OUTPUT = "sums"


class Crash(Exception):
    """The process ends here."""


class MemoryLog:
    """What outlives a process: outputs, changelog, the input that is settled, and the order in which they came."""

    def __init__(self) -> None:
        self.outputs: list[Outgoing] = []
        self.changelog: list[Change] = []
        self.settled: list[int] = []
        self.events: list[str] = []

    def written(self) -> tuple[int, int, int]:
        """Return how much there is of everything."""
        return len(self.outputs), len(self.changelog), len(self.settled)

    def recovered(self) -> Recovery:
        """Return what a reader of the changelog finds."""
        recovery = Recovery(where="log")
        for key, value in self.changelog:
            recovery.feed(key, value)
        assert recovery.again() is None
        return recovery

    def told(self) -> dict[bytes, bytes | None]:
        """Return each output once, by its identity; asserts that what was sent again had the same bytes."""
        told: dict[bytes, bytes | None] = {}
        for outgoing in self.outputs:
            assert told.setdefault(outgoing.key, outgoing.value) == outgoing.value
        return told


class MemoryPort:
    """A port that writes to a `MemoryLog`; `reach` is told every place at which a process can end, and may raise."""

    def __init__(
        self,
        log: MemoryLog,
        *,
        reach: Callable[[str], None] = lambda place: None,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self.log = log
        self.gave_way = 0
        self.may_acknowledge = asyncio.Event()
        self.may_acknowledge.set()
        self._reach = reach
        self._fence = fence

    async def send(self, outgoing: Sequence[Outgoing]) -> Sent:
        """Write outputs one by one."""
        self.log.events.append("outputs sent")
        for record in outgoing:
            self._reach("output")
            self.log.outputs.append(record)
            await asyncio.sleep(0)
        return [asyncio.create_task(self._acknowledge("outputs acknowledged"))]

    async def append(self, channel: str, partition: int, changes: Sequence[Change]) -> int:
        """Write rows one by one."""
        assert (channel, partition) == (TABLE_CHANNEL, 0)
        self.log.events.append("rows sent")
        for change in changes:
            self._reach("row")
            self.log.changelog.append(change)
            await asyncio.sleep(0)
        end = len(self.log.changelog)
        await acknowledged("changelog", [asyncio.create_task(self._acknowledge("rows acknowledged"))])
        return end

    async def _acknowledge(self, event: str) -> None:
        """Acknowledge some turns of the event loop later, as a broker does."""
        for _ in range(5):
            await asyncio.sleep(0)
        await self.may_acknowledge.wait()
        self._reach(event)
        self.log.events.append(event)

    async def read_table(self, channel: str, partition: int, *, offset: int = 0) -> AsyncIterator[list[TableRecord]]:
        """Yield the changelog, a record at a time."""
        assert (channel, partition) == (TABLE_CHANNEL, 0)
        for number, (key, value) in list(enumerate(self.log.changelog))[offset:]:
            self._reach("read")
            yield [(number, key, value)]

    def fence(self) -> None:
        """Raise where the test wants it."""
        self._reach("fence")
        self._fence()

    def acknowledge(self, channel: str, partition: int, offset: int) -> None:
        """Note what is settled."""
        assert (channel, partition) == (CHANNEL, 0)
        self._reach("settle")
        self.log.settled.append(offset)
        self.log.events.append(f"input settled up to {offset}")

    async def give_way(self) -> None:
        """Give the loop a turn."""
        self.gave_way += 1
        await asyncio.sleep(0)


class AddingStep:
    """Adds up numbers by name: the smallest step with rows."""

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}
        self.next_offset = 0
        self._changed: dict[str, None] = {}

    def add(self, name: str, number: int) -> int:
        """Add a number and return the sum."""
        self.sums[name] = self.sums.get(name, 0) + number
        self._changed[name] = None
        return self.sums[name]

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the sums that changed."""
        changed, self._changed = self._changed, {}
        for name in changed:
            yield name, b"%d" % self.sums[name]

    def resume(self) -> tuple[int, Position, bytes]:
        """Return the offset to go on from."""
        return self.next_offset, (self.next_offset, ""), b"context"

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from sums."""
        assert (frontier, context) == ((offset, ""), b"context")
        self.sums = {name: int(value) for name, value in rows}
        self.next_offset = offset


class AddingShell:
    """Reads `name number` and tells every sum under the offset that led to it."""

    name = "adding"

    def __init__(self) -> None:
        self.step = AddingStep()
        self.taken: list[int] = []

    def take(self, batch: Batch) -> list[Outgoing]:
        """Add a batch."""
        outgoing = []
        for record in batch.records:
            name, number = (record.value or b"").decode().split()
            total = self.step.add(name, int(number))
            outgoing.append(Outgoing(OUTPUT, b"%d" % record.offset, b"%s %d" % (name.encode(), total)))
            self.taken.append(record.offset)
        self.step.next_offset = batch.next_offset
        return outgoing


def batch_of(first: int, *values: str) -> Batch:
    """Return a batch without gaps."""
    records = [Record(first + index, None, value.encode()) for index, value in enumerate(values)]
    return Batch(records, first + len(values))


SETTINGS = LaneSettings(
    channel=CHANNEL, table_channel=TABLE_CHANNEL, partition=0, partitions=4, origins=4, generation=1, channel_id="one"
)


async def opened(port: MemoryPort, settings: LaneSettings = SETTINGS) -> tuple[Lane, AddingShell]:
    """Return an open lane and its shell."""
    shell = AddingShell()
    lane = Lane(shell, port, settings)
    await lane.open()
    return lane, shell
