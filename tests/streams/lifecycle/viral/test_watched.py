"""Check which cascades are watched, under which rules, and what a topic does that is not heard."""

from itertools import permutations

import msgspec
import pytest

from schemas.rows import ROW_BYTES_MAX
from schemas.rules import DAY_MS, Rules, ViralRules
from streams.lifecycle.viral import WATCHED_MAX
from tests.streams.lifecycle.readings import at_minute, mood, vitals
from tests.streams.lifecycle.viral.lives import FOR, HASH, KEEP, RULES, live, lived, spell, watch

# --- stale, rules -----------------------------------------------------------------------------------------------------


def test_time_without_data_does_not_count() -> None:
    """From the first tick without data to the next one with data, every timer stands still, and nothing is told."""
    life = spell("large", 1) | spell("quiet", 50, forecast=8_800.0)

    told = lived(life, until=300, stale=[*range(5, 25), *range(60, 90)])

    assert told == [(1 + FOR + 20, "firing"), (50 + KEEP + 30, "resolved")]


def test_several_outages_add_up() -> None:
    """The second one must not make up for the first."""
    assert lived(spell("large", 1), until=100, stale=[*range(3, 8), *range(9, 14)]) == [(1 + FOR + 10, "firing")]


def test_timers_are_remembered_in_one_order() -> None:
    """Not in that in which they were started, so that a row depends on what holds alone."""
    one = watch()
    life = spell("large", 1) | spell("larger", 20) | spell("spent", 25, forecast=21_000.0)
    live(one, life, minutes=range(1, 27))
    ((_, row),) = one.changed_rows()

    assert row is not None
    assert [(timer.state, timer.since_ms) for timer in row.timers] == [
        ("fading", at_minute(25)),
        ("differing", at_minute(20)),
    ]


def test_other_rules_are_applied_to_cascades_without_new_vitals() -> None:
    """A reload of the rules must not wait for the next share."""
    lax = Rules(viral=ViralRules(percentile_enter=0.4, reproduction_below=0.3))
    one = watch()
    live(one, spell("quiet", 1), minutes=range(1, 20))
    told = [alert for minute in range(20, 40) for alert in one.judge(mood("seeded", at_minute(minute)), lax, "lax")]

    assert [alert.at for alert in told] == ["2012-07-04T00:30:00Z"]


def test_rules_that_ask_for_more_drop_what_is_too_small_for_them() -> None:
    """So a large crowd that is waiting makes place at once."""
    one = watch()
    live(one, spell("large", 1), minutes=range(1, 5))
    one.judge(mood("seeded", at_minute(5)), Rules(viral=ViralRules(size_min=5_000)), "strict")

    assert one.changed_rows() == [("post-1", None)]


def test_a_tick_that_is_not_after_the_last_is_an_error() -> None:
    """Each tick is judged once and in order."""
    one = watch()
    one.judge(mood("seeded", at_minute(2)), RULES, HASH)

    with pytest.raises(ValueError, match="expected a tick after 1341360120000 ms, got 1341360060000"):
        one.judge(mood("seeded", at_minute(1)), RULES, HASH)


# --- which are watched ------------------------------------------------------------------------------------------------


def test_what_is_small_or_has_ended_leaves_no_trace() -> None:
    """Most cascades never have fifty posts."""
    one = watch()
    live(one, spell("small", 1, root="a") | spell("ended", 2, root="b"), minutes=range(1, 3))

    assert one.changed_rows() == []


def test_ticks_are_needed_only_while_a_timer_runs_or_an_episode_is_open() -> None:
    """A topic may sleep while nothing that it watches can change by time alone."""
    one, needed = watch(), []
    life = spell("quiet", 1) | spell("large", 3) | spell("quiet", 20, forecast=8_800.0)
    for minute in range(1, 100):
        live(one, life, minutes=[minute])
        needed.append(one.needs_ticks)

    assert [minute for minute, is_needed in enumerate(needed, start=1) if is_needed] == [*range(3, 20 + KEEP)]


def test_older_vitals_are_ignored() -> None:
    """What came again from a log must not turn back what is known."""
    one = watch()
    one.take(vitals("quiet", at_minute(5)), RULES)
    one.take(vitals("large", at_minute(4)), RULES)

    assert live(one, {}, minutes=range(6, 60)) == []


def test_only_so_many_cascades_are_watched_and_those_with_an_episode_first() -> None:
    """The smallest without an episode go, of equal ones those with the later root; none is stored twice."""
    one = watch()
    live(one, spell("large", 1, root="first", size=50), minutes=range(1, 20))
    crowd = tuple(vitals("quiet", at_minute(20), root=f"{n:03}", size=60 + n // 2) for n in range(WATCHED_MAX + 100))
    live(one, {20: crowd}, minutes=[20])
    kept = [root for root, row in one.changed_rows() if row is not None]

    # Sizes come in pairs: 099 and 098 are the pair at the edge, where there is place for one, 101 is of another pair.
    assert kept == [f"{n:03}" for n in range(WATCHED_MAX + 100) if n == 100 or n > 101] + ["first"]


def test_a_crowd_during_an_outage_is_bounded_too() -> None:
    """Nothing is decided then, but memory must not grow."""
    one = watch()
    crowd = tuple(vitals("large", at_minute(1), root=f"{n:03}", size=60 + n) for n in range(WATCHED_MAX + 50))
    live(one, {1: crowd}, minutes=[1], stale=[1])

    assert sum(row is not None for _, row in one.changed_rows()) == WATCHED_MAX


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_the_order_of_the_vitals_of_a_tick_does_not_matter(order: tuple[int, ...]) -> None:
    """Cascades of one tick come from several partitions."""

    def bytes_of(order: tuple[int, ...]) -> tuple[bytes, bytes]:
        names = ["large", "spreading", "quiet", "small"]
        life = {
            minute: tuple(
                vitals(names[(n + minute // 20) % 4], at_minute(minute), root="dbca"[n], size=100 + n) for n in order
            )
            for minute in (1, 20, 40, 60)
        }
        one = watch()
        told = live(one, life, minutes=range(1, 150))
        return msgspec.json.encode(told), msgspec.msgpack.encode(one.changed_rows())

    assert bytes_of(order) == bytes_of((0, 1, 2, 3))


def test_the_order_of_a_crowd_does_not_matter() -> None:
    """A cascade with a running timer that grows beyond the others keeps its timer, whenever its vitals come."""
    crowd = tuple(vitals("quiet", at_minute(5), root=f"{n:03}", size=100) for n in range(3 * WATCHED_MAX))
    grown = vitals("large", at_minute(5), root="z", size=500)
    for together in ((*crowd, grown), (grown, *crowd)):
        life = spell("large", 1, root="z", size=60) | {5: together}
        assert [(minute, alert.status) for minute, alert in live(watch(), life, minutes=range(1, 20))] == [
            (11, "firing")
        ]


def test_a_row_of_hostile_names_stays_small() -> None:
    """Rows of a table are bounded, and a root has 512 bytes at most."""
    one = watch()
    flags = ("truncated", "root_missing", "followers_imputed")
    live(one, spell("large", 1, root="é" * 256, flags=flags), minutes=range(1, 30))
    ((_, row),) = one.changed_rows()

    assert len(msgspec.msgpack.encode(row)) < ROW_BYTES_MAX // 16


def test_a_scaled_season_is_judged_by_its_scaled_durations() -> None:
    """The rules that come are scaled already: seven days are 168 minutes at 1/60."""
    fast = Rules(viral=ViralRules(age_max_ms=7 * DAY_MS // 60))
    one = watch()
    one.take(vitals("large", at_minute(1)), fast)
    told = [
        (minute, alert.status)
        for minute in range(1, 200)
        for alert in one.judge(mood("seeded", at_minute(minute)), fast, HASH)
    ]

    assert told == [(11, "firing"), (169, "resolved")]
