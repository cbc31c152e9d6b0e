"""Crowds are invented from a seed, and drawn from by liveliness."""

import random
from collections import Counter

import msgspec

from agents.seasons.people import Crowd
from tests.agents.seasons.small_season import small_season

PLAN = small_season().plan.people


def test_people_are_numbered_and_the_same_for_the_same_seed() -> None:
    """Two runs of a season must meet the same people."""
    first, second = (Crowd.invent(random.Random(7), PLAN, first=5, count=3) for _ in range(2))
    drawn = [[crowd.draw(random.Random(n)) for n in range(50)] for crowd in (first, second)]

    assert drawn[0] == drawn[1]
    assert {person.id for person in drawn[0]} == {"p5", "p6", "p7"}
    assert {person.language for person in drawn[0]} <= {"en", "fr"}


def test_equal_people_are_drawn_equally_often() -> None:
    """Without inequality each of 4 people is drawn a quarter of the time: 1000 of 4000, give or take 5 sigma = 137."""
    rng = random.Random(1)
    crowd = Crowd.invent(rng, msgspec.structs.replace(PLAN, inequality=0), first=1, count=4)

    counts = Counter(crowd.draw(rng).id for _ in range(4_000))

    assert all(abs(count - 1_000) < 137 for count in counts.values())


def test_the_first_of_a_crowd_are_the_same_people() -> None:
    """Followers of the brand are part of the community, not others of the same name."""
    rng = random.Random(1)
    crowd = Crowd.invent(rng, PLAN, first=1, count=10)

    assert {crowd.first(3).draw(rng).id for _ in range(200)} == {"p1", "p2", "p3"}


def test_nobody_reacts_to_themselves_while_others_are_there() -> None:
    """A person who is excluded is drawn only where patience ends, as when nobody else is there."""
    rng = random.Random(1)
    crowd = Crowd.invent(rng, PLAN, first=1, count=10)

    assert "p1" not in {crowd.draw(rng, but="p1").id for _ in range(500)}
    assert crowd.first(1).draw(rng, but="p1").id == "p1"
