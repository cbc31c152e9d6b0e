"""The embedded stack: a Kafka and a Valkey on loopback, started and stopped with whoever needs them.

In reading order: errors, ports, processes, readiness -> server -> tansu, valkey, kafka_jars, apache_kafka ->
scoped (both for the length of a block), detached (both until told to stop).
"""

from agents.stack.apache_kafka import ApacheKafka
from agents.stack.detached import (
    DEFAULT_DIRECTORY,
    PartState,
    PartStatus,
    StackState,
    StackUp,
    stack_down,
    stack_status,
    stack_up,
)
from agents.stack.errors import StackError
from agents.stack.scoped import KafkaKind, Stack
from agents.stack.server import Server
from agents.stack.tansu import SESSION_TIMEOUT_MS, TansuBroker
from agents.stack.valkey import ValkeyServer

__all__ = [
    "Stack",
    "KafkaKind",
    "Server",
    "TansuBroker",
    "ApacheKafka",
    "ValkeyServer",
    "SESSION_TIMEOUT_MS",
    "stack_up",
    "stack_down",
    "stack_status",
    "StackUp",
    "StackState",
    "PartState",
    "PartStatus",
    "DEFAULT_DIRECTORY",
    "StackError",
]
