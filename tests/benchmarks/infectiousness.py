"""What a share and a reading of infectiousness cost in cascades of 100 to 100,000 shares: the same.

One share a second, a reading every minute. Of each length so many cascades are fed that they have equally many shares.
Up to 64 shares everything is computed from each of them, and the window fills for four hours, so that a reading of a
cascade costs less while it is young; the cost is to be the same from then on.
"""

from random import Random
from time import process_time_ns

from streams.measures.infectiousness import Infectiousness
from tests.benchmarks.report import Figure, Goal, Round

LENGTHS = (100, 1_000, 10_000, 100_000)
FLOOR_LENGTH = 10_000
SPACING_MS = 1_000
SHARES_PER_READING = 60
RATIO_MAX = 1.5


def begin(*, quick: bool) -> Round:
    """Prepare the followers of those who share."""
    lengths = LENGTHS[:-1] if quick else LENGTHS
    random = Random(2)
    followers = [int(random.lognormvariate(5, 1.5)) for _ in range(lengths[-1])]

    def take_round() -> list[Figure]:
        figures = []
        for length in lengths:
            share_us, reading_us = _cost_us(followers[:length], cascades=lengths[-1] // length)
            goal = Goal(RATIO_MAX, of_ratio=True) if length > FLOOR_LENGTH else None
            for what, cost_us in (("share", share_us), ("reading", reading_us)):
                floor = "" if length == FLOOR_LENGTH else f"a {what} of {FLOOR_LENGTH:,}"
                figures.append(Figure(f"a {what} of {length:,}", cost_us, "µs", floor=floor, goal=goal))
        return figures

    return take_round


def _cost_us(followers: list[int], *, cascades: int) -> tuple[float, float]:
    """Return the microseconds of a share and of a reading, over whole cascades."""
    share_ns = reading_ns = readings = 0
    for _ in range(cascades):
        cascade = Infectiousness()
        for begin in range(0, len(followers), SHARES_PER_READING):
            some = followers[begin : begin + SHARES_PER_READING]
            begun_ns = process_time_ns()
            for number, count in enumerate(some, start=begin):
                cascade.add(number * SPACING_MS, count, followers_imputed=100)
            added_ns = process_time_ns()
            cascade.read((begin + SHARES_PER_READING) * SPACING_MS)
            reading_ns += process_time_ns() - added_ns
            share_ns += added_ns - begun_ns
            readings += 1
    return share_ns / cascades / len(followers) / 1_000, reading_ns / readings / 1_000
