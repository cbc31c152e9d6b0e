"""One campaign: servers, a load, workers, faults drawn from a seed, and the verdict once all is quiet again."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from agents.broker import create_channels, start_producer
from agents.registry import publish_topics
from agents.settings import Settings
from agents.stack import SESSION_TIMEOUT_MS, Stack
from agents.stack.scoped import KafkaKind
from tests.faults.feeder import Feeder
from tests.faults.fleet import Fleet, Lanes, WorkerProcess
from tests.faults.load import TOPICS
from tests.faults.oracle import Verdict, judge, judge_views, uncommitted
from tests.faults.takeover import Watcher

TAKEOVER_WITHIN_S = 60.0
DRAINED_WITHIN_S = 400.0
WORKERS = 2

Say = Callable[[str], None]


class Plan(NamedTuple):
    """What a campaign does: until so many kills were done, at most for so long, and drawn from this seed."""

    kafka: KafkaKind
    kills: int
    seed: int
    per_second: float = 60.0
    seconds_max: float = 3_600.0
    only_kills: bool = False


class Report(NamedTuple):
    """What was done, what came of it, and the verdict."""

    done: Counter[str]
    unfinished: int
    ended: Counter[str]
    takeovers_s: list[float]
    had_data_left: int
    lanes: Lanes
    fed: int
    poison: int
    exits_at_term: list[int]
    verdict: Verdict
    seconds: float


class Campaign:
    """Faults under load, one after the other, some before the last was over."""

    def __init__(self, plan: Plan, stack: Stack, folder: Path, say: Say) -> None:
        self.plan = plan
        self.stack = stack
        self.say = say
        self.random = Random(plan.seed)
        self.settings = Settings(
            kafka=stack.kafka_url,
            redis=stack.redis_url,
            namespace=f"faults{plan.seed}",
            clock="log",
            session_ms=SESSION_TIMEOUT_MS,
            raw_networks=("native",),
        )
        self.fleet = Fleet(self.settings, folder)
        self.watcher = Watcher(self.settings)
        self.feeder = Feeder(self.settings, seed=plan.seed, per_second=plan.per_second)
        self.done: Counter[str] = Counter()
        self.exits_at_term: list[int] = []

    async def run(self) -> Report:
        """Do everything and return what came of it."""
        begun_s = time.monotonic()
        await create_channels(self.settings)
        producer = await start_producer(self.settings)
        await publish_topics(self.settings, producer, TOPICS, known=())
        await producer.stop()
        for _ in range(WORKERS):
            self.fleet.start()
        self.watcher.start()
        feeding = asyncio.create_task(self.feeder.run())
        first = await self.watcher.note()
        assert await self.watcher.wait(first, within_s=2 * TAKEOVER_WITHIN_S), "no worker began"
        self.watcher.over.clear()
        while self.done["kill"] < self.plan.kills and time.monotonic() - begun_s < self.plan.seconds_max:
            await self._one_fault()
        self.feeder.end()
        await feeding
        await self._settle()
        await self.watcher.stop()
        verdict = await judge(self.settings, fed=self.feeder.signal_ids, behind=self.feeder.behind)
        verdict.differences.extend(await judge_views(self.settings))
        return Report(
            done=self.done,
            unfinished=len(self.watcher.open),
            ended=self.fleet.ended,
            takeovers_s=sorted(fault.takeover_s for fault in self.watcher.over),
            had_data_left=sum(fault.had_data_left for fault in self.watcher.over),
            lanes=self.fleet.lanes(),
            fed=self.feeder.sent,
            poison=self.feeder.poison,
            exits_at_term=self.exits_at_term,
            verdict=verdict,
            seconds=time.monotonic() - begun_s,
        )

    async def _one_fault(self) -> None:
        actions: list[tuple[Callable[[], object], int]] = [(self._kill, 75)]
        if not self.plan.only_kills:
            actions += [(self._pause, 8), (self._terminate, 7), (self._join, 5), (self._flush_views, 4)]
            if self.plan.kafka == "real":
                actions.append((self._bounce_broker, 4))
        act = self.random.choices([action for action, _ in actions], [weight for _, weight in actions])[0]
        doing = act()
        assert asyncio.iscoroutine(doing)
        await doing
        self.fleet.replace_ended()

    async def _takeover(self) -> None:
        """Wait until new owners have checkpointed all partitions; every other time only for seconds."""
        fault = await self.watcher.note()
        if self.random.random() < 0.5:
            await asyncio.sleep(self.random.uniform(2.0, 8.0))
            return
        deadline_s = time.monotonic() + TAKEOVER_WITHIN_S
        while not await self.watcher.wait(fault, within_s=2.0):
            self.fleet.replace_ended()
            if time.monotonic() > deadline_s:
                # Its time is still taken once it is over; that everything ends well is asserted at the end.
                self.done["slow takeover"] += 1
                return
        await asyncio.sleep(self.random.uniform(0.0, 1.5))

    def _victim(self) -> WorkerProcess:
        awake = self.fleet.awake()
        return self.random.choice(awake) if awake else self.fleet.start()

    async def _kill(self) -> None:
        victim = self._victim()
        victim.kill()
        self.fleet.members.remove(victim)
        self.done["kill"] += 1
        if len(self.fleet.awake()) < WORKERS:
            self.fleet.start()
        await self._takeover()
        if self.done["kill"] % 10 == 0:
            over = sorted(fault.takeover_s for fault in self.watcher.over)
            half = over[len(over) // 2] if over else float("nan")
            self.say(f"{self.done['kill']} kills of {self.plan.kills}, takeover p50 {half:.1f} s, {dict(self.done)}")

    async def _pause(self) -> None:
        """Stop a worker for longer than its session, then let it go on: it believes that it still owns what it had."""
        victim = self._victim()
        victim.pause()
        self.done["pause"] += 1
        if not self.fleet.awake():
            self.fleet.start()
        await asyncio.sleep(self.settings.session_ms / 1000 * self.random.choice((1.3, 2.0)))
        victim.resume()
        await asyncio.sleep(self.random.uniform(1.0, 3.0))

    async def _terminate(self) -> None:
        victim = self._victim()
        self.exits_at_term.append(await asyncio.to_thread(victim.stop))
        self.fleet.members.remove(victim)
        self.done["term"] += 1
        self.fleet.start()
        await self._takeover()

    async def _join(self) -> None:
        """Let one more worker join, and later another one leave."""
        self.fleet.start()
        self.done["join"] += 1
        await self._takeover()
        if len(self.fleet.awake()) > WORKERS:
            leaving = self._victim()
            self.exits_at_term.append(await asyncio.to_thread(leaving.stop))
            self.fleet.members.remove(leaving)
            self.done["leave"] += 1

    async def _flush_views(self) -> None:
        """Kill Redis and bring it back empty some seconds later."""
        assert self.stack.redis is not None, "a campaign has a Redis"
        await asyncio.to_thread(self.stack.redis.kill)
        await asyncio.sleep(self.random.uniform(1.0, 4.0))
        await asyncio.to_thread(self.stack.redis.start)
        self.done["redis"] += 1

    async def _bounce_broker(self) -> None:
        """Stop the broker, or kill it, and start it again on the log that it had."""
        if self.random.random() < 0.5:
            await asyncio.to_thread(self.stack.kafka.kill)
            await asyncio.to_thread(self.stack.kafka.start)
        else:
            await asyncio.to_thread(self.stack.kafka.restart)
        self.done["broker"] += 1
        await asyncio.sleep(self.random.uniform(1.0, 5.0))

    async def _settle(self) -> None:
        """Wait until everything is taken, committed and shown, then end the workers as an operator would."""
        deadline_s = time.monotonic() + DRAINED_WITHIN_S
        while behind := await uncommitted(self.settings) or await judge_views(self.settings):
            self.fleet.replace_ended()
            assert time.monotonic() < deadline_s, behind
            await asyncio.sleep(0.5)
        for worker in self.fleet.awake():
            self.exits_at_term.append(await asyncio.to_thread(worker.stop))


def run_campaign(plan: Plan, folder: Path, say: Say = lambda line: None) -> Report:
    """Run a campaign on servers of its own."""
    with Stack(plan.kafka) as stack:
        campaign = Campaign(plan, stack, folder, say)
        try:
            return asyncio.run(campaign.run())
        finally:
            campaign.fleet.close()
