"""Compare a run with a report of an earlier one: what a worker does may not fall behind the floor by a fifth."""

from collections.abc import Sequence

import msgspec

from tests.benchmarks.report import Line

KEPT_MIN = 0.8
"""Of the ratio to the floor that the report tells; a drop of 20 % is one too many."""


class _Reported(msgspec.Struct):
    """What is read of a line of a report."""

    benchmark: str
    name: str
    floor: str = ""
    ratio: float | None = None


class _Report(msgspec.Struct):
    lines: list[_Reported]


def drops(report: bytes, lines: Sequence[Line], *, floor: str) -> tuple[list[str], list[str]]:
    """Return what has dropped by a fifth or more, and what holds: a sentence for each ratio to this floor.

    `report` is what `python -m tests.benchmarks --json` printed. What is in one of both only is left out. Raises
    `msgspec.DecodeError` for what is no report, and `ValueError` where nothing can be compared.
    """
    before = {
        (line.benchmark, line.name): line.ratio
        for line in msgspec.json.decode(report, type=_Report).lines
        if line.ratio
    }
    dropped: list[str] = []
    held: list[str] = []
    for line in lines:
        was = before.get((line.benchmark, line.name))
        if was is None or line.ratio is None or line.floor != floor:
            continue
        kept = line.ratio / was
        said = f"{line.name}: {line.ratio:.4f} of the floor, was {was:.4f}: {kept:.0%} of it"
        (held if kept > KEPT_MIN else dropped).append(said)
    if not dropped and not held:
        raise ValueError(f"expected a report with ratios to `{floor}`, got one without; make one with --json")
    return dropped, held
