"""Let one cascade grow through the three steps, and compare the tenths of its life: nothing may grow with its past."""

from collections.abc import Callable, Iterable
from time import process_time_ns
from typing import NamedTuple

from schemas.signal import Signal
from streams.steps.attribute import Arrival
from streams.steps.pipeline import Pipeline
from tests.benchmarks.brand import registry
from tests.benchmarks.report import Figure, Goal

TENTHS = 10
TIME_RATIO_MAX = 1.5
BYTES_RATIO_MAX = 1.2


class Tenth(NamedTuple):
    """What a tenth of the signals took: nanoseconds in the steps and in writing rows, bytes of rows by step."""

    signals: int
    checkpoints: int
    steps_ns: int
    rows_ns: int
    rows_bytes: tuple[int, int, int]


def tenths_of(signal_at: Callable[[int], Signal], *, signals: int, per_checkpoint: int) -> list[Tenth]:
    """Take signals 0, 1, 2 … through the steps, asking for the rows that changed as a worker does every second."""
    pipeline, tenths = Pipeline(registry()), list[Tenth]()
    per_tenth = signals // TENTHS
    assert per_tenth % per_checkpoint == 0, "a tenth is made of whole checkpoints"
    for first in range(0, per_tenth * TENTHS, per_tenth):
        steps_ns = rows_ns = 0
        rows_bytes = [0, 0, 0]
        for begin in range(first, first + per_tenth, per_checkpoint):
            end = begin + per_checkpoint
            # Signals are made here, as steps change those that they are given; that is not their time.
            arrivals = [Arrival(number, None, b"", signal_at(number)) for number in range(begin, end)]
            begun_ns = process_time_ns()
            pipeline.advance(arrivals, next_offset=end)
            told_ns = process_time_ns()
            steps_ns += told_ns - begun_ns
            for index, step in enumerate((pipeline.attribute, pipeline.follow, pipeline.watch)):
                rows_bytes[index] += _bytes_of(step.changed_rows())
            rows_ns += process_time_ns() - told_ns
        attribute, follow, watch = rows_bytes
        tenths.append(Tenth(per_tenth, per_tenth // per_checkpoint, steps_ns, rows_ns, (attribute, follow, watch)))
    assert pipeline.ledger.late == pipeline.ledger.duplicate == 0, "every signal is to count"
    return tenths


def _bytes_of(rows: Iterable[tuple[str, bytes | None]]) -> int:
    return sum(len(key) + len(value or b"") for key, value in rows)


def figures_of(tenths: list[Tenth]) -> list[Figure]:
    """Return what the tenths tell: the time per signal, and time and bytes per checkpoint."""
    per_signal_us = [tenth.steps_ns / tenth.signals / 1_000 for tenth in tenths]
    time_goal = Goal(TIME_RATIO_MAX, of_ratio=True)
    first = "a signal, first tenth"
    figures = [
        Figure(first, per_signal_us[0], "µs"),
        Figure("a signal, middle tenth", per_signal_us[TENTHS // 2], "µs", floor=first),
        Figure("a signal, last tenth", per_signal_us[-1], "µs", floor=first, goal=time_goal),
    ]
    rows_ms = [tenth.rows_ns / tenth.checkpoints / 1_000_000 for tenth in tenths]
    figures += _later("rows of a checkpoint, time", rows_ms, "ms", time_goal)
    bytes_goal = Goal(BYTES_RATIO_MAX, of_ratio=True)
    attribute = [tenth.rows_bytes[0] / tenth.checkpoints for tenth in tenths]
    figures += _later("rows of a checkpoint, conversations", attribute, "B", bytes_goal)
    every_step = [sum(tenth.rows_bytes) / tenth.checkpoints for tenth in tenths]
    return figures + _later("rows of a checkpoint, all steps", every_step, "B", bytes_goal)


def _later(name: str, by_tenth: list[float], unit: str, goal: Goal) -> list[Figure]:
    """Compare the second tenth with the worst behind it: in the first, windows are still filling."""
    floor = f"{name}, second tenth"
    return [
        Figure(floor, by_tenth[1], unit),
        Figure(f"{name}, worst later", max(by_tenth[2:]), unit, floor=floor, goal=goal),
    ]
