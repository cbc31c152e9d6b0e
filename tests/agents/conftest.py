"""Start real servers for the tests of this folder: Tansu, Valkey from the wheel, Debian's redis-server where it is."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from agents.settings import Settings
from agents.stack.errors import StackError
from agents.stack.tansu import TansuBroker
from agents.stack.valkey import ValkeyServer


class DebianRedis(ValkeyServer):
    """The redis-server on the PATH, started with the same arguments as the embedded Valkey."""

    name = "Redis"
    log_name = "redis.log"

    def _prepare(self, directory: Path) -> None:
        self._program = shutil.which("redis-server") or ""
        if not self._program:
            raise StackError("there is no redis-server on the PATH; apt-get install redis-server")


@pytest.fixture(scope="session", params=[ValkeyServer, DebianRedis], ids=["valkey", "redis"])
def running_redis_server(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    """Start one server of each kind per session."""
    started: ValkeyServer = request.param()
    try:
        started.start()
    except StackError as error:
        pytest.skip(str(error))
    yield started
    started.stop()


@pytest.fixture
def redis_server(running_redis_server: ValkeyServer) -> ValkeyServer:
    """Return the running server with nothing in it."""
    if not running_redis_server.is_running():
        running_redis_server.start()
    with redis.Redis(port=running_redis_server.port) as outside:
        outside.flushall()
    return running_redis_server


@pytest.fixture(scope="session")
def embedded_kafka() -> Iterator[TansuBroker]:
    """Start one embedded Kafka per session; each test has its own namespace in it."""
    with TansuBroker() as broker:
        yield broker


@pytest.fixture
def own_settings(embedded_kafka: TansuBroker, request: pytest.FixtureRequest) -> Settings:
    """Return the settings of an installation that only this test uses."""
    namespace = "".join(character if character.isalnum() else "-" for character in request.node.name)[-60:]
    return Settings(kafka=embedded_kafka.url, namespace=f"t{namespace}", partitions=2)
