"""One point of a curve of `growth.py`, in a process of its own: `python -m tests.benchmarks.growth_points CURVE SIZE`.

Each curve feeds the three steps in this process, without Kafka, and asks them for rows as checkpoints do. It prepares
what is to be there, then measures: processor time by step, bytes of rows, and the resident size of the process.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from random import Random
from time import process_time
from typing import Any
from zlib import crc32

import msgspec

from agents.garbage import collect_rarely
from schemas.attributed import PACKET_VERSION, SEEDED, AttributedPacket, AttributedSignal, TopicLink
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Kind, Signal
from streams.attribution.changes import AppliedActs
from streams.attribution.matcher import Registry
from streams.steps.attribute import AttributeSettings
from streams.steps.pipeline import Pipeline
from tests.benchmarks import firehose, growth_lanes
from tests.benchmarks.brand import NETWORK, START_MS, answer_to
from tests.benchmarks.growth_meter import Meter, Point, resident_mib

BATCH_SIGNALS = 1_000
MINUTE_MS = 60_000
DECLARED_SIGNALS = 20_000
AWAKE_MINUTES = 2
AWAKE_SIGNALS_MIN = 2_000
CASCADE_SIGNALS = 12_000
CASCADE_STEP_MS = 10
MEMBER_SIGNALS = 20_000
MEMBER_TOPICS = 20
HOT_SIGNALS = 16_000
UNDOS = 5_000
LOG_STEP_MS = 2_000
"""A million signals pass in 23 days: the longest windows and conversations (7 days) are full after a third of it."""
LOG_ACTORS = 20_000
TENTHS = 10
KINDS: tuple[Kind, ...] = ("reply", "share", "like")


def batches(signals: Iterable[Signal], size: int = BATCH_SIGNALS) -> Iterator[list[Signal]]:
    """Yield signals in batches; they are made one batch ahead, so that making them is no part of what is measured."""
    iterator = iter(signals)
    while batch := list(islice(iterator, size)):
        yield batch


def _measured(meter: Meter, signals: Iterable[Signal]) -> Point:
    meter.begin()
    for batch in batches(signals):
        meter.take(batch)
    return meter.point()


def _topic(number: int, rules: dict[str, Any] | None = None) -> TopicRecord:
    seeds = Seeds(tags=(f"seed{number}",), phrases=(f"a garden named {number}",))
    version = TopicVersion(0, accounts={NETWORK: ("acme",)}, seeds=seeds, rules=rules or {})
    return TopicRecord("acme", f"t{number}", (version,))


def _post(number: int, *, topic: int, actor: int, at_ms: int) -> Signal:
    name = f"17{number:017}"
    signal = Signal(f"{NETWORK}:{name}", NETWORK, "post", at_ms, f"by:{actor:07}", source=NETWORK, followers=500)
    signal.tags, signal.post = (f"seed{topic}",), name
    return signal


# --- the curves -------------------------------------------------------------------------------------------------------


def topics_declared(size: int) -> list[Point]:
    """The firehose on 20 topics, with so many others declared that nobody talks of."""
    topics = [*firehose.topics(), *(_topic(number) for number in range(size))]
    meter = Meter(Pipeline(Registry(topics)))
    made = firehose.signals(2 * DECLARED_SIGNALS, on_topic=firehose.ON_TOPIC_OF_MIX)
    for batch in batches(made[:DECLARED_SIGNALS]):
        meter.take(batch)
    return [_measured(meter, made[DECLARED_SIGNALS:])]


def topics_awake(size: int) -> list[Point]:
    """So many topics that are judged at every tick, with a signal a minute each: half of a signal's time is a tick's.

    Few topics are measured several times over, so that every point has as many signals.
    """
    registry = Registry([_topic(number) for number in range(size)])
    meter = Meter(Pipeline(registry))
    _awake(meter, size)
    for _ in range(AWAKE_SIGNALS_MIN // (size * AWAKE_MINUTES)):
        meter.pipeline, meter.offset = Pipeline(registry), 0
        _awake(meter, size)
    return [meter.point()]


def _awake(meter: Meter, size: int) -> None:
    """Wake every topic in the first minute, and measure the others; a batch is a second of the log."""
    spent = meter.signals, meter.readings, meter.rows_bytes, meter.steps_s, meter.rows_s
    at_ms = [START_MS // MINUTE_MS * MINUTE_MS + place * MINUTE_MS // size for place in range(size)]
    step = max(1, size // 60)
    for minute in range(1 + AWAKE_MINUTES):
        if minute == 1:
            meter.begin()
            meter.signals, meter.readings, meter.rows_bytes, meter.steps_s, meter.rows_s = spent
        first = minute * size
        made = (_post(first + n, topic=n, actor=first + n, at_ms=minute * MINUTE_MS + at_ms[n]) for n in range(size))
        for batch in batches(made, step):
            meter.take(batch)


def cascades(size: int) -> list[Point]:
    """So many live cascades of 20 topics, and replies, shares and likes all over them, 100 a second of event time."""
    meter = Meter(Pipeline(Registry(firehose.topics())))
    random = Random(1)
    tags = [topic.versions[0].seeds.tags[0] for topic in firehose.topics()]

    def root(number: int) -> Signal:
        signal = _post(number, topic=0, actor=number, at_ms=START_MS + number * 600_000 // size)
        signal.tags = (tags[number % len(tags)],)
        return signal

    def answer(number: int) -> Signal:
        of = f"17{random.randrange(size):017}"
        at_ms = START_MS + 600_000 + number * CASCADE_STEP_MS
        kind: Kind = random.choice(KINDS)
        signal = answer_to(of, root=of, name=f"a{number}", at_ms=at_ms, kind=kind, followers=random.randrange(1_000))
        signal.actor = f"by:{random.randrange(50_000):07}"
        return signal

    for batch in batches(root(number) for number in range(size)):
        meter.take(batch)
    return [_measured(meter, (answer(number) for number in range(CASCADE_SIGNALS)))]


def members(size: int) -> list[Point]:
    """So many members of 20 topics; they speak on their topic and elsewhere. Their acts come to the second step."""
    rules = {"member": {"days_min": 1}}
    meter = Meter(Pipeline(Registry([_topic(number, rules) for number in range(MEMBER_TOPICS)])))
    random = Random(1)

    def act(number: int, member: int, at_ms: int, *, is_elsewhere: bool = False) -> AttributedSignal:
        name, actor = f"17{number:017}", f"by:{member:015}"
        links = () if is_elsewhere else (TopicLink(f"acme/t{member % MEMBER_TOPICS}", SEEDED, 1),)
        tags = (f"tag{int(2_000 * random.random() ** 3)}",) if is_elsewhere else ()
        return AttributedSignal(at_ms, f"{NETWORK}:{name}", actor, 0, NETWORK, name, links, tags)

    upto = (0, "")

    def feed(items: Iterable[AttributedSignal]) -> None:
        nonlocal upto
        iterator = iter(items)
        while batch := tuple(islice(iterator, BATCH_SIGNALS)):
            after, upto = upto, (batch[-1].at, batch[-1].id)
            meter.offset += 1
            meter.signals += len(batch)
            meter.follow(AttributedPacket(PACKET_VERSION, 0, after, upto, batch))

    # Who was there twice is a member, without waiting for the next day as the rules of nobody's own have it.
    feed(
        act(time * size + member, member, START_MS + (time * size + member) * MINUTE_MS // size)
        for time in range(2)
        for member in range(size)
    )
    meter.begin()
    begin_ms = START_MS + 2 * MINUTE_MS
    feed(
        act(2 * size + n, random.randrange(size), begin_ms + n * CASCADE_STEP_MS, is_elsewhere=n % 2 == 1)
        for n in range(MEMBER_SIGNALS)
    )
    return [meter.point()]


def hot_topic(size: int) -> list[Point]:
    """All signals on topics, `size` % of the conversations on one of the 20; 200 signals a second of event time."""
    meter = Meter(Pipeline(Registry(firehose.topics())))
    hot = firehose.topics()[0].versions[0].seeds.tags
    made = firehose.signals(HOT_SIGNALS, on_topic=1.0)
    for signal in made:
        signal.at = START_MS + (signal.at - START_MS) * 10
        if signal.tags and crc32((signal.root or signal.post or "").encode()) % 100 < size:
            signal.tags = hot
    made.sort(key=lambda signal: signal.at)
    for batch in batches(made[: HOT_SIGNALS // 4]):
        meter.take(batch)
    return [_measured(meter, made[HOT_SIGNALS // 4 :])]


def acts(size: int) -> list[Point]:
    """So many acts that can be taken back, half an hour of them, and undos of some: what finding each takes."""
    held, random = AppliedActs(span_ms=AttributeSettings().changes_ms), Random(1)

    def like(number: int, at_ms: int) -> Signal:
        of = f"17{number % 1_000:017}"
        signal = Signal(f"{NETWORK}:like{number}", NETWORK, "like", at_ms, f"by:{number % 50_000}", source=NETWORK)
        signal.parent = signal.root = signal.post = of
        return signal

    for number in range(size):
        signal = like(number, START_MS + number * 1_800_000 // size)
        held.add(signal, signal.root or "")
    undos = [like(random.randrange(size), START_MS + 1_800_000) for _ in range(UNDOS)]
    begun_s = process_time()
    for undo in undos:
        assert held.find(undo).found, "every undo means an act that is remembered"
    find_us = (process_time() - begun_s) / UNDOS * 1e6
    return [Point(find_us, (find_us, 0.0, 0.0), 0.0, 0.0, resident_mib())]


def log_length(size: int) -> list[Point]:
    """A log of so many signals at a constant pace, a point for each tenth; one of twenty conversations on the topic."""
    meter = Meter(Pipeline(Registry([_topic(0)])))
    points = []
    made = _conversations(size)
    for _ in range(TENTHS):
        points.append(_measured(meter, islice(made, size // TENTHS)))
    return points


def _conversations(count: int) -> Iterator[Signal]:
    """Yield posts and the replies to them, ten a conversation, by people who come again."""
    for number in range(count):
        root_number, place = divmod(number, 10)
        at_ms, actor = START_MS + number * LOG_STEP_MS, number * 7_919 % LOG_ACTORS
        signal = _post(number, topic=0, actor=actor, at_ms=at_ms)
        if place:
            signal.kind, signal.tags = "reply", ()
            signal.root = signal.parent = f"17{root_number * 10:017}"
        elif root_number % 20:
            signal.tags = (f"other{root_number % 500}",)
        yield signal


CURVES: dict[str, Callable[[int], list[Point]]] = {
    "topics declared": topics_declared,
    "topics awake": topics_awake,
    "live cascades": cascades,
    "members": members,
    "% on topic": growth_lanes.share_on_topic,
    "partitions": growth_lanes.one_load,
    "partitions, as busy each": growth_lanes.load_of_each,
    "acts that can be undone": acts,
    "hot topic": hot_topic,
    "log length": log_length,
}


if __name__ == "__main__":
    collect_rarely()
    print(msgspec.json.encode(CURVES[sys.argv[1]](int(sys.argv[2]))).decode())
