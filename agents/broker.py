"""Talk to Kafka on our own behalf: create and check channels, send records and rows, read a partition to its end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.partitioner import murmur2

from agents.access import ACLS, kafka_options, why_refused
from agents.lane import Outgoing, Sent, acknowledged
from agents.settings import Settings
from agents.table import Change
from schemas.channels import CHANNELS, ChannelSpec, named, raw_channel

BATCH_BYTES_MAX = 512 * 1024
REQUEST_BYTES_MAX = 2 * 1024 * 1024
NOT_ALLOWED = 29
"""Kafka's error code TOPIC_AUTHORIZATION_FAILED."""
_QUIET_POLLS_MAX = 200
_POLL_MS = 50
_FOLLOW_POLL_MS = 1_000
_FETCH_WAIT_MS = 50


class BrokerError(Exception):
    """Kafka cannot be used: one line that says what was expected, what came and what to do."""


def unreachable(url: str, error: object) -> BrokerError:
    """Return the error for a broker that does not answer."""
    return BrokerError(
        f"Kafka: expected a broker at {url}, got {type(error).__name__}: {error}; "
        "start one with `overgrowth stack up`, or set OVERGROWTH_KAFKA"
    )


async def refused_by_kafka(settings: Settings, error: Exception) -> BrokerError:
    """Return the error for a Kafka that does not let us do what we need, with the reason where one can be found."""
    reason = await why_refused(settings, error)
    return unreachable(settings.kafka, error) if reason is None else BrokerError(f"Kafka: {reason}")


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the options that every client of ours has in common."""
    return {
        "bootstrap_servers": settings.kafka,
        "request_timeout_ms": 30_000,
        "client_id": f"overgrowth-{settings.group}",
        **kafka_options(settings),
    }


def partition_of(key: bytes, *, partitions: int) -> int:
    """Return the partition that Kafka's own producers choose for a key.

    >>> partition_of(b"foobar", partitions=4)
    2
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


async def start_producer(settings: Settings) -> AIOKafkaProducer:
    """Return a started producer whose records count once all replicas have them."""
    # Not idempotent on purpose: readers of packets drop repetitions and refuse gaps by position, other readers drop
    # repetitions by id, and brokers without producer ids work as well.
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        compression_type=settings.compression or None,
        linger_ms=2,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
    )
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await producer.stop()
        raise await refused_by_kafka(settings, error) from None
    return producer


async def send_all(producer: AIOKafkaProducer, outgoing: Sequence[Outgoing]) -> Sent:
    """Hand records over in order and return what acknowledges them."""
    futures = []
    for record in outgoing:
        futures.append(
            await producer.send(
                record.channel,
                value=record.value,
                key=record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers),
            )
        )
    return futures


async def append_rows(
    producer: AIOKafkaProducer, *, channel: str, partition: int, changes: Sequence[Change], timestamp_ms: int
) -> int:
    """Append rows, at least one, to one partition as whole record batches; return the offset behind the last of them.

    Kafka takes a record batch as a whole or not at all. The last one holds the checkpoint row, which would make rows
    count that never arrived: so it is sent once all others are acknowledged.
    """
    batches = [producer.create_batch()]
    for change in changes:
        if batches[-1].append(key=change.key, value=change.value, timestamp=timestamp_ms) is None:
            # The first row of a batch is taken at any size; rows are small, so that is no matter (schemas/rows.py).
            batches.append(producer.create_batch())
            batches[-1].append(key=change.key, value=change.value, timestamp=timestamp_ms)
    *first, last = batches
    await acknowledged("changelog", [await producer.send_batch(batch, channel, partition=partition) for batch in first])
    written: Any
    (written,) = await acknowledged("changelog", [await producer.send_batch(last, channel, partition=partition)])
    return int(written.offset + last.record_count())


async def read_partition(
    settings: Settings, *, channel: str, partition: int, offset: int | None = None
) -> AsyncIterator[list[Any]]:
    """Yield the records of one partition in batches, from `offset` or the beginning up to its end.

    The end is the high watermark that the fetch responses carry: asking for the latest offset is answered wrongly by
    the embedded broker, and a compacted tail has no last record to wait for.
    """
    consumer = reader(settings)
    tp = TopicPartition(channel, partition)
    try:
        await _begin_at(consumer, tp, offset)
        quiet_polls = 0
        while True:
            fetched = await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=20_000)
            records = fetched.get(tp, [])
            if records:
                quiet_polls = 0
                yield records
            end = consumer.highwater(tp)
            if end is not None and await consumer.position(tp) >= end:
                return
            quiet_polls += not records
            if quiet_polls > _QUIET_POLLS_MAX:
                quiet_s = _QUIET_POLLS_MAX * _POLL_MS / 1000
                raise BrokerError(
                    f"channel {channel}, partition {partition}: expected records up to offset {end}, "
                    f"got none for {quiet_s:.0f} s after {await consumer.position(tp)}; is Kafka well?"
                )
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await consumer.stop()


async def read_end(settings: Settings, *, channel: str, partition: int) -> int:
    """Return the offset behind the last record of a partition: the high watermark of a fetch; raises `BrokerError`."""
    consumer = reader(settings)
    tp = TopicPartition(channel, partition)
    try:
        await _begin_at(consumer, tp, None)
        for _ in range(_QUIET_POLLS_MAX):
            await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=1)
            end = consumer.highwater(tp)
            if end is not None:
                return int(end)
        raise BrokerError(f"channel {channel}, partition {partition}: expected its end, got no answer; is Kafka well?")
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await consumer.stop()


async def follow_partition(
    settings: Settings, *, channel: str, partition: int, offset: int | None = None
) -> AsyncIterator[list[Any]]:
    """Yield the records of one partition as they come, from `offset` or the beginning on, for ever."""
    consumer = reader(settings)
    tp = TopicPartition(channel, partition)
    try:
        await _begin_at(consumer, tp, offset)
        while True:
            fetched = await consumer.getmany(tp, timeout_ms=_FOLLOW_POLL_MS, max_records=20_000)
            if records := fetched.get(tp):
                yield records
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await consumer.stop()


def reader(settings: Settings) -> AIOKafkaConsumer:
    """Return a consumer that belongs to no group."""
    return AIOKafkaConsumer(
        **client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        check_crcs=False,
    )


async def _begin_at(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int | None) -> None:
    await consumer.start()
    consumer.assign([tp])
    if offset is None:
        await consumer.seek_to_beginning(tp)
    else:
        consumer.seek(tp, offset)


def channel_specs(settings: Settings) -> list[ChannelSpec]:
    """Return every channel of an installation."""
    return [*CHANNELS, *(raw_channel(network) for network in settings.raw_networks)]


def channel_config(spec: ChannelSpec, settings: Settings) -> dict[str, str]:
    """Return the Kafka settings that a channel is created with in this installation."""
    # With three copies or more, an acknowledgement is to mean that two brokers have the record.
    durability = {"min.insync.replicas": "2"} if settings.replication > 2 else {}
    return spec.config(replay=bool(settings.namespace)) | durability


async def create_channels(settings: Settings, specs: Sequence[ChannelSpec] | None = None) -> list[str]:
    """Create the channels that are missing, with our settings, and return which these were.

    Refuses channels with other numbers of partitions, and missing ones where workers are not to create any
    (`Settings.create_channels`). `specs` are all of an installation, or those that are named.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        wanted = {named(spec, namespace=settings.namespace): spec for spec in (specs or channel_specs(settings))}
        present = set(await admin.list_topics())
        missing = [
            NewTopic(
                name,
                num_partitions=spec.partitions or settings.partitions,
                replication_factor=settings.replication,
                topic_configs=channel_config(spec, settings),
            )
            for name, spec in wanted.items()
            if name not in present
        ]
        if missing:
            _refuse_missing(missing, settings)
            await _create(admin, missing)
        await _check_partitions(admin, wanted, settings)
        return [channel.name for channel in missing]
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await admin.close()


def _refuse_missing(missing: list[NewTopic], settings: Settings) -> None:
    if not settings.create_channels:
        names = ", ".join(channel.name for channel in missing)
        raise BrokerError(
            f"channels: expected all of them at {settings.kafka}, got none of the name {names}; run "
            "`overgrowth channels apply` with the right to create them, or set OVERGROWTH_CREATE_CHANNELS=true"
        )


async def _create(admin: AIOKafkaAdminClient, missing: list[NewTopic]) -> None:
    try:
        answer = await admin.create_topics(missing)
    except TopicAlreadyExistsError:
        return
    for name, code, *rest in getattr(answer, "topic_errors", []):
        if code == NOT_ALLOWED:
            raise BrokerError(
                f"channel {name}: expected to be allowed to create it, which is missing, got a refusal; "
                f"run `overgrowth channels apply` as the principal that {ACLS} has for it"
            )
        # 36: another worker that starts at the same time was first, which is as good.
        if code not in (0, 36):
            raise BrokerError(f"channel {name}: expected Kafka to create it, got error {code} {rest[:1]}")


async def _check_partitions(admin: AIOKafkaAdminClient, wanted: dict[str, ChannelSpec], settings: Settings) -> None:
    for _ in range(50):
        described = {entry["topic"]: entry for entry in await admin.describe_topics(sorted(wanted))}
        found = {name: len(described.get(name, {}).get("partitions", ())) for name in wanted}
        if all(found.values()):
            break
        await asyncio.sleep(0.1)
    for name, spec in wanted.items():
        expected = spec.partitions or settings.partitions
        if found[name] != expected:
            raise BrokerError(
                f"channel {name}: expected {expected} partitions, got {found[name]}; "
                "set OVERGROWTH_PARTITIONS to the number it has, or use a new namespace"
            )
