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
