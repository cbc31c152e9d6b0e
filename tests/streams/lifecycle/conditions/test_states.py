"""Check what leads into each state and out of it, at and around every threshold."""

from typing import Any

import msgspec
import pytest

from schemas.alert import Condition
from schemas.rules import DAY_MS, OutgrownRules, Rules, SeededRules
from streams.lifecycle import conditions
from streams.lifecycle.conditions import condition, rounded, satisfied
from tests.streams.lifecycle.readings import MOODS, START_MS, mood, reading

RULES = Rules()
OUTGROWN = RULES.outgrown
LITTLE = 0.001
"""By how much a number of these tests misses a threshold."""


def holding(found: tuple[Condition, ...]) -> dict[str, bool]:
    """Return which conditions hold, by name."""
    return {one.name: one.holds for one in found}


def test_all_conditions_must_hold_and_one_of_each_group_of_alternatives() -> None:
    """The rule by which conditions combine is the same for every state, so an alert can be judged by its reader."""

    def make(holds: bool, any_of: str | None = None) -> Condition:
        return condition("c", 1.0 if holds else 0.0, ">=", 1.0, any_of=any_of)

    assert satisfied((make(True), make(False, "a"), make(True, "a"), make(True, "b")))
    assert not satisfied((make(True), make(False, "a"), make(False, "a"), make(True, "b")))
    assert not satisfied((make(False), make(True, "a")))


@pytest.mark.parametrize(
    ("relation", "below", "equal", "above"),
    [(">=", False, True, True), ("<=", True, True, False), (">", False, False, True), ("<", True, False, False)],
)
def test_a_relation_decides_at_the_threshold_as_it_is_written(
    relation: Any, below: bool, equal: bool, above: bool
) -> None:
    """A reader who sees `>=` must be able to rely on what happens at equality."""
    assert [condition("c", value, relation, 2.0).holds for value in (1.9, 2.0, 2.1)] == [below, equal, above]


def test_what_is_compared_is_what_is_shown() -> None:
    """A value that is shown as 2 must not be judged as 1.9999999, or the alert would contradict itself."""
    found = condition("outgrowth_ratio", 1.9999999, ">=", 2.0)

    assert (found.value, found.holds) == (2.0, True)


def test_whole_numbers_keep_all_their_digits() -> None:
    """Six digits are plenty for a ratio, but a count of people is exact."""
    assert rounded(41_230_123) == 41_230_123.0
    assert rounded(2 / 3) == 0.666667


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_missing_number_does_not_hold_unless_it_is_said_so(value: float | None) -> None:
    """Too little to measure leads into no state, and never reaches an alert as something that is not JSON."""
    assert not condition("c", value, ">=", 0.0).holds
    unknown = condition("c", value, "<", 1.0, when_unknown=True)
    assert (unknown.value, unknown.holds) == (None, True)


def test_a_threshold_that_is_not_finite_is_an_error_that_names_the_condition() -> None:
    """Such a rule has to be refused when it is read; here it is a bug and says so."""
    with pytest.raises(ValueError, match="expected a finite threshold for the condition `actors`, got inf"):
        condition("actors", 1, ">=", float("inf"))


def test_a_verdict_waits_for_a_number_that_could_change_it() -> None:
    """Unsatisfied is sure only where no missing number could make it otherwise."""

    def make(value: float | None, any_of: str | None = None) -> Condition:
        return condition("c", value, ">=", 1.0, any_of=any_of)

    assert conditions.verdict((make(1.0), make(None, "a"), make(1.0, "a"))) is True
    assert conditions.verdict((make(1.0), make(None, "a"), make(0.0, "a"))) is None
    assert conditions.verdict((make(1.0), make(None))) is None
    assert conditions.verdict((make(0.0), make(None))) is False
    assert conditions.verdict((make(0.0, "a"), make(0.0, "a"))) is False


def test_the_compared_number_is_that_of_the_bound() -> None:
    """An interval has three numbers, and one of them decides."""
    found = [condition("c", 2.0, ">=", 0.0, low=1.0, high=3.0, bound=bound) for bound in ("value", "low", "high")]

    assert [conditions.compared(one) for one in found] == [2.0, 1.0, 3.0]


# --- outgrown ---------------------------------------------------------------------------------------------------------


def test_an_outgrown_topic_meets_every_condition_of_the_definition() -> None:
    """The list of MEASURES.md §4: ratio, share by its Wilson bound, audience, z, actors, signals, the largest parts."""
    found = conditions.outgrown_enter(mood("outgrown", START_MS, top_cascade_share=0.1), RULES)

    assert {one.name: one.threshold for one in found} == {
        "outgrowth_ratio": 2.0,
        "endogenous_share": 0.55,
        "actor_outgrowth_ratio": 2.0,
        "audience": 1_500.0,
        "baseline_z": 3.0,
        "actors": 50.0,
        "signals": 100.0,
        "top_actor_share": 0.25,
        "top_cascade_share": 0.5,
    }
    assert satisfied(found)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("outgrowth_ratio", {"outgrowth_ratio": OUTGROWN.ratio_enter - LITTLE}),
        ("outgrowth_ratio", {"outgrowth_ratio": None}),
        ("actor_outgrowth_ratio", {"actor_outgrowth_ratio": OUTGROWN.ratio_enter - LITTLE}),
        ("endogenous_share", {"endogenous_share_low": OUTGROWN.share_enter - LITTLE}),
        ("endogenous_share", {"endogenous_share": 0.9, "endogenous_share_low": None}),
        ("audience", {"actors": 1_499}),
        ("baseline_z", {"baseline_z": OUTGROWN.z_enter - LITTLE}),
        ("actors", {"actors": OUTGROWN.actors_min - 1, "baseline_expected": 0.0}),
        ("signals", {"signals": OUTGROWN.signals_min - 1}),
        ("top_actor_share", {"top_actor_share": OUTGROWN.top_actor_share_max + LITTLE}),
        ("top_cascade_share", {"top_cascade_share": OUTGROWN.top_cascade_share_max + LITTLE}),
    ],
)
def test_each_condition_of_outgrown_can_prevent_it_alone(name: str, change: dict[str, Any]) -> None:
    """None of the conditions is there for show: with one missed by a little, the topic is not outgrown."""
    found = conditions.outgrown_enter(mood("outgrown", START_MS, **change), RULES)

    assert [one for one, holds in holding(found).items() if not holds] == [name]
    assert not satisfied(found)


@pytest.mark.parametrize(
    ("share", "outgrown"),
    [
        (OUTGROWN.top_cascade_share_max, True),
        (OUTGROWN.top_cascade_share_max + LITTLE, False),
        (1.0, False),
        (None, True),
    ],
)
@pytest.mark.parametrize("baseline", ["hour_of_week", "learning"])
def test_one_huge_cascade_of_the_day_keeps_a_topic_from_being_outgrown(
    share: float | None, outgrown: bool, baseline: str
) -> None:
    """One post that goes around is viral and makes no community; where no cascade is measured, nothing is asked."""
    found = conditions.outgrown_enter(mood("outgrown far", START_MS, baseline=baseline, top_cascade_share=share), RULES)

    assert satisfied(found) is outgrown
    assert {one.name: one.guard for one in found}.get("top_cascade_share") is (None if share is None else True)


def test_the_share_is_judged_by_its_lower_bound_and_says_so() -> None:
    """30 of 50 is a share of 0.6 but surely no more than 0.46 (MEASURES.md §4): few signals prove little."""
    found = conditions.outgrown_enter(
        mood("outgrown", START_MS, endogenous_share=0.6, endogenous_share_low=0.462), RULES
    )

    share = next(one for one in found if one.name == "endogenous_share")
    assert (share.value, share.low, share.bound, share.holds) == (0.6, 0.462, "low", False)


@pytest.mark.parametrize(
    ("actors", "signals", "outgrown"), [(250, 500, True), (249, 500, False), (250, 499, False), (4_000, 9_000, True)]
)
def test_cold_start_replaces_the_baseline_by_absolute_numbers(actors: int, signals: int, outgrown: bool) -> None:
    """A campaign that lives two days must be able to be outgrown on its first (MEASURES.md §10)."""
    found = conditions.outgrown_enter(
        mood(
            "outgrown",
            START_MS,
            actors=actors,
            signals=signals,
            baseline="learning",
            baseline_z=None,
            baseline_expected=None,
        ),
        RULES,
    )

    assert {"audience", "baseline_z"}.isdisjoint(holding(found))
    assert satisfied(found) == outgrown


def test_a_baseline_without_numbers_counts_as_cold() -> None:
    """What cannot be compared must not be waited for either: the absolute numbers decide."""
    assert conditions.is_cold(reading(START_MS, baseline_z=None))
    assert conditions.is_cold(reading(START_MS, baseline_expected=None))
    assert not conditions.is_cold(reading(START_MS))


@pytest.mark.parametrize(
    ("change", "leaves"),
    [
        ({"outgrowth_ratio": 1.3, "endogenous_share": 0.45}, False),
        ({"outgrowth_ratio": 1.29, "endogenous_share": 0.9}, True),
        ({"outgrowth_ratio": 9.0, "endogenous_share": 0.449}, True),
        ({"outgrowth_ratio": None, "endogenous_share": None}, True),
    ],
)
def test_outgrown_is_left_by_the_ratio_or_by_the_share(change: dict[str, Any], leaves: bool) -> None:
    """Either is enough; and where nothing is left to measure, nothing is outgrown any more."""
    assert satisfied(conditions.outgrown_leave(reading(START_MS, **change), RULES)) == leaves


# --- growing ----------------------------------------------------------------------------------------------------------


GROWING = RULES.growing
DOUBLING_S = GROWING.doubling_ms / 1000


def test_a_growing_topic_meets_every_condition_of_the_definition() -> None:
    """As published (MEASURES.md §8): an unusual audience; beside it stands whether it doubles."""
    found = conditions.growing_enter(mood("growing fast", START_MS), RULES)

    assert [(one.name, one.relation, one.threshold, one.any_of, one.guard) for one in found] == [
        ("baseline_z", ">=", 3.0, "growth", False),
        ("doubling_time_s", "<=", 86_400.0, "growth", False),
        ("baseline_z", ">=", 3.0, None, True),
    ]
    assert satisfied(found)


@pytest.mark.parametrize(
    ("z", "doubling_time_s", "grows"),
    [
        (GROWING.z_enter, None, True),
        (GROWING.z_enter - LITTLE, None, False),
        (GROWING.z_enter - LITTLE, 3_600.0, False),  # A net of bots doubles what is said, too.
    ],
)
def test_growing_needs_an_unusual_audience_whatever_doubles(
    z: float, doubling_time_s: float | None, grows: bool
) -> None:
    """By default doubling decides nothing: its own threshold of the audience is that of the audience alone."""
    found = conditions.growing_enter(reading(START_MS, baseline_z=z, doubling_time_s=doubling_time_s), RULES)

    assert satisfied(found) == grows


@pytest.mark.parametrize(
    ("z", "doubling_time_s", "grows"),
    [
        (2.0, DOUBLING_S, True),
        (2.0 - LITTLE, DOUBLING_S, False),
        (2.0, DOUBLING_S + 1, False),
        (2.0, -3_600.0, False),  # Halving every hour.
    ],
)
def test_where_doubling_is_trusted_a_somewhat_unusual_audience_that_doubles_grows(
    z: float, doubling_time_s: float | None, grows: bool
) -> None:
    """A brand whose topics are too small to be unusual may lower the threshold that doubling asks for."""
    rules = msgspec.structs.replace(RULES, growing=msgspec.structs.replace(GROWING, z_doubling=2.0))
    found = conditions.growing_enter(reading(START_MS, baseline_z=z, doubling_time_s=doubling_time_s), rules)

    assert satisfied(found) == grows


@pytest.mark.parametrize(
    ("actors", "signals", "doubling_time_s", "grows"),
    [
        (100, 500, 3_600.0, True),
        (99, 500, 3_600.0, False),
        (100, 499, 3_600.0, False),
        (5_000, 9_000, None, False),
    ],
)
def test_growing_in_cold_start_needs_numbers_and_a_doubling(
    actors: int, signals: int, doubling_time_s: float | None, grows: bool
) -> None:
    """Everything doubles on its first day; it is growth when many take part."""
    found = conditions.growing_enter(
        reading(START_MS, actors=actors, signals=signals, doubling_time_s=doubling_time_s, baseline="learning"), RULES
    )

    assert satisfied(found) == grows


@pytest.mark.parametrize(
    ("z", "doubling_time_s", "leaves"),
    [(0.99, None, True), (1.0, None, False), (0.0, 3_600.0, False), (0.0, 90_000.0, True), (None, None, True)],
)
def test_growing_is_left_when_neither_reason_is_there(
    z: float | None, doubling_time_s: float | None, leaves: bool
) -> None:
    """A usual audience that still doubles is growing, and a slow doubling is none."""
    found = conditions.growing_leave(reading(START_MS, baseline_z=z, doubling_time_s=doubling_time_s), RULES)

    assert satisfied(found) == leaves


# --- seeded -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tick_ms", [60_000, 300_000, 600_000, 7_200_000])
@pytest.mark.parametrize("name", [*MOODS])
def test_entering_and_leaving_seeded_exclude_each_other(name: str, tick_ms: int) -> None:
    """Otherwise a topic would change its state at every tick."""
    rules = Rules(tick_ms=tick_ms, seeded=SeededRules(silence_ms=0))
    one = mood(name, START_MS)

    assert not (satisfied(conditions.seeded_enter(one, rules)) and satisfied(conditions.seeded_leave(one, rules)))


def test_wild_talk_alone_does_not_seed_a_topic() -> None:
    """Members talking about something else do not keep the topic alive."""
    one = mood("seeded", START_MS)
    one.windows["5m"].by_lineage = {"wild": 10}

    assert not satisfied(conditions.seeded_enter(one, RULES))
    assert satisfied(conditions.seeded_leave(one, RULES))


@pytest.mark.parametrize(("actors", "seeded"), [(4, False), (5, True)])
def test_a_few_actors_seed_a_topic(actors: int, seeded: bool) -> None:
    """Below the threshold the topic stays dormant, whatever the number of signals."""
    assert satisfied(conditions.seeded_enter(reading(START_MS, actors=actors), RULES)) == seeded


@pytest.mark.parametrize(
    ("tick_ms", "day_ms", "recent"),
    [
        (60_000, DAY_MS, 1),
        (300_000, DAY_MS, 1),
        (300_001, DAY_MS, 2),
        (3_600_001, DAY_MS, 3),
        (60_000, DAY_MS // 60, 2),
    ],
)
def test_silence_is_read_from_a_window_that_no_signal_slips_through(tick_ms: int, day_ms: int, recent: int) -> None:
    """With ticks further apart than the window is long, a signal between two of them would look like silence."""
    one = reading(START_MS, day_ms=day_ms)
    for signals, name in enumerate(("5m", "1h", "24h"), start=1):
        one.windows[name].by_lineage = {"seeded": signals}

    assert conditions.recent_signals(one, Rules(tick_ms=tick_ms)) == recent


def test_thresholds_come_from_the_rules() -> None:
    """Every threshold can be overridden per topic (MEASURES.md §10)."""
    rules = Rules(outgrown=OutgrownRules(ratio_enter=5.0, audience_factor=10.0))
    found = conditions.outgrown_enter(mood("outgrown", START_MS, actor_outgrowth_ratio=None), rules)

    assert {one.name: one.threshold for one in found if not one.holds} == {
        "outgrowth_ratio": 5.0,
        "audience": 10_000.0,
    }
