"""A reading is what anybody would count by hand who looks through all that everybody did."""

import random
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import ReturnedRules
from streams.measures.before_after import Rates, Tags, diversity_ratio, prolific_ratio
from streams.measures.cohort import Cohort, CohortReading
from streams.measures.cohort_actor import DAY_ACTS_MAX, USES_MAX
from streams.measures.endogenous import wilson_interval

DAY_MS = 100
RULES = ReturnedRules(within_ms=14 * DAY_MS, hold_ms=DAY_MS)
RATIOS = [name for name in CohortReading._fields if "_ratio" in name]


class Act(NamedTuple):
    """What somebody did."""

    at_ms: int
    actor: str
    on_topic: bool
    emergent: bool
    tags: tuple[str, ...]


acts = st.lists(
    st.builds(
        Act,
        st.integers(1_000, 6_000),
        st.sampled_from([f"actor-{n}" for n in range(12)]),
        st.sampled_from([True, True, False]),
        st.sampled_from([True, False]),
        st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True).map(tuple),
    ),
    max_size=250,
    unique_by=lambda act: (act.at_ms, act.actor),
).map(sorted)


def fed(said: Iterable[Act], *, opened_ms: int, closed_ms: int, joined_ms: int | None = None) -> Cohort:
    """Return a cohort that was told of acts, of its opening and its close, and of the brand's join."""
    cohort, turns = Cohort(day_ms=DAY_MS), [(opened_ms, "open"), (closed_ms, "close")]
    if joined_ms is not None:
        turns = sorted([*turns, (joined_ms, "join")], key=lambda turn: (turn[0], turn[1] != "open"))
    for act in said:
        while turns and turns[0][0] <= act.at_ms:
            at_ms, turn = turns.pop(0)
            getattr(cohort, turn)(at_ms)
        cohort.act(act.actor, at_ms=act.at_ms, on_topic=act.on_topic, emergent=act.emergent, tags=act.tags)
    for at_ms, turn in turns:
        getattr(cohort, turn)(at_ms)
    return cohort


def counted(said: list[Act], *, until_ms: int, forgets: bool) -> tuple[int, int, list[str]]:
    """Return acts, time and tags on topic within 14 days up to an instant, where `said` is all of one actor."""
    on_topic = [act for act in said if act.on_topic]
    for earlier, later in pairwise(on_topic):
        if forgets and later.at_ms // DAY_MS - earlier.at_ms // DAY_MS >= 14:
            on_topic = on_topic[on_topic.index(later) :]
    if on_topic and forgets and until_ms // DAY_MS - on_topic[-1].at_ms // DAY_MS >= 14:
        on_topic = []
    if not on_topic:
        return 0, 0, []
    first_ms = (until_ms // DAY_MS - 13) * DAY_MS
    days = [act.at_ms // DAY_MS for act in on_topic[1:] if act.at_ms >= first_ms]
    number = sum(min(days.count(day), DAY_ACTS_MAX) for day in sorted(set(days)))
    tags = [tag for act in on_topic if act.at_ms >= first_ms for tag in act.tags]
    return number, until_ms - max(first_ms, on_topic[0].at_ms), tags


def by_definition(
    said: list[Act], *, opened_ms: int, closed_ms: int, at_ms: int, joined_ms: int | None = None
) -> dict[str, object]:
    """Return what a reading must say, by looking through everything that everybody did."""
    from_ms = closed_ms if joined_ms is None else min(closed_ms, joined_ms)
    over_ms = RULES.within_ms + (closed_ms if joined_ms is None else max(closed_ms, joined_ms))
    cohort, backs, rates, tags, last = 0, [], [], [], []
    for actor in sorted({act.actor for act in said}):
        own = [act for act in said if act.actor == actor]
        leaving = [act for act in own if act.emergent and opened_ms <= act.at_ms < closed_ms]
        if not leaving:
            continue
        cohort += 1
        last.append(own[-1].at_ms)
        left = leaving[0]
        since = [act for act in own if act.at_ms >= from_ms and act > left]
        while since and not since[0].on_topic:
            since = since[1:]
        if not since or since[0].at_ms >= over_ms:
            continue
        backs.append(since[0].at_ms)
        before = counted([act for act in own if act <= left], until_ms=left.at_ms, forgets=True)
        after = counted(since, until_ms=at_ms, forgets=False)
        if before[1] >= DAY_MS and at_ms - since[0].at_ms >= DAY_MS:
            rates.append(Rates(before[0], before[1], after[0], after[1]))
            tags.append(Tags(before[2][-USES_MAX:], after[2][-USES_MAX:]))
    reached = [n for n in range(1, len(backs) + 1) if wilson_interval(successes=n, n=cohort).low >= RULES.rate_enter]
    prolific, diverse = prolific_ratio(rates), diversity_ratio(tags)
    return {
        "size": cohort,
        "scale": 1,
        "returned": len(backs),
        "return_rate": len(backs) / cohort if cohort else None,
        "return_rate_low": wilson_interval(successes=len(backs), n=cohort).low if cohort else None,
        "reached_ms": sorted(backs)[reached[0] - 1] if reached else None,
        "active": sum(one >= closed_ms for one in last),
        "last_active_ms": max(last, default=None),
        "compared": len(rates),
        "prolific_ratio": prolific.value if prolific else None,
        "prolific_ratio_low": prolific.low if prolific else None,
        "diversity_ratio": diverse.value if diverse else None,
    }


def nearly(expected: dict[str, object]) -> dict[str, object]:
    """Return what equals the same numbers but for rounding."""
    return {
        name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for name, value in expected.items()
    }


@given(
    acts,
    st.integers(1_000, 4_500),
    st.integers(0, 1_500),
    st.none() | st.integers(0, 2_500),
    st.integers(0, 2_500),
)
def test_reading_is_what_a_look_through_everything_says(
    said: list[Act], opened_ms: int, away_ms: int, until_join_ms: int | None, later_ms: int
) -> None:
    """Who left, who returned and when, how they were before and are since: from all acts, without any shortcut.

    Who comes back after the brand has come counts before the escape is over, and has as long as after its end.
    """
    closed_ms = opened_ms + away_ms
    joined_ms = None if until_join_ms is None else opened_ms + until_join_ms
    at_ms = max(closed_ms, joined_ms or 0, said[-1].at_ms if said else 0) + later_ms
    reading = fed(said, opened_ms=opened_ms, closed_ms=closed_ms, joined_ms=joined_ms).read(at_ms, rules=RULES)
    assert reading is not None
    expected = by_definition(said, opened_ms=opened_ms, closed_ms=closed_ms, at_ms=at_ms, joined_ms=joined_ms)

    assert {name: getattr(reading, name) for name in expected} == nearly(expected)


def lively(rng: random.Random) -> list[Act]:
    """Return what 30 people do in 50 days, so much of it that everything can be measured."""
    said = []
    for number in range(30):
        for at_ms in rng.sample(range(1_000, 6_000), k=rng.randint(60, 250)):
            # One at most, so that it is plain which uses are the last 32.
            tags = tuple(rng.sample("abcdefghijkl", k=rng.randint(0, 1)))
            said.append(Act(at_ms, f"actor-{number}", rng.random() < 0.7, rng.random() < 0.2, tags))
    return sorted(said)


@pytest.mark.parametrize("seed", range(6))
def test_lively_population_is_measured_as_by_hand(seed: int) -> None:
    """With enough acts and tags for both ratios, at any time after the close."""
    said = lively(random.Random(seed))
    for at_ms in (4_100, 4_300, 5_400):
        known = [act for act in said if act.at_ms < at_ms]
        cohort = fed(known, opened_ms=3_000, closed_ms=4_000)
        reading = cohort.read(at_ms, rules=RULES)
        expected = by_definition(known, opened_ms=3_000, closed_ms=4_000, at_ms=at_ms)
        assert reading is not None

        assert {name: getattr(reading, name) for name in expected} == nearly(expected)
        counts_alone = cohort.read(at_ms, rules=RULES, compares=False)
        assert counts_alone is not None

        assert counts_alone == CohortReading(**{**reading._asdict(), **dict.fromkeys(RATIOS), "compared": 0})
        assert at_ms < 4_300 or (reading.prolific_ratio is not None and reading.diversity_ratio is not None)
