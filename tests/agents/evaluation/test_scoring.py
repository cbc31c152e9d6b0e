"""Alerts are compared with the truth by cases made by hand."""

from collections.abc import Sequence

import pytest

from agents.evaluation.scoring import EARLY_MS, Score, Span, Timing, score, timings_of
from agents.seasons import TruthState
from schemas.alert import Alert, Evidence, Status
from schemas.alert import Span as Evidenced
from schemas.rules import HOUR_MS, MINUTE_MS, OutgrownRules, Rules
from streams.eventtime.instants import instant_ms
from streams.lifecycle.alerts import rfc3339
from streams.lifecycle.rules import scaled

START_MS = 1_777_852_800_000
END_HOURS = 200
TIMINGS = {
    "growing": Timing(HOUR_MS, 6 * HOUR_MS),
    "outgrown": Timing(2 * HOUR_MS, 6 * HOUR_MS),
    "escaped": Timing(3 * HOUR_MS, 12 * HOUR_MS),
}


def at(hours: float) -> int:
    """Return the instant so many hours into the season."""
    return START_MS + round(hours * HOUR_MS)


def true(
    hours: float,
    state: str,
    *,
    until: float | None = None,
    outcome: str | None = None,
    trap: str | None = None,
    tolerated: tuple[str, ...] = (),
) -> TruthState:
    """Return what is true from an hour of the season on."""
    return TruthState(
        at(hours),
        "meadow",
        "wildflowers",
        state,
        "why",
        outcome=outcome,
        trap=trap,
        until=None if until is None else at(until),
        tolerated=tolerated,
    )


def alert(hours: float, state: str, status: Status, episode: str, since: float, outcome: str | None) -> Alert:
    """Return an alert that is told at an hour of the season."""
    stamp, since_stamp = rfc3339(at(hours)), rfc3339(at(since))
    return Alert(
        f"{episode}-{status}-{hours}",
        episode,
        "meadow",
        "wildflowers",
        state,
        status,
        3,
        stamp,
        since_stamp,
        f"{state} since hour {since}",
        (),
        Evidence(),
        "0" * 16,
        Evidenced(from_=since_stamp, to=stamp, signals=1),
        outcome,
    )


def episode(
    fired: float,
    state: str = "outgrown",
    *,
    ended: float | None = None,
    since: float | None = None,
    outcome: str | None = None,
) -> list[Alert]:
    """Return the alerts of an episode, whose conditions held for its `for` unless said otherwise."""
    held = TIMINGS.get(state, Timing()).for_ms / HOUR_MS
    begun = fired - held if since is None else since
    told = [alert(fired, state, "firing", f"{state}-{fired}", begun, outcome)]
    told.append(alert(fired + 0.5, state, "updated", f"{state}-{fired}", begun, outcome))
    if ended is not None:
        told.append(alert(ended, state, "resolved", f"{state}-{fired}", begun, outcome))
    return told


def judged(truth: Sequence[TruthState], *episodes: list[Alert], state: str = "outgrown") -> Score:
    """Return the score of one state."""
    told = [one for alerts in episodes for one in alerts]
    return score(truth, told, end_ms=at(END_HOURS), timings=TIMINGS)[state]


def counts(found: Score) -> tuple[int, int, int, int, int]:
    """Return how many were found, missed, false, repeated and tolerated."""
    return len(found.hits), len(found.missed), len(found.false), len(found.repeats), len(found.tolerated)


STORY = (true(0, "seeded"), true(50, "growing"), true(60, "outgrown"), true(90, "growing"))


def test_an_alert_within_the_true_span_finds_it() -> None:
    """Its delay runs from the instant at which the state is true to the alert that fires."""
    found = judged(STORY, episode(62.25, ended=95))

    assert counts(found) == (1, 0, 0, 0, 0)
    assert found.hits[0].delay_ms == 135 * MINUTE_MS
    assert found.hits[0].span == Span("outgrown", at(60), at(90))
    assert found.timing.for_ms == 2 * HOUR_MS


def test_an_early_alert_that_lasts_into_the_span_finds_it_with_a_negative_delay() -> None:
    """The truth draws its line somewhere too; who sees it coming is not wrong."""
    found = judged(STORY, episode(59))

    assert counts(found) == (1, 0, 0, 0, 0)
    assert found.hits[0].delay_ms == -HOUR_MS


def test_an_alert_that_is_much_too_early_is_false_though_it_lasts() -> None:
    """Who always cries wolf is right in the end, and has found nothing."""
    hours = EARLY_MS / HOUR_MS

    assert counts(judged(STORY, episode(60 - hours))) == (1, 0, 0, 0, 0)
    assert counts(judged(STORY, episode(59.9 - hours))) == (0, 1, 1, 0, 0)


def test_an_early_alert_that_is_over_before_the_span_is_false() -> None:
    """It took back what it said, before that was true."""
    assert counts(judged(STORY, episode(57, ended=59))) == (0, 1, 1, 0, 0)


def test_a_late_alert_finds_the_span_if_its_evidence_is_of_it() -> None:
    """It may even fire after the span, as long as its conditions began to hold within."""
    assert counts(judged(STORY, episode(91, since=89))) == (1, 0, 0, 0, 0)
    assert judged(STORY, episode(91, since=89)).hits[0].delay_ms == 31 * HOUR_MS
    assert counts(judged(STORY, episode(93, since=91))) == (0, 1, 1, 0, 0)


def test_a_span_that_nobody_tells_is_missed() -> None:
    """Alerts of other states do not find it."""
    found = judged(STORY, episode(52, "growing"))

    assert counts(found) == (0, 1, 0, 0, 0)
    assert found.missed == (Span("outgrown", at(60), at(90)),)


def test_a_second_episode_in_one_true_span_repeats_it() -> None:
    """It is neither found twice nor false."""
    found = judged(STORY, episode(62, ended=70), episode(80, ended=95))

    assert counts(found) == (1, 0, 0, 1, 0)
    assert found.hits[0].told.fired_ms == at(62)
    assert found.hits[0].told.ended_ms == at(70)


def test_two_true_spans_want_an_episode_each() -> None:
    """One that lasts over both finds one."""
    truth = (*STORY, true(120, "outgrown"), true(150, "growing"))

    assert counts(judged(truth, episode(62, ended=95), episode(122, ended=155))) == (2, 0, 0, 0, 0)
    assert counts(judged(truth, episode(62, ended=155))) == (1, 1, 0, 0, 0)


def test_an_interruption_that_keep_bridges_makes_no_two_spans() -> None:
    """The rules would not tell of it, so two episodes are not asked for."""
    truth = (*STORY[:3], true(70, "growing"), true(76, "outgrown"), true(90, "growing"))

    assert counts(judged(truth, episode(62, ended=96))) == (1, 0, 0, 0, 0)
    assert counts(judged((*STORY[:3], true(70, "growing"), true(76.1, "outgrown")), episode(62))) == (1, 1, 0, 0, 0)


def test_a_span_shorter_than_for_is_neither_asked_for_nor_wrong() -> None:
    """By the rules it must not be told."""
    truth = (*STORY[:3], true(61.9, "growing"))

    assert counts(judged(truth)) == (0, 0, 0, 0, 0)
    assert counts(judged(truth, episode(62.5, since=60.5, ended=70))) == (0, 0, 0, 0, 1)


def test_a_trap_makes_every_state_false_that_it_does_not_tolerate() -> None:
    """One post that goes around is growth, not a community."""
    truth = (true(0, "seeded"), true(106, "none", until=118, trap="one post goes around", tolerated=("growing",)))
    told = (episode(108, "growing"), episode(109), episode(109.5, "escaped", since=107))

    assert counts(judged(truth, *told, state="growing")) == (0, 0, 0, 0, 1)
    assert counts(judged(truth, *told, state="outgrown")) == (0, 0, 1, 0, 0)
    assert counts(judged(truth, *told, state="escaped")) == (0, 0, 1, 0, 0)


@pytest.mark.parametrize(("fired", "since", "is_tolerated"), [(105.9, 105, 0), (106, 105, 1), (118.5, 117.5, 1)])
def test_what_a_trap_tolerates_it_tolerates_in_its_time(fired: float, since: float, is_tolerated: int) -> None:
    """From its beginning to its end; what fires later must have begun to hold before."""
    truth = (true(0, "seeded"), true(106, "none", until=118, trap="trap", tolerated=("growing",)))

    assert len(judged(truth, episode(fired, "growing", since=since), state="growing").tolerated) == is_tolerated
    assert counts(judged(truth, episode(119, "growing", since=118), state="growing")) == (0, 0, 1, 0, 0)


def test_what_is_tolerated_without_an_end_is_so_until_the_next_change() -> None:
    """A drift of neither little nor much may be called an escape, or not."""
    truth = (true(0, "seeded"), true(100, "none", tolerated=("escaped",)), true(140, "growing"))

    assert counts(judged(truth, episode(120, "escaped"), state="escaped")) == (0, 0, 0, 0, 1)
    assert counts(judged(truth, episode(150, "escaped"), state="escaped")) == (0, 0, 1, 0, 0)


def test_who_has_escaped_has_outgrown_the_brand_too() -> None:
    """Falling from the higher state to the lower one is no false alarm; rising to the higher one is."""
    truth = (true(0, "seeded"), true(60, "escaped"), true(90, "returning"), true(120, "seeded"))

    assert counts(judged(truth, episode(95))) == (0, 0, 0, 0, 1)
    assert counts(judged(STORY, episode(70, "escaped"), state="escaped")) == (0, 0, 1, 0, 0)


def test_a_return_is_told_as_a_moment_and_keeps_its_outcome() -> None:
    """Whether that is right is another question than whether the return was seen."""
    truth = (true(0, "seeded"), true(60, "escaped"), true(90, "returning"), true(120, "returned", outcome="returned"))

    wrong = judged(truth, episode(118, "returned", ended=118, outcome="returned-richer"), state="returned")

    assert counts(wrong) == (1, 0, 0, 0, 0)
    assert (wrong.hits[0].span.outcome, wrong.hits[0].told.outcome) == ("returned", "returned-richer")
    assert counts(judged(truth, state="returned")) == (0, 1, 0, 0, 0)


def test_the_order_of_truth_and_alerts_does_not_matter() -> None:
    """Disturbances are written down before what the plan says of the same time."""
    trap = true(55, "none", until=65, trap="trap", tolerated=("growing",))
    told = episode(62, ended=95) + episode(56, "growing")
    expected = score((*STORY, trap), told, end_ms=at(END_HOURS), timings=TIMINGS)

    assert score((trap, *STORY), told, end_ms=at(END_HOURS), timings=TIMINGS) == expected
    assert expected["outgrown"].hits


def test_bursts_and_viral_posts_are_counted_as_told() -> None:
    """The truth does not know of them; who reads the score says where they are wrong."""
    found = score(STORY, episode(62, "viral") + episode(62, "burst"), end_ms=at(END_HOURS), timings={})

    assert {state: len(one.false) for state, one in found.items() if one.false} == {"burst": 1, "viral": 1}


def test_timings_are_those_of_the_rules() -> None:
    """In a season at twice the speed `for` is half as long."""
    rules = Rules(scale=0.5, outgrown=OutgrownRules(for_ms=HOUR_MS, keep_ms=3 * HOUR_MS))

    assert timings_of(scaled(rules))["outgrown"] == Timing(HOUR_MS // 2, 3 * HOUR_MS // 2)
    assert timings_of(scaled(rules))["returned"] == Timing(rules.returned.hold_ms // 2, 0)


def test_an_instant_is_read_as_alerts_write_it() -> None:
    """With milliseconds only where there are any."""
    assert [instant_ms(rfc3339(at_ms)) for at_ms in (START_MS, START_MS + 7)] == [START_MS, START_MS + 7]
