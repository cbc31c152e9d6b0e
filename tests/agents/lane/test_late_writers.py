"""Check what a lane does about others that write to its table: it puts right what they left, and settles nothing."""

import asyncio
import re

import pytest

from agents.lane import Fenced, Lane
from agents.table import Recovery
from tests.agents.memory_port import SETTINGS, AddingShell, MemoryLog, MemoryPort, batch_of, opened
from tests.agents.table.changelog import recovered


def test_what_a_late_writer_left_is_put_right_without_any_input() -> None:
    """A partition may be silent for longer than compaction waits."""
    log = MemoryLog()

    async def scenario() -> None:
        first, _ = await opened(MemoryPort(log))
        await first.take(batch_of(0, "a 1"))
        await first.checkpoint()
        second, _ = await opened(MemoryPort(log), SETTINGS._replace(generation=2))
        await first.take(batch_of(1, "a 1"))
        await second.take(batch_of(1, "a 2"))
        await second.checkpoint()
        with pytest.raises(Fenced):
            await first.checkpoint()
        third, _ = await opened(MemoryPort(log), SETTINGS._replace(generation=3))
        assert third.stale_records > 0
        assert await third.checkpoint()
        kept = {change.key: change for change in log.changelog}
        log.changelog = [change for change in log.changelog if kept[change.key] is change]
        assert recovered(log.changelog).rows() == [("a", b"3")]

    asyncio.run(scenario())


def test_what_a_late_writer_wrote_over_is_put_right_at_the_next_checkpoint_of_the_owner() -> None:
    """Nobody else may open the partition for longer than compaction waits, so the owner itself opens it anew."""
    log = MemoryLog()

    async def scenario() -> None:
        first, _ = await opened(MemoryPort(log))
        await first.take(batch_of(0, "a 1"))
        await first.checkpoint()
        second, _ = await opened(MemoryPort(log))
        await first.take(batch_of(1, "a 1"))
        await second.take(batch_of(1, "a 2"))
        await second.checkpoint()
        with pytest.raises(Fenced):
            await first.checkpoint()
        settled = log.settled[-1]
        await second.take(batch_of(2, "b 1"))
        with pytest.raises(Fenced, match=re.escape("nobody else to write to table.numbers[0], found records of")):
            await second.checkpoint()
        assert log.settled[-1] == settled
        again, _ = await opened(MemoryPort(log))
        assert log.settled[-1] == 3
        assert await again.checkpoint()
        kept = {change.key: change for change in log.changelog}
        log.changelog = [change for change in log.changelog if kept[change.key] is change]
        assert recovered(log.changelog).rows() == [("a", b"3"), ("b", b"1")]

    asyncio.run(scenario())


def test_a_claim_that_others_wrote_before_is_made_anew_over_what_they_left() -> None:
    """No row is lost that was written before a claim; of what comes behind it, its writer settles nothing."""
    log = MemoryLog()

    async def scenario() -> None:
        port = MemoryPort(log)
        other, _ = await opened(port)
        await other.take(batch_of(0, "a 1"))
        recover = Lane._recover

        async def hasty(self: Lane) -> Recovery:
            recovery = await recover(self)
            if other.is_unsettled:
                await other.checkpoint()
            return recovery

        late = Lane(AddingShell(), port, SETTINGS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lane, "_recover", hasty)
            await late.open()
        assert late.next_offset == 1
        await other.take(batch_of(1, "a 10"))
        with pytest.raises(Fenced):
            await other.checkpoint()
        assert log.settled[-1] == 1
        assert log.recovered().rows() == [("a", b"1")]

    asyncio.run(scenario())
