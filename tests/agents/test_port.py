"""Check a lane's view of Kafka against a real broker, and that it is fenced by the generation of its group."""

import asyncio

import pytest

from agents.attribute_signals import AttributeShell
from agents.broker import create_channels, start_producer
from agents.lane import Fenced, Lane, LaneSettings, TableRecord
from agents.port import KafkaPort
from agents.settings import Settings
from agents.table import Change
from schemas.channels import ATTRIBUTED, TABLE_ATTRIBUTE, named
from tests.agents.lane.trial import batches, log, registry

END = log()[-1].offset + 1


class Trial:
    """A port with a group that the test decides about."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now: int | None = 5
        self.acknowledged: list[tuple[str, int, int]] = []

    async def port(self) -> KafkaPort:
        """Make a port of generation 5, with channels to write to."""
        await create_channels(self.settings)
        self.producer = await start_producer(self.settings)
        return KafkaPort(
            self.settings,
            self.producer,
            generation=5,
            generation_now=lambda: self.now,
            acknowledged=lambda *what: self.acknowledged.append(what),
            give_way=lambda: asyncio.sleep(0),
            now_ms=lambda: 1_000,
        )


@pytest.mark.kafka
def test_rows_are_read_back_as_they_were_appended(own_settings: Settings) -> None:
    """In their order, tombstones included, from one partition only."""
    rows = [Change(b"0a", b"1"), Change(b"1a", None), Change(b"0a", b"3")]
    channel = named(TABLE_ATTRIBUTE, namespace=own_settings.namespace)

    async def work() -> list[TableRecord]:
        trial = Trial(own_settings)
        port = await trial.port()
        for partition, changes in ((0, rows), (1, rows[:1])):
            assert await port.append(channel, partition, changes) == len(changes)
        found = [row async for rows in port.read_table(channel, 0) for row in rows]
        assert [row async for rows in port.read_table(channel, 0, offset=1) for row in rows] == found[1:]
        await trial.producer.stop()
        return found

    assert asyncio.run(work()) == [(offset, *row) for offset, row in enumerate(rows)]


@pytest.mark.parametrize(("now", "came"), [(None, "None"), (6, "6")])
def test_a_port_of_a_former_generation_is_fenced(now: int | None, came: str) -> None:
    """While the group shares its partitions out, and ever after."""
    port = KafkaPort(
        Settings(),
        producer=None,
        generation=5,
        generation_now=lambda: now,
        acknowledged=lambda channel, partition, offset: None,
        give_way=lambda: asyncio.sleep(0),
        now_ms=lambda: 0,
    )

    with pytest.raises(Fenced, match=rf"^expected generation 5 of the group, got {came}$"):
        port.fence()


@pytest.mark.kafka
def test_a_lane_on_a_real_broker_goes_on_where_its_predecessor_was(own_settings: Settings) -> None:
    """Sends, rows, recovery and acknowledgements together, as in a worker."""
    settings = LaneSettings(
        channel="signals",
        table_channel=named(TABLE_ATTRIBUTE, namespace=own_settings.namespace),
        partition=1,
        partitions=2,
        origins=2,
        generation=5,
    )

    async def work() -> tuple[Lane, Lane, Trial]:
        trial = Trial(own_settings)
        port = await trial.port()
        first = Lane(AttributeShell(own_settings, registry, 1), port, settings)
        await first.open()
        for batch in batches():
            await first.take(batch)
        await first.checkpoint()
        second = Lane(AttributeShell(own_settings, registry, 1), port, settings)
        await second.open()
        attributed = named(ATTRIBUTED, namespace=own_settings.namespace)
        told = [row async for rows in port.read_table(attributed, 0) for row in rows]
        assert told
        await trial.producer.stop()
        return first, second, trial

    first, second, trial = asyncio.run(work())

    assert (second.next_offset, second.rows) == (END, first.rows)
    assert second.recovered_records > second.rows > 3
    assert trial.acknowledged == [("signals", 1, END)] * 2
