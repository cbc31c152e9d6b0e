"""Run one schedule: a workload through workers that faults strike, then without faults to its end, then judge it."""

import asyncio
import logging
from collections import Counter
from random import Random
from typing import NamedTuple

from faust.types import TP

from agents.garbage import collect_rarely
from agents.table import CHECKPOINT_KEY, Recovery
from schemas.channels import (
    ALERT_STATE,
    ALERTS,
    ATTRIBUTED,
    CASCADES,
    CHANNELS,
    CONTRIBUTIONS,
    LATE,
    REJECTIONS,
    SIGNALS,
    TABLE_ATTRIBUTE,
    TABLE_FOLLOW,
    TABLE_WATCH,
    VITALS,
    ChannelSpec,
    named,
)
from tests.simulation.broker import Broker
from tests.simulation.group import Group
from tests.simulation.loop import Process, SeededLoop
from tests.simulation.options import Network, Options
from tests.simulation.process import WorkerProcess, World, decode_checkpoint
from tests.simulation.workload import REGISTRY, Expected, Workload, canonical, workload_of

STEPS_MAX = 400_000
CHECKPOINT_PLACES = (b"0" + CHECKPOINT_KEY, b"1" + CHECKPOINT_KEY)
DRAIN_S = 60.0
"""Virtual seconds in which everything must be settled once the faults have stopped."""

_INPUTS = (SIGNALS, ATTRIBUTED, CONTRIBUTIONS)
_TABLES = ((TABLE_ATTRIBUTE, "attribute"), (TABLE_FOLLOW, "follow"), (TABLE_WATCH, "watch"))


class Difference(Exception):
    """What was left differs from what must be: safety is broken."""


class NotLive(Exception):
    """The faults have stopped, but the work does not come to its end."""


class Verdict(NamedTuple):
    """What a schedule did; `failure` is empty where all was well."""

    options: Options
    counts: Counter[str]
    failure: str


class Schedule:
    """One world from its beginning to its end."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.random = Random(f"schedule {options.seed}")
        self.loop = SeededLoop(self.random, steps_max=STEPS_MAX)  # type: ignore[abstract]  # asyncio asks for no more
        self.workload: Workload = workload_of(options.workload, options.partitions)
        self.broker = Broker(self.loop, self.random, options.network)
        settings = self.workload.settings
        for spec in CHANNELS:
            self.broker.create(named(spec, namespace=settings.namespace), spec.partitions or settings.partitions)
        places = [TP(self.name(spec), partition) for spec in _INPUTS for partition in range(settings.partitions)]
        self.group = Group(self.loop, self.random, places)
        self.world = World(options, self.random, self.broker, self.group, settings)
        self.world.at_write = self._at_write
        self.workers: list[WorkerProcess] = []
        self.started = 0
        # Process -> in how many of its steps it is struck.
        self._marked: dict[Process, int] = {}

    def name(self, spec: ChannelSpec) -> str:
        """Return the full name of a channel."""
        return named(spec, namespace=self.workload.settings.namespace)

    def run(self) -> Verdict:
        """Return the verdict; nothing is raised."""
        failure = ""
        try:
            self.loop.run(self._live())
            self._judge()
        except Exception as error:  # noqa: BLE001  (whatever breaks is the finding, told with its seed)
            failure = f"{type(error).__name__}: {error}"
        if self.world.unexpected:
            ended = self.world.unexpected[0]
            failure = f"unexpected end of a worker: {type(ended).__name__}: {ended}"
        counts = self.world.counts + self.broker.counts + self.group.counts
        counts["steps"] = self.loop.steps
        return Verdict(self.options, counts, failure)

    # The faulty part.

    async def _live(self) -> None:
        loop = self.loop
        loop.before = self._before
        for _ in range(self.options.workers):
            self._start_worker()
        feeding = [loop.create_task(self._feed(partition)) for partition in range(self.options.partitions)]
        watching = loop.create_task(self._watch_for_ever())
        await asyncio.sleep(self.options.faulty_s)
        self._stop_faults()
        await asyncio.gather(*feeding)
        await self._drain()
        watching.cancel()

    def _start_worker(self) -> None:
        self.started += 1
        self.workers.append(WorkerProcess(self.world, f"worker {self.started}", REGISTRY))

    def _before(self, process: Process) -> None:
        """Strike, or not, the process whose step is next."""
        if process is self.loop.world:
            return
        mark = self._marked.get(process)
        if mark is not None:
            if mark > 0:
                self._marked[process] = mark - 1
                return
            del self._marked[process]
            self._strike(process, kills=self.random.random() < self.options.kills_share)
        elif self.world.is_faulty:
            drawn = self.random.random()
            if drawn < self.options.kill:
                self._strike(process, kills=True)
            elif drawn < self.options.kill + self.options.stop:
                self._strike(process, kills=False)

    def _strike(self, process: Process, *, kills: bool) -> None:
        if kills:
            self.world.counts["kills"] += 1
            process.kill()
            return
        self.world.counts["stops"] += 1
        process.is_stopped = True
        stop_s = self.random.uniform(0.0, self.options.stop_s)
        self.loop.call_later(stop_s, self._resume, process, context=self.loop.world.context)

    def _resume(self, process: Process) -> None:
        process.is_stopped = False

    def _at_write(self, process: Process) -> None:
        if self.world.is_faulty and self.random.random() < self.options.at_write:
            self._marked[process] = self.random.randrange(12)

    def _stop_faults(self) -> None:
        self.world.is_faulty = False
        self._marked.clear()
        self.broker.network = Network(hole=self.options.network.hole)

    async def _feed(self, partition: int) -> None:
        """Write the log of a partition, some records at a time."""
        log = self.broker.logs[self.name(SIGNALS), partition]
        records = self.workload.logs[partition]
        pauses = max(1, len(records) // 3)
        for first in range(0, len(records), 3):
            await asyncio.sleep(self.random.uniform(0.0, 2 * self.options.feed_s / pauses))
            for record in records[first : first + 3]:
                entry = (record.key, record.value, record.timestamp_ms or 0)
                log.append([entry], hole=record.offset - log.end)

    async def _watch_for_ever(self) -> None:
        """Do what is not the workers' own: sessions expire, logs are compacted, ended processes are replaced."""
        options, random = self.options, self.random
        while True:
            await asyncio.sleep(0.5)
            self.group.check()
            self._compact()
            self.workers = [worker for worker in self.workers if worker.process.is_alive]
            if len(self.workers) < options.workers and (not self.world.is_faulty or random.random() < 0.4):
                self._start_worker()
            if not self.world.is_faulty:
                continue
            if random.random() < options.moves:
                self.group.move()
            if random.random() < options.forgets:
                self.group.forget()
            if self.workers and random.random() < options.drains:
                random.choice(self.workers).drain()

    def _compact(self) -> None:
        """Compact tables to the bone, as far as their present owners have read and put right what late writers left.

        That far production waits by the clock (`min.compaction.lag.ms` in `schemas.channels`).
        """
        if self.random.random() >= self.options.compact:
            return
        for spec, _ in _TABLES:
            for partition in range(self.options.partitions):
                with_tombstones = self.random.random() < 0.5
                self.world.counts["compacted"] += self._compact_one(spec, partition, with_tombstones=with_tombstones)

    def _compact_one(self, spec: ChannelSpec, partition: int, *, with_tombstones: bool) -> int:
        log = self.broker.logs[self.name(spec), partition]
        found = [decode_checkpoint(record.value or b"") for record in log.records if record.key in CHECKPOINT_PLACES]
        if not found:
            return 0
        epoch = max((checkpoint.epoch, checkpoint.seq) for checkpoint in found)[0]
        end = self.world.read_ends[self.name(spec), partition, epoch]
        return log.compact(before=end, with_tombstones=with_tombstones)

    # The end.

    async def _drain(self) -> None:
        """Wait until everything is settled, twice in a row."""
        by_s = self.loop.time() + DRAIN_S
        settled = 0
        while settled < 3:
            if self.loop.time() > by_s:
                raise NotLive(f"expected all to be settled within {DRAIN_S:.0f} s, got {self._unsettled()}")
            await asyncio.sleep(0.7)
            settled = 0 if self._unsettled() else settled + 1

    def _unsettled(self) -> dict[str, tuple[int, int]]:
        """Return where the committed offset is not the end of the log."""
        unsettled = {}
        for spec in _INPUTS:
            for partition in range(self.options.partitions):
                end = self.broker.logs[self.name(spec), partition].end
                committed = self.group.committed.get(TP(self.name(spec), partition), 0)
                if committed != end:
                    unsettled[f"{spec.name}[{partition}]"] = (committed, end)
        if self.broker.in_flight:
            unsettled["in flight"] = (0, self.broker.in_flight)
        return unsettled

    def _judge(self) -> None:
        expected = self.workload.expected
        for spec, values in (
            (ALERTS, expected.alerts),
            (ALERT_STATE, expected.alerts),
            (VITALS, expected.vitals),
            (CASCADES, expected.cascades),
            (LATE, expected.late),
            (REJECTIONS, expected.rejections),
        ):
            self._judge_told(spec, values)
        self._judge_rows(expected)
        ledger = expected.ledger
        if ledger.waiting():
            raise Difference(f"expected {ledger.read} records accounted for, got {ledger.waiting()} fewer")

    def _judge_told(self, spec: ChannelSpec, expected: frozenset[bytes]) -> None:
        found: list[bytes] = []
        for partition in range(self.broker.partitions[self.name(spec)]):
            found += [record.value or b"" for record in self.broker.logs[self.name(spec), partition].records]
        self._count_outdated(spec)
        told = frozenset(found)
        self.world.counts["told"] += len(told)
        self.world.counts["suppressed"] += len(found) - len(told)
        if told != expected:
            raise Difference(
                f"{spec.name}: {len(expected - told)} missing, {len(told - expected)} not expected, "
                f"first missing {min(expected - told, default=b'')[:600]!r}, "
                f"first not expected {min(told - expected, default=b'')[:600]!r}"
            )

    def _count_outdated(self, spec: ChannelSpec) -> None:
        """Count the keys of a compacted channel under which a late writer has the last word: readers compare `at`."""
        if "compact" not in spec.cleanup:
            return
        channel = self.name(spec)
        last: dict[bytes | None, bytes | None] = {}
        for partition in range(self.broker.partitions[channel]):
            last.update({record.key: record.value for record in self.broker.logs[channel, partition].records})
        latest = self.workload.expected.latest
        self.world.counts["outdated keys"] += sum(latest[channel, key or b""] != value for key, value in last.items())

    def _judge_rows(self, expected: Expected) -> None:
        """Compare the rows that a reader of the changelog finds, as it is and compacted as far as can be."""
        for spec, step in _TABLES:
            for partition in range(self.options.partitions):
                log = self.broker.logs[self.name(spec), partition]
                for _ in range(2):
                    recovery: Recovery | None = Recovery(where=f"{spec.name}[{partition}]")
                    while recovery is not None:
                        done = recovery
                        for record in log.records:
                            done.feed(record.key, record.value)
                        recovery = done.again()
                    self.world.counts["stale rows"] += done.stale
                    checkpoint = done.checkpoint
                    frontier = checkpoint.frontier if checkpoint is not None else None
                    if frontier != expected.frontiers[step, partition]:
                        raise Difference(
                            f"{spec.name}[{partition}]: expected the frontier {expected.frontiers[step, partition]}, "
                            f"got {frontier}"
                        )
                    self._compare(f"{spec.name}[{partition}]", done.rows(), expected.rows[step, partition])
                    self._compact_one(spec, partition, with_tombstones=False)

    def _compare(self, where: str, found: list[tuple[str, bytes]], expected: list[tuple[str, bytes]]) -> None:
        if found == expected:
            return
        before, now = dict(expected), dict(found)
        missing, more = sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys())
        both = sorted(before.keys() & now.keys())
        other = [key for key in both if before[key] != now[key] and canonical(before[key]) != canonical(now[key])]
        if not missing and not more and not other:
            return
        shown = [(key, before[key], now[key]) for key in other[:2]]
        raise Difference(f"{where}: rows missing {missing}, not expected {more}, different {other}: {shown}")


def run_schedule(options: Options) -> Verdict:
    """Run one schedule."""
    return Schedule(options).run()


def quiet() -> None:
    """Keep back what workers tell, for it is about faults that are meant, and collect garbage as they do."""
    logging.getLogger("overgrowth").setLevel(logging.CRITICAL + 1)
    collect_rarely()
