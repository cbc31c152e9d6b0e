"""`overgrowth backtest --against` and `--sweep`: a difference that is known is found and shown."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.agents.seasons.small_log import LOOSE, overgrowth, write_small_log


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small season's log, truth and seeds, and two files of rules."""
    folder = write_small_log(tmp_path_factory.mktemp("season"))
    (folder / "strict.yaml").write_text(LOOSE.replace("1.4", "1000"))
    return folder


def backtest(grown: Path, *words: object) -> Result:
    """Run the season's log with the loose rules."""
    given = ("--seeds", grown / "seeds.yaml", "--rules", grown / "loose.yaml")
    return overgrowth("backtest", grown / "log.ndjson", *given, *words)


def test_rules_that_no_topic_can_meet_make_their_episodes_vanish(grown: Path) -> None:
    """What the first rules raised is named with its conditions; what the second kept is the same."""
    told = json.loads(backtest(grown, "--against", grown / "strict.yaml", "--workers", 1, "--json").stdout)

    changes = [(one["change"], (one["before"] or one["after"])["raised"]["state"]) for one in told]
    assert ("vanished", "outgrown") in changes
    assert ("appeared", "outgrown") not in changes
    text = backtest(grown, "--against", grown / "strict.yaml", "--workers", 1).stdout
    assert "- only with the first" in text
    assert "outgrowth_ratio" in text
    assert f"{sum(change == 'vanished' for change, _ in changes)} vanished" in text


def test_the_same_rules_differ_in_nothing(grown: Path) -> None:
    """Two runs over one log are one."""
    told = json.loads(backtest(grown, "--against", grown / "loose.yaml", "--workers", 2, "--json").stdout)

    assert told
    assert {one["change"] for one in told} == {"same"}


def test_a_sweep_prints_a_line_for_each_value(grown: Path) -> None:
    """With the truth it says what was found, without only what was raised."""
    words = ("--sweep", "outgrown.ratio_enter=1.4..101.4/100", "--workers", 1)

    judged = backtest(grown, *words, "--truth", grown / "truth.ndjson")
    raised = json.loads(backtest(grown, *words, "--json").stdout)

    assert "found/true +false" in judged.stdout
    assert [line.split()[0] for line in judged.stdout.splitlines()[1:]] == ["1.4", "101.4"]
    assert [point["value"] for point in raised["points"]] == [1.4, 101.4]
    assert raised["points"][0]["states"]["outgrown"]["raised"] > 0
    assert raised["points"][1]["states"]["outgrown"]["raised"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "a", "--sweep", "b=1..2/1"), "expected one of --against and --sweep"),
        (("--truth", "a"), "name the rule to sweep"),
        (("--against", "a", "--alerts", "b"), "expected no files to write"),
        (("--alerts", "a", "--vitals", "a"), "a file of its own for each output"),
        (("--sweep", "outgrown.ratio_enter"), "--sweep"),
    ],
)
def test_what_does_not_go_together_is_wrong_use(grown: Path, words: tuple[str, ...], said: str) -> None:
    """Nothing is read before that is said."""
    result = backtest(grown, *words)

    assert result.exit_code == 2
    assert said in result.stderr
