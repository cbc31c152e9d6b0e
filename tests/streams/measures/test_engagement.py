"""What a signal is worth, and that nobody is worth more than the cap in an hour."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.measure_rows import ActorCapRow, SpentRow
from schemas.rules import HOUR_MS, EngagementRules
from schemas.signal import KINDS
from streams.measures.engagement import ENDED_ROWS_MIN, ActorCap, Weights, weights_of

DEFAULT = weights_of(EngagementRules(), hour_ms=HOUR_MS)
POST = KINDS.index("post")


def test_weights_are_thousandths_in_the_order_of_kinds() -> None:
    """The defaults of MEASURES §2: post, reply, share 1, quote 1.5, like 0.2, follow 0.5, cap 5."""
    expected = {"post": 1000, "reply": 1000, "quote": 1500, "share": 1000, "like": 200, "follow": 500}

    assert dict(zip(KINDS, DEFAULT.by_kind, strict=True)) == expected
    assert DEFAULT.cap == 5000


acts = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 60_000, 1_799_999, HOUR_MS, 5 * HOUR_MS]),
        st.sampled_from(["ana", "bo"]),
        st.sampled_from(["b/t", "b/u"]),
        st.integers(0, len(KINDS) - 1),
    ),
    max_size=60,
)


@given(acts)
def test_units_of_an_hour_are_the_sum_of_weights_cut_at_the_cap(run: list[tuple[int, str, str, int]]) -> None:
    """Per actor, topic and clock hour: min(cap, sum of weights), and never less than nothing for one signal."""
    cap, at_ms = ActorCap(), 17
    counted, whole = defaultdict[tuple[str, str, int], int](int), defaultdict[tuple[str, str, int], int](int)
    for gap_ms, actor, topic, kind in run:
        at_ms += gap_ms
        units = cap.units(actor=actor, topic=topic, kind=kind, at_ms=at_ms, weights=DEFAULT)
        counted[actor, topic, at_ms // HOUR_MS] += units
        whole[actor, topic, at_ms // HOUR_MS] += DEFAULT.by_kind[kind]

        assert 0 <= units <= DEFAULT.by_kind[kind]
    assert counted == {key: min(5000, total) for key, total in whole.items()}


def test_bot_with_ten_thousand_posts_counts_five() -> None:
    """One loud actor is no community, and costs one entry."""
    cap = ActorCap()
    units = [cap.units(actor="bot", topic="b/t", kind=POST, at_ms=i, weights=DEFAULT) for i in range(10_000)]

    assert sum(units) == 5000
    assert cap.changed_rows() == [("bot", ActorCapRow((SpentRow("b/t", HOUR_MS, 0, 5000),)))]


def test_topics_may_have_hours_of_different_lengths() -> None:
    """A topic with scaled rules turns its hour without touching the others."""
    cap, fast = ActorCap(), Weights(by_kind=DEFAULT.by_kind, cap=1000, hour_ms=1_000)
    slow = Weights(by_kind=DEFAULT.by_kind, cap=1000, hour_ms=HOUR_MS)

    def post(topic: str, at_ms: int, weights: Weights) -> int:
        return cap.units(actor="ana", topic=topic, kind=POST, at_ms=at_ms, weights=weights)

    assert [post("fast", 0, fast), post("slow", 0, slow)] == [1000, 1000]
    assert [post("fast", 1_000, fast), post("slow", 1_000, slow)] == [1000, 0]


def test_turned_hour_ends_rows_once_and_only_those_that_were_told() -> None:
    """The table holds the current hour, not everybody who ever acted."""
    cap = ActorCap()
    cap.units(actor="ana", topic="b/t", kind=POST, at_ms=0, weights=DEFAULT)
    cap.changed_rows()
    cap.units(actor="bo", topic="b/t", kind=POST, at_ms=1, weights=DEFAULT)
    cap.expire(HOUR_MS - 1)
    before = len(cap.changed_rows())
    cap.units(actor="cy", topic="b/t", kind=POST, at_ms=2, weights=DEFAULT)
    cap.expire(HOUR_MS)

    assert before == 1
    assert cap.changed_rows() == [("ana", None), ("bo", None)]
    assert cap.changed_rows() == []


def test_rows_of_a_large_hour_are_ended_bit_by_bit() -> None:
    """No checkpoint ends a whole hour, yet every row of it is ended once, but for those who have acted again."""
    cap, crowd = ActorCap(), 5 * ENDED_ROWS_MIN // 2
    for number in range(crowd):
        cap.units(actor=f"a{number:05}", topic="b/t", kind=POST, at_ms=number, weights=DEFAULT)
    table = dict(cap.changed_rows())
    cap.expire(HOUR_MS)
    last = f"a{crowd - 1:05}"
    cap.units(actor=last, topic="b/t", kind=POST, at_ms=HOUR_MS, weights=DEFAULT)
    told = [cap.changed_rows() for _ in range(4)]
    ended = [actor for rows in told for actor, row in rows if row is None]

    assert [len(rows) for rows in told] == [ENDED_ROWS_MIN + 1, ENDED_ROWS_MIN, crowd - 2 * ENDED_ROWS_MIN - 1, 0]
    assert sorted(ended) == sorted(table.keys() - {last})
    assert told[0][-1] == (last, ActorCapRow((SpentRow("b/t", HOUR_MS, 1, 1000),)))


def test_rows_that_were_still_to_be_ended_are_ended_after_a_restart() -> None:
    """A worker may be restarted while it ends the rows of an hour; the next one goes on with those that are left."""
    cap, crowd = ActorCap(), 2 * ENDED_ROWS_MIN
    for number in range(crowd):
        cap.units(actor=f"a{number:05}", topic="b/t", kind=POST, at_ms=number, weights=DEFAULT)
    table = dict(cap.changed_rows())
    cap.units(actor="late", topic="b/t", kind=POST, at_ms=HOUR_MS, weights=DEFAULT)
    table |= cap.changed_rows()
    restored = ActorCap()
    restored.restore([(actor, row) for actor, row in table.items() if row is not None])
    for _ in range(3):
        table |= restored.changed_rows()

    assert [actor for actor, row in table.items() if row is not None] == ["late"]


def test_actor_who_goes_on_in_the_next_hour_keeps_the_row() -> None:
    """The row is written anew, not ended."""
    cap = ActorCap()
    cap.units(actor="ana", topic="b/t", kind=POST, at_ms=0, weights=DEFAULT)
    cap.changed_rows()
    cap.units(actor="ana", topic="b/u", kind=POST, at_ms=HOUR_MS, weights=DEFAULT)

    assert cap.changed_rows() == [("ana", ActorCapRow((SpentRow("b/u", HOUR_MS, 1, 1000),)))]


@pytest.mark.parametrize("backwards", [False, True])
def test_restored_rows_of_an_hour_gone_by_are_ended(backwards: bool) -> None:
    """A crash between the turn of the hour and the next checkpoint leaves old rows; they must not stay for ever."""
    rows = [
        ("ana", ActorCapRow((SpentRow("b/t", HOUR_MS, 0, 5000),))),
        ("bo", ActorCapRow((SpentRow("b/t", HOUR_MS, 1, 4500),))),
    ]
    cap = ActorCap()
    cap.restore(rows[::-1] if backwards else rows)

    assert cap.changed_rows() == [("ana", None)]
    assert cap.units(actor="ana", topic="b/t", kind=POST, at_ms=HOUR_MS, weights=DEFAULT) == 1000
    assert cap.units(actor="bo", topic="b/t", kind=POST, at_ms=HOUR_MS, weights=DEFAULT) == 500


def test_hour_that_comes_back_is_refused() -> None:
    """What an actor spent in an hour gone by is forgotten, so an answer would be a guess."""
    cap = ActorCap()
    cap.units(actor="ana", topic="b/t", kind=POST, at_ms=HOUR_MS, weights=DEFAULT)

    with pytest.raises(ValueError, match="expected hour 1 or later, got 0: feed it in stamp order"):
        cap.units(actor="ana", topic="b/t", kind=POST, at_ms=HOUR_MS - 1, weights=DEFAULT)
