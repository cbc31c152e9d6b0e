"""Find what a community has begun to talk about, tell it from what everybody talks about, and how broad it is."""

from collections.abc import Collection, Mapping, Sequence
from math import exp, fsum, log
from typing import Any, NamedTuple

from streams.measures.chi_square import chi_square_log_survival
from streams.measures.tag_divergence import g_squared


class Candidate(NamedTuple):
    """A tag, link host or phrase: how many of the members used it now and before, and in how many cascades.

    `outside` counts who of the rest of the network uses it now.
    """

    name: str
    now: int
    before: int
    cascades: int
    outside: int = 0


class Population(NamedTuple):
    """How many actors were there to use anything: members now and before, and now of the network without them.

    Whoever said anything counts, with a tag or without. With `outside` 0 nothing is known of the rest of the network.
    Numbers are of people seen: those of samples must not be scaled up. A background that holds the members too makes a
    whole network of them, so they are to be taken out of it first, of the uses and of the actors.
    """

    now: int
    before: int
    outside: int = 0


class Thresholds(NamedTuple):
    """What a candidate must reach. A G² of 15.14 has a p-value of 1e-4."""

    lift_min: float = 3.0
    g2_min: float = 15.14
    q_max: float = 0.01
    actors_min: int = 10
    cascades_min: int = 2
    standout_min: float = 1.5


class Emergent(NamedTuple):
    """What came up: how much more it is used than before, the test of that, its q-value, how many actors and cascades.

    `standout` is how much more the members use it than the rest of the network does, None where that is not known;
    `exogenous` says that they do not do so enough, so that the whole network is talking and nothing has escaped.
    """

    name: str
    lift: float
    g2: float
    q: float
    actors: int
    cascades: int
    exogenous: bool
    standout: float | None


class Breadth(NamedTuple):
    """How a topic spreads over the parts of a community: entropy in nats, e^entropy (as many equal parts), the largest.

    `concentration` is the largest part's share, 1 where there is one part; `parts` counts those that have any use.
    """

    entropy_nats: float
    hill: float
    concentration: float
    parts: int


def lift(*, used: int, actors: int, used_there: int, actors_there: int) -> float:
    """Return ((used + ½)/(actors + 1))/((used_there + ½)/(actors_there + 1)): how much more something is used here.

    The halves make what was never used there finite and keep small counts from boasting.

    >>> round(lift(used=12, actors=99, used_there=0, actors_there=199), 3)
    50.0
    """
    return ((used + 0.5) / (actors + 1)) / ((used_there + 0.5) / (actors_there + 1))


def log_q_values(log_p: Sequence[float]) -> list[float]:
    """Return ln q for each ln p: q is the least rate of false discoveries at which that p-value is still one.

    With the p-values in ascending order q(i) = min over j >= i of p(j)·m/j.

    Source: Benjamini & Hochberg 1995, "Controlling the False Discovery Rate"; as adjusted p-values: Yekutieli &
    Benjamini 1999.

    >>> [round(exp(q), 4) for q in log_q_values([log(0.01), log(0.04), log(0.03), log(0.9)])]
    [0.04, 0.0533, 0.0533, 0.9]
    """
    m = len(log_p)
    found, least = [0.0] * m, 0.0
    ranked = sorted(range(m), key=lambda place: log_p[place])
    for rank in range(m, 0, -1):
        place = ranked[rank - 1]
        least = min(least, log_p[place] + log(m / rank))
        found[place] = least
    return found


def emergent_topics(
    candidates: Sequence[Candidate],
    population: Population,
    *,
    seeds: Collection[str] = (),
    stop_tags: Collection[str] = (),
    thresholds: Thresholds | None = None,
) -> list[Emergent]:
    """Return the candidates that the members have newly taken up, the surest first, then by name.

    A candidate is kept if its `lift` now against before, its G² on actors (not on signals: one who says it a hundred
    times counts once) and its q-value over all candidates that are neither seeds nor stop tags reach the thresholds,
    and enough actors and cascades are behind it. So candidates must be all that was used at all, not a selection of the
    most promising: else the q-values are too small. What is used less than before has the p-value 1.

    Of those kept, `exogenous` are those that members use less than `standout_min` times as much as the rest of the
    network does now. They are told, because they explain, but are no escape.

    Source: Dunning 1993 for G²; Benjamini & Hochberg 1995 for q; the thresholds are ours.

    >>> grown = Candidate("#wild", now=60, before=2, cascades=9)
    >>> found, = emergent_topics([grown], Population(now=200, before=300))
    >>> round(found.lift, 1), round(found.g2, 1), found.exogenous
    (36.2, 106.4, False)
    """
    limits = thresholds or Thresholds()
    tested = [candidate for candidate in candidates if candidate.name not in seeds and candidate.name not in stop_tags]
    g2s = [_g2_of_a_rise(candidate, population) for candidate in tested]
    log_qs = log_q_values([chi_square_log_survival(g2, degrees=1) for g2 in g2s])
    found = [
        _emergent(candidate, population, g2=g2, q=exp(log_q), limits=limits)
        for candidate, g2, log_q in zip(tested, g2s, log_qs, strict=True)
    ]
    kept = [
        topic
        for topic in found
        if topic.lift >= limits.lift_min
        and topic.g2 >= limits.g2_min
        and topic.q <= limits.q_max
        and topic.actors >= limits.actors_min
        and topic.cascades >= limits.cascades_min
    ]
    return sorted(kept, key=lambda topic: (-topic.g2, topic.name))


def _g2_of_a_rise(candidate: Candidate, population: Population) -> float:
    """Return the G² of a candidate, 0 where it is used no more than before: that is no evidence of a rise."""
    now, before = candidate.now, candidate.before
    if not (0 <= now <= population.now and 0 <= before <= population.before):
        raise ValueError(f"emergence: expected no more users than actors, got {candidate} of {population}")
    if now * population.before <= before * population.now:
        return 0.0
    return g_squared([now, population.now - now], [before, population.before - before])


def _emergent(candidate: Candidate, population: Population, *, g2: float, q: float, limits: Thresholds) -> Emergent:
    standout = None
    if population.outside:
        standout = lift(
            used=candidate.now,
            actors=population.now,
            used_there=candidate.outside,
            actors_there=population.outside,
        )
    return Emergent(
        name=candidate.name,
        lift=lift(
            used=candidate.now,
            actors=population.now,
            used_there=candidate.before,
            actors_there=population.before,
        ),
        g2=g2,
        q=q,
        actors=candidate.now,
        cascades=candidate.cascades,
        exogenous=standout is not None and standout < limits.standout_min,
        standout=standout,
    )


def breadth(uses: Mapping[Any, int]) -> Breadth | None:
    """Return how uses spread over parts of a community (part -> uses), None where there are none.

    A part is whatever the caller tells apart, such as the root of the first cascade in which a member was seen. Where
    people are counted, each once, it is their adoption entropy, which nobody can flood.

    Source: Weng, Menczer & Ahn 2013, "Virality Prediction and Community Structure in Social Networks", for usage and
    adoption entropy and for concentration; Hill 1973, "Diversity and Evenness", for e^H.

    >>> breadth({"one": 5, "two": 5}).hill, breadth({"one": 9, "two": 0}).concentration
    (2.0, 1.0)
    """
    counts = sorted(count for count in uses.values() if count > 0)
    total = sum(counts)
    if not total:
        return None
    entropy = max(0.0, fsum(count / total * log(total / count) for count in counts))
    return Breadth(entropy, exp(entropy), counts[-1] / total, len(counts))
