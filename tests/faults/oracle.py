"""Compare what workers left on the channels with what one process tells of the same log."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.attribute_signals import step_settings
from agents.broker import BrokerError, client_options, read_partition
from agents.settings import Settings
from agents.views import Views, revision_of
from schemas.alert import Alert
from schemas.channels import (
    ALERT_STATE,
    ALERTS,
    ATTRIBUTED,
    CASCADES,
    CONTRIBUTIONS,
    LATE,
    REJECTIONS,
    SIGNALS,
    VITALS,
    ChannelSpec,
    named,
    raw_channel,
)
from schemas.rejection import Late, Place, Rejection
from schemas.signal import Heartbeat, Signal
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry
from streams.eventtime.clock import clamp_to_record
from streams.networks.native import normalize
from streams.networks.refusal import Refusal, rejection
from streams.steps.attribute import Arrival, AttributeStep
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Pipeline
from tests.faults.load import SOURCE, TOPICS

BATCH = 1_000

Key = tuple[Any, ...]

to_json = msgspec.json.Encoder().encode


class Expected(NamedTuple):
    """What one process tells: identity -> bytes; and what became of the records of the log."""

    alerts: dict[Key, bytes]
    vitals: dict[Key, bytes]
    cascades: dict[Key, bytes]
    rejections: dict[Key, bytes]
    late: dict[Key, bytes]
    ledger: Ledger
    signal_ids: set[str]
    in_time: set[str]


class Verdict(NamedTuple):
    """Differences, none of which may be, and counts that show how much was compared."""

    differences: list[str]
    counts: dict[str, int]


async def _records(settings: Settings, spec: ChannelSpec) -> list[list[Any]]:
    """Return every record of a channel by partition."""
    channel, found = named(spec, namespace=settings.namespace), []
    for partition in range(settings.partitions):
        held: list[Any] = []
        async for records in read_partition(settings, channel=channel, partition=partition):
            held += records
        found.append(held)
    return found


def _place_key(place: Place) -> Key:
    return place.channel, place.partition, place.offset


def _arrivals(records: Iterable[Any]) -> list[Arrival]:
    return [
        Arrival(record.offset, record.timestamp, record.value or b"", normalize(record.value)) for record in records
    ]


def _one_partition(
    settings: Settings, partition: int, records: list[Any], expected: Expected
) -> list[tuple[int, str, Arrival]]:
    """Tell what becomes of each record of one partition, and return the signals that were in time, with their stamps.

    Which signals are late is decided by the log of the partition alone, so the step itself says it, in one go.
    """
    name = named(SIGNALS, namespace=settings.namespace)
    step = AttributeStep(Registry(TOPICS), channel=name, partition=partition, settings=step_settings(settings))
    late_offsets: set[int] = set()
    for start in range(0, len(records), BATCH):
        arrivals = _arrivals(records[start : start + BATCH])
        told = step.advance(arrivals, next_offset=arrivals[-1].offset + 1)
        for refused in told.rejections:
            expected.rejections[_place_key(refused.place)] = to_json(refused)
        for late in told.late:
            expected.late[_place_key(late.place)] = to_json(late)
            late_offsets.add(late.place.offset)
    expected.ledger.add(step.ledger)
    in_time = []
    for arrival in _arrivals(records):
        if isinstance(arrival.decoded, Signal):
            expected.signal_ids.add(arrival.decoded.id)
            if arrival.offset not in late_offsets:
                at_ms, _ = clamp_to_record(arrival.decoded.at, record_ms=arrival.record_ms)
                expected.in_time.add(arrival.decoded.id)
                in_time.append((at_ms, arrival.decoded.id, arrival))
    return in_time


async def expect(settings: Settings) -> Expected:
    """Run the final content of the channels through one process, in the order of time."""
    expected = Expected({}, {}, {}, {}, {}, Ledger(), set(), set())
    raw = raw_channel("native")
    for partition, records in enumerate(await _records(settings, raw)):
        for record in records:
            said = normalize(record.value)
            if isinstance(said, Refusal):
                place = Place(named(raw, namespace=settings.namespace), partition, record.offset)
                expected.rejections[_place_key(place)] = to_json(rejection(said, record.value, place))
    in_time: list[tuple[int, str, Arrival]] = []
    for partition, records in enumerate(await _records(settings, SIGNALS)):
        in_time += _one_partition(settings, partition, records, expected)
    in_time.sort(key=lambda entry: entry[:2])
    log = [Arrival(offset, arrival.record_ms, b"", arrival.decoded) for offset, (*_, arrival) in enumerate(in_time)]
    log.append(Arrival(len(log), None, b"", Heartbeat(SOURCE, in_time[-1][0], end=True)))
    pipeline = Pipeline(Registry(TOPICS), settings=step_settings(settings))
    for start in range(0, len(log), BATCH):
        piece = log[start : start + BATCH]
        told = pipeline.advance(piece, next_offset=piece[-1].offset + 1)
        assert not told.late, "in the order of their time no signal is late"
        expected.alerts.update(((alert.id,), to_json(alert)) for _, alert in told.alerts)
        expected.vitals.update(((one.at, f"{one.brand}/{one.topic}"), to_json(one)) for one in told.vitals)
        expected.cascades.update(
            ((one.at, f"{one.brand}/{one.topic}|{one.root}"), to_json(one)) for one in told.cascades
        )
    return expected


def _identity(spec: ChannelSpec, record: Any) -> Key:
    if spec in (ALERTS, ALERT_STATE):
        return (dict(record.headers)["ce_id"].decode(),)
    if spec == REJECTIONS:
        return _place_key(msgspec.json.decode(record.value, type=Rejection).place)
    if spec == LATE:
        return _place_key(msgspec.json.decode(record.value, type=Late).place)
    return record.timestamp, record.key.decode()


async def judge(settings: Settings, *, fed: set[str], behind: set[str]) -> Verdict:
    """Compare every channel that others read; `fed` are the ids of all signals, `behind` those that must be late."""
    expected = await expect(settings)
    differences: list[str] = []
    counts: dict[str, int] = {}
    for spec, wanted in (
        (ALERTS, expected.alerts),
        (ALERT_STATE, expected.alerts),
        (VITALS, expected.vitals),
        (CASCADES, expected.cascades),
        (REJECTIONS, expected.rejections),
        (LATE, expected.late),
    ):
        partitions = await _records(settings, spec)
        found, repeated = _found(spec, partitions, differences)
        if spec in (VITALS, CASCADES, ALERT_STATE) and (stale := _stale_at_the_end(partitions)):
            differences.append(f"{spec.name}: {len(stale)} keys end with an older record, one is {stale[0]!r}")
        name = spec.name.partition(".")[2]
        counts[name], counts[f"{name} repeated"] = len(found), repeated
        _compare(name, found, wanted, differences)
    if missing := fed - expected.signal_ids:
        differences.append(f"{len(missing)} signals were fed and are not in the channel, one is {min(missing)}")
    if not_late := behind & expected.in_time:
        differences.append(f"{len(not_late)} signals from ten years ago were in time, one is {min(not_late)}")
    counts["late for no fault of theirs"] = len(fed - behind - expected.in_time)
    ledger = expected.ledger
    counts |= {name: getattr(ledger, name) for name in ledger.__struct_fields__}
    settled = ledger.applied + ledger.late + ledger.rejected + ledger.duplicate + ledger.heartbeat
    if ledger.read != settled:
        differences.append(f"{ledger.read} records were read, {settled} are accounted for")
    return Verdict(differences, counts)


def _found(spec: ChannelSpec, partitions: list[list[Any]], differences: list[str]) -> tuple[dict[Key, bytes], int]:
    """Return what a channel holds by identity, and how many records came again; with other bytes is a difference."""
    found: dict[Key, bytes] = {}
    repeated = 0
    for records in partitions:
        for record in records:
            key = _identity(spec, record)
            repeated += key in found
            if found.setdefault(key, record.value) != record.value:
                differences.append(f"{spec.name} {key}: the same identity came with other bytes")
    return found, repeated


def _stale_at_the_end(partitions: list[list[Any]]) -> list[bytes]:
    """Return the keys of which compaction would keep another than the newest record."""
    last: dict[bytes, int] = {}
    newest: dict[bytes, int] = {}
    for records in partitions:
        for record in records:
            last[record.key] = record.timestamp
            newest[record.key] = max(record.timestamp, newest.get(record.key, 0))
    return sorted(key for key, at_ms in last.items() if at_ms < newest[key])


def _compare(name: str, found: dict[Key, bytes], wanted: dict[Key, bytes], differences: list[str]) -> None:
    if lost := wanted.keys() - found.keys():
        differences.append(f"{name}: {len(lost)} of {len(wanted)} are missing, one is {min(lost)}")
    if more := found.keys() - wanted.keys():
        differences.append(f"{name}: {len(more)} that one process does not tell, one is {min(more)}")
    other = [key for key in wanted.keys() & found.keys() if wanted[key] != found[key]]
    if other:
        key = min(other)
        differences.append(f"{name}: {len(other)} with other bytes, one is {key}: {found[key]!r}, not {wanted[key]!r}")


async def judge_views(settings: Settings) -> list[str]:
    """Return how the views differ from what the channels say last; nothing once they have caught up."""
    newest: dict[str, Vitals] = {}
    episodes: dict[str, Alert] = {}
    for record in (one for records in await _records(settings, VITALS) for one in records):
        vitals = msgspec.json.decode(record.value, type=Vitals)
        held = newest.get(record.key.decode())
        if held is None or held.at < vitals.at:
            newest[record.key.decode()] = vitals
    for record in (one for records in await _records(settings, ALERT_STATE) for one in records):
        alert = msgspec.json.decode(record.value, type=Alert)
        before = episodes.get(alert.episode)
        if before is None or revision_of(before.id) < revision_of(alert.id):
            episodes[alert.episode] = alert
    views = Views(settings.redis, settings.namespace)
    behind = []
    for topic, vitals in sorted(newest.items()):
        seen = await views.latest_vitals(topic)
        if seen != vitals:
            behind.append(f"views of {topic}: vitals of {None if seen is None else seen.at}, not of {vitals.at}")
        still_open = {
            alert.id
            for alert in episodes.values()
            if f"{alert.brand}/{alert.topic}" == topic and alert.status in ("firing", "updated")
        }
        if (shown := {alert.id for alert in await views.open_episodes(topic)}) != still_open:
            behind.append(f"views of {topic}: open episodes {sorted(shown)}, not {sorted(still_open)}")
    await views.close()
    return behind


async def uncommitted(settings: Settings) -> list[str]:
    """Return the partitions of which something was not taken or not committed yet."""
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=settings.group, enable_auto_commit=False)
    await consumer.start()
    behind = []
    try:
        for spec in (raw_channel("native"), SIGNALS, ATTRIBUTED, CONTRIBUTIONS, VITALS, CASCADES, ALERTS):
            for partition in range(settings.partitions):
                tp = TopicPartition(named(spec, namespace=settings.namespace), partition)
                committed = await consumer.committed(tp) or 0
                async for records in read_partition(settings, channel=tp.topic, partition=partition, offset=committed):
                    behind.append(f"{tp.topic}[{partition}]: committed {committed}, got {records[-1].offset}")
                    break
    except BrokerError as error:
        behind.append(str(error))
    finally:
        await consumer.stop()
    return behind
