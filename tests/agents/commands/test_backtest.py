"""Claims about `overgrowth backtest`: it accounts for everything, repeats itself, and says what is wrong."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import main
from streams.networks import NETWORKS

SEEDS = """
brands:
  - id: nursery
    accounts: {garden: [nursery]}
    topics:
      - id: roses
        seeds: {tags: [roses]}
"""
START_MS = 1_767_225_600_000


def line(number: int, **fields: object) -> str:
    """Return one native signal."""
    signal = {
        "id": f"s{number}",
        "network": "garden",
        "kind": "post",
        "at": START_MS + number * 1_000,
        "actor": f"a{number % 97}",
        "tags": ["Roses"],
    }
    return json.dumps({**signal, **fields})


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    """Return a seeds file."""
    path = tmp_path / "seeds.yaml"
    path.write_text(SEEDS)
    return str(path)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Return a log of 3,000 signals with one of each kind of trouble."""
    lines = [line(number) for number in range(3_000)]
    lines[1_000] = "not JSON"
    lines[1_001] = line(5)
    lines[2_000] = line(2_000, at=START_MS)
    path = tmp_path / "log.ndjson"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_every_record_is_accounted_for(log: str, seeds: str) -> None:
    """Applied, late, rejected and duplicate add up to what was read."""
    result = CliRunner().invoke(main, ["backtest", log, "--seeds", seeds, "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["read"] == 3_000
    assert (summary["rejected"], summary["late"], summary["waiting"]) == (1, 2, 0)
    assert summary["applied"] == 2_997


def test_a_repetition_within_the_lateness_is_a_duplicate(tmp_path: Path, seeds: str) -> None:
    """The same id twice in time counts once."""
    path = tmp_path / "twice.ndjson"
    path.write_text("\n".join([line(1), line(2), line(1), line(3)]))
    summary = json.loads(CliRunner().invoke(main, ["backtest", str(path), "--seeds", seeds, "--json"]).stdout)
    assert (summary["applied"], summary["duplicate"]) == (3, 1)


def test_two_runs_write_the_same_bytes(log: str, seeds: str, tmp_path: Path) -> None:
    """Vitals and alerts are functions of the log."""
    written = []
    for run in ("a", "b"):
        vitals, alerts = tmp_path / f"v{run}", tmp_path / f"a{run}"
        command = ["backtest", log, "--seeds", seeds, "--vitals", str(vitals), "--alerts", str(alerts)]
        assert CliRunner().invoke(main, command).exit_code == 0
        written.append(vitals.read_bytes() + alerts.read_bytes())
    assert written[0] == written[1]
    assert len(written[0].splitlines()) > 40


def test_a_rules_file_goes_before_the_seeds_file(log: str, seeds: str, tmp_path: Path) -> None:
    """Another weight of posts shows in the vitals."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {engagement: {post: 0.5}}\n")
    vitals = tmp_path / "v.ndjson"
    command = ["backtest", log, "--seeds", seeds, "--rules", str(rules), "--vitals", str(vitals)]
    assert CliRunner().invoke(main, command).exit_code == 0
    window = json.loads(vitals.read_text().splitlines()[0])["windows"]["5m"]
    assert window["engagement"] == window["signals"] * 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.ndjson"], "expected a log file, found nothing there"),
        ([".", "--format", "native"], "expected a log file, got a directory"),
        (["LOG", "--format", "morse"], f"expected one of the formats {', '.join(NETWORKS)}"),
        (["LOG", "--rules", "nowhere.yaml"], "nowhere.yaml: expected a readable text file"),
        (["LOG", "--alerts", "/nowhere/a.ndjson"], "/nowhere/a.ndjson: expected a file that can be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], said: str, log: str, seeds: str) -> None:
    """Wrong input ends with code 1 and one line on stderr that names it."""
    command = ["backtest", *(log if argument == "LOG" else argument for argument in arguments), "--seeds", seeds]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_wrong_seeds_file_is_said_with_its_place(log: str, tmp_path: Path) -> None:
    """A misspelt field is named with its place in the file."""
    path = tmp_path / "seeds.yaml"
    path.write_text("brands:\n  - id: nursery\n    topics:\n      - id: roses\n        seeds: {tag: [roses]}\n")
    result = CliRunner().invoke(main, ["backtest", log, "--seeds", str(path)])
    assert result.exit_code == 1
    assert "tags" in result.stderr


def test_missing_seeds_are_wrong_use(log: str) -> None:
    """Wrong use ends with code 2."""
    assert CliRunner().invoke(main, ["backtest", log]).exit_code == 2


def test_a_report_is_written_beside_the_same_alerts(log: str, seeds: str, tmp_path: Path) -> None:
    """It names the topic, accounts for the records, and is one file."""
    path = tmp_path / "report.html"

    result = CliRunner().invoke(main, ["backtest", log, "--seeds", seeds, "--report", str(path)])

    assert result.exit_code == 0, result.output
    page = path.read_text(encoding="utf-8")
    assert "nursery/roses" in page
    assert "3,000 records read" in page
    assert sorted(tmp_path.iterdir()) == sorted([Path(log), Path(seeds), path])


def test_a_log_that_is_not_in_the_order_of_time_says_how_many_were_late(log: str, seeds: str) -> None:
    """A wrong order would else look like a quiet topic."""
    result = CliRunner().invoke(main, ["backtest", log, "--seeds", seeds])

    expected = "expected the order of event time, to within 10 s, got 2 signals that come later than that"
    assert result.stderr.splitlines()[-1].startswith(f"{log}: {expected}")


def test_a_span_of_time_is_judged_alone(log: str, seeds: str) -> None:
    """From the first instant on, up to the second; where there is nothing in between, that is said."""
    command = ["backtest", log, "--seeds", seeds, "--json", "--from", "2026-01-01T00:01:40Z"]

    summary = json.loads(CliRunner().invoke(main, [*command, "--to", "2026-01-01T00:05:00Z"]).stdout)
    empty = CliRunner().invoke(main, ["backtest", log, "--seeds", seeds, "--to", "2025-01-01T00:00:00Z"])

    assert summary["read"] == 200
    assert empty.exit_code == 1
    assert empty.stderr.startswith(f"Error: {log}: expected signals in the span, got none; the log reaches from ")


@pytest.mark.kafka
def test_a_channel_tells_what_the_log_told_that_was_sent_into_it(
    kafka_url: str, log: str, seeds: str, tmp_path: Path
) -> None:
    """Byte for byte; the late signals of the log are late there too."""
    where = ("--kafka", kafka_url, "--namespace", "source")
    replayed = CliRunner().invoke(main, ["replay", log, *where])
    assert "got 2 signals that come later than that" in replayed.stderr
    outputs = []
    for name, source in (("file", [log]), ("channel", ["kafka:source.social.signals", "--kafka", kafka_url])):
        paths = [str(tmp_path / f"{name}-{kind}") for kind in ("vitals", "cascades", "report")]
        flags = ["--vitals", paths[0], "--cascades", paths[1], "--report", paths[2], "--seeds", seeds]
        result = CliRunner().invoke(main, ["backtest", *source, *flags, "--json"])
        assert result.exit_code == 0, result.output
        summary = json.loads(result.stdout)
        told = [Path(path).read_bytes() for path in paths[:2]]
        outputs.append((told, summary["applied"], summary["late"], summary["rejected"], summary["duplicate"]))

    assert outputs[0] == outputs[1]


@pytest.mark.kafka
def test_a_channel_that_is_not_there_is_one_line(kafka_url: str, seeds: str) -> None:
    """Nothing is made of its name."""
    result = CliRunner().invoke(main, ["backtest", "kafka:no.social.signals", "--kafka", kafka_url, "--seeds", seeds])

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "channel no.social.signals: expected it at" in result.stderr
