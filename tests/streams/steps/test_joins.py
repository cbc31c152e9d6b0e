"""A brand joins by a tag that emerged or by an answer where members used one, and what members do then is compared."""

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import JoinEvidence
from schemas.attributed import ADOPTED, BRAND, WILD
from schemas.contribution import Contribution
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import DAY_MS, HOUR_MS
from schemas.signal import KINDS
from schemas.vitals import Measures, State
from streams.steps.joins import DAY_SLOTS, PANE_ROOTS_MAX, ROOT_PANES, Joins
from tests.streams.steps.logs import MINUTE_MS, START_MS

EMERGENT = frozenset({"#wild", "#bees"})
POST, REPLY, QUOTE, SHARE = (KINDS.index(kind) for kind in ("post", "reply", "quote", "share"))
SLOT_MS = 10 * MINUTE_MS


class Turn(NamedTuple):
    """A tick at which a topic goes from one state to another, or stays."""

    before: State
    after: State
    at_ms: int


ESCAPES = Turn("growing", "escaped", START_MS)


def said(at_ms: int, *tags: str, root: str = "r", lineage: int = WILD, units: int = 1000,
         actor: str = "ana") -> Contribution:  # fmt: skip
    """Return what a member said."""
    return Contribution(at_ms, f"{at_ms}{actor}", "b/t", actor, POST, lineage, units, root, "n", True, tags)


def came(at_ms: int, *tags: str, root: str = "own", kind: int = POST, lineage: int = WILD) -> Contribution:
    """Return what the brand said, elsewhere unless it is told otherwise."""
    return Contribution(at_ms, f"{at_ms}brand", "b/t", "brand", kind, lineage, 0, root, "n", False, tags)


Step = Contribution | Turn


def take(joins: Joins, steps: Iterable[Step], state: State = "dormant") -> State:
    """Let everything happen in order; return the state that the topic is in then."""
    for step in steps:
        if isinstance(step, Turn):
            joins.follow(*step)
            state = step.after
        elif step.actor == "brand":
            joins.come(step, emergent=EMERGENT, state=state)
        else:
            joins.act(step, emergent=EMERGENT)
    return state


def after(steps: Iterable[Step]) -> Joins:
    """Return what is known of a new topic behind these steps."""
    joins = Joins(hour_ms=HOUR_MS)
    take(joins, steps)
    return joins


def told(joins: Joins) -> Measures:
    """Return the measures of a tick."""
    measures = Measures()
    joins.tell(measures)
    return measures


class Table:
    """What is stored of the joins."""

    def __init__(self, rows: dict[str, bytes] | None = None) -> None:
        self.rows = {} if rows is None else dict(rows)

    def take(self, joins: Joins) -> None:
        """Store what changed; a row that ends must be there."""
        for name, row in joins.changed_rows():
            if row is None:
                del self.rows[name]
            else:
                assert len(row) <= ROW_BYTES_MAX
                self.rows[name] = row

    def restored(self) -> Joins:
        """Return joins that go on from what is stored."""
        by_letter: dict[str, list[bytes]] = {}
        for name, row in self.rows.items():
            by_letter.setdefault(name.partition("|")[0], []).append(row)
        joins = Joins(hour_ms=HOUR_MS)
        joins.restore(by_letter)
        return joins


# --- what is a join ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "how"),
    [
        (came(START_MS + 9, "#other", "#bees"), ("tag", "#bees", "own")),
        (came(START_MS + 9, "#wild", lineage=BRAND), ("tag", "#wild", "own")),
        (came(START_MS + 9, kind=REPLY, root="theirs"), ("reply", None, "theirs")),
        (came(START_MS + 9, "#other", kind=QUOTE, root="theirs"), ("reply", None, "theirs")),
        (came(START_MS + 9, "#wild", kind=REPLY, root="theirs"), ("tag", "#wild", "theirs")),
        (came(START_MS + 9, kind=REPLY, root="theirs", lineage=BRAND), ("reply", None, "theirs")),
        (came(START_MS + 9, kind=SHARE, root="theirs"), None),
        (came(START_MS + 9, "#other"), None),
        (came(START_MS + 9, kind=REPLY, root="small talk"), None),
        (came(START_MS + 9, kind=REPLY, root="its own thread", lineage=BRAND), None),
    ],
)
def test_a_tag_that_emerged_or_an_answer_where_it_is_used_is_a_join(
    act: Contribution, how: tuple[str, str | None, str] | None
) -> None:
    """On the topic or elsewhere; not a share, no other tag, no answer in small talk or below the brand's own post."""
    joins = after(
        [
            ESCAPES,
            said(START_MS + 1, "#wild", root="theirs"),
            said(START_MS + 2, "#talk", root="small talk"),
            said(START_MS + 3, "#wild", root="its own thread", lineage=ADOPTED),
            act,
        ]
    )
    expected = None if how is None else JoinEvidence("2012-07-04T00:00:00.009Z", how[0], how[1], how[2], 1)  # type: ignore[arg-type]

    assert joins.evidence() == expected
    assert joins.first_ms == (None if how is None else START_MS + 9)


@pytest.mark.parametrize(("state", "joins"), [("escaped", 1), ("returning", 1), ("returned", 0), ("growing", 0)])
def test_a_brand_joins_only_while_its_community_is_away(state: State, joins: int) -> None:
    """Before that there is nobody to go after, and behind it the outcome was told."""
    turns = [ESCAPES] if state != "growing" else []
    if state in ("returning", "returned"):
        turns.append(Turn("escaped", state, START_MS + 1))
    found = after([*turns, came(START_MS + 2, "#wild")])

    assert told(found).brand_joins == joins


def test_the_first_join_is_told_and_the_others_are_counted() -> None:
    """The community met the brand there once."""
    found = after([ESCAPES, *(came(START_MS + n, "#wild") for n in (5, 6, 700))])

    assert (told(found).brand_joins, told(found).brand_joined_at) == (3, START_MS + 5)


def test_conversations_are_remembered_for_a_day() -> None:
    """Whoever answers what was said two days ago answers a tag, or nobody."""
    old: list[Step] = [ESCAPES, said(START_MS + 1, "#wild", root="theirs")]
    late_ms = START_MS + (ROOT_PANES + 2) * HOUR_MS
    in_time = after(
        [*old, Turn("escaped", "escaped", START_MS + DAY_MS), came(START_MS + DAY_MS, kind=REPLY, root="theirs")]
    )
    too_late = after([*old, Turn("escaped", "escaped", late_ms), came(late_ms, kind=REPLY, root="theirs")])

    assert (told(in_time).brand_joins, told(too_late).brand_joins) == (1, 0)


def test_of_a_crowd_of_conversations_the_row_stays_small() -> None:
    """An hour holds a thousand; its row is checked by the table."""
    table, joins = Table(), Joins(hour_ms=HOUR_MS)
    steps = [said(START_MS + n, "#wild", root=f"post {n}") for n in range(PANE_ROOTS_MAX + 50)]
    take(joins, [ESCAPES, *steps])
    table.take(joins)

    assert len(table.rows[f"y|{START_MS // HOUR_MS}"]) == pytest.approx(8 * PANE_ROOTS_MAX, abs=20)


# --- what members do then ---------------------------------------------------------------------------------------------


def acts(first_ms: int, *, count: int, every_ms: int, units: int = 1000) -> list[Contribution]:
    """Return so many acts of a member on the topic, from an instant on."""
    return [said(first_ms + n * every_ms, lineage=ADOPTED, units=units) for n in range(count)]


def test_the_lift_compares_the_day_behind_the_join_with_the_day_before() -> None:
    """144 acts in the day before and 288 in the day after; it is told when that day is over, and acts beyond it count
    for nothing.
    """
    joined_ms = START_MS + 2 * DAY_MS
    steps: list[Step] = [ESCAPES, *acts(START_MS + SLOT_MS, count=2 * DAY_SLOTS - 1, every_ms=SLOT_MS)]
    steps += [came(joined_ms, "#wild"), *acts(joined_ms + SLOT_MS, count=2 * DAY_SLOTS, every_ms=SLOT_MS // 2)]
    steps.append(Turn("escaped", "escaped", joined_ms + DAY_MS))
    early = after(steps)
    steps += acts(joined_ms + DAY_MS + SLOT_MS, count=50, every_ms=1_000)
    late = after([*steps, Turn("escaped", "escaped", joined_ms + DAY_MS + 2 * SLOT_MS)])

    assert told(early).response_lift is None
    assert told(late).response_lift == pytest.approx((2 * DAY_SLOTS + 0.5) / (DAY_SLOTS + 0.5), rel=1e-5)
    evidence = late.evidence()
    assert evidence is not None
    assert (evidence.lift, evidence.lift_low) == (told(late).response_lift, told(late).response_lift_low)


def test_soon_after_the_escape_the_same_hours_of_both_days_are_compared() -> None:
    """The brand came after five hours, with an act every slot; a day later there were three in each of these hours, and
    what happened in the others is of other hours of the day.
    """
    joined_ms = START_MS + 5 * HOUR_MS
    steps: list[Step] = [ESCAPES, *acts(START_MS + SLOT_MS, count=29, every_ms=SLOT_MS), came(joined_ms, "#wild")]
    steps += acts(joined_ms + SLOT_MS, count=100, every_ms=1_000)
    # From one slot behind the hours of the escape, as the slot of the join itself does not count.
    steps += acts(START_MS + DAY_MS + 2 * SLOT_MS, count=3 * 29, every_ms=SLOT_MS // 3)
    late = after([*steps, Turn("escaped", "escaped", joined_ms + DAY_MS + SLOT_MS)])

    assert told(late).response_lift == pytest.approx((3 * 29 + 0.5) / (29 + 0.5), rel=1e-5)


def test_a_join_within_the_first_hour_has_nothing_to_be_compared_with() -> None:
    """What emerged is known for so short a time only."""
    joined_ms = START_MS + 50 * MINUTE_MS
    steps: list[Step] = [ESCAPES, *acts(START_MS, count=100, every_ms=1_000), came(joined_ms, "#wild"),
             *acts(joined_ms + DAY_MS - HOUR_MS, count=100, every_ms=10_000),
             Turn("escaped", "escaped", joined_ms + DAY_MS + SLOT_MS)]  # fmt: skip

    assert told(after(steps)).response_lift is None


def test_acts_beyond_the_cap_of_their_actor_are_no_response() -> None:
    """A bot that wakes up as the brand comes lifts nothing."""
    joined_ms = START_MS + DAY_MS
    before = acts(START_MS + SLOT_MS, count=DAY_SLOTS - 1, every_ms=SLOT_MS)
    steps: list[Step] = [ESCAPES, *before, came(joined_ms, "#wild"),
             *acts(joined_ms + SLOT_MS, count=1_000, every_ms=1_000, units=0),
             Turn("escaped", "escaped", joined_ms + DAY_MS + SLOT_MS)]  # fmt: skip

    assert (told(after(steps)).response_lift or 1.0) < 0.01


# --- remembering ------------------------------------------------------------------------------------------------------

WAYS: dict[State, list[State]] = {
    "growing": ["escaped"],
    "escaped": [*["escaped"] * 8, "returning"],
    "returning": ["returning", "returning", "escaped", "returned"],
    "returned": ["growing"],
}


def random_life(seed: int) -> list[Step]:
    """Return days in which a topic goes its ways, a brand comes now and then, and members talk."""
    random, at_ms, state, steps = Random(seed), START_MS, "growing", list[Step]()
    for _ in range(random.randrange(20, 150)):
        at_ms += random.choice([0, 1, MINUTE_MS, SLOT_MS, HOUR_MS, 7 * HOUR_MS, DAY_MS])
        tags = random.sample(["#wild", "#bees", "#other"], random.randrange(3))
        root, kind = f"post {random.randrange(6)}", random.choice([POST, REPLY])
        if random.random() < 0.2:
            steps.append(came(at_ms, *tags, root=root, kind=kind))
        else:
            lineage = random.choice([ADOPTED, WILD])
            steps += [said(at_ms, *tags, root=root, lineage=lineage)] * random.choice([1, 1, 40])
        if random.random() < 0.4:
            at_ms += 1
            follower = random.choice(WAYS[state])
            steps.append(Turn(state, follower, at_ms))
            state = follower
    return steps


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=60)
def test_a_restart_anywhere_equals_going_on(seed: int, stop: int) -> None:
    """Between any two steps, whenever rows were stored before: the same is told, and the same is stored at the end."""
    random, steps = Random(seed + 1), random_life(seed)
    stop %= len(steps)
    whole, table, state = Joins(hour_ms=HOUR_MS), Table(), "dormant"
    for step in steps[:stop]:
        state = take(whole, [step], state)
        if random.random() < 0.2:
            table.take(whole)
    table.take(whole)
    again = Table(table.rows)
    restored = again.restored()

    assert list(restored.changed_rows()) == []
    for step in steps[stop:]:
        take(restored, [step], state)
        state = take(whole, [step], state)
        assert (told(restored), restored.evidence()) == (told(whole), whole.evidence())
        if random.random() < 0.2:
            table.take(whole)
            again.take(restored)
    table.take(whole)
    again.take(restored)
    assert again.rows == table.rows


def test_random_lives_go_everywhere() -> None:
    """The property above would prove little if no brand ever came and no lift was ever told."""
    found = [told(after(random_life(seed)[:end])) for seed in range(30) for end in (40, 60, 80, 100)]

    assert {one.brand_joins > 1 for one in found} == {True, False}
    assert {one.response_lift is None for one in found} == {True, False}
