"""Say in one sentence that a cascade goes viral, heads for another size, or has run its course."""

from schemas.alert import Condition, Status
from schemas.cascade import CascadeVitals
from schemas.lifecycle_rows import EpisodeRow
from streams.lifecycle.conditions import rounded
from streams.lifecycle.wording import ROOT_CHARACTERS_SAID, duration, moment, shortened

# Why an episode ended, by the condition that decided. A cascade that spreads is news, not an incident: these sentences
# praise and blame nobody.
ENDINGS: dict[str, str] = {
    "reproduction": "has run its course after {age}",
    "cascade_age_s": "is too old to be watched any longer, after {age}",
    "cascade_ended": "has come to rest after {age}",
}


def viral_summary_of(
    name: str,
    *,
    episode: EpisodeRow,
    status: Status,
    at_ms: int,
    vitals: CascadeVitals,
    conditions: tuple[Condition, ...],
    told_forecast: float | None = None,
    surge_ms: int | None = None,
) -> str:
    """Say what happens to one cascade of the topic `name`, where it is, how large it is and what it will become.

    `told_forecast` is what was said of its end before, needed for `updated`. `conditions` are those of the alert.
    `surge_ms` is since when a burst is told that is mostly this cascade.
    """
    since, age = moment(episode.since_ms), duration(at_ms - episode.since_ms)
    size = f"{vitals.size:,} posts and shares, {vitals.depth:,} deep"
    root = shortened(vitals.root, characters_max=ROOT_CHARACTERS_SAID)
    held = {one.name: one for one in conditions if one.holds}
    if status == "firing":
        opening = f"A post on {name} has been going viral since {since}"
        end = [_end(vitals, conditions, is_large="forecast_percentile" in held)]
    elif status == "updated":
        opening = f"A post on {name} {_turn(vitals, conditions, told=told_forecast)}, {age} on (viral since {since})"
        end = [_interval(vitals, "the end lies between {low} and {high} shares", "it will be {low} shares or more")]
    else:
        # The last one that holds: an end is surer than an age, an age surer than a pace.
        reason = next((one for one in reversed(ENDINGS) if one in held), "reproduction")
        opening = f"A post on {name} {ENDINGS[reason].format(age=age)} (viral since {since})"
        end = []
    cause = f"it is most of the surge since {moment(surge_ms)}, which has an alert of its own" if surge_ms else ""
    parts = [f"{root} with {size}", _pace(conditions), *end, cause]
    return f"{opening}: {'; '.join(part for part in parts if part)}."


def is_supercritical(conditions: tuple[Condition, ...]) -> bool:
    """Say whether each share brings one or more, so that no end is in sight."""
    found = _reproduction(conditions)
    return found.value is not None and found.value >= 1


def about(number: float, *, least: int = 0) -> str:
    """Return a number to two digits; to all of its whole ones where it would be said to be less than `least`.

    >>> about(8760.97), about(12.4), about(8_849.7, least=8_849)
    ('8,800', '12', '8,850')
    """
    coarse = round(number, 2 - len(str(round(number)))) if number >= 100 else number
    return f"{number if round(coarse) < least else coarse:,.0f}"


def _reproduction(conditions: tuple[Condition, ...]) -> Condition:
    return next(one for one in conditions if one.name == "reproduction")


def _pace(conditions: tuple[Condition, ...]) -> str:
    found = _reproduction(conditions)
    if found.value is None:
        return ""
    interval = "" if found.low is None or found.high is None else f" ({found.low:.1f} to {found.high:.1f})"
    return f"each share brings {found.value:.1f} more{interval}"


def _end(vitals: CascadeVitals, conditions: tuple[Condition, ...], *, is_large: bool) -> str:
    if vitals.forecast is None:
        return "no end in sight" if is_supercritical(conditions) else ""
    end = f"about {about(vitals.forecast, least=vitals.shares)} shares in the end"
    end += _interval(vitals, " ({low} to {high})", " ({low} or more)")
    percentile = vitals.forecast_percentile
    if not is_large or percentile is None:
        return end
    if percentile >= 1:
        return f"{end}, more than any conversation here grew to"
    return f"{end}, more than {int(rounded(100 * percentile) or 0)} of 100 conversations here grew to"


def _interval(vitals: CascadeVitals, closed: str, open_: str) -> str:
    """Return the interval of the forecast in the words given, for one that is bounded and one that is not."""
    if vitals.forecast is None or vitals.forecast_low is None:
        return ""
    low = about(vitals.forecast_low, least=vitals.shares)
    if vitals.forecast_high is None:
        return open_.format(low=low)
    return closed.format(low=low, high=about(vitals.forecast_high, least=vitals.shares))


def _turn(vitals: CascadeVitals, conditions: tuple[Condition, ...], *, told: float | None) -> str:
    """Return what is expected now, and what was expected before."""
    now, shares = vitals.forecast, vitals.shares
    if now is None:
        turn = "has no end in sight" if is_supercritical(conditions) else "can no longer be forecast"
        return turn if told is None else f"{turn}, where about {about(told)} shares were expected"
    if told is None:
        return f"is heading for about {about(now, least=shares)} shares, where no end was in sight"
    new, old = about(now, least=shares), about(told)
    if new == old:
        new, old = f"{now:,.0f}", f"{told:,.0f}"
    return f"is now heading for about {new} shares, where about {old} were expected before"
