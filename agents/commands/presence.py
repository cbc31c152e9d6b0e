"""Refuse a channel that does not exist in one line, instead of waiting for records that never come."""

from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.broker import BrokerError, client_options, refused_by_kafka
from agents.settings import Settings
from schemas.channels import ChannelSpec, named


class Channel(NamedTuple):
    """A channel that exists: its full name, and how many partitions it has."""

    name: str
    partitions: int


async def require_channel(settings: Settings, spec: ChannelSpec) -> Channel:
    """Return a channel that exists; raise `BrokerError` where it does not."""
    name = named(spec, namespace=settings.namespace)
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        # All of them: to ask for one by its name would create it on a broker that creates what it is asked for.
        present = name in await admin.list_topics()
        described = await admin.describe_topics([name]) if present else []
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await admin.close()
    if not present:
        where = f"namespace {settings.namespace!r}" if settings.namespace else "the live namespace"
        raise BrokerError(
            f"channel {name}: expected it at {settings.kafka}, got no such channel; {where} has not been set up: "
            "start a worker there, or name another with --namespace"
        )
    return Channel(name, len(described[0]["partitions"]))
