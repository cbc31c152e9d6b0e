"""One worker process: the production worker on a simulated broker, with what Faust does around it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import Any

import msgspec
from faust.types import TP

from agents.lane import Fenced, SendFailed, TableRecord
from agents.lease import Lease, LeaseLost
from agents.port import KafkaPort
from agents.settings import Settings
from agents.table import CLAIM_PLACE, MARK_BITS, Change
from agents.transport import FetchedBatch
from agents.worker import Consume, Worker
from schemas.rows import CheckpointRow
from streams.attribution.matcher import Registry
from tests.simulation.broker import Broker, Producer
from tests.simulation.group import SESSION_S, Group
from tests.simulation.loop import Process, ProcessEnded
from tests.simulation.options import Options

BUFFER_BATCHES = 8

decode_checkpoint = msgspec.msgpack.Decoder(CheckpointRow).decode


class World:
    """What all processes share, and what they did."""

    def __init__(self, options: Options, random: Random, broker: Broker, group: Group, settings: Settings) -> None:
        self.options = options
        self.random = random
        self.broker = broker
        self.group = group
        self.settings = settings
        self.is_faulty = True
        self.counts: Counter[str] = Counter()
        self.unexpected: list[BaseException] = []
        self.taken: dict[tuple[str, int], int] = {}
        # (channel, partition, epoch) of a table -> up to where its owner has read or written all that it holds.
        self.read_ends: dict[tuple[str, int, int], int] = {}
        self.at_write: Callable[[Process], None] = lambda process: None


class SimulatedConsumer:
    """The part of Faust's consumer that a worker asks (`agents.transport.BatchConsumer`)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.assigned: frozenset[TP] = frozenset()
        self.settled: dict[TP, int] = {}
        self.positions: dict[TP, int] = {}
        self.moves = 0
        # Partition -> how often it was sought itself; a rebalance counts for all (`moves`).
        self.seeks: Counter[TP] = Counter()
        self.on_committed: Callable[[TP, int], None] = lambda tp, offset: None

    def assignment(self) -> frozenset[TP]:
        """Return the partitions of this process."""
        return self.assigned

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Note what is settled, of what is assigned."""
        if tp in self.assigned:
            self.settled[tp] = offset

    async def seek(self, tp: TP, offset: int) -> None:
        """Have a partition delivered from an offset on."""
        self.world.counts["rewinds"] += 1
        self.moves += 1
        self.seeks[tp] += 1
        await asyncio.sleep(self.world.broker.delay_s())
        self.positions[tp] = offset

    async def earliest_offsets(self, tp: TP) -> dict[TP, int]:
        """Return the first offset that a partition still holds."""
        await asyncio.sleep(self.world.broker.delay_s())
        return {tp: 0}


class SimulatedApp:
    """The part of a Faust app that a worker asks."""

    def __init__(self, world: World) -> None:
        self.rebalancing = True
        self.consumer_generation_id = -1
        self.consumer = SimulatedConsumer(world)


class SimulatedPort(KafkaPort):
    """The port as it is, but for where a changelog is read from."""

    def __init__(self, world: World, process: Process, port: KafkaPort) -> None:
        self.__dict__.update(vars(port))
        self.world = world
        self.process = process
        self.read_end = 0
        self.has_read = False

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send outputs, at a moment that faults like."""
        self.world.at_write(self.process)
        return await super().send(*args, **kwargs)

    async def append(self, channel: str, partition: int, changes: Sequence[Change]) -> int:
        """Append rows, at a moment that faults like."""
        if changes[-1].key != CLAIM_PLACE:
            # It goes on after a claim or a checkpoint only where nothing of others came before that; what it read
            # before the claim is put right by the first of its checkpoints.
            checkpoint = decode_checkpoint(changes[-1].value or b"")
            self.world.read_ends[channel, partition, checkpoint.epoch] = self.read_end
            # A lane that did not read its table with this port is one of a former generation.
            self.world.counts["checkpoints of kept lanes"] += not self.has_read
        self.world.at_write(self.process)
        self.read_end = await super().append(channel, partition, changes)
        return self.read_end

    async def read_table(self, channel: str, partition: int, *, offset: int = 0) -> AsyncIterator[list[TableRecord]]:
        """Yield one changelog partition from an offset to the end that the last fetch saw."""
        broker = self.world.broker
        log = broker.logs[channel, partition]
        self.has_read = True
        if offset:
            self.world.counts["changelogs checked"] += 1
        while True:
            await asyncio.sleep(broker.delay_s())
            end, records = log.end, log.fetch(offset, self.world.random.randint(1, 200))
            if records:
                offset = records[-1].offset + 1
                await asyncio.sleep(0)
                yield [(record.offset, record.key or b"", record.value) for record in records]
            if not records or offset >= end:
                return

    def fence(self) -> None:
        """Raise `Fenced` once the group has moved on."""
        try:
            super().fence()
        except Fenced:
            self.world.counts["fenced"] += 1
            raise


class SimulatedWorker(Worker):
    """The production worker with ports on the simulated broker."""

    def __init__(self, world: World, process: Process, app: SimulatedApp, registry: Registry) -> None:
        super().__init__(app, world.settings)
        self.world = world
        self.process = process
        self.registry.registry = registry
        self.crash = self._end
        self.lease = Lease(session_s=SESSION_S, end=self._end, now_s=world.broker.loop.time)

    def port(self, generation: int) -> SimulatedPort:
        """Return the port of lanes that are opened now."""
        return SimulatedPort(self.world, self.process, super().port(generation))

    def mark(self) -> int:
        """Return a mark that the seed decides."""
        return self.world.random.getrandbits(MARK_BITS)

    async def channel_id(self, channel: str) -> str:
        """Return the same id for ever: no channel is made anew here."""
        await asyncio.sleep(self.world.broker.delay_s())
        return f"id of {channel}"

    async def end(self, channel: str, partition: int) -> int:
        """Return the end of a partition."""
        await asyncio.sleep(self.world.broker.delay_s())
        return self.world.broker.logs[channel, partition].end

    def _end(self, error: BaseException) -> None:
        """End the process as `agents.worker.crash` does; what no fault accounts for is remembered."""
        if isinstance(error, LeaseLost):
            self.world.counts["leases lost"] += 1
        elif not isinstance(error, ProcessEnded):
            self.world.counts["crashes"] += 1
            if not isinstance(error, SendFailed) and not isinstance(error.__cause__, SendFailed):
                self.world.unexpected.append(error)
        self.process.kill()
        raise ProcessEnded


class WorkerProcess:
    """What a process does from its start to its end: joins the group, fetches, feeds its agents, commits."""

    def __init__(self, world: World, name: str, registry: Registry) -> None:
        self.world = world
        self.name = name
        self.process = world.broker.loop.process(name)
        self.app = SimulatedApp(world)
        self.worker = SimulatedWorker(world, self.process, self.app, registry)
        self.producer = Producer(world.broker, self.process, self.worker.lease.is_held)
        self.producer.landed = self._landed
        self.queues: dict[str, asyncio.Queue[FetchedBatch]] = {}
        self._joining = asyncio.Lock()
        self.is_leaving = False
        self._begin(self._run())

    def _landed(self, channel: str, partition: int) -> None:
        """Count what is written by a process that the group has passed over."""
        if ".table." in channel and self.app.consumer_generation_id != self.world.group.generation:
            self.world.counts["late writes"] += 1

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.process.start(work).add_done_callback(self._note_failure)

    def _note_failure(self, task: "asyncio.Task[None]") -> None:
        """Tell what fails in the simulation itself: nobody awaits these tasks."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ProcessEnded):
            self.world.unexpected.append(error)

    async def _run(self) -> None:
        producer: Any = self.producer
        self.worker.begin(producer)
        for _, channel, consume in self.worker.consumers():
            self.queues[channel] = asyncio.Queue(BUFFER_BATCHES)
            self._begin(self._agent(self.queues[channel], consume))
        self._begin(self._fetch_for_ever())
        self._begin(self._commit_for_ever())
        await self._join()
        while True:
            await asyncio.sleep(self.world.random.uniform(0.2, 1.0))
            if not self._beat() and not self.is_leaving:
                await self._join()

    def _beat(self) -> bool:
        """Tell the group that we are there, and the lease what it says; return whether all stays as it is."""
        generation = self.app.consumer_generation_id
        if self.world.group.knows(self.name, generation):
            self.worker.lease.answered(sent_at_s=self.world.broker.loop.time())
        else:
            self.worker.lease.refused()
        return self.world.group.heartbeat(self.name, generation)

    async def _join(self) -> None:
        """Give everything up and get a new share, in the order in which Faust goes about it."""
        app, consumer, random = self.app, self.app.consumer, self.world.random
        app.rebalancing = True
        await asyncio.sleep(random.uniform(0.0, 0.3) if random.random() < 0.3 else 0.0)
        consumer.moves += 1
        for queue in self.queues.values():
            while not queue.empty():
                queue.get_nowait()
        consumer.settled.clear()
        await asyncio.sleep(0)
        self.worker.revoked()
        settling = asyncio.ensure_future(self.worker.settle())
        while not settling.done():
            await asyncio.sleep(random.uniform(0.1, 0.3))
            self._beat()
        joined = await self.world.group.join(self.name)
        consumer.assigned = joined.assigned
        await asyncio.sleep(self.world.broker.delay_s())
        app.consumer_generation_id = joined.generation
        self._beat()
        consumer.positions = {tp: self.world.group.committed.get(tp, 0) for tp in joined.assigned}
        consumer.moves += 1
        await asyncio.sleep(self.world.broker.delay_s())
        self.worker.assigned()
        app.rebalancing = False
        self.world.counts["rebalances"] += 1

    async def _agent(self, queue: "asyncio.Queue[FetchedBatch]", consume: Consume) -> None:
        """Take batches one after the other, as `agents.app` has an agent do it."""
        while True:
            fetched = await queue.get()
            self._count(fetched)
            try:
                end = self.world.broker.logs[fetched.topic, fetched.partition].end
                await consume(fetched.partition, fetched.batch(), end)
            except Exception as error:
                self.worker.crash(error)
                raise

    def _count(self, fetched: FetchedBatch) -> None:
        place = (fetched.topic, fetched.partition)
        known = self.world.taken.get(place, 0)
        self.world.counts["replayed"] += sum(record.offset < known for record in fetched.records)
        self.world.taken[place] = max(known, fetched.offset + 1)

    async def _fetch_for_ever(self) -> None:
        random = self.world.random
        while True:
            await asyncio.sleep(random.uniform(0.02, 0.5))
            if self.app.rebalancing or self.is_leaving:
                continue
            for tp in sorted(self.app.consumer.assigned):
                if random.random() < 0.8:
                    await self._fetch(tp)

    async def _fetch(self, tp: TP) -> None:
        world, consumer = self.world, self.app.consumer
        queue = self.queues[tp.topic]
        begins, moves, generation = consumer.positions.get(tp), consumer.moves, self.app.consumer_generation_id
        seeks = consumer.seeks[tp]
        if begins is None or queue.full():
            return
        records = world.broker.logs[tp.topic, tp.partition].fetch(begins, world.random.choice((1, 3, 10, 50)))
        if not records:
            return
        is_late = world.is_faulty and world.options.stale > 0 and world.random.random() < world.options.stale
        # What is late may come after a rebalance: Faust hands it on all the same.
        await asyncio.sleep(world.random.uniform(0.0, 3.0) if is_late else world.broker.delay_s())
        if self.app.rebalancing or generation != self.app.consumer_generation_id:
            if not is_late:
                return
            world.counts["stale deliveries"] += 1
        # The client goes on behind what it hands over, unless the partition was sought or shared out anew meanwhile;
        # ours does not tell which partition was moved (`agents.transport`).
        if seeks == consumer.seeks[tp] and generation == self.app.consumer_generation_id and not self.app.rebalancing:
            consumer.positions[tp] = records[-1].offset + 1
        await queue.put(FetchedBatch(list(records), None if moves != consumer.moves else begins))

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.world.random.uniform(0.3, 1.2))
            if not self.app.rebalancing:
                await self._commit()

    async def _commit(self) -> None:
        consumer = self.app.consumer
        offsets = dict(consumer.settled)
        generation = self.app.consumer_generation_id
        await asyncio.sleep(self.world.broker.delay_s())
        if offsets and self.world.group.commit(self.name, generation, offsets):
            for tp, offset in offsets.items():
                consumer.on_committed(tp, offset)

    def drain(self) -> None:
        """Have the process end as a signal does it: drain, commit, leave."""
        if self.is_leaving:
            return
        self.is_leaving = True
        self._begin(self._drain())

    async def _drain(self) -> None:
        try:
            await self.worker.drain()
        except Exception as error:  # noqa: BLE001  (as `agents.app` does)
            self.worker.crash(error)
        await self._commit()
        self.world.group.leave(self.name)
        self.world.counts["drained"] += 1
        self.process.kill()
