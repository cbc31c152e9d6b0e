"""Ask Kafka for the id of a channel, which tells one that was deleted and made anew from the one before.

The name stays the same then, and offsets begin again. Topic ids came with version 10 of the Metadata request, which
aiokafka does not speak; version 12 is what Kafka 3.1 and later have. Where a broker does not, the id stays unknown.
"""

from base64 import urlsafe_b64encode
from io import BytesIO
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from agents.broker import refused_by_kafka
from agents.settings import Settings

UNKNOWN = ""
_NO_ID = bytes(16)


class Uuid(AbstractType):  # type: ignore[misc]  # aiokafka ships no annotations
    """A UUID as its 16 bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Return the bytes."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """Read the bytes."""
        return data.read(16)


class MetadataResponseV12(Response):  # type: ignore[misc]  # aiokafka ships no annotations
    """What a broker knows of channels."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class MetadataRequestV12(RequestStruct):  # type: ignore[misc]  # aiokafka ships no annotations
    """Ask for channels by name or id."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponseV12
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _ChannelRequest(Request[MetadataRequestV12]):  # type: ignore[misc]  # aiokafka ships no annotations
    API_KEY = 3

    def __init__(self, channel: str) -> None:
        self._channel = channel

    def build(self, request_struct_class: type[MetadataRequestV12]) -> MetadataRequestV12:
        return request_struct_class([(_NO_ID, self._channel, {})], False, False, {})


async def channel_id(settings: Settings, client: AIOKafkaClient, channel: str) -> str:
    """Return the id of a channel as Kafka's tools show it, `UNKNOWN` where the broker has none to tell.

    Raises `BrokerError` where Kafka does not answer.
    """
    try:
        answer = await _ask(client, _ChannelRequest(channel))
    except (NotImplementedError, IncompatibleBrokerVersion):
        return UNKNOWN
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    found = {name: identity for _, name, identity, *_ in answer.topics or ()}
    return _as_text(found.get(channel, _NO_ID))


async def _ask(client: AIOKafkaClient, request: _ChannelRequest) -> Any:
    """Return the answer of the first broker that gives one; some of them may be away."""
    for node in [broker.nodeId for broker in client.cluster.brokers()]:
        try:
            return await client.send(node, request)
        except (NodeNotReadyError, RequestTimedOutError, KafkaConnectionError):
            continue
    # What is known of the brokers may be old.
    await client.force_metadata_update()
    return await client.send(client.get_random_node(), request)


def _as_text(identity: bytes) -> str:
    """Return an id in the form that `kafka-topics.sh --describe` has.

    >>> _as_text(bytes(15) + b"\\x01"), _as_text(bytes(16))
    ('AAAAAAAAAAAAAAAAAAAAAQ', '')
    """
    return UNKNOWN if identity == _NO_ID else urlsafe_b64encode(identity).decode().rstrip("=")
