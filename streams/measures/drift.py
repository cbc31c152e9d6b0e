"""Tell how much of what a community's members say has left the topic, and how sure that is."""

from streams.measures.endogenous import Estimate, wilson_interval

SIGNALS_MIN = 30
"""With fewer signals the 95 % interval is wider than a third around one half, and there is no telling."""


def drift_share(*, n_wild: int, n_adopted: int, n_seeded: int, n_min: int = SIGNALS_MIN) -> Estimate | None:
    """Return d = n_wild/(n_adopted + n_wild + n_seeded) of the members' signals with its 95 % Wilson interval.

    None where the members' signals are fewer than `n_min`. Raises ValueError for a negative count: an error of the
    caller.

    Source: the definition is ours; the interval is Wilson's of 1927 (`wilson_interval`).

    >>> share = drift_share(n_wild=60, n_adopted=30, n_seeded=10)
    >>> share.value, round(share.low, 3)
    (0.6, 0.502)
    >>> drift_share(n_wild=20, n_adopted=5, n_seeded=0) is None
    True
    """
    if min(n_wild, n_adopted, n_seeded) < 0:
        raise ValueError(f"drift share: expected counts >= 0, got {n_wild}, {n_adopted} and {n_seeded}")
    n = n_wild + n_adopted + n_seeded
    if n < max(n_min, 1):
        return None
    return Estimate(n_wild / n, *wilson_interval(successes=n_wild, n=n))
