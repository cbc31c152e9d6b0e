"""A worker, other systems and the floor on the same channel, one after the other in every round.

The log lies on the channel before anything reads it. All rates are signals per second of the readers' processor time,
so that a busy machine weighs little; those by the clock say so. The figures of a worker run from its first signal to
the checkpoint behind the last, those of the others to the last record seen.
"""

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
from tests.benchmarks.channel import Took, floor, prepare, scratch, start_stack
from tests.benchmarks.firehose import PARTITIONS, Logged
from tests.benchmarks.overgrowth_run import Group, run
from tests.benchmarks.report import Figure, Goal, Round

MIX_SIGNALS = 80_000
ALL_SIGNALS = 20_000
FAUST_MIX_SIGNALS = 10_000
FAUST_ALL_SIGNALS = 3_000
PEER_SIGNALS = 20_000
PEER_WITHIN_S = 60.0
ROOT = Path(__file__).resolve().parents[2]

MIX_PER_S_MIN, ALL_PER_S_MIN = 60_000, 20_000
FLOOR_RATIO_MIN, FAUST_RATIO_MIN = 0.5, 10.0
FLOOR = "the floor: getmany + decode"
UNIT = "signals/s"
PEERS = {"Quix Streams": "quix", "Bytewax": "bytewax_flow"}


class Absent(NamedTuple):
    """A peer that told nothing, and why."""

    why: str


class _Channel:
    """One log in one namespace after the other: a group that read a channel has committed there."""

    def __init__(self, stack: Stack, folder: Path, *, on_topic: float, signals: int) -> None:
        self._stack, self._folder, self._signals, self._numbers = stack, folder, signals, count()
        self._name = f"share{round(on_topic * 100)}-{signals}"
        self.log: list[Logged] = firehose.log_of(firehose.signals(signals, on_topic=on_topic))

    def prepared(self, *, workers: int = 1) -> Group:
        """Return a group of workers, not started, whose channel holds the log."""
        namespace = f"{self._name}-{next(self._numbers)}"
        group = Group(self._stack, namespace, self._folder / namespace, workers=workers)
        prepare(group.trial.settings, self.log)
        return group

    def worked(self, *, workers: int = 1) -> tuple[Took, Took]:
        """Return what the floor and then so many workers took."""
        group = self.prepared(workers=workers)
        below = floor(group.trial.settings, records=len(self.log))
        held = Counter(record.partition for record in self.log)
        ends = [held[partition] for partition in range(PARTITIONS)]
        return below, run(group, records=len(self.log), ends=ends, end_ms=self.log[-1].at_ms)

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


def begin(*, quick: bool) -> Round:
    """Start a Kafka and make the logs."""
    tenth = 5 if quick else 1
    stack, folder = start_stack(), scratch()
    mix = _Channel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=MIX_SIGNALS // tenth)
    everything = _Channel(stack, folder, on_topic=1.0, signals=ALL_SIGNALS // tenth)
    faust_mix = _Channel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=FAUST_MIX_SIGNALS // tenth)
    faust_everything = _Channel(stack, folder, on_topic=1.0, signals=FAUST_ALL_SIGNALS // tenth)
    peers = _Channel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=PEER_SIGNALS // tenth)

    def take_round() -> list[Figure]:
        below, worker = mix.worked()
        _, worker_all = everything.worked()
        _, two = mix.worked(workers=2)
        figures = [
            Figure(FLOOR, below.per_cpu_s, UNIT),
            Figure("worker, mix", worker.per_cpu_s, UNIT, floor=FLOOR, goal=Goal(MIX_PER_S_MIN, at_least=True)),
            Figure("worker, all on topic", worker_all.per_cpu_s, UNIT, floor=FLOOR, goal=_at_least(ALL_PER_S_MIN)),
            _again("worker, mix, of the floor", worker, FLOOR, FLOOR_RATIO_MIN),
            Figure("worker, mix, by the clock", worker.per_wall_s, UNIT),
            Figure("2 workers, mix", two.per_cpu_s, UNIT, floor="worker, mix"),
            Figure("2 workers, mix, by the clock", two.per_wall_s, UNIT, floor="worker, mix, by the clock"),
        ]
        for what, channel, ours in (("mix", faust_mix, worker), ("all on topic", faust_everything, worker_all)):
            name = f"plain Faust, {what}"
            figures += _beside(name, channel.told_by("plain_faust"), f"worker, {what}", ours, FAUST_RATIO_MIN)
        for name, program in PEERS.items():
            figures += _beside(f"{name}, windowed count", peers.told_by(program), "worker, mix", worker, 1.0)
        return figures

    return take_round


def _at_least(limit: float) -> Goal:
    return Goal(limit, at_least=True)


def _again(name: str, took: Took, floor: str, ratio_min: float) -> Figure:
    return Figure(name, took.per_cpu_s, UNIT, floor=floor, goal=Goal(ratio_min, at_least=True, of_ratio=True))


def _beside(name: str, told: Took | Absent, our_name: str, ours: Took, ratio_min: float) -> list[Figure]:
    """Return a peer's figure and ours beside it; where it told nothing, a figure that says why."""
    if isinstance(told, Absent):
        return [Figure(f"{name}: {told.why}", 0.0, UNIT)]
    return [Figure(name, told.per_cpu_s, UNIT, floor=FLOOR), _again(f"{our_name}, of {name}", ours, name, ratio_min)]
