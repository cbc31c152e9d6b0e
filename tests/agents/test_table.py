"""Check that a changelog gives back exactly the last completed checkpoint, whatever was cut off, compacted or late."""

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.table import NOBODY, Change, Recovery, Table, TableError
from schemas.rows import CheckpointRow, EpochSpan, StoredRow

WHERE = "table t, partition 0"
ADVICE = "run the release that wrote it, or replay into a new namespace"

Rows = dict[str, bytes]
Log = list[Change]

keys = st.sampled_from(["a", "b", "c", "d", "e"])
values = st.none() | st.binary(max_size=3)
"""What a checkpoint does to a row: it ends, or gets a value."""
changed = st.dictionaries(keys, values, max_size=4)


def checkpoint_row(offset: int) -> CheckpointRow:
    """Make what a lane says of its input."""
    return CheckpointRow(
        version=1,
        step="t",
        epoch=0,
        seq=0,
        offset=offset,
        frontier=(offset, ""),
        context=b"",
        partitions=4,
        origins=4,
        epochs=(),
    )


def records(table: Table, rows: dict[str, bytes | None], offset: int = 0) -> Log:
    """Return all records of one checkpoint."""
    return [*table.changes(rows.items()), table.checkpoint(checkpoint_row(offset))]


def recovered(log: Log) -> Recovery:
    """Read a log as a lane does: once, and again where that is asked for."""
    reading: Recovery | None = Recovery(where=WHERE)
    while reading is not None:
        done = reading
        for key, value in log:
            done.feed(key, value)
        reading = done.again()
    return done


def compacted(log: Log) -> Log:
    """Return what compaction leaves at the least: the last record of each key."""
    last = {change.key: index for index, change in enumerate(log)}
    return [change for index, change in enumerate(log) if last[change.key] == index]


def without_tombstones(log: Log) -> Log:
    """Return what is left once Kafka has removed the tombstones too."""
    return [change for change in compacted(log) if change.value is not None]


class Owner:
    """One owner of the partition: its table, the rows as it knows them, and what it has told of them."""

    def __init__(self, log: Log, generation: int) -> None:
        self.recovery = recovered(log)
        self.table = Table(step="t", generation=generation, recovery=self.recovery)
        self.rows: Rows = dict(self.recovery.rows())

    def checkpoint(self, rows: dict[str, bytes | None], offset: int) -> tuple[Log, Rows]:
        """Return the records of one checkpoint and the rows that it leaves."""
        for key, value in rows.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        return records(self.table, rows, offset), dict(self.rows)


class Crashing(RuleBasedStateMachine):
    """One owner after the other, each cut off anywhere; compaction may take away all that it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.log: Log = []
        self.completed: Rows = {}
        self.offset = 0
        self.generation = 0
        self.owner = Owner(self.log, 0)

    @rule(rows=changed)
    def complete_a_checkpoint(self, rows: dict[str, bytes | None]) -> None:
        """Write a whole checkpoint."""
        self.offset += 1
        written, self.completed = self.owner.checkpoint(rows, self.offset)
        self.log += written

    @rule(rows=changed, cut=st.integers(0, 8), is_new_group=st.booleans())
    def crash_in_a_checkpoint(self, rows: dict[str, bytes | None], cut: int, is_new_group: bool) -> None:
        """Write some of a checkpoint, never its end; the next owner reads what is there, in a later generation or,
        where Kafka has forgotten the group, in the first one again.
        """
        written, _ = self.owner.checkpoint(rows, self.offset + 1)
        self.log += written[: min(cut, len(written) - 1)]
        self.generation = 0 if is_new_group else self.generation + 1
        self.owner = Owner(self.log, self.generation)

    @rule(with_tombstones=st.booleans())
    def compact_to_the_bone(self, with_tombstones: bool) -> None:
        """Keep only the last record of each key."""
        self.log = compacted(self.log) if with_tombstones else without_tombstones(self.log)

    @invariant()
    def reading_gives_the_last_completed_checkpoint(self) -> None:
        """The rows and the offset are those of the last checkpoint whose last record was written."""
        recovery = recovered(self.log)

        assert dict(recovery.rows()) == self.completed
        assert (recovery.checkpoint.offset if recovery.checkpoint else 0) == self.offset


class Haunted(RuleBasedStateMachine):
    """Former owners wake up and write what they had not written yet, parts or the whole of several checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.log: Log = []
        # (epoch, seq) of every completed checkpoint -> the rows and the offset that it stands for.
        self.snapshots: dict[tuple[int, int], tuple[Rows, int]] = {(0, 0): ({}, 0)}
        self.offset = 0
        self.generation = 0
        self.owner = Owner(self.log, 0)
        self.opened_at = 0
        self.has_completed = False
        self.former: list[Owner] = []

    def _write(self, owner: Owner, rows: dict[str, bytes | None], *, cut: int | None = None) -> None:
        self.offset += 1
        written, left = owner.checkpoint(rows, self.offset)
        if cut is None:
            self.snapshots[owner.table.epoch, owner.table.seq] = (left, self.offset)
            self.log += written
        else:
            self.log += written[: min(cut, len(written) - 1)]

    @rule(rows=changed)
    def complete_a_checkpoint(self, rows: dict[str, bytes | None]) -> None:
        """The present owner writes a whole checkpoint."""
        self._write(self.owner, rows)
        self.has_completed = True

    @rule(rows=changed, cut=st.none() | st.integers(0, 8))
    def change_owner(self, rows: dict[str, bytes | None], cut: int | None) -> None:
        """Another owner reads the log and takes over; the former one may go on, it does not know."""
        self.former.append(self.owner)
        self.generation += 1
        self.owner = Owner(self.log, self.generation)
        self.opened_at = len(self.log)
        self.has_completed = False

    @precondition(lambda self: self.former)
    @rule(data=st.data(), rows=changed, cut=st.none() | st.integers(0, 8))
    def a_former_owner_writes(self, data: st.DataObject, rows: dict[str, bytes | None], cut: int | None) -> None:
        """A former owner writes a whole checkpoint or a part of one; after a part it never writes again."""
        index = data.draw(st.integers(0, len(self.former) - 1))
        self._write(self.former[index], rows, cut=cut)
        if cut is not None:
            del self.former[index]

    @precondition(lambda self: self.has_completed)
    @rule()
    def compact_what_the_present_owner_has_read(self) -> None:
        """Compaction lags: what it touches was read, and put right, by an owner that has completed a checkpoint."""
        self.log = compacted(self.log[: self.opened_at]) + self.log[self.opened_at :]
        self.opened_at = 0

    @invariant()
    def reading_gives_the_last_checkpoint_of_the_last_owner_that_completed_one(self) -> None:
        """No row of a former owner counts beyond what its successor had read of it."""
        recovery = recovered(self.log)
        rows, offset = self.snapshots[max(self.snapshots)]

        assert dict(recovery.rows()) == rows
        assert (recovery.checkpoint.offset if recovery.checkpoint else 0) == offset


TestCrashing = Crashing.TestCase
TestHaunted = Haunted.TestCase
TestCrashing.settings = TestHaunted.settings = hypothesis_settings(stateful_step_count=25)


def test_a_late_writer_that_completed_checkpoints_unknown_to_its_successor_needs_a_second_reading() -> None:
    """Its rows have been applied by the time that the successor's checkpoint disowns them, so the log is read anew."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"a": b"1"}, 1)[0]
    second = Owner(log, 2)
    log += first.checkpoint({"a": b"late"}, 2)[0]
    log += first.checkpoint({"a": b"later"}, 3)[0]
    log += second.checkpoint({"b": b"2"}, 2)[0]
    reading = Recovery(where=WHERE)
    for key, value in log:
        reading.feed(key, value)

    assert reading.again() is not None
    assert dict(recovered(log).rows()) == {"a": b"1", "b": b"2"}


def test_an_orderly_change_of_owners_is_read_once() -> None:
    """A second reading doubles the time of a recovery, so it must stay the exception."""
    log: Log = []
    for generation in range(1, 5):
        log += Owner(log, generation).checkpoint({"a": b"%d" % generation}, generation)[0]
    reading = Recovery(where=WHERE)
    for key, value in log:
        reading.feed(key, value)

    assert reading.again() is None
    assert reading.rows() == [("a", b"4")]


def test_a_row_that_a_late_writer_overwrote_is_written_again_at_the_next_checkpoint() -> None:
    """The record that counts lies under a later one of its key, and compaction would remove it after its lag."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"a": b"1"}, 1)[0]
    second = Owner(log, 2)
    late, _ = first.checkpoint({"a": b"late"}, 2)
    log += second.checkpoint({"a": b"2"}, 2)[0]
    log += late
    third = Owner(log, 3)
    log += third.checkpoint({}, 3)[0]

    assert dict(recovered(compacted(log)).rows()) == {"a": b"2"}


def test_tombstones_of_a_late_writer_do_not_take_a_row_away_that_was_written_since() -> None:
    """A tombstone says nothing of its writer, so it may only remove what is marked as ended."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"a": b"1"}, 1)[0]
    log += first.checkpoint({"a": None}, 2)[0]
    second = Owner(log, 2)
    late, _ = first.checkpoint({}, 3)
    log += second.checkpoint({"a": b"2"}, 3)[0]
    log += [change for change in late if change.value is None]

    assert [change.value for change in late].count(None) == 2
    assert dict(recovered(log).rows()) == {"a": b"2"}


def test_what_an_owner_left_unfinished_is_cleared_away() -> None:
    """Records of rows that nobody knows would stay in a compacted changelog for ever."""
    log: Log = []
    log += Owner(log, 1).checkpoint({"a": b"1"}, 1)[0]
    log += Owner(log, 2).checkpoint({"b": b"never"}, 2)[0][:-1]
    log += Owner(log, 3).checkpoint({}, 2)[0]

    assert {change.key for change in without_tombstones(log)} == {b"0a", b"0!checkpoint", b"1!checkpoint"}


def test_an_ended_row_leaves_nothing_behind_but_tombstones() -> None:
    """It is marked as ended first and emptied one checkpoint later, the older place before the mark."""
    table = Table(step="t", generation=1)
    log = [*records(table, {"a": b"1"}), *records(table, {"a": None}), *records(table, {})]

    assert [change.key for change in log if change.value is None] == [b"0a", b"1a"]
    assert len(table) == 0
    assert {change.key for change in without_tombstones(log)} == {b"0!checkpoint", b"1!checkpoint"}


def test_epochs_rise_above_those_of_records_that_never_counted() -> None:
    """When Kafka forgets a group its generations begin anew; an epoch that was used before would mix two owners."""
    log: Log = []
    log += Owner(log, 500).checkpoint({"a": b"1"}, 1)[0]
    log += Owner(log, 1).checkpoint({"a": b"cut"}, 2)[0][:-1]
    owner = Owner(log, 1)

    assert owner.table.epoch > max(Owner(log[:-1], 1).table.epoch, 501)


def test_two_owners_that_read_the_same_log_have_different_epochs() -> None:
    """The later of two generations wins even where neither has written before the other read."""
    log = Owner([], 500).checkpoint({"a": b"1"}, 1)[0]

    assert Owner(log, 2).table.epoch < Owner(log, 3).table.epoch


def test_epochs_of_which_the_changelog_holds_nothing_are_forgotten() -> None:
    """A checkpoint row must not grow with every change of owners for ever."""
    log: Log = []
    for generation in range(1, 200):
        log = compacted(log)
        log += Owner(log, generation).checkpoint({"a": b"1"}, generation)[0]
        if generation == 5:
            log += Owner(log, generation).checkpoint({"kept": b"5"}, generation)[0]
    epochs = Owner(compacted(log), 200).table.epochs

    assert len(epochs) < 10
    assert dict(recovered(log).rows()) == {"a": b"1", "kept": b"5"}


def test_the_end_of_an_epoch_is_kept_when_the_next_ones_are_forgotten() -> None:
    """What an epoch wrote after its last counting checkpoint must not begin to count when its successor is gone."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"kept": b"1", "x": b"1"}, 1)[0]
    second = Owner(log, 2)
    late, _ = first.checkpoint({"x": b"late"}, 2)
    log += second.checkpoint({"y": b"2"}, 2)[0]
    log += late[:-1]
    for generation in range(3, 8):
        log += Owner(log, generation).checkpoint({"y": b"%d" % generation}, generation)[0]
    epochs = Table(step="t", generation=8, recovery=recovered(log)).epochs
    pruned = [span for span in epochs if span.epoch != NOBODY]

    assert dict(recovered(log).rows()) == {"kept": b"1", "x": b"1", "y": b"7"}
    assert [span.after_seq for span in pruned] == sorted(span.after_seq for span in pruned)


def encoded(*values: object) -> bytes:
    """Pack a record of any shape."""
    return msgspec.msgpack.encode(values)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (
            b"0a",
            encoded(2, 1, 1, b"v"),
            f"{WHERE}: expected a row of version 1, got version 2; {ADVICE}",
        ),
        (
            b"0a",
            encoded(2, {"another": "shape"}),
            f"{WHERE}: expected a row of version 1, got version 2; {ADVICE}",
        ),
        (
            b"1!checkpoint",
            encoded(7),
            f"{WHERE}: expected a checkpoint of version 1, got version 7; {ADVICE}",
        ),
        (
            b"0a",
            encoded(1, 1, 1, "text"),
            f"{WHERE}: expected a row of version 1, got Expected `bytes | null`, got `str` - at `$[3]`",
        ),
        (
            b"0!checkpoint",
            encoded(1, "t", 1, 1),
            f"{WHERE}: expected a checkpoint of version 1, got Expected `array` of at least length 10, got 4",
        ),
        (b"0a", b"", f"{WHERE}: expected a row of version 1, got Input data was truncated"),
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


def test_records_of_rows_carry_their_epoch_and_checkpoint() -> None:
    """The envelope is wire: whoever reads a changelog with another tool finds this."""
    table = Table(step="t", generation=3)
    row, checkpoint = records(table, {"a": b"1"}, offset=9)

    assert row.value is not None
    assert checkpoint.value is not None
    assert msgspec.msgpack.decode(row.value, type=StoredRow) == StoredRow(version=1, epoch=4, seq=1, value=b"1")
    told = msgspec.msgpack.decode(checkpoint.value, type=CheckpointRow)
    assert (told.epoch, told.seq, told.offset, told.epochs) == (4, 1, 9, (EpochSpan(epoch=4, after_seq=0),))
