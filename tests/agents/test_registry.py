"""Check the seed registry on a real broker: what is published is read back, with every version of it."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec
import pytest

from agents.broker import create_channels, send_all, start_producer
from agents.lane import Outgoing
from agents.registry import RegistryReader, publish_topics
from agents.settings import Settings
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import AT_MS_MIN, Signal

pytestmark = pytest.mark.kafka

ANSWER_WITHIN_S = 30.0


@pytest.fixture
def settings(own_settings: Settings) -> Settings:
    """Return settings whose namespace no other test uses, with its channels created."""
    settings = msgspec.structs.replace(own_settings, partitions=1, raw_networks=())
    asyncio.run(create_channels(settings))
    return settings


def topic(name: str, *versions: tuple[int, str]) -> TopicRecord:
    """Return a topic of one brand with versions: (in force from, tag)."""
    return TopicRecord("cern", name, tuple(TopicVersion(at_ms, seeds=Seeds(tags=(tag,))) for at_ms, tag in versions))


async def publish(settings: Settings, *new: TopicRecord, known: Sequence[TopicRecord] = ()) -> list[TopicRecord]:
    """Publish topics as a command does, and wait until the broker has them."""
    producer = await start_producer(settings)
    try:
        return await asyncio.wait_for(publish_topics(settings, producer, new, known=known), ANSWER_WITHIN_S)
    finally:
        await producer.stop()


async def write(settings: Settings, *records: tuple[bytes, bytes | None]) -> None:
    """Write keys and values to the channel of topics as anybody could."""
    producer = await start_producer(settings)
    try:
        channel = f"{settings.namespace}.social.topics"
        sent = await send_all(producer, [Outgoing(channel, key, value, partition=0) for key, value in records])
        await asyncio.wait_for(asyncio.gather(*sent), ANSWER_WITHIN_S)
    finally:
        await producer.stop()


def test_what_is_published_is_read_back(settings: Settings) -> None:
    """Another process gets the same topics, in the order of their keys, and matches by them."""

    async def scenario() -> tuple[RegistryReader, bool]:
        await publish(settings, topic("web", (0, "www")), topic("higgs", (0, "lhc")))
        reader = RegistryReader(settings)
        return reader, await reader.read()

    reader, changed = asyncio.run(scenario())

    signal = Signal(id="1", network="n", kind="post", at=AT_MS_MIN, actor="a", tags=("lhc",))
    assert changed
    assert reader.records == [topic("higgs", (0, "lhc")), topic("web", (0, "www"))]
    assert reader.registry.at(AT_MS_MIN).match(signal) == ("cern/higgs",)


def test_versions_are_kept_oldest_first(settings: Settings) -> None:
    """A replay applies what was in force then, also where a version for an earlier time is published later."""

    async def scenario() -> list[TopicRecord]:
        reader = RegistryReader(settings)
        for version in [(500, "second"), (100, "first"), (500, "corrected")]:
            await publish(settings, topic("higgs", version), known=reader.records)
            await reader.read()
        afresh = RegistryReader(settings)
        await afresh.read()
        assert afresh.records == reader.records
        return afresh.records

    assert asyncio.run(scenario()) == [topic("higgs", (100, "first"), (500, "corrected"))]


def test_publishing_tells_what_was_written(settings: Settings) -> None:
    """The record holds the versions of both, and topics that are known but not published stay as they are."""
    known = [topic("higgs", (100, "first")), topic("web", (100, "www"))]

    written = asyncio.run(publish(settings, topic("higgs", (500, "second")), known=known))

    assert written == [topic("higgs", (100, "first"), (500, "second"))]


def test_reading_on_takes_only_what_is_new(settings: Settings) -> None:
    """A reader that is at the end says that nothing changed, and keeps the very registry that it had."""

    async def scenario() -> None:
        reader = RegistryReader(settings)
        assert not await reader.read()
        await publish(settings, topic("higgs", (0, "lhc")))
        assert await reader.read()
        before = reader.registry
        assert not await reader.read()
        assert reader.registry is before

    asyncio.run(scenario())


def test_a_tombstone_removes_a_topic(settings: Settings) -> None:
    """An operator can take away a topic that no rule of ours would end."""

    async def scenario() -> list[TopicRecord]:
        await publish(settings, topic("higgs", (0, "lhc")), topic("web", (0, "www")))
        await write(settings, (b"cern/higgs", None), (b"cern/never-there", None))
        reader = RegistryReader(settings)
        await reader.read()
        return reader.records

    assert asyncio.run(scenario()) == [topic("web", (0, "www"))]


def test_a_record_that_cannot_be_used_leaves_the_topic_as_it_was(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """One wrong record must not take the seeds of a brand away; it is logged with its place and what to do."""
    encode = msgspec.json.encode
    wrong = [
        (b"cern/higgs", b"{"),
        (b"cern/higgs", encode(topic("web", (0, "stolen")))),
        (b"cern/higgs", encode(TopicRecord("cern", "higgs", (TopicVersion(0),)))),
    ]

    async def scenario() -> list[TopicRecord]:
        await publish(settings, topic("higgs", (0, "lhc")))
        await write(settings, *wrong)
        reader = RegistryReader(settings)
        await reader.read()
        return reader.records

    with caplog.at_level(logging.ERROR, logger="overgrowth"):
        records = asyncio.run(scenario())

    lines = [record.getMessage() for record in caplog.records if record.name == "overgrowth"]
    assert records == [topic("higgs", (0, "lhc"))]
    assert [line.partition(": ")[0] for line in lines] == [
        f"channel {settings.namespace}.social.topics, offset {offset}" for offset in (1, 2, 3)
    ]
    assert "expected a topic under the key 'cern/higgs', got the topic cern/web; left out: " in lines[1]
    assert all("`overgrowth seeds apply`" in line for line in lines)
