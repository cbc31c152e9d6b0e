"""Drive the measures of where the talk goes through the conformance suite (`tests.checks.measure_checks`)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.drift_rows import TagActorsRow, TagPlacesRow
from streams.measures.background import Background
from streams.measures.tag_actors import TagActors
from streams.measures.tag_places import TagPlaces

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
        days = measure.between(max(0, measure.end - 48), measure.end + 1)
        return measure.is_empty(), [measure.read(window) for window in self.lengths], days

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


class BackgroundDriver:
    """Drives the background: a step is (ms since the last pane, what is said at that instant: shard, actor, tags)."""

    pane_ms = 1_000
    shards = (3, 9)

    def new(self) -> Any:
        """Return a background that has heard nothing, with the instant to which the run has come."""
        return _BackgroundRun(Background(pane_ms=self.pane_ms))

    def runs(self) -> SearchStrategy[Run]:
        """Return runs over the window and beyond, of a few actors and of crowds that need sampling."""
        few = st.lists(
            st.tuples(
                st.sampled_from(self.shards),
                st.sampled_from("vwxyz"),
                st.lists(st.sampled_from("abcdef"), max_size=3).map(tuple),
            ),
            max_size=8,
        )
        crowd = st.integers(60, 200).map(
            lambda count: [(3, f"c{n}", ("a" * 300, "b" * 300, "c" * 300)) for n in range(count)]
        )
        gaps = st.sampled_from([0, 1, 999, 1_000, 4_999, 5_000, 6_000, 7_000, 90_000])
        return st.lists(st.tuples(gaps, st.one_of(few, few, few, crowd)), min_size=1, max_size=8)

    def feed(self, measure: Any, step: Any) -> object:
        """Say it all, read within the pane and as the next one begins."""
        self._say(measure, step)
        running = self._readings(measure)
        self._pass_on(measure)
        return running, self._readings(measure)

    @staticmethod
    def _say(measure: Any, step: Any) -> None:
        measure.at_ms += step[0]
        for shard, actor, tags in step[1]:
            measure.background.add(shard, actor, tags, at_ms=measure.at_ms)

    def _pass_on(self, measure: Any) -> None:
        measure.at_ms = (measure.at_ms // self.pane_ms + 1) * self.pane_ms

    def _readings(self, measure: Any) -> object:
        tags = [*"abcdef", "a" * 300]
        return [measure.background.read(shard, tags, at_ms=measure.at_ms) for shard in self.shards]

    def batch(self, run: Run) -> object:
        """Say everything without asking in between, then read within the last pane and behind it."""
        measure = self.new()
        for step in run[:-1]:
            self._say(measure, step)
            self._pass_on(measure)
        return self.feed(measure, run[-1])

    def apart(self, step: Any) -> list[Any]:
        """Return what is said backwards, twice, and tag by tag."""
        gap_ms, said = step
        singles = [(shard, actor, (tag,)) for shard, actor, tags in said for tag in tags]
        untagged = [one for one in said if not one[2]]
        return [(gap_ms, said[::-1]), (gap_ms, said + said), (gap_ms, untagged + singles[::-1])]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return a background that rows made, at the instant of the other one."""
        measure = _BackgroundRun(Background(pane_ms=self.pane_ms), at_ms=last.at_ms)
        held = [(name, msgspec.msgpack.decode(row, type=TagActorsRow)) for name, row in rows.items()]
        measure.background.restore(held, at_ms=last.at_ms)
        return measure


class _BackgroundRun:
    """A background and the instant at which it is fed and asked."""

    def __init__(self, background: Background, at_ms: int = 0) -> None:
        self.background, self.at_ms = background, at_ms

    def changed_rows(self) -> Any:
        """Return what the background has to tell."""
        return self.background.changed_rows()


class TagPlacesDriver:
    """Drives places of tags: a step is (panes since the last one, uses: tag, root, shard, users, actors)."""

    panes = 6

    def new(self) -> Any:
        """Return places of nothing, with the end to which the run has come."""
        return _TagPlacesRun(TagPlaces(panes=self.panes))

    def runs(self) -> SearchStrategy[Run]:
        """Return runs in which tags are in more cascades and shards than are kept, and leave the window."""
        use = st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 9).map(lambda n: f"root{n}"),
            st.integers(-1, 12),
            st.integers(0, 50),
            st.integers(50, 2**40),
        )
        gaps = st.sampled_from([1, 1, 2, 5, 6, 7, 40])
        return st.lists(st.tuples(gaps, st.lists(use, max_size=30)), min_size=1, max_size=8)

    def feed(self, measure: Any, step: Any) -> object:
        """Note the uses of a pane, read as it runs, roll over it and read again."""
        gap, uses = step
        self._roll(measure, measure.end + gap - 1)
        self._note(measure, uses)
        running = self._readings(measure)
        self._roll(measure, measure.end + 1)
        return running, self._readings(measure)

    @staticmethod
    def _roll(measure: Any, end: int) -> None:
        measure.end = end
        measure.places.roll(end)

    @staticmethod
    def _note(measure: Any, uses: Any) -> None:
        for tag, root, shard, users, actors in uses:
            measure.places.add(measure.end, tag, root=root, shard=shard, users=users, actors=actors)

    @staticmethod
    def _readings(measure: Any) -> object:
        return [measure.places.read(tag) for tag in "abc"]

    def batch(self, run: Run) -> object:
        """Note everything without rolling, then roll to the last pane and read there and behind it."""
        measure = self.new()
        for gap, uses in run[:-1]:
            measure.end += gap - 1
            self._note(measure, uses)
            measure.end += 1
        return self.feed(measure, run[-1])

    def apart(self, step: Any) -> list[Any]:
        """Return the uses twice, and sorted by tag or shard; what a shard told last of a tag stays the last."""
        gap, uses = step
        by_tag = sorted(uses, key=lambda use: (use[0], -use[2]))
        by_shard = sorted(uses, key=lambda use: use[2])
        return [(gap, uses + uses), (gap, by_tag), (gap, by_shard)]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return places that rows made, at the end that the other ones had."""
        measure = _TagPlacesRun(TagPlaces(panes=self.panes), end=last.end)
        measure.places.restore([msgspec.msgpack.decode(row, type=TagPlacesRow) for row in rows.values()], last.end)
        return measure


class _TagPlacesRun:
    """Places of tags and the pane before which their window ends."""

    def __init__(self, places: TagPlaces, end: int = 0) -> None:
        self.places, self.end = places, end

    def changed_rows(self) -> Any:
        """Return what the places have to tell."""
        return self.places.changed_rows()


DRIFT_DRIVERS: dict[type, Any] = {
    TagActors: TagActorsDriver(),
    Background: BackgroundDriver(),
    TagPlaces: TagPlacesDriver(),
}
