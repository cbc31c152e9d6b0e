"""Check `overgrowth replay` from a user's side: where it sends, what it says, and its exit codes."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from agents.cli import main
from agents.commands import replay as under_test
from agents.commands.replay import replay_settings
from agents.registry import RegistryReader
from agents.replay_summary import ReplaySummary, Report
from agents.settings import Settings
from streams.networks import NETWORKS

kafka = pytest.mark.kafka

LOG = b"""1 2 1341100972 RT
1 2 soon RT
3 2 1341100973 RE
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of three lines, one of them wrong."""
    path = tmp_path / "week.txt"
    path.write_bytes(LOG)
    return path


def run(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    """Run `overgrowth replay ...`."""
    return CliRunner(env=environment or {}).invoke(main, ["replay", *arguments], prog_name="overgrowth")


@kafka
def test_a_replay_goes_into_its_own_namespace_and_is_summed_up(kafka_url: str, log: Path) -> None:
    """What happened is told in numbers that add up."""
    result = run(str(log), "--kafka", kafka_url)

    assert result.exit_code == 0, result.output
    assert re.fullmatch(
        r"3 lines read; into namespace replay: 2 signals, from 2012-07-01 00:02:52 UTC to 2012-07-01 00:02:53 UTC; "
        r"1 refused, 0 outside of the span, 8 heartbeats; [0-9.]+ s, [0-9,]+ signals/s\n",
        result.stdout,
    )


@kafka
def test_seeds_are_published_first_and_in_force_from_the_beginning(kafka_url: str, log: Path, tmp_path: Path) -> None:
    """One command is enough to try a log: a worker of the namespace finds topics and signals there."""
    seeds = tmp_path / "seeds.yaml"
    seeds.write_text("brands: [{id: cern, topics: [{id: higgs, seeds: {tags: [higgs]}}]}]")

    result = run(str(log), "--kafka", kafka_url, "--namespace", "seeded", "--seeds", str(seeds), "--json")

    summary = json.loads(result.stdout)
    assert result.stderr == "seeds: cern/higgs new\n"
    assert (summary["namespace"], summary["signals"], summary["refused"]) == ("seeded", 2, 1)
    reader = RegistryReader(Settings(kafka=kafka_url, namespace="seeded"))
    asyncio.run(reader.read())
    assert [record.versions[0].effective_from_ms for record in reader.records] == [0]


@kafka
def test_a_span_a_format_and_a_pace_can_be_asked_for(kafka_url: str, log: Path) -> None:
    """The flags reach the replay: one second of log at a thousand times its pace, without its first signal."""
    flags = ("--format", "snap-higgs", "--speed", "1000", "--from", "2012-07-01T00:02:53Z", "--partitions", "2")

    result = run(str(log), "--kafka", kafka_url, "--namespace", "span", "--json", *flags)

    summary = json.loads(result.stdout)
    assert (summary["signals"], summary["skipped"], summary["heartbeats"]) == (1, 2, 4)


@kafka
def test_other_partitions_than_the_channel_has_are_refused(kafka_url: str, log: Path) -> None:
    """Keys would lie in other partitions than before, and conversations be torn apart."""
    where = ("--kafka", kafka_url, "--namespace", "fixed")
    assert run(str(log), *where, "--partitions", "2").exit_code == 0

    result = run(str(log), *where, "--partitions", "3")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "expected 3 partitions, got 2; set OVERGROWTH_PARTITIONS" in result.stderr


# --- the live namespace -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "environment", "namespace"),
    [
        ({"live": False}, {}, "replay"),
        ({"live": False}, {"OVERGROWTH_NAMESPACE": ""}, "replay"),
        ({"live": False}, {"OVERGROWTH_NAMESPACE": "mine"}, "mine"),
        ({"live": False, "namespace": "other"}, {"OVERGROWTH_NAMESPACE": "mine"}, "other"),
        ({"live": True}, {}, ""),
        ({"live": True, "namespace": ""}, {"OVERGROWTH_NAMESPACE": "mine"}, ""),
    ],
)
def test_the_live_namespace_is_only_reached_on_purpose(
    options: dict[str, Any], environment: dict[str, str], namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old news that everybody takes for new cannot be called back."""
    monkeypatch.delenv("OVERGROWTH_NAMESPACE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert replay_settings(**options).namespace == namespace


@pytest.mark.parametrize(
    ("channel", "options", "environment", "namespace"),
    [
        ("social.signals", {"live": False}, "", "replay"),
        ("prod.social.signals", {"live": False}, "", "replay"),
        ("prod.social.raw.bluesky", {"live": False}, "prod", "prod-replay"),
        ("replay.social.signals", {"live": False}, "", "replay-replay"),
        ("prod.social.signals", {"live": True}, "", ""),
        ("social.signals", {"live": True}, "", None),
        ("prod.social.signals", {"live": False, "namespace": "prod"}, "", None),
    ],
)
def test_a_channel_is_never_replayed_into_its_own_namespace(
    channel: str, options: dict[str, Any], environment: str, namespace: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every signal would come a second time, behind a watermark that has passed it."""
    monkeypatch.setenv("OVERGROWTH_NAMESPACE", environment)

    if namespace is None:
        with pytest.raises(click.UsageError, match=f"expected another namespace than that of kafka:{channel}, got"):
            replay_settings(log=f"kafka:{channel}", **options)
    else:
        assert replay_settings(log=f"kafka:{channel}", **options).namespace == namespace


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--namespace", ""), "expected the name of a namespace, got the live one; say --live if you mean it"),
        (("--namespace", "x", "--live"), "expected --live or --namespace, got both (x); leave one out"),
        (("--speed", "0"), "expected a number above 0, or `max`, got '0'"),
        (("--speed", "inf"), "expected a number above 0, or `max`, got 'inf'"),
        (("--speed", "fast"), "expected a number above 0, or `max`, got 'fast'"),
        (("--from", "yesterday"), "expected a time such as 2012-07-04T08:00:00Z, got 'yesterday'"),
        (("--from-offset", "9"), "expected a partition and an offset such as 0:1200, got '9'"),
        (
            ("--from", "2012-07-05T00:00:00Z", "--to", "2012-07-04T00:00:00Z"),
            "expected --from before --to, got 2012-07-05 00:00:00 UTC and 2012-07-04 00:00:00 UTC",
        ),
        (
            ("--from", "2012-07-05T00:00:00Z", "--from-offset", "0:1"),
            "expected one of --from and --from-offset, got both",
        ),
        (("--format", "fax"), f"'fax' is not one of {', '.join(map(repr, NETWORKS))}"),
    ],
)
def test_wrong_use_is_exit_code_2(flags: tuple[str, ...], said: str, log: Path) -> None:
    """Wrong use is told apart from failure, before anything is sent."""
    result = run(str(log), *flags, "--kafka", "127.0.0.1:1")

    assert result.exit_code == 2
    assert said in result.stderr


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_a_missing_log_and_a_broker_that_is_away_are_one_line(log: Path, tmp_path: Path) -> None:
    """Each says what to do, and nothing else is printed."""
    missing, away = (run(str(path), "--kafka", "127.0.0.1:1") for path in (tmp_path / "none.txt", log))

    assert [missing.exit_code, away.exit_code] == [1, 1]
    assert missing.stderr == f"Error: {tmp_path}/none.txt: expected a log file, found nothing there; check the path\n"
    assert away.stderr.startswith("Error: Kafka: expected a broker at 127.0.0.1:1, got ")
    assert away.stderr.count("\n") == 1


def test_ctrl_c_says_how_far_it_came_and_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    """Whoever interrupts it must know what is in Kafka now."""

    async def interrupted(*_: object, progress: Report, **__: object) -> ReplaySummary:
        progress(ReplaySummary(lines=12, signals=10, first_ms=0, last_ms=1_341_388_800_000, seconds=2.0))
        raise KeyboardInterrupt

    monkeypatch.setattr(under_test, "replay_log", interrupted)

    result = run(str(log))

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("interrupted: 12 lines read; into namespace replay: 10 signals, from 1970-01-01 ")
    hint = "no source was ended; the same command with --resume goes on there\n"
    assert result.stderr.endswith(f"2.0 s, 5 signals/s; {hint}")


def test_progress_is_a_line_every_few_seconds_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log of a job stays short, and shows that it goes on."""
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with under_test.shown_progress("week.gz") as show:
        for step in range(100):
            now_s = 100.0 + step * 0.1
            told = ReplaySummary(signals=step, last_ms=1_341_388_800_000, seconds=step * 0.1, done=step / 100)
            show(told if step < 60 else replace(told, seconds_left=75.0))

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == "week.gz: 2012-07-04 08:00:00 UTC, 30 signals, 10/s, 30% done"
    assert lines[1] == "week.gz: 2012-07-04 08:00:00 UTC, 60 signals, 10/s, 60% done, 1 min 15 s left"
