"""Seasons are grown, run and scored, here or in other processes, with the same result."""

from pathlib import Path

import msgspec
import pytest

from agents.backtesting import run as backtest
from agents.evaluation.running import Job, kind_of, live, registry_of, rules_of, run, run_all
from agents.seasons import TruthKeeper, TruthState, deliver, grow_planted
from schemas.signal import Signal
from tests.agents.seasons.small_season import TEXT, small_season

# So loose that half an hour of this season has been outgrown.
LOOSE = {
    "outgrown": {"ratio_enter": 1.4, "share_enter": 0.5, "cold_actors_min": 10, "cold_signals_min": 30, "for": "10m"}
}


@pytest.fixture
def season_path(tmp_path: Path) -> str:
    """Write the small season."""
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def entry(state: str, trap: str | None = None) -> TruthState:
    """Return an entry of a truth."""
    return TruthState(0, "meadow", "wildflowers", state, "why", trap=trap)


def test_a_season_runs_as_its_log_would_through_backtest(tmp_path: Path) -> None:
    """No file is written, but the alerts and the truth are the same."""
    season = small_season()
    registry = registry_of(season, LOOSE)
    keeper = TruthKeeper(season)
    planted = list(grow_planted(season, 3))
    for one in planted:
        keeper.observe(one)
    log = tmp_path / "log.ndjson"
    lines = list(deliver(season, planted))
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines if isinstance(line, Signal)))

    lived = live(season, 3, registry)

    expected = [alert for _, outcome in backtest(registry, str(log)) for _, alert in outcome.alerts]
    assert [alert.state for alert in lived.alerts] == [alert.state for alert in expected]
    assert lived.alerts == expected
    assert any(alert.state == "outgrown" for alert in lived.alerts)
    assert (lived.truth, lived.signals) == (keeper.states, len(lines))


def test_rules_given_go_before_those_of_the_season() -> None:
    """They are what an evaluation is there to try."""
    season = small_season()

    assert rules_of(season, registry_of(season, LOOSE)).outgrown.ratio_enter == 1.4
    assert rules_of(season, registry_of(season, {})).outgrown.ratio_enter == 2.0


def test_a_run_tells_what_was_asked_and_when(season_path: str) -> None:
    """Five hours from the start, with the states of the plan."""
    found = run(Job(season_path, 3, {}, LOOSE, "small loose"))

    assert (found.label, found.kind, found.seed) == ("small loose", "story", 3)
    assert found.end_ms - found.start_ms == 5 * 3_600_000
    assert found.signals > 100
    assert found.scores["outgrown"].timing.for_ms == 600_000


def test_other_processes_come_to_the_same(season_path: str) -> None:
    """Runs come as they end; their numbers say which is which."""
    jobs = [Job(season_path, seed, {}, LOOSE, "small") for seed in (1, 2, 3)]

    here = dict(run_all(jobs, workers=1))
    there = dict(run_all(jobs, workers=2))

    assert sorted(there) == [0, 1, 2]
    assert [there[number].scores for number in range(3)] == [here[number].scores for number in range(3)]


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        ([entry("seeded")], "quiet"),
        ([], "quiet"),
        ([entry("seeded"), entry("none", trap="a bot")], "trap"),
        ([entry("seeded"), entry("outgrown"), entry("none", trap="a shock")], "trap"),
        ([entry("seeded"), entry("growing")], "story"),
    ],
)
def test_the_truth_says_of_what_kind_a_season_is(truth: list[TruthState], kind: str) -> None:
    """Quiet is where nothing ever happens, not even a disturbance."""
    assert kind_of(truth) == kind
