"""Grow a small season once for the tests of backtests."""

from pathlib import Path

import pytest

from tests.agents.seasons.small_log import write_small_log


@pytest.fixture(scope="package")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with log.ndjson, truth.ndjson, seeds.yaml and loose.yaml."""
    return write_small_log(tmp_path_factory.mktemp("season"))
