"""`overgrowth alerts`: watch alerts as they are raised."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import click
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.broker import client_options, refused_by_kafka
from agents.commands.options import kafka_option, namespace_option
from agents.commands.presence import require_channel
from agents.settings import Settings, load_settings
from schemas.alert import Alert
from schemas.channels import ALERTS

POLL_MS = 200
IDS_KEPT_MAX = 100_000


@click.group(name="alerts")
def alerts() -> None:
    """Watch alerts.

    \b
    Example:
      overgrowth alerts tail
    """


@alerts.command()
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest alert that the channel still holds.")
@click.option("--count", "count_max", type=click.IntRange(1), default=None, help="End after so many alerts.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0), default=None, help="End after so many seconds, alerts or not."
)
@click.option("--json", "as_json", is_flag=True, help="Print each alert as one line of JSON.")
@namespace_option("Without it, the live one.")
@kafka_option
def tail(from_beginning: bool, count_max: int | None, timeout_s: float | None, as_json: bool, **options: Any) -> None:
    """Print alerts as they are raised, each once, until Ctrl-C.

    \b
    Example:
      overgrowth alerts tail
      overgrowth alerts tail --namespace replay --from-beginning --count 1 --timeout 60 --json
    """
    settings = load_settings(**options)

    async def watch() -> None:
        shown = 0
        async with aclosing(new_alerts(settings, from_beginning=from_beginning)) as several:
            async for value, alert in several:
                click.echo(one_line_json(value) if as_json else sentence(alert))
                shown += 1
                if shown == count_max:
                    return

    async def watch_in_time() -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await watch()
        except TimeoutError:
            pass

    asyncio.run(watch_in_time())


async def new_alerts(
    settings: Settings, *, from_beginning: bool, to_the_end: bool = False
) -> AsyncGenerator[tuple[bytes, Alert], None]:
    """Yield alerts, as they were written and as shapes, each id once; says on stderr when it listens.

    For ever, or up to what the channel holds now. What is no alert is told on stderr and passed over. Raises
    `BrokerError`.
    """
    channel = await require_channel(settings, ALERTS)
    # No group: whoever watches takes nothing away from anybody and leaves no offsets behind.
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    seen: dict[str, None] = {}
    try:
        await consumer.start()
        partitions = [TopicPartition(channel.name, number) for number in range(channel.partitions)]
        consumer.assign(partitions)
        ends = await _ends(consumer, partitions) if to_the_end or not from_beginning else {}
        start = {} if from_beginning else ends
        if from_beginning:
            await consumer.seek_to_beginning(*partitions)
        click.echo(f"{'reading' if to_the_end else 'watching'} {channel.name} at {settings.kafka} ...", err=True)
        while not to_the_end or not await _reached(consumer, ends):
            fetched = await consumer.getmany(*partitions, timeout_ms=POLL_MS)
            for tp, records in fetched.items():
                for record in records:
                    alert = _decoded(record) if record.offset >= start.get(tp, 0) else None
                    if alert is not None and alert.id not in seen:
                        seen[alert.id] = None
                        if len(seen) > IDS_KEPT_MAX:
                            del seen[next(iter(seen))]
                        yield record.value, alert
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Seek to the end of each partition and return it, as the fetch responses tell it.

    To ask for the latest offset is answered too low by the embedded broker: it may lie within the last batch.
    """
    await consumer.seek_to_end(*partitions)
    ends: dict[TopicPartition, int] = {}
    while len(ends) < len(partitions):
        await consumer.getmany(*partitions, timeout_ms=POLL_MS)
        ends = {tp: end for tp in partitions if (end := consumer.highwater(tp)) is not None}
    return ends


async def _reached(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    """Return whether every partition has been read up to its end."""
    return all([await consumer.position(tp) >= end for tp, end in ends.items()])


def _decoded(record: Any) -> Alert | None:
    try:
        return msgspec.json.decode(record.value or b"", type=Alert)
    except (ValueError, RecursionError) as error:
        place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        click.echo(f"{place}: expected an alert as JSON, got: {printable(str(error))}; passed over", err=True)
        return None


def sentence(alert: Alert) -> str:
    """Return an alert as one line for a person: when, how grave, which state, what became of it, and the summary."""
    return printable(f"{alert.at}  severity {alert.severity:>2}  {alert.state} {alert.status}: {alert.summary}")


def one_line_json(value: bytes) -> str:
    """Return JSON on one line, with every field that it had."""
    return msgspec.json.format(value, indent=-1).decode()


def printable(text: str) -> str:
    """Return a text that cannot move the cursor or colour the terminal, whatever a post's id was made of.

    >>> printable("a\\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
