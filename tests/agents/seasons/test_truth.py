"""The truth of a season is what the plan says and what was planted, never what a detector finds."""

import pytest

from agents.seasons import TruthKeeper, grow_planted, load_season
from agents.seasons.scribe import Lineage, Planted
from agents.seasons.season import Season
from agents.seasons.truth import OUTGROWN_ACTORS_MIN
from schemas.rules import DAY_MS, HOUR_MS
from schemas.signal import Signal
from tests.agents.seasons.small_season import small_season

SEASON = small_season(old="hours: 2, state: growing", new="hours: 200, state: growing")
START_MS = SEASON.start_ms


class Planter:
    """Plants signals by hand, each by somebody new, and keeps the truth about them."""

    def __init__(self) -> None:
        self.keeper = TruthKeeper(SEASON)
        self._count = 0

    def plant(self, lineage: Lineage | None, *, count: int = 1, after_ms: int = 0, actor: str = "") -> None:
        """Plant signals of one instant."""
        for _ in range(count):
            self._count += 1
            who = actor or f"p{self._count}"
            signal = Signal(f"s{self._count:05d}", "garden", "post", START_MS + after_ms, who)
            self.keeper.observe(Planted(signal, lineage))

    def states(self) -> list[tuple[int, str]]:
        """Return the states with the milliseconds after the start."""
        return [(state.at - START_MS, state.state) for state in self.keeper.states]


def test_a_topic_is_seeded_by_the_brands_first_post() -> None:
    """What the community said before is no seeding."""
    planter = Planter()
    planter.plant("adopted", after_ms=5)
    planter.plant(None, after_ms=6)
    planter.plant("brand", after_ms=7)

    assert planter.states() == [(7, "seeded")]


def test_a_phase_begins_when_the_plan_says_so() -> None:
    """Not when the first signal of it happens to come."""
    planter = Planter()
    planter.plant("brand")
    planter.plant("seeded", after_ms=3 * HOUR_MS)

    assert planter.states() == [(0, "seeded"), (2 * HOUR_MS, "growing")]


def test_the_community_has_outgrown_the_brand_at_twice_its_signals() -> None:
    """150 of the brand's talk and 300 of the community's: the signal that makes it twice decides."""
    planter = Planter()
    planter.plant("brand")
    planter.plant("seeded", count=149)
    planter.plant("adopted", count=299, after_ms=10)
    before = planter.states()
    planter.plant("adopted", after_ms=20)

    assert before == [(0, "seeded")]
    assert planter.states() == [(0, "seeded"), (20, "outgrown")]
    assert (planter.keeper.states[-1].endogenous, planter.keeper.states[-1].seeded) == (300, 150)


def test_a_few_busy_people_are_no_community() -> None:
    """One actor's thousand posts count as signals, but there must be many people too."""
    planter = Planter()
    planter.plant("brand")
    planter.plant("adopted", count=1_000, after_ms=10, actor="busy")
    before = planter.states()
    planter.plant("adopted", count=OUTGROWN_ACTORS_MIN - 2, after_ms=20)

    assert before == [(0, "seeded")]
    assert planter.states() == [(0, "seeded"), (20, "outgrown")]


def test_it_is_over_below_one_point_three_times_the_brands_and_not_before() -> None:
    """390 to 300 is 1.3 still; one more of the brand's is less, and the phase's state holds again."""
    planter = Planter()
    planter.plant("brand", after_ms=3 * HOUR_MS)
    planter.plant("adopted", count=390, after_ms=3 * HOUR_MS + 10)
    planter.plant("seeded", count=299, after_ms=3 * HOUR_MS + 20)
    before = planter.states()
    planter.plant("seeded", after_ms=3 * HOUR_MS + 30)

    assert before == [(3 * HOUR_MS, "growing"), (3 * HOUR_MS + 10, "outgrown")]
    assert planter.states() == [*before, (3 * HOUR_MS + 30, "growing")]


def test_signals_count_for_a_day() -> None:
    """What is exactly a day old has left the window (t - 24 h, t]."""
    planter = Planter()
    planter.plant("brand")
    planter.plant("seeded", count=399)
    planter.plant("adopted", count=300, after_ms=DAY_MS - 1)
    before = planter.states()
    planter.plant("adopted", after_ms=DAY_MS)

    assert "outgrown" not in dict(before).values()
    assert planter.states()[-1] == (DAY_MS, "outgrown")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_garden_is_seeded_grows_is_outgrown_and_comes_back(seed: int) -> None:
    """The season that comes along has its whole story whatever the seed, with room for a detector to follow it."""
    season: Season = load_season()
    keeper = TruthKeeper(season)
    for planted in grow_planted(season, seed):
        keeper.observe(planted)
    states = {state.state: state for state in keeper.states}
    hours = [(state.at - season.start_ms) / HOUR_MS for state in keeper.states]

    assert [state.state for state in keeper.states] == ["seeded", "growing", "outgrown", "growing"]
    assert {(state.brand, state.topic) for state in keeper.states} == {("meadow", "wildflowers")}
    assert hours[0] == 0
    assert hours[1] == 54
    assert 55 <= hours[2] <= 62
    # Eight hours and more of it, and seven hours and more after it.
    assert hours[3] - hours[2] > 8
    assert 96 - hours[3] > 7
    assert states["outgrown"].endogenous >= 2 * states["outgrown"].seeded
