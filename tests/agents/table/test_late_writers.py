"""Claims about single cases: what late writers, unfinished checkpoints and many owners leave in a changelog."""

from agents.table import Recovery, Table
from tests.agents.table.changelog import WHERE, Log, Owner, compacted, records, recovered, without_tombstones


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


def test_tombstones_that_come_between_a_row_and_its_checkpoint_are_undone_too() -> None:
    """The row counts although its place was emptied behind it, so it is written again before compaction sees that."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"a": b"1"}, 1)[0]
    log += first.checkpoint({"a": None}, 2)[0]
    second = Owner(log, 2)
    late = [change for change in first.checkpoint({}, 3)[0] if change.value is None]
    row, checkpoint = second.checkpoint({"a": b"2"}, 3)[0]
    log += [row, *late, checkpoint]
    log += Owner(log, 3).checkpoint({}, 4)[0]

    assert dict(recovered(compacted(log)).rows()) == {"a": b"2"}


def test_a_late_row_that_comes_between_a_row_and_its_checkpoint_is_undone_too() -> None:
    """The row counts although a late one lies over it, so it is written again before compaction takes it."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"b": b"1"}, 1)[0]
    second = Owner(log, 2)
    late = first.checkpoint({"a": b"late"}, 2)[0][0]
    log += second.checkpoint({"b": b"2"}, 2)[0]
    row, checkpoint = second.checkpoint({"a": b"2"}, 3)[0]
    log += [row, late, checkpoint]
    log += Owner(log, 3).checkpoint({}, 4)[0]

    assert row.key == late.key
    assert dict(recovered(compacted(log)).rows()) == {"a": b"2", "b": b"2"}


def test_what_an_owner_left_unfinished_is_cleared_away() -> None:
    """Records of rows that nobody knows would stay in a compacted changelog for ever."""
    log: Log = []
    log += Owner(log, 1).checkpoint({"a": b"1"}, 1)[0]
    log += Owner(log, 2).checkpoint({"b": b"never"}, 2)[0][:-1]
    third = Owner(log, 3)
    for offset in (2, 3):
        log += third.checkpoint({}, offset)[0]

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


def test_the_end_of_an_epoch_is_kept_when_the_next_one_is_forgotten() -> None:
    """What an epoch wrote after its last counting checkpoint must not begin to count when its successor is gone."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"kept": b"1", "x": b"1"}, 1)[0]
    second = Owner(log, 2)
    late, _ = first.checkpoint({"x": b"late"}, 2)
    log += late[:-1]
    log += second.checkpoint({"y": b"2"}, 2)[0]
    for generation in range(3, 8):
        owner = Owner(log, generation)
        log = compacted(log + owner.checkpoint({"y": b"%d" % generation}, generation)[0])

    assert second.table.epoch not in {span.epoch for span in Owner(log, 8).table.epochs}
    assert dict(recovered(log).rows()) == {"kept": b"1", "x": b"1", "y": b"7"}


def test_an_old_copy_of_a_request_does_not_count_over_what_was_written_since() -> None:
    """The network may bring it again when it has long been answered; the next owner also writes again what it hid."""
    log: Log = []
    owner = Owner(log, 1)
    old, _ = owner.checkpoint({"a": b"1", "b": b"1"}, 1)
    log += old
    log += owner.checkpoint({"a": b"2"}, 2)[0]
    log += owner.checkpoint({"a": b"3"}, 3)[0]
    log += old

    assert recovered(log).rows() == [("a", b"3"), ("b", b"1")]
    assert recovered(log).stale > 0
    log += Owner(log, 2).checkpoint({}, 4)[0]
    assert recovered(compacted(log)).rows() == [("a", b"3"), ("b", b"1")]


def test_an_old_copy_of_a_row_that_has_ended_does_not_revive_it() -> None:
    """Both of its places were emptied by then, so only the end itself tells that the copy is older."""
    log: Log = []
    owner = Owner(log, 1)
    old, _ = owner.checkpoint({"a": b"1"}, 1)
    log += old
    log += owner.checkpoint({"a": None}, 2)[0]
    log += owner.checkpoint({}, 3)[0]
    log += old

    assert recovered(log).rows() == []
    log += Owner(log, 2).checkpoint({}, 4)[0]
    assert recovered(without_tombstones(log)).rows() == []


def test_an_old_copy_of_a_row_whose_end_was_compacted_is_ended_again() -> None:
    """Compaction takes the mark and its tombstones, and what clears the copy away must not be taken for a late one."""
    log: Log = []
    owner = Owner(log, 1)
    old, _ = owner.checkpoint({"a": b"1"}, 1)
    log += old
    log += owner.checkpoint({"a": None}, 2)[0]
    log += owner.checkpoint({}, 3)[0]
    log += old
    second, read = Owner(log, 2), len(log)
    for offset in (4, 5, 6):
        log += second.checkpoint({}, offset)[0]
        assert recovered(without_tombstones(log[:read]) + log[read:]).rows() == []
    assert recovered(without_tombstones(log)).rows() == []


def test_two_owners_of_one_generation_have_different_epochs() -> None:
    """A group that Kafka forgot begins with its generations anew, while a former owner may still write."""
    first, second = (Table(step="t", generation=2, mark=mark) for mark in (7, 8))
    log = records(first, {"a": b"1"}, 1)[:1] + records(second, {}, 5)

    assert recovered(log).rows() == []
    assert Table(step="t", generation=0, recovery=recovered(log)).epoch > second.epoch


def test_the_end_of_a_row_that_a_late_writer_overwrote_is_marked_again_before_its_places_are_emptied() -> None:
    """Compaction may have taken the mark when the tombstones are read, and these alone would end nothing."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"a": b"1"}, 1)[0]
    second = Owner(log, 2)
    late, _ = first.checkpoint({"a": None}, 2)
    log += second.checkpoint({"a": None}, 2)[0]
    log += late[:1]
    third, read = Owner(log, 3), len(log)
    for offset in (3, 4, 5):
        log += third.checkpoint({}, offset)[0]
        assert recovered(compacted(log[:read]) + log[read:]).rows() == []
    assert recovered(without_tombstones(log)).rows() == []


def test_behind_a_claim_no_checkpoint_of_a_lower_epoch_counts() -> None:
    """A successor may be cut off before its first checkpoint, and its predecessor write late all the same."""
    log: Log = []
    first = Owner(log, 1)
    log += first.checkpoint({"a": b"1"}, 1)[0]
    log.append(Owner(log, 2).table.claim())
    log += first.checkpoint({"a": b"late", "b": b"late"}, 2)[0]

    assert recovered(log).rows() == [("a", b"1")]
    third = Owner(log, 1)
    log.append(third.table.claim())
    log += third.checkpoint({}, 2)[0]
    assert recovered(compacted(log)).rows() == [("a", b"1")]


def test_an_owner_of_a_former_life_of_the_group_is_passed_over_whatever_its_generation() -> None:
    """Generations begin anew when Kafka forgets a group; the claims tell who came later."""
    log = Owner([], 1).checkpoint({"a": b"1"}, 1)[0]
    former = Owner(log, 500)
    log.append(former.table.claim())
    present = Owner(log, 1)
    log.append(present.table.claim())
    log += present.checkpoint({"a": b"2"}, 2)[0]
    log += former.checkpoint({"a": b"late"}, 9)[0]

    assert recovered(log).rows() == [("a", b"2")]
    assert recovered(compacted(log)).checkpoint is not None
