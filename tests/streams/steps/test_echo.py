"""What members talked about elsewhere is compared with what they said before and after, once each, and let go of."""

from collections.abc import Iterable
from math import log2

import msgspec
import pytest

from schemas.alert import ResonanceEvidence
from schemas.drift_rows import EchoRow
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import DAY_MS, HOUR_MS, EscapedRules
from schemas.vitals import Measures, State
from streams.lifecycle.alerts import rfc3339
from streams.steps.drift import TopicDrift
from streams.steps.echo import BYTES_MAX, REST, Echo, kept
from tests.streams.steps.drift.talk import BEFORE_PANES, PANE_MS, SEEDS, said, wild
from tests.streams.steps.logs import START_MS

RULES = EscapedRules(uses_min=20)
MEMBERS = [f"member-{number}" for number in range(200)]
LEFT_MS = START_MS + 9 * DAY_MS
"""The topic escapes; its conditions have held for an hour."""
OVER_MS = LEFT_MS + 2 * DAY_MS
"""The escape is over; what led out of it has held for six hours."""
TURNED_MS = OVER_MS - RULES.keep_ms
KNOWN_MS = OVER_MS + DAY_MS


def talk(since_ms: int, days: int, tags: Iterable[str]) -> TopicDrift:
    """Return a drift in which every member uses each of some tags once a day."""
    return also(TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES), since_ms, days, tags)


def also(drift: TopicDrift, since_ms: int, days: int, tags: Iterable[str]) -> TopicDrift:
    """Let every member use each of some tags once a day, an hour into it."""
    for day in range(days):
        for tag in tags:
            for member in MEMBERS:
                drift.add(wild(since_ms + day * DAY_MS + HOUR_MS, member, tag), SEEDS)
    return drift


def followed(drift: TopicDrift, echo: Echo, *turns: tuple[State, State, int]) -> None:
    """Let a topic go its ways."""
    for before, after, at_ms in turns:
        echo.follow(before, after, at_ms, drift=drift, rules=RULES)


def heard(later: Iterable[str], *, away: Iterable[str] = ("#old", "#wild")) -> Echo:
    """Return the echo of an escape to `away`, after a week of `#old` and `#usual`, and before a day of others."""
    echo, drift = Echo(hour_ms=HOUR_MS), talk(START_MS, 9, ["#old", "#usual"])
    followed(drift, echo, ("outgrown", "escaped", LEFT_MS))
    also(drift, LEFT_MS, 1, away)
    followed(drift, echo, ("escaped", "returning", OVER_MS))
    also(drift, TURNED_MS, 1, later)
    echo.listen(KNOWN_MS, is_known=True, drift=drift, rules=RULES)
    return echo


def told(echo: Echo) -> tuple[float | None, float | None, float | None]:
    """Return novelty, transience and resonance."""
    measures = Measures()
    echo.tell(measures)
    return measures.novelty_bits, measures.transience_bits, measures.resonance_bits


def test_what_is_half_new_and_goes_on_is_new_and_lasts() -> None:
    """Half of the shares are those of before, half are nowhere there: half a bit; afterwards nothing differs."""
    novelty, transience, resonance = told(heard(["#old", "#wild"]))

    # By hand: 1/2·log2(1) + 1/2·log2(2); chance takes less than the hundredth part off.
    assert novelty == pytest.approx(0.5 * log2(1) + 0.5 * log2(2), abs=0.01)
    assert transience == pytest.approx(0, abs=0.01)
    assert resonance == pytest.approx(0.5, abs=0.02)


def test_what_is_forgotten_afterwards_does_not_last() -> None:
    """As far from what came after as from what was before, as that is the same."""
    novelty, transience, resonance = told(heard(["#old", "#usual"]))

    assert novelty == pytest.approx(0.5, abs=0.01)
    assert transience == pytest.approx(0.5, abs=0.01)
    assert resonance == pytest.approx(0, abs=0.01)


def test_evidence_names_the_spans_that_were_compared() -> None:
    """Since the conditions of the escape held, until those that led out of it began to, and until it was looked."""
    echo = heard(["#old", "#usual"])
    novelty, transience, resonance = told(echo)

    assert echo.evidence() == ResonanceEvidence(
        since=rfc3339(LEFT_MS - RULES.for_ms),
        until=rfc3339(TURNED_MS),
        heard_until=rfc3339(KNOWN_MS),
        novelty_bits=novelty,
        transience_bits=transience,
        resonance_bits=resonance,
    )


def test_nothing_is_told_before_it_is_known_what_became_of_those_who_left_or_a_week_has_passed() -> None:
    """Then what was said within the week counts, and no more."""
    echo, drift = Echo(hour_ms=HOUR_MS), talk(START_MS, 9, ["#old", "#usual"])
    followed(drift, echo, ("growing", "escaped", LEFT_MS))
    also(drift, LEFT_MS, 1, ["#wild"])
    followed(drift, echo, ("escaped", "returning", OVER_MS))
    novelty = told(echo)[0]
    echo.listen(TURNED_MS + 7 * DAY_MS - 1, is_known=False, drift=drift, rules=RULES)

    assert novelty == pytest.approx(1, abs=0.01)
    assert (echo.evidence(), told(echo)) == (None, (novelty, None, None))

    also(drift, TURNED_MS, 7, ["#wild"])
    also(drift, TURNED_MS + 7 * DAY_MS, 1, ["#other"])
    echo.listen(TURNED_MS + 8 * DAY_MS, is_known=False, drift=drift, rules=RULES)
    evidence = echo.evidence()

    assert evidence is not None
    assert evidence.heard_until == rfc3339(TURNED_MS + 7 * DAY_MS)
    assert evidence.transience_bits == pytest.approx(0, abs=0.01)


def test_too_little_talk_has_no_number() -> None:
    """Nobody says anything after the escape; nobody said anything before this one."""
    silent = told(heard([]))
    echo, drift = Echo(hour_ms=HOUR_MS), talk(LEFT_MS, 1, ["#wild"])
    followed(drift, echo, ("growing", "escaped", LEFT_MS), ("escaped", "returning", OVER_MS))
    echo.listen(KNOWN_MS, is_known=True, drift=drift, rules=RULES)

    assert silent[0] is not None
    assert silent[1:] == (None, None)
    assert told(echo) == (None, None, None)


def test_it_ends_with_the_topic_as_itself_and_begins_anew_with_another_escape() -> None:
    """What is told then is of no escape, or of the latest."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
    echo = heard(["#old"])
    followed(drift, echo, ("returning", "returned", KNOWN_MS))
    assert echo.evidence() is not None
    again = heard(["#old"])
    followed(drift, again, ("returning", "escaped", KNOWN_MS))
    followed(drift, echo, ("returned", "growing", KNOWN_MS + DAY_MS))

    assert (echo.evidence(), told(echo)) == (None, (None, None, None))
    assert (again.evidence(), told(again)) == (None, (None, None, None))


def test_a_restart_between_any_two_ticks_changes_nothing() -> None:
    """All that is needed is in one row, told when it changes."""
    drift = talk(START_MS, 9, ["#old", "#usual"])
    echo = kept_echo = Echo(hour_ms=HOUR_MS)
    rows: dict[str, bytes] = {}
    for before, after, at_ms in (("growing", "escaped", LEFT_MS), ("escaped", "returning", OVER_MS)):
        followed(drift, echo, (before, after, at_ms))
        if kept_echo is not echo:
            followed(drift, kept_echo, (before, after, at_ms))
        rows |= {name: row for name, row in echo.changed_rows() if row}
        assert list(echo.changed_rows()) == []
        echo = Echo(hour_ms=HOUR_MS)
        echo.restore({"z": [rows["z"]]})
        also(drift, at_ms, 1, ["#wild"])
    for one in (echo, kept_echo):
        one.listen(KNOWN_MS, is_known=True, drift=drift, rules=RULES)

    assert told(echo) == told(kept_echo)
    assert echo.evidence() == kept_echo.evidence()
    # What was put aside is let go of.
    assert msgspec.msgpack.decode(next(echo.changed_rows())[1] or b"", type=EchoRow).counts == ()


def test_rare_tags_go_together_where_a_row_has_no_room() -> None:
    """The most used keep their names; no use is lost, and the row fits."""
    counts = {f"#{'x' * 100}{number}": number for number in range(1, 2_000)}
    held = dict(kept(counts))

    assert sum(held.values()) == sum(counts.values())
    assert REST in held
    assert min(users for tag, users in held.items() if tag != REST) == 2_000 - (len(held) - 1)
    assert BYTES_MAX * 0.9 < len(msgspec.msgpack.encode(EchoRow(LEFT_MS, kept(counts), 1, 0.5, 0.5, 1))) < ROW_BYTES_MAX


def test_a_tag_counts_once_a_day_and_member_so_that_spans_of_any_length_are_alike() -> None:
    """Six members, of whom two use a tag thrice a day: two a day, or four in two days."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
    for day in range(2):
        for hour in (1, 2, 9):
            for member in MEMBERS[:2]:
                drift.add(wild(START_MS + day * DAY_MS + hour * HOUR_MS, member, "#often"), SEEDS)
        for member in MEMBERS[:6]:
            drift.add(said(START_MS + day * DAY_MS + 10 * HOUR_MS, member, ["#brand"]), SEEDS)

    assert drift.said(since_ms=START_MS, until_ms=START_MS + DAY_MS, day_ms=DAY_MS) == {"#brand": 6, "#often": 2}
    assert drift.said(since_ms=START_MS, until_ms=START_MS + 2 * DAY_MS, day_ms=DAY_MS) == {"#brand": 12, "#often": 4}
