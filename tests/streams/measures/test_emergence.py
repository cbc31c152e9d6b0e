"""What emerges is new, sure, broad and the community's own; each threshold holds something back."""

import random
from itertools import pairwise
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.emergence import (
    Candidate,
    Population,
    Thresholds,
    breadth,
    emergent_topics,
    lift,
    log_q_values,
)

PEOPLE = Population(now=500, before=800, outside=5_000)
GROWN = Candidate("#wild", now=60, before=4, cascades=12, outside=3)


def test_lift_and_g_squared_have_the_values_by_hand() -> None:
    """Lift (60.5/501)/(4.5/801) = 21.49; G² by the sums of O ln O over the table of 60, 440, 4, 796."""
    (found,) = emergent_topics([GROWN], PEOPLE)
    entries, margins = (60, 440, 4, 796, 1_300), (500, 800, 64, 1_236)
    g2 = 2 * (sum(o * log(o) for o in entries) - sum(o * log(o) for o in margins))

    assert found.lift == pytest.approx(60.5 * 801 / (501 * 4.5), rel=1e-12)
    assert found.g2 == pytest.approx(g2, rel=1e-9)
    assert found.standout == pytest.approx(60.5 * 5_001 / (501 * 3.5), rel=1e-12)
    assert (found.name, found.actors, found.cascades, found.exogenous) == ("#wild", 60, 12, False)
    # One test alone: q is p, which for one degree of freedom lies below the density's bound 2φ(z)/z.
    assert 0 < found.q < 2 * exp(-g2 / 2) / sqrt(2 * 3.14159 * g2)


@given(st.integers(0, 50), st.integers(50, 500), st.integers(0, 50), st.integers(50, 500))
def test_lift_turns_over_with_its_sides(used: int, actors: int, used_there: int, actors_there: int) -> None:
    """Half as much here is twice as much there, and nothing anywhere is not infinite."""
    here = lift(used=used, actors=actors, used_there=used_there, actors_there=actors_there)
    there = lift(used=used_there, actors=actors_there, used_there=used, actors_there=actors)

    assert here * there == pytest.approx(1)


@pytest.mark.parametrize(
    "limits",
    [
        Thresholds(lift_min=21.6),
        Thresholds(g2_min=200.0),
        Thresholds(q_max=1e-40),
        Thresholds(actors_min=61),
        Thresholds(cascades_min=13),
    ],
)
def test_every_threshold_holds_something_back(limits: Thresholds) -> None:
    """The same candidate passes all of the others."""
    assert emergent_topics([GROWN], PEOPLE)
    assert emergent_topics([GROWN], PEOPLE, thresholds=limits) == []


def test_defaults_ask_for_ten_actors_in_two_cascades() -> None:
    """One thread, or a handful of friends, is no topic."""
    assert emergent_topics([GROWN._replace(now=10, before=0, cascades=2)], PEOPLE)
    assert not emergent_topics([GROWN._replace(now=9, before=0)], PEOPLE)
    assert not emergent_topics([GROWN._replace(cascades=1)], PEOPLE)


def test_seeds_and_stop_tags_neither_emerge_nor_count_as_tested() -> None:
    """What a brand seeded has not emerged, and q-values are over what could have."""
    others = [GROWN._replace(name=name) for name in ("#brand", "#monday")]
    alone = emergent_topics([GROWN], PEOPLE)

    assert emergent_topics([*others, GROWN], PEOPLE, seeds={"#brand"}, stop_tags={"#monday"}) == alone
    assert len(emergent_topics([*others, GROWN], PEOPLE)) == 3


def test_what_the_whole_network_talks_about_is_exogenous() -> None:
    """Members at 12 %: not theirs where 10 % of all others say it (1.2 times), theirs where 5 % do (2.4 times)."""
    (storm,) = emergent_topics([GROWN._replace(outside=500)], PEOPLE)
    (own,) = emergent_topics([GROWN._replace(outside=250)], PEOPLE)

    assert (storm.exogenous, own.exogenous) == (True, False)
    assert storm.standout == pytest.approx(1.2, abs=0.02)
    assert emergent_topics([GROWN._replace(outside=500)], PEOPLE, thresholds=Thresholds(standout_min=1.1)) == [
        storm._replace(exogenous=False)
    ]


def test_without_a_background_nothing_is_exogenous() -> None:
    """Not knowing what others say must not look like everybody saying it."""
    (found,) = emergent_topics([GROWN], PEOPLE._replace(outside=0))

    assert (found.exogenous, found.standout) == (False, None)


def test_what_is_given_up_does_not_emerge_nor_help_others() -> None:
    """A hundred tags that nobody uses any more are sure changes, but would let false rises through if they counted."""
    weak = Candidate("#weak", now=10, before=1, cascades=2)
    gone = [Candidate(f"#gone-{n}", now=0, before=200, cascades=0) for n in range(100)]
    (alone,) = emergent_topics([weak], PEOPLE, thresholds=Thresholds(g2_min=0.0))
    among = emergent_topics([*gone, weak], PEOPLE, thresholds=Thresholds(g2_min=0.0, q_max=1.0))

    assert [topic.name for topic in among] == ["#weak"]
    assert among[0].q == pytest.approx(min(1, 101 * alone.q), rel=1e-9)


def test_without_people_before_there_is_nothing_to_compare_with() -> None:
    """A community without a past has no new topics yet."""
    assert emergent_topics([GROWN._replace(before=0)], PEOPLE._replace(before=0)) == []
    assert emergent_topics([], PEOPLE) == []


@given(st.permutations([GROWN._replace(name=f"#{n}", now=40 + n // 2) for n in range(6)]))
def test_the_surest_comes_first_whatever_the_order_was(candidates: list[Candidate]) -> None:
    """Candidates come out of tables in any order; equally sure ones go by name."""
    names = [topic.name for topic in emergent_topics(candidates, PEOPLE)]

    assert names == ["#4", "#5", "#2", "#3", "#0", "#1"]


def test_more_users_than_people_are_refused() -> None:
    """Counts of one window among people of another are an error of the caller."""
    with pytest.raises(ValueError, match="expected no more users than actors, got Candidate"):
        emergent_topics([GROWN._replace(now=501)], PEOPLE)


# Chances and rates without a common multiple, so that no rounding decides a comparison.
chances = st.lists(st.integers(1, 1_000).map(lambda n: n / 1_000), min_size=1, max_size=40)


@given(chances, st.integers(0, 99).map(lambda n: (n + 0.123456789) / 100))
def test_q_values_reject_what_benjamini_and_hochberg_reject(p: list[float], rate: float) -> None:
    """Their procedure, word by word: the largest k with p(k) <= k/m·rate, and all hypotheses up to it."""
    m, ordered = len(p), sorted(p)
    k = max((k for k in range(1, m + 1) if ordered[k - 1] <= k / m * rate), default=0)
    rejected = [value <= ordered[k - 1] if k else False for value in p]

    assert [q <= log(rate) for q in log_q_values([log(value) for value in p])] == rejected


@given(chances)
def test_q_values_keep_the_order_of_p_values(p: list[float]) -> None:
    """The surer is never worse off; q lies between p and m·p, at most 1."""
    pairs = sorted(zip(p, log_q_values([log(value) for value in p]), strict=True))

    assert all(one[1] <= other[1] for one, other in pairwise(pairs))
    assert all(log(value) - 1e-12 <= q <= min(0.0, log(value * len(p)) + 1e-12) for value, q in pairs)


def test_q_values_know_no_smallest_p_value() -> None:
    """Far beyond the least float the order still holds."""
    assert log_q_values([-10_000.0, -20_000.0]) == [-10_000.0, -20_000.0 + log(2)]
    assert log_q_values([]) == []


def test_nothing_emerges_from_chance() -> None:
    """Two hundred times 300 tags that are used as before: at a rate of 0.01 and a p of 1e-4 hardly ever one."""
    rng = random.Random(11)
    false = 0
    for _ in range(200):
        candidates = []
        for rank in range(1, 301):
            share = 0.3 / rank
            now, before = (max(0, round(rng.gauss(n * share, sqrt(n * share)))) for n in (500, 800))
            candidates.append(Candidate(f"#{rank}", now=now, before=before, cascades=9))
        false += len(emergent_topics(candidates, PEOPLE))

    assert false <= 2


def test_breadth_has_the_values_by_hand() -> None:
    """½, ¼, ¼: H = 1.5·ln 2, e^H = 2^1.5, and the largest has half; parts without uses are no parts."""
    found = breadth({"a": 2, "b": 1, "c": 1, "d": 0})

    assert found is not None
    assert found.entropy_nats == pytest.approx(1.5 * log(2))
    assert found.hill == pytest.approx(2**1.5)
    assert (found.concentration, found.parts) == (0.5, 3)
    assert breadth({"a": 0}) is None
    assert breadth({}) is None


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 1_000), max_size=12))
def test_breadth_lies_between_one_part_and_all(uses: dict[str, int]) -> None:
    """As many equal parts as there are at most, and never fewer than the largest one's share allows."""
    found = breadth(uses)
    if found is None:
        assert not any(uses.values())
        return

    assert 1 <= found.hill <= found.parts * (1 + 1e-12)
    assert 1 / found.parts <= found.concentration <= 1
    assert found.hill >= 1 / found.concentration * (1 - 1e-12)
    assert found == breadth(dict(reversed(uses.items())))
