"""A Kafka in memory for lanes: it notes the order of everything, and can cut a lane off at any point."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple

from agents.lane import Fenced, Outgoing, Sent, TableRecord, acknowledged
from agents.table import Change


class Cut(Exception):
    """The process ends here."""


class Plan(NamedTuple):
    """When a port ends the lane that uses it, counting from 0: at which call of it, or at which fence.

    What was handed over and not acknowledged by then `is_kept` or lost, as the network has it.
    """

    at_call: int | None = None
    by: Literal["exception", "cancel"] = "exception"
    at_fence: int | None = None
    is_kept: bool = True


class MemoryKafka:
    """What is left of all lanes: their outputs, changelogs and acknowledged offsets, and the journal of events."""

    def __init__(self) -> None:
        self.outputs: list[Outgoing] = []
        self.changelogs: dict[tuple[str, int], list[Change]] = {}
        self.acknowledged: dict[tuple[str, int], int] = {}
        self.journal: list[str] = []


class MemoryPort:
    """The port of one lane."""

    def __init__(self, kafka: MemoryKafka, plan: Plan = Plan()) -> None:
        self.kafka = kafka
        self.plan = plan
        self.calls = 0
        self.fences = 0
        self.is_holding = False
        self.has_read = False
        self.error: BaseException | None = None
        self._held: list[tuple[str, asyncio.Future[object]]] = []

    async def _call(self) -> None:
        """Give the loop a turn, or end here."""
        number, self.calls = self.calls, self.calls + 1
        if number == self.plan.at_call:
            if self.plan.by == "exception":
                raise Cut
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await asyncio.sleep(0)

    def _sent(self, what: str) -> Sent:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._held.append((what, future))
        if not self.is_holding:
            asyncio.get_running_loop().call_soon(self.release)
        return [future]

    def release(self) -> None:
        """Acknowledge what was handed over."""
        for what, future in self._held:
            if future.done():
                continue
            if self.error is not None:
                future.set_exception(self.error)
            else:
                self.kafka.journal.append(f"{what} acknowledged")
                future.set_result(None)
        self._held.clear()

    async def send(self, outgoing: Sequence[Outgoing]) -> Sent:
        """Take outputs, or lose them where the plan says so."""
        self.kafka.journal.append("outputs sent")
        if self.plan.is_kept:
            self.kafka.outputs.extend(outgoing)
        await self._call()
        if not self.plan.is_kept:
            self.kafka.outputs.extend(outgoing)
        return self._sent("outputs")

    async def append(self, channel: str, partition: int, changes: Sequence[Change]) -> int:
        """Take rows, or lose them where the plan says so."""
        self.kafka.journal.append("rows sent")
        log = self.kafka.changelogs.setdefault((channel, partition), [])
        if self.plan.is_kept:
            log.extend(changes)
        await self._call()
        if not self.plan.is_kept:
            log.extend(changes)
        end = len(log)
        await acknowledged("changelog", self._sent("rows"))
        return end

    async def read_table(self, channel: str, partition: int, *, offset: int = 0) -> AsyncIterator[list[TableRecord]]:
        """Yield the changelog in small batches."""
        self.has_read = True
        log = list(enumerate(self.kafka.changelogs.get((channel, partition), [])))[offset:]
        await self._call()
        for start in range(0, len(log), 7):
            yield [(number, change.key, change.value) for number, change in log[start : start + 7]]
            await self._call()

    def fence(self) -> None:
        """Raise where the plan says that the partition has another owner now, and ever after."""
        number, self.fences = self.fences, self.fences + 1
        if self.plan.at_fence is not None and number >= self.plan.at_fence:
            raise Fenced("the test says so")

    def acknowledge(self, channel: str, partition: int, offset: int) -> None:
        """Note what is settled."""
        self.kafka.journal.append("input acknowledged")
        self.kafka.acknowledged[channel, partition] = offset

    async def give_way(self) -> None:
        """Give the loop a turn."""
        await asyncio.sleep(0)
