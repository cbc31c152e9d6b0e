"""Let one cascade grow through the three steps, and compare the tenths of its life: nothing may grow with its past.

Rows of conversations have that goal. A row of an actor is written in one hour and ended in the next, for which the
tenths behind the first hour are allowed more. Those of the topic have no goal: they hold the panes of an hour each, so
that a row fills for an hour of event time before the next one begins, whatever is in the cascade.
"""

from collections.abc import Callable, Iterable
from time import process_time_ns
from typing import NamedTuple

from agents.lane import Step
from schemas.signal import Signal
from streams.steps.attribute import Arrival
from streams.steps.pipeline import Pipeline
from tests.benchmarks.brand import registry
from tests.benchmarks.report import Figure, Goal

TENTHS = 10
TIME_RATIO_MAX = 1.5
BYTES_RATIO_MAX: dict[str, float | None] = {"conversations": 1.2, "actors": 1.6, "topics": None}
"""Whose rows the three steps write, and how many times as many bytes they may come to."""


class Tenth(NamedTuple):
    """What a tenth of the signals took: nanoseconds a signal, milliseconds and bytes a checkpoint.

    Milliseconds are those of asking all steps for rows: on average, and the longest time; bytes are by step.
    """

    signal_ns: float
    rows_ms: float
    rows_longest_ms: float
    rows_bytes: list[float]


def tenths_of(signal_at: Callable[[int], Signal], *, signals: int, per_checkpoint: int) -> list[Tenth]:
    """Take signals 0, 1, 2 … through the steps, asking for the rows that changed as a worker does every second."""
    pipeline = Pipeline(registry())
    steps: tuple[Step, ...] = (pipeline.attribute, pipeline.follow, pipeline.watch)
    tenths: list[Tenth] = []
    per_tenth = signals // TENTHS
    assert per_tenth % per_checkpoint == 0, "a tenth is made of whole checkpoints"
    for first in range(0, per_tenth * TENTHS, per_tenth):
        steps_ns, rows_ns, rows_bytes = 0, list[int](), [0] * len(steps)
        for begin in range(first, first + per_tenth, per_checkpoint):
            end = begin + per_checkpoint
            # Signals are made here, as steps change those that they are given; that is not their time.
            arrivals = [Arrival(number, None, b"", signal_at(number)) for number in range(begin, end)]
            begun_ns = process_time_ns()
            pipeline.advance(arrivals, next_offset=end)
            told_ns = process_time_ns()
            steps_ns += told_ns - begun_ns
            for index, step in enumerate(steps):
                rows_bytes[index] += _bytes_of(step.changed_rows())
            rows_ns.append(process_time_ns() - told_ns)
        checkpoints = len(rows_ns)
        tenths.append(
            Tenth(
                signal_ns=steps_ns / per_tenth,
                rows_ms=sum(rows_ns) / checkpoints / 1_000_000,
                rows_longest_ms=max(rows_ns) / 1_000_000,
                rows_bytes=[size / checkpoints for size in rows_bytes],
            )
        )
    assert pipeline.ledger.late == pipeline.ledger.duplicate == 0, "every signal is to count"
    return tenths


def _bytes_of(rows: Iterable[tuple[str, bytes | None]]) -> int:
    return sum(len(key) + len(value or b"") for key, value in rows)


def figures_of(tenths: list[Tenth]) -> list[Figure]:
    """Return what the tenths tell: the time per signal, and time and bytes per checkpoint."""
    signal_us = [tenth.signal_ns / 1_000 for tenth in tenths]
    first = "a signal, first tenth"
    figures = [
        Figure(first, signal_us[0], "µs"),
        Figure("a signal, middle tenth", signal_us[TENTHS // 2], "µs", floor=first),
        Figure("a signal, last tenth", signal_us[-1], "µs", floor=first, goal=Goal(TIME_RATIO_MAX, of_ratio=True)),
    ]
    for index, (whose, limit) in enumerate(BYTES_RATIO_MAX.items()):
        rows_bytes = [tenth.rows_bytes[index] for tenth in tenths]
        goal = None if limit is None else Goal(limit, of_ratio=True)
        figures += _later(f"checkpoint, {whose}", rows_bytes, "B", goal)
    rows_ms = "checkpoint, time"
    return [
        *figures,
        *_later(rows_ms, [tenth.rows_ms for tenth in tenths], "ms", None),
        Figure(f"{rows_ms}, longest", max(t.rows_longest_ms for t in tenths), "ms", floor=f"{rows_ms}, 2nd tenth"),
    ]


def _later(name: str, by_tenth: list[float], unit: str, goal: Goal | None) -> list[Figure]:
    """Compare the second tenth with the worst behind it: in the first, windows are still filling."""
    floor = f"{name}, 2nd tenth"
    return [
        Figure(floor, by_tenth[1], unit),
        Figure(f"{name}, worst later", max(by_tenth[2:]), unit, floor=floor, goal=goal),
    ]
