"""Say how unusual a cascade is among those of its own size that a topic has seen on a network."""

from collections.abc import Iterable
from math import frexp, isfinite

from schemas.virality_rows import HistogramRow

PARTS_PER_OCTAVE = 64
"""A bucket is at most 1/64 wider than its lower end: values within 1.6 % of each other count as equal."""
EXPONENT_MIN, EXPONENT_MAX = -15, 48
"""Values from 2^-16 to 2^48 are told apart: 64 octaves, 4,096 buckets at most."""
HISTORY_MIN = 20
"""With fewer a percentile says nothing: a step of it is more than 5 %."""
SIZES = -1
"""The number of the histogram of sizes, beside those of the bins of sizes."""


def bucket_of(value: float) -> int:
    """Return the bucket of a value > 0: 64 equal parts of every octave, in the order of values.

    Taken from the bits of the number, so that no machine rounds it otherwise. Raises ValueError for other values.

    >>> bucket_of(1.0), bucket_of(1.5), bucket_of(2.0) - bucket_of(1.0)
    (64, 96, 64)
    """
    if not (value > 0 and isfinite(value)):
        raise ValueError(f"histogram: expected a value > 0, got {value}")
    part, exponent = frexp(value)
    if exponent < EXPONENT_MIN:
        return EXPONENT_MIN * PARTS_PER_OCTAVE
    if exponent > EXPONENT_MAX:
        return (EXPONENT_MAX + 1) * PARTS_PER_OCTAVE - 1
    return exponent * PARTS_PER_OCTAVE + int((part - 0.5) * 2 * PARTS_PER_OCTAVE)


def size_bin(size: int) -> int:
    """Return the bin of a size: 2^bin up to twice that, as sizes are matched.

    >>> [size_bin(size) for size in (1, 2, 3, 4, 1_000)]
    [0, 1, 1, 2, 9]
    """
    return size.bit_length() - 1


class Histogram:
    """Counts of values in buckets of equal ratio. What is added, in any order and in any parts, adds up the same.

    >>> histogram = Histogram()
    >>> for value in range(1, 101):
    ...     histogram.add(value)
    >>> histogram.percentile(50)
    0.495
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0

    def add(self, value: float, count: int = 1) -> None:
        """Count a value > 0."""
        self.add_bucket(bucket_of(value), count)

    def add_bucket(self, bucket: int, count: int) -> None:
        """Count what was counted elsewhere."""
        self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.total += count

    def merge(self, other: "Histogram") -> None:
        """Add another one's counts."""
        for bucket, count in other.counts.items():
            self.add_bucket(bucket, count)

    def percentile(self, value: float) -> float | None:
        """Return what part of the values, 0 to 1, lies below a value, half of its own bucket with it.

        None below 20 values. O(buckets).
        """
        if self.total < HISTORY_MIN:
            return None
        bucket = bucket_of(value)
        below = sum(count for known, count in self.counts.items() if known < bucket)
        return (below + self.counts.get(bucket, 0) / 2) / self.total


class CascadeHistory:
    """Sizes and structural viralities of the cascades that one topic has seen on one network, each told once.

    Structural virality grows with size for whatever reason a cascade is large; so it is compared with that of cascades
    of the same size only, in bins of a factor of two; within a bin it still grows a little with size. Bounded: 4,096
    counts for each of the bins of sizes.

    Source: Juul & Ugander 2021, "Comparing information diffusion mechanisms by matching on cascade size", PNAS 118(46)
    e2100786118.

    >>> history = CascadeHistory()
    >>> for n in range(20):
    ...     history.add(size=100 + n, virality=2.0 + n / 10)
    >>> history.virality_percentile(size=120, virality=3.05), history.size_percentile(500)
    (0.55, 1.0)
    """

    def __init__(self) -> None:
        # By bin of sizes, and `SIZES` for the sizes themselves.
        self._histograms: dict[int, Histogram] = {}
        self._changed: set[int] = set()

    def add(self, *, size: int, virality: float | None) -> None:
        """Count a cascade that has ended; without a virality only its size. Sizes are at least 1."""
        self._histogram(SIZES).add(size)
        if virality is not None:
            self._histogram(size_bin(size)).add(virality)

    def _histogram(self, number: int) -> Histogram:
        self._changed.add(number)
        return self._histograms.setdefault(number, Histogram())

    def merge(self, other: "CascadeHistory") -> None:
        """Add what another history has counted; in any order, and in any groups, the result is the same."""
        for number, histogram in other._histograms.items():
            self._histogram(number).merge(histogram)

    def virality_percentile(self, *, size: int, virality: float) -> float | None:
        """Return what part of the cascades of about this size was less viral, 0 to 1; None below 20 of them."""
        known = self._histograms.get(size_bin(size))
        return known.percentile(virality) if known is not None else None

    def size_percentile(self, size: float) -> float | None:
        """Return what part of the cascades was smaller than a size, or than a forecast of it; None below 20 of them."""
        known = self._histograms.get(SIZES)
        return known.percentile(size) if known is not None else None

    def changed_rows(self) -> list[tuple[int, HistogramRow]]:
        """Return (bin of sizes, its row) for the bins that changed since last time; -1 is that of sizes themselves."""
        rows = []
        for number in sorted(self._changed):
            counts = sorted(self._histograms[number].counts.items())
            row = HistogramRow(
                size_bin=number,
                buckets=tuple(bucket for bucket, _ in counts),
                counts=tuple(count for _, count in counts),
            )
            rows.append((number, row))
        self._changed.clear()
        return rows

    def restore(self, rows: Iterable[HistogramRow]) -> None:
        """Take up the rows of earlier `changed_rows`, in any order."""
        for row in rows:
            histogram = self._histograms[row.size_bin] = Histogram()
            for bucket, count in zip(row.buckets, row.counts, strict=True):
                histogram.add_bucket(bucket, count)
