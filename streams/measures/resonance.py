"""Say how new it is what people talk about, to those who know what was said before, and whether it lasted."""

from collections.abc import Mapping
from math import fsum, log2

from streams.measures.tag_divergence import BINS_MAX, NO_TAG, USES_MIN, binned, expected_by_chance


def divergence_from_mixture(p: list[int], q: list[int]) -> float:
    """Return KL(p | (p + q)/2) of two counts over the same bins, in bits: 0 to 1, and 0 only where shares are equal.

    The divergence of Kullback and Leibler from q itself is infinite as soon as p has a tag that q has not, and to have
    one is what it means to be new. So p is compared with the mixture of both (Lin's K): there one bit is all there is.

    Source: Lin 1991, "Divergence Measures Based on the Shannon Entropy", definition of K.

    >>> divergence_from_mixture([4, 0], [0, 7]), divergence_from_mixture([2, 6], [1, 3])
    (1.0, 0.0)
    """
    n_p, n_q = sum(p), sum(q)
    if not (n_p and n_q):
        raise ValueError(f"divergence from the mixture: expected counts on both sides, got sums of {n_p} and {n_q}")
    terms = []
    for x, y in zip(p, q, strict=True):
        if x:
            share_p, share_q = x / n_p, y / n_q
            terms.append(share_p * log2(2 * share_p / (share_p + share_q)))
    # Equal shares leave rounding errors of either sign.
    return min(1.0, max(0.0, fsum(terms)))


def surprise_bits(
    said: Mapping[str, int], known: Mapping[str, int], *, bins_max: int = BINS_MAX, n_min: int = USES_MIN
) -> float | None:
    """Return how surprising uses of tags are to those who know others, in bits; None below `n_min` uses on a side.

    It is `divergence_from_mixture` less what chance alone is expected to make of it, which is more the fewer uses there
    are: so two of these can be compared though one side has a week of talk and the other a day. It is about 0 where
    nothing differs (and can be a little below), 1 where nothing is the same. Bins are those of `tag_divergence`.

    Of what was said then beside the time before it is the *novelty*, beside the time after the *transience*; the
    *resonance* is novelty less transience: above 0 where what came after is closer to it than what had been before.

    Source: novelty and transience of Barron, Huang, Spang & DeDeo 2018, "Individuals, institutions, and innovation in
    the debates of the French Revolution", with tags for their topics, and the mixture for a prior.

    >>> before, away = {"#spring": 300, "#garden": 300}, {"#spring": 300, "#wild": 300}
    >>> round(surprise_bits(away, before), 2), round(surprise_bits(away, away), 2)
    (0.5, -0.0)
    """
    n_p, n_q = (sum(counts.values()) - counts.get(NO_TAG, 0) for counts in (said, known))
    if min(n_p, n_q) < max(n_min, 1):
        return None
    bins, uses, cut = binned(said, known, bins_max, (n_p, n_q))
    chance = expected_by_chance(uses, n_p=n_p, n_q=n_q, cut=cut, weight_p=1.0)
    return divergence_from_mixture([x for x, _ in bins], [y for _, y in bins]) - chance.bits
