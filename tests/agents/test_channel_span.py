"""Check that a span of a real channel is read as one log: whole, in the order of time, up to its end at the start."""

import asyncio
import json

import msgspec
import pytest

from agents.broker import BrokerError, create_channels, send_all, start_producer
from agents.channel_span import ChannelSpan
from agents.lane import Outgoing
from agents.logs import LogError
from agents.settings import Settings
from schemas.channels import SIGNALS, ChannelSpec, named, raw_channel
from schemas.signal import FLAG_FUTURE, Heartbeat, Signal
from streams.backtest import Entry
from streams.networks.refusal import Refusal

pytestmark = pytest.mark.kafka

BEGIN_MS = 1_341_388_800_000
PARTITIONS = 3


@pytest.fixture
def settings(own_settings: Settings) -> Settings:
    """Return settings with a namespace of its own for each test, whose channels are there."""
    settings = msgspec.structs.replace(own_settings, partitions=PARTITIONS)
    asyncio.run(create_channels(settings))
    return settings


def record(
    settings: Settings, partition: int, value: bytes | None, *, at_ms: int, spec: ChannelSpec = SIGNALS
) -> Outgoing:
    """Return a record of a partition with its own timestamp."""
    return Outgoing(named(spec, namespace=settings.namespace), b"k", value, partition=partition, timestamp_ms=at_ms)


def signal(settings: Settings, partition: int, number: int, *, at_ms: int, op: str = "create") -> Outgoing:
    """Return a record of a signal, with its event time."""
    fields = {"id": f"t:{number}", "network": "t", "kind": "like", "at": at_ms, "actor": "a", "op": op}
    return record(settings, partition, json.dumps(fields).encode(), at_ms=at_ms)


def send(settings: Settings, records: list[Outgoing]) -> None:
    """Send records and wait until Kafka has them."""

    async def work() -> None:
        producer = await start_producer(settings)
        await asyncio.gather(*await send_all(producer, records))
        await producer.stop()

    asyncio.run(work())


def read(
    settings: Settings,
    spec: ChannelSpec = SIGNALS,
    *,
    from_ms: int | None = None,
    offsets: dict[int, int] | None = None,
    meanwhile: list[Outgoing] | None = None,
) -> list[Entry]:
    """Return the entries of a span; `meanwhile` is sent after it was opened."""

    async def work() -> list[Entry]:
        log = f"kafka:{named(spec, namespace=settings.namespace)}"
        span = await ChannelSpan.open(settings, log, from_ms=from_ms, offsets=offsets)
        try:
            if meanwhile:
                producer = await start_producer(settings)
                await asyncio.gather(*await send_all(producer, meanwhile))
                await producer.stop()
            found = [entry for batch in [batch async for batch in span.batches()] for entry in batch]
            assert span.done == 1.0
            return found
        finally:
            await span.close()

    return asyncio.run(work())


def ids(entries: list[Entry]) -> list[str]:
    """Return the ids of the signals among entries."""
    return [said.id for _, _, said in entries if isinstance(said, Signal)]


def test_the_partitions_come_as_one_log_in_the_order_of_time(settings: Settings) -> None:
    """Each signal once, with the bytes that it had, and numbered by its place."""
    sent = [signal(settings, number % PARTITIONS, number, at_ms=BEGIN_MS + number) for number in range(2_500)]
    send(settings, sent)

    found = read(settings)

    assert [payload for _, payload, _ in found] == [one.value for one in sent]
    assert [number for number, _, _ in found] == list(range(1, 2_501))


def test_what_comes_after_the_start_is_not_read(settings: Settings) -> None:
    """A live channel never ends; whoever reads it twice must be able to read the same."""
    send(settings, [signal(settings, 0, 1, at_ms=BEGIN_MS)])
    more = [signal(settings, partition, 2 + partition, at_ms=BEGIN_MS + 1) for partition in range(PARTITIONS)]

    assert ids(read(settings, meanwhile=more)) == ["t:1"]
    assert sorted(ids(read(settings))) == ["t:1", "t:2", "t:3", "t:4"]


def test_what_every_partition_was_told_counts_once(settings: Settings) -> None:
    """Sent on again, each copy would be multiplied by the partitions."""
    beat = json.dumps({"heartbeat": "s", "at": BEGIN_MS + 5}, separators=(",", ":")).encode()
    everywhere = [
        one
        for partition in range(PARTITIONS)
        for one in (
            signal(settings, partition, 100, at_ms=BEGIN_MS + 4, op="undo"),
            record(settings, partition, beat, at_ms=BEGIN_MS + 5),
        )
    ]
    send(settings, [signal(settings, 1, 1, at_ms=BEGIN_MS), *everywhere, record(settings, 2, b"?", at_ms=BEGIN_MS + 6)])

    found = [said for _, _, said in read(settings)]

    assert [said.id for said in found if isinstance(said, Signal)] == ["t:1", "t:100"]
    assert [said for said in found if isinstance(said, Heartbeat)] == [Heartbeat("s", BEGIN_MS + 5)]
    assert sum(isinstance(said, Refusal) for said in found) == 1


def test_a_time_and_offsets_say_where_it_begins(settings: Settings) -> None:
    """What happened after the time is whole, wherever the broker begins; offsets are exact."""
    for minute in range(6):
        send(settings, [signal(settings, minute % 2, minute, at_ms=BEGIN_MS + minute * 60_000)])

    since = [one for one in read(settings, from_ms=BEGIN_MS + 300_000) if isinstance(one[2], Signal)]

    # The embedded broker finds no better place than the beginning; what is too early is left out by who reads it.
    assert "t:5" in ids(since)
    assert ids(read(settings, offsets={0: 2, 1: 1})) == ["t:3", "t:4", "t:5"]


def test_a_time_ahead_of_its_own_record_is_replaced_as_a_worker_does(settings: Settings) -> None:
    """One wrong clock must not race through the replay that did not live."""
    wrong = signal(settings, 0, 1, at_ms=BEGIN_MS + 86_400_000)._replace(timestamp_ms=BEGIN_MS)
    send(settings, [wrong, signal(settings, 1, 2, at_ms=BEGIN_MS + 1)])

    first, second = (entry for entry in read(settings) if isinstance(entry[2], Signal))

    assert isinstance(first[2], Signal)
    assert (first[2].id, first[2].at, first[2].flags) == ("t:1", BEGIN_MS, (FLAG_FUTURE,))
    assert json.loads(first[1])["at"] == BEGIN_MS
    assert isinstance(second[2], Signal)
    assert second[2].id == "t:2"


def test_payloads_of_a_network_are_read_as_its_worker_reads_them(settings: Settings) -> None:
    """With the heartbeats that connectors write among them, and what is refused."""
    raw = raw_channel("snap-higgs")
    values = [b"1 2 1341100972 RT", b'{"heartbeat":"feed","at":1341100973000}', b"1 2 soon RT"]
    send(settings, [record(settings, 2, value, at_ms=1_341_100_980_000, spec=raw) for value in values])

    first, beat, refused = (said for _, _, said in read(settings, raw))

    assert isinstance(first, Signal)
    assert first.id == "higgs:1:2:1341100972:RT"
    assert beat == Heartbeat("feed", 1_341_100_973_000)
    assert isinstance(refused, Refusal)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_a_channel_that_is_not_there_is_said_and_not_made(settings: Settings) -> None:
    """The names of those that are there help."""
    for _ in range(2):
        with pytest.raises(BrokerError) as caught:
            asyncio.run(ChannelSpan.open(settings, "kafka:nowhere.social.signals"))

    assert str(caught.value).startswith(
        f"channel nowhere.social.signals: expected it at {settings.kafka}, got no such "
    )
    assert f"{settings.namespace}.social.signals" in str(caught.value) or "those of signals there are: " in str(
        caught.value
    )


def test_a_span_without_records_and_offsets_that_are_not_there_are_refused(settings: Settings) -> None:
    """Each says what there is."""
    with pytest.raises(LogError, match=r"expected records in the span, got none: .* at 0:0, 1:0, 2:0"):
        read(settings)
    send(settings, [signal(settings, 0, 1, at_ms=BEGIN_MS)])

    with pytest.raises(LogError, match="partition 0: expected an offset from 0 to 1, got 9"):
        read(settings, offsets={0: 9})
    with pytest.raises(LogError, match=r"expected partitions \[0, 1, 2\], got 7:0"):
        read(settings, offsets={7: 0})
