"""Claims about whole installations: workers killed or not, on either broker, tell what one process tells."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from agents.backtesting import run
from agents.seasons import grow, load_season
from agents.stack.scoped import KafkaKind
from schemas.channels import ALERTS, CASCADES, VITALS
from schemas.seeds import TopicRecord
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import topic_records
from tests.integration.installation import Installation, installation

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.kafka]

to_json = msgspec.json.Encoder().encode


class Season(NamedTuple):
    """A season as a log, and what the oracle, one process over the whole log, tells of it."""

    log: Path
    topics: list[TopicRecord]
    alerts: list[bytes]
    vitals: list[bytes]
    cascades: list[bytes]
    middle_ms: int


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """Grow the default season and run it in one process."""
    planned = load_season()
    log = tmp_path_factory.mktemp("season") / "season.ndjson"
    log.write_bytes(b"".join(to_json(signal) + b"\n" for signal in grow(planned, 1)))
    topics = list(topic_records(planned.seeds, effective_from_ms=0))
    alerts: list[bytes] = []
    vitals: list[bytes] = []
    cascades: list[bytes] = []
    for _, outcome in run(Registry(topics), str(log), "native"):
        alerts += [to_json(alert) for _, alert in outcome.alerts]
        vitals += [to_json(told) for told in outcome.vitals]
        cascades += [to_json(told) for told in outcome.cascades]
    return Season(log, topics, alerts, vitals, cascades, (planned.start_ms + planned.end_ms) // 2)


@pytest.fixture(params=["embedded", "real"])
def whole(request: pytest.FixtureRequest, season: Season, tmp_path: Path) -> Iterator[Installation]:
    """Run servers of either kind with the season in their log."""
    kind: KafkaKind = request.param
    if kind == "real" and not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("no Java or Maven: Apache Kafka cannot be started")
    with installation(kind, tmp_path) as started:
        started.feed(season.log, season.topics, "native")
        yield started


def assert_tells_what_the_oracle_tells(whole: Installation, season: Season) -> None:
    """Compare every alert and every line of vitals and cascades, byte for byte."""
    assert whole.told(ALERTS).values == season.alerts
    assert whole.told(VITALS).values == season.vitals
    assert whole.told(CASCADES).values == season.cascades


def test_the_season_raises_alerts(season: Season) -> None:
    """What is compared below is not nothing."""
    assert len(season.alerts) > 5
    assert len(season.vitals) > 1_000
    assert len(season.cascades) > 1_000


def test_one_worker_tells_what_one_process_tells_and_commits_all(whole: Installation, season: Season) -> None:
    """Through Kafka and four partitions the alerts are the same bytes; after a drain committed = end everywhere."""
    worker = whole.start_worker()
    whole.await_end()
    whole.await_drained()
    assert worker.stop() == 0
    assert_tells_what_the_oracle_tells(whole, season)


def test_two_workers_of_which_one_is_killed_tell_the_same(whole: Installation, season: Season) -> None:
    """A worker that joins, one that is killed in the middle and one that takes over change no byte."""
    first, second = whole.start_worker(), whole.start_worker()
    whole.await_progress(past_ms=season.middle_ms)
    first.kill()
    third = whole.start_worker()
    whole.await_end()
    whole.await_drained()
    assert (second.stop(), third.stop()) == (0, 0)
    assert_tells_what_the_oracle_tells(whole, season)
