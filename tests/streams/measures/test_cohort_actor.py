"""What is remembered of a member is what counts, no more, and it survives its row."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.cohort_rows import CohortActorRow
from streams.measures.before_after import Rates
from streams.measures.cohort_actor import DAY_ACTS_MAX, USES_MAX, CohortActor

DAY_MS = 100


def acted(*instants_ms: int, tags: tuple[str, ...] = ()) -> CohortActor:
    """Return a member that did something on topic at some instants."""
    actor = CohortActor()
    for at_ms in instants_ms:
        actor.last_ms = at_ms
        actor.act(at_ms, day_ms=DAY_MS, tags=tags, may_return=False)
    return actor


def left(actor: CohortActor, at_ms: int) -> tuple[int, int, int]:
    """Return acts, time and uses of tags before an actor leaves."""
    actor.leave(at_ms, day_ms=DAY_MS)
    assert actor.before is not None
    return actor.before.acts, actor.before.span_ms, len(actor.before.tags) // 4


def test_history_begins_with_an_act_that_does_not_count() -> None:
    """Three acts in 60 ms, seen because of the first one: two in the time since."""
    assert left(acted(1_000, 1_020, 1_050), 1_060) == (2, 60, 0)


def test_fourteen_days_count_the_running_one_included() -> None:
    """From day 7 on at 50 ms of day 20: the acts of day 6 are too old, and so is the beginning."""
    assert left(acted(600, 610, 700, 1_500), 2_050) == (2, 1_350, 0)


def test_who_was_never_on_topic_has_nothing_to_be_compared_with() -> None:
    """No acts in no time is no rate."""
    actor = CohortActor()

    assert left(actor, 1_000) == (0, 0, 0)
    actor.act(1_200, day_ms=DAY_MS, tags=(), may_return=True)
    assert actor.back_ms == 1_200
    assert not actor.is_comparable(5_000, day_ms=DAY_MS)


def test_a_day_and_the_uses_of_tags_are_bounded() -> None:
    """Who floods counts 50 acts in a day and its last 32 uses of tags."""
    actor = acted(*[1_000] * 500, tags=("#a", "#b"))

    assert left(actor, 1_100) == (DAY_ACTS_MAX, 100, USES_MAX)


def test_return_begins_a_new_history() -> None:
    """What was said before and while away is none of how it is since."""
    actor = acted(1_000, 1_010, 1_020, tags=("#a",))
    actor.leave(1_150, day_ms=DAY_MS)
    actor.act(1_160, day_ms=DAY_MS, tags=["#b"], may_return=False)
    for at_ms in (1_300, 1_310, 1_350):
        actor.act(at_ms, day_ms=DAY_MS, tags=["#c", "#c"], may_return=True)
    before, after = actor.uses_of_tags(1_400, day_ms=DAY_MS)

    assert actor.back_ms == 1_300
    assert actor.rates(1_400, day_ms=DAY_MS) == Rates(2, 150, 2, 100)
    assert (len(before), len(after)) == (3, 3)
    assert not actor.is_comparable(1_399, day_ms=DAY_MS)
    assert actor.is_comparable(1_400, day_ms=DAY_MS)


def test_what_was_before_stands_until_the_return() -> None:
    """Who leaves with a second cohort without having returned to the first was away in between."""
    actor = acted(1_000, 1_010, 1_020)
    before = left(actor, 1_150)
    actor.settle()
    again = left(actor, 2_000)
    actor.settle()
    actor.act(2_100, day_ms=DAY_MS, tags=(), may_return=False)
    actor.act(2_150, day_ms=DAY_MS, tags=(), may_return=False)

    assert before == again == (2, 150, 0)
    assert left(actor, 2_200) == (1, 100, 0)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.lists(st.sampled_from("abcdef"), max_size=4)), max_size=60),
    st.integers(0, 60),
    st.integers(0, 2_000),
)
def test_row_is_all_that_counts(said: list[tuple[int, list[str]]], leaves_after: int, later_ms: int) -> None:
    """An actor made of its row at any time goes on as the old one, although the row leaves out what is too old."""
    one, other, at_ms = CohortActor(), CohortActor(), 1_000
    for number, (gap_ms, tags) in enumerate(said):
        at_ms += gap_ms
        for actor in (one, other):
            actor.last_ms = at_ms
            actor.act(at_ms, day_ms=DAY_MS, tags=tags, may_return=True)
            if number == leaves_after:
                actor.leave(at_ms, day_ms=DAY_MS)
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(other.row(7, day_ms=DAY_MS)), type=CohortActorRow)
        other = CohortActor.restored(row, day_ms=DAY_MS)

        assert one.row(7, day_ms=DAY_MS) == row
    at_ms += later_ms

    assert one.tags(at_ms, day_ms=DAY_MS) == other.tags(at_ms, day_ms=DAY_MS)
    for actor in (one, other):
        actor.leave(at_ms, day_ms=DAY_MS)
    assert one.before == other.before
    assert one.rates(at_ms, day_ms=DAY_MS) == other.rates(at_ms, day_ms=DAY_MS)
