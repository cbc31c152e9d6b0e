"""`overgrowth demo`: embedded Kafka and Valkey, a worker, a simulated season; alerts appear as they are raised."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from aiokafka import AIOKafkaConsumer
from rich.console import Console

from agents.broker import client_options, create_channels, start_producer
from agents.registry import publish_topics
from agents.replay import replay
from agents.replay_summary import ReplaySummary
from agents.seasons import DEFAULT_SEASON, grow, load_season
from agents.settings import Settings, load_settings
from agents.stack import SESSION_TIMEOUT_MS, Stack
from agents.stack.ports import free_ports
from schemas.alert import Alert
from schemas.channels import ALERTS, CONTRIBUTIONS, named
from schemas.rules import DAY_MS
from schemas.seeds import SeedsFile
from streams.attribution.seeds_file import topic_records

NAMESPACE = "demo"
DEFAULT_SPEED = 9_000
"""Seconds of event time in a second: the four days of the default season pass in about 40 seconds."""
START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 60.0
POLL_S = 0.25

_decode_alert = msgspec.json.Decoder(Alert).decode
_to_json = msgspec.json.Encoder().encode


@click.command()
@click.option("--season", default=DEFAULT_SEASON, show_default=True, help="A season file, or the name of one of ours.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the season.")
@click.option(
    "--speed",
    type=click.FloatRange(min=1),
    default=DEFAULT_SPEED,
    show_default=True,
    help="Seconds of event time that pass in one second.",
)
def demo(season: str, seed: int, speed: float) -> None:
    """Show a season of social life: a brand seeds a topic, a community makes it its own.

    Starts an embedded Kafka and Valkey and a worker on free loopback ports, and stops them at the end.

    \b
    Example:
      overgrowth demo --speed 20000
    """
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="overgrowth-demo-") as folder:
        log = Path(folder) / "season.ndjson"
        grown = load_season(season)
        console.print(f"[bold]Growing the season[/bold] {season} (seed {seed}) ...")
        with log.open("wb") as lines:
            signals = 0
            for signal in grow(grown, seed):
                lines.write(_to_json(signal) + b"\n")
                signals += 1
        with Stack() as stack:
            settings = _settings(stack)
            console.print(f"Kafka on {stack.kafka_url}, Valkey on {stack.redis_url}; the worker starts ...")
            with _worker(settings, Path(folder) / "worker.log") as url:
                told = asyncio.run(_show(console, settings, url, log, speed=speed, seeds=grown.seeds))
        _summarise(console, told, signals)


def _settings(stack: Stack) -> Settings:
    return load_settings(
        {},
        kafka=stack.kafka_url,
        redis=stack.redis_url,
        namespace=NAMESPACE,
        clock="log",
        session_ms=SESSION_TIMEOUT_MS,
        metrics_port=free_ports(1)[0],
        log_level="warning",
    )


@contextmanager
def _worker(settings: Settings, log_path: Path) -> Iterator[str]:
    """Run a worker as a process of its own for as long as the block lasts; yield the address of its probes."""
    environment = dict(os.environ)
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        text = (
            ",".join(value)
            if isinstance(value, tuple)
            else str(value).lower()
            if isinstance(value, bool)
            else str(value)
        )
        environment[f"OVERGROWTH_{name.upper()}"] = text
    url = f"http://{settings.metrics_host}:{settings.metrics_port}"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents.cli", "worker"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _await_ready(url, process, log_path)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if process.returncode:
        raise click.ClickException(f"the worker ended with code {process.returncode}: {_last_line(log_path)}")


def _await_ready(url: str, process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise click.ClickException(f"the worker ended with code {process.returncode}: {_last_line(log_path)}")
        if _get(f"{url}/ready") is not None:
            return
        time.sleep(POLL_S)
    raise click.ClickException(
        f"expected the worker to be ready within {START_TIMEOUT_S:.0f} s: {_last_line(log_path)}"
    )


def _get(url: str) -> bytes | None:
    """Return the body of a page of ours on loopback, None while it does not answer with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (an http address that we made ourselves)
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"


async def _show(
    console: Console, settings: Settings, url: str, log: Path, *, speed: float, seeds: SeedsFile
) -> Counter[tuple[str, str]]:
    """Replay the log and print the alerts until the worker has judged its last tick; return what was told."""
    await create_channels(settings)
    producer = await start_producer(settings)
    await publish_topics(settings, producer, topic_records(seeds, effective_from_ms=0), known=())
    await producer.stop()
    told: Counter[tuple[str, str]] = Counter()
    tail = asyncio.create_task(_tail(console, settings, told))
    console.print(f"[bold]The season passes[/bold] at {speed:,.0f} times its pace.\n")
    try:
        summary = await replay(settings, str(log), format="native", speed=speed, progress=_Days(console).tell)
        await _await_drained(settings, url, summary)
        # The last alerts are on the channel now; give the reader of the channel one more turn.
        await asyncio.sleep(1.0)
    finally:
        tail.cancel()
        await asyncio.gather(tail, return_exceptions=True)
    return told


class _Days:
    """Says when a new day of the season begins, so that the quiet ones do not look like a stop."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._day = -1

    def tell(self, summary: ReplaySummary) -> None:
        """Print the day that the replay has come to, if it is another one than before."""
        day = (summary.last_ms or 0) // DAY_MS
        if day > max(self._day, 0):
            self._day = day
            date = datetime.fromtimestamp(day * DAY_MS / 1000, tz=UTC)
            self._console.print(f"[dim]{date:%-d %B %Y}: {summary.signals:,} signals so far[/dim]\n")


async def _tail(console: Console, settings: Settings, told: Counter[tuple[str, str]]) -> None:
    consumer = AIOKafkaConsumer(
        named(ALERTS, namespace=settings.namespace), **client_options(settings), auto_offset_reset="earliest"
    )
    await consumer.start()
    seen: set[str] = set()
    try:
        async for record in consumer:
            alert = _decode_alert(record.value)
            if alert.id not in seen:
                seen.add(alert.id)
                told[alert.state, alert.status] += 1
                colour = {"firing": "bold green", "resolved": "cyan", "superseded": "dim"}.get(alert.status, "green")
                console.print(
                    f"[{colour}]{alert.at}  {alert.state} {alert.status}[/{colour}]  severity {alert.severity}"
                )
                console.print(f"  {alert.summary}\n")
    finally:
        await consumer.stop()


async def _await_drained(settings: Settings, url: str, summary: ReplaySummary) -> None:
    """Wait until the worker's metrics say that every partition of topics has passed the end of the log."""
    wanted_s = (summary.last_ms or 0) / 1000
    channel = named(CONTRIBUTIONS, namespace=settings.namespace)
    prefix = f'overgrowth_watermark_timestamp_seconds{{channel="{channel}",'
    deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
    while time.monotonic() < deadline_s:
        page = (await asyncio.to_thread(_get, f"{url}/metrics") or b"").decode()
        reached = [float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(prefix)]
        if len(reached) == settings.partitions and min(reached) >= wanted_s:
            return
        await asyncio.sleep(POLL_S)
    raise click.ClickException(f"expected the worker to finish the season within {DRAIN_TIMEOUT_S:.0f} s of its end")


def _summarise(console: Console, told: Counter[tuple[str, str]], signals: int) -> None:
    counts = ", ".join(f"{count} {state} {status}" for (state, status), count in sorted(told.items())) or "none"
    console.print(f"[bold]The season is over[/bold]: {signals:,} signals; alerts: {counts}.")
    console.print(
        "Next: `overgrowth backtest --help` runs a log of yours, `overgrowth stack up` keeps a Kafka to play with."
    )
