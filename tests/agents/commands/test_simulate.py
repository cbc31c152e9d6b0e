"""`overgrowth simulate` writes a log, its truth and its seeds, whole or not at all."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents.commands.simulate import simulate
from agents.logs import read_signals
from agents.seasons import TruthState, grow
from schemas.signal import Signal
from streams.attribution.seeds_file import parse_seeds
from tests.agents.seasons.small_season import TEXT, small_season


@pytest.fixture
def season_path(tmp_path: Path) -> str:
    """Write the small season."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def run(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


def test_the_log_holds_the_signals_of_the_season(tmp_path: Path, season_path: str) -> None:
    """What was grown is what is read back, without a refusal."""
    log, truth, seeds = tmp_path / "log", tmp_path / "truth", tmp_path / "seeds.yaml"

    result = run("--season", season_path, "--seed", "3", "--out", log, "--truth", truth, "--seeds", seeds)

    entries = [entry[2] for batch in read_signals(str(log)) for entry in batch]
    assert result.exit_code == 0, result.output
    assert entries == list(grow(small_season(), 3))
    assert parse_seeds(seeds.read_text(), where="seeds.yaml") == small_season().seeds
    states = [msgspec.json.decode(line, type=TruthState) for line in truth.read_bytes().splitlines()]
    assert [state.state for state in states][:2] == ["seeded", "growing"]
    assert (
        f"small, seed 3: {len(entries):,} signals from 2026-05-04 00:00:00 UTC to 2026-05-04 05:00:00" in result.output
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "seeds.yaml", "small.yaml", "truth"]


def test_the_same_seed_gives_the_same_bytes_gzipped_too(tmp_path: Path, season_path: str) -> None:
    """A gzipped log has no time of day in it."""
    for name in ("a", "b"):
        run("--season", season_path, "--out", tmp_path / f"{name}.gz", "--truth", tmp_path / f"{name}.truth")
    run("--season", season_path, "--out", tmp_path / "plain", "--truth", tmp_path / "plain.truth")

    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert (tmp_path / "a.truth").read_bytes() == (tmp_path / "b.truth").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == (tmp_path / "plain").read_bytes()


def test_a_log_on_standard_output_is_nothing_but_signals(tmp_path: Path, season_path: str) -> None:
    """It can be piped on, and the summary goes elsewhere."""
    result = run("--season", season_path, "--out", "-", "--truth", tmp_path / "truth")

    signals = [msgspec.json.decode(line, type=Signal) for line in result.stdout.splitlines()]
    assert signals == list(grow(small_season(), 1))
    assert "small, seed 1:" in result.stderr


def test_the_summary_can_be_read_by_machines(tmp_path: Path, season_path: str) -> None:
    """Counts by lineage add up to the signals, and the states are those of the truth file."""
    truth = tmp_path / "truth"

    result = run("--season", season_path, "--out", tmp_path / "log", "--truth", truth, "--json")

    summary = json.loads(result.stdout)
    assert (
        summary["signals"] == sum(summary["by_lineage"].values()) == len((tmp_path / "log").read_bytes().splitlines())
    )
    assert summary["states"] == [json.loads(line) for line in truth.read_text().splitlines()]
    assert (summary["season"], summary["seed"]) == ("small", 1)


def test_a_parameter_of_the_season_can_be_set(tmp_path: Path) -> None:
    """An evaluation sweeps a season by it; the parameter says how long the season lasts."""
    sizes = []
    for hours in ("2", "4.5"):
        result = run(
            "--season", "quiet", "--set", f"hours={hours}", "--set", "small_talk=0", "--out", tmp_path / "log",
            "--truth", tmp_path / "truth", "--json",
        )  # fmt: skip
        summary = json.loads(result.stdout)
        sizes.append((summary["to"] - summary["from"]) / 3_600_000)

    assert sizes == [2, 4.5]


def test_a_parameter_that_the_season_does_not_have_is_exit_code_1(tmp_path: Path) -> None:
    """The line tells those that it has."""
    result = run("--season", "quiet", "--set", "drift=1", "--out", tmp_path / "log", "--truth", tmp_path / "truth")

    assert result.exit_code == 1
    assert "the parameters of this season are: hours, small_talk" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_log_of_a_season_with_sources_holds_their_heartbeats(tmp_path: Path) -> None:
    """They are lines of the log like signals, and the summary counts them apart."""
    path = tmp_path / "two.yaml"
    path.write_text(TEXT + "sources: [{name: a, share: 1}, {name: b, share: 1, dead: {hour: 1, hours: 2}}]\n")
    result = run("--season", path, "--seed", "3", "--out", tmp_path / "log", "--truth", tmp_path / "truth", "--json")

    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    summary = json.loads(result.stdout)
    assert summary["heartbeats"] == sum("heartbeat" in line for line in lines)
    assert summary["signals"] == sum("heartbeat" not in line for line in lines)
    assert summary["signals"] < sum(summary["by_lineage"].values())


def test_what_cannot_be_written_is_one_line_and_exit_code_1(tmp_path: Path, season_path: str) -> None:
    """The line names the path."""
    log = tmp_path / "missing" / "log"

    result = run("--season", season_path, "--out", log, "--truth", tmp_path / "truth")

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {log}: expected a file that can be written, got: No such file or directory; check the path\n"
    )


def test_a_season_that_cannot_be_read_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """Nothing is left behind."""
    path = tmp_path / "season.yaml"
    path.write_text("phases: []")

    result = run("--season", path, "--out", tmp_path / "log", "--truth", tmp_path / "truth")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path}: expected a mapping with `seeds` at `$`, got a mapping; write")
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_that_breaks_off_does_not_replace_the_one_before(
    tmp_path: Path, season_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file under its name is always whole."""
    log = tmp_path / "log"
    log.write_bytes(b"before")
    monkeypatch.setattr("agents.seasons.scribe.SIGNALS_MAX", 10)

    result = run("--season", season_path, "--out", log, "--truth", tmp_path / "truth")

    assert result.exit_code == 1
    assert "expected a season of at most 10 signals" in result.stderr
    assert log.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "small.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--out", "x", "--truth", "x"),
        ("--out", "-", "--truth", "-"),
        ("--out", "x", "--truth", "y", "--seeds", "./x"),
        ("--out", "x"),
        ("--out", "x", "--truth", "y", "--seed", "-1"),
        ("--out", "x", "--truth", "y", "--set", "drift"),
        ("--out", "x", "--truth", "y", "--set", "=1"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Two outputs in one file, or an output missing, are mistakes of the caller."""
    assert run(*arguments).exit_code == 2
