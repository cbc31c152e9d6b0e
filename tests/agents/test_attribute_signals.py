"""Check the shell around the first step: bytes in, packets, rejections and late signals out, everything counted."""

import msgspec

from agents.attribute_signals import AttributeShell, step_settings
from agents.lane import Batch, Outgoing, Record
from agents.metrics import Metrics
from agents.packing import actor_partition, unpack_attributed
from agents.settings import Settings
from schemas.attributed import AttributedSignal
from schemas.rejection import Late, Rejection
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Signal
from streams.attribution.matcher import Registry

AT_MS = 1_341_388_800_000
SETTINGS = Settings(partitions=3, namespace="n", lateness_ms=1_000)

to_json = msgspec.json.Encoder().encode


def registry(tag: str) -> Registry:
    """Make a registry with one topic."""
    return Registry([TopicRecord("cern", "higgs", (TopicVersion(effective_from_ms=0, seeds=Seeds(tags=(tag,))),))])


def signal(number: int, at_ms: int = AT_MS, tag: str = "higgs") -> bytes:
    """Make a post on topic."""
    made = Signal(
        id=f"t:{number}",
        network="t",
        kind="post",
        at=at_ms,
        actor=f"a{number}",
        post=str(number),
        tags=(tag,),
        text="x",
    )
    return to_json(made)


def end() -> bytes:
    """End the source of these signals, so that everything is released."""
    return to_json(Heartbeat("", AT_MS, end=True))


def batch(*values: bytes | None) -> Batch:
    """Make a batch, its records as old as their signals."""
    return Batch([Record(10 + index, AT_MS, value) for index, value in enumerate(values)], 10 + len(values))


def by_channel(outgoing: list[Outgoing], name: str) -> list[Outgoing]:
    """Return what goes to one channel."""
    return [record for record in outgoing if record.channel == f"n.social.{name}"]


def test_signals_come_out_in_packets_for_the_partitions_of_their_actors() -> None:
    """Every partition of actors gets one, with the frontier of this origin."""
    shell = AttributeShell(SETTINGS, lambda: registry("higgs"), 2)
    records = by_channel(shell.take(batch(*map(signal, range(9)), end())), "attributed")
    packets = [unpack_attributed(record.value or b"", origins=3) for record in records]

    assert [record.partition for record in records] == [0, 1, 2]
    assert [record.key for record in records] == [b"2"] * 3
    assert {packet.origin for packet in packets} == {2}
    for partition, packet in enumerate(packets):
        actors = {f"a{number}" for number in range(9)}
        expected = {actor for actor in actors if actor_partition(actor, partitions=3) == partition}
        assert {item.actor for item in packet.items} == expected


def test_what_is_refused_and_what_is_late_has_a_channel_of_its_own() -> None:
    """Neither is dropped without a word; the text of a late signal is."""
    shell = AttributeShell(SETTINGS, lambda: registry("higgs"), 1)
    outgoing = shell.take(batch(signal(1), b"junk", signal(2, AT_MS - 5_000), None))
    refused = [msgspec.json.decode(one.value or b"", type=Rejection) for one in by_channel(outgoing, "rejections")]
    (late,) = by_channel(outgoing, "late")
    told = msgspec.json.decode(late.value or b"", type=Late)

    assert [(one.reason, one.place.channel, one.place.partition, one.place.offset) for one in refused] == [
        ("not_json", "n.social.signals", 1, 11),
        ("empty", "n.social.signals", 1, 13),
    ]
    assert (late.key, told.signal.id, told.signal.text, told.late_ms) == (b"2", "t:2", None, 4_000)


def test_a_change_of_the_registry_holds_from_the_next_batch_on() -> None:
    """Seeds are followed while the worker runs."""
    now = registry("higgs")
    shell = AttributeShell(SETTINGS, lambda: now, 0)
    first = shell.take(batch(signal(1, tag="cms"), signal(2, AT_MS + 3_000, tag="cms")))
    now = registry("cms")
    second = shell.take(Batch([Record(20, AT_MS + 9_000, signal(3, AT_MS + 9_000, tag="cms"))], 21))

    def items(outgoing: list[Outgoing]) -> list[str]:
        packets = [unpack_attributed(record.value or b"", origins=3) for record in by_channel(outgoing, "attributed")]
        # What is on no topic is told as well, for it has a tag.
        return [
            item.id for packet in packets for item in packet.items if isinstance(item, AttributedSignal) and item.links
        ]

    assert (items(first), items(second)) == ([], ["t:2"])


def test_the_metrics_count_every_record_by_what_became_of_it() -> None:
    """A second report tells only what is new."""
    shell = AttributeShell(SETTINGS, lambda: registry("higgs"), 1)
    metrics = Metrics(version="0")
    shell.take(batch(signal(1), b"junk", signal(1), signal(2, AT_MS - 5_000), end()))
    shell.report(metrics)
    shell.report(metrics)
    page = metrics.render().decode()

    for outcome in ("applied", "late", "rejected", "duplicate", "heartbeat"):
        assert f'overgrowth_records_total{{channel="n.social.signals",outcome="{outcome}"}} 1.0' in page
    assert 'overgrowth_rejections_total{reason="not_json"} 1.0' in page
    assert 'overgrowth_signals_total{kind="post",op="create"} 3.0' in page
    assert "overgrowth_timestamps_clamped_total 0.0" in page
    assert 'overgrowth_reorder_buffer_records{channel="n.social.signals",partition="1"} 0.0' in page
    assert 'overgrowth_watermark_timestamp_seconds{channel="n.social.signals",partition="1"} 1.34138886e+09' in page


def test_event_times_from_the_future_are_counted() -> None:
    """The clock of a source is wrong, or that of the producer of its records."""
    shell = AttributeShell(SETTINGS, lambda: registry("higgs"), 1)
    metrics = Metrics(version="0")
    shell.take(batch(signal(1), signal(2, AT_MS + 121_000), signal(3, AT_MS + 119_000)))
    shell.report(metrics)
    assert metrics.registry.get_sample_value("overgrowth_timestamps_clamped_total") == 1


def test_the_settings_of_the_step_are_those_of_the_installation() -> None:
    """They decide what is late, when a source is set aside, and how long ids are remembered."""
    made = step_settings(Settings(lateness_ms=1, source_idle_ms=2, duplicate_ms=3, changes_ms=4))

    assert (made.clock.lateness_ms, made.clock.idle_ms, made.duplicate_ms, made.changes_ms) == (1, 2, 3, 4)
