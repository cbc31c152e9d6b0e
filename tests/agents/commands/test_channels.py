"""Check `overgrowth channels` from a user's side, on an embedded Kafka."""

import json

import pytest
from click.testing import CliRunner, Result

from agents.broker import channel_specs
from agents.cli import main
from agents.settings import Settings
from schemas.channels import SIGNALS, TABLE_WATCH


def run(*arguments: str) -> Result:
    """Run `overgrowth channels ...` as if in an empty environment."""
    return CliRunner().invoke(main, ["channels", *arguments], env={"OVERGROWTH_CREATE_CHANNELS": "false"})


@pytest.mark.kafka
def test_apply_creates_what_is_missing_and_twice_is_fine(own_settings: Settings) -> None:
    """A job that is run again, as orchestrators do, succeeds again; the right to create is its own."""
    flags = ("--kafka", own_settings.kafka, "--namespace", own_settings.namespace, "--partitions", "2")
    total = len(channel_specs(own_settings))

    first, second = run("apply", "--json", *flags), run("apply", *flags)

    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert told["channels"] == len(told["created"]) == total
    assert f"{own_settings.namespace}.social.signals" in told["created"]
    assert second.stdout == f"{total} channels as they should be, 0 of them new\n"


@pytest.mark.kafka
def test_another_number_of_partitions_is_refused(own_settings: Settings) -> None:
    """State lies by partition, so it would be lost."""
    flags = ("--kafka", own_settings.kafka, "--namespace", own_settings.namespace)
    assert run("apply", "--partitions", "2", *flags).exit_code == 0

    result = run("apply", "--partitions", "3", *flags)

    assert result.exit_code == 1
    assert "expected 3 partitions, got 2" in result.stderr


def test_list_tells_every_channel_as_it_would_be_created() -> None:
    """For those whose channels are created by another tool; no Kafka is asked."""
    result = run("list", "--json", "--partitions", "6", "--namespace", "replay")

    rows = {row["channel"]: row for row in json.loads(result.stdout)}
    assert len(rows) == len(channel_specs(Settings()))
    assert rows["replay.social.signals"]["partitions"] == 6
    assert rows["replay.social.signals"]["config"] == SIGNALS.config(replay=True)
    assert rows["replay.social.table.watch"]["config"] == TABLE_WATCH.config(replay=True)
    assert rows["replay.social.topics"]["partitions"] == 1


def test_list_reads_well_without_json() -> None:
    """One line for the channel, its settings below it."""
    lines = run("list").stdout.splitlines()
    assert "social.signals: signals, heartbeats and erasures; 4 partitions, key: conversation root id" in lines
    assert "  cleanup.policy=compact" in lines
