"""Everything that decodes what others wrote, each as a function from bytes to the name of a lawful outcome."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec
import orjson

from agents.lane import Batch, Record
from agents.metrics import Metrics
from agents.packing import PacketVersionError, unpack_attributed, unpack_contributions, unpacked
from agents.publish_views import Publisher
from agents.registry import RegistryReader
from agents.settings import Settings
from agents.table import CHECKPOINT_KEY, Recovery, Table, TableError
from schemas.attributed import BEGINNING, PACKET_VERSION, AttributedPacket, AttributedSignal
from schemas.channels import ALERTS, CASCADES, VITALS
from schemas.contribution import ContributionPacket
from schemas.rows import ROW_VERSION, CheckpointRow
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Erasure, Heartbeat, Signal
from streams.attribution.matcher import Registry
from streams.networks import NETWORKS, NetworkFormat
from streams.networks.native import normalize
from streams.networks.refusal import Refusal
from streams.steps.attribute import Arrival
from streams.steps.pipeline import Pipeline
from tests.checks.network_checks import (
    ARRIVED_MS,
    check_accepted_is_lawful,
    check_refusal_is_lawful,
    golden_cases,
    good_payloads,
)

to_json = msgspec.json.Encoder().encode
to_msgpack = msgspec.msgpack.Encoder().encode


class Target(NamedTuple):
    """A decoder: its name, what it is given to damage, and how it is asked; an exception is a crash."""

    name: str
    corpus: Sequence[bytes]
    outcome: Callable[[bytes], str]


def network_target(network: NetworkFormat) -> Target:
    """Return a network adapter; every outcome must be lawful, and the same twice is left to the conformance suite."""

    def outcome(payload: bytes) -> str:
        network.recognises(payload)
        said = network.normalize(payload, ARRIVED_MS)
        if isinstance(said, Refusal):
            check_refusal_is_lawful(said, payload)
            return said.reason
        for one in said:
            check_accepted_is_lawful(one)
        return "accepted" if said else "ignored"

    corpus = good_payloads(network)
    if network.name not in ("native", "snap-higgs"):
        corpus = corpus + [golden.payload.encode() for golden in golden_cases(network.name)]
    return Target(f"network {network.name}", corpus, outcome)


def two_decoders(payload: bytes) -> str:
    """Let orjson read what the native format read: both make the same of it, or neither takes it."""
    said = normalize(payload)
    try:
        loaded = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if "number is infinity" in str(error):
            # JSON all the same (RFC 8259 §6 sets no bounds); where the key is unknown to us nobody has to hold it.
            return "only orjson refuses a number of no double"
        assert isinstance(said, Refusal), f"orjson refuses what was read as {said}"
        return "both refuse the JSON"
    if isinstance(said, Refusal):
        # It is JSON to orjson: then no refusal may say that it is none.
        assert said.reason not in ("not_json", "not_utf8", "empty"), f"orjson reads what was refused: {said}"
        return f"refused as {said.reason}"
    shape: type[Signal] | type[Heartbeat] | type[Erasure] = type(said)
    again = normalize(to_json(msgspec.convert(loaded, shape)))
    assert again == said, f"orjson reads {again}"
    return "both read the same"


def _table(payload: bytes) -> str:
    """Feed a changelog: the first byte says which key, the rest is the value."""
    recovery = Recovery(where="table fuzz")
    keys = (b"0c|a", b"1c|a", b"0" + CHECKPOINT_KEY, b"1" + CHECKPOINT_KEY, payload[:8])
    try:
        recovery.feed(keys[payload[0] % len(keys)] if payload else None, payload[1:])
        recovery.feed(b"0c|a", None)
        recovery.rows()
        recovery.again()
        Table(step="fuzz", generation=1, recovery=recovery)
    except TableError:
        return "refused"
    return "read"


def _table_corpus() -> list[bytes]:
    table = Table(step="fuzz", generation=1)
    changes = table.changes([("c|a", b"row"), ("c|b", b"row" * 30), ("c|c", None)])
    row = CheckpointRow(ROW_VERSION, "fuzz", 0, 0, 7, BEGINNING, b"context", 4, 4, ())
    changes.append(table.checkpoint(row))
    return [bytes((kind,)) + (change.value or b"") for change in changes for kind in range(5)]


Packet = TypeVar("Packet", AttributedPacket, ContributionPacket)


def _packets(unpack: Callable[..., Packet]) -> Callable[[bytes], str]:
    def outcome(payload: bytes) -> str:
        batch = Batch([Record(0, None, payload)], 1)
        try:
            read = unpacked(batch, lambda value: unpack(value, origins=4), channel="fuzz", partition=0)
        except PacketVersionError:
            return "other version"
        assert len(read.packets) + len(read.rejections) == 1
        return "refused" if read.rejections else "read"

    return outcome


def _packet_corpus() -> list[bytes]:
    items = tuple(
        AttributedSignal(at, f"t:{at}", "a", 0, "t", "p1", (), ("tag",)) for at in range(ARRIVED_MS, ARRIVED_MS + 5)
    )
    return [
        to_msgpack((PACKET_VERSION, 1, BEGINNING, (ARRIVED_MS, ""), items)),
        to_msgpack((PACKET_VERSION, 1, BEGINNING, (ARRIVED_MS, ""), ())),
        to_msgpack((PACKET_VERSION + 1, 1, BEGINNING, (ARRIVED_MS, ""), ())),
    ]


def _told() -> dict[str, list[bytes]]:
    """Return vitals, cascades and alerts as a worker tells them, of a topic that bursts."""
    record = TopicRecord("b", "t", (TopicVersion(0, seeds=Seeds(tags=("x",))),))
    pipeline = Pipeline(Registry([record]))
    begin_ms = ARRIVED_MS // 3_600_000 * 3_600_000
    signals: list[Signal | Heartbeat] = [
        Signal(f"t:{number}", "t", "post", begin_ms + number * (60_000 if number < 300 else 500), f"a{number}")
        for number in range(900)
    ]
    signals.sort(key=lambda one: one.at)
    for one in signals:
        if isinstance(one, Signal):
            one.tags, one.post = ("x",), one.id
    signals.append(Heartbeat("", begin_ms + 86_400_000, end=True))
    log = [Arrival(offset, None, b"", signal) for offset, signal in enumerate(signals)]
    outcome = pipeline.advance(log, next_offset=len(log))
    return {
        VITALS.name: [to_json(one) for one in outcome.vitals[::20]],
        CASCADES.name: [to_json(one) for one in outcome.cascades[::20]],
        ALERTS.name: [to_json(alert) for _, alert in outcome.alerts],
    }


def _views_target(channel: str, corpus: list[bytes]) -> Target:
    def outcome(payload: bytes) -> str:
        publisher.take(channel, 0, Batch([Record(0, None, payload, payload[:4])], 1))
        publisher._alerts.clear()
        return "taken or left out"

    publisher = Publisher(Settings(), Metrics(version="fuzz"))
    return Target(f"views of {channel}", corpus, outcome)


def _registry_target() -> Target:
    def outcome(payload: bytes) -> str:
        reader._records.clear()
        reader._take("cern/higgs", payload, offset=0)
        if not reader.records:
            return "left out"
        Registry(reader.records)
        return "taken"

    reader = RegistryReader(Settings())
    return Target("topics of the registry", _registry_corpus(), outcome)


def _registry_corpus() -> list[bytes]:
    seeds = Seeds(tags=("higgs",), phrases=("god particle",))
    record = TopicRecord("cern", "higgs", (TopicVersion(effective_from_ms=0, accounts={"t": ("brand",)}, seeds=seeds),))
    return [to_json(record)]


def all_targets() -> list[Target]:
    """Return every target, in a fixed order."""
    native = NETWORKS["native"]
    told = [_views_target(channel, corpus) for channel, corpus in _told().items() if corpus]
    return [
        *(network_target(network) for network in NETWORKS.values()),
        Target("native by two decoders", good_payloads(native), two_decoders),
        Target("packets of attributed signals", _packet_corpus(), _packets(unpack_attributed)),
        Target("packets of contributions", _packet_corpus(), _packets(unpack_contributions)),
        Target("rows of tables", _table_corpus(), _table),
        _registry_target(),
        *told,
    ]
