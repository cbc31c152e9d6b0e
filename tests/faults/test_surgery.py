"""Claims about channels that somebody changed under a worker: it does not start on them, and says why."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from agents.broker import client_options
from agents.lane import Outgoing
from agents.normalize_signals import heartbeat_records
from agents.settings import Settings
from agents.stack import Stack
from schemas.channels import ATTRIBUTED, SIGNALS
from schemas.signal import Heartbeat, conversation_of
from tests.integration.worker_trial import PARTITIONS, SOURCE, Trial, made_signals, to_json

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]

COUNT = 200
ENDS_WITHIN_S = 150.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Run a real Kafka: the embedded one can neither add partitions nor remove channels."""
    if not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("no Java or Maven: Apache Kafka cannot be started")
    with Stack("real") as started:
        yield started


def settled(stack: Stack, namespace: str, folder: Path) -> Trial:
    """Return an installation whose worker has settled some signals and was ended."""
    trial = Trial(stack, namespace, folder)
    trial.declare()
    send(trial, COUNT)
    trial.start()
    try:
        trial.wait(lambda: not trial.uncommitted(), "everything committed")
        assert trial.stop() == 0
    finally:
        trial.kill()
    return trial


def send(trial: Trial, count: int) -> None:
    """Send signals straight into their channel, and end their source, so that all is released."""
    signals = made_signals(count)
    outgoing = [
        Outgoing(trial.name(SIGNALS), conversation_of(signal).encode(), to_json(signal), timestamp_ms=signal.at)
        for signal in signals
    ]
    beat = Heartbeat(SOURCE, max(signal.at for signal in signals), end=True)
    trial.send([*outgoing, *heartbeat_records(beat, channel=trial.name(SIGNALS), partitions=PARTITIONS)])


def end_of_worker(trial: Trial) -> tuple[int, str]:
    """Start a worker that must not go on, and return its exit code and its log."""
    trial.start()
    try:
        assert trial.process is not None
        return trial.process.wait(timeout=ENDS_WITHIN_S), trial.log_path.read_text()
    finally:
        trial.kill()


async def _recreate(settings: Settings, channel: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    await admin.delete_topics([channel])
    while channel in await admin.list_topics():  # noqa: ASYNC110 - another process removes it, and tells nobody
        await asyncio.sleep(0.1)
    await admin.create_topics([NewTopic(channel, num_partitions=PARTITIONS, replication_factor=1)])
    await admin.close()


async def _add_partition(settings: Settings, channel: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    await admin.create_partitions({channel: NewPartitions(total_count=PARTITIONS + 1)})
    await admin.close()


def test_a_worker_does_not_start_on_a_channel_with_another_partition(stack: Stack, tmp_path: Path) -> None:
    """Keys would go elsewhere than the state that they need, so nothing at all is read."""
    trial = settled(stack, "added", tmp_path)
    asyncio.run(_add_partition(trial.settings, trial.name(ATTRIBUTED)))
    code, log = end_of_worker(trial)

    assert code == 1
    assert f"Error: channel {trial.name(ATTRIBUTED)}: expected {PARTITIONS} partitions, got {PARTITIONS + 1}; " in log
    assert "Traceback" not in log


def test_a_worker_does_not_go_on_with_a_channel_that_was_created_anew(stack: Stack, tmp_path: Path) -> None:
    """What is in it now would be taken for what was settled before, and be dropped without a word."""
    trial = settled(stack, "anew", tmp_path)
    asyncio.run(_recreate(trial.settings, trial.name(SIGNALS)))
    send(trial, 8)
    code, log = end_of_worker(trial)

    assert code == 70
    assert "re-created" in log
    assert "replay into a new namespace" in log
    assert "Traceback" not in log


def test_a_worker_does_not_go_on_with_a_channel_that_has_grown_as_long_as_the_one_before(
    stack: Stack, tmp_path: Path
) -> None:
    """Its offsets look like those of the one that was deleted; only its id tells that it is another."""
    trial = settled(stack, "grown", tmp_path)
    asyncio.run(_recreate(trial.settings, trial.name(SIGNALS)))
    send(trial, 2 * COUNT)
    code, log = end_of_worker(trial)

    assert code == 70
    assert "expected the state of (step, partitions, origins, channel id)" in log
    assert "the channel was re-created or its partitions changed: replay into a new namespace" in log
    assert "Traceback" not in log
