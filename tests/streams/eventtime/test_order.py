"""What waits comes out in stamp order, and a restart reads again from the first batch of which anything still waits."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import Position
from streams.eventtime.order import BUCKET_MS, ReorderBuffer

stamps = st.tuples(st.integers(0, 9), st.sampled_from(["", "a", "b"]))
# Batches of stamps that arrive, each with the frontier up to which is released after it.
runs = st.lists(st.tuples(st.lists(stamps, max_size=5), stamps), max_size=12)


def test_equal_stamps_keep_the_order_of_their_arrival() -> None:
    """Of two with the same stamp the first to arrive goes first, also when something older came between them."""
    buffer: ReorderBuffer[str, None] = ReorderBuffer()
    buffer.begin_batch(first_offset=0, context=None)
    for stamp, item in [((5, "x"), "first"), ((1, "x"), "older"), ((5, "x"), "second")]:
        buffer.hold(stamp, item)
    assert buffer.release((5, "x")) == ["older", "first", "second"]


def test_a_frontier_without_an_id_lies_before_every_stamp_of_its_time() -> None:
    """A watermark promises nothing of its own instant, so what has that very time waits on."""
    buffer: ReorderBuffer[str, None] = ReorderBuffer()
    buffer.begin_batch(first_offset=0, context=None)
    buffer.hold((5, "x"), "x")
    assert buffer.release((5, "")) == []
    assert len(buffer) == 1
    assert buffer.release((6, "")) == ["x"]
    assert len(buffer) == 0


@given(st.lists(stamps, unique=True, max_size=20), st.integers(1, 5))
def test_the_order_of_arrival_does_not_matter(arriving: list[Position], batch_size: int) -> None:
    """Whatever the arrival and the batches, distinct stamps come out sorted."""
    buffer: ReorderBuffer[Position, None] = ReorderBuffer()
    for first in range(0, len(arriving), batch_size):
        buffer.begin_batch(first_offset=first, context=None)
        for stamp in arriving[first : first + batch_size]:
            buffer.hold(stamp, stamp)
    assert buffer.release((10, "")) == sorted(arriving)


@given(runs)
def test_each_release_and_each_resume_is_what_a_list_would_say(run: list[tuple[list[Position], Position]]) -> None:
    """Releases are what a plain list, sorted anew, gives; resume is the first batch of which it still holds any."""
    buffer: ReorderBuffer[tuple[Position, int], str] = ReorderBuffer()
    waiting: list[tuple[Position, int]] = []
    offset = 0
    batch_of: dict[int, int] = {}
    for number, (arriving, frontier) in enumerate(run):
        if arriving:
            buffer.begin_batch(first_offset=offset, context=f"before {offset}")
        first = offset
        for stamp in arriving:
            buffer.hold(stamp, (stamp, offset))
            waiting.append((stamp, offset))
            batch_of[offset] = first
            offset += 1
        due = sorted(entry for entry in waiting if entry[0] <= frontier)
        assert buffer.release(frontier) == due
        waiting = [entry for entry in waiting if entry[0] > frontier]
        assert len(buffer) == len(waiting)
        if number % 3 == 2:
            continue  # A checkpoint is not made after every batch.
        if waiting:
            earliest = min(batch_of[arrival] for _, arrival in waiting)
            assert buffer.resume(next_offset=offset, context="now") == (earliest, f"before {earliest}")
        else:
            assert buffer.resume(next_offset=offset, context="now") == (offset, "now")


def test_resume_passes_over_batches_of_which_nothing_waits() -> None:
    """A batch in the middle that was released, or held nothing, does not move the place to read again from."""
    buffer: ReorderBuffer[str, str] = ReorderBuffer()
    for first_offset, stamp in [(10, (5, "a")), (20, (1, "a")), (30, (6, "a"))]:
        buffer.begin_batch(first_offset=first_offset, context=f"c{first_offset}")
        buffer.hold(stamp, "item")
    buffer.begin_batch(first_offset=40, context="c40")
    buffer.release((2, ""))
    assert buffer.resume(next_offset=50, context="now") == (10, "c10")
    buffer.release((5, "a"))
    assert buffer.resume(next_offset=50, context="now") == (30, "c30")
    buffer.release((7, ""))
    assert buffer.resume(next_offset=50, context="now") == (50, "now")


# Over more time than one bucket holds, with gaps, so that a release takes whole buckets and parts of one.
distant = st.tuples(st.integers(0, 5 * BUCKET_MS), st.sampled_from(["", "a", "b"]))


@given(st.lists(st.tuples(st.lists(distant, max_size=8), distant), max_size=12))
def test_releases_over_any_span_are_what_a_list_would_say(run: list[tuple[list[Position], Position]]) -> None:
    """Items also come for a time of which others were released before; a frontier may go back, and releases no more."""
    buffer: ReorderBuffer[tuple[Position, int], None] = ReorderBuffer()
    waiting: list[tuple[Position, int]] = []
    arrivals = 0
    for arriving, frontier in run:
        buffer.begin_batch(first_offset=arrivals, context=None)
        for stamp in arriving:
            buffer.hold(stamp, (stamp, arrivals))
            waiting.append((stamp, arrivals))
            arrivals += 1
        assert buffer.release(frontier) == sorted(entry for entry in waiting if entry[0] <= frontier)
        waiting = [entry for entry in waiting if entry[0] > frontier]
        assert len(buffer) == len(waiting)


TIES = st.lists(st.tuples(stamps, st.sampled_from(["x", "y"]), st.binary(max_size=1)), max_size=12)


@given(TIES, st.randoms(use_true_random=False))
def test_where_it_is_said_what_decides_a_tie_the_arrival_does_not(
    items: list[tuple[Position, str, bytes]], random: Random
) -> None:
    """Two copies of a signal that contradict each other come out in one order, whichever came first."""
    arriving = list(items)
    random.shuffle(arriving)
    buffer: ReorderBuffer[tuple[Position, str, bytes], None] = ReorderBuffer(tie_of=lambda item: item[1:])
    buffer.begin_batch(first_offset=0, context=None)
    for item in arriving:
        buffer.hold(item[0], item)
    assert buffer.release((10, "")) == sorted(items)


def test_batches_that_are_settled_are_forgotten_without_a_checkpoint() -> None:
    """A backtest never asks for `resume`, and must not remember every batch that it has read."""
    buffer: ReorderBuffer[str, str] = ReorderBuffer()
    for offset in range(100):
        buffer.begin_batch(first_offset=offset, context="")
        buffer.hold((offset, "a"), "item")
        buffer.release((offset, "a"))
    assert len(buffer._batches) == 1
