"""The three steps together: order, crashes and partitions change no byte of what they tell."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Generic, NamedTuple, Protocol, TypeVar
from zlib import crc32

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import Alert
from schemas.attributed import LINEAGES, AttributedItem, AttributedPacket, Erased, Position, actor_key
from schemas.cascade import CascadeVitals
from schemas.contribution import ContributionItem, ContributionPacket
from schemas.rejection import Late
from schemas.signal import KINDS, Signal, conversation_of, is_addressed
from schemas.vitals import Vitals
from streams.eventtime.clock import ClockSettings
from streams.steps.attribute import AttributeSettings, AttributeStep
from streams.steps.follow import FollowStep
from streams.steps.pipeline import Outcome, Pipeline
from streams.steps.watch import WatchStep
from tests.streams.steps.logs import (
    LATENESS_MS,
    MINUTE_MS,
    Entry,
    arrivals,
    batches,
    compressed,
    in_bytes,
    random_log,
    registry,
    remember,
    shuffled,
    signals_of,
)

# A season of 24 times the speed, judged once a minute all the same: its day lasts an hour, so that states end again.
FAST_RULES: dict[str, object] = {
    "tick": "24m",
    "seeded": {"actors_min": 2, "silence": "8h"},
    "growing": {"cold_actors_min": 3, "cold_signals_min": 4, "for": "24m", "keep": "2h"},
    "outgrown": {
        "ratio_enter": 1.5,
        "ratio_exit": 1.2,
        "share_enter": 0.5,
        "share_exit": 0.45,
        "actors_min": 3,
        "signals_min": 4,
        "cold_actors_min": 3,
        "cold_signals_min": 4,
        "top_actor_share_max": 1.0,
        "for": "48m",
        "keep": "2h",
    },
    "cascade": {"orphan": "2h", "silence": "8h"},
    "viral": {"size_min": 3, "percentile_enter": 0.5, "for": "24m", "keep": "2h"},
    "reminders": {"after": ["2h", "8h"], "every": "1d"},
}
SPEED = 24
REGISTRY = registry(scale=1 / SPEED, **FAST_RULES)
HOUR_MS = 60 * MINUTE_MS
WEIGHTS = {"post": 1.0, "reply": 1.0, "quote": 1.5, "share": 1.0, "like": 0.2, "follow": 0.5}

seeds = st.integers(0, 2**32)


class Told(NamedTuple):
    """All vitals, cascades and alerts of a run as bytes, in the order of (tick, brand, topic), cascades by root."""

    vitals: list[bytes]
    cascades: list[bytes]
    alerts: list[bytes]


def in_order(vitals: Sequence[Vitals], cascades: Sequence[CascadeVitals], alerts: Sequence[tuple[int, Alert]]) -> Told:
    """Return what was told in its order; that of one topic's alerts at one tick stays as it was told."""
    sorted_vitals = sorted(vitals, key=lambda one: (one.at, one.brand, one.topic))
    sorted_alerts = sorted(alerts, key=lambda one: (one[0], one[1].brand, one[1].topic))
    sorted_cascades = sorted(cascades, key=lambda one: (one.at, one.root, one.brand, one.topic))
    return Told(in_bytes(sorted_vitals), in_bytes(sorted_cascades), in_bytes(sorted_alerts))


def outcomes(log: list[Entry], random: Random, pipeline: Pipeline | None = None) -> list[Outcome]:
    """Return what a pipeline tells of a log in random batches."""
    pipeline = pipeline or Pipeline(REGISTRY)
    return [
        pipeline.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end)
        for begin, end in batches(random, len(log))
    ]


def oracle(log: list[Entry]) -> Told:
    """Return what a pipeline tells of a log in one piece, exactly in the order in which it tells it."""
    outcome = Pipeline(REGISTRY).advance(arrivals(log), next_offset=len(log))
    return Told(in_bytes(outcome.vitals), in_bytes(outcome.cascades), in_bytes(outcome.alerts))


def joined(parts: Sequence[Outcome]) -> Told:
    """Return what many batches told as one."""
    return in_order(
        [one for part in parts for one in part.vitals],
        [one for part in parts for one in part.cascades],
        [one for part in parts for one in part.alerts],
    )


@given(seeds)
@settings(max_examples=12)
def test_order_within_the_lateness_and_batches_change_no_byte(seed: int) -> None:
    """A shuffled log in random batches tells the bytes of the sorted one in one piece."""
    random = Random(seed)
    log = random_log(random)
    parts = outcomes(shuffled(random, log), random)

    assert not [late for part in parts for late in part.late]
    assert joined(parts) == oracle(log)


def test_the_random_logs_raise_every_kind_of_alert() -> None:
    """Otherwise the claims about alerts here would be claims about nothing."""
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(12):
        log = random_log(Random(seed), signals=160, span_ms=200 * MINUTE_MS, peaked=80)
        for _, alert in Pipeline(REGISTRY).advance(arrivals(log), next_offset=len(log)).alerts:
            found[alert.state, alert.status] += 1

    assert {state for state, _ in found} >= {"growing", "outgrown"}
    assert {status for _, status in found} >= {"firing", "updated", "resolved"}


@given(seeds)
@settings(max_examples=10)
def test_late_signals_come_out_aside_and_change_no_byte(seed: int) -> None:
    """The run without the signals that were late tells the same vitals and alerts; the ledger counts them all."""
    random = Random(seed)
    log = shuffled(random, random_log(random), lateness_ms=30 * LATENESS_MS)
    pipeline = Pipeline(REGISTRY)
    parts = outcomes(log, random, pipeline)
    late: list[Late] = [one for part in parts for one in part.late]
    aside = {one.place.offset for one in late}
    ledger = pipeline.ledger

    assert ledger.late == len(late)
    assert ledger.read == len(log)
    assert ledger.waiting() == len(pipeline.attribute) == 0
    assert all(isinstance(log[offset], Signal) for offset in aside)
    # A late signal still says that its source is alive, so a heartbeat of its time stands in for it.
    rest = [heard(entry) if offset in aside else entry for offset, entry in enumerate(log)]
    assert joined(parts) == oracle(rest)


def heard(entry: Entry) -> Entry:
    """Return a signal on no topic at the same time from the same source."""
    assert isinstance(entry, Signal)
    return Signal(f"{entry.id}, late", "n", "post", entry.at, entry.actor, source=entry.source)


@given(seeds)
@settings(max_examples=8)
def test_engagement_in_the_windows_of_a_day_equals_brute_force(seed: int) -> None:
    """From attributed signals alone: weights under the cap of an actor, a topic and a clock hour, counted anew."""
    log = random_log(Random(seed), signals=90)
    items = signals_of(AttributeStep(registry()).advance(arrivals(log), next_offset=len(log)).items)
    vitals = Pipeline(registry()).advance(arrivals(log), next_offset=len(log)).vitals

    assert vitals
    for one in vitals:
        key = f"{one.brand}/{one.topic}"
        found = [(item, link) for item in items for link in item.links if link.topic == key and item.at < one.at]
        weights: defaultdict[tuple[str, int], float] = defaultdict(float)
        for item, _ in found:
            weights[item.actor, item.at // HOUR_MS] += WEIGHTS[KINDS[item.kind]]
        day = one.windows["24h"]
        assert abs(day.engagement - sum(min(5.0, weight) for weight in weights.values())) < 1e-9
        assert day.signals == len(found)
        assert +Counter(day.by_lineage) == Counter(LINEAGES[link.lineage] for _, link in found)
        assert +Counter(day.by_kind) == Counter(KINDS[item.kind] for item, _ in found)
        assert day.actors == len({item.actor for item, _ in found})


@given(seeds)
@settings(max_examples=8)
def test_a_scale_of_a_sixtieth_tells_the_same_story_in_a_sixtieth_of_the_time(seed: int) -> None:
    """A log compressed by 60 raises the same states and statuses in the same order, at a sixtieth of the ticks."""
    log = random_log(Random(seed), signals=120, span_ms=200 * MINUTE_MS, peaked=60)
    slow = Pipeline(REGISTRY).advance(arrivals(log), next_offset=len(log))
    fast_settings = AttributeSettings(
        clock=ClockSettings(lateness_ms=LATENESS_MS // 60, idle_ms=1_000, tick_ms=1_000),
        duplicate_ms=60_000,
        conversation_ms=7 * 86_400_000 // 60,
    )
    quick = Pipeline(registry(scale=1 / (60 * SPEED), **FAST_RULES), settings=fast_settings)
    fast = quick.advance(arrivals(compressed(log, factor=60)), next_offset=len(log))

    assert [(at_ms // 60, *story(alert)) for at_ms, alert in slow.alerts] == [
        (at_ms, *story(alert)) for at_ms, alert in fast.alerts
    ]
    assert [(one.at // 60, one.topic, one.state, one.windows) for one in slow.vitals] == [
        (one.at, one.topic, one.state, one.windows) for one in fast.vitals
    ]


def story(alert: Alert) -> tuple[str, str, str, str, int]:
    """Return what an alert tells, without its times."""
    return alert.brand, alert.topic, alert.state, alert.status, alert.severity


class Step(Protocol):
    """What the three steps have in common."""

    def resume(self) -> tuple[int, Position, bytes]:
        """Return what a checkpoint says of the input."""

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed."""

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint."""


Kind = TypeVar("Kind", bound=Step)
Item = TypeVar("Item")


class Running(Generic[Kind, Item]):
    """One step of a distributed run: the channel that it reads, its table, and a checkpoint that may be old."""

    def __init__(self, fresh: Callable[[], Kind]) -> None:
        self.fresh = fresh
        self.step = fresh()
        self.input: list[Item] = []
        self.read = 0
        self.rows: dict[str, bytes] = {}
        self.kept = (dict[str, bytes](), self.step.resume())

    def take(self, random: Random) -> list[tuple[int, Item]]:
        """Read some records with their offsets."""
        begin, self.read = self.read, min(len(self.input), self.read + random.randint(1, 12))
        return list(enumerate(self.input[begin : self.read], begin))

    def keep(self) -> None:
        """Write a checkpoint: the rows that changed, and what the step says of its input."""
        remember(self.rows, self.step.changed_rows())
        self.kept = (dict(self.rows), self.step.resume())

    def crash(self) -> None:
        """Lose everything since the last checkpoint and go on from there; without one, from the beginning."""
        rows, (offset, frontier, context) = self.kept
        self.rows, self.read, self.step = dict(rows), offset, self.fresh()
        self.step.restore(rows.items(), offset=offset, frontier=frontier, context=context)


AnyRunning = (
    Running[AttributeStep, Entry] | Running[FollowStep, AttributedPacket] | Running[WatchStep, ContributionPacket]
)


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key."""
    return crc32(key.encode()) % partitions


class World:
    """Three steps on several partitions each, under a scheduler that picks who reads how much, keeps and crashes."""

    def __init__(self, random: Random, *, partitions: int, crashes: float = 0.0) -> None:
        self.random, self.partitions, self.crashes = random, partitions, crashes
        numbers = range(partitions)
        self.attribute: list[Running[AttributeStep, Entry]] = [
            Running(lambda: AttributeStep(REGISTRY)) for _ in numbers
        ]
        self.follow: list[Running[FollowStep, AttributedPacket]] = [
            Running(lambda: FollowStep(REGISTRY, origins=partitions)) for _ in numbers
        ]
        self.watch: list[Running[WatchStep, ContributionPacket]] = [
            Running(lambda: WatchStep(REGISTRY, origins=partitions)) for _ in numbers
        ]
        self.crashed = 0
        self.vitals: dict[bytes, Vitals] = {}
        self.cascades: dict[bytes, CascadeVitals] = {}
        self.alerts: dict[bytes, tuple[int, Alert]] = {}

    def run(self, log: list[Entry]) -> Told:
        """Split the log by conversation, what is no signal goes everywhere; return all that was told, each once."""
        for entry in log:
            for number, one in enumerate(self.attribute):
                key = conversation_of(entry) if isinstance(entry, Signal) and is_addressed(entry) else None
                if key is None or partition_of(key, self.partitions) == number:
                    one.input.append(entry)
        everyone: list[AnyRunning] = [*self.attribute, *self.follow, *self.watch]
        while waiting := [number for number, one in enumerate(everyone) if one.read < len(one.input)]:
            number = self.random.choice(waiting)
            (self._attribute, self._follow, self._watch)[number // self.partitions](number % self.partitions)
            if self.random.random() < 0.3:
                everyone[number].keep()
            if self.crashed < 20 and self.random.random() < self.crashes:
                self.crashed += 1
                self.random.choice(everyone).crash()
        return in_order(list(self.vitals.values()), list(self.cascades.values()), list(self.alerts.values()))

    def _attribute(self, number: int) -> None:
        running = self.attribute[number]
        records = running.take(self.random)
        first_offset = records[0][0]
        batch = arrivals([entry for _, entry in records], first_offset=first_offset)
        told = running.step.advance(batch, next_offset=running.read)
        targets: list[list[AttributedItem]] = [[] for _ in self.follow]
        for item in told.items:
            key = actor_key(item)
            for number_of_target, items in enumerate(targets):
                if key is None or partition_of(key, self.partitions) == number_of_target:
                    items.append(item)
        for target, items in zip(self.follow, targets, strict=True):
            target.input.append(AttributedPacket(1, number, told.after, told.upto, tuple(items)))

    def _follow(self, number: int) -> None:
        running = self.follow[number]
        added = running.step.advance(running.take(self.random), next_offset=running.read)
        targets: list[list[ContributionItem]] = [[] for _ in self.watch]
        for item in added.items:
            key = None if isinstance(item, Erased) else item.topic
            for number_of_target, items in enumerate(targets):
                if key is None or partition_of(key, self.partitions) == number_of_target:
                    items.append(item)
        for target, items in zip(self.watch, targets, strict=True):
            target.input.append(ContributionPacket(1, number, added.after, added.upto, tuple(items)))

    def _watch(self, number: int) -> None:
        running = self.watch[number]
        seen = running.step.advance(running.take(self.random), next_offset=running.read)
        for vitals in seen.vitals:
            self.vitals.setdefault(msgspec.json.encode(vitals), vitals)
        for cascade in seen.cascades:
            self.cascades.setdefault(msgspec.json.encode(cascade), cascade)
        for alert in seen.alerts:
            self.alerts.setdefault(msgspec.json.encode(alert), alert)


@given(seeds, st.integers(1, 4))
@settings(max_examples=14)
def test_partitions_and_interleavings_change_no_byte(seed: int, partitions: int) -> None:
    """Conversations, actors and topics over one to four partitions, in any interleaving, tell what one process does."""
    random = Random(seed)
    log = random_log(random, changed=0.25, erased=random.choice((0.0, 0.1)))
    world = World(random, partitions=partitions)

    assert world.run(shuffled(random, log)) == oracle(log)
    # Nothing crashed, so nothing may have been told twice in different words either.
    assert len({(one.at, one.brand, one.topic) for one in world.vitals.values()}) == len(world.vitals)


@given(seeds, st.integers(1, 3))
@settings(max_examples=10)
def test_crashes_of_any_step_at_any_boundary_change_no_byte(seed: int, partitions: int) -> None:
    """Steps go on from checkpoints of different ages and send again what the next has heard; all is told once."""
    random = Random(seed)
    log = random_log(random, changed=0.25, erased=random.choice((0.0, 0.1)))

    assert World(random, partitions=partitions, crashes=0.15).run(shuffled(random, log)) == oracle(log)
