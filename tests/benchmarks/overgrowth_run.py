"""Run workers over a log that lies on its channel, and measure from the first record taken to the last checkpoint.

A worker's processor time is what the system counts for its process; what it took to start is left out.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from agents.stack import Stack
from schemas.channels import ATTRIBUTED, CONTRIBUTIONS, SIGNALS
from tests.benchmarks.channel import Took
from tests.benchmarks.firehose import PARTITIONS
from tests.integration.worker_trial import Trial

POLL_S = 0.05
POLL_METRICS_S = 0.4
WITHIN_S = 120.0
WORKER = ("-m", "agents.cli", "worker")
SLOWED_WORKER = Path(__file__).with_name("slowed_worker.py")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """Return the seconds of processor time that a process has had (Linux)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    # The name of the program is in brackets and may hold spaces; user and system time are fields 14 and 15.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


class Group:
    """Some workers of one installation; the first is told by `trial`."""

    def __init__(self, stack: Stack, namespace: str, folder: Path, *, workers: int = 1) -> None:
        self.trials = [
            # Nothing is asked of Redis, as there are no views.
            Trial(stack, namespace, folder / f"worker{number}", redis="redis://127.0.0.1:1/0")
            for number in range(workers)
        ]
        for trial in self.trials:
            trial.folder.mkdir(parents=True, exist_ok=True)
        self.trial = self.trials[0]
        self._told: list[dict[str, float]] = []

    def start(self) -> None:
        """Start all workers, slowed ones where that is asked for (`slowed_worker.py`)."""
        command = (str(SLOWED_WORKER), "worker") if "BENCH_SLOWED_US" in os.environ else WORKER
        for trial in self.trials:
            trial.start(command, VIEWS="false")

    def stop(self) -> None:
        """End all workers."""
        for trial in self.trials:
            trial.kill()

    def processors_s(self) -> list[float]:
        """Return the seconds of processor time that each worker has had."""
        return [processor_s(trial.process.pid) for trial in self.trials if trial.process is not None]

    def ask(self) -> None:
        """Read the metrics of all workers."""
        self._told = [_series(trial.page("metrics")[1]) for trial in self.trials]

    def gauge(self, name: str, channel: str, partition: int) -> float:
        """Return what the worker that has a partition told of it, 0 where none has told."""
        series = f'overgrowth_{name}{{channel="{channel}",partition="{partition}"}}'
        return max((told.get(series, 0.0) for told in self._told), default=0.0)

    def total(self, name: str) -> float:
        """Return the sum of a series over the workers."""
        return sum(told.get(name, 0.0) for told in self._told)

    def applied(self) -> float:
        """Return how many records of the signals were taken."""
        channel = self.trial.name(SIGNALS)
        return sum(self.gauge("applied_offset", channel, partition) for partition in range(PARTITIONS))

    def is_through(self, *, ends: list[int], end_ms: int) -> bool:
        """Say whether every signal, and all that follows from it, is in a checkpoint."""
        signals, contributions = self.trial.name(SIGNALS), self.trial.name(CONTRIBUTIONS)
        return (
            all(self.gauge("checkpoint_offset", signals, p) >= ends[p] for p in range(PARTITIONS))
            and all(
                self.gauge("watermark_timestamp_seconds", contributions, p) * 1_000 >= end_ms for p in range(PARTITIONS)
            )
            and all(
                self.gauge("checkpoint_offset", channel, p) == self.gauge("applied_offset", channel, p)
                for channel in (self.trial.name(ATTRIBUTED), contributions)
                for p in range(PARTITIONS)
            )
        )

    def wait(self, is_there: Callable[[], bool], what: str, *, every_s: float) -> None:
        """Wait until the metrics say so."""
        deadline_s = time.monotonic() + WITHIN_S
        while True:
            self.ask()
            if is_there():
                return
            log = self.trial.log_path
            ended = any(trial.process is None or trial.process.poll() is not None for trial in self.trials)
            assert not ended, f"expected {what}, a worker ended:\n{log.read_text()}"
            assert time.monotonic() < deadline_s, f"expected {what} within {WITHIN_S} s:\n{log.read_text()}"
            time.sleep(every_s)  # another process does it; nothing here can be waited for


def _series(page: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def run(group: Group, *, records: int, ends: list[int], end_ms: int) -> Took:
    """Start the workers of a group on a log that is there already, and return what they took."""
    group.start()
    try:
        group.wait(lambda: group.applied() > 0, "a first signal", every_s=POLL_S)
        before, begun_s, begun_cpu_s = group.applied(), time.monotonic(), group.processors_s()
        group.wait(
            lambda: group.is_through(ends=ends, end_ms=end_ms), "every signal in a checkpoint", every_s=POLL_METRICS_S
        )
        wall_s = time.monotonic() - begun_s
        each_s = [ended - begun for begun, ended in zip(begun_cpu_s, group.processors_s(), strict=True)]
        return Took(int(records - before), sum(each_s), wall_s, busiest_cpu_s=max(each_s))
    finally:
        group.stop()
