"""Check that the partitions of a channel become one log in which nothing is later than it was in its partition."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import Heartbeat, Signal
from streams.eventtime.merge import Copies, Merge

TIMES = st.lists(st.one_of(st.none(), st.integers(1, 200)), max_size=20)
Item = tuple[int, int, int | None]
"""Partition, number in it, event time."""


def merged(partitions: list[list[int | None]], *, at_once: int) -> list[Item]:
    """Return the items of the partitions as one log, with so many of each added at once."""
    merge: Merge[Item] = Merge(range(len(partitions)))
    given_of = dict.fromkeys(range(len(partitions)), 0)
    taken: list[Item] = []
    while starving := merge.starving():
        for partition in starving:
            begin = given_of[partition]
            times = partitions[partition][begin : begin + at_once]
            merge.add(partition, [(at_ms, (partition, begin + n, at_ms)) for n, at_ms in enumerate(times)])
            given_of[partition] += len(times)
            if given_of[partition] == len(partitions[partition]):
                merge.end(partition)
        taken += merge.take()
    return taken


def lateness_of(times: list[int | None]) -> list[int]:
    """Return how far each lies behind the largest before it, 0 where it says no time."""
    behind, largest_ms = [], 0
    for at_ms in times:
        behind.append(0 if at_ms is None else max(0, largest_ms - at_ms))
        largest_ms = max(largest_ms, at_ms or 0)
    return behind


@given(st.lists(TIMES, min_size=1, max_size=4), st.integers(1, 5))
def test_all_comes_once_in_the_order_of_its_partition_however_it_was_fetched(
    partitions: list[list[int | None]], at_once: int
) -> None:
    """Two replays of a channel must be the same log."""
    found = merged(partitions, at_once=at_once)

    assert found == merged(partitions, at_once=100)
    for number, times in enumerate(partitions):
        assert [(n, at_ms) for partition, n, at_ms in found if partition == number] == list(enumerate(times))


@given(st.lists(TIMES, min_size=1, max_size=4))
def test_nothing_is_later_than_it_was_in_its_partition(partitions: list[list[int | None]]) -> None:
    """What was on time live must not be set aside in a replay."""
    own = {
        (partition, n): behind
        for partition, times in enumerate(partitions)
        for n, behind in enumerate(lateness_of(times))
    }

    found = merged(partitions, at_once=3)

    for (partition, n, _), behind in zip(found, lateness_of([at_ms for _, _, at_ms in found]), strict=True):
        assert behind <= own[partition, n]


@given(st.lists(st.lists(st.integers(1, 200), max_size=20).map(sorted), min_size=1, max_size=4))
def test_partitions_in_the_order_of_time_become_one_log_in_the_order_of_time(partitions: list[list[int]]) -> None:
    """The order of a replay is that of event time."""
    found = [at_ms for _, _, at_ms in merged([list(times) for times in partitions], at_once=2)]

    assert found == sorted(at_ms for times in partitions for at_ms in times)


# --- what every partition was told ------------------------------------------------------------------------------------


def test_a_promise_holds_once_every_partition_has_heard_it() -> None:
    """One that has not may still hold what the promise says there is none of."""
    copies = Copies(3)

    assert [copies.heard(partition, Heartbeat("a", 10)) for partition in (0, 0, 2)] == [None, None, None]
    assert copies.heard(1, Heartbeat("a", 12)) == Heartbeat("a", 10)
    assert copies.heard(0, Heartbeat("a", 12)) is None
    assert copies.heard(2, Heartbeat("a", 12)) == Heartbeat("a", 12)
    assert copies.rest() == []


def test_a_source_has_ended_once_it_has_in_every_partition() -> None:
    """Ended in one alone, it may still speak in another."""
    copies = Copies(2)
    copies.heard(0, Heartbeat("a", 10))
    copies.heard(1, Heartbeat("a", 10))

    assert copies.heard(0, Heartbeat("a", 10, end=True)) is None
    assert copies.heard(1, Heartbeat("a", 10, end=True)) == Heartbeat("a", 10, end=True)


def test_what_not_every_partition_was_told_is_told_at_the_end() -> None:
    """A heartbeat that was written to one partition only is not lost; an end that not all know of is none."""
    copies = Copies(2)
    copies.heard(1, Heartbeat("a", 10, end=True))

    assert copies.rest() == [Heartbeat("a", 10)]


def test_a_change_is_taken_once_and_again_where_it_was_written_again() -> None:
    """Copies lie in other partitions; a second one in the same was sent twice, as any signal may be."""
    copies = Copies(2)
    undo = Signal("t:1", "t", "like", 10, "a", op="undo")
    other = Signal("t:1", "t", "like", 11, "a", op="undo")

    taken = [copies.is_first(*one) for one in ((1, undo), (0, other), (0, undo), (1, other), (0, undo), (0, undo))]

    assert taken == [True, True, False, False, True, True]
