"""Watch the checkpoints of the first step from outside, and time how long a fault leaves partitions unowned."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from agents.broker import BrokerError, follow_partition, read_end
from agents.settings import Settings
from agents.table import CHECKPOINT_KEY, CLAIM_PLACE
from schemas.channels import SIGNALS, TABLE_ATTRIBUTE, named
from schemas.rows import CheckpointRow

POLL_S = 0.1

_decode = msgspec.msgpack.Decoder(CheckpointRow).decode


class Mark(NamedTuple):
    """The last checkpoint of a partition: its owner's epoch, its offset, and when it was written (wall time, s).

    `claims` is how often the table had been claimed by then: by a new owner, or by one to whom it came back.
    """

    epoch: int = 0
    offset: int = 0
    written_s: float = 0.0
    claims: int = 0


class Fault:
    """One fault: when it came, what the checkpoints were then, where the input ended then as far as that is known, and
    the first checkpoint of each partition by a new owner.
    """

    def __init__(self, at_s: float, before: dict[int, Mark]) -> None:
        self.at_s = at_s
        self.before = dict(before)
        self.ends: dict[int, int] = {}
        self.after: dict[int, Mark] = {}

    def see(self, partition: int, mark: Mark) -> None:
        """Take a checkpoint that was written after the fault."""
        if partition not in self.after and mark.claims > self.before.get(partition, Mark()).claims:
            self.after[partition] = mark

    def is_over(self, partitions: int) -> bool:
        """Tell whether every partition was checkpointed by whoever owns it since."""
        return len(self.after) == partitions

    @property
    def takeover_s(self) -> float:
        """How long after the fault the last partition had its first checkpoint by whoever owns it since."""
        return max(mark.written_s for mark in self.after.values()) - self.at_s

    @property
    def had_data_left(self) -> bool:
        """Whether there was something to do that no checkpoint from before the fault covered.

        The first checkpoint of a new owner does not tell that: it is written for what late writers hid, and may come
        before anything was read.
        """
        return any(end > self.before.get(at, Mark()).offset for at, end in self.ends.items())


class Watcher:
    """Follows the changelog of the first step for as long as it runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channel = named(TABLE_ATTRIBUTE, namespace=settings.namespace)
        self._tasks: list[asyncio.Task[None]] = []
        self.marks: dict[int, Mark] = {}
        self._claims: Counter[int] = Counter()
        self.open: list[Fault] = []
        self.over: list[Fault] = []

    def start(self) -> None:
        """Begin to follow every partition."""
        for partition in range(self._settings.partitions):
            self._tasks.append(asyncio.create_task(self._follow(partition)))

    async def stop(self) -> None:
        """Follow no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def note(self) -> Fault:
        """Begin to time a fault that comes now."""
        fault = Fault(time.time(), self.marks)
        self.open.append(fault)
        channel = named(SIGNALS, namespace=self._settings.namespace)
        with suppress(BrokerError):  # the broker is away: that is one of the faults
            for partition in range(self._settings.partitions):
                fault.ends[partition] = await read_end(self._settings, channel=channel, partition=partition)
        return fault

    async def wait(self, fault: Fault, *, within_s: float) -> bool:
        """Wait until a fault is over; False where it is not within some seconds."""
        deadline_s = time.monotonic() + within_s
        while not fault.is_over(self._settings.partitions):
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def _follow(self, partition: int) -> None:
        next_offset: int | None = None
        while True:
            try:
                async for records in follow_partition(
                    self._settings, channel=self._channel, partition=partition, offset=next_offset
                ):
                    next_offset = records[-1].offset + 1
                    for record in records:
                        self._see(partition, record)
            except BrokerError:
                await asyncio.sleep(1.0)  # the broker is away: that is one of the faults

    def _see(self, partition: int, record: Any) -> None:
        if record.key == CLAIM_PLACE and record.value is not None:
            self._claims[partition] += 1
        if not record.key.endswith(CHECKPOINT_KEY) or record.value is None:
            return
        row = _decode(record.value)
        mark = Mark(row.epoch, row.offset, record.timestamp / 1000, self._claims[partition])
        if (mark.epoch, mark.offset) < self.marks.get(partition, Mark())[:2]:
            return  # a paused owner's, which does not count
        self.marks[partition] = mark
        for fault in list(self.open):
            fault.see(partition, mark)
            if fault.is_over(self._settings.partitions):
                self.open.remove(fault)
                self.over.append(fault)
