"""A whole installation for tests: servers, workers as processes, a log through them, and what came out."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.broker import client_options, create_channels, read_partition, start_producer
from agents.registry import publish_topics
from agents.replay import replay
from agents.replay_summary import ReplaySummary
from agents.settings import Settings, load_settings
from agents.stack import SESSION_TIMEOUT_MS, Stack
from agents.stack.ports import free_ports
from agents.stack.scoped import KafkaKind
from schemas.channels import ALERTS, ATTRIBUTED, CASCADES, CONTRIBUTIONS, SIGNALS, VITALS, ChannelSpec, named
from schemas.seeds import TopicRecord

NAMESPACE = "trial"
POLL_S = 0.2
TIMEOUT_S = 150.0
PIPELINE = (SIGNALS, ATTRIBUTED, CONTRIBUTIONS)


class Told(NamedTuple):
    """The different values of a channel, in the order of event time, and how many came more than once."""

    values: list[bytes]
    repeated: int


class WorkerProcess:
    """One worker as a process of its own."""

    def __init__(self, settings: Settings, port: int, log: Path) -> None:
        self.port = port
        environment = dict(os.environ)
        environment.update(
            OVERGROWTH_KAFKA=settings.kafka,
            OVERGROWTH_REDIS=settings.redis,
            OVERGROWTH_NAMESPACE=settings.namespace,
            OVERGROWTH_CLOCK=settings.clock,
            OVERGROWTH_SESSION_MS=str(settings.session_ms),
            OVERGROWTH_METRICS_PORT=str(port),
        )
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", "worker"], env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    def watermarks_ms(self) -> dict[int, float]:
        """Return how far each partition of topics has come that this worker owns; nothing while it does not answer."""
        channel = f'channel="{NAMESPACE}.{CONTRIBUTIONS.name}"'
        found = {}
        for line in self.page("metrics").splitlines():
            if line.startswith("overgrowth_watermark_timestamp_seconds{") and channel in line:
                partition = int(line.partition('partition="')[2].partition('"')[0])
                found[partition] = float(line.rpartition(" ")[2]) * 1000
        return found

    def page(self, name: str) -> str:
        """Return a page of the worker, empty where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def stop(self) -> int:
        """End the worker as an operator would, and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """End the worker at once."""
        self.process.kill()
        self.process.wait(timeout=10)


class Installation:
    """Servers with a log in them; workers are started and ended by the test."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.settings = load_settings(
            {},
            kafka=stack.kafka_url,
            redis=stack.redis_url,
            namespace=NAMESPACE,
            clock="log",
            session_ms=SESSION_TIMEOUT_MS,
        )
        self.folder = folder
        self.workers: list[WorkerProcess] = []
        self.summary = ReplaySummary()

    def feed(self, log: Path, topics: list[TopicRecord], log_format: str) -> None:
        """Declare the topics and send the whole log."""
        asyncio.run(self._feed(log, topics, log_format))

    async def _feed(self, log: Path, topics: list[TopicRecord], log_format: str) -> None:
        await create_channels(self.settings)
        producer = await start_producer(self.settings)
        await publish_topics(self.settings, producer, topics, known=())
        await producer.stop()
        self.summary = await replay(self.settings, str(log), format=log_format)

    def start_worker(self) -> WorkerProcess:
        """Start one more worker."""
        number = len(self.workers)
        worker = WorkerProcess(self.settings, free_ports(1)[0], self.folder / f"worker-{number}.log")
        self.workers.append(worker)
        return worker

    def await_progress(self, *, past_ms: float) -> None:
        """Wait until any partition of topics has passed an instant of event time."""
        self._await(lambda marks: any(mark > past_ms for mark in marks.values()), f"progress past {past_ms}")

    def await_end(self) -> None:
        """Wait until every partition of topics has passed the end of the log."""
        last_ms = self.summary.last_ms or 0
        self._await(
            lambda marks: len(marks) == self.settings.partitions and min(marks.values()) >= last_ms,
            f"all partitions at {last_ms}",
        )

    def await_drained(self) -> None:
        """Wait until the workers have committed everything, what a new owner sent again included."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while (behind := self.uncommitted()) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)  # another process commits; nothing here can be waited for
        assert not behind, behind

    def _await(self, is_there: Callable[[dict[int, float]], bool], what: str) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        marks: dict[int, float] = {}
        while time.monotonic() < deadline_s:
            for worker in self.workers:
                if worker.process.poll() is None:
                    marks |= worker.watermarks_ms()
            if is_there(marks):
                return
            time.sleep(POLL_S)  # between two looks at a process that we cannot wait for otherwise
        raise AssertionError(f"expected {what} within {TIMEOUT_S} s, got {marks}; logs in {self.folder}")

    def told(self, spec: ChannelSpec) -> Told:
        """Return what a channel holds; the same id with other bytes is an error."""
        return asyncio.run(self._told(spec))

    async def _told(self, spec: ChannelSpec) -> Told:
        values: dict[tuple[int, str, str], bytes] = {}
        repeated = 0
        for partition in range(self.settings.partitions):
            channel = named(spec, namespace=NAMESPACE)
            async for records in read_partition(self.settings, channel=channel, partition=partition):
                for record in records:
                    identity = dict(record.headers).get("ce_id", b"").decode()
                    key = (record.timestamp, record.key.decode(), identity)
                    if key in values:
                        repeated += 1
                        assert values[key] == record.value, f"{key}: the same identity with other bytes"
                    values.setdefault(key, record.value)
        ordered = sorted(values.items(), key=lambda entry: entry[0][:2])
        return Told([value for _, value in ordered], repeated)

    def uncommitted(self) -> list[str]:
        """Return the partitions of the pipeline and of the views whose committed offset is not their end."""
        return asyncio.run(self._uncommitted())

    async def _uncommitted(self) -> list[str]:
        consumer = AIOKafkaConsumer(
            **client_options(self.settings), group_id=self.settings.group, enable_auto_commit=False
        )
        await consumer.start()
        behind = []
        for spec in (*PIPELINE, VITALS, CASCADES, ALERTS):
            for partition in range(self.settings.partitions):
                tp = TopicPartition(named(spec, namespace=NAMESPACE), partition)
                committed, end = await consumer.committed(tp) or 0, 0
                async for records in read_partition(self.settings, channel=tp.topic, partition=partition):
                    end = records[-1].offset + 1
                if committed != end:
                    behind.append(f"{tp.topic}[{partition}]: committed {committed}, end {end}")
        await consumer.stop()
        return behind

    def close(self) -> None:
        """End every worker that still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()


@contextmanager
def installation(kafka: KafkaKind, folder: Path) -> Iterator[Installation]:
    """Run servers and whatever workers the test starts, for the length of a block."""
    with Stack(kafka) as stack:
        whole = Installation(stack, folder)
        try:
            yield whole
        finally:
            whole.close()
