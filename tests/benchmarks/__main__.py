"""Run the benchmarks and print one table, or JSON, of what they found."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import click
import msgspec

from agents.garbage import collect_rarely
from tests.benchmarks import (
    backtest,
    cascade_path,
    cascade_star,
    durability,
    growth,
    infectiousness,
    latency,
    memory,
    normalisers,
    packets,
    scaling,
    side_by_side,
)
from tests.benchmarks.contract import CONTRACT_HEADINGS, against
from tests.benchmarks.dated_report import write
from tests.benchmarks.regression import Ratios, drops, ratios_of
from tests.benchmarks.report import ROUNDS_MAX, Begin, Line, as_json, as_table, as_text_table, circumstances, lines_of

BENCHMARKS: dict[str, Begin] = {
    "side_by_side": side_by_side.begin,
    "scaling": scaling.begin,
    "packets": packets.begin,
    "latency": latency.begin,
    "durability": durability.begin,
    "cascade_star": cascade_star.begin,
    "cascade_path": cascade_path.begin,
    "infectiousness": infectiousness.begin,
    "normalisers": normalisers.begin,
    "backtest": backtest.begin,
    "memory": memory.begin,
    "growth": growth.begin,
    "log_length": growth.begin_log,
}
"""Every benchmark by its name, in the order in which they run."""
EXACT = frozenset(("memory", "log_length"))
"""Those whose rounds tell the same, so that one is taken: tracing allocations takes most of a minute,
and so does a log of a million signals."""
RUNS = 5
"""Rounds that a median is taken of; fewer say little."""
ROUNDS = {"growth": 3}
"""Of those that take a minute or two, at most so many unless they are unhurried."""
WITHIN_S = {"side_by_side": 240.0, "scaling": 75.0, "latency": 45.0, "durability": 30.0, "growth": 300.0}
WITHIN_ELSE_S = 15.0
"""After so many seconds a benchmark takes no further round, so that all of them are through in 15 minutes."""


def measured(name: str, *, runs: int, quick: bool, unhurried: bool) -> list[Line]:
    """Return the lines of one benchmark after so many rounds, or as many as there is time for."""
    begun_s = monotonic()
    take_round = BENCHMARKS[name](quick=quick)
    rounds = []
    if name in EXACT:
        runs = 1
    elif not unhurried:
        runs = min(runs, ROUNDS.get(name, runs))
    longest_s = 0.0
    for number in range(runs):
        round_begun_s = monotonic()
        if number and not unhurried and round_begun_s + longest_s - begun_s > WITHIN_S.get(name, WITHIN_ELSE_S):
            break
        print(f"{name}: round {number + 1} of {runs} ...", file=sys.stderr, flush=True)
        # What a round left behind is not to be collected at the cost of the next one.
        gc.collect()
        rounds.append(take_round())
        longest_s = max(longest_s, monotonic() - round_begun_s)
    return lines_of(name, rounds)


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Run this one; may be repeated.")
@click.option(
    "--runs",
    default=RUNS,
    show_default=True,
    type=click.IntRange(min=1, max=ROUNDS_MAX),
    help="Rounds of each benchmark.",
)
@click.option("--quick", is_flag=True, help="A tenth of the input: shows that it works, says little of how fast.")
@click.option("--unhurried", is_flag=True, help="Take every round, however long it takes.")
@click.option("--json", "with_json", is_flag=True, help="Print JSON, with the value of every round.")
@click.option(
    "--report",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a dated report there, DATE.json and DATE.md, line by line against DESIGN.md §10.",
)
@click.option(
    "--check",
    "earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure side by side and fail where a ratio to the floor is a fifth below that of this report (JSON).",
)
def main(
    only: Sequence[str],
    runs: int,
    quick: bool,
    unhurried: bool,
    with_json: bool,
    folder: Path | None,
    earlier: Path | None,
) -> None:
    """Run the benchmarks and say which goals are reached.

    \b
    Examples:
      python -m tests.benchmarks --only memory --only backtest --json
      python -m tests.benchmarks --report tests/benchmarks/reports
      python -m tests.benchmarks --check tests/benchmarks/reports/2026-11-23-complete.json
    """
    # As every worker and backtest does.
    collect_rarely()
    before = _ratios_of(earlier) if earlier is not None else None
    if before is not None:
        only = ("side_by_side",)
    begun = circumstances(runs=runs, quick=quick)
    lines = [
        line
        for name in BENCHMARKS
        if not only or name in only
        for line in measured(name, runs=runs, quick=quick, unhurried=unhurried)
    ]
    print(as_json(lines, runs=runs, quick=quick) if with_json else as_table(lines, runs=runs, quick=quick))
    if not with_json and not only:
        print(f"\nAgainst DESIGN.md §10:\n{as_text_table(CONTRACT_HEADINGS, against(lines))}")
    if folder is not None:
        for path in write(folder, lines, runs=runs, quick=quick, begun=begun):
            print(f"wrote {path}", file=sys.stderr)
    if before is not None:
        _check(before, lines)


def _ratios_of(report: Path) -> Ratios:
    """Return what a report says of workers; the peers are not ours to keep as fast as they are."""
    try:
        ratios = ratios_of(report.read_bytes(), floor=side_by_side.FLOOR)
    except (msgspec.DecodeError, ValueError) as error:
        raise click.ClickException(f"{report}: {error}") from None
    return {(benchmark, name): ratio for (benchmark, name), ratio in ratios.items() if name.startswith("worker")}


def _check(before: Ratios, lines: Sequence[Line]) -> None:
    """Say what holds and what dropped, and end with 1 where anything did."""
    dropped, held = drops(before, lines, floor=side_by_side.FLOOR)
    for said in held:
        print(f"holds    {said}")
    for said in dropped:
        print(f"DROPPED  {said}")
    if dropped:
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m tests.benchmarks")
