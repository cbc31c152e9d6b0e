"""A run is compared with a report by the ratios to the floor, and by nothing else."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from tests.benchmarks import side_by_side
from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.benchmarks.regression import Ratios, drops, ratios_of
from tests.benchmarks.report import Begin, Figure, Line, Round, as_json, lines_of

FLOOR = "reading"


def told(*, worker: float, reading: float, other: float = 1.0) -> list[Line]:
    """Return the lines of one round."""
    figures = [
        Figure(FLOOR, reading, "signals/s"),
        Figure("worker", worker, "signals/s", floor=FLOOR),
        Figure("other", other, "signals/s", floor="worker"),
    ]
    return lines_of("x", [figures])


def report_of(lines: list[Line]) -> Ratios:
    """Return what the report of these lines tells."""
    return ratios_of(as_json(lines, runs=1, quick=False).encode(), floor=FLOOR)


def test_a_slower_machine_is_no_drop() -> None:
    """Half the figures with the same ratio hold."""
    dropped, held = drops(report_of(told(worker=40, reading=200)), told(worker=20, reading=100), floor=FLOOR)
    assert (len(dropped), len(held)) == (0, 1)


@pytest.mark.parametrize(("worker", "is_dropped"), [(33.0, False), (31.0, True)])
def test_a_fifth_is_one_too_many(worker: float, is_dropped: bool) -> None:
    """Of 40 the limit is 32."""
    dropped, held = drops(report_of(told(worker=40, reading=200)), told(worker=worker, reading=200), floor=FLOOR)
    assert (bool(dropped), bool(held)) == (is_dropped, not is_dropped)


def test_a_ratio_to_something_else_is_not_judged() -> None:
    """What fell beside the worker fell beside no floor."""
    before = report_of(told(worker=40, reading=200, other=100))
    dropped, held = drops(before, told(worker=40, reading=200, other=1), floor=FLOOR)
    assert (len(dropped), len(held)) == (0, 1)


def test_what_is_no_longer_told_has_dropped() -> None:
    """A worker that cannot be measured any more does not pass."""
    dropped, held = drops(report_of(told(worker=40, reading=200)), [], floor=FLOOR)
    assert (len(dropped), len(held)) == (1, 0)


def test_a_report_without_ratios_is_refused() -> None:
    """Nothing to compare is no success."""
    with pytest.raises(ValueError, match="expected a report with ratios"):
        ratios_of(b'{"lines": []}', floor=FLOOR)
    with pytest.raises(msgspec.DecodeError):
        ratios_of(b"figures", floor=FLOOR)


@pytest.mark.parametrize(("worker", "exit_code"), [(60_000.0, 0), (40_000.0, 1)])
def test_the_command_fails_where_a_worker_fell_behind(
    worker: float, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through `--report` and `--check`, with figures that are told at once: the measurement itself takes minutes."""

    def telling(per_s: float) -> Begin:
        def begin(*, quick: bool) -> Round:
            floor, name = side_by_side.FLOOR, "worker, mix"
            return lambda: [Figure(floor, 300_000.0, "signals/s"), Figure(name, per_s, "signals/s", floor=floor)]

        return begin

    monkeypatch.setitem(BENCHMARKS, "side_by_side", telling(60_000.0))
    reported = CliRunner().invoke(main, ["--only", "side_by_side", "--report", str(tmp_path)])
    (report,) = tmp_path.glob("*.json")
    monkeypatch.setitem(BENCHMARKS, "side_by_side", telling(worker))
    checked = CliRunner().invoke(main, ["--check", str(report), "--only", "side_by_side"])
    assert (reported.exit_code, checked.exit_code) == (0, exit_code), checked.output
    assert ("DROPPED  worker, mix: 0.1333 of the floor, was 0.2000: 67% of it" in checked.output) == bool(exit_code)
