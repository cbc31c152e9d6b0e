"""Check that a channel which is not there is told at once."""

import asyncio

import pytest

from agents.broker import BrokerError, create_channels
from agents.commands.presence import Channel, require_channel
from agents.settings import Settings
from schemas.channels import ALERTS, TOPICS

pytestmark = pytest.mark.kafka


def test_a_channel_that_exists_is_told_with_its_partitions(kafka_url: str) -> None:
    """Whoever reads it needs to know how many there are."""
    settings = Settings(kafka=kafka_url, namespace="there", partitions=3)

    async def look() -> list[Channel]:
        await create_channels(settings)
        return [await require_channel(settings, spec) for spec in (ALERTS, TOPICS)]

    assert asyncio.run(look()) == [("there.social.alerts", 3), ("there.social.topics", 1)]


def test_a_channel_that_does_not_exist_is_refused_and_not_created(kafka_url: str) -> None:
    """A reader that waits for ever looks like one that works."""
    settings = Settings(kafka=kafka_url, namespace="nowhere")

    for _ in range(2):
        with pytest.raises(BrokerError) as caught:
            asyncio.run(require_channel(settings, ALERTS))

    assert str(caught.value) == (
        f"channel nowhere.social.alerts: expected it at {kafka_url}, got no such channel; namespace 'nowhere' has not "
        "been set up: start a worker there, or name another with --namespace"
    )


def test_a_broker_that_is_away_is_one_line() -> None:
    """Where nothing listens, the error names the address and what to do."""
    with pytest.raises(BrokerError, match=r"^Kafka: expected a broker at 127\.0\.0\.1:1, got .*; start one with "):
        asyncio.run(require_channel(Settings(kafka="127.0.0.1:1"), ALERTS))
