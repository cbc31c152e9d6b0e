"""A worker that is paused for longer than its session ends when it comes back; one paused for a moment goes on."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lane import Outgoing
from agents.normalize_signals import heartbeat_records
from agents.stack import Stack
from schemas.channels import SIGNALS
from schemas.signal import Heartbeat, Signal, conversation_of
from tests.integration.worker_trial import PARTITIONS, SOURCE, Trial, made_signals, to_json, told_by_one_process

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]

COUNT = 600


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Run a real Kafka, whose coordinator gives the partitions of silent members to others."""
    if not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("no Java or Maven: Apache Kafka cannot be started")
    with Stack("real") as started:
        yield started


def send(trial: Trial, signals: list[Signal], *, end: bool = False) -> None:
    """Send signals straight into their channel, and how far their source is."""
    outgoing = [
        Outgoing(trial.name(SIGNALS), conversation_of(one).encode(), to_json(one), timestamp_ms=one.at)
        for one in signals
    ]
    beat = Heartbeat(SOURCE, max(one.at for one in signals), end=end)
    trial.send([*outgoing, *heartbeat_records(beat, channel=trial.name(SIGNALS), partitions=PARTITIONS)])


def test_a_worker_that_comes_back_after_its_session_leaves_everything_to_its_successor(
    stack: Stack, tmp_path: Path
) -> None:
    """It is stopped amid its work and woken when another has done all of it: it ends, and all is told as ever."""
    signals = made_signals(COUNT)
    paused = Trial(stack, "paused", tmp_path)
    (tmp_path / "other").mkdir()
    other = Trial(stack, "paused", tmp_path / "other")
    paused.declare()
    send(paused, signals[: COUNT // 2])
    paused.start()
    try:
        paused.wait(lambda: paused.page("ready")[0] == 200, "a worker that has its tables")
        assert paused.process is not None
        send(paused, signals[COUNT // 2 :], end=True)
        paused.process.send_signal(signal.SIGSTOP)
        other.start()
        other.wait(lambda: not other.uncommitted(), "everything committed by another worker")
        paused.process.send_signal(signal.SIGCONT)
        code = paused.process.wait(timeout=60.0)
        log = paused.log_path.read_text()
        assert other.stop() == 0
    finally:
        paused.kill()
        other.kill()

    assert code == 70
    assert "expected the group to hear of this worker within 6 s, got" in log
    assert "Traceback" not in log
    assert other.told() == told_by_one_process(signals)
