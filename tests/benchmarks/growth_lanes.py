"""The curves of partitions: the shells of all lanes in one process, with their inputs and outputs as bytes.

No Kafka is between them: what a lane tells lies where the next one takes it from. So the time is that of decoding,
the steps, packing and rows, in all lanes together; packets and bytes are those that Kafka would carry.
"""

from collections.abc import Callable, Sequence
from time import process_time
from zlib import crc32

import msgspec

from agents.attribute_signals import AttributeShell
from agents.follow_members import FollowShell
from agents.lane import Batch, Outgoing, Record, Shell, slices
from agents.settings import Settings
from agents.watch_topics import WatchShell
from schemas.channels import ATTRIBUTED, CONTRIBUTIONS
from schemas.signal import Signal, conversation_of
from streams.attribution.matcher import Registry
from tests.benchmarks import firehose
from tests.benchmarks.brand import START_MS
from tests.benchmarks.growth_meter import Point, resident_mib

SECOND_SIGNALS = 2_000
"""What comes at once where all partitions share one load: a second of it."""
PARTITION_SIGNALS = 500
"""What comes at once to a partition where each has its own."""
WARM_SIGNALS, MEASURED_SIGNALS, SHARE_SIGNALS = 12_000, 16_000, 12_000
HOPS = (ATTRIBUTED.name, CONTRIBUTIONS.name)


class _Lanes:
    """The three shells of every partition, and what each of them was sent."""

    def __init__(self, partitions: int, *, lateness_ms: int) -> None:
        settings = Settings(partitions=partitions, clock="log", views=False, lateness_ms=lateness_ms)
        registry = Registry(firehose.topics())
        makers: tuple[Callable[[int], Shell], ...] = (
            lambda partition: AttributeShell(settings, lambda: registry, partition),
            lambda partition: FollowShell(settings, lambda: registry, partition),
            lambda partition: WatchShell(settings, lambda: registry, partition),
        )
        self.partitions = partitions
        self.shells = [[make(partition) for partition in range(partitions)] for make in makers]
        self._offsets = [[0] * partitions for _ in makers]
        self.begin()

    def begin(self) -> None:
        """Begin to measure anew."""
        self.signals = self.packets = self.rows_bytes = 0
        self.hops_bytes = [0, 0]
        self.steps_s = [0.0, 0.0, 0.0]
        self.rows_s = 0.0

    def take(self, records: Sequence[tuple[int, bytes, int]]) -> None:
        """Take (partition, value, event time) of signals through all steps, with a checkpoint behind them."""
        self.signals += len(records)
        waiting: list[list[tuple[bytes, int | None]]] = [[] for _ in range(self.partitions)]
        for partition, value, at_ms in records:
            waiting[partition].append((value, at_ms))
        for place in range(3):
            begun_s = process_time()
            told = self._step(place, waiting)
            self.steps_s[place] += process_time() - begun_s
            waiting = [[] for _ in range(self.partitions)]
            for sent in told:
                if place < len(HOPS) and sent.channel == HOPS[place] and sent.value is not None:
                    assert sent.partition is not None, "packets have a partition"
                    waiting[sent.partition].append((sent.value, None))
                    self.hops_bytes[place] += len(sent.value)
                    self.packets += 1
        begun_s = process_time()
        for shells in self.shells:
            for shell in shells:
                self.rows_bytes += sum(len(key) + len(value or b"") for key, value in shell.step.changed_rows())
        self.rows_s += process_time() - begun_s

    def _step(self, place: int, waiting: list[list[tuple[bytes, int | None]]]) -> list[Outgoing]:
        """Let all lanes of one step take what waits for them, and return what they tell."""
        told: list[Outgoing] = []
        for partition, values in enumerate(waiting):
            first = self._offsets[place][partition]
            records = [Record(first + number, at_ms, value) for number, (value, at_ms) in enumerate(values)]
            self._offsets[place][partition] += len(records)
            if records:
                for part in slices(Batch(records, first + len(records))):
                    told += self.shells[place][partition].take(part)
        return told

    def point(self) -> Point:
        """Return what was measured since `begin`."""
        first, second, third = (step_s / self.signals * 1e6 for step_s in self.steps_s)
        rows_us = self.rows_s / self.signals * 1e6
        return Point(
            signal_us=first + second + third + rows_us,
            steps_us=(first, second, third),
            rows_us=rows_us,
            rows_bytes=self.rows_bytes / self.signals,
            resident_mib=resident_mib(),
            packets=self.packets / self.signals,
            hops_bytes=(self.hops_bytes[0] / self.signals, self.hops_bytes[1] / self.signals),
        )


def share_on_topic(size: int) -> list[Point]:
    """The firehose over four partitions with so many of a hundred signals on topics."""
    return [_measured(4, at_once=SECOND_SIGNALS, warm=WARM_SIGNALS, signals=SHARE_SIGNALS, on_topic=size / 100)]


def one_load(size: int) -> list[Point]:
    """The firehose, a second at a time, over so many partitions: the more, the less is in a packet."""
    return [_measured(size, at_once=SECOND_SIGNALS, warm=WARM_SIGNALS, signals=MEASURED_SIGNALS)]


def load_of_each(size: int) -> list[Point]:
    """A firehose that has grown with the number of partitions: each takes as much at once, whatever their number."""
    at_once = PARTITION_SIGNALS * size
    times = max(2, -(-MEASURED_SIGNALS // at_once))
    return [_measured(size, at_once=at_once, warm=max(WARM_SIGNALS, at_once), signals=times * at_once)]


def _measured(
    partitions: int, *, at_once: int, warm: int, signals: int, on_topic: float = firehose.ON_TOPIC_OF_MIX
) -> Point:
    """Measure signals of which so many come within a second, after some that fill what is held back."""
    pace = firehose.PER_SECOND / at_once
    # What is held back for its order has cost nothing yet; the less it is, the sooner all steps are at work.
    lanes = _Lanes(partitions, lateness_ms=round(firehose.DISORDER_MS * pace))
    to_json = msgspec.json.Encoder().encode
    made: list[Signal] = firehose.signals(warm + signals, on_topic=on_topic)
    for one in made:
        one.at = START_MS + round((one.at - START_MS) * pace)
    log = [(crc32(conversation_of(one).encode()) % partitions, to_json(one), one.at) for one in made]
    del made
    for begin in range(0, warm, at_once):
        lanes.take(log[begin : min(begin + at_once, warm)])
    lanes.begin()
    for begin in range(warm, warm + signals, at_once):
        lanes.take(log[begin : begin + at_once])
    return lanes.point()
