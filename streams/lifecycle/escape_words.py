"""Say in one sentence that a community has taken its talk elsewhere, where to, and what became of those who left."""

from schemas.alert import Condition, EmergentEvidence, Status
from schemas.lifecycle_rows import EpisodeRow
from schemas.vitals import Measures
from streams.lifecycle.conditions import DAY, Reading, compared, satisfied
from streams.lifecycle.ladder import ESCAPED, RETURNED
from streams.lifecycle.wording import decimal, duration, listed, moment, people, percent, tagged

TOLD_ELSEWHERE = (ESCAPED, RETURNED)
"""The states whose episodes are told in the words of this module."""
TOPICS_SAID = 3

# Where a community goes is news with a map, not an incident: these sentences praise and blame nobody, and none of them
# calls for repair.
ESCAPED_PHRASES: dict[str, str] = {
    "firing": "The community of {name} has taken its talk elsewhere since {since}",
    "updated": "The community of {name} goes on talking elsewhere, {age} on (since {since})",
    "resolved": "People of the community of {name} are coming back, after talking elsewhere for {age} (since {since})",
    "superseded": "The community of {name} has moved on after talking elsewhere for {age} (since {since})",
    "expired": "The community of {name} is no longer followed, after talking elsewhere for {age} (since {since})",
}
ESCAPED_RISING = "The community of {name} has gone further still, {age} on (elsewhere since {since})"
ESCAPED_RECEDING = "The community of {name} still talks elsewhere, less clearly than before, {age} on (since {since})"
ESCAPED_SILENT = "The community of {name} has fallen silent, {age} after taking its talk elsewhere (since {since})"
ESCAPED_ALIKE = (
    "The community of {name} talks of much the same elsewhere as here, {age} after going there (since {since})"
)

# By what became of those who left, as it is told, and as it is told for the last time.
RETURNED_PHRASES: dict[str, str] = {
    "returned-richer": "The community has come back to {name} after {away}, richer",
    "returned": "The community has come back to {name} after {away}",
    "faded": "Those who left {name} have faded away, {away} after they took their talk elsewhere",
    "settled-elsewhere": "Those who left {name} have settled elsewhere, {away} after they took their talk there",
}
RETURNED_ENDINGS: dict[str, str] = {
    "returned-richer": "{name} goes on with its community, {age} after its richer return was told",
    "returned": "{name} goes on with its community, {age} after its return was told",
    "faded": "{name} goes on without those who faded away, {age} after that was told",
    "settled-elsewhere": "{name} goes on beside those who settled elsewhere, {age} after that was told",
}


def escape_summary_of(
    name: str,
    *,
    episode: EpisodeRow,
    status: Status,
    reading: Reading,
    conditions: tuple[Condition, ...],
    rising: bool = False,
    left_ms: int | None = None,
) -> str:
    """Say what the community of the topic `name` does, since when, how many of it, and where it went.

    `conditions` are those of the alert. `left_ms` is since when it has been elsewhere, needed for `returned`.
    """
    if episode.state == ESCAPED:
        opening, parts = _escaped(status, reading, conditions, rising=rising)
    else:
        opening, parts = _returned(episode.outcome or RETURNED, status, reading)
    opening = opening.format(
        name=name,
        since=moment(episode.since_ms),
        age=duration(reading.at_ms - episode.since_ms),
        away=duration(reading.at_ms - (episode.since_ms if left_ms is None else left_ms)),
    )
    told = "; ".join(part for part in parts if part)
    return f"{opening}: {told}." if told else f"{opening}."


# --- escaped ----------------------------------------------------------------------------------------------------------


def _escaped(
    status: Status, reading: Reading, conditions: tuple[Condition, ...], *, rising: bool
) -> tuple[str, tuple[str, ...]]:
    """Return the opening and what follows it, for an episode of talk elsewhere."""
    phrase = ESCAPED_PHRASES[status]
    if status == "resolved" and all(compared(one) is None for one in conditions):
        return ESCAPED_SILENT, ("too few of its members say anything to tell where they are",)
    if status == "resolved" and not any(one.holds for one in conditions if one.name == "drift_share"):
        phrase = ESCAPED_ALIKE
    elif status == "updated" and rising:
        phrase = ESCAPED_RISING
    elif status == "updated" and not satisfied(conditions):
        phrase = ESCAPED_RECEDING
    return phrase, (_elsewhere(reading, is_over=status == "resolved"), _here(reading))


def _elsewhere(reading: Reading, *, is_over: bool) -> str:
    """Say how many of the active members talk elsewhere, and where that is."""
    measures, places = reading.measures, _places(reading.emergent, reading.measures)
    if measures.drift_share is None:
        return f"the talk has gone to {places}" if places and not is_over else ""
    share = percent(measures.drift_share)
    if is_over:
        return f"{share} of its active members talk elsewhere now"
    low = f" (at least {percent(measures.drift_share_low)})" if measures.drift_share_low is not None else ""
    return f"{share} of its active members{low} now talk about {places or 'other things'}"


def _places(emergent: tuple[EmergentEvidence, ...], measures: Measures) -> str:
    """Name the topics that emerged, those first that only this community talks about; and how many more there are."""
    own = [topic for topic in emergent if not topic.exogenous]
    said = [f"{tagged(topic.name)} ({people(topic.actors)})" for topic in own[:TOPICS_SAID]]
    more = measures.emergent_topics - len(said)
    if said and more > 0:
        said.append("1 more topic" if more == 1 else f"{more:,} more topics")
    return listed(tuple(said)) if said else ""


def _here(reading: Reading) -> str:
    return f"{people(reading.windows[DAY].actors)} took part in the topic itself within {duration(reading.day_ms)}"


# --- returned ---------------------------------------------------------------------------------------------------------


def _returned(outcome: str, status: Status, reading: Reading) -> tuple[str, tuple[str, ...]]:
    """Return the opening and what follows it, for what became of those who had left."""
    if status != "firing":
        return RETURNED_ENDINGS[outcome], (_here(reading),)
    parts = [_back(reading.measures)]
    if outcome == "settled-elsewhere":
        places = _places(reading.emergent, reading.measures)
        parts.append(f"the talk there is about {places}" if places else "")
    return RETURNED_PHRASES[outcome], tuple(parts)


def _back(measures: Measures) -> str:
    """Say how many are back, and how much and how many different things they say beside what they said before."""
    parts = []
    if measures.return_rate is not None:
        who = "those who had left" if measures.cohort is None else f"the {people(measures.cohort)} who had left"
        low = f" (at least {percent(measures.return_rate_low)})" if measures.return_rate_low is not None else ""
        parts.append(f"{percent(measures.return_rate)} of {who}{low} are back")
    if measures.prolific_ratio is not None:
        parts.append(f"posting {decimal(measures.prolific_ratio)} times as much as before")
    if measures.diversity_ratio is not None:
        parts.append(f"about {decimal(measures.diversity_ratio)} times as many different things")
    return ", ".join(parts)
