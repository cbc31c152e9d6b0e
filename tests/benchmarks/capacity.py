"""Fit the constants of the capacity model to the figures of a run, and compare it with those that it was not fitted to.

`python -m tests.benchmarks.capacity REPORT` does it for the JSON of a report. What is left out of a fit is the larger
size, or a share between the shares: so that the comparison says whether the model may be trusted beyond what it knows.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.capacity import Costs, packets_per_s, signal_us
from tests.benchmarks import growth_lanes
from tests.benchmarks.growth import PACKED, PACKETS, ROWS, TICKS, TOPIC_STEP
from tests.benchmarks.report import Line, as_text_table, said

MIX, ALL, THIRD = 0.05, 1.0, 0.3
MIB = 2**20
RESIDENT = 1.25
"""What the allocator adds to what Python asked for (`memory` counts that): resident sizes of large states, over it."""


class _Reported(msgspec.Struct):
    benchmark: str
    name: str
    median: float


class _Report(msgspec.Struct):
    lines: list[_Reported]


class Compared(NamedTuple):
    """A figure that the model was not fitted to, as it says and as it was measured."""

    name: str
    predicted: float
    measured: float
    unit: str

    @property
    def error(self) -> float:
        """How far the prediction is off, as a share of what was measured."""
        return self.predicted / self.measured - 1


class Figures:
    """The medians of a run by the names of their benchmark and figure."""

    def __init__(self, lines: Sequence[Line | _Reported]) -> None:
        self._medians = {(line.benchmark, line.name): line.median for line in lines}

    def __call__(self, benchmark: str, name: str) -> float:
        """Return a median; raises KeyError where the run did not measure it."""
        return self._medians[benchmark, name]

    def growth(self, curve: str, size: int, what: str = "") -> float:
        """Return a figure of a point of a curve."""
        return self("growth", f"{curve}: {size:,}{what}")

    def per_more(self, curve: str, sizes: tuple[int, int]) -> float:
        """Return the bytes of resident memory by which each further one of a curve's things grows the process."""
        small, large = (self.growth(curve, size, ", memory") for size in sizes)
        return (large - small) * MIB / (sizes[1] - sizes[0])


def _split(mix: float, everything: float) -> tuple[float, float]:
    """Return what a signal off topic and one on topic take, of what they take in the mix and where all are on topic.

    >>> _split(25.0, 120.0)
    (20.0, 120.0)
    """
    return (mix - MIX * everything) / (1 - MIX), everything


def costs_of(told: Figures) -> Costs:
    """Return the constants of the model; raises KeyError where the run did not measure one."""
    worker = [1e6 / told("side_by_side", name) for name in ("worker, mix", "worker, all on topic")]
    off_us, on_us = _split(worker[0], worker[1])
    packed = _split(told.growth("% on topic", 5, PACKED), told.growth("% on topic", 100, PACKED))
    rows = _split(told.growth("% on topic", 5, ROWS), told.growth("% on topic", 100, ROWS))
    return Costs(
        off_topic_us=off_us,
        on_topic_us=on_us,
        topic_step_us=told.growth("hot topic", 90, TOPIC_STEP),
        tick_us=told.growth("topics awake", 1_000, TICKS),
        packet_us=_packed_us(told) + told("packets", "handed on by Kafka's client"),
        off_topic_packed_bytes=packed[0],
        on_topic_packed_bytes=packed[1],
        off_topic_rows_bytes=rows[0],
        on_topic_rows_bytes=rows[1],
        tick_rows_bytes=told.growth("topics awake", 1_000, ROWS),
        declared_bytes=told.per_more("topics declared", (1_000, 10_000)),
        topic_bytes=told.per_more("topics awake", (100, 1_000)),
        cascade_bytes=RESIDENT * told("memory", "a cascade of one post"),
        node_bytes=RESIDENT * told("memory", "a further share of 25,000 below the root"),
        member_bytes=RESIDENT * told("memory", "a member"),
        act_bytes=RESIDENT * told("memory", "a like, for as long as it can be taken back"),
        recovery_mb_per_s=told("durability", "recovery, bytes"),
    )


def _packed_us(told: Figures) -> float:
    """Return what a packet takes without Kafka, of one load over 1 partition and over 64."""
    more_us, more = (told.growth("partitions", 64, what) - told.growth("partitions", 1, what) for what in ("", PACKETS))
    return more_us / more


def compared(told: Figures) -> list[Compared]:
    """Return what the model says beside what was measured, for figures that it was not fitted to."""
    costs = costs_of(told)
    lanes = Costs(
        *_split(told.growth("% on topic", 5), told.growth("% on topic", 100)),
    )
    packets = packets_per_s(signals_per_s=growth_lanes.SECOND_SIGNALS, partitions=16, takes_per_s=1)
    packets /= growth_lanes.SECOND_SIGNALS
    share = {
        what: on * THIRD + off * (1 - THIRD)
        for what, on, off in (
            (PACKED, costs.on_topic_packed_bytes, costs.off_topic_packed_bytes),
            (ROWS, costs.on_topic_rows_bytes, costs.off_topic_rows_bytes),
        )
    }
    return [
        Compared(
            "a worker, 30 % on topic, a signal",
            signal_us(costs, on_topic=THIRD),
            1e6 / told("side_by_side", "a worker with 30 % on topic"),
            "µs",
        ),
        Compared(
            "two workers, mix, a signal",
            signal_us(costs, on_topic=MIX),
            1e6 / told("scaling", "2 workers, by processor time"),
            "µs",
        ),
        Compared(
            "30 % on topic in one process, a signal",
            signal_us(lanes, on_topic=THIRD),
            told.growth("% on topic", 30),
            "µs",
        ),
        Compared("30 % on topic, packed", share[PACKED], told.growth("% on topic", 30, PACKED), "B"),
        Compared("30 % on topic, rows", share[ROWS], told.growth("% on topic", 30, ROWS), "B"),
        Compared("16 partitions, packets for a signal", packets, told.growth("partitions", 16, PACKETS), ""),
        Compared(
            "16 partitions, a signal",
            told.growth("partitions", 1) + packets * _packed_us(told),
            told.growth("partitions", 16),
            "µs",
        ),
        Compared("10,000 topics judged, each", costs.tick_us, told.growth("topics awake", 10_000, TICKS), "µs"),
        *_memory(costs, told),
    ]


def _memory(costs: Costs, told: Figures) -> list[Compared]:
    """Return resident sizes (MiB): a smaller process of a curve, and what the model adds for the largest.

    The smaller one already holds as many acts as are open before they are sealed, which take several times as much.
    """
    each = {
        ("topics declared", 10, 100_000): costs.declared_bytes,
        ("topics awake", 100, 10_000): costs.topic_bytes,
        # Every root has another author.
        ("live cascades", 10_000, 100_000): costs.cascade_bytes + costs.act_bytes + costs.member_bytes,
        ("members", 10_000, 100_000): costs.member_bytes,
    }
    found = []
    for (curve, small, large), bytes_each in each.items():
        predicted = told.growth(curve, small, ", memory") + (large - small) * bytes_each / MIB
        found.append(Compared(f"{curve}: {large:,}", predicted, told.growth(curve, large, ", memory"), "MiB"))
    return found


def rows_of(lines: Sequence[Line | _Reported]) -> list[tuple[str, str, str, str]]:
    """Return (figure, predicted, measured, error) for a report, nothing where the run did not measure what it takes."""
    try:
        return [
            (one.name, f"{said(one.predicted)} {one.unit}".strip(), said(one.measured), f"{one.error:+.0%}")
            for one in compared(Figures(lines))
        ]
    except KeyError:
        return []


HEADINGS = ("figure", "predicted", "measured", "error")


if __name__ == "__main__":
    lines = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=_Report).lines
    print(msgspec.json.format(msgspec.json.encode(costs_of(Figures(lines)))).decode())
    print(as_text_table(HEADINGS, rows_of(lines)))
