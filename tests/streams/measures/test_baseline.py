"""What an hour usually brings: learnt by slots, shrunk where there is little, and never from what fires."""

import csv
from math import sqrt
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.measure_rows import BaselineRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures.baseline import Baseline, BaselineReading, anscombe_residual

WEEK = 168


def read(baseline: Baseline, hour: int, count: int) -> BaselineReading:
    """Read with the default rules."""
    return baseline.read(hour=hour, count=count, learning_hours=24, weekly_after_hours=WEEK)


def learnt(counts: list[int]) -> Baseline:
    """Return a baseline that has observed these counts hour by hour."""
    baseline = Baseline()
    for hour, count in enumerate(counts):
        baseline.observe(hour=hour, count=count)
    return baseline


@pytest.mark.parametrize(("usual", "count", "r"), [(4, 12, 2.85), (20, 40, 3.68), (100, 150, 4.49)])
def test_residual_has_the_published_values(usual: int, count: int, r: float) -> None:
    """The golden numbers of MEASURES §3, alone and through a baseline that never saw anything else."""
    reading = read(learnt([usual] * 48), 48, count)

    assert anscombe_residual(count, float(usual)) == pytest.approx(r, abs=5e-3)
    assert reading.expected == usual
    assert reading.z == pytest.approx(r, abs=5e-3)


def test_young_baseline_is_learning_then_daily_then_weekly() -> None:
    """A day until it says anything, a week until it tells Mondays from Sundays; ages are rules."""
    levels = [read(learnt([5] * hours), hours, 5).level for hours in (0, 1, 23, 24, 167, 168, 500)]

    assert levels == ["learning"] * 3 + ["hour_of_day"] * 2 + ["hour_of_week"] * 2
    assert read(Baseline(), 7, 5) == ("learning", None, None)
    assert learnt([5] * 10).read(hour=10, count=5, learning_hours=10, weekly_after_hours=10).level == "hour_of_week"


class BruteForce:
    """Computes everything anew from the whole history, with numpy's medians."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.residuals: dict[int, float] = {}

    def model(self, hour: int) -> tuple[float, float, float] | None:
        """Return what is expected by hour of day, by hour of week, and how far residuals scatter."""
        history = {h: n for h, n in self.counts.items() if hour - 6 * WEEK <= h < hour}
        if not history:
            return None
        by_day = [n for h, n in history.items() if h >= hour - 14 * 24 and h % 24 == hour % 24]
        by_week = [n for h, n in history.items() if h % WEEK == hour % WEEK]
        all_median = float(np.median(list(history.values())))
        m_day = float(np.median(by_day)) if by_day else 0.0
        daily = (len(by_day) * m_day + 3 * all_median) / (len(by_day) + 3)
        m_week = float(np.median(by_week)) if by_week else 0.0
        weekly = (len(by_week) * m_week + 2 * daily) / (len(by_week) + 2)
        r = np.array([r for h, r in self.residuals.items() if hour - 14 * 24 <= h < hour])
        mad = float(np.median(np.abs(r - np.median(r)))) if r.size else 0.0
        return daily, weekly, max(1.0, 1.4826 * mad)

    def upward(self, hour: int) -> float:
        """Return how far residuals scatter above their median, or on either side if that is further."""
        model = self.model(hour)
        r = np.array([r for h, r in self.residuals.items() if hour - 14 * 24 <= h < hour])
        up = float(np.quantile(r, 0.8413) - np.median(r)) if r.size else 0.0
        return max(model[2] if model else 1.0, up)

    def observe(self, hour: int, count: int, firing: bool) -> None:
        """Learn a count, of a firing hour only what lies three standard deviations up."""
        model = self.model(hour)
        if model is not None:
            _, weekly, sigma = model
            if firing and len([h for h in self.counts if h >= hour - 6 * WEEK]) >= 24:
                while anscombe_residual(count, weekly) > 3 * sigma + 1e-12:
                    count -= 1
            self.residuals[hour] = 2 * (sqrt(count + 3 / 8) - sqrt(weekly + 3 / 8))
        self.counts[hour] = count


steps = st.tuples(
    st.sampled_from([1, 1, 1, 1, 1, 2, 5, 24, 150, 400, 1_100]), st.integers(0, 60), st.sampled_from([True, False])
)


@given(st.lists(steps, min_size=20, max_size=120))
def test_reading_equals_a_computation_over_the_whole_history(run: list[tuple[int, int, bool]]) -> None:
    """Forgetting, caching and rounding must not show; hours that were skipped are missing, not zero."""
    baseline, brute, hour = Baseline(), BruteForce(), -1
    for gap, count, firing in run:
        hour += gap
        baseline.observe(hour=hour, count=count, firing=firing)
        brute.observe(hour, count, firing)
        model = brute.model(hour + 1)
        reading = baseline.read(hour=hour + 1, count=33, learning_hours=0, weekly_after_hours=0)
        daily = baseline.read(hour=hour + 1, count=33, learning_hours=0, weekly_after_hours=10**9)

        assert model is not None
        assert daily.expected == pytest.approx(model[0], rel=1e-9)
        assert reading.expected == pytest.approx(model[1], rel=1e-9)
        assert reading.z == pytest.approx(anscombe_residual(33, model[1]) / model[2], rel=1e-4, abs=1e-4)


@given(st.lists(steps, min_size=5, max_size=40), st.integers(0, 59))
def test_reading_within_an_hour_mixes_the_two_hours_that_it_lies_in(
    run: list[tuple[int, int, bool]], minute: int
) -> None:
    """Expectation and upward scatter are those of both hours by their parts, also right after one was learnt."""
    baseline, brute, hour = Baseline(), BruteForce(), -1
    for gap, count, firing in run:
        hour += gap
        baseline.observe(hour=hour, count=count, firing=firing)
        brute.observe(hour, count, firing)
        # What a row would not remember must not be known either.
        brute.counts = {h: n for h, n in brute.counts.items() if h > hour - 6 * WEEK}
        brute.residuals = {h: r for h, r in brute.residuals.items() if h > hour - 14 * 24}
    reading = baseline.read_at(at_ms=60 * hour + minute, hour_ms=60, count=33, learning_hours=0, weekly_after_hours=0)
    ended, running = brute.model(hour), brute.model(hour + 1)
    ended_up, running_up = brute.upward(hour), brute.upward(hour + 1)
    if minute == 0:
        running, running_up = ended, ended_up
    elif ended is None:
        ended, ended_up = running, running_up
    if ended is None or running is None:
        assert reading.level == "learning"
        return
    part = minute / 60
    expected = (1 - part) * ended[1] + part * running[1]
    upward = (1 - part) * ended_up + part * running_up

    assert reading.expected == pytest.approx(expected, rel=1e-9)
    assert reading.z == pytest.approx(anscombe_residual(33, expected) / upward, rel=1e-4, abs=1e-4)


def test_reading_moves_from_hour_to_hour_without_a_step() -> None:
    """Where 8 are usual in one hour and 80 in the next, a quarter past expects 26 and the full hour no jump."""
    baseline = learnt([80 if hour % 24 == 13 else 8 for hour in range(14 * 24 + 13)])
    ages = {"learning_hours": 24, "weekly_after_hours": 10_000}
    noon_ms, hour_ms = (14 * 24 + 12) * 3_600_000, 3_600_000
    # (14·80 + 3·8)/17 = 67.29 is expected of the hour that ends at 13:00, and 8 of the one before.
    by_quarter = [
        baseline.read_at(at_ms=noon_ms + q * hour_ms // 4, hour_ms=hour_ms, count=8, **ages).expected
        for q in (0, 1, 2, 4)
    ]

    assert by_quarter == pytest.approx([8, 8 + 59.29 / 4, 8 + 59.29 / 2, 67.29], abs=0.01)


def test_surges_that_are_usual_count_as_scatter_upward() -> None:
    """One hour in five brings 200 instead of 50: the middle half never moves, but a sixth of all lies that far up."""
    calm = learnt([50] * 300)
    surging = learnt([200 if hour * 7919 % 1009 % 5 == 0 else 50 for hour in range(300)])

    def z_of(baseline: Baseline) -> float:
        found = baseline.read_at(at_ms=300, hour_ms=1, count=200, learning_hours=24, weekly_after_hours=168)
        assert found.z is not None
        return found.z

    # In units of the standard deviation from the median of distances, 200 is 14 of them in both.
    assert z_of(calm) == pytest.approx(14.1, abs=0.1)
    assert read(surging, 300, 200).z == pytest.approx(14.1, rel=0.5)
    assert z_of(surging) < 3
    # Where fewer hours fall short than usual, only the other side scatters: nothing becomes narrower.
    sagging = learnt([10 if hour * 7919 % 1009 % 5 == 0 else 50 for hour in range(300)])
    assert z_of(sagging) == pytest.approx(z_of(calm), rel=0.5)
    assert z_of(sagging) > 5


def test_young_baseline_reads_an_instant_as_learning_too() -> None:
    """Nothing was observed, or not for long enough; after one observed hour there is no earlier one to mix with."""
    ages = {"learning_hours": 0, "weekly_after_hours": 168}
    one = learnt([40])

    assert Baseline().read_at(at_ms=90, hour_ms=60, count=5, **ages) == ("learning", None, None)
    assert one.read_at(at_ms=0, hour_ms=60, count=40, **ages).level == "learning"
    assert one.read_at(at_ms=30, hour_ms=60, count=40, **ages) == ("hour_of_day", 40.0, 0.0)
    assert one.read_at(at_ms=30, hour_ms=60, count=40, learning_hours=24, weekly_after_hours=168).level == "learning"


def test_restored_baseline_reads_every_instant_alike() -> None:
    """What is expected of the hour that ended must not depend on whether it was looked up before it was learnt."""
    baseline = learnt([hour * 7919 % 61 for hour in range(7 * WEEK)])
    ages = {"learning_hours": 24, "weekly_after_hours": WEEK}
    for hour in range(7 * WEEK, 7 * WEEK + 30):
        baseline.read_at(at_ms=60 * hour, hour_ms=60, count=9, **ages)
        baseline.observe(hour=hour, count=hour % 50)
        ((_, row),) = baseline.changed_rows()
        assert row is not None
        twin = Baseline()
        twin.restore([row])
        for minute in (1, 30, 59, 60):
            instant = 60 * hour + minute

            assert twin.read_at(at_ms=instant, hour_ms=60, count=9, **ages) == baseline.read_at(
                at_ms=instant, hour_ms=60, count=9, **ages
            )


def test_daily_rhythm_is_expected_and_its_breach_is_not() -> None:
    """At noon 80 are usual and at midnight 3; 80 at midnight are news."""
    rhythm = [80 if hour % 24 == 12 else 3 for hour in range(20 * 24)]
    baseline, day = learnt(rhythm), 20 * 24
    noon, midnight = read(baseline, day + 12, 80), read(baseline, day, 80)

    assert noon.z is not None
    assert abs(noon.z) < 1.5
    assert midnight.z is not None
    assert midnight.z > 10


def test_weekly_rhythm_is_learnt_after_weeks() -> None:
    """Mondays bring 90 at noon, other days 10: six Mondays outweigh the other days."""
    monday = 12
    counts = [90 if hour % WEEK == monday else 10 for hour in range(6 * WEEK)]
    baseline = learnt(counts)

    # (6·90 + 2·daily)/8, where daily is (14·10 + 3·10)/17 = 10.
    assert read(baseline, 6 * WEEK + monday, 90).expected == 70.0
    assert read(baseline, 6 * WEEK + monday + 24, 10).expected == 10.0


def test_scatter_widens_what_is_usual() -> None:
    """A count that jumps between 0 and 100 by itself makes 100 nothing to speak of."""
    calm, wild = learnt([50] * 100), learnt([100 * (hour * 7 % 5 % 2) for hour in range(100)])
    calm_z, wild_z = read(calm, 100, 100).z, read(wild, 100, 100).z

    assert calm_z is not None
    assert wild_z is not None
    assert wild_z < calm_z / 4


def test_firing_hours_teach_no_more_than_three_standard_deviations() -> None:
    """A burst of a day must not make the next one look usual: with μ = 16 and σ̂ = 1 at most 30 is learnt.

    (√16.375 + 1.5)² − 0.375 = 30.39.
    """
    fired, calm = learnt([16] * 48), learnt([16] * 48)
    for hour in range(48, 72):
        fired.observe(hour=hour, count=5_000, firing=True)
        calm.observe(hour=hour, count=5_000)
    (_, fired_row), (_, calm_row) = fired.changed_rows()[0], calm.changed_rows()[0]

    assert fired_row is not None
    assert calm_row is not None
    assert fired_row.counts[48] == 30
    assert calm_row.counts[48] == 5_000


def test_missing_hours_are_not_zeros() -> None:
    """A source that was away for three days must not lower what is expected."""
    baseline = learnt([40] * 48)
    baseline.observe(hour=120, count=40)

    assert read(baseline, 121, 40).expected == 40.0


def test_long_silence_brings_learning_back() -> None:
    """After six weeks without a word nothing is known any more."""
    baseline = learnt([40] * 48)

    assert read(baseline, 48 + 6 * WEEK, 40).level == "learning"


def test_row_of_six_weeks_fits_and_goes_on() -> None:
    """History is bounded, its row too, and a restored baseline says the same for weeks."""
    baseline = learnt([10**9 + hour * 7919 % 10**6 for hour in range(12 * WEEK)])
    ((key, row),) = baseline.changed_rows()
    packed = msgspec.msgpack.encode(row)
    twin = Baseline()
    twin.restore([msgspec.msgpack.decode(packed, type=BaselineRow)])

    assert key == 0
    assert baseline.changed_rows() == []
    assert len(packed) < ROW_BYTES_MAX / 4
    for hour in range(12 * WEEK, 13 * WEEK):
        baseline.observe(hour=hour, count=hour % 50)
        twin.observe(hour=hour, count=hour % 50)

        assert read(twin, hour + 1, 30) == read(baseline, hour + 1, 30)


def test_hour_is_learnt_once() -> None:
    """An hour that comes twice, or a count below zero, is an error of the caller."""
    baseline = learnt([1, 2])

    with pytest.raises(ValueError, match="expected an hour after 1 and a count >= 0, got 1 and 3"):
        baseline.observe(hour=1, count=3)
    with pytest.raises(ValueError, match="got 2 and -1"):
        baseline.observe(hour=2, count=-1)


@pytest.mark.parametrize("company", ["AAPL", "FB", "GOOG", "KO"])
def test_half_of_real_hours_lie_where_they_should(shared_data: Path, company: str) -> None:
    """z is in standard deviations: the middle half of two months spans ±0.674, as that of a normal variable does."""
    with (shared_data / "nab" / f"{company}.csv").open() as file:
        fives = [int(row["value"]) for row in csv.DictReader(file)]
    hours = [sum(fives[i : i + 12]) for i in range(0, len(fives) - 11, 12)]
    baseline, zs = Baseline(), list[float]()
    for hour, count in enumerate(hours):
        z = read(baseline, hour, count).z
        baseline.observe(hour=hour, count=count, firing=z is not None and z >= 5)
        if z is not None:
            zs.append(z)
    low, high = np.quantile(zs, [0.25, 0.75])

    assert len(zs) > 1_000
    assert high - low == pytest.approx(2 * 0.674, rel=0.2)
