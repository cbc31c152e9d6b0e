"""Grow a small season once, with its seeds, its truth and rules loose enough to raise alerts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import main
from tests.agents.seasons.small_season import TEXT


@pytest.fixture(scope="package")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with log.ndjson, truth.ndjson, seeds.yaml and loose.yaml."""
    folder = tmp_path_factory.mktemp("season")
    (folder / "small.yaml").write_text(TEXT, encoding="utf-8")
    (folder / "loose.yaml").write_text(
        "outgrown: {ratio_enter: 1.4, share_enter: 0.5, cold_actors_min: 10, cold_signals_min: 30, for: 10m}\n"
    )
    files = ["--out", folder / "log.ndjson", "--truth", folder / "truth.ndjson", "--seeds", folder / "seeds.yaml"]
    command = ["simulate", "--season", folder / "small.yaml", "--seed", "3", *files]
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert result.exit_code == 0, result.output
    return folder
