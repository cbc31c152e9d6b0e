"""Check what holds for every life of a topic, on random ones: against the definition, across restarts, as told."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import OUTCOMES, Alert
from schemas.lifecycle_rows import LifecycleRow
from schemas.rules import MINUTE_MS, EscapedRules, GrowingRules, OutgrownRules, ReturnedRules, Rules, SeededRules
from streams.lifecycle import conditions, escape_conditions
from streams.lifecycle.alerts import rfc3339
from streams.lifecycle.conditions import Reading, satisfied
from streams.lifecycle.ladder import HEIGHTS, LADDER
from streams.lifecycle.states import Lifecycle
from tests.streams.lifecycle.readings import AWAY_MOODS, MOODS, at_minute, mood

QUICK = Rules(
    seeded=SeededRules(silence_ms=40 * MINUTE_MS),
    growing=GrowingRules(for_ms=10 * MINUTE_MS, keep_ms=15 * MINUTE_MS),
    outgrown=OutgrownRules(for_ms=12 * MINUTE_MS, keep_ms=20 * MINUTE_MS),
    escaped=EscapedRules(for_ms=8 * MINUTE_MS, keep_ms=14 * MINUTE_MS),
    returned=ReturnedRules(within_ms=60 * MINUTE_MS, hold_ms=25 * MINUTE_MS),
)
"""Short durations, so that few random ticks meet every transition."""

AWAY = ["elsewhere", "elsewhere, outgrown", "half elsewhere", "here", "here, growing", "asleep", "back", "faded"]


def lives(names: list[str], *, spells: int) -> st.SearchStrategy[list[tuple[str, int, int, bool]]]:
    """Return lives of so many spells of one mood at most: (mood, ticks, minutes between ticks, stale in the middle)."""
    spell = st.tuples(st.sampled_from(names), st.integers(1, 9), st.integers(1, 12), st.booleans())
    return st.lists(spell, min_size=10, max_size=spells)


LIVES = lives([*MOODS], spells=25) | lives([*AWAY, *AWAY, "silent", *AWAY_MOODS], spells=25)


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


class LookBack:
    """The states of a life from the definition, looking back at each tick over all ticks before it; no timers."""

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self.state = "dormant"
        self.first = {"entering": 0, "eligible": 0} | dict.fromkeys(HEIGHTS, 0)
        """Index of the first tick from which on something counts: what leads in, into escaped, out of each state."""

    def states(self) -> list[str]:
        """Return the state at each tick."""
        found = []
        for now in range(len(self.readings)):
            before, self.state = self.state, self.next(now)
            self.entered(before, now)
            found.append(self.state)
        return found

    def lasted(self, judge: Callable[[Reading, Rules], Any], start: int, now: int) -> int:
        """Return for how long the conditions have held at `now`, -1 where they do not."""
        since = now + 1
        while since > start and satisfied(judge(self.readings[since - 1], QUICK)):
            since -= 1
        return self.readings[now].at_ms - self.readings[since].at_ms if since <= now else -1

    def back_for(self, now: int) -> int:
        """Return for how long it has been known that few are elsewhere, since they surely were; -1 where it is not."""
        rule, held, since = QUICK.escaped, -1, None
        for i in range(self.first["escaped"], now + 1):
            bits, drift = self.readings[i].measures.tag_divergence_bits, self.readings[i].measures.drift_share
            is_back = (bits is not None and bits < rule.divergence_exit) or (
                drift is not None and drift < rule.drift_exit
            )
            if not is_back and bits is not None and drift is not None:
                held, since = -1, None
            elif is_back:
                held, since = max(held, 0), i
            if is_back and i < now:
                held += self.readings[i + 1].at_ms - self.readings[i].at_ms
        return held if since == now else -1

    def next(self, now: int) -> str:
        """Return the state that follows the present one at a tick."""
        if self.state == "dormant":
            if not satisfied(conditions.seeded_enter(self.readings[now], QUICK)):
                return "dormant"
            self.state = "seeded"
            self.first |= {"entering": now, "seeded": now}
        if self.state in ("escaped", "returning", "returned"):
            return self.next_away(now)
        is_eligible = self.state in ("growing", "outgrown")
        if is_eligible and self.lasted(escape_conditions.escaped_enter, self.first["eligible"], now) >= 8 * MINUTE_MS:
            return "escaped"
        height = HEIGHTS[self.state]
        for rung in LADDER[2:height:-1]:
            if self.lasted(rung.enter, self.first["entering"], now) >= rung.for_ms(QUICK):
                return rung.state
        way = LADDER[height].exits[0]
        if self.lasted(way.leave, self.first[self.state], now) >= way.keep_ms(QUICK):
            return self.below(height, now)
        return self.state

    def next_away(self, now: int) -> str:
        """Return the same for a topic whose community left it."""
        reading, first = self.readings[now], self.first[self.state]
        spent_ms = reading.at_ms - self.readings[first].at_ms if first <= now else -1
        if self.state == "escaped":
            silent_ms = self.lasted(escape_conditions.escaped_silent, first, now)
            is_over = self.back_for(now) >= 14 * MINUTE_MS or silent_ms >= 40 * MINUTE_MS
            return "returning" if is_over else "escaped"
        if self.state == "returned":
            return self.below(3, now) if spent_ms >= 25 * MINUTE_MS else "returned"
        if reading.outcome is not None:
            return "returned"
        if self.lasted(escape_conditions.escaped_enter, self.first["eligible"], now) >= 8 * MINUTE_MS:
            return "escaped"
        is_over = self.lasted(escape_conditions.given_up, first, now) >= 25 * MINUTE_MS
        return self.below(3, now) if is_over else "returning"

    def below(self, height: int, now: int) -> str:
        """Return the highest state below a height that holds."""
        held = [r.state for r in LADDER[1:height] if self.lasted(r.enter, self.first["entering"], now) >= 0]
        return (held or ["seeded" if height > 0 else "dormant"])[-1]

    def entered(self, before: str, now: int) -> None:
        """Remember from where on the next ticks count."""
        low, high = sorted((HEIGHTS[before], HEIGHTS[self.state]))
        eligible = ("growing", "outgrown", "returning")
        if self.state != before:
            is_climb = HEIGHTS[self.state] > HEIGHTS[before]
            fresh = [name for name, height in HEIGHTS.items() if low < height <= high] if is_climb else []
            # What leads out of the three states apart is judged nowhere else, what leads into them only before them.
            self.first |= dict.fromkeys([*fresh, *({self.state} & {"escaped", "returning", "returned"})], now + 1)
            if not (before in eligible and self.state in eligible):
                self.first["eligible"] = now + 1


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
        ("growing", "escaped"),
        ("outgrown", "escaped"),
        ("escaped", "returning"),
        ("returning", "escaped"),
        ("returning", "returned"),
        ("returned", "seeded"),
        ("returned", "growing"),
    }
    assert not {(lower, "escaped") for lower in ("dormant", "seeded", "returned")} & seen
    assert {after for before, after in seen if before == "escaped" != after} == {"returning"}
    assert {before for before, after in seen if after == "returned" != before} == {"returning"}


@given(LIVES)
def test_the_state_is_what_the_definition_says(spells: list[tuple[str, int, int, bool]]) -> None:
    """Timers are a shortcut; looking back over all readings at every tick must lead to the same states."""
    readings = readings_of([(name, ticks, gap, False) for name, ticks, gap, _ in spells])
    one, states = Lifecycle(brand="cern", topic="higgs"), []
    for reading in readings:
        one.judge(reading, QUICK, "")
        states.append(one.state)

    assert states == LookBack(readings).states()


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
def test_a_return_is_told_once_with_its_outcome(spells: list[tuple[str, int, int, bool]]) -> None:
    """Its episode fires and is resolved, with nothing between; the outcome is that of the tick at which it fired."""
    readings = readings_of(spells)
    outcomes = {rfc3339(reading.at_ms): reading.outcome for reading in readings}
    told: dict[str, list[Alert]] = defaultdict(list)
    for alert in all_alerts(readings):
        assert (alert.outcome in OUTCOMES) == (alert.state == "returned")
        if alert.state == "returned":
            told[alert.episode].append(alert)

    for life in told.values():
        assert [alert.status for alert in life] in (["firing"], ["firing", "resolved"])
        assert {alert.outcome for alert in life} == {outcomes[life[0].at]}


@given(LIVES)
def test_a_firing_alert_shows_conditions_that_hold(spells: list[tuple[str, int, int, bool]]) -> None:
    """What an alert says must justify it: firing and resolved alerts carry conditions that are satisfied."""
    for alert in all_alerts(readings_of(spells)):
        # How a return stands beside its thresholds decides nothing; that its outcome is known does.
        shown = alert.conditions[:1] if alert.state == "returned" else alert.conditions
        assert alert.status not in ("firing", "resolved") or satisfied(shown)
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
