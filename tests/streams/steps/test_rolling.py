"""The rolling measures of a topic equal a count over its windows, at every tick and behind every restart."""

from collections import Counter
from math import log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import ADOPTED, BRAND, LINEAGES, SEEDED, WILD
from schemas.contribution import Contribution
from schemas.lifecycle_rows import LifecycleRow
from schemas.rows import ROW_BYTES_MAX, TopicRow
from schemas.rules import DAY_MS, HOUR_MS, BaselineRules, Rules
from schemas.signal import KINDS
from schemas.vitals import WINDOWS, Measures
from streams.lifecycle.states import Lifecycle
from streams.steps.rolling import COUNT_MINUTES, WINDOW_MINUTES, Rolling, hour_ms_of, panes_of

START_MS = 1_341_360_000_000
PANE_MS = 10 * 60_000
ACTIVE_MS = 3 * HOUR_MS
RULES = Rules()
POST = KINDS.index("post")


class Table:
    """What is stored of the rolling measures: rows by name, beside the head of the topic."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def take(self, rolling: Rolling) -> None:
        """Store what changed; a row that ends must be there."""
        for name, row in rolling.changed_rows():
            if row is None:
                del self.rows[name]
            else:
                assert len(row) <= ROW_BYTES_MAX
                self.rows[name] = row

    def restored(self, old: Rolling) -> Rolling:
        """Return what goes on from the rows, and from what a topic's head remembers of the old one."""
        by_letter: dict[str, list[bytes]] = {}
        for name, row in self.rows.items():
            by_letter.setdefault(name.partition("|")[0], []).append(row)
        new = Rolling(pane_ms=old.pane_ms, hour_ms=old.hour_ms, first_pane=old.first_pane, active_ms=ACTIVE_MS)
        lifecycle: LifecycleRow = Lifecycle(brand="b", topic="t").row()
        head = TopicRow(old.pane_ms, old.first_pane, old.end, 0, lifecycle, peak=old.peak, peak_at_ms=old.peak_at_ms)
        new.restore(head, by_letter)
        return new


def new_rolling(*, pane_ms: int = PANE_MS, hour_ms: int = HOUR_MS) -> Rolling:
    """Return measures of a topic of which nothing was said."""
    return Rolling(pane_ms=pane_ms, hour_ms=hour_ms, active_ms=ACTIVE_MS)


def act(
    at_ms: int,
    actor: str = "ana",
    *,
    kind: int = POST,
    lineage: int = ADOPTED,
    units: int = 1000,
    member: bool = False,
    core: bool = False,
) -> Contribution:
    """Return what somebody did on the topic."""
    return Contribution(at_ms, f"{at_ms}{actor}", "b/t", actor, kind, lineage, units, "r", "n", member, core=core)


def close(rolling: Rolling, upto_ms: int) -> None:
    """Close the pane that ends at an instant."""
    rolling.close(upto_ms // rolling.pane_ms - 1)


def fed(rolling: Rolling, acts: list[Contribution], *, upto_ms: int) -> Rolling:
    """Let things be done, with a tick behind each pane that anything was done in, up to an instant."""
    for one in acts:
        while rolling.end and (rolling.end + 1) * rolling.pane_ms <= one.at:
            close(rolling, (rolling.end + 1) * rolling.pane_ms)
        if not rolling.end:
            close(rolling, one.at // rolling.pane_ms * rolling.pane_ms)
        rolling.add(one)
    close(rolling, upto_ms)
    return rolling


def measured(rolling: Rolling, at_ms: int, *, rules: Rules = RULES) -> Measures:
    """Return the measures of a tick."""
    return rolling.measures(at_ms, rolling.windows()["24h"].actors, rules, learns=True)


def random_acts(seed: int, *, count: int = 80) -> list[Contribution]:
    """Return acts of a few people in the order of time, with silences of hours and days."""
    random, at_ms, acts = Random(seed), START_MS, []
    for _ in range(count):
        at_ms += random.choice([0, 1_000, 60_000, PANE_MS, HOUR_MS]) if random.random() < 0.95 else 9 * HOUR_MS
        acts.append(
            act(
                at_ms,
                f"actor-{random.randrange(12)}",
                kind=random.randrange(len(KINDS)),
                lineage=random.randrange(len(LINEAGES)),
                units=random.choice([0, 200, 1000]),
                member=random.random() < 0.5,
                core=random.random() < 0.3,
            )
        )
    return acts


def ticks_of(acts: list[Contribution]) -> range:
    """Return the ticks from the first act to a day behind the last."""
    first_ms = acts[0].at // PANE_MS * PANE_MS
    return range(first_ms + PANE_MS, acts[-1].at + DAY_MS, PANE_MS)


# --- windows ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_windows_equal_a_count_over_everything(seed: int) -> None:
    """Signals by kind and lineage, engagement, actors, the busiest actor's share; at some ticks of two days or so."""
    acts, rolling, at = random_acts(seed), new_rolling(), 0
    for tick_ms in ticks_of(acts):
        while at < len(acts) and acts[at].at < tick_ms:
            rolling.add(acts[at])
            at += 1
        close(rolling, tick_ms)
        if tick_ms // PANE_MS % 31 == 0:
            for name, window in rolling.windows().items():
                span_ms = max(WINDOW_MINUTES[name] * 60_000, PANE_MS)
                inside = [one for one in acts if tick_ms - span_ms <= one.at < tick_ms]
                # The audiences of a day and a week begin at a block of five panes.
                block_ms = PANE_MS if span_ms <= 60 * PANE_MS else 5 * PANE_MS
                begin_ms = (tick_ms - span_ms) // block_ms * block_ms
                busiest = max(Counter(one.actor for one in inside).values(), default=0)

                assert window.signals == len(inside)
                assert window.by_kind == {kind: sum(one.kind == k for one in inside) for k, kind in enumerate(KINDS)}
                assert window.by_lineage == {
                    lineage: sum(one.lineage == k for one in inside) for k, lineage in enumerate(LINEAGES)
                }
                assert window.engagement == sum(one.units for one in inside) / 1000
                assert window.actors == len({one.actor for one in acts if begin_ms <= one.at < tick_ms})
                assert window.top_actor_share == pytest.approx(busiest / max(1, len(inside)), rel=1e-5)


def test_every_window_that_is_told_has_a_length() -> None:
    """Vitals name them, and so do readers."""
    assert set(WINDOWS) == set(WINDOW_MINUTES)
    assert set(new_rolling().windows()) == set(WINDOWS)


@given(st.sampled_from(sorted(COUNT_MINUTES.values())), st.integers(1, 7_200), st.integers(60, 3_600))
def test_panes_of_a_window_cover_its_time_to_half_a_pane(minutes: int, pane_s: int, hour_s: int) -> None:
    """But for windows of less than a pane, which are one."""
    panes = panes_of(minutes, pane_ms=1_000 * pane_s, hour_ms=1_000 * hour_s)

    assert panes >= 1
    assert panes == 1 or abs(panes * pane_s - minutes * hour_s / 60) <= pane_s / 2


@pytest.mark.parametrize("scale", [1.0, 0.5, 1 / 60, 1 / 600])
def test_a_scaled_topic_says_the_same_of_the_same_that_happens_faster(scale: float) -> None:
    """Windows, growth and baselines are multiples of the hour."""
    hour_ms = hour_ms_of(Rules(scale=scale))
    told = []
    for hour in (HOUR_MS, hour_ms):
        rolling, random, pane_ms = new_rolling(pane_ms=hour // 6, hour_ms=hour), Random(1), hour // 6
        for pane in range(400):
            for number in range(random.randrange(4)):
                rolling.add(act(pane * pane_ms + number, f"actor-{random.randrange(30)}"))
            rolling.close(pane)
        told.append((rolling.windows(), measured(rolling, 400 * pane_ms).baseline_expected))

    assert told[0] == told[1]


def test_order_within_a_pane_does_not_matter() -> None:
    """Contributions of one instant come from several partitions."""
    told = []
    for seed in (1, 2, 3):
        rolling = new_rolling()
        acts = [
            act(START_MS + number, f"actor-{number % 7}", lineage=number % 4, kind=number % 3) for number in range(50)
        ]
        for one in Random(seed).sample(acts, len(acts)):
            rolling.add(one)
        close(rolling, START_MS + PANE_MS)
        told.append((rolling.windows(), measured(rolling, START_MS + PANE_MS)))

    assert told[0] == told[1] == told[2]


# --- members ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_active_members_are_those_who_were_on_the_topic_lately(seed: int) -> None:
    """Each once; nobody for what was said elsewhere, and nobody who is no member."""
    acts, rolling, at = random_acts(seed), new_rolling(), 0
    for tick_ms in ticks_of(acts):
        while at < len(acts) and acts[at].at < tick_ms:
            rolling.add(acts[at])
            at += 1
        close(rolling, tick_ms)
        lately = [one for one in acts if tick_ms - ACTIVE_MS <= one.at < tick_ms]

        members = [one for one in lately if one.member and one.lineage != WILD]
        assert rolling.active_members() == len({one.actor for one in members})
        assert rolling.active_core_members() == len({one.actor for one in members if one.core})


def test_a_member_leaves_the_active_ones_when_the_time_is_over() -> None:
    """Three hours behind the end of the pane of the last act."""
    rolling = new_rolling()
    rolling.add(act(START_MS + 1, member=True))
    seen = []
    for tick_ms in (START_MS + PANE_MS, START_MS + ACTIVE_MS, START_MS + ACTIVE_MS + PANE_MS):
        close(rolling, tick_ms)
        seen.append(rolling.active_members())

    assert seen == [1, 1, 0]


# --- measures ---------------------------------------------------------------------------------------------------------


def test_outgrowth_and_its_share_have_the_values_by_hand() -> None:
    """Thirty of the community's own beginnings of ten people, ten of the brand's of five, two of the brand itself."""
    acts = [act(START_MS + n, f"own-{n % 10}", lineage=(ADOPTED, WILD)[n % 2]) for n in range(30)]
    acts += [act(START_MS + 100 + n, f"fan-{n % 5}", lineage=SEEDED) for n in range(10)]
    acts += [act(START_MS + 200 + n, "brand", lineage=BRAND) for n in range(2)]
    measures = measured(fed(new_rolling(), acts, upto_ms=START_MS + PANE_MS), START_MS + PANE_MS)

    assert measures.endogenous_share == 0.75
    assert measures.endogenous_share_low is not None
    assert measures.endogenous_share_low < 0.75
    assert measures.outgrowth_ratio is not None
    assert measures.actor_outgrowth_ratio is not None
    assert 1 < measures.actor_outgrowth_ratio <= 2
    assert 2 < measures.outgrowth_ratio < 3


@pytest.mark.parametrize("hour_ms", [HOUR_MS, HOUR_MS // 60])
def test_velocity_is_signals_an_hour_and_acceleration_its_change(hour_ms: int) -> None:
    """Five in the hour before, twelve in the last: of an hour of ours, however long one lasts in the season."""
    pane_ms, per_hour = hour_ms // 6, 60 * HOUR_MS // hour_ms // 60
    rolling = new_rolling(pane_ms=pane_ms, hour_ms=hour_ms)
    first = START_MS // pane_ms
    for pane, count in enumerate((5, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2)):
        for number in range(count):
            rolling.add(act((first + pane) * pane_ms + number))
        rolling.close(first + pane)
    measures = measured(rolling, (first + 12) * pane_ms)

    assert measures.velocity == 12 * per_hour
    assert measures.acceleration == 7 * per_hour**2
    assert measures.peak_velocity == 12 * per_hour


def test_the_peak_is_the_most_of_any_hour_at_the_first_tick_that_had_it() -> None:
    """An hour as busy as the busiest is no new peak."""
    rolling, peaks = new_rolling(), []
    first = START_MS // PANE_MS
    for pane, count in enumerate((1, 4, 0, 0, 0, 0, 0, 3, 0, 0, 5, 0, 0, 0, 6, 0)):
        for number in range(count):
            rolling.add(act((first + pane) * PANE_MS + number))
        rolling.close(first + pane)
        measures = measured(rolling, (first + pane + 1) * PANE_MS)
        peaks.append((measures.peak_velocity, measures.peak_at))
    by_pane = [(1.0, 1), (5.0, 2), *[(5.0, 2)] * 8, *[(8.0, 11)] * 3, (8.0, 11), (11.0, 15), (11.0, 15)]

    assert peaks == [(peak, (first + pane) * PANE_MS) for peak, pane in by_pane]


def test_growth_compares_a_day_with_the_day_before() -> None:
    """Forty signals and then eighty: ln 2 days over the logarithm of 80.5/40.5."""
    rolling = new_rolling()
    acts = [act(START_MS + n * DAY_MS // 40, f"a{n}") for n in range(40)]
    acts += [act(START_MS + DAY_MS + n * DAY_MS // 80, f"b{n}") for n in range(80)]
    measures = measured(fed(rolling, acts, upto_ms=START_MS + 2 * DAY_MS), START_MS + 2 * DAY_MS)

    assert measures.doubling_time_s == pytest.approx(86_400 * log(2) / log(80.5 / 40.5), rel=1e-5)


def test_growth_of_a_young_topic_is_told_over_hours() -> None:
    """Two hours old it has doubled thrice and more in one of them; younger, there is nothing to compare."""
    acts = [act(START_MS + n * HOUR_MS // 10, f"a{n}") for n in range(10)]
    acts += [act(START_MS + HOUR_MS + n * HOUR_MS // 90, f"b{n}") for n in range(90)]
    old_ms, young_ms = START_MS + 2 * HOUR_MS, START_MS + 2 * HOUR_MS - PANE_MS
    old = measured(fed(new_rolling(), acts, upto_ms=old_ms), old_ms)
    young = measured(fed(new_rolling(), [one for one in acts if one.at < young_ms], upto_ms=young_ms), young_ms)

    assert old.doubling_time_s == pytest.approx(3_600 * log(2) / log(90.5 / 10.5), rel=1e-5)
    assert young.doubling_time_s is None


def test_what_is_usual_for_an_hour_is_learnt_from_whole_hours_but_the_first() -> None:
    """Of a topic that began within an hour the first is not whole; every whole one behind it has six."""
    rules = BaselineRules(learning_hours=0, weekly_after_hours=0)
    rolling, expected = new_rolling(), []
    first = START_MS // PANE_MS + 3
    for pane in range(24):
        rolling.add(act((first + pane) * PANE_MS))
        rolling.close(first + pane)
        at_ms = (first + pane + 1) * PANE_MS
        expected.append(rolling.usual_hour(at_ms, 6, rules).expected)
        rolling.learn_hour(at_ms, 6, firing=False)
    learnt = [pane for pane, value in enumerate(expected) if value is not None]

    assert set(expected) == {None, 6.0}
    # The topic begins at half past: the first hour is whole at two, nine panes later, and is read at the tick behind.
    assert learnt == list(range(9, 24))


# --- remembering ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(0, 79), st.booleans())
@settings(max_examples=25)
def test_measures_from_their_rows_go_on_the_same(seed: int, kept_after: int, is_long_silence: bool) -> None:
    """A restart anywhere, also within a pane, changes neither what is said nor what is stored from then on."""
    acts = random_acts(seed)
    if is_long_silence:
        acts[kept_after:] = [
            act(one.at + 8 * DAY_MS, one.actor, lineage=one.lineage, member=one.member, core=one.core)
            for one in acts[kept_after:]
        ]
    random, table, again = Random(seed), Table(), Table()
    old = new = new_rolling()
    for number, one in enumerate(acts):
        at_ms = one.at // PANE_MS * PANE_MS
        for rolling in {id(old): old, id(new): new}.values():
            if at_ms > rolling.end * PANE_MS:
                close(rolling, at_ms)
        if number > kept_after:
            assert (old.windows(), old.active_members()) == (new.windows(), new.active_members())
            assert old.active_core_members() == new.active_core_members()
            assert (old.end, old.is_empty(), old.first_pane) == (new.end, new.is_empty(), new.first_pane)
            if acts[number - 1].at // PANE_MS < one.at // PANE_MS:
                assert measured(old, at_ms) == measured(new, at_ms)
                assert (old.peak, old.peak_at_ms) == (new.peak, new.peak_at_ms)
            new.add(one)
            table.take(old)
            again.take(new)
        elif number and acts[number - 1].at // PANE_MS < one.at // PANE_MS:
            measured(old, at_ms)
        old.add(one)
        if number == kept_after or random.random() < 0.3:
            table.take(old)
        if number == kept_after:
            again.rows |= table.rows
            new = table.restored(old)
    table.take(old)
    again.take(new)

    assert table.rows.keys() == again.rows.keys()


def test_a_topic_of_which_nothing_is_left_is_empty_and_has_few_rows() -> None:
    """Eight days behind the last act no window covers anything; what its hours were usually like is kept."""
    rolling, table = new_rolling(), Table()
    fed(rolling, random_acts(1), upto_ms=random_acts(1)[-1].at // PANE_MS * PANE_MS + PANE_MS)
    table.take(rolling)
    assert not rolling.is_empty()
    close(rolling, random_acts(1)[-1].at + 8 * DAY_MS)
    table.take(rolling)

    assert rolling.is_empty()
    assert {name.partition("|")[0] for name in table.rows} <= {"o", "b", "u", "r"}


def test_rows_stay_small_in_a_crowd_with_long_ids() -> None:
    """Three thousand people a pane, with ids of 512 bytes: `Table` looks at every row; the sums stay exact."""
    rolling, table = new_rolling(), Table()
    first = START_MS // PANE_MS
    for pane in range(3):
        for number in range(3_000):
            rolling.add(act((first + pane) * PANE_MS + number, f"{number}".ljust(512, "x"), member=True))
            if number % 500 == 0:
                table.take(rolling)
        rolling.close(first + pane)
        table.take(rolling)
    window = rolling.windows()["1h"]

    assert window.signals == 9_000
    assert window.actors == pytest.approx(3_000, rel=0.07)
    assert rolling.active_members() == pytest.approx(3_000, rel=0.07)
