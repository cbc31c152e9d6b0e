"""`overgrowth explain`: an alert is found, explained, and raised again from its log."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from agents.commands.explain import EXIT_DIFFERS
from agents.settings import Settings
from agents.stack.valkey import ValkeyServer
from agents.views import Views, ViewsBatch
from schemas.alert import Alert
from tests.agents.commands.test_alerts import write
from tests.agents.seasons.small_log import overgrowth, write_small_log


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small season's log, seeds, rules, and the alerts that they raise."""
    folder = write_small_log(tmp_path_factory.mktemp("season"))
    given = ("--seeds", folder / "seeds.yaml", "--rules", folder / "loose.yaml", "--alerts", folder / "alerts.ndjson")
    assert overgrowth("backtest", folder / "log.ndjson", *given).exit_code == 0
    return folder


def raised(grown: Path) -> list[Alert]:
    """Return the alerts of the season."""
    return [msgspec.json.decode(line, type=Alert) for line in (grown / "alerts.ndjson").read_bytes().splitlines()]


def explain(grown: Path, alert_id: str, *words: object) -> Result:
    """Explain an alert of the file and raise it again from its log."""
    replay = ("--replay", grown / "log.ndjson", "--seeds", grown / "seeds.yaml", "--rules", grown / "loose.yaml")
    return overgrowth("explain", alert_id, "--alerts", grown / "alerts.ndjson", *replay, *words)


def test_each_alert_is_raised_again_with_the_same_bytes(grown: Path) -> None:
    """What an alert says is a function of the log."""
    for alert in raised(grown):
        result = explain(grown, alert.id)

        assert result.exit_code == 0, result.output
        assert alert.summary in result.stdout
        assert "the log raises the same alert" in result.stdout


def test_an_alert_that_was_changed_is_told_with_what_differs(grown: Path, tmp_path: Path) -> None:
    """A comparison that could not fail would prove nothing."""
    first = json.loads((grown / "alerts.ndjson").read_bytes().splitlines()[0])
    path = tmp_path / "forged.ndjson"
    path.write_text(json.dumps({**first, "severity": first["severity"] % 10 + 1}, separators=(",", ":")))

    result = explain(grown, first["id"], "--alerts", path)

    assert result.exit_code == EXIT_DIFFERS
    assert "another severity" in result.stdout
    path.write_text(json.dumps({**first, "id": f"{first['episode']}.99"}))
    result = explain(grown, first["episode"], "--alerts", path)
    assert result.exit_code == EXIT_DIFFERS
    assert "does not raise this alert" in result.stdout


def test_an_alert_is_found_by_the_beginning_of_its_id(grown: Path) -> None:
    """What is too short, unknown or ambiguous is told."""
    alert = raised(grown)[0]
    file = ("--alerts", grown / "alerts.ndjson")

    assert f"alert {alert.id}" in overgrowth("explain", alert.episode[:8], *file).stdout
    assert overgrowth("explain", alert.id[:3], *file).exit_code == 2
    missing = overgrowth("explain", "ffffffff", *file)
    assert missing.exit_code == 1
    assert "expected an alert 'ffffffff'" in missing.stderr
    assert overgrowth("explain", alert.id, *file, "--replay", "log").exit_code == 2
    assert overgrowth("explain", alert.id, *file, "--redis").exit_code == 2


@pytest.mark.parametrize("line", [b'{"id": 5}', b'{"id": "\xff"}', b"[" * 100_000], ids=["shape", "bytes", "depth"])
def test_a_file_that_holds_no_alerts_is_told(line: bytes, tmp_path: Path) -> None:
    """The line is named."""
    path = tmp_path / "alerts.ndjson"
    path.write_bytes(line + b"\n")

    result = overgrowth("explain", "abcdef", "--alerts", path)

    assert result.exit_code == 1
    assert "line 1: expected an alert" in result.stderr


@pytest.mark.kafka
def test_an_alert_is_raised_again_from_a_span_of_the_channel_it_came_from(grown: Path, kafka_url: str) -> None:
    """The log may be in Kafka still: `--kafka` says where the log is, too."""
    where = ("--kafka", kafka_url, "--namespace", "explained-again")
    assert overgrowth("replay", grown / "log.ndjson", *where, "--partitions", "2").exit_code == 0

    result = explain(grown, raised(grown)[-1].id, *where, "--replay", "kafka:explained-again.social.signals")

    assert result.exit_code == 0, result.output
    assert "the log raises the same alert" in result.stdout


@pytest.mark.kafka
def test_an_alert_is_found_in_the_channel(grown: Path, kafka_url: str) -> None:
    """The channel is read to its end and not further, and an alert that was written twice is one."""
    alerts = raised(grown)
    settings = Settings(kafka=kafka_url, namespace="explained", partitions=2)
    asyncio.run(write(settings, [msgspec.json.encode(alert) for alert in [*alerts, alerts[0]]]))

    result = overgrowth("explain", alerts[-1].id, "--kafka", kafka_url, "--namespace", "explained")

    assert result.exit_code == 0, result.output
    assert alerts[-1].summary in result.stdout


def test_an_alert_is_found_in_redis(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read model holds the last alerts as they were raised."""
    alerts = raised(grown)
    with ValkeyServer() as server:
        monkeypatch.setenv("OVERGROWTH_REDIS", server.url)

        async def fill() -> None:
            views = Views(server.url)
            await views.write(ViewsBatch(alerts=[(alert, msgspec.json.encode(alert)) for alert in alerts]))
            await views.close()

        asyncio.run(fill())
        result = overgrowth("explain", alerts[0].id, "--redis")

    assert result.exit_code == 0, result.output
    assert alerts[0].summary in result.stdout
