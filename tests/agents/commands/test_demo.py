"""Claims about `overgrowth demo`: a newcomer sees a community outgrow a topic, and the command ends by itself."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from agents.cli import main


@pytest.mark.slow
@pytest.mark.integration
def test_the_demo_shows_a_topic_outgrown_and_ends_well() -> None:
    """Alerts appear as sentences, then a summary, and the exit code is 0."""
    done = subprocess.run(
        [sys.executable, "-m", "agents.cli", "demo", "--speed", "60000"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "outgrown firing" in said
    assert "The community has made meadow/wildflowers its own" in said
    assert "outgrown resolved" in said
    assert "The season is over" in said


def test_an_unknown_season_is_one_line() -> None:
    """A season that does not exist is code 1 and names those that do."""
    result = CliRunner().invoke(main, ["demo", "--season", "french_garden"])
    assert result.exit_code == 1
    assert "english_garden" in result.stderr
