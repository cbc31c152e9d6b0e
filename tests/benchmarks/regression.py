"""Compare a run with a report of an earlier one: what a worker does may not fall behind the floor by a fifth."""

from collections.abc import Sequence

import msgspec

from tests.benchmarks.report import Line

KEPT_MIN = 0.8
"""Of the ratio to the floor that the report tells; a drop of 20 % is one too many."""


Ratios = dict[tuple[str, str], float]
"""Ratios by benchmark and name of the figure."""


class _Reported(msgspec.Struct):
    """What is read of a line of a report."""

    benchmark: str
    name: str
    floor: str = ""
    ratio: float | None = None


class _Report(msgspec.Struct):
    lines: list[_Reported]


def ratios_of(report: bytes, *, floor: str) -> Ratios:
    """Return the ratios to a floor that a report tells: what `python -m tests.benchmarks --json` printed.

    Raises `msgspec.DecodeError` for what is no report, and `ValueError` for one without such a ratio.
    """
    lines = msgspec.json.decode(report, type=_Report).lines
    found = {(line.benchmark, line.name): line.ratio for line in lines if line.ratio and line.floor == floor}
    if not found:
        raise ValueError(f"expected a report with ratios to `{floor}`, got one without; make one with --json")
    return found


def drops(before: Ratios, lines: Sequence[Line], *, floor: str) -> tuple[list[str], list[str]]:
    """Return what has dropped by a fifth or more, or is no longer told, and what holds: a sentence for each ratio."""
    now = {(line.benchmark, line.name): line.ratio for line in lines if line.floor == floor}
    dropped: list[str] = []
    held: list[str] = []
    for (benchmark, name), was in before.items():
        ratio = now.get((benchmark, name))
        if ratio is None:
            dropped.append(f"{name}: not told, was {was:.4f} of the floor")
        else:
            kept = ratio / was
            said = f"{name}: {ratio:.4f} of the floor, was {was:.4f}: {kept:.0%} of it"
            (held if kept > KEPT_MIN else dropped).append(said)
    return dropped, held
