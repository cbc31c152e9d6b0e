"""Ids of channels are asked of a real broker, and are unknown where a broker has none to tell."""

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import NodeNotReadyError

from agents.broker import client_options, create_channels, start_producer
from agents.channel_ids import UNKNOWN, MetadataResponseV12, channel_id
from agents.settings import Settings
from schemas.channels import ATTRIBUTED, SIGNALS, named

ANSWER = bytes.fromhex(
    "00000000"  # throttle_time_ms
    "02000000010261000023840000"  # one broker: 1, host a, port 9092, no rack, no tags
    "0000000001"  # no cluster id, controller 1
    "020000036f6e000102030405060708090a0b0c0d0e0f00"  # one topic: no error, `on`, its id, not internal
    "020000000000000000000100000007020000000102000000010100"  # one partition
    "800000000000"  # operations, tags of the topic, tags of the answer
)
"""Written by hand from the description of the protocol (Metadata, version 12)."""


class Client:
    """The part of a client that is asked."""

    def __init__(self, versions: tuple[int, int], answers: list[Any]) -> None:
        self.versions = {3: versions}
        self.answers = answers
        self.asked: list[int] = []
        self.cluster = self

    def brokers(self) -> list[Any]:
        """Return two brokers."""
        return [type("Broker", (), {"nodeId": number}) for number in (1, 2)]

    async def send(self, node: int, request: Any) -> Any:
        """Answer, or fail, as the test wants it."""
        self.asked.append(node)
        request.prepare(self.versions)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def asked(client: Any, channel: str) -> str:
    """Return the id of a channel."""
    return asyncio.run(channel_id(Settings(), client, channel))


def test_an_answer_of_the_protocol_is_read_as_kafkas_tools_show_it() -> None:
    """The text is base64 for file names, without padding, of the 16 bytes."""
    answer = MetadataResponseV12.decode(ANSWER)
    assert asked(Client((0, 13), [answer]), "on") == "AAECAwQFBgcICQoLDA0ODw"
    assert asked(Client((0, 13), [answer]), "off") == UNKNOWN


def test_a_broker_that_speaks_no_version_with_ids_leaves_it_unknown() -> None:
    """A worker goes on there as it did before there were any."""
    assert asked(Client((0, 9), []), "on") == UNKNOWN


def test_another_broker_is_asked_where_one_is_away() -> None:
    """A cluster works without one of its brokers, and so does a lane that opens."""
    client = Client((0, 13), [NodeNotReadyError(), MetadataResponseV12.decode(ANSWER)])
    assert asked(client, "on") == "AAECAwQFBgcICQoLDA0ODw"
    assert client.asked == [1, 2]


@pytest.mark.kafka
def test_a_channel_has_one_id_and_another_one_when_it_is_made_anew(own_settings: Settings) -> None:
    """Its name and its offsets may be the same as before."""
    name, other = (named(spec, namespace=own_settings.namespace) for spec in (SIGNALS, ATTRIBUTED))

    async def work() -> tuple[list[str], str]:
        await create_channels(own_settings)
        producer = await start_producer(own_settings)
        before = [await channel_id(own_settings, producer.client, one) for one in (name, name, other, "none")]
        admin = AIOKafkaAdminClient(**client_options(own_settings))
        await admin.start()
        await admin.delete_topics([name])
        await admin.close()
        await create_channels(own_settings)
        after = await channel_id(own_settings, producer.client, name)
        await producer.stop()
        return before, after

    before, after = asyncio.run(work())
    assert before[0] == before[1] != before[2]
    assert before[3] == UNKNOWN
    assert len(after) == len(before[0]) == 22
    assert after not in before
