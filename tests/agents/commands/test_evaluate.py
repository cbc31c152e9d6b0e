"""`overgrowth evaluate` grows seasons and says how right the alerts were."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from agents.backtesting.running import UnreadableFile
from agents.commands import evaluate as command
from agents.commands.evaluate import evaluate, variants
from agents.commands.options import swept
from agents.evaluation.figures import Run
from agents.evaluation.running import Job
from agents.seasons import SeasonError, shipped_seasons
from streams.lifecycle.rules import RulesError
from tests.agents.seasons.small_season import TEXT

RULES = """
outgrown: {ratio_enter: 1.4, share_enter: 0.5, cold_actors_min: 10, cold_signals_min: 30, for: 10m}
"""


@pytest.fixture
def season_path(tmp_path: Path) -> str:
    """Write the small season, with a parameter."""
    path = tmp_path / "small.yaml"
    text = TEXT.replace("{name: growth, hours: 2", "{name: growth, hours: $bloom")
    path.write_text("parameters: {bloom: 2}\n" + text, encoding="utf-8")
    return str(path)


def run(*arguments: str | int | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def test_the_table_names_every_state_and_season(season_path: str) -> None:
    """Plain text where no terminal is."""
    result = run("--season", season_path, "--seasons", 2, "--seed", 3, "--workers", 1)

    assert result.exit_code == 0, result.output
    first_words = [line.split()[0] for line in result.stdout.splitlines() if line.strip()]
    assert {"outgrown", "escaped", "returned", "small"} <= set(first_words)
    assert "\x1b" not in result.stdout


def test_json_has_everything_and_is_the_same_for_the_same_seed(season_path: str, tmp_path: Path) -> None:
    """Seeds, hashes of the rules, figures, mistakes."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    arguments = ("--season", season_path, "--seasons", 2, "--seed", 3, "--workers", 1, "--json")

    first, again, loose = run(*arguments), run(*arguments), run(*arguments, "--rules", rules)

    said = json.loads(first.stdout)
    assert first.stdout == again.stdout
    assert said["seeds"] == [3, 4]
    assert [season["label"] for season in said["seasons"]] == ["small"]
    assert said["seasons"][0]["runs"] == 2
    assert set(said["states"]) == {"outgrown", "escaped", "returned"}
    assert json.loads(loose.stdout)["rules"] != said["rules"]
    assert set(json.loads(run(*arguments, "--growing").stdout)["states"]) == {*said["states"], "growing"}


def test_a_sweep_runs_each_value(season_path: str) -> None:
    """Each is a line of its own, named after the value."""
    sweep = "bloom=1..2/1"

    result = run("--season", season_path, "--seasons", 1, "--sweep", sweep, "--workers", 1, "--json")

    labels = [season["label"] for season in json.loads(result.stdout)["seasons"]]
    assert labels == ["small bloom=1", "small bloom=2"]


def test_by_default_all_seasons_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stories, quiet ones and traps, seed by seed."""
    asked: list[Job] = []

    def noted(jobs: Sequence[Job], *, workers: int) -> Iterator[tuple[int, Run]]:
        asked.extend(jobs)
        return iter(())

    monkeypatch.setattr(command, "run_all", noted)

    assert run("--seasons", 2).exit_code == 0
    seasons = [job.season for job in asked if job.seed == 1]
    assert seasons == list(shipped_seasons())
    assert {"english_garden", "escape", "homecoming", "faded", "settled", "quiet", "viral_post"} <= set(seasons)
    assert [job.seed for job in asked] == [1] * len(seasons) + [2] * len(seasons)


def test_a_value_of_a_sweep_goes_before_what_is_set() -> None:
    """And both stand in the label."""
    made = list(variants(("escape",), {"home_hours": 12}, "drift=0.4..0.5/0.1"))

    assert [variant.settings for variant in made] == [
        {"home_hours": 12, "drift": 0.4},
        {"home_hours": 12, "drift": 0.5},
    ]
    assert made[0].label == "escape home_hours=12 drift=0.4"


def test_files_of_one_name_are_told_apart() -> None:
    """By their paths, or their figures would run together."""
    assert [one.label for one in variants(("a/x.yaml", "b/x.yaml"), {}, None)] == ["a/x.yaml", "b/x.yaml"]
    assert [one.label for one in variants(("a/x.yaml", "quiet"), {}, None)] == ["x", "quiet"]


@pytest.mark.parametrize("text", ["drift", "drift=0.1", "drift=0.1..0.2", "=1..2/1", "drift=2..1/1", "drift=1..2/0",
                                  "drift=0..1000/1", "drift=a..b/c", "drift=0..1/nan", "drift=0..inf/1"])  # fmt: skip
def test_a_sweep_that_says_nothing_is_wrong_use(text: str) -> None:
    """The error shows how one is written."""
    with pytest.raises(click.UsageError, match=r"drift=0\.1\.\.0\.9/0\.1"):
        swept(text)


def test_wrong_use_is_exit_code_2() -> None:
    """Nothing is grown."""
    assert run("--seasons", 0).exit_code == 2
    assert run("--set", "drift").exit_code == 2
    assert run("--sweep", "drift").exit_code == 2
    assert run("--workers", 1000).exit_code == 2


def test_an_unknown_season_or_parameter_is_refused_before_anything_is_grown(
    season_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of many seasons must not fail after an hour."""
    monkeypatch.setattr(command, "run_all", lambda jobs, workers: pytest.fail("nothing may be grown"))

    assert isinstance(run("--season", season_path, "--season", "nowhere").exception, SeasonError)
    assert isinstance(run("--season", season_path, "--set", "speed=2").exception, SeasonError)


def test_wrong_rules_are_refused(tmp_path: Path) -> None:
    """A file that is missing, and one that says nonsense."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("outgrown: {ratio: 2}", encoding="utf-8")

    missing = run("--rules", tmp_path / "none.yaml")

    assert (missing.exit_code, missing.stdout) == (1, "")
    assert isinstance(missing.exception, UnreadableFile)
    assert isinstance(run("--rules", rules).exception, RulesError)


def test_progress_is_told_on_stderr(season_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many are done, and how long the rest takes."""
    monkeypatch.setattr(command, "PROGRESS_EVERY_S", 0.0)

    result = run("--season", season_path, "--seasons", 2, "--workers", 1, "--json")

    assert result.stderr.startswith("evaluate: 1 of 2 seasons, ")
    assert json.loads(result.stdout)


def test_a_killed_process_is_said_in_one_line(season_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most likely memory ran out."""

    def killed(jobs: object, *, workers: int) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(command, "run_all", killed)

    result = run("--season", season_path)

    assert result.exit_code == 1
    assert result.stderr.endswith("got: one was killed; there may be too little memory: use fewer --workers\n")
