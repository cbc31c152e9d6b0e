"""`overgrowth explain`: why an alert was raised, and whether its log raises it again with the same bytes."""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from agents.access import redis_options
from agents.backtesting import Job, load_registry, read_overrides, run
from agents.backtesting.running import UnreadableFile
from agents.commands.alerts import new_alerts, printable
from agents.commands.options import kafka_option, namespace_option
from agents.garbage import collect_rarely
from agents.settings import Settings, load_settings
from agents.views import Views
from schemas.alert import Alert
from schemas.unreadable import UNREADABLE
from schemas.vitals import Vitals
from streams.eventtime.instants import instant_ms
from streams.lifecycle.explanation import explain as explained

PREFIX_CHARS_MIN = 4
VIEWS_ALERTS_MAX = 10_000
EXIT_DIFFERS = 3
"""The exit code where the log does not raise the alert with the same bytes."""

_to_json = msgspec.json.Encoder().encode


class Stored(NamedTuple):
    """An alert as it was found: its bytes, and what they say."""

    json: bytes
    alert: Alert


@click.command()
@click.argument("alert_id")
@click.option("--alerts", "path", metavar="FILE", default=None, help="A file that backtest wrote; else the channel.")
@click.option("--redis", "from_redis", is_flag=True, help="Look in Redis instead of in the channel.")
@click.option("--replay", "log", metavar="LOG", help="Run this file or kafka:CHANNEL again and compare the bytes.")
@click.option("--seeds", "seeds_path", metavar="FILE", default=None, help="The seeds, for --replay.")
@click.option("--rules", "rules_path", metavar="FILE", default=None, help="The rules before those of the seeds.")
@click.option("--format", "format_name", default=None, help="Format of the log; found by itself where not named.")
@namespace_option("Without it, the live one.")
@kafka_option
def explain(
    alert_id: str,
    path: str | None,
    from_redis: bool,
    log: str | None,
    seeds_path: str | None,
    rules_path: str | None,
    format_name: str | None,
    **options: Any,
) -> None:
    """Say why an alert was raised: its conditions over time, windows, cascades and where the community went.

    ALERT_ID is an alert's id, its episode's, or the beginning of one. With --replay the log is run again, and it is
    said whether it raises the same alert with the same bytes: the exit code is 3 where it does not.

    \b
    Example:
      overgrowth explain 3f2a --alerts alerts.ndjson
      overgrowth explain 3f2a --alerts alerts.ndjson --replay week.ndjson.gz --seeds seeds.yaml
    """
    if path is not None and from_redis:
        raise click.UsageError("expected one of --alerts and --redis, got both")
    if (log is None) != (seeds_path is None):
        raise click.UsageError("expected --replay and --seeds together, got one of them")
    settings = load_settings(**options)
    if path is not None:
        stored, where = _in_file(path), path
    else:
        stored, where = (_in_redis(settings), "Redis") if from_redis else (_in_channel(settings), "the channel")
    wanted = find(stored, alert_id, where=where)
    revisions = [one.alert for one in stored if one.alert.episode == wanted.alert.episode]
    if log is None or seeds_path is None:
        _print(explained(wanted.alert, revisions))
        return
    job = Job(log, seeds_path, format_name, read_overrides(rules_path), settings)
    again, vitals = _again(wanted.alert, job)
    _print(explained(wanted.alert, revisions, vitals))
    agrees, verdict = compared(wanted, again)
    _print(["", verdict])
    if not agrees:
        sys.exit(EXIT_DIFFERS)


def find(stored: Sequence[Stored], wanted: str, *, where: str) -> Stored:
    """Return the alert with an id, or the one that raised the episode of that name; the beginning of one is enough.

    Raises ClickException where there is none, or more than one episode.
    """
    for one in stored:
        if one.alert.id == wanted:
            return one
    if len(wanted) < PREFIX_CHARS_MIN:
        raise click.UsageError(f"expected at least {PREFIX_CHARS_MIN} characters of an id, got {wanted!r}")
    found = [one for one in stored if one.alert.id.startswith(wanted)]
    episodes = dict.fromkeys(one.alert.episode for one in found)
    if not found:
        known = f"{len(stored):,} alerts" + (f", the last {stored[-1].alert.id}" if stored else "")
        raise click.ClickException(f"{where}: expected an alert {printable(wanted)!r}, got {known}; check the id")
    if len(episodes) > 1:
        names = ", ".join(list(episodes)[:3])
        raise click.ClickException(f"{where}: expected one episode, got {len(episodes)}: {names}; write more of the id")
    return found[0]


def compared(stored: Stored, again: Alert | None) -> tuple[bool, str]:
    """Say whether a log raised an alert again with the same bytes, and if not, what differs."""
    if again is None:
        return False, "Replayed: the log does not raise this alert; are log, seeds and rules those that raised it?"
    if _to_json(again) == stored.json:
        return True, f"Replayed: the log raises the same alert, all {len(stored.json):,} bytes of it."
    differing = {
        name: (came, was)
        for name in Alert.__struct_fields__
        if (came := _to_json(getattr(again, name))) != (was := _to_json(getattr(stored.alert, name)))
    }
    if not differing:
        return False, "Replayed: the log raises the same alert, but its JSON is written otherwise."
    name, (came, was) = next(iter(differing.items()))
    said = f"{name} is {came[:200].decode(errors='replace')} instead of {was[:200].decode(errors='replace')}"
    return False, f"Replayed: the log raises this alert with another {', '.join(differing)}: {said}"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(printable(line))


def _in_file(path: str) -> list[Stored]:
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise UnreadableFile(f"{path}: expected a file of alerts, got: {error.strerror}; check the path") from None
    return [_read(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _read(json: bytes, place: str) -> Stored:
    try:
        return Stored(json, msgspec.json.decode(json, type=Alert))
    except UNREADABLE as error:
        came = printable(str(error))
        raise UnreadableFile(f"{place}: expected an alert as backtest writes it, got: {came}") from None


def _in_channel(settings: Settings) -> list[Stored]:
    async def read() -> list[Stored]:
        async with aclosing(new_alerts(settings, from_beginning=True, to_the_end=True)) as told:
            return [Stored(value, alert) async for value, alert in told]

    stored = asyncio.run(read())
    # Partitions are read side by side; within one episode, and so within one topic, the order is that of the channel.
    return sorted(stored, key=lambda one: instant_ms(one.alert.at))


def _in_redis(settings: Settings) -> list[Stored]:
    async def read() -> list[Alert]:
        views = Views(settings.redis, settings.namespace, options=redis_options(settings))
        try:
            return await views.alerts(VIEWS_ALERTS_MAX)
        finally:
            await views.close()

    return [Stored(_to_json(alert), alert) for alert in asyncio.run(read())]


def _again(wanted: Alert, job: Job) -> tuple[Alert | None, Iterator[Vitals]]:
    """Run a log up to an alert, and return that alert as it was raised now, with the topic's vitals of its span."""
    collect_rarely()
    registry = load_registry(job.seeds, job.overrides)
    from_ms, to_ms = instant_ms(wanted.span.from_), instant_ms(wanted.at)
    vitals: list[Vitals] = []
    for _, outcome in run(registry, job.log, job.format, settings=job.settings):
        vitals += (
            one
            for one in outcome.vitals
            if (one.brand, one.topic) == (wanted.brand, wanted.topic) and from_ms <= one.at <= to_ms
        )
        for _, alert in outcome.alerts:
            if alert.id == wanted.id:
                return alert, iter(vitals)
    return None, iter(vitals)
