"""Drive the membership of actors through the conformance suite (`tests.checks.measure_checks`)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.member_rows import MemberRow
from schemas.rules import DAY_MS, HOUR_MS, MemberRules
from streams.measures.membership import Members

Run = list[Any]


class MembersDriver:
    """Drives memberships: a step is (ms since the last step, what is done at that instant: actor, topic)."""

    rules = MemberRules()

    def new(self) -> Any:
        """Return members of nothing, with the instant to which the run has come."""
        return _MembersRun(Members())

    def runs(self) -> SearchStrategy[Run]:
        """Return runs over hours, days and weeks in which a few actors come, stay, leave and return."""
        gaps = st.sampled_from([0, HOUR_MS, DAY_MS, DAY_MS + 1, 7 * DAY_MS, 13 * DAY_MS, 27 * DAY_MS, 30 * DAY_MS])
        acts = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("st")), max_size=4)
        return st.lists(st.tuples(gaps, acts), min_size=1, max_size=10)

    def feed(self, measure: Any, step: Any) -> object:
        """Let the acts happen, forget what has ended and return who belongs where."""
        gap_ms, acts = step
        measure.at_ms += gap_ms
        for actor, topic in acts:
            measure.members.act(actor=actor, topic=topic, at_ms=measure.at_ms, rules=self.rules, day_ms=DAY_MS)
        measure.members.expire(measure.at_ms)
        return [
            (
                measure.members.topics(actor, measure.at_ms),
                [measure.members.is_core(actor, topic, measure.at_ms) for topic in "st"],
            )
            for actor in "xyz"
        ]

    def batch(self, run: Run) -> object:
        """Count the days, the weeks and the last day of each actor and topic over the whole run."""
        at_ms, instants = 0, dict[tuple[str, str], list[int]]()
        for gap_ms, acts in run:
            at_ms += gap_ms
            for act in acts:
                instants.setdefault(act, []).append(at_ms)
        said = []
        for actor in "xyz":
            topics, core = list[str](), list[bool]()
            for topic in "st":
                acted = instants.get((actor, topic), [])
                ago = {at_ms // DAY_MS - one // DAY_MS for one in acted}
                member = len(ago & set(range(28))) >= 2 or sum(at_ms - one < DAY_MS for one in acted) >= 3
                topics += [topic] * member
                core.append(member and len({days // 7 for days in ago & set(range(28))}) >= 3)
            said.append((tuple(topics), core))
        return said

    def apart(self, step: Any) -> list[Any]:
        """Return the acts of one instant backwards."""
        gap_ms, acts = step
        return [(gap_ms, acts[::-1])]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return members that rows made, at the instant of the other ones."""
        measure = _MembersRun(Members(), at_ms=last.at_ms)
        measure.members.restore((actor, msgspec.msgpack.decode(row, type=MemberRow)) for actor, row in rows.items())
        return measure


class _MembersRun:
    """Members and the instant at which they are asked."""

    def __init__(self, members: Members, at_ms: int = 0) -> None:
        self.members, self.at_ms = members, at_ms

    def changed_rows(self) -> Any:
        """Return what the members have to tell."""
        return self.members.changed_rows()


MEMBER_DRIVERS: dict[type, Any] = {Members: MembersDriver()}
