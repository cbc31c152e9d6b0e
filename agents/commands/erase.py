"""`overgrowth erase`: have nothing name an actor any more, and say what is gone by when (docs/erasure.md)."""

import asyncio
import time
from typing import Any

import click
import msgspec
from aiokafka.errors import KafkaError

from agents.broker import refused_by_kafka, send_all, start_producer
from agents.commands.options import json_option, kafka_option, namespace_option, said_instant
from agents.commands.presence import require_channel
from agents.lane import acknowledged
from agents.normalize_signals import erasure_records
from agents.pseudonyms import pseudonyms_of
from agents.settings import Settings, load_settings
from schemas.channels import ATTRIBUTED, DAY_MS, LATE, REJECTIONS, SIGNALS, TABLE_FOLLOW
from schemas.signal import AT_MS_MIN, Erasure
from streams.networks.bounds import bounded_erasure
from streams.networks.refusal import Refusal

SEGMENT_MS = 7 * DAY_MS
"""Kafka's own `segment.ms`: a record goes only with its segment, which may take in new ones for so long."""


@click.command()
@click.argument("network")
@click.argument("actor")
@namespace_option("Without it, the live one.")
@kafka_option
@json_option
def erase(network: str, actor: str, as_json: bool, **options: Any) -> None:
    """Erase ACTOR of NETWORK: its id as the network gives it, as in signals.

    Workers then delete every row that names it, and take nothing that it says, or that names it, for
    OVERGROWTH_ERASED_MS. What was counted stays counted. Twice is fine. In a namespace other than the live one it takes
    effect at once, whatever the time there is. Where OVERGROWTH_PSEUDONYM_KEY_FILE is set, the pseudonyms of the actor
    under every key of the file are told, and not its id.

    \b
    Example:
      overgrowth erase bluesky did:plc:ewvi7nxzyoun6zhxrhs64oiz
      overgrowth erase native ana --namespace replay
    """
    settings = load_settings(**options)
    erasure = bounded_erasure(
        Erasure(actor, network, AT_MS_MIN if settings.namespace else _now_ms()), format_name="overgrowth"
    )
    if isinstance(erasure, Refusal):
        raise click.UsageError(erasure.detail)
    told = asyncio.run(_tell(settings, erasure))
    begun_ms = _now_ms()
    gone = {what: begun_ms + after_ms for what, after_ms in gone_after_ms(settings).items()}
    refused_ms = (begun_ms if settings.namespace else erasure.at) + settings.erased_ms
    if as_json:
        made = {"erasure": msgspec.to_builtins(erasure), "partitions": told, "gone_by_ms": gone}
        click.echo(msgspec.json.encode(made | {"refused_until_ms": refused_ms}).decode())
        return
    click.echo(f"{actor} of {network} is to be erased: told {told} partitions of the signals")
    click.echo("  tables: with the next checkpoint behind it; what is counted stays")
    for what, by_ms in gone.items():
        click.echo(f"  {what}: by {said_instant(by_ms)}")
    if settings.namespace:
        click.echo(f"  the other channels of {settings.namespace!r} keep all they hold until you delete them")
    click.echo(f"  what it says until {said_instant(refused_ms)} of event time is refused")


def gone_after_ms(settings: Settings) -> dict[str, int]:
    """Return by when at the latest the name is gone from each kind of channel, in milliseconds after the erasure.

    A row is compacted away within `max.compaction.lag.ms`, and the tombstone that has the name in its key that long
    after `delete.retention.ms`. What a channel keeps for a time goes with the last record of its segment.

    >>> gone_after_ms(Settings())["changelogs of the tables"] // DAY_MS
    9
    """
    config = TABLE_FOLLOW.config()
    lag_ms, tombstone_ms = int(config["max.compaction.lag.ms"]), int(config["delete.retention.ms"])
    gone = {"changelogs of the tables": 2 * lag_ms + tombstone_ms}
    if settings.namespace:
        return gone
    kept = {
        "packets between the steps": ATTRIBUTED,
        "signals, and what connectors delivered": SIGNALS,
        "late and refused input": LATE if LATE.retention_ms > REJECTIONS.retention_ms else REJECTIONS,
    }
    return gone | {what: spec.retention_ms + SEGMENT_MS for what, spec in kept.items()}


async def _tell(settings: Settings, erasure: Erasure) -> int:
    """Write the erasure to every partition that there is, and return how many these are."""
    channel = await require_channel(settings, SIGNALS)
    # Its record bears the time at which it is written: old ones would be removed at once.
    pseudonyms = pseudonyms_of(settings)
    erasures = [erasure] if pseudonyms is None else pseudonyms.erasures(erasure)
    records = erasure_records(erasures, channel=channel.name, partitions=channel.partitions, timestamp_ms=None)
    producer = await start_producer(settings)
    try:
        await acknowledged("output", await send_all(producer, records))
    except (KafkaError, OSError) as error:
        raise await refused_by_kafka(settings, error) from None
    finally:
        await producer.stop()
    return channel.partitions


def _now_ms() -> int:
    return int(time.time() * 1000)
