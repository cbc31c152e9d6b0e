"""A replay that Ctrl-C ended and that was gone on with: its worker tells what one process tells of the whole log."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.stack import Stack
from schemas.channels import SIGNALS
from tests.integration.worker_trial import PARTITIONS, Trial, made_signals, to_json, told_by_one_process

pytestmark = pytest.mark.kafka

SPEED = "1500"
"""The five hours of the log take twelve seconds, of which some tenths are waited for."""


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    """Return an installation with its channels and its topic, and a worker that has begun."""
    with Stack() as stack:
        trial = Trial(stack, "resumed", tmp_path)
        trial.declare()
        trial.start()
        yield trial
        trial.kill()


def _heeding_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def replaying(trial: Trial, log: Path, *flags: str) -> "subprocess.Popen[str]":
    """Start a replay as a user does."""
    where = ("--kafka", trial.settings.kafka, "--namespace", "resumed", "--partitions", str(PARTITIONS))
    command = [sys.executable, "-m", "agents.cli", "replay", str(log), *where, *flags]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        # A shell lets what runs in its background ignore Ctrl-C, and children inherit that.
        preexec_fn=_heeding_ctrl_c,
    )


def test_ctrl_c_and_resume_change_nothing_of_what_is_told(trial: Trial, tmp_path: Path) -> None:
    """No signal is missing or comes twice, and everything is released at the end."""
    made = made_signals()
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"".join(to_json(one) + b"\n" for one in made))

    first = replaying(trial, log, "--speed", SPEED)
    trial.wait(lambda: len(trial.records(SIGNALS)) > 200, "the replay under way")
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=30)
    second = replaying(trial, log, "--resume")
    summary, problem = second.communicate(timeout=60)

    assert (first.returncode, second.returncode) == (130, 0), said + problem
    assert said.endswith("no source was ended; the same command with --resume goes on there\n")
    assert " of them sent before); into namespace resumed: " in summary
    sent = [record.value for record in trial.records(SIGNALS) if not record.value.startswith(b'{"heartbeat"')]
    assert sorted(sent) == sorted(to_json(one) for one in made)
    trial.await_passed(max(one.at for one in made))
    assert trial.told() == told_by_one_process(made)
