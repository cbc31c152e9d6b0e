"""Follow one episode, the stay of a topic in a state that is told: its id, its revisions, and when to tell it again.

An episode opens with revision 1 (`firing`), is told again as `updated`, and ends with one last revision, `resolved`
or `superseded`; whoever ends it drops it, so it ends at most once.
"""

import hashlib

import msgspec

from schemas.alert import OUTCOMES
from schemas.lifecycle_rows import EpisodeRow
from schemas.rules import ReminderRules

NAMESPACE = bytes.fromhex("b5a1f0f26c7f5a0e9d3c4e1f0a6b7c8d")
"""Namespace of episode ids (RFC 9562 §5.5). Another one would give every episode ever told a second id."""


SEVERITY_STEP = 2
"""How much the severity must rise before an episode is told again for it."""


def episode_id(*, brand: str, topic: str, state: str, entered_ms: int) -> str:
    """Return the UUID, version 5, of the stay of a topic in a state that began at `entered_ms` (epoch ms).

    The same stay has the same id wherever and however often it is computed (MEASURES.md §8).

    >>> episode_id(brand="cern", topic="higgs", state="outgrown", entered_ms=1341389520000)
    '1721d24b-e463-5463-a4ce-93234fe41bb9'
    """
    # By hand, because the module `uuid` reads clocks and randomness and has no place among the pure ones.
    name = f"{brand}|{topic}|{state}|{entered_ms}".encode()
    octets = bytearray(hashlib.sha1(NAMESPACE + name, usedforsecurity=False).digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x50
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def opened(
    *,
    brand: str,
    topic: str,
    state: str,
    entered_ms: int,
    since_ms: int,
    severity: int,
    subject: str | None = None,
    outcome: str | None = None,
) -> EpisodeRow:
    """Return a new episode at its first revision, which is told at `entered_ms`.

    `subject` is what within the topic the state is of, such as the root of a cascade; it goes into the id, so that
    several may be in one state at a time. `outcome` is one of `schemas.alert.OUTCOMES` where the state is `returned`.
    """
    assert outcome is None or outcome in OUTCOMES, f"expected one of {', '.join(OUTCOMES)}, got {outcome}"
    assert since_ms <= entered_ms, "conditions hold before a state is entered, not after"
    return EpisodeRow(
        id=episode_id(
            brand=brand,
            topic=topic,
            state=state if subject is None else f"{state}|{subject}",
            entered_ms=entered_ms,
        ),
        state=state,
        entered_ms=entered_ms,
        since_ms=since_ms,
        revision=1,
        severity=severity,
        told_ms=entered_ms,
        outcome=outcome,
    )


def told_again(episode: EpisodeRow, *, at_ms: int, severity: int) -> EpisodeRow:
    """Return the episode at its next revision, told at `at_ms`; its severity remembers the highest one told."""
    return msgspec.structs.replace(
        episode, revision=episode.revision + 1, severity=max(episode.severity, severity), told_ms=at_ms
    )


def has_risen(episode: EpisodeRow, *, severity: int) -> bool:
    """Say whether a severity is news: clearly higher than all that were told of this episode.

    So however the severity goes up and down, an episode is told four times more at most because of it.
    """
    return severity >= episode.severity + SEVERITY_STEP


def is_untold(episode: EpisodeRow, happened_ms: int | None) -> bool:
    """Say whether something that happened at an instant (epoch ms) has come since the episode was told last.

    A tick covers what lies before it, so what happens at the instant of one belongs to the next.
    """
    return happened_ms is not None and episode.told_ms <= happened_ms


def reminder_is_due(episode: EpisodeRow, *, at_ms: int, reminders: ReminderRules) -> bool:
    """Say whether an instant of the reminder schedule lies after the last telling and not after `at_ms` (epoch ms).

    The schedule counts from the start of the episode: after each of `after_ms`, then every `every_ms` (none if that
    is not positive). Several instants at once, after a gap, are one reminder; and any telling counts as one.

    >>> first = EpisodeRow("id", "growing", entered_ms=0, since_ms=0, revision=1, severity=1, told_ms=0)
    >>> rules = ReminderRules(after_ms=(30, 120), every_ms=1000)
    >>> [at for at in range(0, 130, 10) if reminder_is_due(first, at_ms=at, reminders=rules)][0]
    30
    """
    told_after_ms = episode.told_ms - episode.entered_ms
    age_ms = at_ms - episode.entered_ms
    if any(told_after_ms < after_ms <= age_ms for after_ms in reminders.after_ms):
        return True
    first_ms = max(reminders.after_ms, default=0)
    if reminders.every_ms <= 0 or age_ms <= first_ms:
        return False
    # The last instant of the endless part that is not in the future.
    latest_ms = age_ms - (age_ms - first_ms) % reminders.every_ms
    return latest_ms > told_after_ms
