"""A cascade 5,000 deep, where each reply answers the one before: what a signal and a checkpoint cost as it deepens.

Two replies a second of event time, so that every tenth has some ticks; a checkpoint after every fifty of them.
"""

from schemas.signal import Signal
from tests.benchmarks.brand import START_MS, answer_to, root_of
from tests.benchmarks.report import Figure, Round
from tests.benchmarks.tenths import figures_of, tenths_of

DEPTH = 5_000
SPACING_MS = 500
PER_CHECKPOINT = 50


def begin(*, quick: bool) -> Round:
    """Prepare nothing but the depth."""
    depth = DEPTH // 10 if quick else DEPTH

    def signal_at(number: int) -> Signal:
        at_ms = START_MS + number * SPACING_MS
        if number == 0:
            return root_of(_name(0), at_ms=at_ms)
        return answer_to(_name(number - 1), root=_name(0), name=_name(number), at_ms=at_ms)

    def take_round() -> list[Figure]:
        return figures_of(tenths_of(signal_at, signals=depth, per_checkpoint=PER_CHECKPOINT))

    return take_round


def _name(number: int) -> str:
    return f"post-{number:07}"
