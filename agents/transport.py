"""A Faust transport that hands an agent each fetched partition batch as one message.

Faust spends most of a plain agent's time on machinery per message, and its offset bookkeeping can commit past work that
was never done (gaps count their boundary twice, a failed event counts as done). Here a message is a whole fetched
batch, undecoded, and the committed offset of a partition is what its lane acknowledged after a checkpoint, nothing else.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Set
from typing import Any, ClassVar

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from agents.lane import Batch, Record


class FetchedBatch:
    """The records of one partition in one fetch, as aiokafka returned them; looks like one record to Faust."""

    __slots__ = ("headers", "key", "offset", "partition", "records", "timestamp", "timestamp_type", "topic")

    checksum = None
    serialized_key_size = 0
    serialized_value_size = 0

    def __init__(self, records: list[Any]) -> None:
        last = records[-1]
        self.topic: str = last.topic
        self.partition: int = last.partition
        self.offset: int = last.offset
        self.timestamp: int = last.timestamp
        self.timestamp_type: int = last.timestamp_type
        self.headers: tuple[()] = ()
        self.key: None = None
        self.records = records

    @property
    def value(self) -> "FetchedBatch":
        """Return the batch itself: it is what the message carries."""
        return self

    def batch(self) -> Batch:
        """Return the records in the shape that lanes take."""
        records = [Record(record.offset, record.timestamp, record.value) for record in self.records]
        return Batch(records, self.offset + 1)


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Wraps fetched records into batches and commits what lanes acknowledged."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settled: dict[TP, int] = {}

    async def _getmany(self, active_partitions: Set[TP] | None, timeout: float) -> Mapping[TP, list[FetchedBatch]]:
        fetched = await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        return {tp: [FetchedBatch(records)] for tp, records in (fetched or {}).items() if records}

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Say that every record of the partition before `offset` is settled; the next commit will tell Kafka."""
        self._settled[tp] = offset

    def ack(self, message: ConsumerMessage) -> bool:
        """Ignore what Faust acknowledges by itself: only lanes know what is settled."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore gaps: the next fetched batch says where the log goes on."""

    def _filter_tps_with_pending_acks(self, topics: Iterable[Any] | None = None) -> Iterator[TP]:
        wanted = None if topics is None else set(topics)
        return (tp for tp in list(self._settled) if wanted is None or tp in wanted or tp.topic in wanted)

    def _new_offset(self, tp: TP) -> int | None:
        return self._settled.get(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was settled: the next owner starts from its own checkpoint."""
        for tp in revoked:
            self._settled.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave out Faust's own progress check, which counts messages; lanes report progress to the metrics."""


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """The aiokafka transport with a consumer that hands over batches."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Keeps Faust's codecs away from fetched batches, so that no payload can fail in them."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """Return a decoder that wraps the message as it is."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode
