"""Those who leave are followed from the escape of their topic until it is told what became of them, and no further."""

from collections.abc import Iterable
from math import exp, sqrt
from random import Random
from typing import NamedTuple
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import ADOPTED, BRAND, SEEDED, WILD
from schemas.contribution import Contribution
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import DAY_MS, HOUR_MS, ReturnedRules
from schemas.vitals import Measures, State
from streams.measures import cohort as cohort_module
from streams.steps.leavers import Leavers
from streams.steps.topic import Topic
from tests.streams.steps.logs import MINUTE_MS, START_MS

SEEDS = frozenset({"#brand", "#launch"})
EMERGENT = frozenset({"#wild"})
RULES = ReturnedRules()
MEMBERS = [f"member-{number}" for number in range(40)]
Z = 1.959963984540054


class Turn(NamedTuple):
    """A topic goes from one state to another."""

    before: State
    after: State
    at_ms: int


class Told(NamedTuple):
    """What is known of the cohort at a tick."""

    at_ms: int
    outcome: str | None
    measures: Measures


Step = Contribution | Turn | int
"""What a member does, what the topic does, and a tick."""


def said(at_ms: int, actor: str, *tags: str, lineage: int = ADOPTED, member: bool = True) -> Contribution:
    """Return what somebody said on the topic, or elsewhere where it is wild."""
    return Contribution(at_ms, f"{at_ms}{actor}", "b/t", actor, 0, lineage, 1000, "r", "n", member=member, tags=tags)


def left(at_ms: int, *actors: str) -> list[Contribution]:
    """Return what people say elsewhere, on what has emerged there."""
    return [said(at_ms, actor, "#wild", lineage=WILD) for actor in actors]


def take(leavers: Leavers, steps: Iterable[Step]) -> list[Told]:
    """Let everything happen in order; return what was known at each tick."""
    told = []
    for step in steps:
        if isinstance(step, Contribution):
            leavers.act(step, seeds=SEEDS, emergent=EMERGENT)
        elif isinstance(step, Turn):
            leavers.follow(*step)
        else:
            told.append(Told(step, leavers.read(step, RULES), Measures()))
            leavers.tell(told[-1].measures)
    return told


def last(steps: Iterable[Step]) -> Told:
    """Return what is known at the last tick of a new topic."""
    return take(Leavers(hour_ms=HOUR_MS), steps)[-1]


class Table:
    """What is stored of the leavers."""

    def __init__(self, rows: dict[str, bytes] | None = None) -> None:
        self.rows = {} if rows is None else dict(rows)

    def take(self, leavers: Leavers) -> None:
        """Store what changed; a row that ends must be there."""
        for name, row in leavers.changed_rows():
            if row is None:
                del self.rows[name]
            else:
                assert len(row) <= ROW_BYTES_MAX
                self.rows[name] = row

    def restored(self) -> Leavers:
        """Return leavers that go on from what is stored."""
        by_letter: dict[str, list[bytes]] = {}
        for name, row in self.rows.items():
            by_letter.setdefault(name.partition("|")[0], []).append(row)
        leavers = Leavers(hour_ms=HOUR_MS)
        leavers.restore(by_letter)
        return leavers


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["growing", "outgrown"])
def test_who_leaves_is_counted_from_the_escape_on(before: State) -> None:
    """Elsewhere before it is nobody gone; and as long as nothing has escaped there is nothing to tell."""
    early = take(Leavers(hour_ms=HOUR_MS), [*left(START_MS, "ana", "bo"), START_MS + 1])
    told = last([*left(START_MS, "ana", "bo"), Turn(before, "escaped", START_MS + 1),
                 *left(START_MS + 2, "bo", "cy", "di"), START_MS + 3])  # fmt: skip

    assert early == [Told(START_MS + 1, None, Measures())]
    assert told == Told(START_MS + 3, None, Measures(cohort=3))


@pytest.mark.parametrize(
    ("tags", "lineage", "leaving"),
    [
        (["#wild"], WILD, 1),
        (["#brand", "#other", "#wild"], WILD, 1),
        (["#other"], WILD, 0),
        ([], WILD, 0),
        (["#wild"], ADOPTED, 0),
        (["#wild"], SEEDED, 0),
    ],
)
def test_only_what_is_said_elsewhere_about_what_emerged_is_leaving(tags: list[str], lineage: int, leaving: int) -> None:
    """Not the same tag on the topic, and no other tag elsewhere; of several tags one is enough."""
    act = said(START_MS + 1, "ana", *tags, lineage=lineage)

    assert last([Turn("growing", "escaped", START_MS), act, START_MS + 2]).measures.cohort == leaving


def test_nobody_joins_and_people_return_once_the_escape_is_over() -> None:
    """Of three who left one was on topic before the end and one behind it: a third has returned, in six digits."""
    told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana", "bo", "cy"),
                 said(START_MS + 2, "ana"), Turn("escaped", "returning", START_MS + 3),
                 *left(START_MS + 4, "eve"), said(START_MS + 5, "bo"), START_MS + 6])  # fmt: skip

    assert (told.measures.cohort, told.measures.return_rate) == (3, 0.333333)


def test_there_is_no_rate_of_return_while_the_topic_is_escaped() -> None:
    """Who is on topic again then has not come back from what goes on."""
    told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, "a"), said(START_MS + 2, "a"), START_MS + 3])

    assert (told.measures.cohort, told.measures.return_rate, told.measures.return_rate_low) == (1, None, None)


def test_who_leaves_again_is_another_cohort() -> None:
    """An escape out of a return: those who left the first time are not counted, unless they leave again."""
    told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana", "bo", "cy"),
                 Turn("escaped", "returning", START_MS + 2), said(START_MS + 3, "ana"),
                 Turn("returning", "escaped", START_MS + 4), *left(START_MS + 5, "cy", "d"), START_MS + 6])  # fmt: skip

    assert told.measures.cohort == 2


def returned(*, at_ms: int) -> list[Step]:
    """Return an escape of all members, who come back a day later; at an instant it is told so."""
    return [Turn("growing", "escaped", START_MS), *left(START_MS + 1, *MEMBERS),
            Turn("escaped", "returning", START_MS + DAY_MS), *(said(START_MS + DAY_MS, one) for one in MEMBERS),
            at_ms]  # fmt: skip


@pytest.mark.parametrize("states", [("returned", "seeded"), ("returned", "growing"), ("returning", "seeded")])
def test_once_the_outcome_was_told_or_given_up_nothing_is_told_any_more(states: tuple[State, State]) -> None:
    """In `returned` the numbers are shown still; behind it neither they nor an outcome are, however long one waits."""
    at_ms = START_MS + DAY_MS + RULES.within_ms
    steps = [Turn("returning", "returned", at_ms)] if states[0] == "returned" else []
    shown_ms, after_ms = at_ms + MINUTE_MS, at_ms + DAY_MS
    told = take(Leavers(hour_ms=HOUR_MS), [*returned(at_ms=at_ms), *steps, shown_ms, Turn(*states, after_ms),
                                           after_ms + MINUTE_MS, after_ms + 20 * DAY_MS])  # fmt: skip

    assert {(one.outcome, one.measures.cohort, one.measures.return_rate) for one in told[:2]} == {("returned", 40, 1)}
    assert [(one.outcome, one.measures) for one in told[2:]] == [(None, Measures())] * 2


def test_a_state_that_stays_or_that_is_not_about_leaving_changes_nothing() -> None:
    """A topic grows and falls asleep; and it stays escaped at every tick but one."""
    leavers, table = Leavers(hour_ms=HOUR_MS), Table()
    take(leavers, [Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana"), START_MS + 2])
    table.take(leavers)
    take(leavers, [Turn("escaped", "escaped", START_MS + 3)])

    assert list(leavers.changed_rows()) == []
    assert last([Turn("seeded", "growing", START_MS), Turn("growing", "dormant", START_MS + 1),
                 *left(START_MS + 2, "ana"), START_MS + 3]).measures == Measures()  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_cohort_is_read_once_an_hour() -> None:
    """Who joins within the hour is seen at its end; whole hours of event time, whenever the first tick was."""
    steps: list[Step] = [Turn("growing", "escaped", START_MS)]
    for minute in range(10, 150, 10):
        at_ms = START_MS + minute * MINUTE_MS
        steps += [*left(at_ms - 1, f"member-{minute}"), at_ms]
    told = take(Leavers(hour_ms=HOUR_MS), steps)

    # The tick of an hour is its first: at minutes 10, 60 and 120, by when 1, 6 and 12 had left.
    assert [one.measures.cohort for one in told] == [1] * 5 + [6] * 6 + [12] * 3


def test_a_change_of_the_state_is_read_at_the_next_tick() -> None:
    """It does not wait for the hour: what was read is of another state."""
    told = take(Leavers(hour_ms=HOUR_MS), [Turn("growing", "escaped", START_MS), START_MS + 1,
                                           *left(START_MS + 2, "ana"), START_MS + 3,
                                           Turn("escaped", "returning", START_MS + 4), START_MS + 5])  # fmt: skip

    assert [(one.measures.cohort, one.measures.return_rate) for one in told] == [(0, None), (0, None), (1, 0.0)]


def test_an_outcome_that_is_due_within_an_hour_is_told_in_its_time() -> None:
    """What was read at the beginning of the hour is judged by every tick: fourteen days are over at its 30th minute."""
    half_past = START_MS + HOUR_MS // 2
    escape: list[Step] = [Turn("growing", "escaped", START_MS), *left(START_MS + 1, *MEMBERS)]
    steps, over_ms = [*escape, Turn("escaped", "returning", half_past)], half_past + RULES.within_ms
    told = take(Leavers(hour_ms=HOUR_MS), [*steps, over_ms - HOUR_MS // 2, over_ms - 1, over_ms])

    assert [one.outcome for one in told] == [None, None, "faded"]


# --- what is told -----------------------------------------------------------------------------------------------------

BACK = MEMBERS[:30]
LEAVING_MS = START_MS + 36 * 6 * HOUR_MS
RETURN_MS = LEAVING_MS + DAY_MS
READ_MS = RETURN_MS + 40 * 3 * HOUR_MS


def richer(*always: str) -> list[Step]:
    """Return a life in which all use two tags every six hours, leave, and most return with four, every three hours.

    Each act uses the tags of `always`, too.
    """
    steps: list[Step] = [
        said(START_MS + number * 6 * HOUR_MS, one, *always, f"#own-{number % 2}")
        for number in range(37)
        for one in MEMBERS
    ]
    steps += [
        Turn("outgrown", "escaped", LEAVING_MS),
        *left(LEAVING_MS, *MEMBERS),
        Turn("escaped", "returning", RETURN_MS),
    ]
    steps += [
        said(RETURN_MS + number * 3 * HOUR_MS, one, *always, f"#own-{number % 4}")
        for number in range(41)
        for one in BACK
    ]
    return [*steps, READ_MS]


def test_what_is_told_of_those_who_left_has_the_values_by_hand() -> None:
    """Thirty of forty are back, with 40 acts in 120 hours after 36 in 216, and 32 uses of four tags after 32 of two."""
    told = last(richer())
    wilson_low = (0.75 + Z * Z / 80 - Z * sqrt(0.75 * 0.25 / 40 + Z * Z / 6400)) / (1 + Z * Z / 40)
    # Nobody differs from the others, so the error of the ratio is that of the counts: 1/1200 + 1/1080.
    prolific_low = 2 / exp(Z * sqrt(1 / (30 * 40) + 1 / (30 * 36)))
    # Every tag is used alike, so no use pulls: there is the error for one and for three kinds of 960 uses.
    diverse_low = 2 / exp(Z * sqrt((1 + 3) / (2 * (30 * 32) ** 2)))

    assert told.outcome == "returned-richer"
    assert msgspec.structs.asdict(told.measures) == msgspec.structs.asdict(Measures()) | {
        "cohort": 40,
        "return_rate": 0.75,
        "return_rate_low": pytest.approx(wilson_low, rel=1e-5),
        "prolific_ratio": 2.0,
        "prolific_ratio_low": pytest.approx(prolific_low, rel=1e-5),
        "diversity_ratio": 2.0,
        "diversity_ratio_low": pytest.approx(diverse_low, rel=1e-5),
    }


def test_seeds_are_not_counted_as_tags_of_ones_own() -> None:
    """They come with being on topic, and would make everybody look alike."""
    assert last(richer("#brand", "#launch")) == last(richer())


def test_who_uses_nothing_but_seeds_says_nothing_of_how_diverse_a_return_is() -> None:
    """There is nothing to compare, so there is no number."""
    steps = richer()
    for one in steps:
        if isinstance(one, Contribution) and one.lineage != WILD:
            one.tags = ("#brand",)
    measures = last(steps).measures

    assert (measures.prolific_ratio, measures.diversity_ratio, measures.diversity_ratio_low) == (2.0, None, None)


def test_of_a_crowd_the_size_is_told_and_not_that_of_its_sample() -> None:
    """Of 2,000 who leave some hundred are followed: within four standard errors of a sample of one in 32."""
    with mock.patch.multiple(cohort_module, ACTORS_MAX=100):
        crowd = [f"actor-{number}" for number in range(2_000)]
        told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, *crowd), START_MS + 2])

    assert told.measures.cohort == pytest.approx(2_000, abs=4 * sqrt(2_000 * 31))


# --- who is followed --------------------------------------------------------------------------------------------------


def test_a_topic_follows_its_members_alone() -> None:
    """Whoever passes by has nothing to leave; and what members say elsewhere is told here, on no topic."""
    rows = []
    for member in (False, True):
        topic = Topic("b/t", pane_ms=MINUTE_MS)
        for lineage in (BRAND, SEEDED, ADOPTED):
            topic.add(said(START_MS + lineage, "ana", "#own", lineage=lineage, member=member), SEEDS)
        rows.append([name for name, _ in topic.changed_rows() if name.startswith(("c|", "l|"))])

    assert rows[0] == []
    # Where everything is counted from, and the row in which this member is.
    assert len(rows[1]) == 2


# --- remembering ------------------------------------------------------------------------------------------------------

WAYS: dict[State, list[State]] = {
    "seeded": ["growing"],
    "growing": ["seeded", "outgrown", "escaped", "escaped"],
    "outgrown": ["growing", "escaped"],
    "escaped": ["returning"],
    "returning": ["escaped", "returned", "returned", "seeded"],
    "returned": ["seeded", "growing"],
}
"""Which states may follow on which."""


def random_life(seed: int) -> list[Step]:
    """Return weeks in which twelve members say this and that here and elsewhere, and the topic goes its ways."""
    random, at_ms, steps = Random(seed), START_MS, list[Step]()
    state: State = "growing"
    for _ in range(random.randrange(20, 120)):
        at_ms += random.choice([0, 1, MINUTE_MS, HOUR_MS // 3, HOUR_MS, 7 * HOUR_MS, DAY_MS])
        for actor in random.sample(MEMBERS[:12], random.randrange(8)):
            lineage = random.choice([ADOPTED, SEEDED, WILD, WILD])
            tags = random.sample(["#brand", "#wild", "#own", "#other"], random.randrange(4))
            steps.append(said(at_ms, actor, *tags, lineage=lineage))
        at_ms += 1
        steps.append(at_ms)
        if random.random() < 0.2:
            after = random.choice(WAYS[state])
            steps.append(Turn(state, after, at_ms))
            state = after
    return steps


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=60)
def test_a_restart_anywhere_equals_going_on(seed: int, stop: int) -> None:
    """Between any two steps, whenever rows were stored before: the same is told, and the same is stored at the end."""
    random, steps = Random(seed + 1), random_life(seed)
    stop %= len(steps)
    whole, table = Leavers(hour_ms=HOUR_MS), Table()
    for step in steps[:stop]:
        take(whole, [step])
        if random.random() < 0.2:
            table.take(whole)
    table.take(whole)
    again = Table(table.rows)
    restored = again.restored()

    assert list(restored.changed_rows()) == []
    for step in steps[stop:]:
        assert take(restored, [step]) == take(whole, [step])
        if random.random() < 0.2:
            table.take(whole)
            again.take(restored)
    table.take(whole)
    again.take(restored)
    assert again.rows == table.rows


def test_random_lives_go_everywhere() -> None:
    """The property above would prove little if nobody ever left or returned."""
    found = [one.measures for seed in range(30) for one in take(Leavers(hour_ms=HOUR_MS), random_life(seed))]
    rates = {one.return_rate for one in found if one.cohort}

    assert {one.cohort is None for one in found} == {True, False}
    assert rates > {None, 0.0}


def test_a_life_that_was_read_by_hand_survives_its_restarts() -> None:
    """Ratios, too: taken up from its rows before its last tick, a return is as rich as it was."""
    *steps, tick = richer("#brand")
    leavers, table = Leavers(hour_ms=HOUR_MS), Table()
    for number, step in enumerate(steps):
        take(leavers, [step])
        if number % 500 == 0:
            table.take(leavers)
            leavers = table.restored()
    table.take(leavers)

    assert take(table.restored(), [tick]) == take(leavers, [tick]) == [last(richer())]
