"""Drive the measures of where the talk goes through the conformance suite (`tests.checks.measure_checks`)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.drift_rows import TagActorsRow
from streams.measures.tag_actors import TagActors

Run = list[Any]


class TagActorsDriver:
    """Drives actors by tag: a step is (panes since the last one, what is said: actor, tags); it is read as it runs."""

    lengths = {"hour": 1, "day": 24, "week": 168, "week before": 168}  # noqa: RUF012  (nobody changes it)
    lags = {"week before": 24}  # noqa: RUF012

    def new(self) -> TagActors:
        """Return a measure that has heard nothing."""
        return TagActors(self.lengths, self.lags)

    def runs(self) -> SearchStrategy[Run]:
        """Return runs over hours, days and weeks: a few actors, crowds that need sampling, actors that flood."""
        few = st.lists(
            st.tuples(st.sampled_from("vwxyz"), st.lists(st.sampled_from("abcdef"), max_size=3).map(tuple)), max_size=8
        )
        crowd = st.integers(60, 300).map(
            lambda count: [(f"c{n}", ("a" * 300, "b" * 300, "c" * 300)) for n in range(count)]
        )
        flood = st.integers(0, 99).map(lambda first: [("x", (f"{first + n}-" + "#" * 60,)) for n in range(20)])
        gaps = st.one_of(st.integers(1, 3), st.sampled_from([22, 23, 24, 25, 143, 167, 168, 169, 192, 193, 500]))
        return st.lists(st.tuples(gaps, st.one_of(few, few, few, crowd, flood)), min_size=1, max_size=8)

    def feed(self, measure: TagActors, step: Any) -> object:
        """Let a pane run, read, roll over it and read again."""
        gap, said = step
        measure.roll(measure.end + gap - 1)
        self._add(measure, measure.end, said)
        running = self._readings(measure)
        measure.roll(measure.end + 1)
        return running, self._readings(measure)

    @staticmethod
    def _add(measure: TagActors, pane: int, said: Any) -> None:
        for actor, tags in said:
            measure.add(pane, actor, tags)

    def _readings(self, measure: TagActors) -> object:
        return measure.is_empty(), [measure.read(window) for window in self.lengths]

    def batch(self, run: Run) -> object:
        """Add everything, roll to the last pane and read as it runs, then roll over it."""
        measure, pane = self.new(), -1
        for gap, said in run:
            pane += gap
            self._add(measure, pane, said)
        measure.roll(pane)
        running = self._readings(measure)
        measure.roll(pane + 1)
        return running, self._readings(measure)

    def apart(self, step: Any) -> list[Any]:
        """Return what is said backwards, twice, and tag by tag."""
        gap, said = step
        singles = [(actor, (tag,)) for actor, tags in said for tag in tags]
        untagged = [(actor, tags) for actor, tags in said if not tags]
        return [(gap, said[::-1]), (gap, said + said), (gap, untagged + singles[::-1])]

    def restored(self, rows: Mapping[Any, bytes], *, last: TagActors) -> TagActors:
        """Return a measure that rows made, at the end that the other one had."""
        measure = self.new()
        measure.restore([msgspec.msgpack.decode(row, type=TagActorsRow) for row in rows.values()], last.end)
        return measure


DRIFT_DRIVERS: dict[type, Any] = {TagActors: TagActorsDriver()}
