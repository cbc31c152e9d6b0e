"""Members are who the rule says at the instant asked, however often anything was swept or restarted before."""

from collections import Counter
from itertools import accumulate

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.member_rows import MemberRow
from schemas.rules import DAY_MS, HOUR_MS, MemberRules
from streams.measures.membership import DAY_EVENTS_MAX, TOPICS_MAX, Members

DEFAULT = MemberRules()
Act = tuple[int, str, str]
"""When, who, on which topic."""
Said = tuple[tuple[str, ...], list[tuple[bool, bool]]]

ACTORS, TOPICS = ("ana", "bo", "cy"), ("b/t", "b/u", "c/fast", "c/slow")
SHORT_MS = 50_000
RULES = {
    "b/t": (DEFAULT, DAY_MS),
    "b/u": (MemberRules(events_min=5, days_min=3, window_ms=9 * DAY_MS, burst_events_min=8, core_weeks_min=2), DAY_MS),
    "c/fast": (MemberRules(window_ms=28 * SHORT_MS, burst_events_min=2, core_weeks_min=1), SHORT_MS),
    "c/slow": (MemberRules(events_min=3, days_min=1, window_ms=60 * DAY_MS, burst_events_min=1_000), DAY_MS),
}


class Table:
    """What is stored of members: encoded rows, the latest of each actor."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def take(self, members: Members) -> None:
        """Store what changed; a row that ends must be there."""
        for actor, row in members.changed_rows():
            if row is None:
                del self.rows[actor]
            else:
                self.rows[actor] = msgspec.msgpack.encode(row)

    def restored(self) -> Members:
        """Return members that go on from what is stored."""
        members = Members()
        members.restore((actor, msgspec.msgpack.decode(row, type=MemberRow)) for actor, row in self.rows.items())
        return members


def feed(members: Members, act: Act, rules: MemberRules | None = None) -> None:
    """Let an act happen under the rules of its topic, or under others."""
    at_ms, actor, topic = act
    of_topic, day_ms = RULES[topic]
    members.act(actor=actor, topic=topic, at_ms=at_ms, rules=rules or of_topic, day_ms=day_ms)


def members_of(*instants_ms: int, rules: MemberRules = DEFAULT) -> Members:
    """Return members of whom Ana acted on one topic at these instants."""
    members = Members()
    for at_ms in instants_ms:
        feed(members, (at_ms, "ana", "b/t"), rules)
    return members


def expected(acts: list[Act], actor: str, topic: str, at_ms: int) -> tuple[bool, bool]:
    """Return whether an actor is a member and a core member: the definition, over everything that ever happened."""
    rules, day_ms = RULES[topic]
    instants = [at for at, who, where in acts if (who, where) == (actor, topic)]
    today = at_ms // day_ms
    days = Counter(at // day_ms for at in instants if today - rules.window_ms // day_ms < at // day_ms <= today)
    lasting = days.total() >= rules.events_min and len(days) >= rules.days_min
    burst = sum(1 for at in instants if at_ms - day_ms < at <= at_ms) >= rules.burst_events_min
    weeks = {(today - at // day_ms) // 7 for at in instants}
    member = lasting or burst
    return member, member and len(weeks & {0, 1, 2, 3}) >= rules.core_weeks_min


def said_by(members: Members, actor: str, at_ms: int) -> Said:
    """Return everything that is said of one actor."""
    return members.topics(actor, at_ms), [
        (members.is_member(actor, topic, at_ms), members.is_core(actor, topic, at_ms)) for topic in TOPICS
    ]


def expected_of(acts: list[Act], actor: str, at_ms: int) -> Said:
    """Return everything that is to be said of one actor."""
    said = [expected(acts, actor, topic, at_ms) for topic in TOPICS]
    return tuple(topic for topic, (member, _) in zip(TOPICS, said, strict=True) if member), said


GAPS_MS = st.one_of(
    st.sampled_from([0, 0, 1, SHORT_MS - 1, SHORT_MS, SHORT_MS + 1, 7 * SHORT_MS, HOUR_MS, 7 * HOUR_MS]),
    st.sampled_from([DAY_MS - 1, DAY_MS, DAY_MS + 1, 6 * DAY_MS, 7 * DAY_MS, 8 * DAY_MS, 27 * DAY_MS, 28 * DAY_MS]),
    st.integers(0, 30 * SHORT_MS),
    st.integers(0, 3 * DAY_MS),
    st.integers(0, 70 * DAY_MS),
)


@st.composite
def logs(draw: st.DrawFn) -> list[Act]:
    """Return acts in the order of time: of few actors, on topics with days of different lengths."""
    act = st.tuples(GAPS_MS, st.sampled_from(ACTORS), st.sampled_from(TOPICS))
    steps = draw(st.lists(act, min_size=1, max_size=40))
    instants = accumulate(gap_ms for gap_ms, _, _ in steps)
    return [(at_ms, actor, topic) for at_ms, (_, actor, topic) in zip(instants, steps, strict=True)]


@given(logs(), GAPS_MS)
@settings(max_examples=300)
def test_members_are_who_the_definition_says_at_any_instant(acts: list[Act], later_ms: int) -> None:
    """What is packed and forgotten must not show, right after an act, just before the next, or long after the last."""
    members = Members()
    for number, act in enumerate(acts, start=1):
        feed(members, act)
        next_ms = acts[number][0] - 1 if number < len(acts) else act[0] + later_ms
        for at_ms in {act[0], max(act[0], next_ms)}:
            for actor in ACTORS:
                assert said_by(members, actor, at_ms) == expected_of(acts[:number], actor, at_ms)


@given(logs(), st.data())
@settings(max_examples=200)
def test_neither_sweeps_nor_restarts_are_seen(acts: list[Act], data: st.DataObject) -> None:
    """When a worker sweeps, stores and crashes is chance; what it says must not be, nor which rows it leaves behind."""
    chances = st.sets(st.integers(0, len(acts) - 1))
    swept, told, crashed = data.draw(chances), data.draw(chances), data.draw(chances)
    calm, tried = Members(), Members()
    calm_table, tried_table = Table(), Table()
    for number, act in enumerate(acts):
        feed(calm, act)
        feed(tried, act)
        if number in swept:
            tried.expire(act[0])
        if number in told | crashed:
            tried_table.take(tried)
        if number in crashed:
            tried = tried_table.restored()

        for actor in ACTORS:
            assert said_by(tried, actor, act[0]) == said_by(calm, actor, act[0])

    for members, table in ((calm, calm_table), (tried, tried_table)):
        members.expire(acts[-1][0])
        table.take(members)

    assert tried_table.rows == calm_table.rows


@given(logs())
@settings(max_examples=50)
def test_everybody_is_forgotten_after_a_long_silence(acts: list[Act]) -> None:
    """Rows expire in event time: the table holds those who acted within the window, not everybody who ever did."""
    members, table = Members(), Table()
    for act in acts:
        feed(members, act)
        members.expire(act[0])
        table.take(members)
    members.expire(acts[-1][0] + 61 * DAY_MS)
    table.take(members)

    assert len(members) == 0
    assert table.rows == {}


def test_two_acts_on_one_day_make_no_member_but_on_two_days_they_do() -> None:
    """The default rule; it is the UTC day that counts, not how long it is ago."""
    assert not members_of(0, DAY_MS - 1).is_member("ana", "b/t", DAY_MS - 1)
    assert members_of(DAY_MS - 1, DAY_MS).is_member("ana", "b/t", DAY_MS)


def test_three_acts_within_a_day_make_a_member_on_day_one() -> None:
    """A campaign that lives two days has a community on its first; it lasts for as long as the three are a day's."""
    members = members_of(HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS)

    assert members.topics("ana", 3 * HOUR_MS) == ("b/t",)
    assert members.topics("ana", DAY_MS + HOUR_MS - 1) == ("b/t",)
    assert members.topics("ana", DAY_MS + HOUR_MS) == ()


def test_burst_over_midnight_counts() -> None:
    """The day of a burst slides."""
    rules = MemberRules(days_min=9)

    assert members_of(DAY_MS - 2, DAY_MS - 1, 2 * DAY_MS - 3, rules=rules).is_member("ana", "b/t", 2 * DAY_MS - 3)
    assert not members_of(DAY_MS - 2, DAY_MS - 1, 2 * DAY_MS - 2, rules=rules).is_member("ana", "b/t", 2 * DAY_MS - 2)


def test_membership_ends_and_a_returning_member_is_one_again() -> None:
    """28 days, of which the running one is the last; old days count no more when somebody comes back."""
    members = members_of(0, DAY_MS)
    before_ms, after_ms = 28 * DAY_MS - 1, 28 * DAY_MS
    lasted = members.is_member("ana", "b/t", before_ms), members.is_member("ana", "b/t", after_ms)
    feed(members, (40 * DAY_MS, "ana", "b/t"))
    back = members.is_member("ana", "b/t", 40 * DAY_MS)
    feed(members, (41 * DAY_MS, "ana", "b/t"))

    assert lasted == (True, False)
    assert not back
    assert members.is_member("ana", "b/t", 41 * DAY_MS)


def test_core_members_were_there_in_three_of_four_weeks() -> None:
    """Weeks are counted back from today; weeks in which nothing happened push the oldest out."""
    members = members_of(0, 7 * DAY_MS, 14 * DAY_MS)

    assert not members_of(0, 1 * DAY_MS, 7 * DAY_MS).is_core("ana", "b/t", 7 * DAY_MS)
    assert members.is_core("ana", "b/t", 28 * DAY_MS - 1)
    assert members.is_member("ana", "b/t", 28 * DAY_MS)
    assert not members.is_core("ana", "b/t", 28 * DAY_MS)


def test_core_members_are_members() -> None:
    """Who was there each week but too seldom for the topic's rule is not of the core either."""
    rules = MemberRules(events_min=5)

    assert not members_of(0, 7 * DAY_MS, 14 * DAY_MS, rules=rules).is_core("ana", "b/t", 14 * DAY_MS)


def test_core_looks_back_four_weeks_however_short_the_window() -> None:
    """Weeks in which somebody was no member count for the core as well."""
    rules = MemberRules(window_ms=2 * DAY_MS)
    members = members_of(0, 7 * DAY_MS, 26 * DAY_MS, 27 * DAY_MS, rules=rules)

    assert members.is_core("ana", "b/t", 28 * DAY_MS - 1)
    assert not members.is_core("ana", "b/t", 28 * DAY_MS)


def test_who_never_acted_is_no_member_even_if_nothing_is_asked_for() -> None:
    """Thresholds may be 0, but not everybody in the network belongs to every topic."""
    nothing = MemberRules(events_min=0, days_min=0, burst_events_min=0, core_weeks_min=0)
    members = members_of(5, rules=nothing)

    assert members.topics("bo", 5) == ()
    assert members.topics("ana", 5) == ("b/t",)
    assert members.topics("ana", 28 * DAY_MS) == ()


def test_scaled_window_is_rounded_to_whole_days() -> None:
    """28 days of 86.4 ms are 2419 ms, and 28.1 days of 86 ms; they are 28 days still."""
    members, rules = Members(), MemberRules(window_ms=2_419)
    for at_ms in (0, 86):
        members.act(actor="ana", topic="b/t", at_ms=at_ms, rules=rules, day_ms=86)

    assert members.is_member("ana", "b/t", 28 * 86 - 1)
    assert not members.is_member("ana", "b/t", 28 * 86)


def test_changed_rules_hold_from_the_next_act_on() -> None:
    """An actor is judged by the rules of its last act, whoever else acted since and whatever was restarted."""
    members = members_of(0, DAY_MS)
    strict = MemberRules(events_min=3, burst_events_min=9)
    feed(members, (DAY_MS + 1, "bo", "b/t"), strict)
    unmoved = members.is_member("ana", "b/t", DAY_MS + 1)
    feed(members, (DAY_MS + 2, "ana", "b/t"), MemberRules(events_min=4, burst_events_min=9))

    assert unmoved
    assert not members.is_member("ana", "b/t", DAY_MS + 2)


@pytest.mark.parametrize("swept", [False, True])
def test_longer_window_does_not_bring_back_what_has_left_the_shorter(swept: bool) -> None:
    """Whether it was swept yet must not matter, so it is gone for both."""
    members, longer = members_of(0, DAY_MS), MemberRules(events_min=3, window_ms=90 * DAY_MS)
    if swept:
        members.expire(40 * DAY_MS)
    feed(members, (40 * DAY_MS, "ana", "b/t"), longer)

    assert not members.is_member("ana", "b/t", 40 * DAY_MS)


def test_days_of_another_length_begin_anew() -> None:
    """Ten minutes that were a day are none when a day has 24 hours."""
    members = Members()
    for at_ms, day_ms in ((0, 600_000), (600_000, 600_000), (DAY_MS, DAY_MS)):
        members.act(actor="ana", topic="b/t", at_ms=at_ms, rules=DEFAULT, day_ms=day_ms)

    assert not members.is_member("ana", "b/t", DAY_MS)


def test_flood_counts_as_255_acts_a_day() -> None:
    """One loud actor takes one byte a day."""
    acts = range(2 * DAY_EVENTS_MAX)

    assert members_of(*acts, rules=MemberRules(DAY_EVENTS_MAX, 1, burst_events_min=9)).topics("ana", 510) == ("b/t",)
    assert members_of(*acts, rules=MemberRules(DAY_EVENTS_MAX + 1, 1, burst_events_min=9)).topics("ana", 510) == ()


@pytest.mark.parametrize("swept", [False, True])
def test_actor_on_very_many_topics_loses_the_one_where_it_was_silent_longest(swept: bool) -> None:
    """A row is bounded; what has long ended makes room first, swept or not."""
    members = Members()

    def act(topic: str, at_ms: int, window_ms: int) -> None:
        rules = MemberRules(events_min=1, days_min=1, window_ms=window_ms)
        members.act(actor="ana", topic=topic, at_ms=at_ms, rules=rules, day_ms=DAY_MS)

    act("b/oldest", 0, 90 * DAY_MS)
    act("b/ended", 1, DAY_MS)
    for number in range(TOPICS_MAX - 2):
        act(f"b/{number:02}", 2 + number, 90 * DAY_MS)
    if swept:
        members.expire(30 * DAY_MS)
    act("b/x", 30 * DAY_MS, 90 * DAY_MS)
    first = members.topics("ana", 30 * DAY_MS)
    act("b/y", 30 * DAY_MS, 90 * DAY_MS)
    second = members.topics("ana", 30 * DAY_MS)

    others = [f"b/{number:02}" for number in range(TOPICS_MAX - 2)]
    assert list(first) == [*others, "b/oldest", "b/x"]
    assert list(second) == [*others, "b/x", "b/y"]


def test_actor_who_came_and_went_between_two_checkpoints_leaves_no_row() -> None:
    """A row that was never told is not ended either."""
    members = members_of(0)
    members.expire(60 * DAY_MS)

    assert list(members.changed_rows()) == []


def test_rows_are_told_once_in_the_order_of_actors() -> None:
    """A checkpoint costs what changed."""
    members = Members()
    for at_ms, actor in enumerate(("cy", "ana", "cy")):
        feed(members, (at_ms, actor, "b/t"))
    first = [actor for actor, _ in members.changed_rows()]
    feed(members, (9, "bo", "b/t"))

    assert first == ["ana", "cy"]
    assert [actor for actor, _ in members.changed_rows()] == ["bo"]
    assert list(members.changed_rows()) == []


def test_act_out_of_order_is_refused() -> None:
    """What is kept are distances from the last act, so an answer would be wrong."""
    members = members_of(5)

    with pytest.raises(ValueError, match="expected an act at 5 ms or later, got 4: feed in stamp order"):
        feed(members, (4, "bo", "b/t"))
