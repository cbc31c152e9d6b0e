"""Read a span of a channel of signals as one log: all its partitions, up to the ends that they had at the start."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.broker import BrokerError, client_options, reader, refused_by_kafka
from agents.logs import LogError
from agents.normalize_signals import HEARTBEAT_PREFIX
from agents.settings import Settings
from schemas.channels import SIGNALS, raw_channel
from schemas.signal import FLAG_FUTURE, Erasure, Heartbeat, Signal, is_addressed
from streams.backtest import Entry
from streams.eventtime.clock import SKEW_MS_MAX, clamp_to_record
from streams.eventtime.merge import Copies, Merge
from streams.networks import NETWORKS, native
from streams.networks.refusal import Refusal

PREFIX = "kafka:"
"""What stands before the name of a channel where the name of a log is expected."""

_ENTRIES_MAX = 1_000
_RECORDS_MAX = 20_000
_POLL_MS = 100
_QUIET_POLLS_MAX = 300

Bounds = dict[int, tuple[int, int]]
"""Partition -> the offsets at which to begin and to end."""

_to_json = msgspec.json.Encoder().encode
_RAW = raw_channel("").name


class SourceChannel(NamedTuple):
    """A channel that signals can be read from: its full name, the namespace in it, and the format of its records.

    `is_raw` tells payloads as connectors deliver them from signals.
    """

    name: str
    namespace: str
    format: str
    is_raw: bool


def is_channel(log: str) -> bool:
    """Return whether the name of a log names a channel."""
    return log.startswith(PREFIX)


def source_channel(log: str) -> SourceChannel:
    """Return the channel that the name of a log means; raises `LogError` where it carries no signals.

    >>> source_channel("kafka:demo.social.raw.bluesky")
    SourceChannel(name='demo.social.raw.bluesky', namespace='demo', format='bluesky', is_raw=True)
    """
    name = log.removeprefix(PREFIX)
    namespace, _, rest = ("", "", name) if name.startswith("social.") else name.partition(".")
    if rest == SIGNALS.name:
        return SourceChannel(name, namespace, native.NAME, is_raw=False)
    network = rest.removeprefix(_RAW)
    if rest.startswith(_RAW) and network in NETWORKS:
        return SourceChannel(name, namespace, network, is_raw=True)
    networks = ", ".join(NETWORKS)
    raise LogError(
        f"{log}: expected {SIGNALS.name} or {_RAW}NETWORK (one of {networks}), with `NAMESPACE.` before it where it is "
        f"not the live one, got {name!r}"
    )


class ChannelSpan:
    """The records of a channel between the `bounds` of its partitions, merged by event time; read once through.

    What every partition was told counts once. Event times that lie too far in the future of their own record are
    replaced here, as a worker that reads the channel does, so that the record's own timestamp is not missed later.
    `ignored` counts records that are in order and say nothing of anybody.
    """

    def __init__(self, settings: Settings, source: SourceChannel, consumer: AIOKafkaConsumer, bounds: Bounds) -> None:
        self.source = source
        self.bounds = bounds
        self.records_read = 0
        self.ignored = 0
        self._settings = settings
        self._consumer = consumer
        self._normalize = NETWORKS[source.format].normalize
        # Connectors put all of a feed into one partition, heartbeats too; only signals have copies.
        self._copies = None if source.is_raw else Copies(len(bounds))

    @property
    def name(self) -> str:
        """The name of the channel."""
        return self.source.name

    @property
    def format(self) -> str:
        """The format of its records."""
        return self.source.format

    @property
    def identity(self) -> str:
        """What tells this source from others."""
        return PREFIX + self.source.name

    @property
    def done(self) -> float:
        """The share of the span that was read; channels may have gaps, which are never read."""
        return self.records_read / max(1, sum(max(0, end - begin) for begin, end in self.bounds.values()))

    @classmethod
    async def open(
        cls, settings: Settings, log: str, *, from_ms: int | None = None, offsets: Mapping[int, int] | None = None
    ) -> "ChannelSpan":
        """Return the span of a channel that begins at an event time or at offsets, and ends where the channel does now.

        Partitions that `offsets` does not name begin where they begin. Before `from_ms` there may still be records
        that are older: the broker knows the time of a record, not of what it carries.

        Raises `LogError` where the channel carries no signals, or the span holds nothing; `BrokerError`.
        """
        source = source_channel(log)
        partitions = await _partitions_of(settings, source)
        consumer = reader(settings)
        try:
            await consumer.start()
            bounds = await _bounds(consumer, source, partitions, from_ms=from_ms, offsets=offsets or {})
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise await refused_by_kafka(settings, error) from None
        except BaseException:
            await consumer.stop()
            raise
        return cls(settings, source, consumer, bounds)

    async def close(self) -> None:
        """Leave the channel."""
        await self._consumer.stop()

    async def again(self, bounds: Bounds) -> None:
        """Read between these bounds instead, before anything was read; raises `LogError` where they are gone."""
        await self._refuse_removed(bounds)
        self.bounds = bounds

    async def batches(self) -> AsyncIterator[list[Entry]]:
        """Yield what the records say, in batches; the numbers of the entries count the records of the span from 1 on.

        Raises `LogError` where records were removed before they were read, `BrokerError`.
        """
        begun = [partition for partition, (begin, end) in self.bounds.items() if begin < end]
        merge: Merge[tuple[int, list[_Said]]] = Merge(begun)
        try:
            for partition in begun:
                self._consumer.seek(TopicPartition(self.source.name, partition), self.bounds[partition][0])
            while starving := merge.starving():
                await self._fetch(merge, starving)
                for entries in self._taken(merge):
                    yield entries
        except (KafkaError, OSError) as error:
            raise await refused_by_kafka(self._settings, error) from None
        if self._copies is not None:
            yield [(self.records_read, _to_json(one), one) for one in self._copies.rest()]

    async def _fetch(self, merge: Merge[tuple[int, list["_Said"]]], partitions: list[int]) -> None:
        """Give the merge more of at least one of these partitions, or its end."""
        tps = [TopicPartition(self.source.name, partition) for partition in partitions]
        for _ in range(_QUIET_POLLS_MAX):
            expected = {tp: await self._consumer.position(tp) for tp in tps}
            fetched = await self._consumer.getmany(*tps, timeout_ms=_POLL_MS, max_records=_RECORDS_MAX)
            has_moved = False
            for tp in tps:
                begin, end = expected[tp], self.bounds[tp.partition][1]
                records = fetched.get(tp, [])
                if records and records[0].offset > begin:
                    await self._refuse_removed({tp.partition: (begin, end)})
                merge.add(tp.partition, [self._read(record) for record in records if record.offset < end])
                if await self._consumer.position(tp) >= end:
                    merge.end(tp.partition)
                    self._consumer.pause(tp)
                    has_moved = True
                has_moved |= bool(records)
            if has_moved:
                return
        quiet_s = _QUIET_POLLS_MAX * _POLL_MS / 1000
        raise BrokerError(
            f"channel {self.source.name}: expected more of partitions {partitions}, got nothing for {quiet_s:.0f} s; "
            "is Kafka well?"
        )

    def _read(self, record: Any) -> "tuple[int | None, tuple[int, list[_Said]]]":
        """Return how far event time comes with a record, its partition and what it says."""
        payload = record.value or b""
        record_ms = None if record.timestamp is None or record.timestamp < 0 else record.timestamp
        is_heartbeat = payload.startswith(HEARTBEAT_PREFIX)
        read = NETWORKS[native.NAME].normalize if is_heartbeat else self._normalize
        said = read(record.value, record_ms)
        if isinstance(said, Refusal):
            return None, (record.partition, [(payload, said)])
        clamped = [_clamped(payload, one, record_ms) for one in said]
        return max((one.at for one in said), default=None), (record.partition, clamped)

    def _taken(self, merge: Merge[tuple[int, list["_Said"]]]) -> Iterator[list[Entry]]:
        """Yield the entries of the records whose turn it is, in batches."""
        entries: list[Entry] = []
        for partition, record in merge.take():
            self.records_read += 1
            self.ignored += not record
            for payload, said in record:
                kept = (payload, said) if self._copies is None else _once(self._copies, partition, payload, said)
                if kept is not None:
                    entries.append((self.records_read, *kept))
            if len(entries) >= _ENTRIES_MAX:
                yield entries
                entries = []
        if entries:
            yield entries

    async def _refuse_removed(self, wanted: Bounds) -> None:
        """Raise `LogError` where a partition begins behind what is wanted of it; a gap within it is none of ours."""
        tps = [TopicPartition(self.source.name, partition) for partition in wanted]
        for tp, first in (await self._consumer.beginning_offsets(tps)).items():
            begin, end = wanted[tp.partition]
            if begin < min(first, end):
                raise LogError(
                    f"channel {self.source.name}, partition {tp.partition}: expected records from offset {begin} on, "
                    f"got none before {first}: they have been removed; begin later"
                )


_Said = tuple[bytes, Signal | Heartbeat | Erasure | Refusal]


def _clamped(payload: bytes, said: Signal | Heartbeat | Erasure, record_ms: int | None) -> _Said:
    at_ms, is_clamped = clamp_to_record(said.at, record_ms=record_ms)
    if not is_clamped:
        return payload, said
    said.at = at_ms
    if isinstance(said, Signal):
        said.flags = (*said.flags, FLAG_FUTURE)
    return _to_json(said), said


def _once(copies: Copies, partition: int, payload: bytes, said: Signal | Heartbeat | Erasure | Refusal) -> _Said | None:
    """Return what is to be taken of what a partition says, None where others say it too and it is not its turn."""
    if isinstance(said, Heartbeat):
        heard = copies.heard(partition, said)
        return None if heard is None else (_to_json(heard), heard)
    if isinstance(said, Refusal) or (isinstance(said, Signal) and is_addressed(said)):
        return payload, said
    if not copies.is_first(partition, said):
        return None
    return payload, said


async def _partitions_of(settings: Settings, source: SourceChannel) -> list[int]:
    """Return the partitions of a channel; raises `BrokerError` where there is no such channel."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        # All of them: to ask for one by its name would create it on a broker that creates what it is asked for.
        names = await admin.list_topics()
        described = await admin.describe_topics([source.name]) if source.name in names else []
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await admin.close()
    if not described:
        others = sorted(name for name in names if name.endswith(SIGNALS.name)) or ["none"]
        raise BrokerError(
            f"channel {source.name}: expected it at {settings.kafka}, got no such channel; "
            f"those of signals there are: {', '.join(others[:5])}"
        )
    return sorted(one["partition"] for one in described[0]["partitions"])


async def _bounds(
    consumer: AIOKafkaConsumer,
    source: SourceChannel,
    partitions: list[int],
    *,
    from_ms: int | None,
    offsets: Mapping[int, int],
) -> Bounds:
    """Return where each partition is to be read from, and its end as it is now."""
    tps = [TopicPartition(source.name, partition) for partition in partitions]
    consumer.assign(tps)
    first = await consumer.beginning_offsets(tps)
    await consumer.seek_to_beginning(*tps)
    ends = await _ends(consumer, source, tps)
    begins = {tp.partition: first[tp] for tp in tps}
    if from_ms is not None:
        # An event time lies that much ahead of its record's own timestamp at most.
        found = await consumer.offsets_for_times({tp: max(0, from_ms - SKEW_MS_MAX) for tp in tps})
        begins |= {tp.partition: ends[tp] if (at := found[tp]) is None else at.offset for tp in tps}
    for partition, offset in offsets.items():
        tp = TopicPartition(source.name, partition)
        if tp not in ends:
            raise LogError(f"channel {source.name}: expected partitions {partitions}, got {partition}:{offset}")
        if not first[tp] <= offset <= ends[tp]:
            raise LogError(
                f"channel {source.name}, partition {partition}: expected an offset from {first[tp]} to {ends[tp]}, "
                f"got {offset}"
            )
        begins[partition] = offset
    bounds = {tp.partition: (begins[tp.partition], ends[tp]) for tp in tps}
    if all(begin >= end for begin, end in bounds.values()):
        raise LogError(
            f"channel {source.name}: expected records in the span, got none: it ends before it, at "
            + ", ".join(f"{tp.partition}:{end}" for tp, end in ends.items())
        )
    return bounds


async def _ends(
    consumer: AIOKafkaConsumer, source: SourceChannel, tps: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return the offsets behind the last records: the high watermarks that fetch responses carry.

    To ask for the latest offset is answered wrongly by the embedded broker.
    """
    for _ in range(_QUIET_POLLS_MAX):
        await consumer.getmany(*tps, timeout_ms=_POLL_MS, max_records=1)
        ends = {tp: int(end) for tp in tps if (end := consumer.highwater(tp)) is not None}
        if len(ends) == len(tps):
            return ends
    raise BrokerError(f"channel {source.name}: expected the ends of its partitions, got no answer; is Kafka well?")
