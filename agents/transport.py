"""A Faust transport that hands an agent each fetched partition batch as one message.

Faust spends most of a plain agent's time on machinery per message, and its offset bookkeeping can commit past work that
was never done (gaps count their boundary twice, a failed event counts as done). Here a message is a whole fetched
batch, undecoded, and the committed offset of a partition is what its lane acknowledged after a checkpoint, no more.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

from agents.lane import Batch, Record
from agents.lease import Lease

FETCH_WAIT_MS = 100


class FetchedBatch:
    """The records of one partition in one fetch, as aiokafka returned them; looks like one record to Faust."""

    __slots__ = ("begins", "headers", "key", "offset", "partition", "records", "timestamp", "timestamp_type", "topic")

    checksum = None
    serialized_key_size = 0
    serialized_value_size = 0

    def __init__(self, records: list[Any], begins: int | None = None) -> None:
        last = records[-1]
        self.topic: str = last.topic
        self.partition: int = last.partition
        self.offset: int = last.offset
        self.timestamp: int = last.timestamp
        self.timestamp_type: int = last.timestamp_type
        self.headers: tuple[()] = ()
        self.key: None = None
        self.records = records
        self.begins = begins

    @property
    def value(self) -> "FetchedBatch":
        """Return the batch itself: it is what the message carries."""
        return self

    def batch(self) -> Batch:
        """Return the records in the shape that lanes take."""
        records = [Record(record.offset, record.timestamp, record.value, record.key) for record in self.records]
        return Batch(records, self.offset + 1, self.begins)


class _NothingRead(dict[TP, int | None]):
    """What Faust keeps as the last offset that it delivered: nothing, or it would drop what is delivered again.

    A rewound partition begins behind that offset on purpose; lanes skip what they have taken.
    """

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Keep nothing."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""


class PromptThread(driver.AIOKafkaConsumerThread):
    """The thread of the client, whose fetches ask the broker to wait less than Faust's 1.5 s for records.

    A broker may let a waiting fetch wait though records have come since, and an alert takes three hops. The transport's
    lease is told what the coordinator answers.
    """

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # It is read when the client starts, which is after this.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        if isinstance(transport, BatchTransport) and transport.lease is not None:
            transport.lease.listen(consumer._client)
        return consumer


class BatchConsumer(driver.Consumer):
    """Wraps fetched records into batches and commits what lanes acknowledged.

    `on_committed` is told every offset once Kafka has it.
    """

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return PromptThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_committed: Callable[[TP, int], None] = lambda tp, offset: None
        self._settled: dict[TP, int] = {}
        # Where the next fetch of a partition begins, as far as that is known, and how often that was moved.
        self._positions: dict[TP, int] = {}
        self._moves = 0
        self._read_offset = _NothingRead()

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109  (the signature is Faust's)
    ) -> Mapping[TP, list[FetchedBatch]]:
        moves = self._moves
        fetched = await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        batches = {}
        for tp, records in (fetched or {}).items():
            if records:
                begins = self._positions.pop(tp, None)
                batches[tp] = [FetchedBatch(records, begins if moves == self._moves else None)]
                if moves == self._moves:
                    self._positions[tp] = records[-1].offset + 1
        return batches

    async def _seek(self, partition: TP, offset: int) -> None:
        self._move({partition})
        await super()._seek(partition, offset)

    async def perform_seek(self) -> None:
        """Go back to the committed offsets."""
        self._move(set(self._positions))
        await super().perform_seek()
        self._move(set(self._positions))

    def _move(self, tps: set[TP]) -> None:
        """Take note that the next fetch of these partitions begins anywhere; what is being fetched may not know."""
        self._moves += 1
        for tp in tps:
            self._positions.pop(tp, None)

    def highwater(self, tp: TP) -> int | None:  # type: ignore[override]  # aiokafka's may be None, Faust forgot it
        """Return the end of a partition as the last fetch told it; None before that, and where it is not assigned."""
        # The client lives in a thread of its own, where the assignment may have changed since we were asked.
        try:
            end: int | None = super().highwater(tp)
        except (AssertionError, AttributeError):
            return None
        return end

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Say that every record of the partition before `offset` is settled; the next commit will tell Kafka.

        Of a partition that is not assigned any more nothing is noted: its owner reads it again.
        """
        if tp in self.assignment():
            self._settled[tp] = offset

    def ack(self, message: Message) -> bool:
        """Ignore what Faust acknowledges by itself: only lanes know what is settled."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore gaps: the next fetched batch says where the log goes on."""

    def _filter_tps_with_pending_acks(self, topics: Iterable[Any] | None = None) -> Iterator[TP]:
        wanted = None if topics is None else set(topics)
        return (tp for tp in list(self._settled) if wanted is None or tp in wanted or tp.topic in wanted)

    def _new_offset(self, tp: TP) -> int | None:
        return self._settled.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        committed = await super()._commit_offsets(offsets, start_new_transaction=start_new_transaction)
        if committed:
            for tp, offset in offsets.items():
                self.on_committed(tp, offset)
        else:
            # Faust takes a refused commit for done, and would not try again before there is something new.
            self._committed_offset.update(before)
        return committed

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was settled: the next owner starts from its own checkpoint."""
        self._move(revoked)
        for tp in revoked:
            self._settled.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave out Faust's own progress check, which counts messages; lanes report progress to the metrics."""


class BatchTransport(driver.Transport):
    """The aiokafka transport with a consumer that hands over batches."""

    lease: Lease | None = None
    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


class BatchSchema(faust.Schema[Any, Any]):
    """Keeps Faust's codecs away from fetched batches, so that no payload can fail in them."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """Return a decoder that wraps the message as it is."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode
