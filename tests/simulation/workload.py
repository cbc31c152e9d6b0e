"""Make small logs that raise alerts, and work out what must come of them: the oracle of every schedule."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from agents.attribute_signals import AttributeShell, step_settings
from agents.follow_members import FollowShell
from agents.lane import Batch, Outgoing, Record, Shell
from agents.settings import Settings
from agents.watch_topics import WatchShell
from schemas.channels import ATTRIBUTED, CONTRIBUTIONS, LATE, REJECTIONS
from schemas.signal import Erasure, Heartbeat, Signal, conversation_of, is_addressed
from streams.eventtime.clock import SourceClock
from streams.networks.refusal import Refusal
from streams.steps.attribute import Arrival
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Pipeline
from tests.streams.steps.logs import LATENESS_MS, MINUTE_MS, START_MS, Entry, random_log, registry, shuffled

SPEED = 24
RULES: dict[str, object] = {
    "tick": "24m",
    "seeded": {"actors_min": 2, "silence": "2h"},
    "growing": {"cold_actors_min": 2, "cold_signals_min": 3, "for": "24m", "keep": "48m"},
    "outgrown": {
        "ratio_enter": 1.0,
        "ratio_exit": 0.8,
        "share_enter": 0.3,
        "share_exit": 0.2,
        "actors_min": 2,
        "signals_min": 3,
        "cold_actors_min": 2,
        "cold_signals_min": 3,
        "top_actor_share_max": 1.0,
        "top_cascade_share_max": 1.0,
        "for": "24m",
        "keep": "48m",
    },
    "cascade": {"orphan": "1h", "silence": "3h"},
    "viral": {"size_min": 3, "percentile_enter": 0.5, "for": "0m", "keep": "24m"},
    "burst": {
        "signals_min": 2,
        "actors_min": 2,
        "cold_signals_min": 3,
        "cold_actors_min": 2,
        "for": "0m",
        "keep": "24m",
        "cooldown": "1h",
    },
    "reminders": {"after": ["1h"], "every": "4h"},
}
"""A day lasts an hour and is judged once a minute; a handful of signals is enough for every alert."""
REGISTRY = registry(scale=1 / SPEED, **RULES)
RECORD_MS = START_MS + 86_400_000
"""The timestamp of every record: later than all event times, so that no clock is taken for wrong."""

to_json = msgspec.json.Encoder().encode
from_msgpack = msgspec.msgpack.Decoder().decode
Table = tuple[str, int]


class Expected(NamedTuple):
    """What one process tells of a log, each value once, and the rows and frontiers that all partitions end with.

    `latest` is what was told last under each key of a channel.
    """

    alerts: frozenset[bytes]
    vitals: frozenset[bytes]
    cascades: frozenset[bytes]
    late: frozenset[bytes]
    rejections: frozenset[bytes]
    rows: dict[Table, list[tuple[str, bytes]]]
    frontiers: dict[Table, tuple[int, str]]
    ledger: Ledger
    latest: dict[tuple[str, bytes], bytes | None]


class Workload(NamedTuple):
    """The log of every partition of the signals, and what must come of it."""

    logs: list[list[Record]]
    settings: Settings
    expected: Expected


def settings_of(partitions: int) -> Settings:
    """Return the settings of all workers."""
    return Settings(
        namespace="sim",
        partitions=partitions,
        raw_networks=(),
        views=False,
        clock="log",
        lateness_ms=LATENESS_MS,
    )


@cache
def workload_of(number: int, partitions: int) -> Workload:
    """Return a workload, always the same for the same numbers."""
    random = Random(f"workload {number}")
    changed, erased = random.choice((0.0, 0.1, 0.25)), random.choice((0.0, 0.1, 0.25))
    signals = random.randint(18, 32)
    entries = random_log(random, signals=signals, span_ms=8 * MINUTE_MS, peaked=12, changed=changed, erased=erased)
    entries = _delayed(random, [_undone(random, entry) for entry in shuffled(random, entries)])
    placed = _placed(random, entries, partitions)
    settings = settings_of(partitions)
    logs = [[record for record, _ in log] for log in placed]
    return Workload(logs, settings, _expect(entries, placed, settings))


def _undone(random: Random, entry: Entry) -> Entry:
    """Have some acts be taken back."""
    if isinstance(entry, Signal) and entry.op == "create" and entry.kind in ("share", "like") and random.random() < 0.1:
        return msgspec.structs.replace(entry, op="undo")
    return entry


def _delayed(random: Random, entries: list[Entry]) -> list[Entry]:
    """Put a few signals far behind their place, before the ends of the sources: these come late.

    What goes to every partition stays where it is: late in one and in time in another, it would have two fates.
    """
    for _ in range(random.randrange(1, 6)):
        source, target = sorted(random.sample(range(len(entries) - 2), 2))
        if not _is_everywhere(entries[source]):
            entries.insert(target, entries.pop(source))
    return entries


def _is_everywhere(entry: Entry) -> bool:
    return isinstance(entry, Erasure) or (isinstance(entry, Signal) and not is_addressed(entry))


def _placed(random: Random, entries: list[Entry], partitions: int) -> list[list[tuple[Record, Entry]]]:
    """Give every entry its partition and offset; one partition may hear nothing but heartbeats."""
    spoken = partitions - 1 if partitions > 1 and random.random() < 0.3 else partitions
    placed: list[list[tuple[Record, Entry]]] = [[] for _ in range(partitions)]
    offsets = [0] * partitions
    for number, entry in enumerate(entries):
        if isinstance(entry, Signal) and is_addressed(entry):
            targets = [crc32(conversation_of(entry).encode()) % spoken]
        else:
            targets = [random.randrange(partitions)] if isinstance(entry, Refusal) else list(range(partitions))
        value = b"no json %d" % number if isinstance(entry, Refusal) else to_json(entry)
        for target in targets:
            offsets[target] += random.randint(1, 3) if random.random() < 0.05 else 0
            placed[target].append((Record(offsets[target], RECORD_MS, value, b""), entry))
            offsets[target] += 1
    return placed


def _expect(entries: list[Entry], placed: list[list[tuple[Record, Entry]]], settings: Settings) -> Expected:
    """Run every partition in one piece for the rows, and one process over the sorted log for what is told."""
    sent, rows, frontiers, ledger = _run_partitions([[record for record, _ in log] for log in placed], settings)
    late = [message for message in sent if message.channel.endswith(LATE.name)]
    in_time = {id(entry) for log in placed for entry in _in_time([entry for _, entry in log], settings)}
    told = _run_sorted([entry for entry in entries if id(entry) in in_time], settings)
    return Expected(
        alerts=frozenset(to_json(alert) for _, alert in told.alerts),
        vitals=frozenset(map(to_json, told.vitals)),
        cascades=frozenset(map(to_json, told.cascades)),
        late=_values(late),
        rejections=_values([message for message in sent if message.channel.endswith(REJECTIONS.name)]),
        rows=rows,
        frontiers=frontiers,
        ledger=ledger,
        latest={(message.channel, message.key): message.value for message in sent},
    )


def _in_time(entries: list[Entry], settings: Settings) -> Iterator[Entry]:
    """Yield what is not behind the watermark of its partition; of erased actors' late signals nothing else tells."""
    clock = SourceClock(step_settings(settings).clock)
    for entry in entries:
        is_late = isinstance(entry, Signal) and entry.at < clock.watermark_ms
        if isinstance(entry, Signal):
            clock.hear(entry.source, at_ms=entry.at)
        elif isinstance(entry, Heartbeat):
            clock.hear(entry.heartbeat, at_ms=entry.at, end=entry.end)
        if not is_late:
            yield entry


def _values(messages: list[Outgoing]) -> frozenset[bytes]:
    return frozenset(message.value or b"" for message in messages)


def _run_sorted(entries: list[Entry], settings: Settings) -> Any:
    """Return what one process tells of a sorted log: heartbeats behind signals, ends last."""

    def place(entry: Signal | Heartbeat | Erasure) -> tuple[bool, int, bool]:
        if isinstance(entry, Heartbeat):
            return entry.end, entry.at, True
        return False, entry.at, False

    heard = sorted((entry for entry in entries if not isinstance(entry, Refusal)), key=place)
    arrivals = [Arrival(offset, RECORD_MS, b"", msgspec.structs.replace(entry)) for offset, entry in enumerate(heard)]
    return Pipeline(REGISTRY, settings=step_settings(settings)).advance(arrivals, next_offset=len(arrivals))


def _run_partitions(logs: list[list[Record]], settings: Settings) -> Any:
    """Take every partition through every step in one piece, without lanes, tables or a broker."""
    rows: dict[Table, list[tuple[str, bytes]]] = {}
    frontiers: dict[Table, tuple[int, str]] = {}
    sent: list[Outgoing] = []
    ledger = Ledger()
    inputs = logs
    for make, channel in ((AttributeShell, ATTRIBUTED), (FollowShell, CONTRIBUTIONS), (WatchShell, None)):
        outputs: defaultdict[int, list[Record]] = defaultdict(list)
        for partition, records in enumerate(inputs):
            shell: Shell = make(settings, lambda: REGISTRY, partition)
            end = records[-1].offset + 1 if records else 0
            for message in shell.take(Batch(records, end)):
                sent.append(message)
                if channel is not None and message.channel.endswith(channel.name):
                    target = outputs[message.partition or 0]
                    target.append(Record(len(target), RECORD_MS, message.value))
            live = [(key, value) for key, value in shell.step.changed_rows() if value is not None]
            rows[shell.name, partition] = sorted(live)
            frontiers[shell.name, partition] = shell.step.resume()[1]
            if isinstance(shell, AttributeShell):
                ledger.add(shell.step.ledger)
        inputs = [outputs[partition] for partition in range(settings.partitions)]
    return sent, rows, frontiers, ledger


def canonical(row: bytes) -> object:
    """Return a row as values that compare: small HyperLogLog sketches hold the same actors in any order."""
    return _canonical(from_msgpack(row))


def _canonical(value: Any) -> object:
    if isinstance(value, bytes) and value[:1] in (b"\x02", b"\x03") and value[1:3] == b"\x01\x07":
        preamble = 4 * value[0]
        return value[:preamble], sorted(value[at : at + 4] for at in range(preamble, len(value), 4))
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, dict):
        return {key: _canonical(part) for key, part in value.items()}
    return value
