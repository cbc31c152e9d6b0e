"""Claims about slices: a batch is taken in pieces that leave the event loop its turns."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.lane import SLICE_BYTES_MAX, SLICE_RECORDS_MAX, Batch, Record, slices
from tests.agents.lane.trial import BEGIN_MS, new_lane, signal
from tests.agents.memory_kafka import MemoryKafka, MemoryPort


def test_a_big_batch_is_taken_in_slices_with_a_fence_before_each() -> None:
    """Between two slices other tasks get their turn, and the group may move on."""

    async def run() -> tuple[int, int]:
        port = MemoryPort(MemoryKafka())
        lane = new_lane(port)
        await lane.open()
        begun = port.fences
        many = [Record(offset, None, signal(offset, BEGIN_MS + offset)) for offset in range(1_300)]
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count_turns())
        await lane.take(Batch(many, 1_300))
        other.cancel()
        return port.fences - begun, turns

    fences, turns = asyncio.run(run())

    assert fences == 3
    assert turns >= 2


records = st.lists(st.integers(0, 3 * SLICE_BYTES_MAX // 2).map(lambda size: b"." * size), min_size=1, max_size=12)


@given(values=records | st.lists(st.just(b""), min_size=400, max_size=1_200), hole=st.integers(1, 3))
def test_slices_are_the_batch_again_and_each_is_bounded(values: list[bytes], hole: int) -> None:
    """Nothing is lost between two slices; only the last record of a slice may go beyond its size."""
    whole = [Record(7 + index * hole, None, value) for index, value in enumerate(values)]
    pieces = list(slices(Batch(whole, whole[-1].offset + 5)))

    assert [record for piece in pieces for record in piece.records] == whole
    assert pieces[-1].next_offset == whole[-1].offset + 5
    for piece, following in pairwise(pieces):
        assert piece.records[-1].offset < piece.next_offset <= following.records[0].offset
    for piece in pieces:
        assert len(piece.records) <= SLICE_RECORDS_MAX
        assert sum(len(record.value or b"") for record in piece.records[:-1]) < SLICE_BYTES_MAX
