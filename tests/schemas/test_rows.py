"""Check the rows of tables: they come back as they were stored, and rows of an earlier release still decode."""

import inspect

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas import rows
from schemas.lifecycle_rows import LifecycleRow
from schemas.rows import (
    CheckpointRow,
    EpochSpan,
    KnownCascadeRow,
    OpenPaneRow,
    RecentIdsRow,
    SourceClockRow,
    SourceRow,
    StoredRow,
    TopicCascadesRow,
    TopicRow,
)

NUMBERS = st.integers(-(2**63), 2**63 - 1)
WORDS = st.text(max_size=6)
PARTS = st.none() | st.floats(0, 1e9)
KNOWN = st.builds(KnownCascadeRow, *[NUMBERS] * 4, *[PARTS] * 8, WORDS, NUMBERS)
MANY_NUMBERS = st.lists(NUMBERS, max_size=4).map(tuple)
MANY_WORDS = st.lists(WORDS, max_size=4).map(tuple)
SOURCES = st.builds(SourceRow, NUMBERS, NUMBERS, NUMBERS)
SPANS = st.builds(EpochSpan, NUMBERS, NUMBERS)
ROWS: dict[type[msgspec.Struct], SearchStrategy[msgspec.Struct]] = {
    StoredRow: st.builds(StoredRow, NUMBERS, NUMBERS, NUMBERS, st.none() | st.binary(max_size=20)),
    SourceRow: SOURCES,
    SourceClockRow: st.builds(SourceClockRow, NUMBERS, NUMBERS, st.dictionaries(WORDS, SOURCES, max_size=3)),
    EpochSpan: SPANS,
    CheckpointRow: st.builds(
        CheckpointRow,
        version=NUMBERS,
        step=WORDS,
        epoch=NUMBERS,
        seq=NUMBERS,
        offset=NUMBERS,
        frontier=st.tuples(NUMBERS, WORDS),
        context=st.binary(max_size=20),
        partitions=NUMBERS,
        origins=NUMBERS,
        epochs=st.lists(SPANS, max_size=3).map(tuple),
        channel_id=WORDS,
    ),
    RecentIdsRow: st.builds(RecentIdsRow, MANY_WORDS, MANY_NUMBERS),
    TopicRow: st.builds(
        TopicRow, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.builds(LifecycleRow, WORDS), st.binary(max_size=20), NUMBERS
    ),
    OpenPaneRow: st.builds(OpenPaneRow, MANY_NUMBERS, st.dictionaries(WORDS, NUMBERS, max_size=3)),
    KnownCascadeRow: KNOWN,
    TopicCascadesRow: st.builds(TopicCascadesRow, st.dictionaries(WORDS, KNOWN, max_size=3)),
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
        for _, kind in inspect.getmembers(rows, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__module__ == rows.__name__
    }

    assert shapes == set(ROWS)
    assert all(kind.__struct_config__.array_like for kind in shapes)


def test_rows_of_an_earlier_release_still_decode() -> None:
    """Fields come last with a default, so an array that ends early is complete."""
    checkpoint = [1, "attribute", 2, 3, 4, [5, "i"], b"context", 4, 4, [[1, 9]]]
    topic = [60_000, 1, 2, 3, []]

    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(checkpoint), type=CheckpointRow)

    assert (restored.frontier, restored.epochs, restored.channel_id) == ((5, "i"), (EpochSpan(1, 9),), "")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([]), type=SourceClockRow) == SourceClockRow(0, 0, {})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(topic), type=TopicRow).told == b""


def test_an_ended_row_is_told_apart_from_an_empty_one() -> None:
    """Nothing and empty are two things: one takes the row out of the table, the other is its value."""
    ended, empty = (msgspec.msgpack.encode(StoredRow(1, 2, 3, value)) for value in (None, b""))

    assert msgspec.msgpack.decode(ended, type=StoredRow).value is None
    assert msgspec.msgpack.decode(empty, type=StoredRow).value == b""
