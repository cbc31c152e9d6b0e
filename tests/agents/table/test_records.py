"""Claims about the records of a changelog: their shape, and that no other is ever guessed at."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.table import MARK_BITS, Change, Recovery, Table, TableError
from schemas.rows import ROW_VERSION, CheckpointRow, EpochSpan, StoredRow
from tests.agents.table.changelog import WHERE, checkpoint_row, records, recovered

SHORT = "Expected `array` of at least length 10, got 4"
ADVICE = "run the release that wrote it, or replay into a new namespace"


def encoded(*values: object) -> bytes:
    """Pack a record of any shape."""
    return msgspec.msgpack.encode(values)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (
            b"0a",
            encoded(1, 1, 1, b"v"),
            f"{WHERE}: expected a row of version {ROW_VERSION}, got version 1; {ADVICE}",
        ),
        (
            b"0a",
            encoded(1, {"another": "shape"}),
            f"{WHERE}: expected a row of version {ROW_VERSION}, got version 1; {ADVICE}",
        ),
        (
            b"1!checkpoint",
            encoded(7),
            f"{WHERE}: expected a checkpoint of version {ROW_VERSION}, got version 7; {ADVICE}",
        ),
        (
            b"0a",
            encoded(ROW_VERSION, 1, 1, "text"),
            f"{WHERE}: expected a row of version {ROW_VERSION}, got Expected `bytes | null`, got `str` - at `$[3]`",
        ),
        (
            b"0!checkpoint",
            encoded(ROW_VERSION, "t", 1, 1),
            f"{WHERE}: expected a checkpoint of version {ROW_VERSION}, got {SHORT}",
        ),
        (b"0a", b"", f"{WHERE}: expected a row of version {ROW_VERSION}, got Input data was truncated"),
        (
            b"0!checkpoint",
            b"\x9b" + msgspec.msgpack.encode(ROW_VERSION) + b"\xa1\xff",
            (
                f"{WHERE}: expected a checkpoint of version {ROW_VERSION}, got 'utf-8' codec can't decode byte 0xff in "
                "position 0: invalid start byte"
            ),
        ),
        (
            b"9a",
            b"",
            f"{WHERE}: expected a key that begins with 0 or 1, got b'9a'; nothing else may write here",
        ),
        (
            None,
            b"",
            f"{WHERE}: expected a key that begins with 0 or 1, got None; nothing else may write here",
        ),
    ],
)
def test_what_is_no_row_of_this_version_is_refused(key: bytes | None, value: bytes, text: str) -> None:
    """State is never guessed: the message says what came, where, and what to do."""
    with pytest.raises(TableError) as caught:
        Recovery(where=WHERE).feed(key, value)

    assert str(caught.value) == text


def test_a_row_that_is_given_twice_counts_as_given_last() -> None:
    """A step may tell a row more than once in one checkpoint; the changelog holds it once."""
    table = Table(step="t", generation=1)
    log = [*table.changes([("a", b"1"), ("a", b"2")]), table.checkpoint(checkpoint_row(1))]

    assert len(log) == 2
    assert recovered(log).rows() == [("a", b"2")]


def test_the_end_of_a_row_that_never_was_is_not_written() -> None:
    """Nothing is told of what nobody has ever read."""
    assert Table(step="t", generation=1).changes([("a", None)]) == []


def test_recovered_tables_say_how_many_rows_they_hold() -> None:
    """The number of rows is a metric."""
    log = records(Table(step="t", generation=1), {"a": b"1", "b": b"2"})

    assert len(Table(step="t", generation=2, recovery=recovered(log))) == 2


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | st.binary(max_size=9)), max_size=8),
    st.integers(0, 8),
)
def test_the_bytes_of_a_table_follow_what_is_written(told: list[dict[str, bytes | None]], handed_over_at: int) -> None:
    """They are summed up as rows change, by whoever owns the table; here they are counted anew each time."""
    table, log, rows = Table(step="t", generation=1), list[Change](), dict[str, bytes]()
    for number, changed in enumerate(told):
        if number == handed_over_at:
            table = Table(step="t", generation=2, recovery=recovered(log))
        log += records(table, changed)
        rows = {key: value for key, value in (rows | changed).items() if value is not None}

        assert table.size_bytes == sum(len(key) + len(value) for key, value in rows.items())


def test_records_of_rows_carry_their_epoch_and_checkpoint() -> None:
    """The envelope is wire: whoever reads a changelog with another tool finds this."""
    table = Table(step="t", generation=3)
    row, checkpoint = records(table, {"a": b"1"}, offset=9)

    assert row.value is not None
    assert checkpoint.value is not None
    assert msgspec.msgpack.decode(row.value, type=StoredRow) == StoredRow(
        version=ROW_VERSION, epoch=4 << MARK_BITS, seq=1, value=b"1"
    )
    told = msgspec.msgpack.decode(checkpoint.value, type=CheckpointRow)
    assert (told.epoch, told.seq, told.offset, told.epochs) == (
        4 << MARK_BITS,
        1,
        9,
        (EpochSpan(epoch=4 << MARK_BITS, after_seq=0),),
    )
