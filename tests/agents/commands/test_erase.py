"""Check `overgrowth erase` from a user's side, on an embedded Kafka."""

import asyncio
import json

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from click.testing import CliRunner, Result

from agents.broker import create_channels
from agents.cli import main
from agents.commands.erase import gone_after_ms
from agents.settings import Settings
from schemas.channels import CHANNELS, DAY_MS
from schemas.signal import AT_MS_MIN, Erasure
from streams.attribution.erased import ERASED_MS


def run(*arguments: str) -> Result:
    """Run `overgrowth erase ...`."""
    return CliRunner().invoke(main, ["erase", *arguments])


async def read(settings: Settings, channel: str, count: int) -> list[tuple[int, bytes, bytes]]:
    """Return partition, key and value of the first records of a channel."""
    consumer = AIOKafkaConsumer(channel, bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return sorted(
                [(one.partition, one.key, one.value) for one in [await anext(consumer) for _ in range(count)]]
            )
    finally:
        await consumer.stop()


@pytest.mark.kafka
def test_every_partition_there_is_hears_of_it_once_under_a_key_that_names_nobody(own_settings: Settings) -> None:
    """However many partitions the settings of this process speak of: any of them may know the actor."""
    asyncio.run(create_channels(msgspec.structs.replace(own_settings, partitions=3)))
    result = run("native", "ana", "--kafka", own_settings.kafka, "--namespace", own_settings.namespace, "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["partitions"] == 3
    records = asyncio.run(read(own_settings, f"{own_settings.namespace}.social.signals", 3))
    expected = Erasure("ana", "native", AT_MS_MIN)
    assert [(partition, key) for partition, key, _ in records] == [(number, b"erase") for number in range(3)]
    assert [msgspec.json.decode(value, type=Erasure) for *_, value in records] == [expected] * 3


@pytest.mark.kafka
def test_a_namespace_that_is_not_there_is_one_line(own_settings: Settings) -> None:
    """Nothing would ever read it."""
    result = run("native", "ana", "--kafka", own_settings.kafka, "--namespace", "nowhere")

    assert result.exit_code == 1
    assert "no such channel" in result.stderr


def test_an_empty_name_is_wrong_use() -> None:
    """No Kafka is asked."""
    result = run("native", "")

    assert result.exit_code == 2
    assert "non-empty" in result.stderr


def test_all_is_gone_before_the_name_may_come_back_and_no_later_than_thirty_days() -> None:
    """A channel of ours that kept the name for longer would bring back whom nobody refuses any more."""
    latest_ms = max(gone_after_ms(Settings()).values())

    assert latest_ms <= ERASED_MS == 30 * DAY_MS
    # Only alerts are kept as long, and the latest of cascades: they name conversations, and no actors.
    kept = {spec.name for spec in CHANNELS if spec.cleanup != "compact" and spec.retention_ms + 7 * DAY_MS > latest_ms}
    assert kept == {"social.alerts", "social.cascades"}
