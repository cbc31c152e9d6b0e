"""Say in one sentence that a community has taken its talk elsewhere, where to, and what became of those who left."""

from schemas.alert import BreadthEvidence, Condition, EmergentEvidence, JoinEvidence, ResonanceEvidence, Status
from schemas.lifecycle_rows import EpisodeRow
from schemas.vitals import Measures
from streams.lifecycle.conditions import DAY, Reading, compared, satisfied
from streams.lifecycle.ladder import ESCAPED, RETURNED
from streams.lifecycle.wording import (
    ROOT_CHARACTERS_SAID,
    decimal,
    duration,
    listed,
    moment,
    people,
    percent,
    shortened,
    tagged,
)

TOLD_ELSEWHERE = (ESCAPED, RETURNED)
"""The states whose episodes are told in the words of this module."""
TOPICS_SAID = 3
SPREAD_MIN = 10
"""Of fewer people whose beginnings are known nothing is said of how broad an escape is."""
ONE_CIRCLE, MANY_CIRCLES = 0.5, 0.2
"""From this share of the largest part of a community on it is that which has gone; up to this one it is all of it."""
ABOUT = 0.05
"""Two numbers that differ by no more than this part are the same in words."""
NEW_BITS = 0.05
"""Talk that is no newer than this is not said to have been new, nor to have stayed where it resonates no more."""

# Where a community goes is news with a map, not an incident: these sentences praise and blame nobody, and none of them
# calls for repair.
ESCAPED_PHRASES: dict[str, str] = {
    "firing": "The community of {name} has taken its talk elsewhere since {since}",
    "updated": "The community of {name} goes on talking elsewhere, {age} on (since {since})",
    "resolved": "The talk of the community of {name} elsewhere has ebbed after {age} (since {since})",
    "superseded": "The community of {name} has moved on after talking elsewhere for {age} (since {since})",
    "expired": "The community of {name} is no longer followed, after talking elsewhere for {age} (since {since})",
}
ESCAPED_JOINED = "The brand has joined its community of {name} elsewhere, {age} after that took its talk there"
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
    joined: bool = False,
    left_ms: int | None = None,
) -> str:
    """Say what the community of the topic `name` does, since when, how many of it, and where it went.

    `conditions` are those of the alert. `joined` says that it is told because the brand has joined it.
    `left_ms` is since when it has been elsewhere, needed for `returned`.
    """
    if episode.state == ESCAPED:
        opening, parts = _escaped(status, reading, conditions, rising=rising, joined=joined)
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
    status: Status, reading: Reading, conditions: tuple[Condition, ...], *, rising: bool, joined: bool
) -> tuple[str, tuple[str, ...]]:
    """Return the opening and what follows it, for an episode of talk elsewhere."""
    phrase = ESCAPED_PHRASES[status]
    if joined and reading.join is not None:
        return ESCAPED_JOINED, (_entrance(reading.join), _elsewhere(reading, is_over=False), _here(reading))
    if status == "resolved" and all(compared(one) is None for one in conditions):
        return ESCAPED_SILENT, ("too few of its members say anything to tell where they are",)
    if status == "resolved" and not any(one.holds for one in conditions if one.name == "drift_share"):
        phrase = ESCAPED_ALIKE
    elif status == "updated" and rising:
        phrase = ESCAPED_RISING
    elif status == "updated" and not satisfied(conditions):
        phrase = ESCAPED_RECEDING
    is_over = status == "resolved"
    apart = "" if is_over else _apart(reading.measures)
    parts = (_elsewhere(reading, is_over=is_over), apart, _since_joined(reading), _here(reading))
    return phrase, (*parts, "whether those who had left come back is watched from now on") if is_over else parts


def _elsewhere(reading: Reading, *, is_over: bool) -> str:
    """Say how many of the active members talk elsewhere, and where that is."""
    measures, places = reading.measures, _places(reading.emergent, reading.measures)
    if measures.drift_share is None:
        return f"the talk has gone to {places}" if places and not is_over else ""
    share = percent(measures.drift_share)
    if measures.drift_share == 0:
        return f"none of its active members talks elsewhere {'any more' if is_over else 'at the moment'}"
    if is_over:
        return f"{share} of its active members still talk elsewhere"
    low = _at_least(measures.drift_share, measures.drift_share_low)
    spread = _spread(reading.breadth) if places else ""
    return f"{share} of its active members{low} now talk about {places or 'other things'}{spread}"


def _apart(measures: Measures) -> str:
    """Say how far what members say has moved from what the brand and its audience say, where that is known."""
    if measures.tag_divergence_bits is None:
        return ""
    return f"their tags lie {measures.tag_divergence_bits:.2f} of 1 bit apart from those of the brand and its audience"


def _at_least(share: float, low: float | None) -> str:
    return f" (at least {percent(low)})" if low is not None and share > 0 else ""


def _spread(breadth: BreadthEvidence | None) -> str:
    """Say from where in the community they come, where that is known of enough of them."""
    if breadth is None or breadth.actors < SPREAD_MIN:
        return ""
    share = percent(breadth.concentration)
    if breadth.concentration >= ONE_CIRCLE:
        return f", and {share} of them had come to the topic by one and the same conversation"
    if breadth.concentration <= MANY_CIRCLES:
        return ", and they come from all over the community"
    return f", and they come from several circles of the community, the largest with {share} of them"


def _entrance(join: JoinEvidence) -> str:
    """Say by what the brand joined."""
    if join.tag is not None:
        return f"it spoke up there with {tagged(join.tag)}"
    return f"it answered in the conversation {shortened(join.root, characters_max=ROOT_CHARACTERS_SAID)}"


def _since_joined(reading: Reading) -> str:
    """Say since when the brand has been there, and whether members have been more active for it, once that is known."""
    join, joined_ms = reading.join, reading.joined_ms
    if join is None or joined_ms is None:
        return ""
    how = f"with {tagged(join.tag)}" if join.tag is not None else "with an answer"
    told = f"the brand joined them there {how} {duration(reading.at_ms - joined_ms)} ago"
    if join.lift is None or join.lift_low is None or join.lift_high is None:
        return told
    day = f"in the {duration(reading.day_ms)} after it"
    if join.lift_low <= 1 <= join.lift_high:
        return f"{told}, and {day} members were about as active as before"
    return f"{told}, and {day} members were {_times(join.lift)} as active as before"


def _times(ratio: float) -> str:
    """Say how many times as much something is, less being said to be less."""
    return f"{decimal(ratio)} times" if ratio >= 1 else f"only {percent(ratio)}"


def _places(emergent: tuple[EmergentEvidence, ...], measures: Measures) -> str:
    """Name the topics that emerged, of those that only this community talks about the largest; and how many more."""
    own = sorted((topic for topic in emergent if not topic.exogenous), key=lambda topic: (-topic.actors, topic.name))
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
    parts = [_back(reading.measures), _lasting(reading.resonance), _since_joined(reading)]
    if outcome == "settled-elsewhere":
        places = _places(reading.emergent, reading.measures)
        parts.append(f"the talk there is about {places}" if places else "")
    return RETURNED_PHRASES[outcome], tuple(parts)


def _back(measures: Measures) -> str:
    """Say how many are back, and how much and how many different things they say beside what they said before."""
    if not measures.return_rate:
        return "" if measures.return_rate is None else f"none of {_who_left(measures)} is back"
    low = _at_least(measures.return_rate, measures.return_rate_low)
    told = f"{percent(measures.return_rate)} of {_who_left(measures)}{low} are back"
    if measures.prolific_ratio is not None:
        told += f", posting {_compared(measures.prolific_ratio, 'much')}"
    if measures.diversity_ratio is not None:
        about = ", and about" if measures.prolific_ratio is not None else ", talking about"
        told += f"{about} {_compared(measures.diversity_ratio, 'many different things')}"
    return told


def _lasting(found: ResonanceEvidence | None) -> str:
    """Say whether what was new in the talk elsewhere is still to be heard, where both are known."""
    if found is None or found.novelty_bits is None or found.resonance_bits is None or found.novelty_bits < NEW_BITS:
        return ""
    new, stayed = found.novelty_bits, found.resonance_bits
    if stayed < NEW_BITS:
        told = "what was new in the talk elsewhere is hardly heard among members since"
    elif stayed < new / 2:
        told = "some of what was new in the talk elsewhere has stayed with members"
    else:
        told = "what was new in the talk elsewhere has stayed with members"
    return f"{told} (novelty {new:.2f} bits, resonance {stayed + 0.0:.2f})"


def _who_left(measures: Measures) -> str:
    return "those who had left" if measures.cohort is None else f"the {people(measures.cohort)} who had left"


def _compared(ratio: float, what: str) -> str:
    return f"as {what} as before" if abs(ratio - 1) <= ABOUT else f"{_times(ratio)} as {what} as before"
