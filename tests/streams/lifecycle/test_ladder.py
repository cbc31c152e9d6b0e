"""Check that the table of states is one that a topic can walk."""

from schemas.rules import Rules
from schemas.vitals import STATES
from streams.lifecycle.conditions import satisfied
from streams.lifecycle.ladder import AWAY, DORMANT, EXITS, HEIGHTS, LADDER, WAYS_IN, WAYS_OUT
from tests.streams.lifecycle.readings import AWAY_MOODS, MOODS, START_MS, mood


def test_the_states_are_those_of_the_vitals_in_their_order() -> None:
    """Dashboards and rows know them by these names."""
    assert STATES == (DORMANT, *(rung.state for rung in LADDER)) == tuple(HEIGHTS)


def test_every_state_that_another_names_is_one() -> None:
    """A name misspelt would be a way that nobody can go."""
    named = {state for rung in LADDER for state in (*(rung.entered_from or ()), rung.falls_to) if state is not None}

    assert named == {"growing", "outgrown", "returning"}
    assert named | {*AWAY} <= {*STATES}


def test_no_two_exits_share_a_timer() -> None:
    """Or one would stop the other's."""
    assert len({*EXITS}) == len(EXITS)


def test_the_ways_are_those_of_the_table_of_measures() -> None:
    """MEASURES.md §8: escaped from growing or outgrown; and again from returning, where it need not start all over."""
    into = {state: [rung.state for rung in rungs] for state, rungs in WAYS_IN.items()}
    out = {state: [way.timer for way in ways] for state, ways in WAYS_OUT.items()}
    free = ["growing", "outgrown"]

    assert into == {
        "dormant": [],
        "seeded": free,
        "growing": [*free, "escaped"],
        "outgrown": [*free, "escaped"],
        "escaped": free,
        "returning": [*free, "escaped", "returned"],
        "returned": free,
    }
    assert out == {
        "dormant": [],
        "seeded": ["seeded"],
        "growing": ["seeded", "growing"],
        "outgrown": ["seeded", "growing", "outgrown"],
        "escaped": ["seeded", "growing", "outgrown", "escaped", "escaped_silent"],
        "returning": ["seeded", "growing", "outgrown", "returning"],
        "returned": ["seeded", "growing", "outgrown", "returned"],
    }


def test_no_reading_leads_into_a_told_state_and_out_of_it() -> None:
    """Hysteresis: with both at once a topic would be told of at every tick."""
    for name in MOODS | AWAY_MOODS:
        one = mood(name, START_MS)
        for rung in LADDER[:4]:
            leaves = [way.timer for way in rung.exits if satisfied(way.leave(one, Rules()))]

            assert not (satisfied(rung.enter(one, Rules())) and leaves), (name, rung.state, leaves)
