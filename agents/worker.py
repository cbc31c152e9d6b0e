"""One worker: the runners of its agents, its clock, its checkpoints and its place in the consumer group."""

import asyncio
import logging
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiokafka import AIOKafkaProducer
from faust.types import TP

from agents.attribute_signals import AttributeShell
from agents.broker import BrokerError, create_channels, read_end, send_all, start_producer
from agents.channel_ids import channel_id
from agents.follow_members import FollowShell
from agents.garbage import collect_rarely
from agents.health import HealthError, HealthServer
from agents.lane import Batch, SendFailed, acknowledged, slices
from agents.lease import Lease, LeaseLost
from agents.metrics import Metrics
from agents.normalize_signals import Normalizer, heartbeat_records
from agents.observer import Observer
from agents.packing import PacketVersionError
from agents.port import KafkaPort
from agents.publish_views import Publisher
from agents.pulse import Pulse
from agents.registry import RegistryReader
from agents.runner import Runner
from agents.settings import Settings, SettingsError
from agents.table import MARK_BITS, TableError
from agents.version import VERSION
from agents.views import ViewsError
from agents.watch_topics import WatchShell
from schemas.channels import (
    ALERTS,
    ATTRIBUTED,
    CASCADES,
    CONTRIBUTIONS,
    SIGNALS,
    TABLE_ATTRIBUTE,
    TABLE_FOLLOW,
    TABLE_WATCH,
    VITALS,
    named,
    raw_channel,
)
from schemas.signal import CLOCK_SOURCE, Heartbeat

logger = logging.getLogger("overgrowth")

CLOCK_EVERY_S = 1.0
GIVE_WAY_S = 1.0
"""How long a slice of a batch, some tens of milliseconds of work, waits for lanes that are still to be opened."""
GIVE_WAY_LOOKS = 20
SETTLE_S = 20.0
"""How long the group may wait for our last records of a generation; it waits for a member for 60 s at most."""
EXIT_REFUSED = 1
EXIT_CRASHED = 70
"""EX_SOFTWARE of sysexits: something failed that we do not know how to go on from; a restart recovers."""
Consume = Callable[[int, Batch, int | None], Awaitable[None]]

EXPECTED_ERRORS = (
    BrokerError,
    HealthError,
    LeaseLost,
    PacketVersionError,
    SendFailed,
    SettingsError,
    TableError,
    ViewsError,
)
"""What lies outside of the worker: the message says what, so it is told without a stack trace."""


def crash(error: BaseException) -> None:
    """End the process at once: what is not in a checkpoint is done again by the next owner (crash-only)."""
    trace = None if isinstance(error, EXPECTED_ERRORS) else error
    logger.critical("worker ends: %s: %s", type(error).__name__, error, exc_info=trace)
    logging.shutdown()
    os._exit(EXIT_CRASHED)


def refuse(error: BaseException) -> None:
    """End the process before it begins, with one line on standard error."""
    sys.stderr.write(f"Error: {' '.join(str(error).split())}\n")
    sys.stderr.flush()
    logging.shutdown()
    os._exit(EXIT_REFUSED)


class Worker:
    """What a worker does besides being a Faust app; `app` is that app, given by `agents.app`."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.state = "starting"
        self.crash: Callable[[BaseException], None] = crash
        self.lease = Lease(session_s=settings.session_ms / 1000, end=crash)
        sources = [SIGNALS, ATTRIBUTED, CONTRIBUTIONS, *map(raw_channel, settings.raw_networks)]
        self.metrics = Metrics(
            version=VERSION, channels=[named(spec, namespace=settings.namespace) for spec in sources]
        )
        self.registry = RegistryReader(settings)
        self.publisher = Publisher(settings, self.metrics) if settings.views else None
        self.health = HealthServer(
            self.metrics,
            settings.metrics_host,
            settings.metrics_port,
            ready=lambda: self.observer.ready(),
            state=lambda: self.state,
            started=lambda: self.observer.started(),
            live=lambda: self.pulse.live(),
        )
        self.runners = self._make_runners()
        self.observer = Observer(self)
        self.pulse = Pulse(self.metrics, refresh=self.observer.look, end=crash)
        self._normalizers = [Normalizer(settings, network, self.metrics) for network in settings.raw_networks]
        self._producer: AIOKafkaProducer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._shares = 0
        self._has_settled = False

    def _make_runners(self) -> list[Runner]:
        settings, registry = self.settings, lambda: self.registry.registry
        return [
            Runner(
                settings=settings,
                group=self,
                metrics=self.metrics,
                source=SIGNALS,
                table=TABLE_ATTRIBUTE,
                table_name="conversations",
                make_shell=lambda partition: AttributeShell(settings, registry, partition),
            ),
            Runner(
                settings=settings,
                group=self,
                metrics=self.metrics,
                source=ATTRIBUTED,
                table=TABLE_FOLLOW,
                table_name="members",
                make_shell=lambda partition: FollowShell(settings, registry, partition),
            ),
            Runner(
                settings=settings,
                group=self,
                metrics=self.metrics,
                source=CONTRIBUTIONS,
                table=TABLE_WATCH,
                table_name="topics",
                make_shell=lambda partition: WatchShell(settings, registry, partition),
            ),
        ]

    def consumers(self) -> list[tuple[str, str, Consume]]:
        """Return (name of the agent, channel, what takes its batches), in the order of the flow."""
        names = ("attribute_signals", "follow_members", "watch_topics")
        consumers: list[tuple[str, str, Consume]] = [
            (f"normalize_signals_{normalizer.channel}", normalizer.channel, self._normalizing(normalizer))
            for normalizer in self._normalizers
        ]
        consumers += [
            (name, runner.channel, self._running(runner)) for name, runner in zip(names, self.runners, strict=True)
        ]
        if self.publisher is not None:
            for spec in (VITALS, CASCADES, ALERTS):
                channel = named(spec, namespace=self.settings.namespace)
                consumers.append((f"publish_views_{spec.name}", channel, self._publishing(channel)))
        return consumers

    def _running(self, runner: Runner) -> Consume:
        async def consume(partition: int, batch: Batch, end_offset: int | None) -> None:
            await runner.take(partition, batch, end_offset=end_offset)

        return consume

    def _normalizing(self, normalizer: Normalizer) -> Consume:
        async def consume(partition: int, batch: Batch, end_offset: int | None) -> None:
            for piece in slices(batch):
                await self.give_way()
                sent = await send_all(self.producer, normalizer.take(partition, piece))
                await acknowledged("output", sent)
            self.acknowledge(normalizer.channel, partition, batch.next_offset)

        return consume

    def _publishing(self, channel: str) -> Consume:
        publisher = self.publisher
        assert publisher is not None, "no views without a publisher"

        async def consume(partition: int, batch: Batch, end_offset: int | None) -> None:
            publisher.take(channel, partition, batch)

        return consume

    # What runners ask of the group.

    @property
    def producer(self) -> AIOKafkaProducer:
        """The producer of everything that this worker sends."""
        assert self._producer is not None, "the worker was not started"
        return self._producer

    def generation(self) -> int | None:
        """Return the generation of the consumer group, None while it is rebalancing and once all was settled."""
        return None if self.app.rebalancing or self._has_settled else int(self.app.consumer_generation_id)

    def owns(self, channel: str, partition: int) -> bool:
        """Return whether a partition is assigned to this worker."""
        return TP(channel, partition) in self.app.consumer.assignment()

    def port(self, generation: int) -> KafkaPort:
        """Return the port of lanes that are opened now."""
        # A group that Kafka forgot begins with its generations anew: the number alone may come back.
        share = self._shares
        return KafkaPort(
            self.settings,
            self.producer,
            generation=generation,
            generation_now=lambda: self.generation() if self._shares == share else None,
            acknowledged=self.acknowledge,
            give_way=self.give_way,
            now_ms=_now_ms,
        )

    async def give_way(self) -> None:
        """Wait while a partition of this worker is still to be opened, but not for ever.

        All lanes share one event loop: beside others at full speed, one that opens late would fall behind further and
        further. Nothing depends on its being opened: after `GIVE_WAY_S` the next slice is taken all the same.
        """
        await asyncio.sleep(0)
        for _ in range(GIVE_WAY_LOOKS):
            if self.generation() is None or not self._recovering():
                return
            await asyncio.sleep(GIVE_WAY_S / GIVE_WAY_LOOKS)

    def mark(self) -> int:
        """Return a number that tells one lane from those of other workers."""
        return secrets.randbits(MARK_BITS)

    async def channel_id(self, channel: str) -> str:
        """Return the id that Kafka has given a channel, empty where it tells none; raises `BrokerError`."""
        return await channel_id(self.settings, self.producer.client, channel)

    async def rewind(self, channel: str, partition: int, offset: int) -> None:
        """Have a partition delivered again from `offset` on."""
        await self.app.consumer.seek(TP(channel, partition), offset)

    async def earliest(self, channel: str, partition: int) -> int:
        """Return the first offset that a partition still holds."""
        tp = TP(channel, partition)
        return int((await self.app.consumer.earliest_offsets(tp))[tp])

    async def end(self, channel: str, partition: int) -> int:
        """Return the offset behind the last record of a partition, as a fetch tells it now."""
        return await read_end(self.settings, channel=channel, partition=partition)

    def acknowledge(self, channel: str, partition: int, offset: int) -> None:
        """Have `offset` committed with the next commit."""
        self.app.consumer.acknowledge(TP(channel, partition), offset)

    # The life of the worker, told by the app.

    async def start(self) -> None:
        """Do what must be done before the first record is read."""
        collect_rarely()
        await self.health.start()
        self._begin(self.pulse.beat_for_ever())
        logger.info("http://%s:%d/metrics /live /ready /startup", self.settings.metrics_host, self.health.port)
        await create_channels(self.settings)
        if self.publisher is not None:
            await self.publisher.check()
        await self.registry.read()
        self._begin(self.registry.follow())
        self.begin(self.lease.guard(await start_producer(self.settings)))

    def begin(self, producer: AIOKafkaProducer) -> None:
        """Begin what runs in the background as long as the worker does: checkpoints, the clock, the views."""
        self._producer = producer
        for runner in self.runners:
            self._begin(self._checkpoint_for_ever(runner))
        if self.settings.clock == "wall":
            self._begin(self._tick_for_ever())
        if self.publisher is not None:
            self.publisher.acknowledge = self.acknowledge
            self._begin(self.publisher.publish_for_ever())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._crash_on_error)
        self._tasks.append(task)

    def _crash_on_error(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crash(error)

    async def _checkpoint_for_ever(self, runner: Runner) -> None:
        while True:
            await asyncio.sleep(self.settings.checkpoint_ms / 1000)
            if self.generation() is not None:
                assigned = self.app.consumer.assignment()
                await runner.open_assigned(sorted(tp.partition for tp in assigned if tp.topic == runner.channel))
            await runner.checkpoint()

    async def _tick_for_ever(self) -> None:
        """Write wall time into every partition of the signals once a second, if this worker owns the first."""
        channel = named(SIGNALS, namespace=self.settings.namespace)
        while True:
            await asyncio.sleep(CLOCK_EVERY_S)
            if self.generation() is not None and TP(channel, 0) in self.app.consumer.assignment():
                beat = Heartbeat(CLOCK_SOURCE, at=_now_ms())
                records = heartbeat_records(beat, channel=channel, partitions=self.settings.partitions)
                await acknowledged("output", await send_all(self.producer, records))

    def revoked(self) -> None:
        """Drop every lane: the group shares its partitions out anew."""
        logger.info("the group shares its partitions out anew")
        self.state = "rebalancing"
        self._shares += 1
        self.metrics.set_worker_state("rebalancing")
        self.metrics.count_rebalance()
        self.observer.revoked()
        for runner in self.runners:
            runner.leave()
        if self.publisher is not None:
            self.publisher.leave()

    async def settle(self) -> None:
        """Wait until what the lanes handed over has arrived: once the group goes on, others write behind it."""
        settling = [asyncio.ensure_future(runner.settle()) for runner in self.runners]
        _, late = await asyncio.wait(settling, timeout=SETTLE_S)
        if late:
            logger.warning("expected Kafka to acknowledge what was sent within %.0f s; going on without", SETTLE_S)

    def assigned(self) -> None:
        """Go on with the partitions of the new generation."""
        self.app.consumer.on_committed = self._committed
        self.observer.assigned()
        assigned = self.app.consumer.assignment()
        logger.info("running with %d partitions, generation %d", len(assigned), self.app.consumer_generation_id)
        self.state = "running"
        self.metrics.set_worker_state("running")

    def _committed(self, tp: TP, offset: int) -> None:
        if any(tp.topic == runner.channel for runner in self.runners):
            self.metrics.observe_partition(tp.topic, tp.partition, committed_offset=offset)

    def ready(self) -> tuple[bool, str]:
        """Say whether this worker does its job now, and if not why."""
        if self.state != "running" or self.generation() is None:
            return False, self.state
        count = self._recovering()
        return (not count, f"recovering {count} partitions" if count else "")

    def _recovering(self) -> int:
        """Return how many partitions are assigned whose lane is not open yet."""
        assigned = self.app.consumer.assignment()
        return sum(
            tp.topic == runner.channel and tp.partition not in runner.lanes
            for runner in self.runners
            for tp in assigned
        )

    async def drain(self) -> None:
        """Checkpoint what was taken, so that nothing of it is done again, and stop what runs in the background."""
        logger.info("stopping: the last checkpoints")
        self.state = "draining"
        self.metrics.set_worker_state("draining")
        for runner in self.runners:
            await runner.checkpoint()
        # What is still being taken is left to the next owner: no checkpoint would follow it.
        self._has_settled = True
        if self.publisher is not None:
            await self.publisher.drain()
        for task in self._tasks:
            task.remove_done_callback(self._crash_on_error)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Close what was opened."""
        if self.publisher is not None:
            await self.publisher.stop()
        if self._producer is not None:
            await self._producer.stop()
        await self.health.stop()
        for runner in self.runners:
            runner.leave()
        self.state = "stopped"
        logger.info("stopped; what was read is settled")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
