"""Check the sentences about a community that goes elsewhere and comes back: true, whole, and without blame."""

import re
from typing import Any

import pytest

from schemas.alert import OUTCOMES, BreadthEvidence, EmergentEvidence, JoinEvidence, ResonanceEvidence, Status
from schemas.rules import DAY_MS, HOUR_MS, Rules
from streams.lifecycle import escape_conditions
from streams.lifecycle.conditions import Reading
from streams.lifecycle.episodes import opened
from streams.lifecycle.escape_words import ESCAPED_PHRASES, escape_summary_of
from tests.streams.lifecycle.readings import AWAY_MOODS, MOODS, PLACES, at_minute, mood

NOW_MS = at_minute(8 * 60 + 12)
RULES = Rules()


JOIN = JoinEvidence("2012-07-03T06:12:00Z", "tag", tag="bees", root="p7", joins=3)
"""The brand came 26 hours ago."""
JOINED_MS = NOW_MS - 26 * HOUR_MS


def say(
    reading: Reading,
    *,
    status: Status = "firing",
    rising: bool = False,
    joined: bool = False,
    outcome: str | None = None,
) -> str:
    """Say what an episode is that began three hours ago; of a return, one that took three days and a bit."""
    state = "escaped" if outcome is None else "returned"
    judge = {"resolved": escape_conditions.escaped_leave}.get(status, escape_conditions.escaped_enter)
    return escape_summary_of(
        "cern/higgs",
        episode=opened(
            brand="cern",
            topic="higgs",
            state=state,
            entered_ms=NOW_MS,
            since_ms=NOW_MS - 3 * HOUR_MS,
            severity=1,
            outcome=outcome,
        ),
        status=status,
        reading=reading,
        conditions=judge(reading, RULES),
        rising=rising,
        joined=joined,
        left_ms=NOW_MS - 3 * DAY_MS - HOUR_MS,
    )


# --- escaped ----------------------------------------------------------------------------------------------------------


def test_the_sentence_of_an_escape_is_a_map() -> None:
    """Since when, how many surely, where to and with how many, and what is left on the topic itself."""
    assert say(mood("elsewhere", NOW_MS)) == (
        "The community of cern/higgs has taken its talk elsewhere since 4 July 2012, 05:12 UTC: 54 % of its active "
        "members (at least 47 %) now talk about #nomowmay (120 people) and #bees (48 people); their tags lie 0.31 of 1 "
        "bit apart from those of the brand and its audience; 1,000 people took part in the topic itself within 24 "
        "hours."
    )


@pytest.mark.parametrize(
    ("status", "change", "opening"),
    [
        ("updated", {}, "The community of cern/higgs goes on talking elsewhere, 3 hours on (since 4 July 2012, 05:12"),
        (
            "updated",
            {"drift_share_low": RULES.escaped.drift_enter / 2},
            "The community of cern/higgs still talks elsewhere, less clearly than",
        ),
        (
            "resolved",
            {"drift_share": RULES.escaped.drift_exit / 2},
            "The talk of the community of cern/higgs elsewhere has ebbed after 3 hours (since",
        ),
    ],
)
def test_every_status_of_an_escape_has_its_own_words(status: Status, change: dict[str, Any], opening: str) -> None:
    """A reader of one line of a feed must see whether it begins, goes on or ends."""
    assert say(mood("elsewhere", NOW_MS, **change), status=status).startswith(opening)


def test_an_escape_that_goes_further_says_so() -> None:
    """An update that is told for its severity is not one that says all goes on."""
    assert "has gone further still, 3 hours on" in say(mood("elsewhere", NOW_MS), status="updated", rising=True)


def test_the_end_of_an_escape_says_how_many_are_still_elsewhere() -> None:
    """And names no place: that is where they come from."""
    said = say(mood("here", NOW_MS, emergent=PLACES), status="resolved")

    assert ": 4 % of its active members still talk elsewhere; 1,000 people took part" in said
    assert "bees" not in said


def test_an_escape_of_which_nothing_is_left_ends_without_a_zero() -> None:
    """Nobody says "0 %" of people."""
    said = say(mood("here", NOW_MS, drift_share=0.0, drift_share_low=0.0), status="resolved")

    assert ": none of its active members talks elsewhere any more; 1,000 people took part" in said


@pytest.mark.parametrize(
    ("actors", "concentration", "words"),
    [
        (120, 0.64, "(48 people), and 64 % of them had come to the topic by one and the same conversation; their"),
        (120, 0.31, "(48 people), and they come from several circles of the community, the largest with 31 % of them;"),
        (120, 0.07, "(48 people), and they come from all over the community; their"),
        (9, 0.64, "(48 people); their"),
    ],
)
def test_an_escape_says_how_broad_it_is(actors: int, concentration: float, words: str) -> None:
    """Whether one circle of the community has gone or all of it; of a handful of people nothing is said."""
    breadth = BreadthEvidence(1.0, hill=2.718, concentration=concentration, parts=5, actors=actors)

    assert words in say(mood("elsewhere", NOW_MS, breadth=breadth))


@pytest.mark.parametrize(
    ("tag", "entrance"), [("bees", "it spoke up there with #bees"), (None, "it answered in the conversation p7")]
)
def test_that_the_brand_has_joined_is_told_first(tag: str | None, entrance: str) -> None:
    """By what, and then where everybody is."""
    join = JoinEvidence("2012-07-04T08:11:00Z", "tag" if tag else "reply", tag=tag, root="p7", joins=1)
    said = say(mood("elsewhere", NOW_MS, join=join, joined_ms=NOW_MS - 1), status="updated", joined=True)

    assert said.startswith(
        "The brand has joined its community of cern/higgs elsewhere, 3 hours after that took its talk there: "
        f"{entrance}; 54 % of its active members (at least 47 %) now talk about #nomowmay"
    )


@pytest.mark.parametrize(
    ("lift", "words"),
    [
        (None, "with #bees 26 hours ago; "),
        ((1.8, 1.5, 2.1), "ago, and in the 24 hours after it members were 1.8 times as active as before; "),
        ((0.5, 0.4, 0.6), "ago, and in the 24 hours after it members were only 50 % as active as before; "),
        ((1.1, 0.9, 1.3), "ago, and in the 24 hours after it members were about as active as before; "),
    ],
)
def test_what_followed_a_join_is_told_later(lift: tuple[float, float, float] | None, words: str) -> None:
    """A day later it is known how members took it, and whether that can be chance."""
    value, low, high = lift or (None, None, None)
    join = JoinEvidence(JOIN.at, JOIN.how, JOIN.tag, JOIN.root, JOIN.joins, lift=value, lift_low=low, lift_high=high)
    reading = mood("elsewhere", NOW_MS, join=join, joined_ms=JOINED_MS)

    assert "; the brand joined them there with #bees 26 hours ago" in say(reading, status="updated")
    assert words in say(reading, status="updated")
    assert words.rstrip("; ") in say(mood("back", NOW_MS, join=join, joined_ms=JOINED_MS), outcome="returned")


def test_talk_that_is_alike_again_is_not_called_a_return_of_people() -> None:
    """Where many members still talk elsewhere, but about what the topic is about, nobody has come back."""
    said = say(mood("elsewhere", NOW_MS, tag_divergence_bits=0.05), status="resolved")

    assert said.startswith("The community of cern/higgs talks of much the same elsewhere as here, 3 hours after ")


def test_a_community_that_is_not_heard_is_not_said_to_come_back() -> None:
    """Missing numbers end an escape too, and nobody is back then."""
    assert say(mood("asleep", NOW_MS), status="resolved") == (
        "The community of cern/higgs has fallen silent, 3 hours after taking its talk elsewhere (since 4 July 2012, "
        "05:12 UTC): too few of its members say anything to tell where they are."
    )


def test_what_the_whole_network_talks_about_is_not_where_the_community_went() -> None:
    """A topic that is everywhere is on no map."""
    everywhere = EmergentEvidence("worldcup", lift=9.0, g2=900.0, actors=900, exogenous=True)

    said = say(mood("elsewhere", NOW_MS, emergent=(everywhere, *PLACES)))

    assert "about #nomowmay (120 people) and #bees (48 people);" in said


@pytest.mark.parametrize(
    ("topics", "words"), [(3, ", #bees (48 people) and 1 more topic;"), (1_002, " and 1,000 more topics;")]
)
def test_three_places_are_named_and_the_others_counted(topics: int, words: str) -> None:
    """A sentence is no list; the evidence has five of them."""
    assert words in say(mood("elsewhere", NOW_MS, emergent_topics=topics))


def test_of_five_places_three_are_named() -> None:
    """Those that come first: they were sorted by whoever measured them."""
    five = tuple(EmergentEvidence(f"tag{n}", lift=4.0, g2=20.0, actors=1) for n in range(5))

    said = say(mood("elsewhere", NOW_MS, emergent=five, emergent_topics=5))

    assert "about #tag0 (1 person), #tag1 (1 person), #tag2 (1 person) and 2 more topics;" in said


def test_the_topic_that_most_people_are_in_comes_first() -> None:
    """Evidence has the surest first, which may be a small one; whoever reads a sentence looks for the large ones."""
    said = say(mood("elsewhere", NOW_MS, emergent=PLACES[::-1]))

    assert "about #nomowmay (120 people) and #bees (48 people);" in said


# --- returned ---------------------------------------------------------------------------------------------------------

NUMBERS = (
    "64 % of the 140 people who had left (at least 58 %) are back, posting 1.4 times as much as before, and about 1.3 "
    "times as many different things as before"
)
SETTLED = f"{NUMBERS}; the talk there is about #nomowmay (120 people) and #bees (48 people)"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("returned-richer", f"The community has come back to cern/higgs after 3 days, richer: {NUMBERS}."),
        ("returned", f"The community has come back to cern/higgs after 3 days: {NUMBERS}."),
        (
            "faded",
            f"Those who left cern/higgs have faded away, 3 days after they took their talk elsewhere: {NUMBERS}.",
        ),
        (
            "settled-elsewhere",
            f"Those who left cern/higgs have settled elsewhere, 3 days after they took their talk there: {SETTLED}.",
        ),
    ],
)
def test_every_outcome_has_its_own_words(outcome: str, said: str) -> None:
    """What became of them, after how long, and the numbers that it was told by."""
    assert say(mood("back", NOW_MS, emergent=PLACES), outcome=outcome) == said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"return_rate": 0.0, "return_rate_low": 0.0}, ": none of the 140 people who had left is back."),
        (
            {"return_rate": 0.004, "return_rate_low": 0.0},
            ": less than 1 % of the 140 people who had left",
        ),
        ({"prolific_ratio": 1.02}, "are back, posting as much as before, and about 1.3 times as many different"),
        ({"prolific_ratio": 0.5, "diversity_ratio": None}, "are back, posting only 50 % as much as before."),
        ({"prolific_ratio": None}, "are back, talking about 1.3 times as many different things as before."),
    ],
)
def test_a_return_is_told_in_plain_words(change: dict[str, Any], words: str) -> None:
    """No "0 % are back", no "1.0 times as much", and nothing of what nobody measured."""
    assert words in say(mood("back", NOW_MS, **change), outcome="returned")


@pytest.mark.parametrize(
    ("novelty", "resonance", "words"),
    [
        (0.31, 0.25, "what was new in the talk elsewhere has stayed with members (novelty 0.31 bits, resonance 0.25)"),
        (0.31, 0.1, "some of what was new in the talk elsewhere has stayed with members (novelty 0.31 bits, "),
        (0.31, -0.02, "what was new in the talk elsewhere is hardly heard among members since (novelty 0.31 bits, "),
        (0.02, 0.02, ""),
        (None, None, ""),
        (0.31, None, ""),
    ],
)
def test_a_return_tells_whether_the_drift_lasted(novelty: float | None, resonance: float | None, words: str) -> None:
    """Where it is known, and where there was anything new that could last; whatever became of those who had left."""
    transience = None if novelty is None or resonance is None else novelty - resonance
    found = ResonanceEvidence("a", "b", "c", novelty, transience, resonance)
    for outcome in OUTCOMES:
        summary = say(mood("back", NOW_MS, resonance=found), outcome=outcome)

        assert words in summary
        assert ("new in the talk elsewhere" in summary) == bool(words)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_end_of_a_return_tells_nothing_new(outcome: str) -> None:
    """The episode is closed; the words must not sound like a second return."""
    said = say(mood("here", NOW_MS), status="resolved", outcome=outcome)

    assert said.startswith("cern/higgs goes on ")
    assert ", 3 hours after " in said


# --- all --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
@pytest.mark.parametrize("status", [*ESCAPED_PHRASES])
@pytest.mark.parametrize("name", [*MOODS, *AWAY_MOODS])
def test_a_sentence_leaves_out_what_is_not_known(name: str, status: Status, outcome: str | None) -> None:
    """Whatever is missing: no "None", no empty clause, no leftover brace, one sentence."""
    said = say(mood(name, NOW_MS), status=status, outcome=outcome)

    assert not re.search(r"None|\{|\}|: [;.]|; [;.]|  |about ;|about \.|:\.", said), said
    assert said.endswith(".")
    assert said.count(": ") <= 1


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
@pytest.mark.parametrize("status", [*ESCAPED_PHRASES])
def test_nobody_is_praised_or_blamed(status: Status, outcome: str | None) -> None:
    """An escape is news with a map, not an incident, and a return is no victory."""
    blame = r"\b(lost|loss|lose|fail|problem|risk|danger|bad|worse|good|better|win|won|betray|abandon|should|must|warn)"

    assert not re.search(blame, say(mood("elsewhere", NOW_MS), status=status, outcome=outcome), re.IGNORECASE)


def test_names_of_places_do_no_harm() -> None:
    """Tags come from the network: escape codes and 60 KB of them stay one printable line."""
    hostile = tuple(EmergentEvidence("\x1b[31m\n" + "x" * 60_000, lift=4.0, g2=20.0, actors=9) for _ in range(5))
    said = say(mood("elsewhere", NOW_MS, emergent=hostile))

    assert said.isprintable()
    assert len(said) < 600
