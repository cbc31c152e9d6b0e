"""When a cascade is looked at, and what is told of it: after it has grown, while it is hot, once it has ended."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import EDGES, ENDED, READING_ID, ROOT_MISSING, CascadeReading
from schemas.conversation_rows import CascadeTiming
from schemas.rules import Rules
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Kind, Signal, node_of
from streams.attribution.conversation import Conversation, begun
from streams.attribution.matcher import Registry
from streams.attribution.virality import look_at, next_due_ms, stamp_of, tick_after, timing_of
from streams.measures.node_index import number_of

START_MS = 1_341_360_000_000
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
HIGGS = "cern/higgs"
VERSION = TopicVersion(effective_from_ms=0, accounts={"n": ("cern",)}, seeds=Seeds(tags=("higgs",)))
MATCHER = Registry([TopicRecord(brand="cern", topic="higgs", versions=(VERSION,))]).at(START_MS)
TIMING = timing_of(Rules(), span_ms=7 * DAY_MS)
EAGER = CascadeTiming(
    tick_ms=MINUTE_MS,
    unit_ms=2 * MINUTE_MS,
    orphan_ms=5 * MINUTE_MS,
    silence_ms=70 * MINUTE_MS,
    followers_imputed=100,
    hot_size=4,
)
"""Times so short that all that can happen to a cascade happens within three hours."""


def act(kind: Kind, name: str, on: str | None = None, *, at: int = 0, **fields: Any) -> Signal:
    """Return a signal `name`, on the post `on`, `at` ms after the start."""
    made = Signal(id=name, network="n", kind=kind, at=START_MS + at, actor=f"by {name}", parent=on)
    return msgspec.structs.replace(made, **{"post": on if kind in ("share", "like") else name, **fields})


def crowd(size: int, *, at: int = 0) -> list[Signal]:
    """Return a root and so many shares of one instant that they are a cascade of a size."""
    return [act("post", "r", at=at), *(act("share", f"s{number:03}", "r", at=at) for number in range(size - 1))]


def watched(
    signals: Sequence[Signal], timing: CascadeTiming = TIMING, *, until: int, at_every_tick: bool = False
) -> list[CascadeReading]:
    """Return the readings up to `until` ms after the start: a tick covers what came before it.

    A conversation is looked at in the tick after it has grown, and when `next_due_ms` says; or at every tick.
    """
    conversation = begun(signals[0], root="r", timing=timing)
    tick_ms, waiting, readings = tick_after(signals[0].at, tick_ms=timing.tick_ms), list(signals), []
    due_ms = tick_ms
    while tick_ms <= START_MS + until:
        has_grown = False
        while waiting and waiting[0].at < tick_ms:
            has_grown |= _apply(conversation, waiting.pop(0))
        if has_grown or at_every_tick or tick_ms == due_ms:
            reading = look_at(conversation, "r", tick_ms, has_grown=has_grown)
            readings += [] if reading is None else [reading]
            due_ms = next_due_ms(conversation, after_ms=tick_ms)
            assert due_ms == 0 or due_ms > tick_ms
        tick_ms += timing.tick_ms
    return readings


def _apply(conversation: Conversation, signal: Signal) -> bool:
    """Apply a signal and say whether the cascade has grown, as those who keep many conversations find out."""
    row = conversation.row
    before = row.grown_ms, len(conversation.shape), conversation.shape.read().size
    is_known = True
    if signal.op == "create":
        conversation.apply(signal, "r", (HIGGS,), MATCHER)
    else:
        is_known = conversation.take_back(signal.kind, number_of(node_of(signal)), at_ms=signal.at)
    if is_known:
        row.last_at_ms = max(row.last_at_ms, signal.at)
    return before != (row.grown_ms, len(conversation.shape), conversation.shape.read().size)


def minutes_of(readings: Sequence[CascadeReading]) -> list[float]:
    """Return the ticks of readings, in minutes after the start."""
    return [(reading.at + 1 - START_MS) / MINUTE_MS for reading in readings]


# --- what a tick covers -----------------------------------------------------------------------------------------------


def test_a_reading_covers_what_came_before_its_tick() -> None:
    """What came in the millisecond before is in it, what comes at the tick is in the next one."""
    signals = [act("post", "r"), act("share", "a", "r", at=MINUTE_MS - 1), act("share", "b", "r", at=MINUTE_MS)]
    readings = watched(signals, until=10 * MINUTE_MS)
    assert [(reading.at + 1 - START_MS, reading.size) for reading in readings] == [(MINUTE_MS, 2), (2 * MINUTE_MS, 3)]


def test_a_reading_comes_behind_every_signal_that_it_covers() -> None:
    """In the total order of stamps it lies behind any id of the last millisecond, and before what its tick leaves."""
    (reading,) = watched(crowd(2), until=10 * MINUTE_MS)
    assert (reading.at, reading.id) == stamp_of("r", START_MS + MINUTE_MS)
    assert (START_MS + MINUTE_MS - 1, "\U0010fffe" * 9) < (reading.at, reading.id) < (START_MS + MINUTE_MS, "")
    assert reading.id == READING_ID + "r"


def test_a_reading_says_what_its_conversation_knows() -> None:
    """Who wrote the root and how, where, and on which topics; pace and infectiousness from enough of them on."""
    signals = crowd(10)
    (reading,) = watched(signals, until=5 * MINUTE_MS)
    assert (reading.root, reading.actor, reading.kind, reading.network) == ("r", "by r", 0, "n")
    assert (reading.topics, reading.began_ms) == ((HIGGS,), START_MS)
    assert (reading.size, reading.nodes, reading.depth, reading.breadth, reading.shares) == (10, 10, 1, 9, 9)
    # Of the 45 pairs of a star of ten, 9 are one edge apart and 36 two.
    assert reading.virality == pytest.approx((9 + 36 * 2) / 45)
    assert (EDGES[reading.edge], reading.flags, reading.interactions) == ("observed", 0, ())
    assert reading.infected is not None
    assert reading.infected.low < reading.infected.value < reading.infected.high
    assert reading.infected.imputed_ratio == 1.0
    assert reading.pace is None


def test_nothing_is_told_of_a_single_post_while_it_lives() -> None:
    """Most posts are never answered; a like does not make a cascade either."""
    assert watched([act("post", "r"), act("like", "l", "r", at=1)], until=12 * HOUR_MS) == []


def test_a_cascade_that_shrinks_to_one_is_not_told() -> None:
    """A share that is taken back leaves a single post."""
    signals = [*crowd(2), act("share", "s000", "r", at=MINUTE_MS, op="undo")]
    assert [reading.size for reading in watched(signals, until=10 * MINUTE_MS)] == [2]


# --- waiting for a parent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after_ms", [0, SECOND_MS, 30 * SECOND_MS, 59 * SECOND_MS])
def test_an_orphan_waits_for_its_parent_as_long_as_the_rules_say(after_ms: int) -> None:
    """It counts, but hangs nowhere until the first tick at which an hour has passed; then from the root, by a guess."""
    signals = [act("post", "r"), act("reply", "b", "missing", at=after_ms)]
    readings = watched(signals, until=3 * HOUR_MS)
    assert minutes_of(readings) == [1, 60 if after_ms == 0 else 61]
    before, after = readings
    assert (before.size, before.nodes, before.depth, EDGES[before.edge]) == (2, 1, 0, "observed")
    assert (after.size, after.nodes, after.depth, EDGES[after.edge]) == (2, 3, 2, "inferred")


def test_an_orphan_whose_parent_comes_in_time_is_not_guessed() -> None:
    """One millisecond before the tick that would give the parent up is early enough."""
    signals = [act("post", "r"), act("reply", "b", "a"), act("reply", "a", "r", at=HOUR_MS - 1)]
    readings = watched(signals, until=3 * HOUR_MS)
    assert minutes_of(readings) == [1, 60]
    assert (readings[1].depth, EDGES[readings[1].edge]) == (2, "observed")


def test_each_missing_parent_has_its_own_hour() -> None:
    """The second to be missed is given up later than the first."""
    signals = [act("post", "r"), act("reply", "b", "x"), act("reply", "c", "y", at=10 * MINUTE_MS)]
    readings = watched(signals, until=3 * HOUR_MS)
    assert [(minute, reading.nodes) for minute, reading in zip(minutes_of(readings), readings, strict=True)] == [
        (1, 1),
        (11, 1),
        (60, 3),
        (70, 5),
    ]


def test_a_root_that_nobody_saw_is_told_as_missing() -> None:
    """Nothing waits for it; it counts, with a flag, until it is seen."""
    signals = [act("reply", "a", "r"), act("reply", "b", "r", at=MINUTE_MS), act("post", "r", at=2 * MINUTE_MS)]
    readings = watched(signals, until=10 * MINUTE_MS)
    assert [(reading.size, reading.kind, reading.flags) for reading in readings] == [
        (2, -1, ROOT_MISSING),
        (3, -1, ROOT_MISSING),
        (3, 0, 0),
    ]


# --- ending -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2])
def test_that_a_cascade_has_ended_is_told_once_after_a_day_of_silence(size: int) -> None:
    """Of a single post too, so that histories know the small ones; what comes later has it read, but not end again."""
    late = act("share", "late", "r", at=30 * HOUR_MS)
    readings = watched([*crowd(size), late], until=5 * 24 * HOUR_MS)
    assert [(hours / 60, reading.flags) for hours, reading in zip(minutes_of(readings), readings, strict=True)][
        size - 1 :
    ] == [(24, ENDED), (30 + 1 / 60, 0)]
    assert readings[size - 1].size == size


def test_a_like_puts_the_end_off() -> None:
    """Silent is a cascade of which nothing comes, though a like does not let it grow."""
    readings = watched([*crowd(2), act("like", "l", "r", at=10 * HOUR_MS)], until=5 * 24 * HOUR_MS)
    assert minutes_of(readings) == [1, 34 * 60]


def test_a_signal_just_before_the_end_is_no_silence() -> None:
    """A tick covers what came before it, so a signal of its last millisecond counts."""
    readings = watched([*crowd(2), act("like", "l", "r", at=24 * HOUR_MS - 1)], until=5 * 24 * HOUR_MS)
    assert minutes_of(readings) == [1, 48 * 60]


def test_the_last_reading_has_passed_every_age() -> None:
    """A day of silence is the last of the benchmark ages: what ends is compared at all of them."""
    readings = watched(crowd(3), until=2 * 24 * HOUR_MS)
    assert [reading.interactions for reading in readings] == [(), (2, 2, 2, 2)]


# --- hot --------------------------------------------------------------------------------------------------------------


def test_a_large_cascade_is_read_every_ten_minutes_for_two_hours_after_it_has_grown() -> None:
    """Its infectiousness falls while nothing comes; after that it says nothing new until it ends."""
    readings = watched(crowd(50), until=30 * HOUR_MS)
    assert minutes_of(readings) == [1, *range(10, 121, 10), 24 * 60]


def test_ten_minutes_are_counted_from_when_it_began_and_two_hours_from_when_it_grew() -> None:
    """A share of minute 47 has it read in minute 48, and every ten minutes until minute 160; likes change nothing."""
    signals = [*crowd(50), act("share", "t", "r", at=47 * MINUTE_MS), act("like", "l", "r", at=100 * MINUTE_MS)]
    readings = watched(signals, until=12 * HOUR_MS)
    assert minutes_of(readings) == [1, 10, 20, 30, 40, 48, *range(50, 161, 10)]


def test_the_first_tick_of_a_cascade_that_begins_between_ticks_counts_its_age() -> None:
    """The age is that of the first tick from its beginning on."""
    readings = watched(crowd(50, at=90 * SECOND_MS), until=30 * MINUTE_MS)
    assert minutes_of(readings) == [2, 12, 22]


def test_a_cascade_below_the_size_is_not_hot() -> None:
    """There are too many small ones to read them while nothing happens."""
    assert minutes_of(watched(crowd(49), until=12 * HOUR_MS)) == [1]


# --- a season ---------------------------------------------------------------------------------------------------------


def test_a_season_has_its_own_times() -> None:
    """At a sixtieth all durations are: a tick each second, hot every ten seconds for two minutes, a day of 24 min."""
    timing = timing_of(Rules(scale=1 / 60), span_ms=7 * DAY_MS // 60)
    assert timing == CascadeTiming(
        tick_ms=SECOND_MS,
        unit_ms=5 * SECOND_MS,
        orphan_ms=MINUTE_MS,
        silence_ms=24 * MINUTE_MS,
        followers_imputed=100,
        hot_size=50,
    )
    readings = watched([*crowd(50), act("reply", "o", "missing", at=0)], timing, until=30 * MINUTE_MS)
    assert [round(minute * 60) for minute in minutes_of(readings)] == [1, *range(10, 121, 10), 24 * 60]
    # The orphan is given up after a minute, which is one of the hot ticks.
    assert [EDGES[reading.edge] for reading in readings] == ["observed"] * 6 + ["inferred"] * 8


def test_a_cascade_ends_before_its_conversation_is_forgotten() -> None:
    """Where conversations are remembered for less than the silence, the end is told a tick before they go."""
    assert timing_of(Rules(), span_ms=HOUR_MS).silence_ms == HOUR_MS - MINUTE_MS
    assert timing_of(Rules(), span_ms=SECOND_MS).silence_ms == 1


# --- looking only when something is due -------------------------------------------------------------------------------

kinds = st.sampled_from(("reply", "quote", "share", "like"))
acts = st.lists(
    st.tuples(kinds, st.integers(0, 90 * 60), st.integers(0, 12), st.sampled_from(("create", "create", "undo"))),
    max_size=14,
)


@given(acts, st.booleans())
def test_looking_when_something_is_due_tells_what_looking_at_every_tick_tells(
    drawn: list[tuple[Kind, int, int, Any]], is_root_seen: bool
) -> None:
    """`next_due_ms` leaves out no tick that has something to tell."""
    signals = [act("post", "r")] if is_root_seen else [act("reply", "first", "r")]
    for number, (kind, second, on, op) in enumerate(sorted(drawn, key=lambda one: one[1])):
        # Some are on what has come, some on what comes later or never.
        name = f"p{on}" if op == "undo" else f"p{number}"
        signals.append(act(kind, name, f"p{on}" if on < 10 else "r", at=second * SECOND_MS, op=op))

    readings = watched(signals, EAGER, until=5 * HOUR_MS)
    assert readings == watched(signals, EAGER, until=5 * HOUR_MS, at_every_tick=True)
    assert sum(reading.flags & ENDED > 0 for reading in readings) == 1
