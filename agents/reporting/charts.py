"""Draw the charts of a topic as SVG: engagement by lineage with the states behind it, and measures with thresholds."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import NamedTuple

from agents.reporting.story import LINEAGES, MEASURES, Sample
from agents.reporting.trees import Tree
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS

WIDTH, LEFT, RIGHT = 900, 56, 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS_MS = (
    *(minutes * MINUTE_MS for minutes in (5, 15, 30)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_MS for days in (1, 2, 7, 14, 30, 90, 365)),
)
_LABELS_MAX = 9

Height = Callable[[float], float]
"""Maps a value to where it is drawn."""


class Band(NamedTuple):
    """A span of event time in one state."""

    from_ms: int
    to_ms: int
    state: str


class Mark(NamedTuple):
    """An alert on the time line: its tick, its number in the list below, its state and its sentence."""

    at_ms: int
    number: int
    state: str
    summary: str


class Threshold(NamedTuple):
    """A line that a measure is compared with."""

    value: float
    said: str


class TimeAxis:
    """Maps event time to the width of a chart."""

    def __init__(self, from_ms: int, to_ms: int) -> None:
        self.from_ms, self.to_ms = from_ms, max(to_ms, from_ms + MINUTE_MS)

    def x(self, at_ms: int) -> float:
        """Return where an instant lies; what is outside lies at the edge.

        >>> TimeAxis(0, 60_000).x(60_000) == WIDTH - RIGHT
        True
        """
        share = (min(max(at_ms, self.from_ms), self.to_ms) - self.from_ms) / (self.to_ms - self.from_ms)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return round instants in UTC, at most nine: where each lies and what it is called."""
        span_ms = self.to_ms - self.from_ms
        step_ms = next((step for step in _STEPS_MS if span_ms / step <= _LABELS_MAX), _STEPS_MS[-1])
        first = -(-self.from_ms // step_ms) * step_ms
        named = []
        for at_ms in range(first, self.to_ms + 1, step_ms):
            instant = _EPOCH + timedelta(milliseconds=at_ms)
            at_midnight = at_ms % DAY_MS == 0
            named.append((self.x(at_ms), f"{instant:%-d %b}" if at_midnight else f"{instant:%H:%M}"))
        return named


def nice_ceiling(value: float) -> float:
    """Return the next of 1, 2 or 5 times a power of ten.

    >>> nice_ceiling(0.0), nice_ceiling(3.2), nice_ceiling(51.0)
    (1.0, 5.0, 100.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= value * (1 - 1e-9))


def engagement(axis: TimeAxis, samples: Sequence[Sample], bands: Sequence[Band], marks: Sequence[Mark]) -> str:
    """Return the time line: signals of the trailing hour by lineage, stacked; states as bands, alerts as marks."""
    height, top, bottom = 300, 44, 24
    highest = nice_ceiling(max((sum(sample.lineages) for sample in samples), default=0))

    def y(value: float) -> float:
        return round(height - bottom - value / highest * (height - top - bottom), 1)

    parts = [_bands(axis, bands, top=top, bottom=height - bottom), _grid(axis, height, bottom, highest, y(0), y)]
    floor = [0] * len(samples)
    for index, lineage in enumerate(LINEAGES):
        roof = [low + sample.lineages[index] for low, sample in zip(floor, samples, strict=True)]
        if any(sample.lineages[index] for sample in samples):
            there = [f"{axis.x(sample.at_ms)},{y(high)}" for sample, high in zip(samples, roof, strict=True)]
            back = [f"{axis.x(sample.at_ms)},{y(low)}" for sample, low in zip(samples, floor, strict=True)]
            parts.append(f'<polygon class="{lineage}" points="{" ".join([*there, *reversed(back)])}"/>')
        floor = roof
    parts += [_mark(axis, mark, level, top) for mark, level in zip(marks, _levels(axis, marks), strict=True)]
    return _svg(height, "Signals of the trailing hour by lineage, with states and alerts", parts)


def measure(axis: TimeAxis, samples: Sequence[Sample], name: str, thresholds: Sequence[Threshold]) -> str | None:
    """Return the line of one measure with its thresholds; None where it was never known."""
    index = MEASURES.index(name)
    known = [sample.measures[index] for sample in samples]
    values = [value for value in known if value is not None]
    if not values:
        return None
    height, top, bottom = 170, 12, 24
    # A ratio may pass its threshold a hundredfold: beyond four times the highest one the line is cut at the top.
    ceiling = nice_ceiling(min(max(values), 4 * max((one.value for one in thresholds), default=math.inf)))

    def y(value: float) -> float:
        return round(height - bottom - min(max(value, 0.0), ceiling) / ceiling * (height - top - bottom), 1)

    parts = [_grid(axis, height, bottom, ceiling, y(0), y)]
    for threshold in thresholds:
        if threshold.value <= ceiling:
            at = y(threshold.value)
            parts.append(f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
            below = threshold.value < max(one.value for one in thresholds)
            said_y = at + 12 if below else at - 3
            parts.append(f'<text class="said" x="{WIDTH - RIGHT}" y="{said_y}">{escape(threshold.said)}</text>')
    for run in _runs(samples, known):
        points = " ".join(f"{axis.x(at_ms)},{y(value)}" for at_ms, value in run)
        parts.append(f'<polyline class="measure" points="{points}"/>')
    return _svg(height, name.replace("_", " "), parts)


def tree(planted: Tree) -> str:
    """Return a cascade as a tree around its root, cut to where it is."""
    reach, margin = 150.0, 8.0
    places = [(round(node.x * reach, 1), round(node.y * reach, 1)) for node in planted.nodes]
    left, top = min(x for x, _ in places) - margin, min(y for _, y in places) - margin
    right, bottom = max(x for x, _ in places) + margin, max(y for _, y in places) + margin
    side = max(right - left, bottom - top)
    edges = "".join(
        f"M{places[node.parent][0]} {places[node.parent][1]}L{x} {y}"
        for node, (x, y) in zip(planted.nodes[1:], places[1:], strict=True)
    )
    dots = [
        f'<circle class="{escape(node.kind)}" cx="{x}" cy="{y}" r="2.5"/>'
        for node, (x, y) in zip(planted.nodes[1:], places[1:], strict=True)
    ]
    # Square, with the tree in the middle, so that several stand side by side.
    corner_x, corner_y = (left + right - side) / 2, (top + bottom - side) / 2
    title = escape(f"cascade {planted.root}", quote=True)
    return (
        f'<svg class="tree" viewBox="{corner_x:.1f} {corner_y:.1f} {side:.1f} {side:.1f}" role="img" '
        f'aria-label="{title}"><path class="edge" d="{edges}"/>{"".join(dots)}<circle class="root" r="5"/></svg>'
    )


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _grid(axis: TimeAxis, height: int, bottom: int, highest: float, zero: float, y: Height) -> str:
    parts = []
    for share in (0.5, 1.0):
        at = y(highest * share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="value" x="{LEFT - 6}" y="{at + 4}">{_scale(highest * share)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{zero}" y2="{zero}"/>')
    for x, name in axis.ticks():
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{zero}" y2="{zero + 4}"/>')
        parts.append(f'<text class="time" x="{x}" y="{height - bottom + 17}">{name}</text>')
    return "".join(parts)


def _scale(value: float) -> str:
    """Return a round number as an axis says it.

    >>> _scale(50_000.0), _scale(2.5), _scale(0.25)
    ('50,000', '2.5', '0.25')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def _bands(axis: TimeAxis, bands: Sequence[Band], *, top: int, bottom: int) -> str:
    parts = []
    for band in bands:
        left, right = axis.x(band.from_ms), axis.x(band.to_ms)
        width = round(max(right - left, 0.5), 1)
        state = escape(band.state)
        parts.append(
            f'<rect class="band {state}" x="{left}" y="{top}" width="{width}" height="{bottom - top}">'
            f"<title>{state}</title></rect>"
        )
        if width > 8 * len(band.state):
            parts.append(f'<text class="state" x="{left + 4}" y="{top + 13}">{state}</text>')
    return "".join(parts)


def _mark(axis: TimeAxis, mark: Mark, level: int, top: int) -> str:
    x, y = axis.x(mark.at_ms), 10 + 16 * level
    title = escape(f"{mark.number}. {mark.summary}")
    return (
        f'<a href="#alert-{mark.number}"><title>{title}</title>'
        f'<line class="mark" x1="{x}" x2="{x}" y1="{y}" y2="{top + 30}"/>'
        f'<circle class="mark {escape(mark.state)}" cx="{x}" cy="{y}" r="8"/>'
        f'<text class="number" x="{x}" y="{y + 3.5}">{mark.number}</text></a>'
    )


def _levels(axis: TimeAxis, marks: Sequence[Mark]) -> list[int]:
    """Return a row for each mark, so that neighbours do not cover each other as long as there are rows."""
    ends = [-math.inf, -math.inf]
    levels = []
    for mark in marks:
        x = axis.x(mark.at_ms)
        level = 0 if x - ends[0] >= 17 or ends[0] <= ends[1] else 1
        ends[level] = x
        levels.append(level)
    return levels


def _runs(samples: Sequence[Sample], known: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the stretches over which a measure was known."""
    runs: list[list[tuple[int, float]]] = []
    is_open = False
    for sample, value in zip(samples, known, strict=True):
        if value is None:
            is_open = False
            continue
        if not is_open:
            runs.append([])
            is_open = True
        runs[-1].append((sample.at_ms, value))
    return runs
