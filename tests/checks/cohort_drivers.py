"""Drive the measure of those who left and return through the conformance suite (`tests.checks.measure_checks`)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.cohort_rows import CohortRow
from schemas.rules import ReturnedRules
from streams.measures.cohort import Cohort
from streams.measures.tag_actors import number_of

Run = list[Any]

DAY_MS = 100


class CohortDriver:
    """Drives a cohort: a step is (ms since the last one, what happens to it, acts: actor, on topic, emergent, tags).

    All acts of a step happen at one instant, one act to an actor: those of one and the same count in the order told.
    """

    rules = ReturnedRules(within_ms=14 * DAY_MS, hold_ms=DAY_MS, rate_enter=0.2)

    def new(self) -> Cohort:
        """Return a cohort that nobody belongs to."""
        return Cohort(day_ms=DAY_MS)

    def runs(self) -> SearchStrategy[Run]:
        """Return runs over hours, days and weeks with a few actors, now and then a crowd that needs sampling."""
        act = st.tuples(
            st.sampled_from("stuvwxyz"),
            st.booleans(),
            st.booleans(),
            st.lists(st.sampled_from("abcdef"), max_size=12).map(tuple),
        )
        few = st.lists(act, max_size=8, unique_by=lambda one: one[0])
        gaps = st.sampled_from([0, 1, 7, 30, 60, 100, 130, 700, 1_300, 1_400, 1_500, 3_000])
        turn = st.sampled_from(["", "", "open", "close", "settle", "join"])
        steps = st.lists(st.tuples(gaps, turn, few), min_size=1, max_size=14)
        # A crowd takes its time, so there is one in some of the runs only.
        return st.tuples(steps, st.sampled_from([0, 0, 0, 0, 0, 2_100, 2_300])).map(lambda run: self._timed(*run))

    @staticmethod
    def _timed(steps: list[Any], crowd: int) -> Run:
        """Return steps with their instants, a crowd in one of them, without turns that are not possible there."""
        at_ms, is_open, timed = 10 * DAY_MS, False, []
        many = [(f"c{n}", n % 2 == 0, n % 3 == 0, ("a", "b")[: n % 3]) for n in range(crowd)]
        for number, (gap_ms, wanted, acts) in enumerate(steps):
            at_ms += gap_ms
            turn = "" if wanted == ("open" if is_open else "close") else wanted
            is_open = turn == "open" or (is_open and turn in ("", "join"))
            timed.append((at_ms, turn, acts + many if number == len(steps) // 2 else acts))
        return timed

    def feed(self, measure: Cohort, step: Any) -> object:
        """Take a turn, let the acts happen and read at once and two days later."""
        self._take(measure, step)
        return self._readings(measure, step[0])

    @staticmethod
    def _take(measure: Cohort, step: Any) -> None:
        at_ms, turn, acts = step
        if turn == "settle":
            measure.settle()
        elif turn:
            getattr(measure, turn)(at_ms)
        measure.expire(at_ms)
        for actor, on_topic, emergent, tags in acts:
            root = f"root of {actor}" if "a" in tags else "one"
            measure.act(actor, at_ms=at_ms, on_topic=on_topic, emergent=emergent, tags=tags, root=root)

    def _readings(self, measure: Cohort, at_ms: int) -> object:
        reads = [measure.read(at_ms + ahead_ms, rules=self.rules) for ahead_ms in (0, 2 * DAY_MS)]
        homes = measure.homes(map(number_of, "stuvwxyz"))
        return measure.is_empty(), measure.is_open, measure.is_awaited(at_ms, rules=self.rules), homes, reads

    def batch(self, run: Run) -> object:
        """Take all steps without reading in between."""
        measure = self.new()
        for step in run:
            self._take(measure, step)
        return self._readings(measure, run[-1][0])

    def apart(self, step: Any) -> list[Any]:
        """Return the acts of the instant backwards, and with their tags backwards and twice."""
        at_ms, turn, acts = step
        tags_again = [(actor, on_topic, emergent, tags[::-1] + tags) for actor, on_topic, emergent, tags in acts]
        return [(at_ms, turn, acts[::-1]), (at_ms, turn, tags_again)]

    def restored(self, rows: Mapping[Any, bytes], *, last: Cohort) -> Cohort:
        """Return a cohort that rows made."""
        measure = self.new()
        measure.restore(msgspec.msgpack.decode(row, type=CohortRow) for row in rows.values())
        return measure


COHORT_DRIVERS: dict[type, Any] = {Cohort: CohortDriver()}
