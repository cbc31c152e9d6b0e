"""What `backtest --cascades` writes equals, to the sixth digit, what the authors' implementation of SEISMIC gives."""

import csv
import json
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from agents.cli import main
from schemas.rules import HOUR_MS

START_MS = 1_767_225_600_000
"""A whole hour, so that every instant of the references is a tick."""
SHARES_MIN = 5
"""Below so many shares nothing is said of infectiousness."""
FOLLOWERS_PER_SHARE = 100.0
"""n* of the references."""
DIGITS = 1e-6
ALERTS = "alerts.ndjson"
SEEDS = """
brands:
  - id: nursery
    accounts: {garden: [nursery]}
    topics:
      - id: roses
        seeds: {tags: [roses]}
"""
FIXTURES = Path(__file__).parents[1] / "fixtures" / "cascades"

pytestmark = pytest.mark.integration


class Share(NamedTuple):
    """One row of a cascade: when, in ms after the root, and how many follow who shared. The first row is the root."""

    after_ms: int
    followers: int


class Reference(NamedTuple):
    """One row of a reference: what is to be said at an instant, in ms after the root."""

    after_ms: int
    shares: int
    infectiousness: float
    low: float
    high: float
    final: float


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a file with a header."""
    with path.open() as file:
        return list(csv.reader(file))[1:]


def shares_of(folder: Path, name: str) -> list[Share]:
    """Read a cascade."""
    return [
        Share(round(float(second) * 1_000), int(followers)) for second, followers in rows_of(folder / f"{name}.csv")
    ]


def references_of(folder: Path, name: str) -> list[Reference]:
    """Read what the authors' implementation says of it."""
    rows = rows_of(folder / f"{name}_reference.csv")
    return [Reference(round(float(row[0]) * 1_000), int(row[1]), *map(float, row[2:])) for row in rows]


def native_lines(shares: list[Share]) -> list[str]:
    """Return the cascade as signals: a post with the topic's tag, and shares of it that carry no tag themselves."""
    lines = []
    for number, share in enumerate(shares):
        signal: dict[str, object] = {
            "id": f"s{number:06}",
            "network": "garden",
            "kind": "share" if number else "post",
            "at": START_MS + share.after_ms,
            "actor": f"a{number}",
            "followers": share.followers,
            "post": "rose",
        }
        signal |= {"parent": "rose", "root": "rose"} if number else {"tags": ["roses"]}
        lines.append(json.dumps(signal))
    return lines


def told_of(shares: list[Share], folder: Path) -> list[dict[str, Any]]:
    """Return the lines that a backtest writes of a cascade."""
    log, seeds, out, alerts = (folder / name for name in ("log.ndjson", "seeds.yaml", "cascades.ndjson", ALERTS))
    log.write_text("\n".join(native_lines(shares)) + "\n")
    seeds.write_text(SEEDS)
    outputs = ["--cascades", str(out), "--alerts", str(alerts)]
    result = CliRunner().invoke(
        main, ["backtest", str(log), "--seeds", str(seeds), "--format", "native", *outputs, "--json"]
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["applied"], summary["read"]) == (len(shares), len(shares))
    return [json.loads(line) for line in out.read_text().splitlines()]


def final_before(reference: Reference, ties: list[Share]) -> float:
    """Return the final size of a reference without the shares of that very instant.

    A tick covers what lies before it, the reference counts these, too: each as one more share, and as one whose
    followers are all still to react.
    """
    each_brings = reference.infectiousness * FOLLOWERS_PER_SHARE
    if each_brings >= 1:
        return inf
    more = sum(1 + reference.infectiousness * share.followers / (1 - each_brings) for share in ties)
    return reference.final - more


def assert_reference_is_matched(folder: Path, name: str, scratch: Path) -> None:
    """Compare what is told at every instant of a reference, and in the end."""
    shares, references = shares_of(folder, name), references_of(folder, name)
    lines = told_of(shares, scratch)
    by_tick = {line["at"] - START_MS: line for line in lines}

    assert len(by_tick) == len(lines)
    for reference in references:
        if reference.after_ms == 0:
            continue
        line = by_tick[reference.after_ms]
        ties = [share for share in shares[1:] if share.after_ms == reference.after_ms]
        forecast = inf if line["forecast"] is None else line["forecast"]
        where = f"{name} at {reference.after_ms // 1_000} s"

        assert reference.shares >= SHARES_MIN, where
        assert line["shares"] == line["size"] - 1 == reference.shares - len(ties), where
        assert [line["infectiousness"], line["low"], line["high"]] == pytest.approx(
            [reference.infectiousness, reference.low, reference.high], rel=DIGITS
        ), where
        assert forecast == pytest.approx(final_before(reference, ties), rel=DIGITS), where
        assert line["reproduction"] == pytest.approx(reference.infectiousness * FOLLOWERS_PER_SHARE, rel=DIGITS), where
        assert "followers_imputed" not in line["flags"], where
    assert lines[-1]["size"] == len(shares)
    assert lines[-1]["shares"] == len(shares) - 1
    # All shares hang from the root, so of n(n - 1)/2 pairs n - 1 are one step apart and all others two.
    assert (lines[-1]["depth"], lines[-1]["breadth"]) == (1, len(shares) - 1)
    assert lines[-1]["structural_virality"] == pytest.approx(2 - 2 / len(shares), rel=DIGITS)


def test_simulated_cascade_matches_the_reference(tmp_path: Path) -> None:
    """A day, hour by hour: every row has a line, also where nothing was shared in the minute before it."""
    assert_reference_is_matched(FIXTURES, "simulated", tmp_path)


@pytest.mark.slow
def test_real_cascade_matches_the_reference(shared_data: Path, tmp_path: Path) -> None:
    """Fifteen thousand shares of one tweet: supercritical at first, and told as viral, once, in its first hour."""
    folder = shared_data / "cascades"
    if not (folder / "seismic_tweet_reference.csv").is_file():
        pytest.skip(f"no seismic_tweet_reference.csv in {folder}: the test on a real cascade needs it")
    assert any(reference.final == inf for reference in references_of(folder, "seismic_tweet"))
    assert_reference_is_matched(folder, "seismic_tweet", tmp_path)
    alerts = [json.loads(line) for line in (tmp_path / ALERTS).read_text().splitlines()]
    fired = [one["at"] for one in alerts if (one["state"], one["status"]) == ("viral", "firing")]
    assert len(fired) == 1
    assert datetime.fromisoformat(fired[0]).timestamp() * 1_000 < START_MS + HOUR_MS
