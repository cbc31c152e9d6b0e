"""A signal that comes twice within the span counts once, whatever else passes and wherever a restart falls."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import ROW_BYTES_MAX, RecentIdsRow
from streams.attribution.duplicates import RecentIds

SPAN_MS = 60

# (time since the one before, id): few ids, so that most come again, within the span and after it.
arrivals = st.lists(
    st.tuples(st.one_of(st.integers(0, 15), st.sampled_from([59, 60, 61, 70, 71, 500])), st.sampled_from("abcdef")),
    max_size=40,
)


class Table:
    """Rows as a table keeps them, in bytes."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def keep(self, recent: RecentIds) -> None:
        """Keep what changed."""
        for name, row in recent.changed_rows():
            if row is None:
                self.rows.pop(name, None)
            else:
                self.rows[name] = msgspec.msgpack.encode(row)

    def restored(self, *, span_ms: int) -> RecentIds:
        """Return what a restart makes of the rows, read in the opposite order."""
        recent = RecentIds(span_ms=span_ms)
        recent.restore((name, self.row(name)) for name in reversed(self.rows))
        return recent

    def row(self, name: str) -> RecentIdsRow:
        """Return one row."""
        return msgspec.msgpack.decode(self.rows[name], type=RecentIdsRow)


def verdicts(ids: list[tuple[int, str]]) -> list[bool]:
    """Return the verdicts from the definition: an id is repeated if it was applied within the span before."""
    applied: dict[str, int] = {}
    told = []
    for at_ms, signal_id in ids:
        repeated = signal_id in applied and at_ms - applied[signal_id] <= SPAN_MS
        if not repeated:
            applied[signal_id] = at_ms
        told.append(repeated)
    return told


def timed(gaps: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return (event time, id) of arrivals given by the time between them."""
    at_ms, ids = 1_000, []
    for gap_ms, signal_id in gaps:
        at_ms += gap_ms
        ids.append((at_ms, signal_id))
    return ids


def test_an_id_counts_once_within_the_span_and_again_after_it() -> None:
    """The span is counted from when the id was applied, not from its last repetition, and its end belongs to it."""
    recent = RecentIds(span_ms=SPAN_MS)
    asked_ms = [1_000, 1_000, 1_040, 1_060, 1_061, 1_121, 1_122]
    told = [recent.is_repeated("a", at_ms=at_ms) for at_ms in asked_ms]
    assert told == [False, True, True, True, False, True, False]


def test_every_id_counts_where_the_span_is_nothing() -> None:
    """A span of 0 ms still drops what has the very same time."""
    recent = RecentIds(span_ms=0)
    assert [recent.is_repeated("a", at_ms=at_ms) for at_ms in (5, 5, 6, 7)] == [False, True, False, False]


@given(arrivals)
def test_a_verdict_depends_on_the_two_times_of_the_id_alone(gaps: list[tuple[int, str]]) -> None:
    """Each verdict is what the definition says of that id, whatever other ids pass and expire in between."""
    recent = RecentIds(span_ms=SPAN_MS)
    ids = timed(gaps)
    assert [recent.is_repeated(signal_id, at_ms=at_ms) for at_ms, signal_id in ids] == verdicts(ids)


@given(arrivals, st.data())
def test_a_restart_from_the_rows_changes_no_verdict(gaps: list[tuple[int, str]], data: st.DataObject) -> None:
    """With rows kept at any checkpoints, what was restored answers and writes as what was never stopped."""
    ids = timed(gaps)
    told_after = data.draw(st.sets(st.integers(0, len(ids))))
    recent, table = RecentIds(span_ms=SPAN_MS), Table()
    told = []
    for number, (at_ms, signal_id) in enumerate(ids):
        if number in told_after:
            table.keep(recent)
            recent = table.restored(span_ms=SPAN_MS)
        told.append(recent.is_repeated(signal_id, at_ms=at_ms))
    assert told == verdicts(ids)
    table.keep(recent)

    unbroken, its_table = RecentIds(span_ms=SPAN_MS), Table()
    for at_ms, signal_id in ids:
        unbroken.is_repeated(signal_id, at_ms=at_ms)
    its_table.keep(unbroken)
    assert {name: table.row(name).ids for name in table.rows} == {
        name: its_table.row(name).ids for name in its_table.rows
    }
    assert len(recent) == len(unbroken)


def test_nothing_is_told_twice() -> None:
    """A checkpoint writes what changed since the last one; a repetition changes nothing."""
    recent = RecentIds(span_ms=SPAN_MS)
    recent.is_repeated("a", at_ms=1_000)
    assert len(recent.changed_rows()) == 1
    recent.is_repeated("a", at_ms=1_001)
    assert recent.changed_rows() == []
    recent.is_repeated("b", at_ms=1_001)
    assert [row.ids for _, row in recent.changed_rows() if row is not None] == [("a", "b")]


def test_ids_expire_in_event_time_and_their_rows_end() -> None:
    """What no later signal can ask for is forgotten, in memory and in the table."""
    recent, table = RecentIds(span_ms=SPAN_MS), Table()
    for at_ms in range(1_000, 1_060):
        recent.is_repeated(f"s{at_ms}", at_ms=at_ms)
    table.keep(recent)
    assert len(recent) == 60
    recent.is_repeated("late", at_ms=5_000)
    table.keep(recent)
    assert len(recent) == 1
    assert [table.row(name).ids for name in table.rows] == [("late",)]


def test_an_id_that_came_again_outlives_its_first_row() -> None:
    """When the row of its first time ends, the younger one is what still counts, also after a restart."""
    recent, table = RecentIds(span_ms=SPAN_MS), Table()
    for at_ms in (1_000, 1_061):
        assert not recent.is_repeated("a", at_ms=at_ms)
        table.keep(recent)
    # 1 090 is beyond all that can be asked of the bucket of 1 000.
    for again in (recent, table.restored(span_ms=SPAN_MS)):
        assert not again.is_repeated("b", at_ms=1_090)
        assert again.is_repeated("a", at_ms=1_121)
        assert not again.is_repeated("a", at_ms=1_122)


def test_rows_stay_small_however_many_or_long_the_ids() -> None:
    """A burst of long ids within one bucket is many rows, each within the limit of a row, and no id is lost."""
    recent, table = RecentIds(span_ms=3_600_000), Table()
    ids = [f"{number:04}" + "ヒ" * 100 for number in range(900)] + [f"{number}" for number in range(900)]
    for signal_id in ids:
        assert not recent.is_repeated(signal_id, at_ms=1_000)
    table.keep(recent)
    assert max(map(len, table.rows.values())) <= ROW_BYTES_MAX
    assert sum(len(table.row(name).ids) for name in table.rows) == len(ids)
    restored = table.restored(span_ms=3_600_000)
    assert all(restored.is_repeated(signal_id, at_ms=1_000) for signal_id in ids)
