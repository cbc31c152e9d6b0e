"""A restart anywhere changes nothing of what is told of those who left, and nothing of what is stored."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import ADOPTED, SEEDED, WILD
from schemas.rules import DAY_MS, HOUR_MS
from schemas.vitals import State
from streams.steps.leavers import Leavers
from tests.streams.steps.leavers.lives import (
    MEMBERS,
    NUMBERS,
    Join,
    Step,
    Table,
    Turn,
    last,
    richer,
    said,
    take,
)
from tests.streams.steps.logs import MINUTE_MS, START_MS

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
        if random.random() < 0.1:
            steps.append(Join(at_ms))
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
        assert restored.homes(NUMBERS) == whole.homes(NUMBERS)
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
