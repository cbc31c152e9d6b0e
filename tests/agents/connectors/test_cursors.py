"""Check that cursors are read as they were written, source by source."""

import asyncio

import pytest

from agents.connectors.cursors import CursorWriter, read_cursor
from agents.settings import Settings
from schemas.channels import CURSORS, named
from schemas.cursor import Cursor
from tests.agents.connectors.flaky import FlakyProducer
from tests.agents.connectors.trial import prepared, producing, told

pytestmark = pytest.mark.kafka


def test_the_latest_cursor_of_a_source_is_read(own_settings: Settings) -> None:
    """What is no cursor is left out, another source's is not ours, and an empty record forgets."""

    async def work() -> None:
        await prepared(own_settings)
        assert await read_cursor(own_settings, "a") is None
        async with producing(own_settings) as producer:
            channel = named(CURSORS, namespace=own_settings.namespace)
            writer = CursorWriter(own_settings, producer, None)
            await writer.write(Cursor("a", "1", 10))
            await writer.write(Cursor("a", "2", 20, "host"))
            await CursorWriter(own_settings, producer, None).write(Cursor("b", "9", 90))
            await producer.send_and_wait(channel, key=b"a", value=b'{"feed":"\xff"}', partition=0)
            assert await read_cursor(own_settings, "a") == Cursor("a", "2", 20, "host")
            assert await read_cursor(own_settings, "b") == Cursor("b", "9", 90)
            await producer.send_and_wait(channel, key=b"a", value=None, partition=0)
            assert await read_cursor(own_settings, "a") is None

    asyncio.run(work())


def test_a_cursor_is_written_once_and_again_where_kafka_did_not_take_it(own_settings: Settings) -> None:
    """Most seconds of a quiet feed have nothing new to tell."""

    async def work() -> None:
        await prepared(own_settings)
        async with producing(own_settings) as producer:
            flaky = FlakyProducer(producer, refused=[0])
            writer = CursorWriter(own_settings, flaky, Cursor("a", "1", 10))
            await writer.write(None)
            await writer.write(Cursor("a", "1", 10))
            assert flaky.sends == 0
            for _ in range(3):
                await writer.write(Cursor("a", "2", 20))
            assert flaky.sends == 2
        assert len(await told(own_settings, CURSORS, bool)) == 1

    asyncio.run(work())
