"""The firehose on a channel, read by workers, by the floor and by other systems, each from the beginning."""

import json
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from typing import NamedTuple

from agents.stack import Stack
from schemas.channels import SIGNALS
from tests.benchmarks import firehose
from tests.benchmarks.channel import Took, floor, prepare
from tests.benchmarks.firehose import PARTITIONS
from tests.benchmarks.overgrowth_run import Group, run

PEER_WITHIN_S = 60.0
ROOT = Path(__file__).resolve().parents[2]


class Absent(NamedTuple):
    """A peer that told nothing, and why."""

    why: str


class FirehoseChannel:
    """One log in one namespace after the other: a group that read a channel has committed there."""

    def __init__(self, stack: Stack, folder: Path, *, on_topic: float, signals: int) -> None:
        self._stack, self._folder, self._signals, self._numbers = stack, folder, signals, count()
        self._name = f"share{round(on_topic * 100)}-{signals}"
        self.log = firehose.log_of(firehose.signals(signals, on_topic=on_topic))

    def prepared(self, *, workers: int = 1) -> Group:
        """Return a group of workers, not started, whose channel holds the log."""
        namespace = f"{self._name}-{next(self._numbers)}"
        group = Group(self._stack, namespace, self._folder / namespace, workers=workers)
        prepare(group.trial.settings, self.log)
        return group

    def worked(self, *, workers: int = 1) -> Took:
        """Return what so many workers took."""
        return self._run(self.prepared(workers=workers))

    def floor_and_worker(self) -> tuple[Took, Took]:
        """Return what the floor took, before and after a worker, and what the worker took, on the same channel."""
        group = self.prepared()
        before = floor(group.trial.settings, records=len(self.log))
        worked = self._run(group)
        after = floor(group.trial.settings, records=len(self.log))
        # The floor is short, so it is taken twice: its chances are in every ratio.
        return Took(2 * before.signals, before.cpu_s + after.cpu_s, before.wall_s + after.wall_s), worked

    def _run(self, group: Group) -> Took:
        held = Counter(record.partition for record in self.log)
        ends = [held[partition] for partition in range(PARTITIONS)]
        return run(group, records=len(self.log), ends=ends, end_ms=self.log[-1].at_ms)

    def told_by(self, program: str) -> Took | Absent:
        """Return what another system took."""
        group = self.prepared()
        settings = group.trial.settings
        command = [
            *(sys.executable, "-m", f"tests.benchmarks.peers.{program}"),
            *(settings.kafka, group.trial.name(SIGNALS), str(self._signals), str(group.trial.folder)),
        ]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=PEER_WITHIN_S, cwd=ROOT, check=False
            )
        except subprocess.TimeoutExpired:
            return Absent(f"not through within {PEER_WITHIN_S:.0f} s")
        found = [line for line in ended.stdout.splitlines() if line.startswith("{")]
        if not found:
            said = ended.stderr.strip().splitlines() or [f"ended with {ended.returncode}"]
            return Absent(said[-1][:120])
        return Took(**json.loads(found[-1]))
