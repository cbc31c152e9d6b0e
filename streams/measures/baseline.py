"""Learn what an hour usually brings, by hour of day and of week, and say how unusual a count is against it."""

from collections.abc import Iterable
from math import floor, sqrt
from statistics import median
from typing import Literal, NamedTuple

from schemas.measure_rows import BaselineRow

DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS
RESIDUAL_HOURS = 14 * DAY_HOURS
HISTORY_HOURS = 6 * WEEK_HOURS

GLOBAL_WEIGHT = 3
"""So many observations is the median of all hours worth, where that of one hour of the day is estimated."""
DAILY_WEIGHT = 2
"""So many observations is the hour of the day worth, where the hour of the week is estimated."""

FIRING_Z_MAX = 3.0
FIRING_HOURS_MIN = DAY_HOURS
"""With less history than this there is nothing yet that a firing hour could be told from."""

MAD_TO_SIGMA = 1.4826
UPPER_SHARE = 0.8413
"""So much of a normal variable lies below one standard deviation above its median: Φ(1)."""
RESIDUAL_UNITS = 1_000_000

Level = Literal["learning", "hour_of_day", "hour_of_week"]


class BaselineReading(NamedTuple):
    """What was expected and how unusual the count is, in standard deviations; None while `level` is learning."""

    level: Level
    expected: float | None
    z: float | None


class _Model(NamedTuple):
    """What history (`hours` observed over `age_hours`) expects of one hour, and how far residuals scatter.

    `sigma` is how far on either side, `upward` how far above, never less.
    """

    hours: int
    age_hours: int
    daily: float
    weekly: float
    sigma: float
    upward: float


def anscombe_residual(count: int, expected: float) -> float:
    """Return r = 2(√(count + 3/8) − √(expected + 3/8)), of variance about 1 if the count is Poisson.

    Source: Anscombe 1948, "The transformation of Poisson, binomial and negative-binomial data".

    >>> round(anscombe_residual(12, 4.0), 2)
    2.85
    """
    return 2 * (sqrt(count + 0.375) - sqrt(expected + 0.375))


class Baseline:
    """The usual course of an hourly count, learnt from what was observed in the last six weeks.

    m_day is the median of this hour of the day over 14 days, m_week that of this hour of the week over six weeks, m_all
    that of all six weeks; k_day and k_week are how many hours stand behind them:

        daily  = (k_day·m_day + 3·m_all)/(k_day + 3)
        weekly = (k_week·m_week + 2·daily)/(k_week + 2)
        z = r/max(1, 1.4826·MAD of the residuals of 14 days)

    where the residual of an observed hour is against what was expected before it. An hour that was not observed is
    missing, not zero. Hours are absolute indexes (event time divided by the length of an hour, which rules can scale);
    for `read_at`, the hour with index h is the one that ends at h times that length.

    >>> baseline = Baseline()
    >>> for hour in range(48):
    ...     baseline.observe(hour=hour, count=20)
    >>> reading = baseline.read(hour=48, count=40, learning_hours=24, weekly_after_hours=168)
    >>> reading.level, reading.expected, round(reading.z, 2)
    ('hour_of_day', 20.0, 3.68)
    """

    def __init__(self) -> None:
        # Both by hour, in the order of time.
        self._counts: dict[int, int] = {}
        self._residuals: dict[int, int] = {}
        self._last = -1
        self._changed = False
        # What is expected of the two hours that were asked for last, until the history changes.
        self._expected: dict[int, _Model] = {}

    @property
    def last(self) -> int:
        """The last hour that was observed, -1 before the first."""
        return self._last

    def observe(self, *, hour: int, count: int, firing: bool = False) -> None:
        """Learn the count of a whole hour; of a `firing` one no more than what lies 3 standard deviations up.

        Raises ValueError for an hour that is not after the last one: an error of the caller.
        """
        if hour <= self._last or count < 0:
            raise ValueError(f"baseline: expected an hour after {self._last} and a count >= 0, got {hour} and {count}")
        model = self._model(hour)
        if model is not None:
            if firing and model.hours >= FIRING_HOURS_MIN:
                count = min(count, _count_at(FIRING_Z_MAX, model))
            # Rounded, so that what a row remembers is all that there is.
            self._residuals[hour] = round(anscombe_residual(count, model.weekly) * RESIDUAL_UNITS)
        self._counts[hour] = count
        self._last = hour
        _forget(self._counts, before=hour + 1 - HISTORY_HOURS)
        _forget(self._residuals, before=hour + 1 - RESIDUAL_HOURS)
        self._expected.clear()
        self._changed = True

    def read(self, *, hour: int, count: int, learning_hours: int, weekly_after_hours: int) -> BaselineReading:
        """Compare a count over the length of an hour with what the hours before `hour` expect of it.

        The age of a baseline is the span of hours observed. Costs O(history) once per hour, then O(1).
        """
        model = self._model(hour)
        if model is None or model.age_hours < learning_hours:
            return BaselineReading("learning", None, None)
        level, expected = _level(model, weekly_after_hours)
        return BaselineReading(level, expected, anscombe_residual(count, expected) / model.sigma)

    def read_at(
        self, *, at_ms: int, hour_ms: int, count: int, learning_hours: int, weekly_after_hours: int
    ) -> BaselineReading:
        """Compare the count of the hour that ends at an instant (epoch ms), whether or not it ends on the hour.

        A part f into an hour, the trailing hour is made of the last 1 − f of the hour that has ended and of f of the
        one that runs, so what is expected, and how far it scatters, is that mixture of the two. z is in units of how
        far counts scatter upward: of the standard deviation, or where the 14 days have more above than below, of the
        distance from the median of their residuals up to the quantile Φ(1). What people say comes in surges, and
        those that are usual for a topic must not count as unusual.

        >>> baseline = Baseline()
        >>> for hour in range(48):
        ...     baseline.observe(hour=hour, count=(20, 40)[hour % 24 == 12])
        >>> ages = {"learning_hours": 24, "weekly_after_hours": 168}
        >>> [baseline.read_at(at_ms=at, hour_ms=60, count=40, **ages).expected for at in (59 * 60, 59 * 60 + 30, 3600)]
        [20.0, 24.0, 28.0]
        """
        hour, part_ms = divmod(at_ms, hour_ms)
        model = self._model(hour)
        if part_ms:
            running = self._model(hour + 1)
            model = running if model is None or running is None else _between(model, running, part_ms / hour_ms)
        if model is None or model.age_hours < learning_hours:
            return BaselineReading("learning", None, None)
        level, expected = _level(model, weekly_after_hours)
        return BaselineReading(level, expected, anscombe_residual(count, expected) / model.upward)

    def _model(self, hour: int) -> _Model | None:
        if hour in self._expected:
            return self._expected[hour]
        known = {h: n for h, n in self._counts.items() if hour - HISTORY_HOURS <= h < hour}
        if not known:
            return None
        if len(self._expected) > 1:
            del self._expected[next(iter(self._expected))]
        model = self._expected[hour] = self._model_from(hour, known)
        return model

    def _model_from(self, hour: int, known: dict[int, int]) -> _Model:
        same_day_hour = [known[h] for h in range(hour - RESIDUAL_HOURS, hour, DAY_HOURS) if h in known]
        same_week_hour = [known[h] for h in range(hour - HISTORY_HOURS, hour, WEEK_HOURS) if h in known]
        daily = _shrunken_median(same_day_hour, towards=median(known.values()), weight=GLOBAL_WEIGHT)
        residuals = sorted(r for h, r in self._residuals.items() if hour - RESIDUAL_HOURS <= h < hour)
        sigma = max(1.0, MAD_TO_SIGMA * _median_absolute_deviation(residuals) / RESIDUAL_UNITS)
        return _Model(
            hours=len(known),
            age_hours=max(known) - min(known) + 1,
            daily=daily,
            weekly=_shrunken_median(same_week_hour, towards=daily, weight=DAILY_WEIGHT),
            sigma=sigma,
            upward=max(sigma, _upper_deviation(residuals) / RESIDUAL_UNITS),
        )

    def changed_rows(self) -> list[tuple[int, BaselineRow | None]]:
        """Return (0, the row) if anything was observed since last time; the row never expires."""
        if not self._changed:
            return []
        self._changed = False
        first = min(self._counts)
        hours = range(first, self._last + 1)
        return [
            (
                0,
                BaselineRow(
                    first=first,
                    counts=tuple(self._counts.get(hour) for hour in hours),
                    residuals=tuple(self._residuals.get(hour) for hour in hours[-RESIDUAL_HOURS:]),
                ),
            )
        ]

    def restore(self, rows: Iterable[BaselineRow]) -> None:
        """Take up the row of an earlier `changed_rows`."""
        for row in rows:
            self._last = row.first + len(row.counts) - 1
            first_residual = self._last + 1 - len(row.residuals)
            self._counts = {row.first + i: n for i, n in enumerate(row.counts) if n is not None}
            self._residuals = {first_residual + i: r for i, r in enumerate(row.residuals) if r is not None}
            self._expected.clear()


def _shrunken_median(values: list[int], *, towards: float, weight: int) -> float:
    """Return the median, drawn `towards` a value worth `weight` observations; that value where there are none."""
    if not values:
        return float(towards)
    return (len(values) * median(values) + weight * towards) / (len(values) + weight)


def _median_absolute_deviation(values: list[int]) -> float:
    if not values:
        return 0.0
    middle = median(values)
    return float(median([abs(value - middle) for value in values]))


def _upper_deviation(ordered: list[int]) -> float:
    """Return how far the quantile `UPPER_SHARE` of values in order lies above their median."""
    if not ordered:
        return 0.0
    whole, part = divmod(UPPER_SHARE * (len(ordered) - 1), 1)
    below, above = ordered[int(whole)], ordered[min(int(whole) + 1, len(ordered) - 1)]
    return below + (above - below) * part - median(ordered)


def _level(model: _Model, weekly_after_hours: int) -> tuple[Level, float]:
    """Return what slots a history of this age is read by, and the count that they expect."""
    if model.age_hours < weekly_after_hours:
        return "hour_of_day", model.daily
    return "hour_of_week", model.weekly


def _between(ended: _Model, running: _Model, part: float) -> _Model:
    """Return what is expected when this part of an hour has run since the one before it ended."""
    return running._replace(
        daily=(1 - part) * ended.daily + part * running.daily,
        weekly=(1 - part) * ended.weekly + part * running.weekly,
        sigma=(1 - part) * ended.sigma + part * running.sigma,
        upward=(1 - part) * ended.upward + part * running.upward,
    )


def _count_at(z: float, model: _Model) -> int:
    """Return the largest count that lies no more than z standard deviations above what is expected."""
    return floor((sqrt(model.weekly + 0.375) + z * model.sigma / 2) ** 2 - 0.375)


def _forget(by_hour: dict[int, int], *, before: int) -> None:
    while by_hour and (first := next(iter(by_hour))) < before:
        del by_hour[first]
