"""Who is compared with themselves is compared fairly, and the intervals hold what they promise."""

import random
from collections import Counter
from itertools import combinations
from math import exp, log, sqrt
from statistics import mean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.before_after import Rates, Tags, diversity_ratio, prolific_ratio, rarefied_diversity

DAY_MS = 86_400_000


def entropy(uses: tuple[object, ...]) -> float:
    """Return the entropy of what was used, in nats."""
    return -sum(count / len(uses) * log(count / len(uses)) for count in Counter(uses).values())


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(lambda counts: 0 < sum(counts) <= 11), st.data())
def test_rarefied_diversity_is_the_mean_over_all_samples(counts: list[int], data: st.DataObject) -> None:
    """Every sample of n uses is drawn once, and the entropies are averaged: no formula, no randomness."""
    uses = [kind for kind, count in enumerate(counts) for _ in range(count)]
    n = data.draw(st.integers(1, len(uses)))
    expected = exp(mean(entropy(sample) for sample in combinations(uses, n)))

    assert rarefied_diversity(counts, n=n) == pytest.approx(expected, rel=1e-12)


def test_rarefied_diversity_of_many_agrees_with_drawing() -> None:
    """60,000 uses of 3,000 tags, a few of them common, where chances of single outcomes are too small for floats."""
    counts = [max(1, 9_000 // (rank + 1)) for rank in range(3_000)]
    uses = [tag for tag, count in enumerate(counts) for _ in range(count)]
    rng = random.Random(8)
    drawn = [entropy(tuple(rng.sample(uses, 2_000))) for _ in range(40)]
    error = sqrt(sum((one - mean(drawn)) ** 2 for one in drawn) / 39 / 40)

    assert abs(log(rarefied_diversity(counts, n=2_000)) - mean(drawn)) < 4 * error
    assert rarefied_diversity(counts, n=sum(counts)) == pytest.approx(exp(entropy(tuple(uses))), rel=1e-12)


@given(st.lists(st.integers(0, 900), min_size=1, max_size=40).filter(lambda counts: sum(counts) > 0), st.data())
def test_diversity_does_not_depend_on_order_and_grows_with_the_sample(counts: list[int], data: st.DataObject) -> None:
    """More is found in more uses, never more kinds than there are; the last bit is the same in any order."""
    n = data.draw(st.integers(1, sum(counts)))
    diversity = rarefied_diversity(counts, n=n)

    assert rarefied_diversity(sorted(counts), n=n) == diversity
    assert 1 - 1e-12 <= diversity <= sum(count > 0 for count in counts) * (1 + 1e-12)
    assert rarefied_diversity(counts, n=max(1, n - 1)) <= diversity * (1 + 1e-12)


def talk(rng: random.Random, *, of: int, tags_each: int, mean_uses: int) -> list[str]:
    """Return the tags that a person uses: of its own few, as often as it comes to, the first ones more than others."""
    own = rng.choices(range(of), [1 / (rank + 1) for rank in range(of)], k=tags_each)
    return [f"#{rng.choice(own)}" for _ in range(rng.randint(0, 2 * mean_uses))]


def test_a_longer_look_is_not_more_diverse() -> None:
    """The same habits seen for five times as long show more tags; rarefied they are as diverse as before."""
    rng, tags = random.Random(3), [f"#{n}" for n in range(60)]
    found, plain = [], []
    for _ in range(200):
        before, after = rng.choices(tags, k=60), rng.choices(tags, k=300)
        ratio = diversity_ratio([Tags(before, after)])
        assert ratio is not None
        found.append(log(ratio.value))
        plain.append(entropy(tuple(after)) - entropy(tuple(before)))

    assert abs(mean(found)) < 4 * pstdev(found) / sqrt(200)
    assert mean(plain) > 0.2


@pytest.mark.parametrize("people", [30, 120])
def test_same_habits_are_seldom_called_more_diverse(people: int) -> None:
    """People use a few own tags over and over, others after than before: above 1 in 1 of 40, three errors allowed."""
    rng, lives = random.Random(people), 300
    sure = 0
    for _ in range(lives):
        cohort = [Tags(*(talk(rng, of=60, tags_each=4, mean_uses=uses) for uses in (6, 9))) for _ in range(people)]
        ratio = diversity_ratio(cohort)
        assert ratio is not None
        sure += ratio.low > 1

    assert sure <= lives * 0.025 + 3 * sqrt(lives * 0.025 * 0.975)


def test_twice_the_tags_are_surely_more_diverse() -> None:
    """50 people with 60 tags instead of 30, all alike: a ratio of 2, and no doubt about it."""
    rng = random.Random(9)
    cohort = [Tags(rng.choices(range(30), k=10), rng.choices(range(60), k=12)) for _ in range(50)]
    ratio = diversity_ratio(cohort)
    assert ratio is not None

    assert ratio.value == pytest.approx(2, rel=0.1)
    assert ratio.low > 1.7
    assert ratio.low < 2 < ratio.high


def test_too_few_say_nothing() -> None:
    """A ratio of a handful of acts or tags would be an anecdote."""
    assert diversity_ratio([Tags("a" * 59, "a" * 500)]) is None
    assert diversity_ratio([Tags("a" * 60, "a" * 60)]) == (1, 1, 1)
    assert prolific_ratio([]) is None
    assert prolific_ratio([Rates(9, DAY_MS, 900, DAY_MS)]) is None
    assert prolific_ratio([Rates(10, DAY_MS, 19, DAY_MS)]) is None
    assert prolific_ratio([Rates(10, DAY_MS, 20, DAY_MS)]) is not None


def test_ratio_of_equal_spans_has_the_interval_of_two_poisson_counts() -> None:
    """By hand: 60 after 40 in equal times is 1.5, and its logarithm has the error sqrt(1/60 + 1/40) = 0.2041."""
    ratio = prolific_ratio([Rates(20, DAY_MS, 30, DAY_MS)] * 2)
    assert ratio is not None

    assert ratio.value == pytest.approx(1.5)
    assert ratio.low == pytest.approx(1.5 / exp(1.959964 * 0.204124), rel=1e-5)
    assert ratio.high == pytest.approx(1.5 * exp(1.959964 * 0.204124), rel=1e-5)


def test_silence_after_has_a_wide_interval_below_one() -> None:
    """Nothing at all in as long a time is less than before, and still has an interval."""
    ratio = prolific_ratio([Rates(20, DAY_MS, 0, DAY_MS)] * 3)
    assert ratio is not None

    assert 0 < ratio.low < ratio.value < ratio.high < 1


def lived(rng: random.Random, *, factor: float) -> list[Rates]:
    """Return what 80 people do, some of them ten times as often as others; the busiest are back the longest."""
    people = []
    for _ in range(80):
        rate = rng.lognormvariate(0.3, 0.9)
        before, after = rng.uniform(1, 14), max(1.0, min(10.0, 4 * rate * rng.uniform(0.5, 1.5)))
        people.append((poisson(rng, rate * before), before, poisson(rng, factor * rate * after), after))
    return [Rates(b, round(t * DAY_MS), a, round(s * DAY_MS)) for b, t, a, s in people]


def poisson(rng: random.Random, expected: float) -> int:
    """Draw a Poisson count: how many arrivals fit into a time."""
    count, at = 0, rng.expovariate(1)
    while at < expected:
        count, at = count + 1, at + rng.expovariate(1)
    return count


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_interval_holds_the_truth_although_the_busiest_return_first(factor: float) -> None:
    """In 95 of 100 lives (three errors of it allowed); adding up people of all kinds would be wrong by half or so."""
    rng, lives = random.Random(5), 200
    held, ratios, pooled = 0, [], []
    for _ in range(lives):
        people = lived(rng, factor=factor)
        ratio = prolific_ratio(people)
        assert ratio is not None
        held += ratio.low <= factor <= ratio.high
        ratios.append(ratio.value)
        after = sum(one.acts_after for one in people) / sum(one.span_after_ms for one in people)
        pooled.append(after / (sum(one.acts_before for one in people) / sum(one.span_before_ms for one in people)))

    assert held >= lives * 0.95 - 3 * sqrt(lives * 0.95 * 0.05)
    assert mean(ratios) == pytest.approx(factor, rel=0.03)
    assert mean(pooled) > 1.2 * factor


def test_one_busy_actor_makes_the_interval_wide() -> None:
    """One of 50 does twenty times as much as before: the ratio says so, and the interval that it may be chance."""
    people = [Rates(10, DAY_MS, 10, DAY_MS)] * 49
    ratio = prolific_ratio([*people, Rates(10, DAY_MS, 200, DAY_MS)])
    assert ratio is not None

    assert ratio.value == pytest.approx((490 + 200) / 500)
    assert ratio.low < 1


def test_order_of_people_changes_no_bit() -> None:
    """A restart may bring them in another order; alerts must not show it."""
    people = lived(random.Random(6), factor=1.3)

    rng = random.Random(7)
    cohort = [Tags(*(talk(rng, of=40, tags_each=3, mean_uses=5) for _ in range(2))) for _ in range(60)]

    assert prolific_ratio(people) == prolific_ratio(people[::-1])
    assert diversity_ratio(cohort) == diversity_ratio(cohort[::-1])


def test_errors_say_what_was_expected() -> None:
    """A sample that is larger than what there is, or counts below 0."""
    with pytest.raises(ValueError, match="expected counts >= 0 and 1 <= n <= 3, their sum, got n = 4"):
        rarefied_diversity([1, 2], n=4)
    with pytest.raises(ValueError, match="got n = 0"):
        rarefied_diversity([1, 2], n=0)
    with pytest.raises(ValueError, match="expected counts >= 0"):
        rarefied_diversity([5, -2], n=1)
