"""The same job as ordinary Faust agents do it: who is on a topic, then a windowed table that counts per topic.

Written as Faust's documentation has it, and to its advantage where it does less than Overgrowth does: each event is
decoded once with msgspec; a conversation keeps the topic of its root in a table in memory; what is on a topic is sent
on by topic, as Faust re-keys streams, and counted there in windows of a minute. No order in time, no members, no
cascades, no alerts, and a table that is only as exact as Faust's commits are.
"""

import sys

import faust
import msgspec

from schemas.signal import Signal
from tests.benchmarks.firehose import PARTITIONS, topics
from tests.benchmarks.peers.meter import Meter

WINDOW_S = 60.0
EXPIRES_S = 3_600.0


def main(kafka: str, channel: str, expected: int, folder: str) -> None:
    """Run both agents until every signal was seen and counted."""
    topic_of_tag = {
        tag: f"{record.brand}/{record.topic}" for record in topics() for tag in record.versions[0].seeds.tags
    }
    decode, meter, counted = msgspec.json.Decoder(Signal).decode, Meter(expected), 0
    forwarded = 0
    app = _app(kafka, channel, folder)
    signals = app.topic(channel, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    on_topic = app.topic(f"{channel}.on-topic", key_type=str, value_type=str, value_serializer="raw", internal=True)
    conversations = app.Table(f"{app.conf.id}-conversations", partitions=PARTITIONS)
    counts = app.Table(f"{app.conf.id}-counts", default=int, partitions=PARTITIONS).tumbling(
        WINDOW_S, expires=EXPIRES_S
    )

    @app.agent(on_topic)
    async def count(stream: faust.StreamT[str]) -> None:
        nonlocal counted
        async for event in stream.events():
            counts[event.key] += 1
            counted += 1
            if meter.seen == expected and counted == forwarded:
                meter.end()

    @app.agent(signals)
    async def attribute(stream: faust.StreamT[bytes]) -> None:
        nonlocal forwarded
        async for event in stream.events():
            if not event.key:
                continue
            meter.see()
            signal = decode(event.value)
            root = signal.root or signal.post
            topic = next((topic_of_tag[tag] for tag in signal.tags if tag in topic_of_tag), None)
            if topic is None:
                topic = conversations.get(root)
            elif root not in conversations:
                conversations[root] = topic
            if topic is not None:
                forwarded += 1
                await on_topic.send(key=topic, value=signal.id, timestamp=event.message.timestamp)

    sys.argv = ["faust", "worker", "--loglevel=error", "--without-web"]
    app.main()


def _app(kafka: str, channel: str, folder: str) -> faust.App:
    """Return the app; like Overgrowth's it shortens what the embedded broker takes for a group's first join."""
    return faust.App(
        f"{channel}-faust",
        broker=f"kafka://{kafka}",
        store="memory://",
        datadir=folder,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=2.0,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
