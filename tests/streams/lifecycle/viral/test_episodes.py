"""Check when a cascade fires as viral, when it is told again, when it is over, and that nobody is flooded by it."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import CascadeVitals
from schemas.rules import Rules, ViralRules
from streams.lifecycle.episodes import episode_id
from streams.lifecycle.viral import is_another, is_sure, is_surge
from streams.lifecycle.viral_conditions import viral_enter
from tests.streams.lifecycle.readings import START_MS, at_minute, mood, vitals
from tests.streams.lifecycle.viral.lives import FOR, HASH, KEEP, RULES, WEEK_MINUTES, live, lived, spell, watch

# --- firing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["spreading", "large"])
def test_a_cascade_fires_once_it_has_met_the_conditions_for_long_enough(name: str) -> None:
    """By its infectiousness or its percentile; between two vitals the last ones stand; and there are no reminders."""
    assert lived(spell(name, 5), until=3_000) == [(5 + FOR, "firing")]


@pytest.mark.parametrize("name", ["quiet", "small", "unknown", "unsure", "spent", "ended"])
def test_no_other_cascade_fires(name: str) -> None:
    """Too slow, too small, not measured, among the largest but not surely spreading or spent, or ended."""
    assert lived(spell(name, 5), until=200) == []


def test_one_tick_below_the_conditions_starts_the_wait_anew() -> None:
    """Held means without a break."""
    life = spell("large", 1, 9) | spell("quiet", 8)

    assert lived(life, until=40) == [(9 + FOR, "firing")]


def test_two_alternatives_that_take_turns_are_no_break() -> None:
    """A cascade whose forecast goes to infinity holds by its infectiousness at the same tick, and spreads in both."""
    life = spell("large", *range(1, 20, 2)) | spell("spreading", *range(2, 20, 2))

    assert lived(life, until=FOR + 2) == [(1 + FOR, "firing")]


@pytest.mark.parametrize(
    ("minute", "posts", "is_cause"), [(40, 2_408, True), (40, 2_409, False), (60, 2_408, True), (61, 2_408, False)]
)
def test_a_post_that_is_half_of_an_hour_is_most_of_its_surge(minute: int, posts: int, is_cause: bool) -> None:
    """Its 1,204 posts and shares are of the hour, as long as it is no older; likes are not what it is counted in."""
    reading = mood("seeded", at_minute(minute))
    reading.windows["1h"].by_kind = {"share": posts - 8, "reply": 5, "post": 2, "quote": 1, "like": 9_999}

    assert is_surge(vitals("spreading", at_minute(minute)), reading) is is_cause


def test_which_cascades_are_told_is_known_from_the_first_alert_to_the_last() -> None:
    """Other alerts about the topic name them, so that one cause is not taken for several."""
    one, life = watch(), spell("spreading", 1, root="post-7") | spell("quiet", 30, root="post-7")
    known = []
    for minute in range(1, 120):
        live(one, life, minutes=[minute])
        known.append(bool(one.told() and one.told() == {"post-7"}))

    assert [minute for minute, told in enumerate(known, start=1) if told] == list(range(1 + FOR, 30 + KEEP))


def test_the_first_alert_names_the_cascade_alone_with_all_that_is_known_of_it() -> None:
    """Conditions, evidence, flags and span are of this cascade; the id of the episode depends on its root."""
    found = vitals("spreading", at_minute(30), flags=("truncated", "followers_imputed"), structural_virality=2 / 3)
    (_, alert), *others = live(watch(), {30: (found,)}, minutes=range(1, 60))

    assert others == []
    assert alert.state == "viral"
    assert alert.id == f"{alert.episode}.1"
    assert alert.episode == episode_id(brand="cern", topic="higgs", state="viral|post-1", entered_ms=at_minute(40))
    assert (alert.at, alert.since) == ("2012-07-04T00:40:00Z", "2012-07-04T00:30:00Z")
    assert (alert.span.from_, alert.span.to, alert.span.signals) == (
        "2012-07-04T00:00:00Z",
        "2012-07-04T00:40:00Z",
        1_204,
    )
    assert alert.conditions == viral_enter(found, RULES)
    assert alert.rules == HASH
    (cascade,) = alert.evidence.cascades
    expected = {name: getattr(found, name) for name in cascade.__struct_fields__}
    assert msgspec.structs.asdict(cascade) == expected | {"structural_virality": 0.666667}
    assert alert.evidence.flags == ("followers_imputed", "supercritical", "truncated")


def test_a_cascade_that_has_an_end_is_not_called_supercritical() -> None:
    """The flag says that no end is in sight."""
    ((_, alert),) = live(watch(), spell("large", 1), minutes=range(1, 20))

    assert alert.evidence.flags == ()


def test_two_cascades_of_one_tick_have_episodes_of_their_own() -> None:
    """In the order of their roots."""
    life = {3: (vitals("large", at_minute(3), root="b"), vitals("large", at_minute(3), root="a"))}
    told = live(watch(), life, minutes=range(1, 20))

    assert [(minute, alert.evidence.cascades[0].root) for minute, alert in told] == [(13, "a"), (13, "b")]
    assert len({alert.episode for _, alert in told}) == 2


def test_endings_are_told_first() -> None:
    """A reader who keeps the open episodes must not see more of them at a time than there are."""
    life = spell("large", 1, root="a") | spell("ended", 20, root="a")
    life |= {10: (vitals("large", at_minute(10), root="0"),)}
    told = live(watch(), life, minutes=range(1, 30))

    assert [(minute, alert.evidence.cascades[0].root, alert.status) for minute, alert in told] == [
        (11, "a", "firing"),
        (20, "a", "resolved"),
        (20, "0", "firing"),
    ]


# --- told again -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "now", "news"),
    [
        (2_000.0, 2_999.0, False),
        (2_000.0, 3_000.0, True),
        (4_000.0, 2_001.0, False),
        (4_000.0, 2_000.0, True),
        (9_000.0, 9_999.0, False),
        (9_000.0, 10_000.0, True),
        (10_000.0, 9_999.0, True),
        (999.6, 1_000.2, False),  # 1,000 shares, both.
        (None, 9_000.0, True),
        (9_000.0, None, True),
        (None, None, False),
        (0.0, 0.0, False),
        (0.0, 5.0, True),
        (70.0, 70.0, False),
    ],
)
def test_a_forecast_is_news_by_half_of_it_by_its_decade_or_where_an_end_appears(
    told: float | None, now: float | None, news: bool
) -> None:
    """MEASURES.md §6: told again when it changes by 50 % or crosses a decade."""
    assert is_another(now, told=told, change=0.5) is news


@pytest.mark.parametrize(
    ("told", "low", "high", "sure"),
    [
        (8_800.0, 8_801.0, 30_000.0, True),
        (8_800.0, 8_800.0, 30_000.0, False),
        (8_800.0, 2_000.0, 8_800.0, False),
        (8_800.0, 2_000.0, 8_799.0, True),
        (8_800.0, 15_000.0, None, True),
        (8_800.0, 5_000.0, None, False),
        (8_800.0, None, None, True),
        (None, 15_000.0, 30_000.0, True),
        (None, 15_000.0, None, False),
        (None, None, None, False),
    ],
)
def test_a_forecast_has_surely_changed_where_its_interval_leaves_the_one_told_outside(
    told: float | None, low: float | None, high: float | None, sure: bool
) -> None:
    """Both ends belong to the interval; None stands for no end, there and in what was told."""
    assert is_sure(vitals("larger", START_MS, forecast_low=low, forecast_high=high), told=told) is sure


def test_another_forecast_that_is_not_sure_is_not_told_however_long_it_lasts() -> None:
    """21,000 instead of 8,800, but perhaps still those; nor is an end that may be none."""
    assert lived(spell("large", 1) | spell("larger", 50, forecast_low=8_000.0), until=1_000) == [(11, "firing")]
    assert lived(spell("spreading", 1) | spell("larger", 50), until=1_000) == [(11, "firing")]


@pytest.mark.parametrize(
    ("first", "second", "forecast"),
    [("large", "larger", 21_000.0), ("large", "spreading", None), ("spreading", "large", 8_800.0)],
)
def test_another_forecast_is_told_once_it_has_lasted(first: str, second: str, forecast: float | None) -> None:
    """What is told is the forecast of then, and that is what the next one is compared with."""
    told = live(watch(), spell(first, 1) | spell(second, 100), minutes=range(1, 1_000))

    assert [(minute, alert.status) for minute, alert in told] == [(11, "firing"), (100 + FOR, "updated")]
    assert told[1][1].id == f"{told[0][1].episode}.2"
    assert told[1][1].evidence.cascades[0].forecast == forecast


def test_the_forecast_of_the_end_of_the_wait_is_told_whatever_came_during_it() -> None:
    """Any other than the one told counts as different, so a forecast that goes on growing is told in time."""
    life = spell("large", 1)
    for n in range(40):
        forecast = 20_000.0 + 1_000 * n
        life |= spell("larger", 100 + n, forecast=forecast, forecast_low=0.9 * forecast)
    told = live(watch(), life, minutes=range(1, 1_000))

    # 30,000 at 110; 45,000, the first that is half more, comes at 125 and has lasted at 135, where it is 55,000.
    assert [(minute, alert.evidence.cascades[0].forecast) for minute, alert in told] == [
        (11, 8_800.0),
        (110, 30_000.0),
        (135, 55_000.0),
    ]


def test_noise_around_the_critical_point_floods_nobody() -> None:
    """At 1/n* the forecast jumps between infinity and a number at every tick; that is no news."""
    life = spell("spreading", *range(1, 1_000, 2)) | spell("larger", *range(2, 1_000, 2))

    assert lived(life, until=1_000) == [(1 + FOR, "firing")]


@given(st.lists(st.sampled_from(["large", "larger", "spreading"]), min_size=60, max_size=120))
def test_no_episode_is_told_more_often_than_once_in_the_time_of_the_wait(names: list[str]) -> None:
    """However wild the forecasts are."""
    life: dict[int, tuple[CascadeVitals, ...]] = {}
    for minute, name in enumerate(names, start=1):
        life |= spell(name, minute)
    minutes = [minute for minute, _ in lived(life, until=200)]

    assert all(later - earlier >= FOR for earlier, later in pairwise(minutes))


# --- over -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["quiet", "unknown", "spent"])
def test_a_cascade_that_fades_for_long_enough_is_resolved_once(name: str) -> None:
    """Each share surely brings less than 0.8, or nothing is known; what is told are the conditions of leaving."""
    told = live(watch(), spell("large", 1, forecast=None) | spell(name, 20, forecast=None), minutes=range(1, 3_000))

    assert [(minute, alert.status) for minute, alert in told] == [(11, "firing"), (20 + KEEP, "resolved")]
    last = told[-1][1]
    assert {one.name: one.holds for one in last.conditions} == {
        "reproduction": True,
        "cascade_age_s": False,
        "cascade_ended": False,
    }
    assert (last.severity, last.since) == (told[0][1].severity, told[0][1].since)


def test_a_break_in_the_fading_starts_its_wait_anew() -> None:
    """One strong tick is enough to go on."""
    life = spell("large", 1, 70) | spell("quiet", 20, 71, forecast=8_800.0)

    assert lived(life, until=400) == [(11, "firing"), (71 + KEEP, "resolved")]


def test_a_cascade_that_is_viral_no_more_but_may_still_spread_goes_on_silently() -> None:
    """Between the ends of an interval around 0.8 nothing is decided: it would not begin now, and is not over."""
    assert lived(spell("large", 1) | spell("unsure", 100), until=3_000) == [(11, "firing")]


def test_a_large_cascade_that_is_spent_does_not_fire_again_and_again() -> None:
    """Its percentile stays high for days, while each share brings half a share."""
    life = spell("large", 1) | spell("spent", 100)

    assert lived(life, until=6_000) == [(11, "firing"), (100 + KEEP, "resolved")]


def test_a_cascade_that_revives_fires_anew() -> None:
    """As another episode, with revisions of its own."""
    life = spell("large", 1, 200) | spell("quiet", 20, forecast=8_800.0)
    told = live(watch(), life, minutes=range(1, 400))

    assert [(minute, alert.status) for minute, alert in told] == [(11, "firing"), (80, "resolved"), (210, "firing")]
    assert told[2][1].episode != told[0][1].episode
    assert told[2][1].id.endswith(".1")


def test_a_cascade_that_has_faded_is_watched_still() -> None:
    """It has not ended, so other rules may make it fire without a new share."""
    one, lax = watch(), Rules(viral=ViralRules(percentile_enter=0.4, reproduction_below=0.3))
    live(one, spell("large", 1) | spell("quiet", 20, forecast=8_800.0), minutes=range(1, 90))
    told = [alert for minute in range(90, 110) for alert in one.judge(mood("seeded", at_minute(minute)), lax, "lax")]

    assert [(alert.status, alert.at) for alert in told] == [("firing", "2012-07-04T01:40:00Z")]


def test_a_cascade_that_is_too_old_is_resolved_and_never_fires_again() -> None:
    """After seven days, whatever it does."""
    life = spell("large", 1, WEEK_MINUTES + 50, began_at=START_MS)
    one = watch()
    told = live(one, life, minutes=[*range(1, 20), *range(WEEK_MINUTES - 5, WEEK_MINUTES + 90)])

    assert [(minute, alert.status) for minute, alert in told] == [(11, "firing"), (WEEK_MINUTES + 1, "resolved")]
    assert [root for root, row in one.changed_rows() if row is not None] == []


def test_a_cascade_that_has_ended_is_resolved_at_once_and_dropped() -> None:
    """Whatever its conditions were when it fell silent."""
    one = watch()
    told = live(one, spell("large", 1) | spell("large", 30, flags=("ended",)), minutes=range(1, 200))

    assert [(minute, alert.status) for minute, alert in told] == [(11, "firing"), (30, "resolved")]
    assert one.changed_rows() == [("post-1", None)]
    assert not one.needs_ticks


def test_an_open_episode_goes_on_below_the_size_that_opened_it() -> None:
    """Posts that are deleted do not end it, and neither does a rule that asks for more."""
    strict = Rules(viral=ViralRules(size_min=5_000))
    one = watch()
    live(one, spell("large", 1) | spell("large", 20, size=12), minutes=range(1, 30))

    assert one.judge(mood("seeded", at_minute(30)), strict, "other") == []
    assert one.needs_ticks
