"""Claims about one worker process: poison, a kill, an absent Redis, a busy port, SIGTERM; its alerts stay the same."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from agents.lane import Outgoing
from agents.normalize_signals import heartbeat_records
from agents.stack import Stack
from agents.stack.valkey import ValkeyServer
from agents.views import Views
from schemas.channels import LATE, REJECTIONS, SIGNALS, raw_channel
from schemas.rejection import Rejection
from schemas.signal import Heartbeat, conversation_of
from tests.integration.pills import PILLS
from tests.integration.worker_trial import PARTITIONS, SOURCE, Told, Trial, made_signals, to_json, told_by_one_process

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]


@pytest.fixture(scope="module")
def oracle() -> Told:
    """Return what one process tells of the signals."""
    return told_by_one_process(made_signals())


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Run an embedded Kafka and a Valkey for all tests of this module."""
    with Stack() as started:
        yield started


@pytest.fixture
def trial(stack: Stack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """Return an installation in a namespace of its own, its topic declared."""
    made = Trial(stack, f"n{crc32(request.node.name.encode())}", tmp_path)
    made.declare()
    yield made
    made.kill()


def end_of(trial: Trial, at_ms: int) -> list[Outgoing]:
    """End the source, so that everything is released."""
    end = Heartbeat(SOURCE, at_ms, end=True)
    return heartbeat_records(end, channel=trial.name(SIGNALS), partitions=PARTITIONS)


def test_there_is_something_to_tell(oracle: Told) -> None:
    """What is compared below is not nothing."""
    assert len(oracle.alerts) >= 3
    assert len(oracle.vitals) > 250


def test_a_worker_among_poison_tells_what_one_process_tells(trial: Trial, oracle: Told) -> None:
    """Each pill becomes one rejection with reason and place; probes and metrics tell; SIGTERM leaves nothing open."""
    signals = made_signals()
    outgoing = []
    for number, signal in enumerate(signals):
        key = conversation_of(signal).encode()
        outgoing.append(Outgoing(trial.name(SIGNALS), key, to_json(signal), timestamp_ms=signal.at))
        if number % 200 == 100:
            pill = PILLS[number // 200]
            outgoing.append(
                Outgoing(
                    trial.name(SIGNALS), b"", pill.payload, partition=number // 200 % PARTITIONS, timestamp_ms=signal.at
                )
            )
    last_ms = max(signal.at for signal in signals)
    places = trial.send([*outgoing, *end_of(trial, last_ms)])
    expected = {
        (*place, pill.reason)
        for pill, place in zip(
            PILLS, [place for place, one in zip(places, outgoing, strict=False) if not one.key], strict=True
        )
    }
    trial.start()
    trial.wait(lambda: trial.page("live")[0] == 200, "/live")
    trial.await_passed(last_ms)
    # Partitions without a record are opened last on a busy machine.
    trial.wait(lambda: trial.page("ready") == (200, '{"state":"running","ready":true}\n'), "/ready")
    metrics = trial.page("metrics")[1]
    trial.wait(lambda: not trial.uncommitted(), "everything committed")
    committed = 'overgrowth_committed_offset{channel="%s",partition="0"}' % trial.name(SIGNALS)  # noqa: UP031
    trial.wait(lambda: trial.metric(committed) > 0, "the committed offset in the metrics")

    assert trial.stop() == 0
    assert trial.uncommitted() == []
    assert trial.told() == oracle
    refused = [msgspec.json.decode(record.value, type=Rejection) for record in trial.records(REJECTIONS)]
    assert {(one.place.partition, one.place.offset, one.reason) for one in refused} == expected
    assert len(refused) == len(expected) == len(PILLS)
    assert {one.place.channel for one in refused} == {trial.name(SIGNALS)}
    assert trial.records(LATE) == []
    for outcome, count in (("applied", len(signals)), ("rejected", len(PILLS)), ("heartbeat", PARTITIONS)):
        line = f'overgrowth_records_total{{channel="{trial.name(SIGNALS)}",outcome="{outcome}"}}'
        assert f"{line} {count}.0" in metrics
    log = trial.log_path.read_text()
    assert "Traceback" not in log
    assert "never retrieved" not in log
    assert json.loads(log.strip().splitlines()[-1])["message"].endswith("stopped; what was read is settled")


def test_a_killed_worker_and_an_absent_redis_change_nothing(stack: Stack, tmp_path: Path, oracle: Told) -> None:
    """From raw payloads on: the worker dies and comes back, Redis is away meanwhile and comes back empty."""
    redis = ValkeyServer()
    redis.start()
    trial = Trial(stack, "killed", tmp_path, redis=f"{redis.url}")
    try:
        trial.declare()
        signals = made_signals()
        middle = len(signals) // 2
        raw = trial.name(raw_channel("native"))
        payloads = [Outgoing(raw, b"", to_json(signal), partition=0, timestamp_ms=signal.at) for signal in signals]
        last_ms = max(signal.at for signal in signals)
        trial.send(payloads[:middle])
        trial.start()
        trial.await_passed(signals[middle // 2].at)
        trial.kill()
        redis.kill()
        trial.send(payloads[middle:])
        trial.send(
            [Outgoing(raw, b"", to_json(Heartbeat(SOURCE, last_ms, end=True)), partition=0, timestamp_ms=last_ms)]
        )
        trial.start()
        trial.await_passed(last_ms)
        assert trial.told() == oracle
        trial.wait(lambda: trial.metric('overgrowth_redis_errors_total{operation="write"}') > 0, "Redis to be missed")
        redis.start()
        topic = "cern/higgs"
        newest = json.loads(oracle.vitals[-1])
        still_open = {json.loads(alert)["episode"]: json.loads(alert) for alert in oracle.alerts}
        expected = sorted(one["id"] for one in still_open.values() if one["status"] in ("firing", "updated"))

        def views_caught_up() -> bool:
            async def look() -> bool:
                views = Views(trial.settings.redis, trial.settings.namespace)
                vitals, episodes = await views.latest_vitals(topic), await views.open_episodes(topic)
                await views.close()
                is_newest = vitals is not None and vitals.at == newest["at"]
                return is_newest and sorted(one.id for one in episodes) == expected

            return asyncio.run(look())

        trial.wait(views_caught_up, "the views to catch up")
        assert trial.stop() == 0
        assert trial.uncommitted() == []
        assert trial.told() == oracle
    finally:
        trial.kill()
        redis.stop()


def test_faust_finds_the_app_and_its_web_server_stays_off(trial: Trial) -> None:
    """`faust -A agents.app worker` is the same worker; the clock writes wall time into every partition."""
    trial.start(("-m", "faust", "-A", "agents.app", "worker", "-l", "info"), clock="wall")
    trial.wait(lambda: trial.page("ready")[0] == 200, "/ready")
    trial.wait(
        lambda: (
            {record.partition for record in trial.records(SIGNALS) if b'"clock"' in record.value}
            == set(range(PARTITIONS))
        ),
        "heartbeats of the clock in every partition",
    )
    with socket.socket() as web:
        assert web.connect_ex(("127.0.0.1", 6066)) != 0
    assert trial.stop() == 0


def test_a_busy_port_of_the_metrics_is_one_line(trial: Trial) -> None:
    """The worker does not begin, ends with 1, and says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", trial.settings.metrics_port))
        taken.listen()
        trial.start()
        assert trial.process is not None
        assert trial.process.wait(timeout=30) == 1
    lines = trial.log_path.read_text().strip().splitlines()

    text = (
        f"Error: metrics server: expected to listen on 127.0.0.1:{trial.settings.metrics_port}, but the port is in "
        "use; stop what holds it or give another one (0 takes a free one)"
    )
    assert [line for line in lines if line.startswith("Error: ")] == [text]
    assert "Traceback" not in "".join(lines)
