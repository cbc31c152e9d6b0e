"""`overgrowth channels`: create the Kafka channels of an installation before its workers start, and list them."""

import asyncio
from typing import Any

import click
import msgspec

from agents.broker import channel_config, channel_specs, create_channels
from agents.commands.options import json_option, kafka_option, namespace_option, partitions_option
from agents.settings import Settings, load_settings
from schemas.channels import named

_namespace = namespace_option("Live channels without it.")


@click.group(name="channels")
def channels() -> None:
    """Create and list the Kafka channels of an installation.

    A worker creates what is missing by itself, unless OVERGROWTH_CREATE_CHANNELS is false: then it needs no right to
    create, and this job is run before it by somebody who has that right.

    \b
    Example:
      overgrowth channels apply --kafka 127.0.0.1:9092
      overgrowth channels list
    """


@channels.command()
@kafka_option
@_namespace
@partitions_option
@click.option("--replication", type=int, default=None, help="Copies of each record; OVERGROWTH_REPLICATION.")
@json_option
def apply(as_json: bool, **options: Any) -> None:
    """Create the channels that are missing and check all of them; twice is fine.

    Channels that exist are never changed: one with another number of partitions is refused, since state lies by
    partition.

    \b
    Example:
      overgrowth channels apply --kafka 127.0.0.1:9092 --replication 3
    """
    settings = load_settings(create_channels=True, **options)
    created = asyncio.run(create_channels(settings))
    total = len(channel_specs(settings))
    if as_json:
        click.echo(msgspec.json.encode({"created": created, "channels": total}).decode())
        return
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{total} channels as they should be, {len(created)} of them new")


@channels.command(name="list")
@_namespace
@partitions_option
@json_option
def list_channels(as_json: bool, **options: Any) -> None:
    """Print every channel with its partitions and its settings, as `apply` would create it; asks no Kafka.

    \b
    Example:
      overgrowth channels list --json
    """
    settings = load_settings(**options)
    rows = _rows(settings)
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        click.echo(f"{row['channel']}: {row['carries']}; {row['partitions']} partitions, key: {row['key']}")
        for name, value in row["config"].items():
            click.echo(f"  {name}={value}")


def _rows(settings: Settings) -> list[dict[str, Any]]:
    return [
        {
            "channel": named(spec, namespace=settings.namespace),
            "carries": spec.carries,
            "key": spec.key,
            "partitions": spec.partitions or settings.partitions,
            "config": channel_config(spec, settings),
        }
        for spec in channel_specs(settings)
    ]
