"""Tell a burst: an alert whose evidence is the hour's, with one sentence for a person who looks after a community."""

import msgspec

from schemas.alert import Alert, Condition, Status
from schemas.lifecycle_rows import EpisodeRow
from streams.lifecycle.alerts import compose_alert
from streams.lifecycle.burst_conditions import HOUR, is_unread
from streams.lifecycle.conditions import Reading, on_topic, rounded, satisfied
from streams.lifecycle.state_words import place_of
from streams.lifecycle.wording import decimal, duration, moment
from streams.measures.baseline import BaselineReading, Level

BUSY_SHARE = 0.25
"""From this share of the hour's signals on the busiest account is worth a word."""

EACH = 3.5
"""So many signals an account within an hour are worth a word: a crowd says one thing each, a few who push say more."""

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
    parts = [_volume(reading, baseline), *(() if status == "resolved" else (_makers(reading), place_of(reading)))]
    return f"{opening}: {'; '.join(part for part in parts if part)}."


def _volume(reading: Reading, baseline: BaselineReading) -> str:
    hour = reading.windows[HOUR]
    usual = USUAL[baseline.level].format(expected=baseline.expected)
    who = f"{_many(on_topic(hour), 'signal')} by {_many(hour.actors, 'account')}"
    if hour.actors and on_topic(hour) >= EACH * hour.actors:
        who += f" ({decimal(on_topic(hour) / hour.actors)} each)"
    return f"{who} within {duration(reading.hour_ms)}, {usual}"


def _makers(reading: Reading) -> str:
    """Say whether people or the brand started most of the hour's talk, and whether one account stands out."""
    hour = reading.windows[HOUR]
    total, own = on_topic(hour), hour.by_lineage.get("adopted", 0)
    parts = []
    if total > 0:
        count, who = (own, "people started themselves") if 2 * own >= total else (total - own, "the brand started")
        parts.append(f"{'all' if count == total else f'{count:,}'} of them are in conversations that {who}")
    if hour.top_actor_share >= BUSY_SHARE:
        parts.append(f"one account alone made {100 * hour.top_actor_share:.0f} % of all")
    return " and ".join(parts)


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
