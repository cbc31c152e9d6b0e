"""Signals made for one worker, what one process tells of them, and hands to feed, run and question that worker."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.broker import client_options, create_channels, read_partition, send_all, start_producer
from agents.lane import Outgoing
from agents.registry import publish_topics
from agents.settings import Settings
from agents.stack import SESSION_TIMEOUT_MS, Stack
from agents.stack.ports import free_ports
from schemas.channels import ALERTS, ATTRIBUTED, CONTRIBUTIONS, SIGNALS, VITALS, ChannelSpec, named
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Kind, Signal
from streams.attribution.matcher import Registry
from streams.steps.attribute import Arrival
from streams.steps.pipeline import Pipeline

BEGIN_MS = 1_341_388_800_000
SOURCE = "made"
PARTITIONS = 4
WITHIN_S = 60.0
POLL_S = 0.2

to_json = msgspec.json.Encoder().encode

TOPIC = TopicRecord(
    "cern",
    "higgs",
    (TopicVersion(effective_from_ms=0, accounts={"t": ("brand",)}, seeds=Seeds(tags=("higgs",))),),
)
KINDS: tuple[Kind, ...] = ("reply", "share", "like")


def made_signals(count: int = 3_000) -> list[Signal]:
    """Let a brand seed now and then and a community answer for five hours, in conversations of 40 signals each.

    Every third signal is some seconds older than those before it, as real ones are.
    """
    made = []
    for number in range(count):
        is_post, root = number % 40 == 0, f"p{number // 40 * 40}"
        kind = "post" if is_post else KINDS[number % 3]
        made.append(
            Signal(
                id=f"t:{number}",
                network="t",
                kind=kind,
                at=BEGIN_MS + number * 6_000 - (3_500 if number % 3 == 0 else 0),
                actor="brand" if number % 1_600 == 0 else f"a{number * 7_919 % 2_000}",
                source=SOURCE,
                post=f"p{number}" if kind in ("post", "reply") else root,
                parent=None if is_post else root,
                root=root,
                tags=("higgs",) if is_post else (),
            )
        )
    return made


class Told(NamedTuple):
    """Alerts and vitals as bytes, in the order of their ticks."""

    alerts: list[bytes]
    vitals: list[bytes]


def told_by_one_process(signals: Iterable[Signal], topic: TopicRecord = TOPIC) -> Told:
    """Run signals of one source through the three steps, in the order of their time: what every worker must tell."""
    pipeline = Pipeline(Registry([topic]))
    ordered = sorted(signals, key=lambda one: (one.at, one.id))
    log: list[Signal | Heartbeat] = [*ordered, Heartbeat(ordered[-1].source, ordered[-1].at, end=True)]
    arrivals = [Arrival(offset, None, b"", decoded) for offset, decoded in enumerate(log)]
    outcome = pipeline.advance(arrivals, next_offset=len(log))
    return Told([to_json(alert) for _, alert in outcome.alerts], [to_json(vitals) for vitals in outcome.vitals])


class Trial:
    """One installation in a namespace of its own, with at most one worker at a time."""

    def __init__(self, stack: Stack, namespace: str, folder: Path, *, redis: str | None = None) -> None:
        self.settings = Settings(
            kafka=stack.kafka_url,
            redis=redis or stack.redis_url,
            namespace=namespace,
            partitions=PARTITIONS,
            clock="log",
            session_ms=SESSION_TIMEOUT_MS,
            metrics_port=free_ports(1)[0],
        )
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._logs = 0

    # --- the log ------------------------------------------------------------------------------------------------------

    def declare(self, topic: TopicRecord = TOPIC) -> None:
        """Create the channels and publish the topic."""

        async def work() -> None:
            await create_channels(self.settings)
            producer = await start_producer(self.settings)
            await publish_topics(self.settings, producer, [topic], known=())
            await producer.stop()

        asyncio.run(work())

    def send(self, outgoing: Sequence[Outgoing]) -> list[tuple[int, int]]:
        """Send records and return (partition, offset) of each."""

        async def work() -> list[tuple[int, int]]:
            producer = await start_producer(self.settings)
            places: list[Any] = await asyncio.gather(*await send_all(producer, outgoing))
            await producer.stop()
            return [(place.partition, place.offset) for place in places]

        return asyncio.run(work())

    def records(self, spec: ChannelSpec) -> list[Any]:
        """Return every record of a channel, partition by partition."""

        async def work() -> list[Any]:
            return [
                record
                for partition in range(PARTITIONS)
                async for records in read_partition(self.settings, channel=self.name(spec), partition=partition)
                for record in records
            ]

        return asyncio.run(work())

    def told(self) -> Told:
        """Return alerts and vitals as a reader keeps them who drops what comes again."""
        alerts: dict[str, tuple[int, bytes]] = {}
        for record in self.records(ALERTS):
            alerts.setdefault(dict(record.headers)["ce_id"].decode(), (record.timestamp, record.value))
        vitals: dict[tuple[int, bytes], bytes] = {}
        for record in self.records(VITALS):
            vitals.setdefault((record.timestamp, record.key), record.value)
        return Told(
            [value for _, value in sorted(alerts.values(), key=lambda alert: alert[0])],
            [value for _, value in sorted(vitals.items())],
        )

    def uncommitted(self) -> list[str]:
        """Return the partitions of the pipeline whose committed offset is not their end."""

        async def work() -> list[str]:
            consumer = AIOKafkaConsumer(
                **client_options(self.settings), group_id=self.settings.group, enable_auto_commit=False
            )
            await consumer.start()
            behind = []
            for spec in (SIGNALS, ATTRIBUTED, CONTRIBUTIONS):
                for partition in range(PARTITIONS):
                    tp = TopicPartition(self.name(spec), partition)
                    committed, end = await consumer.committed(tp), 0
                    async for records in read_partition(self.settings, channel=tp.topic, partition=partition):
                        end = records[-1].offset + 1
                    if committed != end:
                        behind.append(f"{tp.topic}[{partition}]: committed {committed}, end {end}")
            await consumer.stop()
            return behind

        return asyncio.run(work())

    def name(self, spec: ChannelSpec) -> str:
        """Return the full name of a channel."""
        return named(spec, namespace=self.settings.namespace)

    def environment(self, **changed: str) -> dict[str, str]:
        """Return the settings as variables, for a process of this installation."""
        environment = dict(os.environ)
        for name in self.settings.__struct_fields__:
            value = getattr(self.settings, name)
            text = (
                ",".join(value) if isinstance(value, tuple) else str(value).lower() if value in (True, False) else value
            )
            environment[f"OVERGROWTH_{name.upper()}"] = str(text)
        return environment | {f"OVERGROWTH_{name.upper()}": text for name, text in changed.items()}

    # --- the worker ---------------------------------------------------------------------------------------------------

    def start(self, command: Sequence[str] = ("-m", "agents.cli", "worker"), **changed: str) -> None:
        """Start a worker."""
        environment = self.environment(**changed)
        self._logs += 1
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )

    @property
    def log_path(self) -> Path:
        """The log of the worker that was started last."""
        return self.folder / f"{self.settings.namespace}-{self._logs}.log"

    def stop(self) -> int:
        """End the worker as an operator would, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=WITHIN_S)

    def kill(self) -> None:
        """End the worker at once, where it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=WITHIN_S)

    def page(self, name: str) -> tuple[int, str]:
        """Return status and text of a page of the worker; (0, "") where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.metrics_port}/{name}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, series: str) -> float:
        """Return the value of a series, 0 where there is none."""
        for line in self.page("metrics")[1].splitlines():
            if line.startswith(f"{series} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def await_passed(self, at_ms: int) -> None:
        """Wait until every partition of topics has passed an instant of event time."""

        def passed() -> bool:
            series = "overgrowth_watermark_timestamp_seconds"
            channel = self.name(CONTRIBUTIONS)
            marks = [self.metric(f'{series}{{channel="{channel}",partition="{p}"}}') for p in range(PARTITIONS)]
            return min(marks) * 1000 >= at_ms

        self.wait(passed, f"every partition of topics past {at_ms}")

    def wait(self, is_there: Callable[[], bool], what: str) -> None:
        """Wait until something is there that another process does."""
        deadline_s = time.monotonic() + WITHIN_S
        while not is_there():
            ended = None if self.process is None else self.process.poll()
            assert ended is None, f"expected {what}, the worker ended with {ended}: {self.log_path.read_text()}"
            assert time.monotonic() < deadline_s, f"expected {what} within {WITHIN_S} s: {self.log_path.read_text()}"
            time.sleep(POLL_S)  # another process does it; nothing here can be waited for
