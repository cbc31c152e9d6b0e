"""Write a small season as a user would: its log, truth and seeds, and rules loose enough to raise alerts."""

from pathlib import Path

from click.testing import CliRunner, Result

from agents.cli import main
from tests.agents.seasons.small_season import TEXT

LOOSE = "outgrown: {ratio_enter: 1.4, share_enter: 0.5, cold_actors_min: 10, cold_signals_min: 30, for: 10m}\n"


def overgrowth(*words: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(word) for word in words])


def write_small_log(folder: Path) -> Path:
    """Write log.ndjson, truth.ndjson, seeds.yaml and loose.yaml into a folder, and return it."""
    (folder / "small.yaml").write_text(TEXT, encoding="utf-8")
    (folder / "loose.yaml").write_text(LOOSE, encoding="utf-8")
    made = ("--out", folder / "log.ndjson", "--truth", folder / "truth.ndjson", "--seeds", folder / "seeds.yaml")
    result = overgrowth("simulate", "--season", folder / "small.yaml", "--seed", 3, *made)
    assert result.exit_code == 0, result.output
    return folder
