"""Both servers as one thing that starts with a block and ends with it."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, assert_never

from agents.stack.apache_kafka import ApacheKafka
from agents.stack.errors import StackError
from agents.stack.kafka_jars import Say
from agents.stack.server import Server
from agents.stack.tansu import TansuBroker
from agents.stack.valkey import ValkeyServer

KafkaKind = Literal["embedded", "real"]


def make_kafka(
    kind: KafkaKind,
    *,
    directory: Path | None = None,
    port: int | None = None,
    detached: bool = False,
    say: Say = lambda line: None,
) -> TansuBroker | ApacheKafka:
    """Return a Kafka of this kind, not yet started: `embedded` is Tansu, `real` is Apache Kafka (needs Java)."""
    match kind:
        case "embedded":
            return TansuBroker(directory=directory, port=port, detached=detached)
        case "real":
            return ApacheKafka(directory=directory, port=port, detached=detached, say=say)
        case _:
            assert_never(kind)


class Stack:
    """A Kafka and, unless told otherwise, a Valkey on loopback, for as long as the block lasts.

    Both end with this process, however it ends (agents/stack/server.py). With `directory` their logs and the data of a
    real Kafka are kept there.

    >>> with Stack() as stack:  # doctest: +SKIP
    ...     print(stack.kafka_url, stack.redis_url)
    127.0.0.1:41873 redis://127.0.0.1:36511/0
    """

    def __init__(
        self,
        kafka: KafkaKind = "embedded",
        *,
        with_redis: bool = True,
        directory: Path | None = None,
        kafka_port: int | None = None,
        redis_port: int | None = None,
        say: Say = lambda line: None,
    ) -> None:
        self.kafka = make_kafka(kafka, directory=directory, port=kafka_port, say=say)
        self.redis = ValkeyServer(directory=directory, port=redis_port) if with_redis else None

    @property
    def kafka_url(self) -> str:
        """`host:port` of the Kafka, as OVERGROWTH_KAFKA takes it."""
        return self.kafka.url

    @property
    def redis_url(self) -> str:
        """URL of the Valkey, as OVERGROWTH_REDIS takes it; StackError when the stack was made without."""
        if self.redis is None:
            raise StackError("this stack was made without a Redis; make it with with_redis=True")
        return self.redis.url

    def start(self) -> None:
        """Start both; when one does not start, neither runs."""
        with ExitStack() as undo:
            for server in self._servers():
                server.start()
                undo.callback(server.stop)
            undo.pop_all()

    def stop(self) -> None:
        """Stop both; harmless when they do not run."""
        with ExitStack() as each:
            for server in self._servers():
                each.callback(server.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _servers(self) -> list[Server]:
        return [server for server in (self.redis, self.kafka) if server is not None]
