"""Claims about alerts as others read them: CloudEvents to the reference library, one line each to our example."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat

from agents.lane import Outgoing
from agents.normalize_signals import heartbeat_records
from agents.stack import Stack
from schemas.alert import Alert
from schemas.channels import ALERT_STATE, ALERTS, SIGNALS
from schemas.signal import Heartbeat, conversation_of
from tests.integration.worker_trial import PARTITIONS, SOURCE, Trial, made_signals, to_json

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "subscriber.py"
WITHIN_S = 60.0
ATTRIBUTE_NAME = re.compile(r"[a-z0-9]{1,20}")


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Let a real worker raise alerts, and stop it."""
    with Stack() as stack:
        made = Trial(stack, "told", tmp_path_factory.mktemp("told"))
        made.declare()
        signals = made_signals()
        last_ms = max(signal.at for signal in signals)
        channel = made.name(SIGNALS)
        outgoing = [
            Outgoing(channel, conversation_of(one).encode(), to_json(one), timestamp_ms=one.at) for one in signals
        ]
        end = heartbeat_records(Heartbeat(SOURCE, last_ms, end=True), channel=channel, partitions=PARTITIONS)
        made.send([*outgoing, *end])
        made.start()
        try:
            made.await_passed(last_ms)
            assert made.stop() == 0
            yield made
        finally:
            made.kill()


def event_of(record: Any) -> Any:
    """Read a record as whoever knows CloudEvents and nothing of us does."""
    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    return from_kafka(message, JSONFormat())


@pytest.mark.parametrize("spec", [ALERTS, ALERT_STATE], ids=["alerts", "alert-state"])
def test_alerts_are_cloud_events_to_the_reference_library(trial: Trial, spec: Any) -> None:
    """Version 1.0 in Kafka's binary mode: its attributes say what the data says, and the data is an alert."""
    records = trial.records(spec)
    assert len(records) >= 3
    for record in records:
        event, alert = event_of(record), msgspec.json.decode(record.value, type=Alert)
        assert event.get_specversion() == "1.0"
        assert event.get_id() == alert.id
        assert event.get_source() == f"/overgrowth/{alert.brand}/{alert.topic}"
        assert event.get_type() == f"org.overgrowth.alert.{alert.state}.{alert.status}.v1"
        assert event.get_subject() == f"{alert.brand}/{alert.topic}"
        assert event.get_datacontenttype() == "application/json"
        assert event.get_time().astimezone(UTC) == datetime.fromisoformat(alert.at).astimezone(UTC)
        assert event.get_extension("severity") == str(alert.severity)
        assert event.get_extension("episode") == alert.episode
        assert event.get_data() == json.loads(record.value)
        for name in dict(record.headers):
            assert name == "content-type" or ATTRIBUTE_NAME.fullmatch(name.removeprefix("ce_"))


def test_source_and_id_tell_each_event_from_all_others(trial: Trial) -> None:
    """That pair is what CloudEvents has for dropping what comes again."""
    by_identity: dict[tuple[str, str], bytes] = {}
    for record in trial.records(ALERTS):
        event = event_of(record)
        assert by_identity.setdefault((event.get_source(), event.get_id()), record.value) == record.value


def test_the_example_prints_each_alert_once(trial: Trial) -> None:
    """It is what a newcomer copies: run as it stands, it must work; alerts that were sent twice are told once."""
    records = trial.records(ALERTS)
    again = records[0]
    trial.send([Outgoing(again.topic, again.key, again.value, timestamp_ms=again.timestamp, headers=again.headers)])
    expected = {(alert.at, alert.summary) for alert in (msgspec.json.decode(one.value, type=Alert) for one in records)}
    example = subprocess.Popen(
        [sys.executable, str(EXAMPLE), trial.settings.kafka, trial.name(ALERTS)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=EXAMPLE.parent,
    )
    try:
        assert example.stdout is not None
        lines = [example.stdout.readline().rstrip("\n") for _ in {event_of(record).get_id() for record in records}]
    finally:
        example.terminate()
        rest = example.communicate(timeout=WITHIN_S)[0]
    assert rest == ""
    assert {(line.split(" ", 1)[0], line.split(" ", 3)[3]) for line in lines} == expected


def test_the_example_is_twenty_lines_and_imports_nothing_of_ours() -> None:
    """Whoever subscribes needs a client of Kafka and nothing else."""
    code = EXAMPLE.read_text()
    statements = [line for line in code.splitlines() if line.strip() and '"""' not in line and "import" not in line]
    assert len(statements) <= 20
    assert not re.search(r"^(from|import) (agents|schemas|streams)", code, re.MULTILINE)
