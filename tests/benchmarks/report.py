"""Make one table of what the rounds of benchmarks told: medians, spreads, ratios to a floor, goals reached or not."""

import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Protocol

import msgspec

HEADINGS = ("benchmark", "figure", "median", "rounds", "spread", "ratio", "to the floor", "goal", "reached")
ROUNDS_MAX = 10
"""More are not taken: some benchmarks make the input of all rounds before the first."""
_NUMERIC = frozenset(("median", "rounds", "spread", "ratio"))


class Goal(msgspec.Struct, frozen=True):
    """What a figure, or its ratio to the floor, is to be: at most a limit, or at least."""

    limit: float
    at_least: bool = False
    of_ratio: bool = False

    def is_reached(self, number: float) -> bool:
        """Say whether a number reaches it.

        >>> Goal(1.5).is_reached(1.6), Goal(1.5, at_least=True).is_reached(1.6)
        (False, True)
        """
        return number >= self.limit if self.at_least else number <= self.limit

    def __str__(self) -> str:
        return f"{'ratio ' if self.of_ratio else ''}{'≥' if self.at_least else '≤'} {said(self.limit)}"


class Figure(msgspec.Struct, frozen=True):
    """One number of one round; `floor` is the name of the figure of the same round that it is compared with."""

    name: str
    value: float
    unit: str
    floor: str = ""
    goal: Goal | None = None


Round = Callable[[], list[Figure]]
"""Takes one round of a benchmark; tells the same figures each time."""


class Begin(Protocol):
    """Prepares the input of a benchmark."""

    def __call__(self, *, quick: bool) -> Round:
        """Return what takes a round, with about a tenth of the input where it is to be quick."""


class Line(msgspec.Struct, frozen=True):
    """A figure over all rounds: its values, and its ratios to the floor of the same round where it has one."""

    benchmark: str
    name: str
    unit: str
    values: tuple[float, ...]
    median: float
    spread: float
    """(largest − smallest)/median of the values."""
    floor: str = ""
    ratios: tuple[float, ...] = ()
    ratio: float | None = None
    """The median of the ratios, not the ratio of the medians."""
    goal: Goal | None = None
    reached: bool | None = None


def lines_of(benchmark: str, rounds: Sequence[Sequence[Figure]]) -> list[Line]:
    """Return a line for each figure of a benchmark's rounds.

    >>> rounds = [[Figure("a", 2.0, "µs"), Figure("b", 3.0, "µs", floor="a", goal=Goal(1.4, of_ratio=True))]]
    >>> [(line.name, line.ratio, line.reached) for line in lines_of("x", rounds)]
    [('a', None, None), ('b', 1.5, False)]
    """
    by_name = [{figure.name: figure.value for figure in figures} for figures in rounds]
    # A peer that told nothing in one round has another figure there, which says why.
    named = {figure.name: figure for figures in rounds for figure in figures}
    return [_line(benchmark, figure, by_name) for figure in named.values()]


def _line(benchmark: str, figure: Figure, rounds: Sequence[dict[str, float]]) -> Line:
    found = [told for told in rounds if figure.name in told]
    values = tuple(told[figure.name] for told in found)
    middle = median(values)
    ratios = tuple(told[figure.name] / told[figure.floor] for told in found) if figure.floor else ()
    ratio = median(ratios) if ratios else None
    goal, reached = figure.goal, None
    if goal is not None:
        judged = ratio if goal.of_ratio else middle
        assert judged is not None, f"{benchmark}, {figure.name}: a goal for a ratio needs a floor"
        reached = goal.is_reached(judged)
    return Line(
        benchmark=benchmark,
        name=figure.name,
        unit=figure.unit,
        values=values,
        median=middle,
        spread=(max(values) - min(values)) / middle if middle else 0.0,
        floor=figure.floor,
        ratios=ratios,
        ratio=ratio,
        goal=goal,
        reached=reached,
    )


# --- printing ---------------------------------------------------------------------------------------------------------


def as_table(lines: Sequence[Line], *, runs: int, quick: bool) -> str:
    """Return the lines as text, with the circumstances above."""
    told = [", ".join(f"{name} {value}" for name, value in circumstances(runs=runs, quick=quick).items()), ""]
    told.append(as_text_table(HEADINGS, [cells(line) for line in lines]))
    judged = [line for line in lines if line.reached is not None]
    told += ["", f"{sum(line.reached is True for line in judged)} of {len(judged)} goals reached"]
    return "\n".join(told)


def as_text_table(headings: Sequence[str], cells_of_rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells below their headings, in columns; numbers to the right."""
    rows = [headings, *cells_of_rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    told = []
    for number, row in enumerate(rows):
        placed = (
            cell.rjust(width) if heading in _NUMERIC else cell.ljust(width)
            for heading, cell, width in zip(headings, row, widths, strict=True)
        )
        told.append("  ".join(placed).rstrip())
        if number == 0:
            told.append("  ".join("-" * width for width in widths))
    return "\n".join(told)


def as_json(lines: Sequence[Line], *, runs: int, quick: bool) -> str:
    """Return the lines as one JSON object, with the circumstances."""
    told = {"circumstances": circumstances(runs=runs, quick=quick), "lines": list(lines)}
    return msgspec.json.format(msgspec.json.encode(told)).decode()


def circumstances(*, runs: int, quick: bool) -> dict[str, str]:
    """Return what a figure means nothing without: the time, the commit, the kind of machine, the number of rounds."""
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "Python": platform.python_version(),
        "on": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "rounds": f"up to {runs}",
    }
    return told | {"input": "a tenth (quick)"} if quick else told


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _commit() -> str:
    """Return the commit with a + where files differ from it, `unknown` outside a work tree."""
    git = ("git", "-C", str(Path(__file__).parent))
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if commit.returncode:
        return "unknown"
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return commit.stdout.strip() + "+" * bool(status.stdout.strip())


def cells(line: Line) -> tuple[str, ...]:
    """Return a line as the cells of a table, under `HEADINGS`."""
    return (
        line.benchmark,
        line.name,
        f"{said(line.median)} {line.unit}".strip(),
        str(len(line.values)),
        f"{line.spread:.0%}" if len(line.values) > 1 else "",
        "" if line.ratio is None else said(line.ratio),
        line.floor,
        "" if line.goal is None else str(line.goal),
        {None: "", True: "yes", False: "NO"}[line.reached],
    )


def said(number: float) -> str:
    """Return a number with three digits that count.

    >>> [said(number) for number in (0.01234, 1.5, 24.31, 123456.7)]
    ['0.0123', '1.5', '24.3', '123,457']
    """
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
