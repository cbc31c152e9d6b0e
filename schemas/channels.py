"""Name every Kafka channel: what it carries, by which key, how long, and with which settings it is created."""

from typing import Literal

import msgspec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

TOPICS_NAME = "social.topics"

Format = Literal["json", "packed", "rows"]


class ChannelSpec(msgspec.Struct, frozen=True):
    """One channel: `name` without namespace, the key of its records, their format, and its Kafka settings.

    `partitions` is 0 where it follows the installation's number of partitions.
    """

    name: str
    carries: str
    key: str
    format: Format
    cleanup: str = "delete"
    retention_ms: int = 7 * DAY_MS
    partitions: int = 0

    def config(self, *, replay: bool = False) -> dict[str, str]:
        """Return the Kafka settings of the channel, in the live namespace or in one of a replay.

        Records bear event time. A replay's may lie years back, where retention by age would remove them at once; so its
        channels keep everything, also what is compacted live: a replay is read as history, then deleted as a whole.
        """
        keeps_history = replay and self.format != "rows" and self.name != TOPICS_NAME
        cleanup = "delete" if keeps_history else self.cleanup
        config = {
            "cleanup.policy": cleanup,
            "max.message.bytes": "2097152",
            # Event times may lie ahead of the broker's clock; what that means, the watermark decides, not the broker.
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        if "delete" in cleanup:
            config["retention.ms"] = "-1" if keeps_history else str(self.retention_ms)
        if "compact" in cleanup:
            # A former owner's late rows must still be told apart from the ones they would replace (RELIABILITY.md).
            config["min.compaction.lag.ms"] = str(HOUR_MS)
            config["max.compaction.lag.ms"] = str(DAY_MS)
            config["delete.retention.ms"] = str(7 * DAY_MS)
            config["segment.ms"] = str(HOUR_MS)
            config["min.cleanable.dirty.ratio"] = "0.2"
        return config


SIGNALS = ChannelSpec("social.signals", "signals, heartbeats and erasures", "conversation root id", "json")
ATTRIBUTED = ChannelSpec(
    "social.attributed", "packets of attributed signals", "actor shard", "packed", retention_ms=DAY_MS
)
CONTRIBUTIONS = ChannelSpec(
    "social.contributions", "packets of contributions", "brand/topic", "packed", retention_ms=DAY_MS
)
VITALS = ChannelSpec("social.vitals", "vitals, latest per topic", "brand/topic", "json", cleanup="compact")
CASCADES = ChannelSpec(
    # Cascades end, and new ones never stop coming: the latest of each is kept for a month, not for ever.
    "social.cascades",
    "virality, latest per cascade and topic",
    "brand/topic|root",
    "json",
    cleanup="compact,delete",
    retention_ms=30 * DAY_MS,
)
ALERTS = ChannelSpec("social.alerts", "alerts, history", "brand/topic", "json", retention_ms=30 * DAY_MS)
ALERT_STATE = ChannelSpec("social.alert-state", "alerts, latest per episode", "episode", "json", cleanup="compact")
REJECTIONS = ChannelSpec("social.rejections", "refused input", "reason", "json", retention_ms=14 * DAY_MS)
LATE = ChannelSpec(
    "social.late", "signals behind the watermark", "conversation root id", "json", retention_ms=14 * DAY_MS
)
TOPICS = ChannelSpec(TOPICS_NAME, "the seed registry", "brand/topic", "json", cleanup="compact", partitions=1)
CURSORS = ChannelSpec(
    "social.cursors", "how far connectors and replays have come", "feed", "json", cleanup="compact", partitions=1
)
TABLE_ATTRIBUTE = ChannelSpec("social.table.attribute", "conversations", "row", "rows", cleanup="compact")
TABLE_FOLLOW = ChannelSpec("social.table.follow", "actors", "row", "rows", cleanup="compact")
TABLE_WATCH = ChannelSpec("social.table.watch", "topics", "row", "rows", cleanup="compact")

CHANNELS: tuple[ChannelSpec, ...] = (
    SIGNALS,
    ATTRIBUTED,
    CONTRIBUTIONS,
    VITALS,
    CASCADES,
    ALERTS,
    ALERT_STATE,
    REJECTIONS,
    LATE,
    TOPICS,
    CURSORS,
    TABLE_ATTRIBUTE,
    TABLE_FOLLOW,
    TABLE_WATCH,
)


def raw_channel(network: str) -> ChannelSpec:
    """Return the channel that carries a network's own payloads."""
    return ChannelSpec(f"social.raw.{network}", f"payloads of {network}", "any", "json")


def named(spec: ChannelSpec, *, namespace: str) -> str:
    """Return the full name of a channel in a namespace; the empty namespace is the live one.

    >>> named(SIGNALS, namespace="replay")
    'replay.social.signals'
    """
    return f"{namespace}.{spec.name}" if namespace else spec.name
