"""Check the sentences that tell the states of a topic."""

import pytest

from schemas.alert import CascadeEvidence, Condition, Status
from schemas.rules import HOUR_MS, MINUTE_MS
from streams.lifecycle import state_words
from streams.lifecycle.episodes import opened
from tests.streams.lifecycle.readings import START_MS, at_minute, mood
from tests.streams.lifecycle.telling import CASCADES, tell


def test_the_sentence_of_an_outgrown_topic() -> None:
    """What happened, since when, the numbers that decided, and the largest cascade."""
    found = tell(mood("outgrown", at_minute(8 * 60 + 12), cascades=CASCADES))

    assert found.summary == (
        "The community has made cern/higgs its own since 4 July 2012, 06:12 UTC: 75 % of the signals are in "
        "conversations that people started themselves, which draw 3.0 times the engagement of those that the brand "
        "started; 4,000 people took part within 24 hours, where 1,000 would be usual; the largest conversation of the "
        "day is post-512 with 512 posts and shares, 2 deep."
    )


def test_a_brand_that_started_nothing_is_not_divided_by() -> None:
    """A ratio to nothing says nothing: the sentence says that there was nothing."""
    alone = mood("outgrown", at_minute(0))
    alone.windows["24h"].by_lineage = {"adopted": 4_000}

    found = tell(alone)

    assert "which" not in found.summary
    assert "people started themselves, the brand started none of late; " in found.summary


def test_a_slow_doubling_is_no_news() -> None:
    """It is said where it is one of the reasons, and nowhere else."""
    slow = mood("growing fast", at_minute(0))
    slow.measures.doubling_time_s = 6 * 24 * 3_600.0

    assert "doubles" not in tell(slow, state="growing").summary
    assert "activity doubles in" in tell(mood("growing fast", at_minute(0)), state="growing").summary


def test_a_state_that_another_has_left_goes_on() -> None:
    """It is not told as if it began, for it held before and meanwhile; what does not double is not called growing."""
    slow = mood("growing", at_minute(0))

    assert tell(slow, state="growing", neighbour="outgrown").summary.startswith(
        "cern/higgs stays larger than usual, 2 hours on (since 3 July 2012, 22:00 UTC): "
    )
    assert tell(slow, state="growing").summary.startswith("cern/higgs has been growing since 3 July 2012, 22:00 UTC: ")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (
            0.5,
            "; most of it is one post and its shares, post-512, which has a viral alert of its own: 512 posts and shar",
        ),
        (0.49, "-512 with 512 posts and shares, 2 deep, which has a viral alert of its own."),
        (None, "-512 with 512 posts and shares, 2 deep, which has a viral alert of its own."),
    ],
)
def test_what_one_viral_post_makes_is_said_to_be_of_one_cause(share: float | None, words: str) -> None:
    """The post has an alert of its own; whoever reads both must not take them for two pieces of news."""
    calm = mood("growing fast", at_minute(0), cascades=CASCADES, top_cascade_share=share)
    viral = mood(
        "growing fast", at_minute(0), cascades=CASCADES, top_cascade_share=share, viral=frozenset({"post-512"})
    )

    assert words in tell(viral, state="growing").summary
    assert "viral" not in tell(calm, state="growing").summary


def test_less_is_not_said_to_be_a_number_of_times() -> None:
    """0.1 times as much is a tenth."""
    low = mood("outgrown", at_minute(0), outgrowth_ratio=0.1)

    assert "which draw only 10 % of the engagement of those that the brand started" in tell(low).summary


def test_the_sentence_of_a_growing_topic() -> None:
    """The pace where it is known, and the crowd beside what is usual."""
    found = tell(mood("growing fast", at_minute(0)), state="growing")

    assert found.summary == (
        "cern/higgs has been growing since 3 July 2012, 22:00 UTC: its audience is far above the usual (z = 9.0) and "
        "at its pace activity doubles in 50 minutes; "
        "1,000 people took part within 24 hours, where 1,000 would be usual."
    )


@pytest.mark.parametrize(
    ("state", "status", "opening"),
    [
        ("growing", "updated", "cern/higgs goes on growing, 2 hours on (since 3 July 2012, 22:00 UTC): "),
        ("growing", "resolved", "cern/higgs has found its level after growing for 2 hours (since 3 July 2012, "),
        ("growing", "superseded", "cern/higgs grew for 2 hours (since 3 July 2012, 22:00 UTC), and its community "),
        ("outgrown", "updated", "The community goes on making cern/higgs its own, 2 hours on (since 3 July 2012, "),
        ("outgrown", "resolved", "The brand is part of cern/higgs again, after the community carried it for 2 hours "),
    ],
)
def test_every_status_has_its_own_words(state: str, status: Status, opening: str) -> None:
    """A reader of one line of a feed must see whether something begins, goes on or ends."""
    name = {"growing": "growing fast"}.get(state, state)

    assert tell(mood(name, START_MS), state=state, status=status).summary.startswith(opening)


@pytest.mark.parametrize(
    ("state", "words"), [("growing", "is slowing down"), ("outgrown", "still carries cern/higgs, less clearly")]
)
def test_a_reminder_says_when_the_conditions_hold_no_longer(state: str, words: str) -> None:
    """During the `keep` the episode is open but receding; "keeps growing" would be untrue."""
    assert words in tell(mood("undecided", START_MS), state=state, status="updated").summary


@pytest.mark.parametrize(
    ("state", "words"), [("growing", "is growing more strongly"), ("outgrown", "has taken cern/higgs further still")]
)
def test_a_rise_is_said(state: str, words: str) -> None:
    """An update that is told for its severity says what changed, not that all goes on as before."""
    assert words in tell(mood("outgrown far", START_MS), state=state, status="updated", rising=True).summary


def test_a_cold_start_is_said() -> None:
    """Without a baseline nothing is usual, and the sentence must not pretend otherwise."""
    found = tell(mood("outgrown", START_MS, baseline="learning", baseline_z=None, baseline_expected=None))

    assert "4,000 people took part within 24 hours (the topic is too young to say what is usual)" in found.summary


def test_a_sentence_leaves_out_what_is_not_known() -> None:
    """No "None", no empty clause, no cascade of a single post."""
    found = tell(
        mood("silent", START_MS, actors=1, cascades=(CascadeEvidence("alone", size=1, depth=0),)), status="updated"
    )

    assert found.summary == (
        "The community still carries cern/higgs, less clearly than before, 2 hours on (since 3 July 2012, 22:00 UTC): "
        "1 person took part within 24 hours, where 1,000 would be usual."
    )


@pytest.mark.parametrize(
    ("since_ms", "words"),
    [
        (500, "a moment"),
        (90_000, "90 seconds"),
        (119 * MINUTE_MS, "119 minutes"),
        (2 * HOUR_MS, "2 hours"),
        (47 * HOUR_MS, "47 hours"),
        (50 * HOUR_MS, "2 days"),
    ],
)
def test_durations_are_said_in_their_largest_plural_unit(since_ms: int, words: str) -> None:
    """So "1 hour" is never said where it was an hour and 59 minutes."""
    episode = opened(
        brand="b", topic="t", state="growing", entered_ms=START_MS, since_ms=START_MS - since_ms, severity=1
    )
    found = state_words.summary_of(
        "b/t",
        episode=episode,
        status="resolved",
        reading=mood("seeded", START_MS),
        conditions=(Condition("c", 1.0, 1.0, True),),
    )

    assert f"after growing for {words} (since" in found


@pytest.mark.parametrize("status", [*state_words.PHRASES])
def test_a_state_without_words_of_its_own_is_told_all_the_same(status: Status) -> None:
    """A state that is added later needs no sentence here to be readable."""
    episode = opened(brand="b", topic="t", state="new", entered_ms=START_MS, since_ms=START_MS, severity=1)

    found = state_words.summary_of(
        "b/t",
        episode=episode,
        status=status,
        reading=mood("seeded", START_MS),
        conditions=(Condition("c", 0.0, 1.0, status != "updated"),),
        neighbour="newer" if status == "superseded" else None,
    )

    assert "b/t" in found
    assert "new" in found
    assert "{" not in found
