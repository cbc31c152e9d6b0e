"""How long an alert takes from the watermark's passing of its tick to the channel of alerts, through a whole worker.

The log goes on at its own pace while the worker reads. Every second has a tick, every tenth of a second wakes a topic
that is told at the next tick; those woken before are judged at every tick, too. A watermark passes a tick with the
record that lies the allowed lateness behind it, so an alert's time runs from when that record was handed to Kafka to
when a reader of alerts has it. Both are read from a clock, and what else the machine does is in them.
"""

import asyncio
import atexit
import time
from statistics import quantiles

import msgspec

from agents.broker import create_channels, follow_partition, start_producer
from agents.registry import publish_topics
from agents.settings import Settings
from schemas.channels import ALERTS, named
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Signal
from tests.benchmarks.brand import NETWORK, START_MS
from tests.benchmarks.channel import put, scratch, start_stack
from tests.benchmarks.firehose import PARTITIONS, Logged
from tests.benchmarks.overgrowth_run import POLL_METRICS_S, Group
from tests.benchmarks.report import ROUNDS_MAX, Figure, Goal, Round

STEPS = 80
STEP_MS = 100
LATENESS_MS = 1_000
SIGNALS_PER_STEP = 40
TOPICS_PER_STEP = 1
SIGNALS_PER_WAKE = 6
P99_S_MAX = 2.0
PATIENCE_POLLS = 20
RULES = {
    "scale": 1 / 60,
    "burst": {"cold_signals_min": 3, "cold_actors_min": 3, "signals_min": 3, "actors_min": 3, "for_ms": 0},
}
"""A tick a second, and a burst as soon as three people talk."""


def begin(*, quick: bool) -> Round:
    """Start a Kafka and a worker, and let it take its first signals."""
    steps = STEPS // 2 if quick else STEPS
    stack = start_stack()
    group = Group(stack, "latency", scratch())
    # The lateness is waited for before the watermark passes, so it is in no figure.
    settings = group.trial.settings = msgspec.structs.replace(group.trial.settings, lateness_ms=LATENESS_MS)
    asyncio.run(_declare(settings, topics=steps * ROUNDS_MAX * TOPICS_PER_STEP))
    group.start()
    atexit.register(group.stop)
    group.wait(lambda: group.applied() > 0, "a first signal", every_s=POLL_METRICS_S)
    done = 0

    def take_round() -> list[Figure]:
        nonlocal done
        latencies_ms = asyncio.run(_latencies_ms(settings, first=done, steps=steps))
        done += steps
        cuts = quantiles(latencies_ms, n=100, method="inclusive")
        return [
            Figure("alerts", len(latencies_ms), "alerts"),
            Figure("watermark to channel, p50", cuts[49], "ms"),
            Figure("watermark to channel, p99", cuts[98], "ms", goal=Goal(P99_S_MAX * 1_000)),
        ]

    return take_round


async def _declare(settings: Settings, *, topics: int) -> None:
    await create_channels(settings)
    producer = await start_producer(settings)
    records = [
        TopicRecord("acme", f"t{n}", (TopicVersion(0, seeds=Seeds(tags=(f"wake{n}",)), rules=RULES),))
        for n in range(topics)
    ]
    await publish_topics(settings, producer, records, known=())
    await put(producer, settings, [_record(p, START_MS, f"first{p}", p) for p in range(PARTITIONS)])
    await producer.stop()


async def _latencies_ms(settings: Settings, *, first: int, steps: int) -> list[float]:
    """Put some steps of the log on the channel at its pace, and return how long each alert took."""
    came: list[tuple[int, float]] = []
    readers = [asyncio.create_task(_follow(settings, partition, came)) for partition in range(PARTITIONS)]
    await asyncio.sleep(0.5)  # the readers are to be there before what they read
    handed_s: list[tuple[int, float]] = []
    producer = await start_producer(settings)
    for step in range(first, first + steps):
        begun_s = time.monotonic()
        end_ms = START_MS + (step + 1) * STEP_MS
        handed_s.append((end_ms, begun_s))
        await put(producer, settings, _step(step, end_ms))
        await asyncio.sleep(max(0.0, STEP_MS / 1_000 - (time.monotonic() - begun_s)))
    lateness_ms = settings.lateness_ms
    # Of the last whole second; the reader may be behind.
    decided_ms = (handed_s[-1][0] - lateness_ms) // 1_000 * 1_000
    for _ in range(PATIENCE_POLLS):
        if any(at_ms >= decided_ms for at_ms, _ in came):
            break
        await asyncio.sleep(POLL_METRICS_S)
    # One partition tells of its last tick before the others do.
    await asyncio.sleep(1)
    await producer.stop()
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    passed_s = {end_ms - lateness_ms: at_s for end_ms, at_s in handed_s}
    # Alerts of ticks that an earlier round let pass are not of this one.
    found = [(at_s - passed_s[at_ms]) * 1_000 for at_ms, at_s in came if at_ms in passed_s]
    assert len(found) > 1, f"expected alerts, got {len(found)} in {steps} steps"
    return found


async def _follow(settings: Settings, partition: int, came: list[tuple[int, float]]) -> None:
    channel = named(ALERTS, namespace=settings.namespace)
    async for records in follow_partition(settings, channel=channel, partition=partition):
        at_s = time.monotonic()
        came += [(record.timestamp, at_s) for record in records]


def _step(step: int, end_ms: int) -> list[Logged]:
    """Return a tenth of a second of the log: what wakes a topic, other talk, a signal at the end of each partition."""
    begin_ms = end_ms - STEP_MS
    waking = [
        _record(n % PARTITIONS, begin_ms + 1 + n, f"wake{topic}-{n}", topic * 7 + n, tags=(f"wake{topic}",))
        for topic in range(step * TOPICS_PER_STEP, (step + 1) * TOPICS_PER_STEP)
        for n in range(SIGNALS_PER_WAKE)
    ]
    others = [
        _record(n % PARTITIONS, begin_ms + 20 + n, f"other{step}-{n}", step * 11 + n) for n in range(SIGNALS_PER_STEP)
    ]
    return waking + others + [_record(p, end_ms, f"end{step}-{p}", p) for p in range(PARTITIONS)]


def _record(partition: int, at_ms: int, name: str, actor: int, tags: tuple[str, ...] = ()) -> Logged:
    signal = Signal(f"{NETWORK}:{name}", NETWORK, "post", at_ms, f"by:{actor}", source=NETWORK, tags=tags, post=name)
    return Logged(partition, name.encode(), at_ms, msgspec.json.encode(signal))
