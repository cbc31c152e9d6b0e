"""Tell how far two ways of using tags lie apart, and whether chance could have put them there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from math import exp, fsum, lgamma, log
from typing import NamedTuple

from streams.measures.chi_square import chi_square_log_survival

NO_TAG = ""
"""What stands for a signal without tags, where tags are counted: it says nothing about which tags are used."""

BINS_MAX = 200
USES_MIN = 300

LARGE_MEAN = 20
"""From so many expected uses on, chance in one bin is as good as normal: the mean of G² is 1 to a percent."""

_LN_2 = log(2)
_NEGLIGIBLE = 1e-18


class Divergence(NamedTuple):
    """How far the uses `n_p` and `n_q` of tags lie apart, told in `bins` bins, of which one may hold all rare tags.

    `bits` is the Jensen-Shannon divergence less what chance alone is expected to make of it, so that it is about 0
    where nothing differs (and can be a little below), at most 1; `bits_raw`, 0 to 1, is what was counted. `g2` is the
    statistic of the likelihood-ratio test with bins − 1 degrees of freedom; `log_p` is the natural logarithm of its
    p-value, for which G² is first brought down to the mean that chi-square has (Bartlett 1937): bins with few uses have
    a larger one. `untagged_p` and `untagged_q` count who said something without a tag; they are in no bin.
    """

    bits: float
    bits_raw: float
    bins: int
    n_p: int
    n_q: int
    g2: float
    log_p: float
    untagged_p: int
    untagged_q: int

    @property
    def p_value(self) -> float:
        """The chance that two samples of one way of using tags lie this far apart or farther."""
        return exp(self.log_p)


def jensen_shannon_nats(p: Sequence[int], q: Sequence[int], *, weight_p: float = 0.5) -> float:
    """Return the Jensen-Shannon divergence of two counts over the same bins, in nats; bits are nats/ln 2.

    With w = `weight_p` and the mixture m = w·p + (1 − w)·q of their shares it is w·KL(p|m) + (1 − w)·KL(q|m). Equal
    weights make it symmetric and at most ln 2. With the weight n_p/N it is G²/2N (`g_squared`).

    Source: Lin 1991, "Divergence Measures Based on the Shannon Entropy".

    >>> jensen_shannon_nats([4, 0], [0, 7]) == log(2)
    True
    """
    n_p, n_q = sum(p), sum(q)
    if not (n_p and n_q):
        raise ValueError(f"jensen-shannon divergence: expected counts on both sides, got sums of {n_p} and {n_q}")
    terms = []
    for x, y in zip(p, q, strict=True):
        share_p, share_q = x / n_p, y / n_q
        mixed = weight_p * share_p + (1 - weight_p) * share_q
        terms += [weight_p * share_p * log(share_p / mixed)] if x else []
        terms += [(1 - weight_p) * share_q * log(share_q / mixed)] if y else []
    # Equal shares leave rounding errors of either sign.
    return max(0.0, fsum(terms))


def g_squared(p: Sequence[int], q: Sequence[int]) -> float:
    """Return G² = 2·Σ observed·ln(observed/expected) of the table with the rows p and q; 0 where a row is empty.

    Where both rows come from one distribution it is about chi-square with (bins that are not empty) − 1 degrees of
    freedom.

    Source: Dunning 1993, "Accurate Methods for the Statistics of Surprise and Coincidence".

    >>> round(g_squared([10, 20], [20, 10]), 4)
    6.796
    """
    n_p, n_q = sum(p), sum(q)
    if not (n_p and n_q):
        return 0.0
    n, terms = n_p + n_q, []
    for x, y in zip(p, q, strict=True):
        terms += [x * log(x * n / (n_p * (x + y)))] if x else []
        terms += [y * log(y * n / (n_q * (x + y)))] if y else []
    return max(0.0, 2 * fsum(terms))


class Chance(NamedTuple):
    """What two samples of one way of using tags are expected to show: divergence in bits, and G²."""

    bits: float
    g2: float


class Cut(NamedTuple):
    """Where tags stop having a bin of their own: the least score that has one, and what part of those with it do.

    A tag with x uses in p and y in q scores x·n_q + y·n_p, its mean share in whole numbers.
    """

    score: int
    taken: float


NO_CUT = Cut(0, 1.0)


def expected_by_chance(uses: Sequence[int], *, n_p: int, n_q: int, cut: Cut = NO_CUT, weight_p: float = 0.5) -> Chance:
    """Return the mean of divergence and G² where chance alone divides uses (of each tag) into n_p and n_q.

    The divergence is that from the mixture of equal parts: of p by the weight `weight_p`, of q by the rest of 1.

    Both are sums over tags, and so are their means: of a tag with c uses p gets as many as a draw of n_p out of
    N = n_p + n_q without replacement catches of c (hypergeometric). Where both sides can expect more than 20 of them,
    the first term of the series is taken: (1/n_p + 1/n_q)(1 − c/N)/(8 ln 2) and 1 − c/N. If all tags are so, the sums
    are the (K − 1)/(8 ln 2)·(1/n_p + 1/n_q) of Miller and the K − 1 of Wilks; tags with fewer uses have more.

    With a `cut` only those that score enough have a bin, and that is chance, too: of rare tags those reach it that
    chance has given to the smaller side, which makes a difference of several tenths of a bit where one side is small.
    What does not reach it is one more bin, with the uses that are expected in it on either side.

    Source: the permutation mean is ours, after the adjustment for chance of Vinh, Epps & Bailey 2010, "Information
    Theoretic Measures for Clusterings Comparison"; Miller 1955, "Note on the bias of information estimates"; Wilks
    1938, "The Large-Sample Distribution of the Likelihood Ratio".

    >>> [round(mean, 3) for mean in expected_by_chance([1_000] * 50, n_p=25_000, n_q=25_000)]
    [0.001, 49.0]
    >>> [round(mean, 3) for mean in expected_by_chance([1, 1], n_p=1, n_q=1)]
    [1.0, 2.773]
    """
    few, many = min(n_p, n_q), max(n_p, n_q)
    weight = weight_p if n_p <= n_q else 1 - weight_p
    means: list[Chance] = []
    left_few = left_many = 0.0
    for count, tags in sorted(Counter(uses).items()):
        if count * few > LARGE_MEAN * (few + many):
            mean, left = _of_large_bin(count, few=few, many=many), (0.0, 0.0)
        else:
            mean, left = _of_tag(count, few=few, many=many, cut=cut, weight=weight)
        means.append(Chance(tags * mean.bits, tags * mean.g2))
        left_few, left_many = left_few + tags * left[0], left_many + tags * left[1]
    if left_few + left_many > 0:
        means.append(_of_large_bin(left_few + left_many, few=few, many=many))
        means.append(_terms(left_few, left_many, few=few, many=many, weight=weight))
    return Chance(fsum(mean.bits for mean in means), fsum(mean.g2 for mean in means))


def _of_large_bin(uses: float, *, few: int, many: int) -> Chance:
    rest = max(0.0, 1 - uses / (few + many))
    return Chance((1 / few + 1 / many) / (8 * _LN_2) * rest, rest)


def _of_tag(uses: int, *, few: int, many: int, cut: Cut, weight: float) -> tuple[Chance, tuple[float, float]]:
    """Return the mean of what one tag adds to divergence and G², and how much of it is left to the last bin."""
    n, x = few + many, max(0, uses - many)
    log_chance = _log_choose(few, x) + _log_choose(many, uses - x) - _log_choose(n, uses)
    bits = g2 = left_few = left_many = 0.0
    while x <= min(uses, few):
        chance, y = exp(log_chance), uses - x
        if chance < _NEGLIGIBLE and x * n > uses * few:
            break
        score = x * many + y * few
        taken = chance * (cut.taken if score == cut.score else score > cut.score)
        terms = _terms(x, y, few=few, many=many, weight=weight)
        bits, g2 = bits + taken * terms.bits, g2 + taken * terms.g2
        left_few, left_many = left_few + (chance - taken) * x, left_many + (chance - taken) * y
        if x < min(uses, few):
            log_chance += log(y * (few - x) / ((x + 1) * (many - y + 1)))
        x += 1
    return Chance(bits, g2), (left_few, left_many)


def _terms(x: float, y: float, *, few: int, many: int, weight: float) -> Chance:
    """Return what a bin with x and y uses adds to the divergence, x by a weight and y by the rest of 1, and to G²."""
    bits = g2 = 0.0
    middle = (x / few + y / many) / 2
    for count, size, part in ((x, few, weight), (y, many, 1 - weight)):
        if count:
            bits += count / size * part * log(count / size / middle) / _LN_2
            g2 += 2 * count * log(count * (few + many) / (size * (x + y)))
    return Chance(bits, g2)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def tag_divergence(
    p: Mapping[str, int], q: Mapping[str, int], *, bins_max: int = BINS_MAX, n_min: int = USES_MIN
) -> Divergence | None:
    """Return how far two counts of tags (tag -> actors that used it) lie apart; None below `n_min` uses on a side.

    The `bins_max` tags with the largest mean share get a bin each, all others share one. Where most tags are rare, what
    chance makes of a divergence is large, and taking it off takes too much from one that is real: it is then told a
    quarter too small or so.

    An actor counts once per tag, so uses are nearly independent of one another, as the test wants them; where actors
    use several tags at once, it sees a little more than there is. Counts may be of a sample of the actors, but must not
    be scaled up: the test takes them for people. Costs O(tags), and some milliseconds for what chance would do.

    Source: Lin 1991 and Dunning 1993; that G² = 2·N·JSD joins them: Grosse et al. 2002, "Analysis of symbolic sequences
    using the Jensen-Shannon divergence".

    >>> before = {"#spring": 300, "#garden": 300, NO_TAG: 50}
    >>> found = tag_divergence({"#spring": 300, "#wild": 300}, before)
    >>> round(found.bits, 3), found.bins, found.untagged_q, found.p_value < 1e-6
    (0.499, 3, 50, True)
    """
    n_p, n_q = (sum(counts.values()) - counts.get(NO_TAG, 0) for counts in (p, q))
    if min(n_p, n_q) < max(n_min, 1):
        return None
    bins, uses, cut = binned(p, q, bins_max, (n_p, n_q))
    in_p, in_q = [x for x, _ in bins], [y for _, y in bins]
    raw = min(1.0, jensen_shannon_nats(in_p, in_q) / _LN_2)
    g2, degrees = g_squared(in_p, in_q), len(bins) - 1
    chance = expected_by_chance(uses, n_p=n_p, n_q=n_q, cut=cut)
    # Only ever downwards: a test may miss something, but must not see what is not there.
    scaled = g2 * degrees / chance.g2 if chance.g2 > degrees else g2
    return Divergence(
        bits=raw - chance.bits,
        bits_raw=raw,
        bins=len(bins),
        n_p=n_p,
        n_q=n_q,
        g2=g2,
        log_p=chi_square_log_survival(scaled, degrees=degrees) if degrees else 0.0,
        untagged_p=p.get(NO_TAG, 0),
        untagged_q=q.get(NO_TAG, 0),
    )


def binned(
    p: Mapping[str, int], q: Mapping[str, int], bins_max: int, totals: tuple[int, int]
) -> tuple[list[tuple[int, int]], list[int], Cut]:
    """Return (count in p, count in q) of the `bins_max` tags that matter most, then of all others together.

    And the uses of each tag on both sides, and where those with a bin of their own stop. `totals` are all uses of
    either side, those without a tag left out.
    """
    n_p, n_q = totals
    # In whole numbers: equal shares are equal, and then the names decide.
    ranked = [
        (-(p.get(tag, 0) * n_q + q.get(tag, 0) * n_p), tag)
        for tag in p.keys() | q.keys()
        if tag != NO_TAG and (p.get(tag, 0) or q.get(tag, 0))
    ]
    uses = [p.get(tag, 0) + q.get(tag, 0) for _, tag in ranked]
    chosen = nsmallest(bins_max, ranked)
    bins = [(p.get(tag, 0), q.get(tag, 0)) for _, tag in chosen]
    if len(chosen) == len(ranked):
        return bins, uses, NO_CUT
    bins.append((n_p - sum(x for x, _ in bins), n_q - sum(y for _, y in bins)))
    last = chosen[-1][0]
    with_last, taken = (sum(rank == last for rank, _ in those) for those in (ranked, chosen))
    return bins, uses, Cut(-last, taken / with_last)
