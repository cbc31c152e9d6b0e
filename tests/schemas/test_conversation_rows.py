"""Rows of conversations keep what they are given and fit into a record."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import conversation_rows
from schemas.conversation_rows import CascadeTiming, ConversationRow, NodesRow, PaceRow
from schemas.rows import ROW_BYTES_MAX, StoredRow
from schemas.virality_rows import CascadeNodesRow

LARGEST = 2**63 - 1
NUMBERS = st.integers(-(2**63), LARGEST)
WORDS = st.text(max_size=6)
MANY_NUMBERS = st.lists(NUMBERS, max_size=4).map(tuple)
BYTES = st.binary(max_size=20)
TIMINGS = st.builds(CascadeTiming, *(NUMBERS for _ in CascadeTiming._fields))
ROWS: dict[type[msgspec.Struct], st.SearchStrategy[msgspec.Struct]] = {
    ConversationRow: st.builds(
        ConversationRow,
        began_ms=NUMBERS,
        last_at_ms=NUMBERS,
        grown_ms=NUMBERS,
        network=WORDS,
        timing=TIMINGS,
        root_actor=st.none() | WORDS,
        root_seen=st.booleans(),
        root_kind=NUMBERS,
        root_followers=st.none() | NUMBERS,
        topics=st.lists(WORDS, max_size=4).map(tuple),
        root_mask=NUMBERS,
        brand_mask=NUMBERS,
        shares=NUMBERS,
        interactions=NUMBERS,
        benchmarks=MANY_NUMBERS,
        has_ended=st.booleans(),
    ),
    NodesRow: st.builds(NodesRow, st.builds(CascadeNodesRow, NUMBERS, BYTES, BYTES, BYTES, BYTES, NUMBERS), BYTES),
    PaceRow: st.builds(PaceRow, MANY_NUMBERS, MANY_NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
}


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_row_comes_back_as_it_was_stored(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """A table gives back what was put into it."""
    row = data.draw(ROWS[kind])

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=kind) == row


def test_every_row_is_checked_here_and_is_an_array() -> None:
    """A row that is added must be added here; field names would double what tables weigh."""
    shapes = {
        kind
        for kind in vars(conversation_rows).values()
        if isinstance(kind, type(msgspec.Struct)) and kind.__module__ == conversation_rows.__name__
    }

    assert shapes == set(ROWS)
    assert all(kind.__struct_config__.array_like for kind in shapes)


def test_a_conversation_that_has_nothing_but_a_beginning_decodes() -> None:
    """Fields come last with a default, so an array that ends early is complete; the timing is a tuple of its own."""
    head = msgspec.msgpack.encode([1, 2, 3, "n", [60_000, 300_000, 3_600_000, 86_400_000, 100, 50]])

    row = msgspec.msgpack.decode(head, type=ConversationRow)

    assert (row.began_ms, row.last_at_ms, row.grown_ms, row.timing.silence_ms) == (1, 2, 3, 86_400_000)
    assert (row.root_actor, row.root_kind, row.topics, row.benchmarks, row.has_ended) == (None, -1, (), (), False)


def test_fullest_rows_stay_below_the_limit() -> None:
    """A record that is too large would stop its partition for ever: ids are as long as they may be, numbers as well."""
    topic = "b" * 64 + "/" + "t" * 64
    fullest: list[msgspec.Struct] = [
        ConversationRow(
            began_ms=LARGEST,
            last_at_ms=LARGEST,
            grown_ms=LARGEST,
            network="n" * 512,
            timing=CascadeTiming(*(LARGEST for _ in CascadeTiming._fields)),
            root_actor="a" * 512,
            root_kind=LARGEST,
            root_followers=LARGEST,
            topics=(topic,) * 32,
            root_mask=2**32 - 1,
            brand_mask=2**32 - 1,
            shares=LARGEST,
            interactions=LARGEST,
            benchmarks=(LARGEST,) * 4,
        ),
        # 256 nodes: 8 bytes for each id, 2 for its parent, 4 for its time, 1 for flags, and 8 for what it passes on.
        NodesRow(CascadeNodesRow(LARGEST, b"x" * 2_048, b"x" * 512, b"x" * 1_024, b"x" * 256, LARGEST), b"x" * 2_048),
        PaceRow((LARGEST,) * 121, (2**32 - 1,) * 121, LARGEST, LARGEST, LARGEST, LARGEST),
    ]

    stored = [StoredRow(LARGEST, LARGEST, LARGEST, msgspec.msgpack.encode(row)) for row in fullest]
    assert all(len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX for row in stored)
