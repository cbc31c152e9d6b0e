"""Claims about a worker with pseudonyms on: no name is anywhere after, alerts are those without; no line is forged."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from agents.broker import client_options, read_partition
from agents.lane import Outgoing
from agents.stack import Stack
from schemas.alert import Alert
from schemas.channels import ALERTS, CHANNELS, LATE, REJECTIONS, SIGNALS, TOPICS, raw_channel
from schemas.signal import Heartbeat, Signal
from tests.agents.sample_views import everything
from tests.integration.worker_trial import SOURCE, Trial, made_signals, to_json, told_by_one_process

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]

CANARY = "canary"
"""What every name of a person begins with; nothing else that goes in holds it."""
FORGED = 'cern/x\r\n{"level":"critical","message":"forged"}\x1b[2J\u202e'
"""The key of a record that is no topic: it is logged."""
PRINTABLE = re.compile(r"[\x20-\x7e]*")


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Run an embedded Kafka and a Valkey."""
    with Stack() as started:
        yield started


def of_people(signal: Signal) -> Signal:
    """Give a signal what networks send: names of people as actors, in ids, mentions, links and texts."""
    person = signal.actor if signal.actor == "brand" else f"{CANARY}.{signal.actor}"

    def named(post: str | None) -> str | None:
        return post and f"at://did:plc:{CANARY}of{post}/app.bsky.feed.post/{post}"

    return msgspec.structs.replace(
        signal,
        actor=person,
        id=f"t:{person}/{signal.id}",
        post=named(signal.post),
        parent=named(signal.parent),
        root=named(signal.root),
        parent_actor=signal.parent and f"{CANARY}.parent",
        root_actor=signal.parent and f"{CANARY}.root",
        mentions=(f"@{CANARY}.friend",),
        links=(f"https://social.example/@{CANARY}.friend/1",),
        text=f"higgs, says @{CANARY}.friend",
    )


def test_names_that_went_in_are_nowhere_after(stack: Stack, tmp_path: Path) -> None:
    """Not in a channel or table but the raw one, nor in Redis, metrics or the log at its most talkative."""
    key_file = tmp_path / "pseudonyms.key"
    key_file.write_text("1:a secret of this test alone\n")
    trial = Trial(stack, "hidden", tmp_path)
    trial.settings = msgspec.structs.replace(trial.settings, pseudonym_key_file=str(key_file), log_level="debug")
    signals = [of_people(signal) for signal in made_signals()]
    last_ms = max(signal.at for signal in signals)
    poison = [b'{"id": "%s", "kind": "%s"}' % (CANARY.encode(), CANARY.encode() * 3), CANARY.encode(), b'"canary']
    late = msgspec.structs.replace(signals[1], id=f"{CANARY}.late")
    payloads = [*map(to_json, signals), *poison, to_json(late), to_json(Heartbeat(SOURCE, last_ms, end=True))]
    trial.declare()
    try:
        raw = trial.name(raw_channel("native"))
        trial.send([Outgoing(raw, b"", payload, partition=0, timestamp_ms=last_ms) for payload in payloads])
        trial.send([Outgoing(trial.name(TOPICS), FORGED.encode(), b"{}", partition=0)])
        trial.start()
        trial.await_passed(last_ms)
        trial.wait(lambda: len(trial.records(REJECTIONS)) == len(poison), "the rejections")
        trial.wait(lambda: not trial.uncommitted(), "everything committed")
        metrics = trial.page("metrics")[1]
        assert trial.stop() == 0
    finally:
        trial.kill()

    held = asyncio.run(all_records(trial))
    assert sorted(name for name, value in held.items() if CANARY.encode() in value) == [raw]
    assert CANARY not in metrics
    log = trial.log_path.read_text()
    assert CANARY not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["level"] for line in lines} >= {"debug", "info", "error"}
    assert [line["level"] for line in lines if "forged" in line["message"]] == ["error"]
    assert not [line for line in log.split("\n") if not PRINTABLE.fullmatch(line)]
    assert stack.redis is not None
    views = repr(everything(stack.redis))
    assert "cern/higgs" in views
    assert CANARY not in views
    # What was looked through was not empty, and the same things were told of the same people.
    for spec in (SIGNALS, REJECTIONS, LATE, TOPICS, ALERTS):
        assert held[trial.name(spec)], f"{spec.name} is empty"
    assert outlines(trial.told().alerts) == outlines(told_by_one_process(signals).alerts)
    assert "a secret of this test" not in metrics + views + trial.log_path.read_text()


def outlines(alerts: list[bytes]) -> list[tuple[object, ...]]:
    """Return of alerts what names no post."""
    told = [msgspec.json.decode(alert, type=Alert) for alert in alerts]
    return [(alert.at, alert.state, alert.status, alert.severity) for alert in told]


async def all_records(trial: Trial) -> dict[str, bytes]:
    """Return everything that lies in each channel of Kafka: keys, values and headers."""
    admin = AIOKafkaAdminClient(**client_options(trial.settings))
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(trial.settings.namespace)]
        described = await admin.describe_topics(names)
    finally:
        await admin.close()
    held = {}
    for entry in described:
        parts: list[bytes] = []
        for partition in range(len(entry["partitions"])):
            async for records in read_partition(trial.settings, channel=entry["topic"], partition=partition):
                for record in records:
                    parts += [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        held[entry["topic"]] = b"\n".join(parts)
    assert len(held) > len(CHANNELS), "every channel and table, and the raw ones"
    return held
