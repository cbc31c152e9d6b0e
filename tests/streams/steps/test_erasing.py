"""An erased actor is named nowhere: not in tables, not in what is told; and what was counted stays counted."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.signal import AT_MS_MIN, Erasure, Signal
from streams.steps.attribute import AttributeStep
from streams.steps.follow import FollowStep
from streams.steps.pipeline import Outcome, Pipeline
from streams.steps.watch import WatchStep
from tests.streams.steps.logs import (
    DAY_MS,
    MINUTE_MS,
    START_MS,
    Entry,
    arrivals,
    in_bytes,
    random_log,
    registry,
    remember,
)

HOUR_MS = 60 * MINUTE_MS
CANARY = "canary-c4f1"
REGISTRY = registry(member={"events_min": 2, "days_min": 1})

seeds = st.integers(0, 2**32)


class Tables:
    """The three steps one after the other, and the rows that a table of each would hold."""

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        self.pipeline = pipeline or Pipeline(REGISTRY)
        self.steps: tuple[AttributeStep | FollowStep | WatchStep, ...] = (
            self.pipeline.attribute,
            self.pipeline.follow,
            self.pipeline.watch,
        )
        self.rows: tuple[dict[str, bytes], ...] = ({}, {}, {})
        self.resumed = tuple(step.resume() for step in self.steps)
        self.outcomes: list[Outcome] = []
        self.read = 0

    def take(self, log: Sequence[Entry]) -> "Tables":
        """Take what comes next, with a checkpoint behind it."""
        batch = arrivals(log, first_offset=self.read)
        self.read += len(log)
        self.outcomes.append(self.pipeline.advance(batch, next_offset=self.read))
        for rows, step in zip(self.rows, self.steps, strict=True):
            remember(rows, step.changed_rows())
        self.resumed = tuple(step.resume() for step in self.steps)
        return self

    def restarted(self) -> "Tables":
        """Return the tables of another process, which knows what these rows say and has read the rest again."""
        again = Tables()
        for step, rows, (offset, frontier, context) in zip(again.steps, self.rows, self.resumed, strict=True):
            step.restore(dict(rows).items(), offset=offset, frontier=frontier, context=context)
        again.rows = tuple(dict(rows) for rows in self.rows)
        again.read = self.resumed[0][0]
        return again

    def naming(self, name: str) -> list[str]:
        """Return the first letters of the rows that name somebody, step by step."""
        found = {
            f"{number}{key[:2]}"
            for number, rows in enumerate(self.rows)
            for key, value in rows.items()
            if name in key or name.encode() in value
        }
        return sorted(found)

    def told(self) -> bytes:
        """Return all that others read of what was told."""
        parts: Iterable[object] = (
            one
            for outcome in self.outcomes
            for some in (outcome.vitals, outcome.cascades, outcome.alerts, outcome.rejections, outcome.late)
            for one in some
        )
        return b"\n".join(in_bytes(parts))


def act(name: str, at_ms: int, actor: str = CANARY, **fields: Any) -> Signal:
    """Return a post on a topic, some milliseconds after the start."""
    signal = Signal(name, "n", "post", START_MS + at_ms, actor, source="left", post=f"p{name}", tags=("higgs",))
    return msgspec.structs.replace(signal, **fields)


def erasure(at_ms: int, actor: str = CANARY) -> Erasure:
    """Return the erasure of an actor, some milliseconds after the start."""
    return Erasure(actor, "n", START_MS + at_ms)


def end(at_ms: int) -> list[Entry]:
    """Return signals of both sources that let the watermark pass an instant after the start, with a minute to spare."""
    at_ms += MINUTE_MS
    return [act(f"end {side} {at_ms}", at_ms, "somebody", source=side, tags=()) for side in ("left", "right")]


def acted() -> list[Entry]:
    """Return what leaves the name in every table that can hold one, a pane of a topic being open still."""
    share = act("share", 2_500, "bo", kind="share", post="ps0", parent="ps0", root="ps0", tags=())
    first: list[Entry] = [act("s0", 0), act("s1", 1_000), act("s2", 2_000), share, act("s3", 3_000)]
    # By then its cascades have ended, so that it is remembered as an author.
    later: list[Entry] = [act("t0", 3 * HOUR_MS), act("t1", 3 * HOUR_MS + 1)]
    unseen = act("reply", 3 * HOUR_MS + 7, "bo", kind="reply", parent="gone", root="gone", root_actor=CANARY)
    return [*first, *end(2 * HOUR_MS), *later, unseen, act("open", NOW_MS), *end(NOW_MS - MINUTE_MS + 10_001)]


NOW_MS = 3 * HOUR_MS + 100
LATER_MS = NOW_MS + 30_000
"""Before the pane is closed that is open when all of `acted` has been said."""


def test_a_name_lies_in_conversations_caps_memberships_histories_and_open_panes() -> None:
    """What is claimed of erasure is claimed of these rows: with none of them it would say nothing."""
    assert Tables().take(acted()).naming(CANARY) == ["0c|", "1m|", "1u|", "1v|", "2o|"]


@pytest.mark.parametrize("at_ms", [LATER_MS, NOW_MS, AT_MS_MIN - START_MS], ids=["in its turn", "late", "at once"])
def test_behind_the_next_checkpoint_no_row_names_who_was_erased(at_ms: int) -> None:
    """Also where an erasure comes behind the watermark, or says no time of its own."""
    held = Tables().take([*acted(), erasure(at_ms), *end(LATER_MS - MINUTE_MS + 10_001)])

    assert held.naming(CANARY) == []
    assert held.naming("bo") != []


def test_what_was_counted_stays_and_what_comes_is_refused() -> None:
    """The same windows with and without the erasure; later acts count in the ledger as an erased actor's."""
    more = [act("again", LATER_MS + 1), act("answer", LATER_MS + 2, kind="reply", parent="ps0", root="ps0")]
    beyond = end(LATER_MS + 5 * MINUTE_MS)
    kept = Tables().take([*acted(), *end(LATER_MS), *beyond])
    erased = Tables().take([*acted(), erasure(LATER_MS), *more, *end(LATER_MS), *beyond])

    counted = [[one.windows["24h"].signals for one in some.outcomes[0].vitals] for some in (kept, erased)]
    assert counted[0] == counted[1]
    assert [one.windows["24h"].actors for one in kept.outcomes[0].vitals] == [
        one.windows["24h"].actors for one in erased.outcomes[0].vitals
    ]
    assert erased.pipeline.ledger.erased == len(more)
    assert erased.naming(CANARY) == []


def test_nothing_that_others_say_brings_a_name_back() -> None:
    """A reply to a post that nobody saw names its author, and so does a late one; both are told without."""
    held = Tables().take([*acted(), erasure(LATER_MS), *end(LATER_MS)])
    named = {"parent_actor": CANARY, "root_actor": CANARY, "parent": "unseen", "root": "unseen"}
    held.take([act("r1", LATER_MS + 2 * MINUTE_MS, "bo", kind="reply", **named), act("r0", 0, "bo", **named)])
    held.take([act("own", 1), *end(LATER_MS + 3 * MINUTE_MS)])

    assert [one.signal.id for one in held.outcomes[1].late] == ["r0"]
    assert not held.outcomes[2].late
    assert CANARY.encode() not in held.told()
    assert held.naming(CANARY) == []


def test_a_late_signal_is_told_nowhere_whose_actor_is_about_to_be_erased() -> None:
    """The erasure waits for its turn; what was said in the meantime from long ago must not be told aside before it."""
    held = Tables().take([*acted(), erasure(LATER_MS), act("old", 0), act("other", 0, "bo")])

    assert [one.signal.id for one in held.outcomes[0].late] == ["other"]
    assert held.pipeline.ledger.waiting() == len(held.pipeline.attribute)


def test_what_is_told_of_a_late_signal_does_not_depend_on_where_batches_end() -> None:
    """Whether the erasure had its turn before the late reply is read is a matter of batches; both name nobody."""
    named = {"parent_actor": CANARY, "root_actor": CANARY, "parent": "unseen", "root": "unseen"}
    reply = act("r0", 0, "bo", kind="reply", **named)
    log = [*acted(), erasure(MINUTE_MS), act("later", LATER_MS, "bo"), reply]
    whole, cut = Tables().take(log), Tables().take(log[:-1]).take(log[-1:])

    assert whole.outcomes[0].late == cut.outcomes[1].late
    assert [(one.signal.id, one.signal.root_actor) for one in whole.outcomes[0].late] == [("r0", None)]


def test_after_the_time_that_is_set_a_name_is_one_like_any_other() -> None:
    """Whoever comes back by then is somebody new; and what was remembered of the erasure is gone from the table."""
    held = Tables().take([*acted(), erasure(LATER_MS), *end(LATER_MS)])
    assert [key[:2] for key in held.rows[0]].count("e|") == 1
    day_ms = LATER_MS + 30 * DAY_MS
    held.take([act("still", day_ms), act("new", day_ms + 1), *end(day_ms + DAY_MS), *end(day_ms + 2 * DAY_MS)])

    assert held.pipeline.ledger.erased == 1
    assert [key[:2] for key in held.rows[0]].count("e|") == 0


def test_an_actor_of_the_same_name_on_another_network_goes_on() -> None:
    """The network tells people of one name apart where signals are refused."""
    log = [*acted(), Erasure(CANARY, "m", START_MS + LATER_MS), act("more", LATER_MS + 1), *end(LATER_MS)]

    assert Tables().take(log).pipeline.ledger.erased == 0


@given(seeds)
@settings(max_examples=8)
def test_whenever_an_actor_is_erased_no_row_and_nothing_told_names_it_from_then_on(seed: int) -> None:
    """Random logs with changes, an erasure anywhere, once or twice, and a restart anywhere behind it or before."""
    random = Random(seed)
    log = [_as_canary(entry) for entry in random_log(random, changed=0.2)]
    at = random.randrange(len(log) - 2)
    erased_ms = next((entry.at for entry in reversed(log[:at]) if isinstance(entry, Signal)), START_MS)
    cut = random.randrange(len(log))
    log.insert(at, Erasure(CANARY, "n", erased_ms))
    once = Tables().take(log)
    twice = Tables().take([*log[:at], log[at], *log[at:]])
    before = Tables().take(log[:cut])
    after = before.restarted()
    after.take(log[after.read :])

    assert once.naming(CANARY) == twice.naming(CANARY) == after.naming(CANARY) == []
    assert CANARY.encode() not in once.told()
    assert twice.rows == once.rows
    assert [outcome[:3] for outcome in twice.outcomes] == [outcome[:3] for outcome in once.outcomes]


def _as_canary(entry: Entry) -> Entry:
    """Return a signal with one actor of the random ones renamed."""
    if not isinstance(entry, Signal):
        return entry
    names = {"actor1": CANARY}
    root_actor = None if entry.root_actor is None else names.get(entry.root_actor, entry.root_actor)
    return msgspec.structs.replace(entry, actor=names.get(entry.actor, entry.actor), root_actor=root_actor)
