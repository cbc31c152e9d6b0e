"""What a signal costs as there is more of everything: topics, cascades, members, partitions, a hot topic, a longer log.

Every point is measured in a process of its own (`growth_points.py`), all in this round, and compared with the smallest
of its curve. Processor time of the three steps with the rows of their checkpoints, without Kafka; memory is the
resident size of the process. `GROWTH=full` adds the points that take minutes each.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.benchmarks.growth_meter import Point
from tests.benchmarks.report import Figure, Goal, Round

FLAT = Goal(1.5, of_ratio=True)
"""What should not grow may be half as much again: a cache missed, and a machine that does other things."""
BOUNDED = Goal(2.5, of_ratio=True)
"""What grows up to a bound, because a larger share of the signals is news: see the report."""
LEVEL = Goal(1.1, of_ratio=True)
"""Memory once all windows are full."""
LOG_SIGNALS = 1_000_000
FULL_TENTH = 4
"""The tenth of the log at whose end all windows are full."""
ROOT = Path(__file__).resolve().parents[2]
PACKETS, PACKED, ROWS = ", packets for a signal", ", packed bytes for a signal", ", bytes of rows for a signal"
TICKS = ", of it the step of topics and rows"
"""Where topics have a signal a minute, nearly all of this is what a tick takes."""
READINGS = ", readings for a signal"
TOPIC_STEP = ", of it the step of topics"
"""What all signals of one topic pass through alone, whatever the number of workers."""


class Curve(NamedTuple):
    """The sizes of a curve, the goal beside the smallest, and whether memory is told; `full` takes long."""

    sizes: tuple[int, ...]
    goal: Goal | None = None
    with_memory: bool = False
    full: tuple[int, ...] = ()


CURVES = {
    "topics declared": Curve((10, 100, 1_000, 10_000, 100_000), FLAT, with_memory=True),
    "topics awake": Curve((10, 100, 1_000, 10_000), FLAT, with_memory=True, full=(100_000,)),
    "live cascades": Curve((100, 1_000, 10_000, 100_000), BOUNDED, with_memory=True),
    "members": Curve((1_000, 10_000, 100_000), BOUNDED, with_memory=True),
    "acts that can be undone": Curve((10_000, 100_000, 400_000), BOUNDED, with_memory=True),
    "% on topic": Curve((5, 30, 100)),
    "partitions": Curve((1, 4, 16, 64)),
    "partitions, as busy each": Curve((1, 4, 16, 64), FLAT),
    "hot topic": Curve((0, 90), FLAT),
}


def begin(*, quick: bool) -> Round:
    """Prepare the sizes, without the largest of each curve where it is to be quick."""
    is_full = os.environ.get("GROWTH") == "full"
    curves = {
        name: curve.sizes[:2] if quick else curve.sizes + (curve.full if is_full else ())
        for name, curve in CURVES.items()
    }
    return lambda: [figure for name, sizes in curves.items() for figure in _figures(name, CURVES[name], sizes)]


def begin_log(*, quick: bool) -> Round:
    """Prepare the length of the log."""
    signals = LOG_SIGNALS // 10 if quick else LOG_SIGNALS
    return lambda: _log_figures(signals)


def points(curve: str, size: int) -> list[Point]:
    """Return what a process of its own measures of a curve at a size: one point, of a log one for each tenth."""
    command = [sys.executable, "-m", "tests.benchmarks.growth_points", curve, str(size)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    return msgspec.json.decode(ran.stdout, type=list[Point])


def _figures(name: str, curve: Curve, sizes: tuple[int, ...]) -> list[Figure]:
    told = {size: points(name, size)[0] for size in sizes}
    return [figure for size in sizes for figure in _figures_of(name, curve, size, sizes[0], told[size])]


def _figures_of(name: str, curve: Curve, size: int, smallest: int, point: Point) -> list[Figure]:
    def figure(what: str, value: float, unit: str, *, goal: Goal | None = None, is_compared: bool = True) -> Figure:
        named, floor = (f"{name}: {shown:,}{what}" for shown in (size, smallest))
        if size == smallest or not is_compared:
            return Figure(named, value, unit)
        return Figure(named, value, unit, floor=floor, goal=goal)

    figures = [figure("", point.signal_us, "µs", goal=curve.goal)]
    if curve.with_memory:
        figures.append(figure(", memory", point.resident_mib, "MiB"))
    figures += [
        figure(what, value, unit, is_compared=False)
        for what, value, unit, is_told in (
            (PACKETS, point.packets, "", point.packets),
            (PACKED, sum(point.hops_bytes), "B", point.packets),
            (ROWS, point.rows_bytes, "B", point.packets or name == "topics awake"),
            (TICKS, point.steps_us[2] + point.rows_us, "µs", name == "topics awake"),
            (READINGS, point.readings, "", point.readings),
            (TOPIC_STEP, point.steps_us[2], "µs", name == "hot topic"),
        )
        if is_told
    ]
    return figures


def _log_figures(signals: int) -> list[Figure]:
    told = points("log length", signals)
    step = signals // len(told)
    first = f"a signal, {step:,} on"
    level = f"memory, {FULL_TENTH * step:,} on"
    figures = [
        Figure(first, told[0].signal_us, "µs"),
        *(
            Figure(f"a signal, {number * step:,} on", point.signal_us, "µs", floor=first)
            for number, point in enumerate(told[1:], 2)
        ),
    ]
    for number, point in enumerate(told, 1):
        name = f"memory, {number * step:,} on"
        is_later = number > FULL_TENTH
        figures.append(
            Figure(name, point.resident_mib, "MiB", floor=level if is_later else "", goal=LEVEL if is_later else None)
        )
    return figures
