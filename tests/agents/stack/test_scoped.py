"""Both servers start together, end together, and end with a parent that is killed."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK
from agents.stack.processes import identify, is_running
from agents.stack.scoped import Stack
from tests.agents.stack.round_trip import read_record, write_record

pytestmark = pytest.mark.kafka

WAIT_S = 20.0
HOLD_A_STACK = (
    "import sys\n"
    "from agents.stack import Stack\n"
    "with Stack() as stack:\n"
    "    print(stack.kafka.pid, stack.redis.pid, flush=True)\n"
    "    sys.stdin.read()\n"
)


def test_both_serve_and_both_end() -> None:
    """What a block starts ends with the block."""
    with Stack() as stack:
        kafka, valkey = stack.kafka, stack.redis
        assert valkey is not None
        client = redis.Redis.from_url(stack.redis_url)
        assert client.ping()
        client.close()
        write_record(stack.kafka_url, channel="round-trip", value=b"grown")
        assert read_record(stack.kafka_url, channel="round-trip") == b"grown"

    assert not kafka.is_running()
    assert not valkey.is_running()


def test_stack_can_be_made_without_redis() -> None:
    """Tests of the transport need no read model."""
    with Stack(with_redis=False) as stack:
        assert stack.kafka.is_running()
        with pytest.raises(StackError, match="made without a Redis"):
            _ = stack.redis_url


def test_neither_runs_when_one_cannot_start() -> None:
    """A half-started stack would stay behind unseen."""
    with socket.create_server((LOOPBACK, 0)) as other:
        stack = Stack(kafka_port=other.getsockname()[1])
        with pytest.raises(StackError, match="Tansu: expected port"):
            stack.start()

    assert stack.redis is not None
    assert not stack.redis.is_running()


def test_stack_starts_from_inside_an_event_loop() -> None:
    """Its readiness check must not need the caller's loop, and its servers not the caller's thread."""

    async def hold() -> bool:
        stack = Stack(with_redis=False)
        await asyncio.to_thread(stack.start)
        running = stack.kafka.is_running()
        await asyncio.to_thread(stack.stop)
        return running

    assert asyncio.run(hold())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_servers_end_with_a_killed_parent(tmp_path: Path, number: signal.Signals) -> None:
    """SIGKILL, and a SIGTERM that nobody handles, leave no moment to clean up."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_STACK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        children = [identify(int(pid)) for pid in parent.stdout.readline().split()]
        descriptors = [os.pidfd_open(child.pid) for child in children if child is not None]
        parent.send_signal(number)
        parent.wait()

    assert len(descriptors) == 2
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], WAIT_S)[0]
        os.close(descriptor)
    assert not any(child is not None and is_running(child) for child in children)
