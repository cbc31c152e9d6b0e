"""The sentence that tells a state of a topic to a person who looks after a community."""

import math

from schemas.alert import CascadeEvidence, Condition, Status
from schemas.lifecycle_rows import EpisodeRow
from streams.lifecycle.conditions import DAY, Reading, is_cold, satisfied
from streams.lifecycle.wording import ROOT_CHARACTERS_SAID, duration, moment, multiple, people, percent, shortened

MOST = 0.5
"""From this share of the day on one conversation is most of it."""

# What happened, by status and state; "" stands for any other state. An escape of talk is news, not an incident: these
# sentences praise and blame nobody, and none of them calls for repair.
PHRASES: dict[str, dict[str, str]] = {
    "firing": {
        "growing": "{name} has been growing since {since}",
        "outgrown": "The community has made {name} its own since {since}",
        "": "{name} has been {state} since {since}",
    },
    "updated": {
        "growing": "{name} stays larger than usual, {age} on (since {since})",
        "outgrown": "The community goes on making {name} its own, {age} on (since {since})",
        "": "{name} is still {state}, {age} on (since {since})",
    },
    "resolved": {
        "growing": "{name} has found its level after growing for {age} (since {since})",
        "outgrown": "The brand is part of {name} again, after the community carried it for {age} (since {since})",
        "": "{name} is no longer {state} after {age} (since {since})",
    },
    "superseded": {
        "growing": "{name} grew for {age} (since {since}), and {next}",
        "outgrown": "The community that made {name} its own for {age} (since {since}) goes on elsewhere",
        "": "{name} was {state} for {age} (since {since}), and {next}",
    },
    "expired": {
        "": "{name} is no longer watched, after being {state} for {age} (since {since})",
    },
}
# What a state has given way to.
NEXT: dict[str, str] = {
    "outgrown": "its community has now made it its own",
    "escaped": "its community has now taken its talk elsewhere",
    "": "is {state} now",
}
# The same for `updated`, where it still grows and no more than that is to be told.
GOES_ON_GROWING = "{name} goes on growing, {age} on (since {since})"
# The same for `updated`, where the severity is higher than ever before in the episode.
PHRASES_RISING: dict[str, str] = {
    "growing": "{name} is growing more strongly, {age} on (since {since})",
    "outgrown": "The community has taken {name} further still, {age} on (since {since})",
    "": "{name} is {state} more clearly than before, {age} on (since {since})",
}
# The same for `updated`, where the conditions that led into the state do not all hold at the moment.
PHRASES_RECEDING: dict[str, str] = {
    "growing": "{name} still counts as growing but is slowing down, {age} on (since {since})",
    "outgrown": "The community still carries {name}, less clearly than before, {age} on (since {since})",
    "": "{name} still counts as {state}, less clearly than before, {age} on (since {since})",
}


def summary_of(
    name: str,
    *,
    episode: EpisodeRow,
    status: Status,
    reading: Reading,
    conditions: tuple[Condition, ...],
    rising: bool = False,
    neighbour: str | None = None,
) -> str:
    """Say in one sentence what happened, since when, by which numbers, and where most of it takes place.

    `neighbour` is the state that follows where this one is superseded. Where this one is firing it is the state that
    ended and left it: it held before that and goes on.
    """
    is_left = status == "firing" and neighbour is not None
    opening = _phrase(episode.state, "updated" if is_left else status, conditions, rising=rising).format(
        name=name,
        state=episode.state,
        since=moment(episode.since_ms),
        age=duration(reading.at_ms - episode.since_ms),
        next=NEXT.get(neighbour or "", NEXT[""]).format(state=neighbour),
    )
    decisive = _pace(reading, conditions) if episode.state == "growing" else _own_part(reading)
    parts = [decisive, _crowd(reading), place_of(reading, share=reading.measures.top_cascade_share)]
    return f"{opening}: {'; '.join(part for part in parts if part)}."


def _phrase(state: str, status: Status, conditions: tuple[Condition, ...], *, rising: bool) -> str:
    """Return the words for what happened, before its numbers are put in."""
    phrases = PHRASES[status]
    if status == "updated" and rising:
        phrases = PHRASES_RISING
    elif status == "updated" and not satisfied(conditions):
        phrases = PHRASES_RECEDING
    elif status == "updated" and state == "growing" and _doubles(conditions):
        return GOES_ON_GROWING
    return phrases.get(state, phrases[""])


def _own_part(reading: Reading) -> str:
    ratio, share = reading.measures.outgrowth_ratio, reading.measures.endogenous_share
    parts = []
    if share is not None:
        parts.append(f"{percent(share)} of the signals are in conversations that people started themselves")
    if ratio is not None:
        subject = "which" if parts else "conversations that people started themselves"
        day = reading.windows[DAY].by_lineage
        if day.get("brand", 0) + day.get("seeded", 0):
            parts.append(f"{subject} draw {multiple(ratio)} the engagement of those that the brand started")
        else:
            parts.append("the brand started none of late")
    return ", ".join(parts)


def _pace(reading: Reading, conditions: tuple[Condition, ...]) -> str:
    parts = []
    if any(one.name == "baseline_z" and one.relation == ">=" and one.holds and not one.guard for one in conditions):
        parts.append(f"its audience is far above the usual (z = {reading.measures.baseline_z:.1f})")
    doubling_s = reading.measures.doubling_time_s
    if _doubles(conditions) and doubling_s is not None and 0 < doubling_s < math.inf:
        parts.append(f"at its pace activity doubles in {duration(round(doubling_s * 1000))}")
    return " and ".join(parts)


def _doubles(conditions: tuple[Condition, ...]) -> bool:
    """Say whether activity doubles soon enough to count: a doubling that takes a week is no news."""
    return any(one.name == "doubling_time_s" and one.relation == "<=" and one.holds for one in conditions)


def _crowd(reading: Reading) -> str:
    said = f"{people(reading.windows[DAY].actors)} took part within {duration(reading.day_ms)}"
    expected = reading.measures.baseline_expected
    if is_cold(reading) or expected is None:
        return f"{said} (the topic is too young to say what is usual)"
    return f"{said}, where {expected:,.0f} would be usual"


def place_of(reading: Reading, *, share: float | None = None) -> str:
    """Say where most of it takes place, and whether that is told by an alert of its own: then it is one cause.

    `share` is how much of a day the largest conversation is, where that is known.
    """
    largest = largest_first(reading.cascades)[:1]
    if not largest or largest[0].size < 2:
        return ""
    root = shortened(largest[0].root, characters_max=ROOT_CHARACTERS_SAID)
    size = f"{largest[0].size:,} posts and shares, {largest[0].depth:,} deep"
    if largest[0].root not in reading.viral:
        return f"the largest conversation of the day is {root} with {size}"
    if share is not None and share >= MOST:
        return f"most of it is one post and its shares, {root}, which has a viral alert of its own: {size}"
    return f"the largest conversation of the day is {root} with {size}, which has a viral alert of its own"


def largest_first(cascades: tuple[CascadeEvidence, ...]) -> list[CascadeEvidence]:
    """Return cascades by size, then depth, then root."""
    return sorted(cascades, key=lambda cascade: (-cascade.size, -cascade.depth, cascade.root))
