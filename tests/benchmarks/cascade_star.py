"""100,000 shares of one root: what a signal and a checkpoint cost, from the first tenth to the last.

Twenty shares a second of event time, each by somebody new. A tree keeps 50,000 nodes, so that the second half counts
only (`truncated`); infectiousness goes on with every share.
"""

from random import Random

from schemas.signal import Signal
from tests.benchmarks.brand import START_MS, answer_to, root_of
from tests.benchmarks.report import Figure, Round
from tests.benchmarks.tenths import figures_of, tenths_of

SHARES = 100_000
SPACING_MS = 50
PER_CHECKPOINT = 1_000
ROOT = "root"


def begin(*, quick: bool) -> Round:
    """Prepare the followers of those who share, many with few and few with many."""
    shares = SHARES // 10 if quick else SHARES
    random = Random(1)
    followers = [int(random.lognormvariate(5, 1.5)) for _ in range(shares)]

    def signal_at(number: int) -> Signal:
        at_ms = START_MS + number * SPACING_MS
        if number == 0:
            return root_of(ROOT, at_ms=at_ms)
        name = f"share-{number:07}"
        return answer_to(ROOT, root=ROOT, name=name, at_ms=at_ms, kind="share", followers=followers[number])

    def take_round() -> list[Figure]:
        return figures_of(tenths_of(signal_at, signals=shares, per_checkpoint=PER_CHECKPOINT))

    return take_round
