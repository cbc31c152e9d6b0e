"""Write an alert: its severity, its evidence and its times; `*_words` have the sentences.

Everything follows from a reading and an episode. Floats are rounded to `conditions.DIGITS` significant digits, maps
are in the order of their keys (windows from short to long), cascades from large to small: the bytes are stable.
"""

import math
from datetime import timedelta

import msgspec

from schemas.alert import (
    Alert,
    BreadthEvidence,
    CascadeEvidence,
    CommunityEvidence,
    Condition,
    EmergentEvidence,
    Evidence,
    JoinEvidence,
    Span,
    Status,
)
from schemas.lifecycle_rows import EpisodeRow
from schemas.vitals import WINDOWS, WindowVitals
from streams.lifecycle.conditions import DAY, Reading, compared, is_cold, rounded
from streams.lifecycle.escape_words import TOLD_ELSEWHERE, escape_summary_of
from streams.lifecycle.state_words import largest_first, summary_of
from streams.lifecycle.wording import EPOCH, shortened

EVIDENCE_MAX = 5
SEVERITY_MAX = 10
ROOT_CHARACTERS_MAX = 512
"""Longer ids of root posts and names of topics are cut, so that an alert stays below 64 KiB (WIRE.md §6)."""
COLD_START = "cold_start"
CASCADE_NUMBERS = (
    "structural_virality",
    "infectiousness",
    "low",
    "high",
    "forecast",
    "forecast_low",
    "forecast_high",
    "reproduction",
)
"""What of a cascade is no whole number."""


# --- severity ---------------------------------------------------------------------------------------------------------


def excess(condition: Condition) -> float:
    """Return by how many thresholds the compared number lies beyond its threshold, on the side where it holds.

    0 where the condition does not hold, is a guard, or has no number or no positive threshold. A number that must
    stay below its threshold can lie beyond it by 1 at most.

    >>> excess(Condition("outgrowth_ratio", value=9.8, threshold=2.0, holds=True))
    3.9000000000000004
    """
    number = compared(condition)
    if condition.guard or not condition.holds or number is None or condition.threshold <= 0:
        return 0.0
    return abs(number - condition.threshold) / condition.threshold


def severity_of(conditions: tuple[Condition, ...]) -> int:
    """Return the severity from 1 to 10: twice the largest excess over a threshold, rounded up (MEASURES.md §8)."""
    largest = max((excess(condition) for condition in conditions), default=0.0)
    # Rounded first, or a hair of a float above a whole number would raise the severity by one.
    return max(1, min(SEVERITY_MAX, math.ceil(rounded(2 * largest) or 0.0)))


# --- the alert --------------------------------------------------------------------------------------------------------


def build_alert(
    *,
    brand: str,
    topic: str,
    episode: EpisodeRow,
    status: Status,
    severity: int,
    reading: Reading,
    conditions: tuple[Condition, ...],
    rules_hash: str,
    rising: bool = False,
    joined: bool = False,
    neighbour: str | None = None,
    left_ms: int | None = None,
) -> Alert:
    """Tell the present revision of an episode, as read at a tick.

    `conditions` are those that lead into the state, for `resolved` those that lead out of it. `rising` says that an
    update is told because of its severity, `joined` because the brand has joined the talk elsewhere. `neighbour` is
    the state that goes on where this one is `superseded`, or that ended and left this one where it is `firing`.
    `left_ms` (epoch ms) is since when the community has been elsewhere.
    """
    name = f"{brand}/{topic}"
    if episode.state in TOLD_ELSEWHERE:
        summary = escape_summary_of(
            name,
            episode=episode,
            status=status,
            reading=reading,
            conditions=conditions,
            rising=rising,
            joined=joined,
            left_ms=left_ms,
        )
    else:
        summary = summary_of(
            name,
            episode=episode,
            status=status,
            reading=reading,
            conditions=conditions,
            rising=rising,
            neighbour=neighbour,
        )
    return compose_alert(
        brand=brand,
        topic=topic,
        episode=episode,
        status=status,
        severity=severity,
        reading=reading,
        conditions=conditions,
        rules_hash=rules_hash,
        summary=summary,
        since_ms=reading.at_ms - reading.day_ms,
        signals=reading.windows[DAY].signals,
    )


def compose_alert(
    *,
    brand: str,
    topic: str,
    episode: EpisodeRow,
    status: Status,
    severity: int,
    reading: Reading,
    conditions: tuple[Condition, ...],
    rules_hash: str,
    summary: str,
    since_ms: int,
    signals: int,
) -> Alert:
    """Put together the present revision of an episode; its evidence is the reading's, with the cascades named there.

    The span is [`since_ms`, tick), epoch ms, with so many signals in it.
    """
    return Alert(
        id=f"{episode.id}.{episode.revision}",
        episode=episode.id,
        brand=brand,
        topic=topic,
        state=episode.state,
        status=status,
        severity=severity,
        at=rfc3339(reading.at_ms),
        since=rfc3339(episode.since_ms),
        summary=summary,
        conditions=conditions,
        evidence=_evidence(reading),
        rules=rules_hash,
        span=Span(from_=rfc3339(since_ms), to=rfc3339(reading.at_ms), signals=signals),
        outcome=episode.outcome,
    )


def rfc3339(at_ms: int) -> str:
    """Return an instant (epoch ms) as RFC 3339 in UTC, with milliseconds only where there are any.

    >>> rfc3339(1341389520000), rfc3339(1341389520007)
    ('2012-07-04T08:12:00Z', '2012-07-04T08:12:00.007Z')
    """
    text = (EPOCH + timedelta(milliseconds=at_ms)).replace(tzinfo=None)
    return text.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds") + "Z"


def _evidence(reading: Reading) -> Evidence:
    flags = {*reading.flags, *((COLD_START,) if is_cold(reading) else ())}
    return Evidence(
        emergent=tuple(_named(topic) for topic in reading.emergent[:EVIDENCE_MAX]),
        cascades=tuple(_shown(cascade) for cascade in largest_first(reading.cascades)[:EVIDENCE_MAX]),
        windows={name: _steady(reading.windows[name]) for name in WINDOWS if name in reading.windows},
        baseline=reading.measures.baseline,
        flags=tuple(sorted(flags)),
        breadth=reading.breadth and _told_breadth(reading.breadth),
        join=reading.join and _told_join(reading.join),
        resonance=reading.resonance,
    )


def _shown(cascade: CascadeEvidence) -> CascadeEvidence:
    """Return a cascade with its root cut to length and its numbers rounded."""
    numbers = {name: rounded(getattr(cascade, name)) for name in CASCADE_NUMBERS}
    return msgspec.structs.replace(cascade, root=shortened(cascade.root, characters_max=ROOT_CHARACTERS_MAX), **numbers)


def _named(topic: EmergentEvidence) -> EmergentEvidence:
    """Return a topic that emerged with its name cut to length and its numbers rounded."""
    name = shortened(topic.name, characters_max=ROOT_CHARACTERS_MAX)
    return msgspec.structs.replace(topic, name=name, lift=rounded(topic.lift) or 0.0, g2=rounded(topic.g2) or 0.0)


def _told_breadth(breadth: BreadthEvidence) -> BreadthEvidence:
    return msgspec.structs.replace(
        breadth,
        communities=tuple(
            CommunityEvidence(one.root and shortened(one.root, characters_max=ROOT_CHARACTERS_MAX), one.actors)
            for one in breadth.communities[:EVIDENCE_MAX]
        ),
    )


def _told_join(join: JoinEvidence) -> JoinEvidence:
    tag = join.tag and shortened(join.tag, characters_max=ROOT_CHARACTERS_MAX)
    return msgspec.structs.replace(join, tag=tag, root=shortened(join.root, characters_max=ROOT_CHARACTERS_MAX))


def _steady(window: WindowVitals) -> WindowVitals:
    """Return a window whose bytes depend on its contents alone."""
    return WindowVitals(
        signals=window.signals,
        by_kind=dict(sorted(window.by_kind.items())),
        by_lineage=dict(sorted(window.by_lineage.items())),
        engagement=rounded(window.engagement) or 0.0,
        actors=window.actors,
        top_actor_share=rounded(window.top_actor_share) or 0.0,
    )
