"""A lived day counts what the last 24 hours brought, and nothing older."""

import random

from agents.seasons.lived import LivedDay, UsualAudience
from agents.seasons.scribe import Lineage, Planted
from schemas.rules import DAY_MS, HOUR_MS
from schemas.signal import Signal

LINEAGES: tuple[Lineage, ...] = ("brand", "seeded", "adopted", "wild")
WEIGHTS = {"post": 1.0, "like": 0.2, "quote": 1.5}


def test_the_counts_of_a_day_are_those_of_a_recount() -> None:
    """Two days of random signals, counted anew from the list at every step."""
    rng, day, told = random.Random(3), LivedDay(), []
    for number in range(400):
        at_ms = number * 2 * DAY_MS // 400
        kind = rng.choice(("post", "like", "quote"))
        signal = Signal(f"s{number}", "garden", "post", at_ms, f"p{rng.randrange(30)}")
        signal.kind = "post" if kind == "post" else "like" if kind == "like" else "quote"
        told.append(Planted(signal, rng.choice(LINEAGES)))
        day.add(told[-1])
        recent = [one for one in told if one.signal.at > at_ms - DAY_MS]
        own = [one.signal for one in recent if one.lineage in ("adopted", "wild")]
        brands = [one.signal for one in recent if one.lineage in ("brand", "seeded")]

        assert day.counts == {True: len(own), False: len(brands)}
        assert abs(day.weights[True] - sum(WEIGHTS[one.kind] for one in own)) < 1e-9
        assert set(day.actors) == {one.signal.actor for one in recent}
        assert set(day.sides[True]) == {one.actor for one in own}


def test_the_usual_audience_is_the_median_of_one_sample_an_hour() -> None:
    """A busy hour does not count more than a quiet one."""
    usual = UsualAudience()
    before = usual.read()
    for at_ms, actors in ((0, 10), (5, 900), (HOUR_MS, 20), (HOUR_MS + 1, 900), (2 * HOUR_MS, 30)):
        usual.sample(at_ms, actors)

    assert (before, usual.read()) == (0.0, 20.0)
