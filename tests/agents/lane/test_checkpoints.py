"""Claims about a lane's checkpoints: their order, what they cover, and that none follows a broken one."""

import asyncio

import pytest

from agents.lane import Lane, LaneBroken, LaneSettings, SendFailed
from agents.table import TableError
from tests.agents.lane.trial import LANE, PLACE, batches, log, new_lane, run_to_the_end
from tests.agents.memory_kafka import Cut, MemoryKafka, MemoryPort, Plan


def test_outputs_are_acknowledged_before_rows_are_sent_and_rows_before_the_input_is_acknowledged() -> None:
    """Any other order loses outputs, or input, in a crash between the two."""
    kafka = MemoryKafka()
    asyncio.run(run_to_the_end(kafka))
    under_way = {"outputs": 0, "rows": 0}
    for event in kafka.journal:
        what, happened = event.split()
        if event == "rows sent":
            assert under_way["outputs"] == 0
        if event == "input acknowledged":
            assert under_way["rows"] == 0
        elif happened == "sent":
            under_way[what] += 1
        else:
            under_way[what] -= 1

    assert kafka.journal.count("input acknowledged") > 5
    assert kafka.acknowledged[PLACE] == log()[-1].offset + 1


def test_batches_that_are_taken_while_a_checkpoint_waits_belong_to_the_next_one() -> None:
    """A checkpoint covers what it had when it began; the lane goes on meanwhile."""

    async def run() -> tuple[int, int, int]:
        kafka = MemoryKafka()
        port = MemoryPort(kafka)
        lane = new_lane(port)
        await lane.open()
        for batch in batches()[:4]:
            await lane.take(batch)
        port.is_holding = True
        expected = lane.shell.step.resume()[0]
        checkpoint = asyncio.create_task(lane.checkpoint())
        await asyncio.sleep(0)
        for batch in batches()[4:]:
            await lane.take(batch)
        for _ in range(10):
            port.release()
            await asyncio.sleep(0)
        await checkpoint
        covered = lane.checkpoint_offset
        port.is_holding = False
        await lane.checkpoint()
        return expected, covered, lane.checkpoint_offset

    expected, covered, next_covered = asyncio.run(run())

    assert covered == expected < next_covered == log()[-1].offset + 1


def test_a_checkpoint_with_nothing_new_writes_nothing() -> None:
    """An idle partition costs nothing."""

    async def run() -> tuple[bool, bool, list[str]]:
        kafka = MemoryKafka()
        lane = new_lane(MemoryPort(kafka))
        await lane.open()
        await lane.take(batches()[0])
        return await lane.checkpoint(), await lane.checkpoint(), kafka.journal

    first, second, journal = asyncio.run(run())

    assert (first, second) == (True, False)
    assert journal.count("rows sent") == 1


def test_an_opened_lane_acknowledges_what_its_predecessor_had_settled() -> None:
    """The predecessor may have ended between its checkpoint and the commit, and nothing new may ever come."""
    kafka = MemoryKafka()
    asyncio.run(run_to_the_end(kafka))
    kafka.acknowledged.clear()

    async def run() -> Lane:
        lane = new_lane(MemoryPort(kafka))
        await lane.open()
        return lane

    lane = asyncio.run(run())

    assert kafka.acknowledged == {PLACE: log()[-1].offset + 1}
    assert (lane.next_offset, lane.recovered_records > 0, lane.rows > 0) == (log()[-1].offset + 1, True, True)


def test_a_lane_that_was_cut_off_in_a_batch_refuses_to_go_on() -> None:
    """Its step is ahead of what it told: a checkpoint now would make the loss of those outputs good."""

    async def run() -> None:
        kafka = MemoryKafka()
        port = MemoryPort(kafka, Plan(at_call=2))
        lane = new_lane(port)
        await lane.open()
        await lane.take(batches()[0])
        with pytest.raises(Cut):
            await lane.take(batches(40)[0])
        await lane.checkpoint()

    with pytest.raises(LaneBroken, match=r"^social.signals\[1\]: expected a lane whose last batch and checkpoint were"):
        asyncio.run(run())


def test_a_lane_whose_checkpoint_failed_refuses_to_go_on() -> None:
    """The rows of the failed checkpoint were taken from the step, so the next one would be without them."""

    async def run() -> None:
        port = MemoryPort(MemoryKafka())
        lane = new_lane(port)
        await lane.open()
        await lane.take(batches()[0])
        port.error = OSError("gone")
        with pytest.raises(SendFailed) as caught:
            await lane.checkpoint()
        assert str(caught.value) == "expected Kafka to acknowledge 1 more output records, got OSError: gone"
        assert (caught.value.destination, caught.value.count) == ("output", 1)
        await lane.take(batches()[1])

    with pytest.raises(LaneBroken):
        asyncio.run(run())


def test_settling_waits_for_what_is_under_way_whatever_becomes_of_it() -> None:
    """The next lane of the partition must not read a changelog that is still being written to."""

    async def run() -> bool:
        port = MemoryPort(MemoryKafka())
        lane = new_lane(port)
        await lane.open()
        port.is_holding = True
        await lane.take(batches(40)[0])
        settling = asyncio.create_task(lane.settle())
        await asyncio.sleep(0)
        waited = not settling.done()
        port.error = OSError("gone")
        port.release()
        await settling
        return waited

    assert asyncio.run(run())


@pytest.mark.parametrize(
    "other", [LANE._replace(partitions=4), LANE._replace(origins=3), LANE._replace(channel_id="x")]
)
def test_state_of_another_shape_is_refused(other: LaneSettings) -> None:
    """With other partitions the rows lie elsewhere: to go on would mix two installations."""
    kafka = MemoryKafka()
    asyncio.run(run_to_the_end(kafka))

    with pytest.raises(TableError) as caught:
        asyncio.run(new_lane(MemoryPort(kafka), other).open())

    now = ("attribute", other.partitions, other.origins, other.channel_id)
    assert str(caught.value) == (
        "table social.table.attribute, partition 1: expected the state of (step, partitions, origins, channel id) = "
        f"{now}, got ('attribute', 2, 2, ''); the channel was re-created or its partitions changed: "
        "replay into a new namespace"
    )
