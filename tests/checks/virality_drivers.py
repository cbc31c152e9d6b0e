"""Drive the measures of virality through the conformance suite (`tests.checks.measure_checks`)."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.virality_rows import (
    CascadeNodesRow,
    HistogramRow,
    OverperformanceRow,
    ReproductionRow,
    SharesRow,
)
from streams.measures.cascade_shape import CascadeShape
from streams.measures.infectiousness import SUMMED_MAX, Infectiousness
from streams.measures.overperformance import Overperformance
from streams.measures.percentile import CascadeHistory
from streams.measures.reproduction import Reproduction

Run = list[Any]

START_MS = 1_600_000_000_000
HOUR_MS = 3_600_000


def decoded(rows: Mapping[Any, bytes], kind: Any) -> Iterable[Any]:
    """Return rows as they were before they were stored."""
    return [msgspec.msgpack.decode(row, type=kind) for row in rows.values()]


class CascadeShapeDriver:
    """Drives a cascade: a step is a list of acts (what happens, to which node, below which parent)."""

    nodes = tuple(f"n{number}" for number in range(20))

    def new(self) -> CascadeShape:
        """Return a cascade of which nobody has spoken."""
        return CascadeShape("root")

    def runs(self) -> SearchStrategy[Run]:
        """Return runs with orphans, circles, a root that comes late or never, deletes, undos; each node has one parent.

        A node that was given up is a guess that holds until the node comes: such acts come in a step of their own.
        """
        parents = st.tuples(*(st.sampled_from([*self.nodes[:number], "root", *self.nodes]) for number in range(20)))
        kinds = st.sampled_from(["add", "add", "add", "add", "delete", "undo"])
        acts = st.lists(st.tuples(kinds, st.integers(-1, 19)), min_size=1, max_size=10)
        promotion = st.integers(-1, 19).map(lambda number: [("promote", number)])
        steps = st.lists(st.one_of(acts, acts, promotion), min_size=1, max_size=6)
        return st.tuples(parents, steps).map(lambda drawn: [self._named(step, drawn[0]) for step in drawn[1]])

    def _named(self, step: Any, parents: Any) -> Any:
        """Return a step with names; undos and deletes come last, as what is not known yet cannot be undone."""
        named = [
            (kind, "root", None) if number < 0 else (kind, self.nodes[number], parents[number]) for kind, number in step
        ]
        return sorted(named, key=lambda act: act[0] != "add")

    def feed(self, measure: CascadeShape, step: Any) -> object:
        """Let the acts happen; return the shape, how deep the nodes are and since when one is missing."""
        self._act(measure, step)
        return self._readings(measure)

    def _act(self, measure: CascadeShape, step: Any) -> None:
        for kind, node, parent in step:
            if kind == "add":
                number = self.nodes.index(node) if node in self.nodes else 0
                measure.add(node, parent, at_ms=START_MS + number * 7 % 20 * 1_000)
            else:
                getattr(measure, kind)(node)

    def _readings(self, measure: CascadeShape) -> object:
        depths = [measure.depth_of(place) for n in self.nodes if (place := measure.find(n)) >= 0]
        return measure.read(), depths, measure.missing_since_ms()

    def batch(self, run: Run) -> object:
        """Do everything without asking in between."""
        measure = self.new()
        for step in run:
            self._act(measure, step)
        return self._readings(measure)

    def apart(self, step: Any) -> list[Any]:
        """Return what is added backwards, and twice."""
        added = [act for act in step if act[0] == "add"]
        others = [act for act in step if act[0] != "add"]
        return [added[::-1] + others, added + added[::-1] + others[::-1] + others]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> CascadeShape:
        """Return a cascade that rows made."""
        measure = self.new()
        measure.restore(decoded(rows, CascadeNodesRow))
        return measure


class InfectiousnessDriver:
    """Drives a cascade's infectiousness: a step is (ms since the last step, followers of those who share then)."""

    def new(self) -> Any:
        """Return a cascade that has not begun, and the time."""
        return _Timed(Infectiousness(), START_MS)

    def runs(self) -> SearchStrategy[Run]:
        """Return runs with bursts beyond what is kept share by share, silences of days, and unknown followers."""
        gaps = st.sampled_from([1, 1_000, 60_000, 600_000, HOUR_MS, 7 * HOUR_MS, 48 * HOUR_MS])
        few = st.lists(st.one_of(st.none(), st.integers(0, 10_000)), min_size=1, max_size=4)
        many = st.integers(SUMMED_MAX, 400).map(lambda count: list(range(count)))
        return st.lists(st.tuples(gaps, st.one_of(few, few, few, many)), min_size=1, max_size=10)

    def feed(self, measure: Any, step: Any) -> object:
        """Add the shares of a moment and read a second later."""
        measure.at_ms += step[0] + 1_000
        for followers in step[1]:
            measure.measure.add(measure.at_ms - 1_000, followers, followers_imputed=80)
        return measure.measure.read(measure.at_ms)

    def batch(self, run: Run) -> object:
        """Add everything and read once."""
        measure = self.new()
        for gap_ms, shares in run:
            measure.at_ms += gap_ms + 1_000
            for followers in shares:
                measure.measure.add(measure.at_ms - 1_000, followers, followers_imputed=80)
        return measure.measure.read(measure.at_ms)

    def apart(self, step: Any) -> list[Any]:
        """Shares come in the order of stamps, one by one."""
        return [step]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return a cascade that rows made, at the time of the other one."""
        measure = _Timed(Infectiousness(), last.at_ms)
        measure.measure.restore(decoded(rows, SharesRow))
        return measure


class _Timed:
    """A measure and the time, because it is fed with instants."""

    def __init__(self, measure: Any, at_ms: int) -> None:
        self.measure, self.at_ms = measure, at_ms

    def changed_rows(self) -> Any:
        """Return what the measure has to tell."""
        return self.measure.changed_rows()


class ReproductionDriver:
    """Drives a topic's reproduction number: a step is (steps since the last one, acts of offspring and roots)."""

    def new(self) -> Reproduction:
        """Return a number that rests on nothing."""
        return Reproduction()

    def runs(self) -> SearchStrategy[Run]:
        """Return runs over hours, a week and more."""
        gaps = st.one_of(st.integers(1, 3), st.sampled_from([7, 8, 143, 144, 145, 1_008, 1_015, 1_016, 4_000]))
        acts = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4)
        return st.lists(st.tuples(gaps, acts), min_size=1, max_size=12)

    def feed(self, measure: Reproduction, step: Any) -> object:
        """Count the acts of a step and roll over it."""
        self._count(measure, measure.end + step[0] - 1, step[1])
        measure.roll(measure.end + step[0])
        return measure.is_empty(), measure.read()

    @staticmethod
    def _count(measure: Reproduction, at: int, acts: Any) -> None:
        for offspring, roots in acts:
            measure.add(at, offspring=offspring, roots=roots)

    def batch(self, run: Run) -> object:
        """Count everything, then roll once."""
        measure, end = self.new(), 0
        for gap, acts in run:
            end += gap
            self._count(measure, end - 1, acts)
        measure.roll(end)
        return measure.is_empty(), measure.read()

    def apart(self, step: Any) -> list[Any]:
        """Return the acts backwards, and in one."""
        gap, acts = step
        return [(gap, acts[::-1]), (gap, [(sum(a for a, _ in acts), sum(b for _, b in acts))])]

    def restored(self, rows: Mapping[Any, bytes], *, last: Reproduction) -> Reproduction:
        """Return a number that rows made, at the end that the other one had."""
        measure = self.new()
        measure.restore(decoded(rows, ReproductionRow), last.end)
        return measure


class CascadeHistoryDriver:
    """Drives a topic's history of cascades: a step is a list of cascades (size, virality) that have ended."""

    def new(self) -> CascadeHistory:
        """Return a history without cascades."""
        return CascadeHistory()

    def runs(self) -> SearchStrategy[Run]:
        """Return runs with enough cascades of a size for percentiles, and too few."""
        cascade = st.tuples(st.integers(1, 200), st.one_of(st.none(), st.floats(1.0, 40.0)))
        return st.lists(st.lists(cascade, max_size=40), min_size=1, max_size=5)

    def feed(self, measure: CascadeHistory, step: Any) -> object:
        """Count cascades and ask for percentiles."""
        for size, virality in step:
            measure.add(size=size, virality=virality)
        return self._readings(measure)

    @staticmethod
    def _readings(measure: CascadeHistory) -> object:
        return [
            (measure.size_percentile(size), measure.virality_percentile(size=size, virality=3.0))
            for size in (1, 5, 60, 150)
        ]

    def batch(self, run: Run) -> object:
        """Merge the histories of all steps into one."""
        measure = self.new()
        for step in run:
            part = self.new()
            self.feed(part, step)
            measure.merge(part)
        return self._readings(measure)

    def apart(self, step: Any) -> list[Any]:
        """Return the cascades backwards."""
        return [step[::-1]]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> CascadeHistory:
        """Return a history that rows made."""
        measure = self.new()
        measure.restore(decoded(rows, HistogramRow))
        return measure


class OverperformanceDriver:
    """Drives what an author's roots have brought: a step is a list of (benchmark age, interactions)."""

    def new(self) -> Overperformance:
        """Return a history without roots."""
        return Overperformance()

    def runs(self) -> SearchStrategy[Run]:
        """Return runs with fewer roots than are needed, and more than are kept."""
        many = st.integers(0, 130).map(lambda count: [(1, number) for number in range(count)])
        few = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500)), max_size=30)
        return st.lists(st.one_of(few, many), min_size=1, max_size=5)

    def feed(self, measure: Overperformance, step: Any) -> object:
        """Add roots and compare two others with them at every age."""
        for benchmark, interactions in step:
            measure.add(benchmark, interactions)
        return [measure.read(benchmark, actual) for benchmark in range(4) for actual in (0, 70)]

    def batch(self, run: Run) -> object:
        """Add all roots, then ask once."""
        return self.feed(self.new(), [root for step in run for root in step])

    def apart(self, step: Any) -> list[Any]:
        """Return the roots age by age; among those of one age the order tells which are the last."""
        return [sorted(step, key=lambda root: root[0])]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Overperformance:
        """Return a history that its row made."""
        measure = self.new()
        measure.restore(decoded(rows, OverperformanceRow))
        return measure


VIRALITY_DRIVERS: dict[type, Any] = {
    CascadeShape: CascadeShapeDriver(),
    Infectiousness: InfectiousnessDriver(),
    Reproduction: ReproductionDriver(),
    CascadeHistory: CascadeHistoryDriver(),
    Overperformance: OverperformanceDriver(),
}
