"""Check what holds for every life of a cascade, on random ones: against the definition, and across restarts."""

from math import inf
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import CascadeVitals
from schemas.lifecycle_rows import ViralRow
from schemas.rules import MINUTE_MS, Rules, ViralRules
from streams.lifecycle.conditions import Reading, satisfied
from streams.lifecycle.viral import ViralWatch, is_another
from streams.lifecycle.viral_conditions import viral_enter, viral_fading, viral_over
from tests.streams.lifecycle.readings import CASCADE_MOODS, at_minute, mood, vitals
from tests.streams.lifecycle.viral.lives import HASH, watch

# --- random lives -----------------------------------------------------------------------------------------------------

QUICK = Rules(viral=ViralRules(for_ms=5 * MINUTE_MS, keep_ms=8 * MINUTE_MS, age_max_ms=90 * MINUTE_MS))
MOODS = st.sampled_from([*CASCADE_MOODS, "large", "larger", "spreading"])
LIVES = st.lists(
    st.tuples(st.integers(1, 9), st.booleans(), st.tuples(*[st.none() | MOODS] * 3)), min_size=5, max_size=30
)
"""Spells: minutes, whether the topic is not heard at their first tick, and vitals that come then, one per root."""


def ticks_of(spells: list[tuple[int, bool, tuple[str | None, ...]]]) -> list[tuple[Reading, list[CascadeVitals]]]:
    """Return the ticks of a random life, each with the vitals that come before it."""
    found, minute, ended = [], 0, set()
    for minutes, stale, names in spells:
        for n in range(minutes):
            minute += 1
            at_ms = at_minute(minute)
            said = [vitals(name, at_ms, root="abc"[at]) for at, name in enumerate(names) if name and n == 0]
            found.append(
                (mood("seeded", at_ms, stale=stale and n == 0), [one for one in said if one.root not in ended])
            )
            ended |= {one.root for one in said if "ended" in one.flags}
    return found


@given(LIVES)
def test_put_away_and_taken_up_at_every_tick_it_tells_the_same(
    spells: list[tuple[int, bool, tuple[str | None, ...]]],
) -> None:
    """A crash may come before any tick and after it: neither the alerts nor the rows may show it."""
    whole, expected, alerts = watch(), [], []
    table: dict[str, bytes] = {}
    whole_table: dict[str, bytes] = {}

    def store(one: ViralWatch, table: dict[str, bytes]) -> None:
        for root, row in one.changed_rows():
            table.pop(root, None)
            if row is not None:
                table[root] = msgspec.msgpack.encode(row)

    def restored() -> ViralWatch:
        return watch(msgspec.msgpack.decode(row, type=ViralRow) for row in reversed(table.values()))

    for reading, come in ticks_of(spells):
        one = restored()
        for found in come:
            whole.take(found, QUICK)
            one.take(found, QUICK)
        store(one, table)
        one = restored()
        expected += whole.judge(reading, QUICK, HASH)
        alerts += one.judge(reading, QUICK, HASH)
        store(one, table)
        store(whole, whole_table)
        assert table == whole_table
        assert one.needs_ticks == whole.needs_ticks

    assert msgspec.json.encode(alerts) == msgspec.json.encode(expected)


def expected_of(ticks: list[tuple[Reading, list[CascadeVitals]]], root: str) -> list[tuple[int, str]]:
    """Recompute what one cascade tells from the definition, looking back at every tick; no timers, no stale ticks."""
    known: list[CascadeVitals | None] = []
    for _, come in ticks:
        known.append(next((one for one in come if one.root == root), known[-1] if known else None))
    at_ms = [reading.at_ms for reading, _ in ticks]
    told: list[tuple[int, str]] = []
    is_open, start = False, 0
    forecast: float | None = None

    def lasted(holds: Any, now: int) -> int:
        since = now + 1
        while since > start and known[since - 1] is not None and holds(known[since - 1]):
            since -= 1
        return at_ms[now] - at_ms[since] if since <= now else -1

    def enters(one: CascadeVitals) -> bool:
        return satisfied(viral_enter(one, QUICK)) and "ended" not in one.flags

    def differs(one: CascadeVitals) -> bool:
        if not is_another(one.forecast, told=forecast, change=QUICK.viral.forecast_change):
            return False
        low, high = (inf if end is None else end for end in (one.forecast_low, one.forecast_high))
        return not low <= (inf if forecast is None else forecast) <= high

    for now, one in enumerate(known):
        if one is None:
            continue
        is_over = any(found.holds for found in viral_over(one, QUICK, at_ms=at_ms[now]))
        if is_open and (is_over or lasted(lambda v: viral_fading(v, QUICK).holds, now) >= QUICK.viral.keep_ms):
            told.append((at_ms[now], "resolved"))
            is_open, start = False, now + 1
        elif is_open and lasted(differs, now) >= QUICK.viral.for_ms:
            told.append((at_ms[now], "updated"))
            forecast = one.forecast
        elif not is_open and not is_over and lasted(enters, now) >= QUICK.viral.for_ms:
            told.append((at_ms[now], "firing"))
            is_open, start, forecast = True, now + 1, one.forecast
    return told


def test_random_lives_tell_everything() -> None:
    """The property below would prove little if the lives never went anywhere."""
    seen: set[str] = set()

    @given(LIVES)
    def collect(spells: list[tuple[int, bool, tuple[str | None, ...]]]) -> None:
        seen.update(status for root in "abc" for _, status in expected_of(ticks_of(spells), root))

    collect()

    assert seen == {"firing", "updated", "resolved"}


@given(LIVES)
def test_what_is_told_is_what_the_definition_says(spells: list[tuple[int, bool, tuple[str | None, ...]]]) -> None:
    """Timers and the choice of what to judge are shortcuts; looking back at every tick must tell the same."""
    ticks = ticks_of([(minutes, False, names) for minutes, _, names in spells])
    one, alerts = watch(), []
    for reading, come in ticks:
        for found in come:
            one.take(found, QUICK)
        alerts += [(reading.at_ms, alert) for alert in one.judge(reading, QUICK, HASH)]

    for root in "abc":
        told = [(at_ms, alert) for at_ms, alert in alerts if alert.evidence.cascades[0].root == root]
        assert [(at_ms, alert.status) for at_ms, alert in told] == expected_of(ticks, root)
    assert len({alert.id for _, alert in alerts}) == len(alerts)
