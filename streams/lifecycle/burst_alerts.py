"""Tell a burst: an alert whose evidence is the hour's, with one sentence for a person who looks after a community."""

import msgspec

from schemas.alert import Alert, Condition, Status
from schemas.lifecycle_rows import EpisodeRow
from streams.lifecycle.alerts import compose_alert
from streams.lifecycle.burst_conditions import HOUR, is_unread
from streams.lifecycle.conditions import Reading, on_topic, rounded, satisfied
from streams.lifecycle.wording import ROOT_CHARACTERS_SAID, duration, moment, shortened
from streams.measures.baseline import BaselineReading, Level

BUSY_SHARE = 0.25
"""From this share of the hour's signals on the busiest account is worth a word."""

PHRASES: dict[str, str] = {
    "firing": "Talk about {name} has surged since {since}",
    "updated": "Talk about {name} is still far above the usual, {age} on (since {since})",
    "resolved": "Talk about {name} is back to the usual after {age} (since {since})",
}
# The same where nobody can say yet what is usual.
PHRASES_COLD: dict[str, str] = {
    "firing": "There is much talk about {name} since {since}",
    "updated": "There is still much talk about {name}, {age} on (since {since})",
    "resolved": "Talk about {name} has calmed down after {age} (since {since})",
}
RISING = "Talk about {name} is surging more strongly, {age} on (since {since})"
RECEDING = "Talk about {name} is calming down, {age} on (since {since})"

USUAL: dict[Level, str] = {
    "hour_of_day": "where about {expected:,.0f} would be usual at this time of day",
    "hour_of_week": "where about {expected:,.0f} would be usual at this time of the week",
    "learning": "in a topic that is too young to say what is usual",
}


def build_burst_alert(
    *,
    brand: str,
    topic: str,
    episode: EpisodeRow,
    status: Status,
    severity: int,
    reading: Reading,
    baseline: BaselineReading,
    conditions: tuple[Condition, ...],
    rules_hash: str,
    rising: bool = False,
) -> Alert:
    """Tell the present revision of a burst, as read at a tick.

    `conditions` are those that lead into it, for `resolved` those that lead out. The evidence is about the hour: the
    baseline it names is the one of hourly signals, not that of the audience which the states are judged by. `rising`
    says that an update is told because of its severity.
    """
    return compose_alert(
        brand=brand,
        topic=topic,
        episode=episode,
        status=status,
        severity=severity,
        reading=_of_the_hour(reading, baseline),
        conditions=conditions,
        rules_hash=rules_hash,
        summary=burst_summary(
            f"{brand}/{topic}",
            episode=episode,
            status=status,
            reading=reading,
            baseline=baseline,
            conditions=conditions,
            rising=rising,
        ),
        since_ms=reading.at_ms - reading.hour_ms,
        signals=reading.windows[HOUR].signals,
    )


def _of_the_hour(reading: Reading, baseline: BaselineReading) -> Reading:
    measures = msgspec.structs.replace(
        reading.measures,
        baseline=baseline.level,
        baseline_expected=rounded(baseline.expected),
        baseline_z=rounded(baseline.z),
    )
    return msgspec.structs.replace(reading, measures=measures)


def burst_summary(
    name: str,
    *,
    episode: EpisodeRow,
    status: Status,
    reading: Reading,
    baseline: BaselineReading,
    conditions: tuple[Condition, ...],
    rising: bool = False,
) -> str:
    """Say in one sentence what happened, since when, how much is usual, who made it, and where most of it is."""
    phrase = (PHRASES_COLD if is_unread(baseline) else PHRASES)[status]
    if status == "updated" and rising:
        phrase = RISING
    elif status == "updated" and not satisfied(conditions):
        phrase = RECEDING
    opening = phrase.format(name=name, since=moment(episode.since_ms), age=duration(reading.at_ms - episode.since_ms))
    parts = [_volume(reading, baseline), *(() if status == "resolved" else (_makers(reading), _where(reading)))]
    return f"{opening}: {'; '.join(part for part in parts if part)}."


def _volume(reading: Reading, baseline: BaselineReading) -> str:
    hour = reading.windows[HOUR]
    usual = USUAL[baseline.level].format(expected=baseline.expected)
    who = f"{_many(on_topic(hour), 'signal')} by {_many(hour.actors, 'account')}"
    return f"{who} within {duration(reading.hour_ms)}, {usual}"


def _makers(reading: Reading) -> str:
    """Say how much of the hour people started themselves, and whether one account stands out."""
    hour = reading.windows[HOUR]
    own = hour.by_lineage.get("adopted", 0)
    parts = [f"{own:,} of them are in conversations that people started themselves"] if own else []
    if hour.top_actor_share >= BUSY_SHARE:
        parts.append(f"one account alone made {100 * hour.top_actor_share:.0f} % of all")
    return " and ".join(parts)


def _where(reading: Reading) -> str:
    if not reading.cascades:
        return ""
    largest = min(reading.cascades, key=lambda cascade: (-cascade.size, -cascade.depth, cascade.root))
    root = shortened(largest.root, characters_max=ROOT_CHARACTERS_SAID)
    return f"the largest cascade of the day is {root} with {largest.size:,} posts and shares, {largest.depth:,} deep"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
