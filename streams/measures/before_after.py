"""Compare people with themselves: whether they do more than before, and of more kinds."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from math import exp, fsum, log, sqrt
from typing import NamedTuple

from streams.measures.endogenous import Z_95, Estimate

ACTS_BEFORE_MIN = 10
ACTS_MIN = 30
"""With fewer acts, on both sides together, nothing is said of how prolific people are."""
TAG_USES_MIN = 60
"""With fewer uses of tags, on either side, nothing is said of how diverse."""

_NEGLIGIBLE = 1e-20


class Rates(NamedTuple):
    """How often an actor did something on topic, in how long, before it left and since it returned."""

    acts_before: int
    span_before_ms: int
    acts_after: int
    span_after_ms: int


def prolific_ratio(actors: Sequence[Rates]) -> Estimate | None:
    """Return the acts since the return over those expected at each actor's own rate before, with its 95 % interval.

    With spans w = after/before the ratio is Σ after/Σ w·before. Its logarithm has the squared error 1/Σ after +
    Σ w²·before/(Σ w·before)², as Poisson counts have it; or, where that is more, the sum of the squares of what each
    did beyond what the ratio says, over (Σ after)²: people are not all alike, and acts come in fits. None where there
    are too few acts.

    >>> ratio = prolific_ratio([Rates(10, 1_000, 20, 1_000)] * 9)
    >>> ratio.value, round(ratio.low, 2), round(ratio.high, 2)
    (2.0, 1.55, 2.58)
    """
    before, after = sum(one.acts_before for one in actors), sum(one.acts_after for one in actors)
    if before < ACTS_BEFORE_MIN or before + after < ACTS_MIN:
        return None
    # A count of 0 is taken for ½, so that the interval is wide instead of missing.
    counted = max(after, 0.5)
    spans = [one.span_after_ms / one.span_before_ms for one in actors]
    expected = [span * one.acts_before for span, one in zip(spans, actors, strict=True)]
    # Sums that are rounded once are the same in whatever order the actors came.
    total = fsum(expected)
    value = counted / total
    of_counts = 1 / counted + fsum(span * part for span, part in zip(spans, expected, strict=True)) / total**2
    of_actors = fsum((one.acts_after - value * part) ** 2 for one, part in zip(actors, expected, strict=True))
    spread = exp(Z_95 * sqrt(max(of_counts, of_actors / counted**2)))
    return Estimate(value, value / spread, value * spread)


class Tags(NamedTuple):
    """What tags an actor used, each as often as it did, before it left and since it returned."""

    before: Sequence[Hashable]
    after: Sequence[Hashable]


def diversity_ratio(actors: Sequence[Tags]) -> Estimate | None:
    """Return how many times as diverse the tags of all are after as before, with its 95 % interval; None for too few.

    Diversity is e^H, taken of an equal number of uses (`rarefied_diversity`). A use of a tag with share p moves H by
    −ln p − H over the number of uses; the squared error of the logarithm adds up the squares of these, by actor (a
    person uses the same tags again, after as before) or by use, whichever is more, and (kinds − 1)/2n² of each side.

    Source: the influence function of the entropy, clustered by actor; Basharin 1959 for the variance.

    >>> ratio = diversity_ratio([Tags("aa", "ab")] * 40)
    >>> ratio.value
    2.0
    """
    before, after = (Counter(chain.from_iterable(one[side] for one in actors)) for side in (0, 1))
    n_before, n_after = before.total(), after.total()
    n = min(n_before, n_after)
    if n < TAG_USES_MIN:
        return None
    value = rarefied_diversity(after.values(), n=n) / rarefied_diversity(before.values(), n=n)
    pulls_before, pulls_after = _pulls(before), _pulls(after)
    of_actors = fsum(
        (fsum(map(pulls_after.__getitem__, one.after)) - fsum(map(pulls_before.__getitem__, one.before))) ** 2
        for one in actors
    )
    of_uses = fsum(
        uses * pulls[tag] ** 2
        for side, pulls in ((before, pulls_before), (after, pulls_after))
        for tag, uses in side.items()
    )
    of_kinds = fsum((len(side) - 1) / (2 * side.total() ** 2) for side in (before, after))
    spread = exp(Z_95 * sqrt(max(of_actors, of_uses) + of_kinds))
    return Estimate(value, value / spread, value * spread)


def _pulls(counts: Counter[Hashable]) -> dict[Hashable, float]:
    """Return by how much one use of each tag moves the entropy of all."""
    total = counts.total()
    parts = {tag: -log(count / total) for tag, count in counts.items()}
    entropy = fsum(count * parts[tag] for tag, count in counts.items()) / total
    return {tag: (part - entropy) / total for tag, part in parts.items()}


def rarefied_diversity(counts: Iterable[int], *, n: int) -> float:
    """Return e^H of `n` uses drawn without replacement from counts of uses, in the mean: how many kinds, all alike.

    H is the mean of the entropy over all samples of `n`, exact and without drawing any: a kind that was used c times of
    N is found k times with the hypergeometric chance, and adds −(k/n)·ln(k/n) where it is. With `n` = N it is the
    diversity as it stands. Costs the root of each distinct count or so. Raises ValueError unless 1 <= n <= N.

    Source: Chao et al. 2014, "Rarefaction and extrapolation with Hill numbers", order q = 1.

    >>> round(rarefied_diversity([5, 5, 5, 5], n=20), 12)
    4.0
    >>> round(rarefied_diversity([1, 1], n=1), 12)
    1.0
    """
    by_count = Counter(count for count in counts if count)
    total = sum(count * kinds for count, kinds in by_count.items())
    if not 1 <= n <= total or min(by_count) < 0:
        raise ValueError(f"rarefied diversity: expected counts >= 0 and 1 <= n <= {total}, their sum, got n = {n}")
    parts = (kinds * _mean_part(count, total=total, n=n) for count, kinds in by_count.items())
    # A sum that is rounded once is the same in whatever order the counts came.
    return exp(fsum(parts))


def _mean_part(count: int, *, total: int, n: int) -> float:
    """Return the mean of −(k/n)·ln(k/n), where k of a sample of n are of a kind that has `count` of all.

    Chances follow from their neighbours, from the likeliest k up and down, relative to its own: so none is too small to
    begin with, and there is nothing to lose where they become negligible.
    """
    others = total - count
    k_min, k_max = max(0, n - others), min(count, n)
    likeliest = min(max((n + 1) * (count + 1) // (total + 2), k_min), k_max)
    weights, parts = [1.0], [_part(likeliest, n)]
    weight = 1.0
    for k in range(likeliest, k_max):
        weight *= (count - k) * (n - k) / ((k + 1) * (others - n + k + 1))
        if weight < _NEGLIGIBLE:
            break
        weights.append(weight)
        parts.append(weight * _part(k + 1, n))
    weight = 1.0
    for k in range(likeliest, k_min, -1):
        weight *= k * (others - n + k) / ((count - k + 1) * (n - k + 1))
        if weight < _NEGLIGIBLE:
            break
        weights.append(weight)
        parts.append(weight * _part(k - 1, n))
    return fsum(parts) / fsum(weights)


def _part(k: int, n: int) -> float:
    return -(k / n) * log(k / n) if k else 0.0
