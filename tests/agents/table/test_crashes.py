"""Check that a changelog gives back exactly the last completed checkpoint, whatever was cut off, compacted or late."""

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.agents.table.changelog import Log, Owner, Rows, compacted, recovered, without_tombstones

keys = st.sampled_from(["a", "b", "c", "d", "e"])
values = st.none() | st.binary(max_size=3)
"""What a checkpoint does to a row: it ends, or gets a value."""
changed = st.dictionaries(keys, values, max_size=4)


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
        self.requests: list[Log] = []

    def _write(self, owner: Owner, rows: dict[str, bytes | None], *, cut: int | None = None) -> None:
        self.offset += 1
        written, left = owner.checkpoint(rows, self.offset)
        if cut is None:
            self.snapshots[owner.table.epoch, owner.table.seq] = (left, self.offset)
        else:
            written = written[: min(cut, len(written) - 1)]
        self.log += written
        self.requests.append(written)

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def an_old_copy_of_a_request_lands(self, data: st.DataObject) -> None:
        """The network held it back; what it was a copy of was answered long ago."""
        self.log = self.log + data.draw(st.sampled_from(self.requests))

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
        """Compaction lags: what it touches was read, and put right, by an owner that has completed a checkpoint.

        It lags for longer than any network holds a request back.
        """
        self.requests.clear()
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
