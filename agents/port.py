"""Give a lane its view of Kafka: one partition's sends, rows and acknowledgements, fenced by the group's generation."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aiokafka import AIOKafkaProducer

from agents.broker import append_rows, read_partition, send_all
from agents.lane import Fenced, Outgoing, Sent, TableRecord
from agents.settings import Settings
from agents.table import Change


class KafkaPort:
    """The port of the lanes that were opened in one generation of the consumer group.

    `generation_now` tells the present generation, or None while the group is rebalancing; `acknowledged` is told which
    input is settled; `give_way` waits where something else of this worker is more urgent than the next slice of a
    batch; `now_ms` is the wall clock, for the timestamps of rows.
    """

    def __init__(
        self,
        settings: Settings,
        producer: AIOKafkaProducer,
        *,
        generation: int,
        generation_now: Callable[[], int | None],
        acknowledged: Callable[[str, int, int], None],
        give_way: Callable[[], Awaitable[None]],
        now_ms: Callable[[], int],
    ) -> None:
        self.settings = settings
        self.producer = producer
        self.generation = generation
        self._generation_now = generation_now
        self._acknowledged = acknowledged
        self._give_way = give_way
        self._now_ms = now_ms

    async def send(self, outgoing: Sequence[Outgoing]) -> Sent:
        """Hand records over in order."""
        return await send_all(self.producer, outgoing)

    async def append(self, channel: str, partition: int, changes: Sequence[Change]) -> int:
        """Write rows to one partition of a changelog; return the offset behind the last of them."""
        return await append_rows(
            self.producer, channel=channel, partition=partition, changes=changes, timestamp_ms=self._now_ms()
        )

    async def read_table(self, channel: str, partition: int, *, offset: int = 0) -> AsyncIterator[list[TableRecord]]:
        """Yield one changelog partition from an offset to its end."""
        # The beginning may have another offset than 0, where retention or compaction took the first records.
        async for records in read_partition(self.settings, channel=channel, partition=partition, offset=offset or None):
            yield [(record.offset, record.key, record.value) for record in records]

    def fence(self) -> None:
        """Raise `Fenced` once the group has moved on from the generation of this port."""
        now = self._generation_now()
        if now != self.generation:
            raise Fenced(f"expected generation {self.generation} of the group, got {now}")

    def acknowledge(self, channel: str, partition: int, offset: int) -> None:
        """Say that every record before `offset` is settled."""
        self._acknowledged(channel, partition, offset)

    async def give_way(self) -> None:
        """Let others do what is more urgent than the next slice of a batch."""
        await self._give_way()
