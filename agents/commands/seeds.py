"""`overgrowth seeds`: check a seeds file, publish it to the registry, list what the registry holds."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec
from aiokafka.errors import KafkaError

from agents.broker import create_channels, refused_by_kafka, start_producer
from agents.commands.options import (
    BEGINNING_MS,
    Instant,
    json_option,
    kafka_option,
    namespace_option,
    partitions_option,
    said_instant,
)
from agents.commands.presence import require_channel
from agents.registry import RegistryReader, publish_topics
from agents.settings import Settings, load_settings
from schemas.channels import TOPICS
from schemas.seeds import Seeds, SeedsFile, TopicRecord, TopicVersion
from streams.attribution.matcher import key_of
from streams.attribution.seeds_file import SeedsError, parse_seeds, topic_records

LEAD_MS = 30_000
"""A change of live seeds takes effect this much later, so that every worker has read it by then."""

Change = Literal["new", "changed", "unchanged"]


class Applied(msgspec.Struct, frozen=True):
    """What became of one topic of a seeds file; `later_ms` is when a version that was there before replaces it."""

    topic: str
    change: Change
    later_ms: int | None = None


def read_seeds(path: str) -> SeedsFile:
    """Return what a seeds file says; raise `SeedsError` where it cannot be read or used."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        raise SeedsError(expected="a text file", got=str(got), place="$", do="check the path", where=path) from None
    return parse_seeds(text, where=path)


def compare(known: TopicRecord | None, new: TopicRecord) -> Applied:
    """Return what a new version of a topic would change about what is known of it.

    Nothing, where the version in force at that instant says the same.
    """
    (version,) = new.versions
    before = [] if known is None else known.versions
    in_force = max(
        (old for old in before if old.effective_from_ms <= version.effective_from_ms),
        key=lambda old: old.effective_from_ms,
        default=None,
    )
    later_ms = min(
        (old.effective_from_ms for old in before if old.effective_from_ms > version.effective_from_ms), default=None
    )
    change: Change = "new" if not before else "unchanged" if _says_the_same(in_force, version) else "changed"
    return Applied(key_of(new), change, later_ms)


def _says_the_same(old: TopicVersion | None, new: TopicVersion) -> bool:
    return old is not None and msgspec.structs.replace(old, effective_from_ms=new.effective_from_ms) == new


async def apply_seeds(settings: Settings, file: SeedsFile, *, effective_from_ms: int) -> list[Applied]:
    """Publish a seeds file to the registry, creating missing channels, and return what became of each topic.

    Topics of the registry that the file does not name stay as they are. Raises `BrokerError`.
    """
    await create_channels(settings)
    reader = RegistryReader(settings)
    await reader.read()
    known = {key_of(record): record for record in reader.records}
    new = topic_records(file, effective_from_ms=effective_from_ms)
    applied = [compare(known.get(key_of(record)), record) for record in new]
    changed = [record for record, told in zip(new, applied, strict=True) if told.change != "unchanged"]
    if changed:
        producer = await start_producer(settings)
        try:
            await publish_topics(settings, producer, changed, known=known.values())
        except (KafkaError, OSError) as error:
            raise await refused_by_kafka(settings, error) from None
        finally:
            await producer.stop()
    return applied


@click.group(name="seeds")
def seeds() -> None:
    """Check, publish and list what brands declare: topics with their seeds.

    \b
    Example:
      overgrowth seeds validate seeds.yaml
      overgrowth seeds apply seeds.yaml
      overgrowth seeds list
    """


@seeds.command()
@click.argument("file")
@json_option
def validate(file: str, as_json: bool) -> None:
    """Check a seeds FILE and say what it holds.

    \b
    Example:
      overgrowth seeds validate seeds.yaml
    """
    parsed = read_seeds(file)
    records = topic_records(parsed, effective_from_ms=BEGINNING_MS)
    counts = count_seeds(record.versions[0].seeds for record in records)
    accounts = sum(len(names) for brand in parsed.brands for names in brand.accounts.values())
    if as_json:
        _print_json({"brands": len(parsed.brands), "topics": len(records), "accounts": accounts, "seeds": counts})
        return
    several = ", ".join(f"{kind} {count:,}" for kind, count in counts.items() if count) or "none"
    click.echo(
        f"{file}: brands {len(parsed.brands):,}, topics {len(records):,}, accounts {accounts:,}; seeds: {several}"
    )


@seeds.command()
@click.argument("file")
@click.option(
    "--effective-from",
    "effective_from_ms",
    type=Instant(or_beginning=True),
    default=None,
    help="From when on it holds, in event time: an RFC 3339 time, or `beginning`. "
    "By default 30 s from now in the live namespace, and the beginning in any other.",
)
@namespace_option("Without it, the live one.")
@kafka_option
@partitions_option
@json_option
def apply(file: str, effective_from_ms: int | None, as_json: bool, **options: Any) -> None:
    """Publish a seeds FILE to the registry, and say what that changes.

    What the registry held before is kept as history. Topics that the file does not name stay as they are.

    \b
    Example:
      overgrowth seeds apply seeds.yaml
      overgrowth seeds apply seeds.yaml --effective-from 2012-07-01T00:00:00Z --namespace replay
    """
    settings = load_settings(**options)
    if effective_from_ms is None:
        effective_from_ms = BEGINNING_MS if settings.namespace else int(time.time() * 1000) + LEAD_MS
    applied = asyncio.run(apply_seeds(settings, read_seeds(file), effective_from_ms=effective_from_ms))
    if as_json:
        _print_json({"effective_from_ms": effective_from_ms, "topics": msgspec.to_builtins(applied)})
        return
    for one in applied:
        click.echo(said(one, effective_from_ms=effective_from_ms))


@seeds.command(name="list")
@namespace_option("Without it, the live one.")
@kafka_option
@json_option
def list_topics(as_json: bool, **options: Any) -> None:
    """List the topics of the registry with their versions.

    \b
    Example:
      overgrowth seeds list --namespace replay
    """
    settings = load_settings(**options)
    records = asyncio.run(_read_records(settings))
    if as_json:
        _print_json({"topics": msgspec.to_builtins(records)})
        return
    for record in records:
        click.echo(key_of(record))
        for version in record.versions:
            click.echo(f"  from {_said_start(version.effective_from_ms)}: {_said_version(version)}")
    if not records:
        click.echo(f"no topics are registered at {settings.kafka}; publish some with `overgrowth seeds apply FILE`")


async def _read_records(settings: Settings) -> list[TopicRecord]:
    await require_channel(settings, TOPICS)
    reader = RegistryReader(settings)
    await reader.read()
    return reader.records


def count_seeds(several: Iterable[Seeds]) -> dict[str, int]:
    """Return how many seeds of each kind there are in all.

    >>> count_seeds([Seeds(tags=("a", "b")), Seeds(tags=("c",), links=("d.org",))])["tags"]
    3
    """
    counts = dict.fromkeys(Seeds.__struct_fields__, 0)
    for one in several:
        for kind in counts:
            counts[kind] += len(getattr(one, kind))
    return counts


def said(applied: Applied, *, effective_from_ms: int) -> str:
    """Return what became of a topic as a line for a person."""
    line = f"{applied.topic}: {applied.change}"
    if applied.change != "unchanged":
        line += f", in force from {_said_start(effective_from_ms)}"
    if applied.later_ms is not None:
        line += f" (until {_said_start(applied.later_ms)}, when a version that was published before replaces it)"
    return line


def _said_start(at_ms: int) -> str:
    return "the beginning" if at_ms <= BEGINNING_MS else said_instant(at_ms)


def _said_version(version: TopicVersion) -> str:
    if version.removed:
        return "removed"
    parts = [f"{kind} {count:,}" for kind, count in count_seeds([version.seeds]).items() if count]
    accounts = sum(map(len, version.accounts.values()))
    parts += [f"accounts {accounts:,}"] if accounts else []
    parts += [f"valid from {said_instant(version.valid_from_ms)}"] if version.valid_from_ms is not None else []
    parts += [f"valid to {said_instant(version.valid_to_ms)}"] if version.valid_to_ms is not None else []
    parts += [f"rules for {', '.join(sorted(version.rules))}"] if version.rules else []
    return ", ".join(parts)


def _print_json(value: dict[str, Any] | Sequence[Any]) -> None:
    click.echo(msgspec.json.encode(value).decode())
