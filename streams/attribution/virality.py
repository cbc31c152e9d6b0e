"""Read the cascade of one conversation at a tick, and say when it wants to be read next."""

from schemas.attributed import Stamp
from schemas.cascade import EDGES, ENDED, READING_ID, ROOT_MISSING, TRUNCATED, CascadeReading, Infected
from schemas.conversation_rows import CascadeTiming
from schemas.rules import Rules
from streams.attribution.conversation import Conversation
from streams.lifecycle.rules import scaled
from streams.measures.reaction_time import FLAT_MS

HOT_UNITS = 24
"""For two hours after it has grown a large cascade is read while nothing changes: its infectiousness falls. One whose
root nobody has seen is not: when it began is a guess, and so is what would be read."""
READ_UNITS = 2
"""Ten minutes lie between two such readings, counted from when the cascade began."""


def timing_of(rules: Rules, *, span_ms: int) -> CascadeTiming:
    """Return the times that a cascade keeps which begins under these rules; it ends before it is forgotten.

    >>> timing_of(Rules(), span_ms=604_800_000).silence_ms // 3_600_000
    24
    """
    fitted = scaled(rules)
    return CascadeTiming(
        tick_ms=fitted.tick_ms,
        unit_ms=max(1, round(FLAT_MS * rules.scale)),
        orphan_ms=fitted.cascade.orphan_ms,
        silence_ms=max(1, min(fitted.cascade.silence_ms, span_ms - fitted.tick_ms)),
        followers_imputed=fitted.cascade.followers_imputed,
        hot_size=fitted.viral.size_min,
    )


def tick_after(at_ms: int, *, tick_ms: int) -> int:
    """Return the first tick behind an instant: the one that covers it.

    >>> tick_after(59_999, tick_ms=60_000), tick_after(60_000, tick_ms=60_000)
    (60000, 120000)
    """
    return (at_ms // tick_ms + 1) * tick_ms


def tick_from(at_ms: int, *, tick_ms: int) -> int:
    """Return the first tick that is not before an instant.

    >>> tick_from(60_000, tick_ms=60_000), tick_from(60_001, tick_ms=60_000)
    (60000, 120000)
    """
    return -(-at_ms // tick_ms) * tick_ms


def stamp_of(root: str, tick_ms: int) -> Stamp:
    """Return the place of a reading in the total order: behind every signal that its tick covers."""
    return tick_ms - 1, READING_ID + root


def next_due_ms(conversation: Conversation, *, after_ms: int) -> int:
    """Return the next tick after a given one at which a conversation is looked at though nothing came, 0 for never.

    That is when what waits for a missing parent has waited long enough, when it has been silent for so long that it has
    ended, and every ten minutes while it is hot (`HOT_UNITS`). It follows from the conversation alone.
    """
    row, shape = conversation.row, conversation.shape
    tick_ms, timing = row.timing.tick_ms, row.timing
    dues: list[int] = []
    if not row.has_ended:
        dues.append(tick_from(row.last_at_ms + timing.silence_ms, tick_ms=tick_ms))
    missing_ms = shape.missing_since_ms()
    if missing_ms is not None:
        dues.append(tick_from(missing_ms + timing.orphan_ms, tick_ms=tick_ms))
    if row.root_kind >= 0 and not row.has_ended and len(shape) >= timing.hot_size:
        due_ms = _next_hot_ms(conversation, after_ms)
        if due_ms - row.grown_ms <= HOT_UNITS * timing.unit_ms:
            dues.append(due_ms)
    return min((max(due_ms, after_ms + tick_ms) for due_ms in dues), default=0)


def _next_hot_ms(conversation: Conversation, after_ms: int) -> int:
    timing = conversation.row.timing
    step_ms = max(1, READ_UNITS * timing.unit_ms // timing.tick_ms) * timing.tick_ms
    first_ms = tick_from(conversation.row.began_ms, tick_ms=timing.tick_ms)
    return first_ms + ((after_ms - first_ms) // step_ms + 1) * step_ms


def look_at(conversation: Conversation, root: str, tick_ms: int, *, has_grown: bool) -> CascadeReading | None:
    """Do what is due at a tick, and return a reading if there is anything to tell: from two posts and shares on.

    That a cascade has ended is told of every one, once, so that histories know the small ones too.
    """
    row, shape = conversation.row, conversation.shape
    timing = row.timing
    missing_ms = shape.missing_since_ms()
    if missing_ms is not None and missing_ms + timing.orphan_ms <= tick_ms:
        shape.promote_missing(before_ms=tick_ms - timing.orphan_ms + 1)
        has_grown = True
    ends = not row.has_ended and row.last_at_ms + timing.silence_ms <= tick_ms
    if ends:
        row.has_ended = True
        return _reading(conversation, root, tick_ms, ENDED)
    is_hot = (
        row.root_kind >= 0
        and not row.has_ended
        and len(shape) >= timing.hot_size
        and tick_ms - row.grown_ms <= HOT_UNITS * timing.unit_ms
        and _next_hot_ms(conversation, tick_ms - 1) == tick_ms
    )
    if not (has_grown or is_hot):
        return None
    reading = _reading(conversation, root, tick_ms, 0)
    return reading if reading.size > 1 else None


def _reading(conversation: Conversation, root: str, tick_ms: int, flags: int) -> CascadeReading:
    row = conversation.row
    conversation.pass_benchmarks(tick_ms)
    shape = conversation.shape.read()
    infection = None if conversation.infection is None else conversation.infection.read(tick_ms)
    at_ms, reading_id = stamp_of(root, tick_ms)
    return CascadeReading(
        at=at_ms,
        id=reading_id,
        root=root,
        actor=row.root_actor or "",
        kind=row.root_kind,
        network=row.network,
        topics=row.topics,
        began_ms=row.began_ms,
        size=shape.size,
        nodes=shape.nodes,
        depth=shape.depth,
        breadth=shape.breadth,
        virality=shape.structural_virality,
        edge=EDGES.index(shape.edge),
        flags=flags | (TRUNCATED if shape.truncated else 0) | (ROOT_MISSING if shape.root_missing else 0),
        shares=row.shares,
        infected=None
        if infection is None
        else Infected(infection.value, infection.low, infection.high, infection.direct, infection.imputed_ratio),
        pace=None if conversation.pace is None else conversation.pace.read(tick_ms, began_ms=row.began_ms),
        interactions=row.benchmarks or (),
    )
