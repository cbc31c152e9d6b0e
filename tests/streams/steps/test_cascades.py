"""What is told of a cascade follows from its reading, from the rules, and from the cascades that have ended."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import ENDED, ROOT_MISSING, TRUNCATED, CascadeVitals, Infected, Pace
from schemas.rules import HOUR_MS, CascadeRules, Rules
from streams.steps.cascades import NETWORKS_MAX
from tests.streams.steps.cascades.readings import (
    RULES,
    SLOW,
    reading,
    take,
    told,
    topic_cascades,
    vitals_of,
    with_history,
)
from tests.streams.steps.logs import MINUTE_MS, START_MS

# --- what is told of one ----------------------------------------------------------------------------------------------


def test_vitals_say_what_the_reading_says() -> None:
    """Whose it is, when, and how large; a tick is the instant behind the last millisecond that it covers."""
    assert vitals_of() == CascadeVitals(
        at=START_MS + HOUR_MS,
        root="r",
        brand="cern",
        topic="higgs",
        network="n",
        size=40,
        depth=3,
        breadth=20,
        structural_virality=2.5,
        infectiousness=None,
        low=None,
        high=None,
        forecast=None,
        forecast_low=None,
        forecast_high=None,
        reproduction=None,
        edge="observed",
        began_at=START_MS,
        shares=30,
    )


def test_below_two_posts_and_shares_nothing_is_told() -> None:
    """A single post is no cascade; its end is remembered, its reading is not."""
    cascades = topic_cascades()
    for size in (0, 1):
        assert cascades.take(told(reading(size=size, nodes=1, virality=None, flags=ENDED, shares=0)), RULES) is None
    assert cascades.largest(since_ms=0) == ()
    assert [key for key, _ in cascades.changed_rows()] == ["h|-1|n"]


@given(
    st.floats(1e-6, 0.0099),
    st.floats(0.1, 1.0),
    st.floats(1.0, 1.009),
    st.floats(0.0, 1e5),
    st.integers(1, 10_000),
)
def test_forecast_and_reproduction_are_those_of_the_formula(
    value: float, low: float, high: float, direct: float, shares: int
) -> None:
    """R + direct/(1 − p·n*), also at both ends of the interval, where `direct` is as much smaller or larger as p is."""
    infected = Infected(value, value * low, value * high, direct, 0.0)
    vitals = vitals_of(infected=infected, shares=shares)

    def final(p: float) -> float:
        return shares + direct * (p / value) / (1 - 100 * p)

    told_numbers = (vitals.infectiousness, vitals.low, vitals.high, vitals.reproduction)
    assert told_numbers == pytest.approx((value, value * low, value * high, 100 * value), rel=1e-7, abs=0.0)
    forecasts = (vitals.forecast, vitals.forecast_low, vitals.forecast_high)
    assert forecasts == pytest.approx((final(value), final(value * low), final(value * high)), rel=1e-7, abs=0.0)


def test_a_forecast_by_hand() -> None:
    """30 shares and 10 to come directly, each bringing half a share: 30 + 10/0.5; at the ends 5/0.75, none."""
    vitals = vitals_of(infected=Infected(0.005, 0.0025, 0.02, 10.0, 0.0))
    assert (vitals.forecast, vitals.reproduction) == (50.0, 0.5)
    assert vitals.forecast_low == pytest.approx(30 + 5 / 0.75)
    assert vitals.forecast_high is None


def test_a_supercritical_cascade_has_no_forecast() -> None:
    """Each share brings one or more, so there is no end to tell; the lower end may have one."""
    vitals = vitals_of(infected=Infected(0.01, 0.005, 0.02, 10.0, 0.0))
    assert (vitals.reproduction, vitals.forecast, vitals.forecast_low, vitals.forecast_high) == (1.0, None, 40.0, None)


def test_the_rules_say_how_many_follow_a_share() -> None:
    """With 50 followers a share the same infectiousness brings half as many."""
    rules = Rules(cascade=CascadeRules(followers_per_share=50.0))
    vitals = vitals_of(rules=rules, infected=Infected(0.01, 0.01, 0.01, 10.0, 0.0))
    assert (vitals.reproduction, vitals.forecast) == (0.5, 50.0)


def test_where_nobody_is_infected_any_more_the_shares_are_the_forecast() -> None:
    """No share lately: there will be no others."""
    vitals = vitals_of(infected=Infected(0.0, 0.0, 0.0, 0.0, 0.0))
    assert (vitals.forecast, vitals.forecast_low, vitals.forecast_high, vitals.reproduction) == (30.0, 30.0, 30.0, 0.0)


IMPUTED, GUESSED = "followers_imputed", "followers_guessed"


@pytest.mark.parametrize(
    ("ratio", "forecast", "flags"),
    [
        (0.0, 50.0, ()),
        (0.25, 50.0, (IMPUTED,)),
        (0.5, 50.0, (IMPUTED,)),
        (0.51, None, (IMPUTED, GUESSED)),
        (1.0, None, (IMPUTED, GUESSED)),
    ],
)
def test_where_most_followers_were_guessed_no_size_is_forecast(
    ratio: float, forecast: float | None, flags: tuple[str, ...]
) -> None:
    """Infectiousness and reproduction are told all the same, with a flag as soon as any were guessed."""
    vitals = vitals_of(infected=Infected(0.005, 0.005, 0.005, 10.0, ratio))
    assert (vitals.forecast, vitals.forecast_low, vitals.forecast_high) == (forecast,) * 3
    assert (vitals.infectiousness, vitals.reproduction) == (0.005, 0.5)
    assert vitals.flags == flags


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (0, ()),
        (TRUNCATED, ("truncated",)),
        (ROOT_MISSING, ("root_missing",)),
        (ENDED, ("ended",)),
        (TRUNCATED | ROOT_MISSING | ENDED, ("truncated", "root_missing", "ended")),
    ],
)
def test_flags_are_told_by_name(flags: int, names: tuple[str, ...]) -> None:
    """What was guessed comes behind what the reading says."""
    assert vitals_of(flags=flags).flags == names
    infected = Infected(0.005, 0.005, 0.005, 10.0, 0.1)
    assert vitals_of(flags=flags, infected=infected).flags == (*names, "followers_imputed")


@pytest.mark.parametrize(("edge", "name"), [(0, "observed"), (1, "inferred"), (2, "star")])
def test_the_least_sure_edge_is_told_by_name(edge: int, name: str) -> None:
    """An index on its way, a word where people read it."""
    assert vitals_of(edge=edge).edge == name


def test_overperforming_is_handed_on() -> None:
    """The author's other roots are known elsewhere."""
    assert vitals_of(-2.25).overperforming == -2.25
    assert vitals_of().overperforming is None


def test_numbers_are_told_to_nine_digits() -> None:
    """More than anybody needs, fewer than two machines could differ in."""
    vitals = vitals_of(1 / 3, virality=2 / 3, infected=Infected(1 / 700, 1 / 900, 1 / 600, 1 / 7, 0.0))
    assert (vitals.structural_virality, vitals.overperforming) == (0.666666667, 0.333333333)
    assert (vitals.infectiousness, vitals.low, vitals.high) == (0.00142857143, 0.00111111111, 0.00166666667)


# --- how fast it grows ------------------------------------------------------------------------------------------------


def test_pace_is_told_in_nodes_an_hour() -> None:
    """120 in the last quarter of an hour after 60 in the one before, 45 in the busiest five minutes."""
    pace = Pace(recent=120, before=60, span_ms=15 * MINUTE_MS, unit_ms=5 * MINUTE_MS, peak=45, peak_at_ms=START_MS)
    vitals = vitals_of(pace=pace)
    assert (vitals.velocity, vitals.peak_velocity, vitals.peak_at) == (480.0, 540.0, START_MS)
    # From 240 to 480 an hour within a quarter of an hour.
    assert vitals.acceleration == 960.0
    # Twice as many each quarter of an hour; half a node is added to both counts.
    assert vitals.doubling_time_s == pytest.approx(905.5, abs=0.5)


@pytest.mark.parametrize(("before", "recent"), [(100, 100), (100, 50), (100, 110), (0, 29), (10, 12)])
def test_where_growth_may_be_chance_no_doubling_time_is_told(before: int, recent: int) -> None:
    """A cascade that shrinks has none; few nodes say nothing."""
    pace = Pace(recent=recent, before=before, span_ms=HOUR_MS, unit_ms=5 * MINUTE_MS, peak=30, peak_at_ms=START_MS)
    vitals = vitals_of(pace=pace)
    assert vitals.doubling_time_s is None
    assert (vitals.velocity, vitals.acceleration) == (recent, recent - before)


def test_in_a_season_an_hour_is_an_hour() -> None:
    """Spans are as long as they are: 60 nodes of a scaled hour, which lasts a minute, are 3,600 an hour."""
    pace = Pace(recent=60, before=60, span_ms=MINUTE_MS, unit_ms=5_000, peak=10, peak_at_ms=START_MS)
    vitals = vitals_of(pace=pace)
    assert (vitals.velocity, vitals.acceleration, vitals.peak_velocity) == (3_600.0, 0.0, 7_200.0)


# --- how unusual it is ------------------------------------------------------------------------------------------------

# Whole numbers below 64, and eighths below 8, lie in buckets of their own, so that ranks are exact.
ended_one = st.tuples(
    st.integers(1, 63) | st.integers(16, 31),
    st.integers(8, 63).map(lambda eighths: eighths / 8),
    st.sampled_from((True, True, False)),
)
ended_ones = st.lists(ended_one, max_size=40) | st.lists(ended_one, min_size=60, max_size=90)


def rank(values: Sequence[float], value: float) -> float | None:
    """Return what part of the values is smaller, half of its equals with it; None below 20 values."""
    if len(values) < 20:
        return None
    return (sum(known < value for known in values) + sum(known == value for known in values) / 2) / len(values)


def same(told_rank: float | None, expected: float | None) -> bool:
    """Say whether two percentiles are the same to the digits that are told."""
    return told_rank is None if expected is None else told_rank == pytest.approx(expected, rel=1e-8)


@given(ended_ones, st.integers(2, 63), st.integers(8, 63), st.integers(0, 63))
def test_percentiles_are_ranks_among_what_has_ended(
    drawn: list[tuple[int, float, bool]], size: int, eighths: int, to_come: int
) -> None:
    """Shapes among those of 16 to 31, 32 to 63, …, from ten on; the size that it will come to among all."""
    cascades = topic_cascades()
    for number, (ended_size, virality, is_ended) in enumerate(drawn):
        made = reading(
            root=f"e{number}", size=ended_size, virality=virality, flags=ENDED if is_ended else 0, at=START_MS + number
        )
        cascades.take(told(made), RULES)
    # A tenth of a share per share, so that the forecast is what was shared and `to_come`.
    infected = Infected(0.001, 0.001, 0.001, 0.9 * to_come, 0.0)
    vitals = take(cascades, size=size, virality=eighths / 8, infected=infected, shares=size // 2)

    ended = [(known, virality) for known, virality, is_ended in drawn if is_ended]
    alike = [virality for known, virality in ended if known >= 10 and known.bit_length() == size.bit_length()]
    assert same(vitals.virality_percentile, rank(alike, eighths / 8) if size >= 10 else None)
    assert same(vitals.forecast_percentile, rank([known for known, _ in ended], size + to_come))


def test_a_cascade_is_not_compared_with_itself() -> None:
    """The twentieth that ends is told nothing of the nineteen before it; the next one is."""
    cascades = with_history(count=19)
    assert take(cascades, root="e19", flags=ENDED, infected=SLOW).virality_percentile is None
    assert take(cascades, infected=SLOW).virality_percentile == 0.5
    assert take(cascades, infected=SLOW).forecast_percentile == 1.0


@pytest.mark.parametrize(("size", "percentile"), [(9, None), (10, 0.5), (15, 0.5), (16, None)])
def test_shapes_are_compared_from_ten_on_with_those_of_their_size(size: int, percentile: float | None) -> None:
    """Of fewer than ten neither is one compared nor are others compared with it; 16 is in the next bin."""
    assert take(with_history(size=size), size=12).virality_percentile == percentile
    assert take(with_history(size=12), size=size).virality_percentile == percentile


def test_networks_are_compared_with_themselves() -> None:
    """What is large on one is small on another."""
    vitals = take(with_history("m"), infected=SLOW)
    assert (vitals.virality_percentile, vitals.forecast_percentile) == (None, None)


def test_without_a_shape_or_a_forecast_there_is_nothing_to_compare() -> None:
    """One is told without the other."""
    cascades = with_history()
    shapeless = take(cascades, virality=None, infected=SLOW)
    assert (shapeless.virality_percentile, shapeless.forecast_percentile) == (None, 1.0)
    endless = take(cascades, infected=Infected(0.02, 0.01, 0.03, 10.0, 0.0))
    assert (endless.virality_percentile, endless.forecast_percentile) == (0.5, None)


def test_what_comes_from_a_network_beyond_the_last_is_compared_with_nothing() -> None:
    """A network is named by whoever sends a signal, so how many are remembered is bounded; all is told but ranks."""
    cascades = topic_cascades()
    for network in range(NETWORKS_MAX + 1):
        for number in range(20):
            take(cascades, root=f"e{network}-{number}", network=f"n{network}", flags=ENDED)
    assert take(cascades, network=f"n{NETWORKS_MAX - 1}", infected=SLOW).virality_percentile == 0.5
    beyond = take(cascades, network=f"n{NETWORKS_MAX}", infected=SLOW)
    assert (beyond.virality_percentile, beyond.forecast_percentile, beyond.forecast) == (None, None, 50.0)
    histories = [key for key, _ in cascades.changed_rows() if key.startswith("h|-1|")]
    assert len(histories) == NETWORKS_MAX
