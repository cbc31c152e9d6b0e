"""Check the channels: their names, and the settings that keep what must be kept."""

import re

import pytest

from schemas.channels import CHANNELS, DAY_MS, ChannelSpec, named, raw_channel

BY_NAME = {spec.name: spec for spec in CHANNELS}
KAFKA_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def test_the_channels_are_those_of_the_contract() -> None:
    """Others subscribe by these names (DESIGN.md §3)."""
    published = {
        "signals",
        "attributed",
        "contributions",
        "vitals",
        "cascades",
        "alerts",
        "alert-state",
        "rejections",
        "late",
    }

    assert {f"social.{name}" for name in published | {"topics", "cursors"}} == {
        name for name in BY_NAME if not name.startswith("social.table.")
    }
    assert raw_channel("bluesky").name == "social.raw.bluesky"


@pytest.mark.parametrize("spec", CHANNELS, ids=lambda spec: spec.name)
def test_a_name_is_a_kafka_topic_in_any_namespace(spec: ChannelSpec) -> None:
    """A namespace is a prefix, and the live one is none at all."""
    assert named(spec, namespace="") == spec.name
    assert KAFKA_NAME.fullmatch(named(spec, namespace="replay-2"))
    assert len(BY_NAME) == len(CHANNELS)


@pytest.mark.parametrize("spec", [*CHANNELS, raw_channel("t")], ids=lambda spec: spec.name)
def test_settings_are_text_and_fit_the_cleanup(spec: ChannelSpec) -> None:
    """Kafka takes settings as text; a retention time on a compacted channel would delete what is latest."""
    config = spec.config()

    assert all(isinstance(value, str) for value in config.values())
    assert config["cleanup.policy"] == spec.cleanup
    assert ("retention.ms" in config) == ("delete" in spec.cleanup)
    # A former owner's late rows must be told apart from newer ones for longer than any pause of a worker.
    assert int(config.get("min.compaction.lag.ms", DAY_MS)) >= DAY_MS // 24


def test_what_holds_the_latest_of_something_is_compacted_and_history_is_kept_long_enough() -> None:
    """Tables, the registry and latest states must never expire; alerts and ended cascades are history for a month."""
    compacted = {name for name, spec in BY_NAME.items() if spec.cleanup == "compact"}

    assert compacted == {
        "social.vitals",
        "social.alert-state",
        "social.topics",
        "social.cursors",
        "social.table.attribute",
        "social.table.follow",
        "social.table.watch",
    }
    assert BY_NAME["social.alerts"].retention_ms == 30 * DAY_MS
    assert BY_NAME["social.cascades"].cleanup == "compact,delete"
    assert BY_NAME["social.topics"].partitions == 1
