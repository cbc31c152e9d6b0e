"""A log for one lane, a run over it, and what a reader finds in the end."""

from typing import NamedTuple

import msgspec

from agents.attribute_signals import AttributeShell
from agents.lane import Batch, Lane, LaneSettings, Record
from agents.packing import unpack_attributed
from agents.settings import Settings
from agents.table import Recovery
from schemas.attributed import BEGINNING, AttributedItem, Position
from schemas.channels import ATTRIBUTED
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Signal
from streams.attribution.matcher import Registry
from tests.agents.memory_kafka import MemoryKafka, MemoryPort, Plan

SETTINGS = Settings(partitions=2, lateness_ms=1_000)
LANE = LaneSettings(
    channel="social.signals",
    table_channel="social.table.attribute",
    partition=1,
    partitions=2,
    origins=2,
    generation=1,
)
PLACE = (LANE.channel, LANE.partition)
BEGIN_MS = 1_341_388_800_000

to_json = msgspec.json.Encoder().encode

REGISTRY = Registry([TopicRecord("cern", "higgs", (TopicVersion(effective_from_ms=0, seeds=Seeds(tags=("higgs",))),))])


def registry() -> Registry:
    """Return the seeds of the tests."""
    return REGISTRY


def signal(number: int, at_ms: int) -> bytes:
    """Make a signal of one of three conversations, on topic, with an id of its own."""
    parent = None if number < 3 else f"p{number % 3}"
    made = Signal(
        id=f"s{number}",
        network="t",
        kind="post" if number < 3 else "reply",
        at=at_ms,
        actor=f"a{number % 5}",
        post=f"p{number}",
        parent=parent,
        root=parent,
        tags=("higgs",),
    )
    return to_json(made)


def log() -> list[Record]:
    """Make a log of 40 records: in disorder, with repetitions, refused ones, late ones, and an end."""
    records = []
    for number in range(36):
        at_ms = BEGIN_MS + number * 400 + (-700 if number % 4 == 3 else 0) + (-5_000 if number == 30 else 0)
        records.append(signal(number, at_ms))
    records[10] = b"no json"
    records[20] = records[18]
    records.append(to_json(Heartbeat("", at=BEGIN_MS + 36 * 400, end=True)))
    return [Record(100 + 2 * index, BEGIN_MS + 3_600_000, value) for index, value in enumerate(records)]


def batches(size: int = 3) -> list[Batch]:
    """Cut the log into batches; its offsets have holes, as those of real logs do."""
    records = log()
    return [
        Batch(part, part[-1].offset + 1)
        for part in (records[start : start + size] for start in range(0, len(records), size))
    ]


def new_lane(port: MemoryPort, settings: LaneSettings = LANE) -> Lane:
    """Make a lane around the first step."""
    return Lane(AttributeShell(SETTINGS, registry, LANE.partition), port, settings)


async def run_to_the_end(kafka: MemoryKafka, plan: Plan = Plan(), *, generation: int = 1) -> MemoryPort:
    """Open a lane, deliver what is not acknowledged yet, and checkpoint after every second batch and at the end."""
    port = MemoryPort(kafka, plan)
    lane = new_lane(port, LANE._replace(generation=generation))
    await lane.open()
    todo = [batch for batch in batches() if batch.next_offset > kafka.acknowledged.get(PLACE, 0)]
    for number, batch in enumerate(todo):
        await lane.take(batch)
        if number % 2:
            await lane.checkpoint()
    await lane.checkpoint()
    return port


class Left(NamedTuple):
    """What a reader finds in the end."""

    items: list[list[AttributedItem]]
    others: list[tuple[str, bytes | None]]
    rows: list[tuple[str, bytes]]
    offset: int
    frontier: Position


def left(kafka: MemoryKafka) -> Left:
    """Read what all lanes left: packets in the order of their positions, the rest without repetitions, the table."""
    items: list[list[AttributedItem]] = [[] for _ in range(LANE.partitions)]
    heard: list[Position] = [BEGINNING] * LANE.partitions
    others: list[tuple[str, bytes | None]] = []
    for record in kafka.outputs:
        if record.channel == ATTRIBUTED.name:
            assert record.partition is not None
            assert record.value is not None
            packet = unpack_attributed(record.value, origins=LANE.origins)
            known = heard[record.partition]
            if packet.after <= known < packet.upto:
                items[record.partition] += [item for item in packet.items if (item.at, item.id) > known]
                heard[record.partition] = packet.upto
        elif (record.channel, record.value) not in others:
            others.append((record.channel, record.value))
    assert len(set(heard)) == 1, "every partition hears every frontier"
    recovery = Recovery(where="test")
    for change in kafka.changelogs[LANE.table_channel, LANE.partition]:
        recovery.feed(*change)
    assert recovery.checkpoint is not None
    rows = recovery.rows()
    return Left(items, others, rows, recovery.checkpoint.offset, recovery.checkpoint.frontier)
