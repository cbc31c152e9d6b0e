"""Check what becomes of the payloads of a network: signals under their conversation, heartbeats, rejections."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lane import Batch, Record
from agents.metrics import Metrics
from agents.normalize_signals import Normalizer, heartbeat_records
from agents.settings import Settings
from schemas.rejection import Rejection
from schemas.signal import Erasure, Heartbeat, Signal
from streams.networks import NETWORKS

AT_MS = 1_341_388_800_000
SETTINGS = Settings(partitions=3, namespace="n")

to_json = msgspec.json.Encoder().encode


def signal(**changed: object) -> Signal:
    """Make a reply."""
    made = Signal(id="t:2", network="t", kind="reply", at=AT_MS, actor="a", post="2", parent="1", root="0")
    return msgspec.structs.replace(made, **changed)


def normalizer(metrics: Metrics | None = None) -> Normalizer:
    """Make the normaliser of our own shape."""
    return Normalizer(SETTINGS, "native", metrics or Metrics(version="0"))


def batch(*values: bytes | None, record_ms: int | None = None) -> Batch:
    """Make a batch."""
    return Batch([Record(10 + index, record_ms, value) for index, value in enumerate(values)], 10 + len(values))


def test_a_signal_goes_out_under_the_key_of_its_conversation() -> None:
    """Whatever belongs to one conversation must come to one partition."""
    (record,) = normalizer().take(0, batch(to_json(signal())))

    assert (record.channel, record.key, record.partition) == ("n.social.signals", b"0", None)
    assert msgspec.json.decode(record.value or b"", type=Signal) == signal()


def test_the_end_of_an_act_that_is_known_by_its_id_alone_goes_to_every_partition() -> None:
    """Nobody can tell which of them has its conversation; each looks it up."""
    undo = Signal("t:7", "t", "like", AT_MS, "ana", op="undo")
    records = normalizer().take(0, batch(to_json(undo)))

    assert [(record.partition, record.key, record.timestamp_ms) for record in records] == [
        (partition, b"t:7", AT_MS) for partition in range(3)
    ]
    assert {record.value for record in records} == {to_json(undo)}


def test_a_heartbeat_goes_to_every_partition() -> None:
    """Any of them may wait for it."""
    records = normalizer().take(0, batch(to_json(Heartbeat("t", AT_MS, end=True))))

    assert [record.partition for record in records] == [0, 1, 2]
    assert {record.timestamp_ms for record in records} == {AT_MS}
    assert msgspec.json.decode(records[1].value or b"", type=Heartbeat) == Heartbeat("t", AT_MS, end=True)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_heartbeat_among_the_payloads_of_any_network_is_one(network: str) -> None:
    """Connectors send theirs the way of their payloads, so that it cannot overtake them."""
    made = Normalizer(SETTINGS, network, Metrics(version="0"))
    records = made.take(0, batch(to_json(Heartbeat("t", AT_MS))))

    assert [record.partition for record in records] == [0, 1, 2]
    assert msgspec.json.decode(records[0].value or b"", type=Heartbeat) == Heartbeat("t", AT_MS)


def test_what_cannot_be_read_becomes_one_rejection_with_its_place() -> None:
    """The rest of the batch goes on."""
    records = normalizer().take(2, batch(b"{", to_json(signal()), None))
    refused = [msgspec.json.decode(record.value or b"", type=Rejection) for record in (records[0], records[2])]

    assert [record.channel for record in records] == [
        "n.social.rejections",
        "n.social.signals",
        "n.social.rejections",
    ]
    assert [(one.reason, one.place.channel, one.place.partition, one.place.offset) for one in refused] == [
        ("not_json", "n.social.raw.native", 2, 10),
        ("empty", "n.social.raw.native", 2, 12),
    ]
    assert [records[0].key, records[2].key] == [b"not_json", b"empty"]


@pytest.mark.parametrize(
    ("record_ms", "logged_ms"),
    [(None, AT_MS), (-1, AT_MS), (AT_MS + 5, AT_MS), (AT_MS - 5, AT_MS - 5), (AT_MS - 500_000, AT_MS - 500_000)],
)
def test_the_record_of_a_signal_is_never_later_than_the_raw_one(record_ms: int | None, logged_ms: int) -> None:
    """The next step tells a wrong clock by the record's own time, which must not be taken from that clock."""
    (made,) = normalizer().take(0, batch(to_json(signal()), record_ms=record_ms))
    beats = normalizer().take(0, batch(to_json(Heartbeat("t", AT_MS)), record_ms=record_ms))

    assert made.timestamp_ms == logged_ms
    assert {beat.timestamp_ms for beat in beats} == {logged_ms}


def test_the_metrics_count_every_record_once() -> None:
    """Applied, heartbeats and rejections add up to what was read."""
    metrics = Metrics(version="0")
    normalizer(metrics).take(0, batch(b"{", to_json(signal()), to_json(signal()), to_json(Heartbeat("t", AT_MS))))
    page = metrics.render().decode()

    for outcome, count in (("applied", 2), ("heartbeat", 1), ("rejected", 1)):
        assert f'overgrowth_records_total{{channel="n.social.raw.native",outcome="{outcome}"}} {count}.0' in page
    assert 'overgrowth_rejections_total{reason="not_json"} 1.0' in page


@given(st.lists(st.none() | st.binary(max_size=40), max_size=20))
def test_any_bytes_become_something(values: list[bytes | None]) -> None:
    """Nothing that lies on a channel may end the worker."""
    records = normalizer().take(0, batch(*values))

    assert len(records) >= len(values)


def test_a_heartbeat_of_our_own_carries_its_own_time() -> None:
    """The clock task writes wall time."""
    (record,) = heartbeat_records(Heartbeat("clock", AT_MS), channel="c", partitions=1)

    assert (record.channel, record.key, record.partition, record.timestamp_ms) == ("c", b"clock", 0, AT_MS)


def test_an_erasure_goes_to_every_partition_under_a_key_that_names_nobody() -> None:
    """Any partition may know the actor; and keys show up in many a tool."""
    records = normalizer().take(0, batch(to_json(Erasure("ana", "t", AT_MS))))

    assert [record.partition for record in records] == list(range(len(records)))
    assert {record.key for record in records} == {b"erase"}
    assert {record.value for record in records} == {to_json(Erasure("ana", "t", AT_MS))}
