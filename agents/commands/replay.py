"""`overgrowth replay`: a log into Kafka, in a namespace of its own unless told otherwise, with progress."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from agents.channel_span import is_channel, source_channel
from agents.cli import EXIT_INTERRUPTED
from agents.commands.options import (
    BEGINNING_MS,
    json_option,
    kafka_option,
    namespace_option,
    partitions_option,
    said_duration,
    said_instant,
    said_late,
    span_of,
    span_options,
)
from agents.commands.seeds import apply_seeds, read_seeds
from agents.logs import STDIN
from agents.replay import replay as replay_log
from agents.replay_summary import ReplaySummary, Report
from agents.settings import Settings, load_settings
from schemas.seeds import SeedsFile
from streams.networks import NETWORKS

OWN_NAMESPACE = "replay"
LINE_EVERY_S = 3.0
MAX = "max"


class Speed(click.ParamType):
    """Seconds of event time per second, or `max` (None) for as fast as Kafka takes it."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Return the speed, or end with the exit code for wrong use."""
        if value is None or value == MAX:
            return None
        try:
            speed = float(value)
        except ValueError:
            speed = math.nan
        if not (math.isfinite(speed) and speed > 0):
            self.fail(f"expected a number above 0, or `{MAX}`, got {value!r}", param, ctx)
        return speed


@click.command()
@click.argument("log")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(NETWORKS)),
    default=None,
    help="Format of the log; found by itself where not named.",
)
@click.option(
    "--speed",
    type=Speed(),
    default=MAX,
    show_default=True,
    metavar="N|max",
    help="Seconds of event time per second, or as fast as Kafka takes it.",
)
@span_options
@click.option("--resume", is_flag=True, help="Go on where the replay of this log into this namespace was interrupted.")
@click.option(
    "--seeds",
    "seeds_path",
    metavar="FILE",
    default=None,
    help="Publish these seeds there first; a worker that is there already takes a moment to read them.",
)
@namespace_option(f"Without it, `{OWN_NAMESPACE}`.")
@click.option("--live", is_flag=True, help="Send into the live namespace, where everybody takes it for news.")
@kafka_option
@partitions_option
@json_option
def replay(
    log: str,
    format_name: str | None,
    speed: float | None,
    from_ms: int | None,
    to_ms: int | None,
    offsets: tuple[tuple[int, int], ...],
    resume: bool,
    seeds_path: str | None,
    live: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Send a LOG into Kafka: a file, gzipped or not, - for standard input, or kafka:CHANNEL for a channel of signals.

    It goes into a namespace of its own, so a worker of that namespace has to be there to read it. Its clock is the
    log: start it with --clock log. A channel is read up to the end that it has when the replay begins.

    \b
    Example:
      overgrowth replay week.ndjson.gz --seeds seeds.yaml
      overgrowth replay week.ndjson.gz --speed 3600 --from 2012-07-04T00:00:00Z
      overgrowth replay kafka:social.signals --from 2012-07-04T00:00:00Z --to 2012-07-05T00:00:00Z
      overgrowth replay kafka:social.raw.bluesky --from-offset 0:120000 --resume
      overgrowth worker --namespace replay --clock log
    """
    span = span_of(from_ms, to_ms, offsets)
    settings = replay_settings(live=live, log=log, **options)
    seeds = None if seeds_path is None else read_seeds(seeds_path)
    # What is known when Ctrl-C ends it.
    latest = ReplaySummary()

    async def run(progress: Report) -> ReplaySummary:
        await _publish(settings, seeds)
        return await replay_log(
            settings, log, format=format_name, speed=speed, span=span, resume=resume, progress=progress
        )

    try:
        with shown_progress(log) as show:

            def progress(summary: ReplaySummary) -> None:
                nonlocal latest
                latest = summary
                show(summary)

            latest = asyncio.run(run(progress))
    except KeyboardInterrupt:
        hint = "" if log == STDIN else "; the same command with --resume goes on there"
        click.echo(f"interrupted: {said(latest, settings)}; no source was ended{hint}", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        click.echo(msgspec.json.encode(as_built_ins(latest, settings)).decode())
    else:
        click.echo(said(latest, settings))
    if latest.late:
        click.echo(said_late(log, latest.late, lateness_ms=settings.lateness_ms), err=True)


def replay_settings(*, live: bool, log: str = "", namespace: str | None = None, **options: Any) -> Settings:
    """Return the settings of a replay: never those of the live namespace unless `live` says so.

    Nor those of the namespace that its log is a channel of: there its signals would come a second time.
    """
    settings = _target(live=live, namespace=namespace, **options)
    if not is_channel(log) or settings.namespace != source_channel(log).namespace:
        return settings
    if live or namespace is not None:
        where = f"namespace {settings.namespace}" if settings.namespace else "the live namespace"
        raise click.UsageError(f"expected another namespace than that of {log}, got {where}; name another")
    return msgspec.structs.replace(settings, namespace=f"{settings.namespace}-{OWN_NAMESPACE}")


def _target(*, live: bool, namespace: str | None, **options: Any) -> Settings:
    settings = load_settings(namespace=namespace, **options)
    if live and settings.namespace:
        raise click.UsageError(f"expected --live or --namespace, got both ({settings.namespace}); leave one out")
    if live or settings.namespace:
        return settings
    if namespace is not None:
        raise click.UsageError("expected the name of a namespace, got the live one; say --live if you mean it")
    return msgspec.structs.replace(settings, namespace=OWN_NAMESPACE)


async def _publish(settings: Settings, seeds: SeedsFile | None) -> None:
    if seeds is not None:
        applied = await apply_seeds(settings, seeds, effective_from_ms=BEGINNING_MS)
        changes = ", ".join(f"{one.topic} {one.change}" for one in applied)
        click.echo(f"seeds: {changes}", err=True)


@contextmanager
def shown_progress(log: str) -> Iterator[Report]:
    """Yield what shows progress on stderr: a bar on a terminal, elsewhere one line every few seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(log)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(log, total=None, said="")

        def show(summary: ReplaySummary) -> None:
            left = "" if summary.seconds_left is None else f", {said_duration(summary.seconds_left)} left"
            bar.update(
                task,
                description=_said_position(summary),
                completed=summary.done or 0.0,
                total=None if summary.done is None else 1.0,
                said=f"{summary.signals:,} signals, {summary.signals_per_second:,.0f}/s{left}",
            )

        yield show


class _Lines:
    """One line every few seconds."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._said_s = time.monotonic()

    def __call__(self, summary: ReplaySummary) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s >= LINE_EVERY_S:
            self._said_s = now_s
            done = "" if summary.done is None else f", {summary.done:.0%} done"
            if summary.seconds_left is not None:
                done += f", {said_duration(summary.seconds_left)} left"
            rate = f"{summary.signals_per_second:,.0f}/s"
            click.echo(f"{self._log}: {_said_position(summary)}, {summary.signals:,} signals, {rate}{done}", err=True)


def _said_position(summary: ReplaySummary) -> str:
    return "no event time yet" if summary.last_ms is None else said_instant(summary.last_ms)


def said(summary: ReplaySummary, settings: Settings) -> str:
    """Return what a replay did, as a sentence or two."""
    where = f"namespace {settings.namespace}" if settings.namespace else "the live namespace"
    span = ""
    if summary.first_ms is not None and summary.last_ms is not None:
        span = f", from {said_instant(summary.first_ms)} to {said_instant(summary.last_ms)}"
    resumed = f" ({summary.resumed:,} of them sent before)" if summary.resumed else ""
    return (
        f"{summary.lines:,} lines read{resumed}; into {where}: {summary.signals:,} signals{span}; "
        f"{summary.refused:,} refused, {summary.skipped:,} outside of the span, {summary.heartbeats:,} heartbeats; "
        f"{summary.seconds:.1f} s, {summary.signals_per_second:,.0f} signals/s"
    )


def as_built_ins(summary: ReplaySummary, settings: Settings) -> dict[str, Any]:
    """Return what a replay did, for --json."""
    values: dict[str, Any] = msgspec.to_builtins(summary)
    return {
        "namespace": settings.namespace,
        **values,
        "seconds": round(summary.seconds, 3),
        "signals_per_second": round(summary.signals_per_second),
    }
