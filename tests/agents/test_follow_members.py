"""Check the shell around the second step: packets of signals in, packets of contributions out."""

import msgspec

from agents.follow_members import FollowShell
from agents.lane import Batch, Record
from agents.metrics import Metrics
from agents.packing import packed, topic_partition, unpack_contributions
from agents.settings import Settings
from schemas.attributed import BEGINNING, SEEDED, AttributedSignal, TopicLink
from schemas.rejection import Rejection
from streams.attribution.matcher import Registry
from tests.streams.steps.logs import contributions_of

SETTINGS = Settings(partitions=2, namespace="n")


def packets(upto_ms: int = 100) -> list[Record]:
    """Return what both origins tell this partition: one signal each, on several topics."""
    records = []
    for origin in range(2):
        links = tuple(TopicLink(f"cern/t{number}", SEEDED, 0) for number in range(5))
        item = AttributedSignal(at=10 + origin, id=f"s{origin}", actor="a", kind=0, network="t", root="r", links=links)
        (record, *_) = packed(
            [item],
            channel="n.social.attributed",
            partition_of=lambda item: 0,
            partitions=2,
            origin=origin,
            after=BEGINNING,
            upto=(upto_ms, ""),
        )
        records.append(Record(origin, None, record.value))
    return records


def shell() -> FollowShell:
    """Make the shell of one partition."""
    return FollowShell(SETTINGS, lambda: Registry(()), 1)


def test_every_link_becomes_a_contribution_in_the_partition_of_its_topic() -> None:
    """A topic must be whole to be judged."""
    outgoing = shell().take(Batch(packets(), 2))
    told = {record.partition: unpack_contributions(record.value or b"", origins=2) for record in outgoing}

    assert sorted(told, key=str) == [0, 1]
    assert {packet.origin for packet in told.values()} == {1}
    for partition, packet in told.items():
        topics = [f"cern/t{number}" for number in range(5)]
        here = [topic for topic in topics if topic_partition(topic, partitions=2) == partition]
        assert [(item.id, item.topic) for item in contributions_of(packet.items)] == [
            (f"s{o}", topic) for o in range(2) for topic in here
        ]
        assert packet.upto == (100, "")


def test_what_is_no_packet_becomes_a_rejection_and_the_rest_is_taken() -> None:
    """Nothing but our agents should write here, but a record of somebody else must not stop the partition."""
    made = shell()
    first, second = packets()
    outgoing = made.take(Batch([first, Record(1, None, b"junk"), second._replace(offset=2)], 3))
    refused = [record for record in outgoing if record.channel == "n.social.rejections"]
    metrics = Metrics(version="0")
    made.report(metrics)
    made.report(metrics)
    page = metrics.render().decode()

    assert [msgspec.json.decode(one.value or b"", type=Rejection).place.offset for one in refused] == [1]
    assert len(outgoing) == 3
    assert 'overgrowth_records_total{channel="n.social.attributed",outcome="applied"} 2.0' in page
    assert 'overgrowth_records_total{channel="n.social.attributed",outcome="rejected"} 1.0' in page
    assert 'overgrowth_rejections_total{reason="malformed"} 1.0' in page
    assert 'overgrowth_watermark_timestamp_seconds{channel="n.social.attributed",partition="1"} 0.1' in page


def test_a_packet_that_lost_its_predecessor_is_counted_and_taken_when_it_comes_again() -> None:
    """An origin that is not heard any more must be seen in the metrics, not found out by silence."""
    made, metrics = shell(), Metrics(version="0")
    item = AttributedSignal(
        at=150, id="s", actor="a", kind=0, network="t", root="r", links=(TopicLink("cern/t1", SEEDED, 0),)
    )
    (behind, *_) = packed(
        [item],
        channel="n.social.attributed",
        partition_of=lambda item: 0,
        partitions=2,
        origin=0,
        after=(100, ""),
        upto=(200, ""),
    )
    made.take(Batch([Record(0, None, behind.value)], 1))
    made.report(metrics)
    assert b'overgrowth_packet_gaps_total{channel="n.social.attributed"} 1.0' in metrics.render()

    made.take(Batch([*packets(), Record(3, None, behind.value)], 4))
    made.report(metrics)
    assert b'overgrowth_packet_gaps_total{channel="n.social.attributed"} 1.0' in metrics.render()
    assert made.step.applied == 2
