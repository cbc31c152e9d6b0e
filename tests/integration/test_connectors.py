"""From a network to an alert: a connector that is killed in the middle changes nothing of what the worker tells."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agents.connectors.cursors import read_cursor
from agents.lane import Outgoing
from agents.stack import Stack
from schemas.channels import REJECTIONS, raw_channel
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Signal
from streams.networks import NETWORKS
from tests.agents.connectors.trial import Told, holds, payloads, told
from tests.integration.plays import ACTS, PAUSE, OnBluesky, OnMastodon, Play, Posted
from tests.integration.worker_trial import Trial, to_json, told_by_one_process

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Run an embedded Kafka and a Valkey for all tests of this module."""
    with Stack() as started:
        yield started


def seeds(play: Play) -> TopicRecord:
    """Return the topic of the play's brand."""
    network = "garden" if play.network == "native" else play.network
    version = TopicVersion(effective_from_ms=0, accounts={network: (play.brand,)}, seeds=Seeds(tags=("higgs",)))
    return TopicRecord("cern", "higgs", (version,))


async def connect(trial: Trial, play: Play, log: Path) -> asyncio.subprocess.Process:
    """Start the connector."""
    with log.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "agents.cli", "connect", *play.arguments, "--metrics-port", "0"),
            env=trial.environment(),
            cwd=trial.folder,
            stdout=out,
            stderr=out,
        )


async def lived(trial: Trial, play: Play) -> list[Told]:
    """Let the connector live through the play, be killed in the middle and begin again; return what it delivered."""
    settings, raw, log = trial.settings, raw_channel(play.network), trial.folder / "connector.log"

    async def covered() -> None:
        while await read_cursor(settings, play.key.decode()) is None:
            pass

    async with asyncio.timeout(WITHIN_S), play.serving():
        first = await connect(trial, play, log)
        try:
            await play.begin(covered)
            await told(settings, raw, lambda records: len(payloads(records)) > PAUSE)
        finally:
            first.kill()
            await first.wait()
        second = await connect(trial, play, log)
        try:
            await play.go_on()
            found = await told(settings, raw, holds(*play.payloads()))
        finally:
            second.terminate()
            code = await second.wait()
        assert code == 0, log.read_text()
    # What a server says is quoted there, so a line that is not JSON could be one that it made up.
    assert all(json.loads(line)["logger"] for line in log.read_text().splitlines())
    return found


def meaning(play: Play, records: list[Told]) -> list[Signal]:
    """Return the signals that the first copies of payloads are, each one of them."""
    wanted = set(play.payloads())
    first = {record.value: record for record in reversed(records) if record.value in wanted}
    normalize = NETWORKS[play.network].normalize
    said = [normalize(value, record.timestamp_ms) for value, record in first.items()]
    return [one for outcome in said if isinstance(outcome, tuple) for one in outcome if isinstance(one, Signal)]


@pytest.mark.parametrize("make_play", [OnBluesky, OnMastodon, Posted])
def test_nothing_is_lost_and_nothing_told_twice_when_a_connector_is_killed(
    stack: Stack, tmp_path: Path, make_play: Callable[[int], Play]
) -> None:
    """Alerts and vitals are those of one process over the same payloads, though some came twice."""
    now_ms = time.time_ns() // 1_000_000
    play = make_play(now_ms // HOUR_MS * HOUR_MS - 6 * HOUR_MS)
    trial = Trial(stack, make_play.__name__, tmp_path)
    if make_play is OnMastodon:
        # What it says is hours old here, but the progress of a timeline is the time of day.
        trial.settings = msgspec.structs.replace(trial.settings, lateness_ms=DAY_MS)
    trial.declare(seeds(play))
    trial.start()
    try:
        records = asyncio.run(lived(trial, play))
        came = payloads(records)
        assert set(came) == set(play.payloads())
        assert len(came) > len(set(came)), "what is told again after a kill was not"
        signals = meaning(play, records)
        assert len(signals) == ACTS
        last_ms = max(signal.at for signal in signals)
        end = to_json(Heartbeat(play.source, last_ms, end=True))
        trial.send([Outgoing(trial.name(raw_channel(play.network)), play.key, end, timestamp_ms=last_ms)])
        trial.await_passed(last_ms)
        oracle = told_by_one_process(signals, seeds(play))
        assert len(oracle.alerts) >= 1
        assert trial.told() == oracle
        assert trial.records(REJECTIONS) == []
        assert trial.stop() == 0
    finally:
        trial.kill()
