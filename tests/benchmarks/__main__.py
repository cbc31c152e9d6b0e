"""Run the benchmarks and print one table, or JSON, of what they found."""

import gc
import sys
from collections.abc import Sequence

import click

from agents.garbage import collect_rarely
from tests.benchmarks import backtest, cascade_path, cascade_star, infectiousness, memory, normalisers
from tests.benchmarks.report import Begin, Line, as_json, as_table, lines_of

BENCHMARKS: dict[str, Begin] = {
    "cascade_star": cascade_star.begin,
    "cascade_path": cascade_path.begin,
    "infectiousness": infectiousness.begin,
    "normalisers": normalisers.begin,
    "backtest": backtest.begin,
    "memory": memory.begin,
}
"""Every benchmark by its name, in the order in which they run."""
EXACT = frozenset(("memory",))
"""Those whose rounds tell the same, so that one is taken: tracing allocations takes most of a minute."""
RUNS = 5
"""Rounds that a median is taken of; fewer say little."""


def measured(name: str, *, runs: int, quick: bool) -> list[Line]:
    """Return the lines of one benchmark after so many rounds."""
    take_round = BENCHMARKS[name](quick=quick)
    rounds = []
    runs = 1 if name in EXACT else runs
    for number in range(runs):
        if sys.stderr.isatty():
            print(f"{name}: round {number + 1} of {runs} ...", file=sys.stderr)
        # What a round left behind is not to be collected at the cost of the next one.
        gc.collect()
        rounds.append(take_round())
    return lines_of(name, rounds)


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Run this one; may be repeated.")
@click.option("--runs", default=RUNS, show_default=True, type=click.IntRange(min=1), help="Rounds of each benchmark.")
@click.option("--quick", is_flag=True, help="A tenth of the input: shows that it works, says little of how fast.")
@click.option("--json", "with_json", is_flag=True, help="Print JSON, with the value of every round.")
def main(only: Sequence[str], runs: int, quick: bool, with_json: bool) -> None:
    """Run the benchmarks and say which goals are reached.

    \b
    Example:
      python -m tests.benchmarks --only memory --only backtest --json
    """
    # As every worker and backtest does.
    collect_rarely()
    lines = [line for name in BENCHMARKS if not only or name in only for line in measured(name, runs=runs, quick=quick)]
    print(as_json(lines, runs=runs, quick=quick) if with_json else as_table(lines, runs=runs, quick=quick))


if __name__ == "__main__":
    main(prog_name="python -m tests.benchmarks")
