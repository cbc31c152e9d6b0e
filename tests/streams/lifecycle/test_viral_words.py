"""Check the sentence of a viral cascade: what a community manager reads first."""

from typing import Any

import pytest

from schemas.alert import Status
from schemas.cascade import CascadeVitals
from schemas.rules import HOUR_MS, Rules
from streams.lifecycle.episodes import opened
from streams.lifecycle.viral_conditions import viral_enter, viral_leave
from streams.lifecycle.viral_words import about, viral_summary_of
from tests.streams.lifecycle.readings import START_MS, vitals

RULES = Rules()
SINCE_MS = START_MS + 8 * HOUR_MS + 12 * 60_000
AT_MS = SINCE_MS + 6 * HOUR_MS


def say(
    found: CascadeVitals,
    status: Status = "firing",
    *,
    told: float | None = None,
    at_ms: int = AT_MS,
    surge_ms: int | None = None,
) -> str:
    """Tell an episode that has been viral for six hours."""
    episode = opened(brand="cern", topic="higgs", state="viral", entered_ms=SINCE_MS, since_ms=SINCE_MS, severity=1)
    return viral_summary_of(
        "cern/higgs",
        episode=episode,
        status=status,
        at_ms=at_ms,
        vitals=found,
        conditions=viral_leave(found, RULES, at_ms=at_ms) if status == "resolved" else viral_enter(found, RULES),
        told_forecast=told,
        surge_ms=surge_ms,
    )


def cascade(name: str, **more: Any) -> CascadeVitals:
    """Return the vitals of a cascade with an address for its root."""
    return vitals(name, AT_MS, root="https://cern.example/1", **more)


def test_the_sentence_of_a_cascade_that_will_be_among_the_largest() -> None:
    """Where, since when, how large, how fast, what it will become, and what that is compared with."""
    assert say(cascade("large")) == (
        "A post on cern/higgs has been going viral since 4 July 2012, 08:12 UTC: https://cern.example/1 with 1,204 "
        "posts and shares, 5 deep; each share brings 0.9 more (0.8 to 1.0); about 8,800 shares in the end (6,900 to "
        "12,000), more than 97 of 100 conversations here grew to."
    )


def test_the_sentence_of_a_supercritical_cascade() -> None:
    """It has no forecast, so none is said."""
    assert say(cascade("spreading")) == (
        "A post on cern/higgs has been going viral since 4 July 2012, 08:12 UTC: https://cern.example/1 with 1,204 "
        "posts and shares, 5 deep; each share brings 1.3 more (1.0 to 1.7); no end in sight."
    )


def test_a_post_that_makes_a_surge_says_so() -> None:
    """The surge was told before: it is one cause, and no second piece of news."""
    assert say(cascade("spreading"), surge_ms=SINCE_MS - 60_000).endswith(
        "; no end in sight; it is most of the surge since 4 July 2012, 08:11 UTC, which has an alert of its own."
    )


def test_the_sentence_of_another_forecast() -> None:
    """What is expected now instead of what."""
    assert say(cascade("larger", forecast_high=30_400.0), "updated", told=8_760.97) == (
        "A post on cern/higgs is now heading for about 21,000 shares, where about 8,800 were expected before, 6 hours "
        "on (viral since 4 July 2012, 08:12 UTC): https://cern.example/1 with 1,204 posts and shares, 5 deep; each "
        "share brings 0.9 more (0.8 to 1.0); the end lies between 15,000 and 30,000 shares."
    )


def test_the_sentence_of_a_cascade_that_has_run_its_course() -> None:
    """After how long, and how large it has become."""
    assert say(cascade("quiet"), "resolved") == (
        "A post on cern/higgs has run its course after 6 hours (viral since 4 July 2012, 08:12 UTC): "
        "https://cern.example/1 with 1,204 posts and shares, 5 deep; each share brings 0.5 more (0.4 to 0.6)."
    )


@pytest.mark.parametrize(
    ("changes", "at_ms", "words"),
    [
        ({"flags": ("ended",)}, AT_MS, "has come to rest after 6 hours"),
        ({"began_at": AT_MS - 8 * 24 * HOUR_MS}, AT_MS, "is too old to be watched any longer, after 6 hours"),
        ({"flags": ("ended",), "began_at": 0}, AT_MS, "has come to rest after 6 hours"),
    ],
)
def test_each_ending_has_its_own_words(changes: dict[str, Any], at_ms: int, words: str) -> None:
    """What has ended is not only old, and what is too old has perhaps not ended."""
    assert words in say(cascade("quiet", **changes), "resolved", at_ms=at_ms)


@pytest.mark.parametrize(
    ("found", "told", "words"),
    [
        (cascade("spreading"), 8_800.0, "has no end in sight, where about 8,800 shares were expected, 6 hours on"),
        (cascade("large"), None, "is heading for about 8,800 shares, where no end was in sight, 6 hours on"),
        (cascade("large", forecast=None), 8_800.0, "can no longer be forecast, where about 8,800 shares were expected"),
        (cascade("unknown"), 8_800.0, "can no longer be forecast, where about 8,800 shares were expected"),
        (
            cascade("large", forecast=1_004.0, shares=9),
            996.4,
            "is now heading for about 1,004 shares, where about 996 were expected before, ",
        ),
    ],
)
def test_an_end_that_appears_or_goes_is_said(found: CascadeVitals, told: float | None, words: str) -> None:
    """And two forecasts that are the same to two digits are said to all of theirs."""
    assert words in say(found, "updated", told=told)


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (0.95, "more than 95 of 100 conversations here grew to."),
        (0.9999, "more than 99 of 100 conversations here grew to."),
        (0.97, "more than 97 of 100 conversations here grew to."),
        (1.0, "more than any conversation here grew to."),
        (0.94, "(6,900 to 12,000)."),
        (None, "(6,900 to 12,000)."),
    ],
)
def test_the_percentile_is_said_where_it_decides(percentile: float | None, words: str) -> None:
    """Rounded down, for nearly all is not all."""
    assert say(cascade("large", forecast_percentile=percentile)).endswith(words)


def test_an_interval_that_reaches_to_infinity_is_said_to_be_open() -> None:
    """The upper end of the infectiousness may be supercritical where the value is not."""
    assert "about 21,000 shares in the end (15,000 or more)" in say(cascade("larger"))
    assert say(cascade("larger"), "updated", told=8_800.0).endswith("it will be 15,000 shares or more.")


def test_a_sentence_leaves_out_what_is_not_known() -> None:
    """No "None", no empty clause."""
    assert say(cascade("unknown")) == (
        "A post on cern/higgs has been going viral since 4 July 2012, 08:12 UTC: https://cern.example/1 with 1,204 "
        "posts and shares, 5 deep."
    )


def test_no_end_is_said_to_be_smaller_than_what_there_is_already() -> None:
    """8,849 shares with about 8,800 in the end would make a reader doubt everything else."""
    found = cascade("large", forecast=8_849.6, forecast_low=8_849.1, forecast_high=8_960.0, shares=8_849)

    assert "about 8,850 shares in the end (8,849 to 9,000)" in say(found)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0.0, "0"), (7.4, "7"), (57.3, "57"), (99.6, "100"), (104.0, "100"), (996.0, "1,000"), (1_234_567.0, "1,200,000")],
)
def test_forecasts_are_said_to_two_digits(number: float, said: str) -> None:
    """Nobody knows them better than that."""
    assert about(number) == said


def test_a_hostile_root_stays_short_and_on_one_line() -> None:
    """Ids of posts come from the network."""
    found = say(vitals("large", AT_MS, root="\x1b[31m\n" + "x" * 60_000))

    assert found.isprintable()
    assert len(found) < 500
