"""Ask a server the first question that its users will ask, and tell whether it answered."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import redis
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.backoff import NoBackoff
from redis.retry import Retry

from agents.stack.ports import LOOPBACK

ANSWER_WITHIN_S = 5.0


def kafka_answers(port: int) -> bool:
    """Tell whether a Kafka broker on this loopback port accepts connections and names itself in its metadata."""
    # aiokafka logs every refused connection as an error, so it asks only once somebody listens.
    if not _somebody_listens(port):
        return False
    # A loop of its own on a thread of its own: the caller may be inside a running event loop.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(_names_a_broker(port))).result()


def valkey_answers(port: int) -> bool:
    """Tell whether a Redis or Valkey on this loopback port answers PING."""
    # Asking again is up to the caller, who also looks whether the process still lives.
    client = redis.Redis(host=LOOPBACK, port=port, socket_timeout=ANSWER_WITHIN_S, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _somebody_listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=ANSWER_WITHIN_S):
            return True
    except OSError:
        return False


async def _names_a_broker(port: int) -> bool:
    client = AIOKafkaClient(bootstrap_servers=f"{LOOPBACK}:{port}", request_timeout_ms=int(ANSWER_WITHIN_S * 1_000))
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await client.bootstrap()
        # A KRaft broker that is not yet unfenced answers too, but with an empty list of brokers.
        return bool(client.cluster.brokers())
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()
