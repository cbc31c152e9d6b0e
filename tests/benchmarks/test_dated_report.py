"""A dated report is written as it stands: nobody has to edit it before it is committed."""

import re
from pathlib import Path

import msgspec

from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.contract import CONTRACT, NOT_MEASURED, against
from tests.benchmarks.dated_report import write
from tests.benchmarks.regression import ratios_of
from tests.benchmarks.report import Figure, Goal, Line, lines_of

FLOOR = "the floor: getmany + decode"
MIX = "worker, mix"


def told(worker: float) -> list[Line]:
    """Return the lines of a run that measured a worker beside the floor."""
    goal = Goal(60_000, at_least=True)
    figures = [Figure(FLOOR, 300_000, "signals/s"), Figure(MIX, worker, "signals/s", floor=FLOOR, goal=goal)]
    return lines_of("side_by_side", [figures, figures])


def test_both_files_bear_the_date_and_the_json_can_be_checked_against(tmp_path: Path) -> None:
    """What `--check` reads is what `--report` wrote."""
    begun = {"date": "2026-01-01", "commit": "abc", "load": "0.5"}
    paths = write(tmp_path / "reports", told(30_000), runs=2, quick=False, begun=begun)
    assert [path.suffix for path in paths] == [".json", ".md"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", path.stem) for path in paths)
    assert ratios_of(paths[0].read_bytes(), floor=FLOOR) == {("side_by_side", MIX): 0.1}
    text = paths[1].read_text()
    assert text.startswith("# Benchmarks, 2026-01-01\n")
    assert "0.5 at the beginning" in text
    assert "| side_by_side | worker, mix | 30,000 signals/s | 2 |" in text


def test_a_line_that_is_not_reached_says_what_limits_it() -> None:
    """One that is reached says nothing of it."""
    for worker, reached in ((30_000, "**no**"), (60_000, "yes")):
        row = against(told(worker))[0]
        assert row[1:5] == ("≥ 60,000", f"{worker:,} signals/s", "2", reached)
        assert bool(row[5]) == (reached != "yes")


def test_what_was_not_measured_is_said() -> None:
    """A line of the contract does not vanish because a benchmark was left out."""
    rows = against(told(30_000))
    assert len(rows) == len(CONTRACT)
    assert {row[2] for row in rows[1:]} == {NOT_MEASURED}


def test_every_line_names_a_benchmark() -> None:
    """A benchmark that was renamed would leave its line unmeasured for ever."""
    assert {clause.benchmark for clause in CONTRACT} <= BENCHMARKS.keys()


def test_no_two_lines_are_told_by_one_figure() -> None:
    """Each has one of its own."""
    named = [msgspec.json.encode((clause.benchmark, clause.figure)) for clause in CONTRACT]
    assert len(set(named)) == len(named)
