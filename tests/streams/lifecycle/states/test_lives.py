"""Check what holds for every life of a topic, on random ones: against the definition, across restarts, as told."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert
from schemas.lifecycle_rows import LifecycleRow
from schemas.rules import MINUTE_MS, GrowingRules, OutgrownRules, Rules, SeededRules
from streams.lifecycle import conditions
from streams.lifecycle.conditions import Reading, satisfied
from streams.lifecycle.states import DORMANT, LADDER, Lifecycle
from tests.streams.lifecycle.readings import MOODS, at_minute, mood

QUICK = Rules(
    seeded=SeededRules(silence_ms=40 * MINUTE_MS),
    growing=GrowingRules(for_ms=10 * MINUTE_MS, keep_ms=15 * MINUTE_MS),
    outgrown=OutgrownRules(for_ms=12 * MINUTE_MS, keep_ms=20 * MINUTE_MS),
)
"""Short durations, so that few random ticks meet every transition."""

LIVES = st.lists(
    st.tuples(st.sampled_from([*MOODS]), st.integers(1, 9), st.integers(1, 12), st.booleans()), min_size=10, max_size=25
)
"""Spells of one mood: (mood, ticks, minutes between ticks, stale in the middle)."""


def readings_of(spells: list[tuple[str, int, int, bool]]) -> list[Reading]:
    """Return the readings of a life."""
    found, minute = [], 0
    for name, ticks, gap, breaks in spells:
        for tick in range(ticks):
            minute += gap
            found.append(mood(name, at_minute(minute), stale=breaks and tick == ticks // 2))
    return found


def all_alerts(readings: Iterable[Reading]) -> list[Alert]:
    """Judge a whole life by the quick rules."""
    one = Lifecycle(brand="cern", topic="higgs")
    return [alert for reading in readings for alert in one.judge(reading, QUICK, "f" * 16)]


def expected_states(readings: list[Reading]) -> list[str]:
    """Recompute the states from the definition, looking back at each tick over all ticks before it; no timers."""
    states, state, first = [], "dormant", {"entering": 0} | {rung.state: 0 for rung in LADDER}
    names = [DORMANT, *(rung.state for rung in LADDER)]

    def lasted(judge: Callable[[Reading, Rules], Any], start: int, now: int) -> int:
        """Return for how long the conditions have held at `now`, -1 where they do not."""
        since = now + 1
        while since > start and satisfied(judge(readings[since - 1], QUICK)):
            since -= 1
        return readings[now].at_ms - readings[since].at_ms if since <= now else -1

    for now in range(len(readings)):
        if state == "dormant":
            if not satisfied(conditions.seeded_enter(readings[now], QUICK)):
                states.append(state)
                continue
            state, first = "seeded", {"entering": now, "seeded": now}
        height = names.index(state)
        ripe = [
            rung.state
            for rung in LADDER[height:]
            if lasted(rung.enter, first["entering"], now) >= rung.for_ms(QUICK) and rung.state != "seeded"
        ]
        present = LADDER[height - 1]
        if ripe:
            state = ripe[-1]
        elif lasted(present.leave, first[state], now) >= present.keep_ms(QUICK):
            below = [r.state for r in LADDER[1 : height - 1] if lasted(r.enter, first["entering"], now) >= 0]
            state = (below or ["seeded" if height > 1 else "dormant"])[-1]
        for name in names[height + 1 : names.index(state) + 1]:
            first[name] = now + 1
        states.append(state)
    return states


def test_random_lives_meet_every_transition() -> None:
    """The properties below would prove little if the lives never went anywhere."""
    seen = set()

    @given(LIVES)
    def collect(spells: list[tuple[str, int, int, bool]]) -> None:
        one = Lifecycle(brand="cern", topic="higgs")
        for reading in readings_of(spells):
            before = one.state
            one.judge(reading, QUICK, "")
            seen.add((before, one.state))

    collect()

    assert seen >= {
        ("dormant", "seeded"),
        ("seeded", "growing"),
        ("seeded", "outgrown"),
        ("growing", "outgrown"),
        ("outgrown", "growing"),
        ("outgrown", "seeded"),
        ("growing", "seeded"),
        ("seeded", "dormant"),
    }


@given(LIVES)
def test_the_state_is_what_the_definition_says(spells: list[tuple[str, int, int, bool]]) -> None:
    """Timers are a shortcut; looking back over all readings at every tick must lead to the same states."""
    readings = readings_of([(name, ticks, gap, False) for name, ticks, gap, _ in spells])
    one, states = Lifecycle(brand="cern", topic="higgs"), []
    for reading in readings:
        one.judge(reading, QUICK, "")
        states.append(one.state)

    assert states == expected_states(readings)


@given(LIVES)
def test_put_away_and_taken_up_at_every_tick_it_tells_the_same(spells: list[tuple[str, int, int, bool]]) -> None:
    """A crash may come after any tick: the bytes of the alerts and of the row must not show it."""
    readings = readings_of(spells)
    whole, stored, alerts = Lifecycle(brand="cern", topic="higgs"), msgspec.msgpack.encode(LifecycleRow()), []
    expected = []
    for reading in readings:
        expected += whole.judge(reading, QUICK, "f" * 16)
        row = msgspec.msgpack.decode(stored, type=LifecycleRow)
        one = Lifecycle.from_row(row, brand="cern", topic="higgs")
        alerts += one.judge(reading, QUICK, "f" * 16)
        stored = msgspec.msgpack.encode(one.row())
        assert stored == msgspec.msgpack.encode(whole.row())

    assert msgspec.json.encode(alerts) == msgspec.json.encode(expected)


@given(LIVES)
def test_the_life_of_an_episode_is_told_in_order(spells: list[tuple[str, int, int, bool]]) -> None:
    """Ids are unique; an episode fires first, its revisions have no gap, it ends at most once and last."""
    alerts = all_alerts(readings_of(spells))
    lives: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        lives[alert.episode].append(alert)

    assert len({alert.id for alert in alerts}) == len(alerts)
    for life in lives.values():
        assert [alert.id for alert in life] == [f"{life[0].episode}.{n}" for n in range(1, len(life) + 1)]
        assert life[0].status == "firing"
        assert all(alert.status == "updated" for alert in life[1:-1])
        assert len({(alert.state, alert.since) for alert in life}) == 1
        assert len({alert.at for alert in life}) == len(life)
    assert sum(life[-1].status in ("firing", "updated") for life in lives.values()) <= 1


@given(LIVES)
def test_a_firing_alert_shows_conditions_that_hold(spells: list[tuple[str, int, int, bool]]) -> None:
    """What an alert says must justify it: firing and resolved alerts carry conditions that are satisfied."""
    for alert in all_alerts(readings_of(spells)):
        assert alert.status not in ("firing", "resolved") or satisfied(alert.conditions)
        assert 1 <= alert.severity <= 10


@given(LIVES)
def test_ticks_without_traffic_may_be_left_out_when_none_are_needed(spells: list[tuple[str, int, int, bool]]) -> None:
    """A dormant topic costs nothing: leaving its empty ticks out changes no byte and no row."""
    readings = readings_of(spells)
    every, needed = Lifecycle(brand="cern", topic="higgs"), Lifecycle(brand="cern", topic="higgs")
    for reading in readings:
        alerts = every.judge(reading, QUICK, "")
        skipped = not needed.needs_ticks and conditions.recent_signals(reading, QUICK) == 0
        assert alerts == ([] if skipped else needed.judge(reading, QUICK, ""))
        assert every.row() == needed.row()
