"""Check what an alert of a burst says, and that its evidence is that of the hour."""

import msgspec
import pytest

from schemas.alert import Alert, CascadeEvidence, Status
from schemas.rules import HOUR_MS, BurstRules
from streams.lifecycle.alerts import COLD_START, severity_of
from streams.lifecycle.burst_alerts import build_burst_alert
from streams.lifecycle.burst_conditions import burst_enter, burst_leave
from streams.lifecycle.conditions import Reading
from streams.lifecycle.episodes import opened
from streams.measures.baseline import BaselineReading
from tests.streams.lifecycle.burst.hours import LEARNING, hour, usual

CASCADES = tuple(CascadeEvidence(f"post-{n}", size=n, depth=n % 3) for n in (7, 512, 40))


def tell(
    reading: Reading, baseline: BaselineReading, *, status: Status = "firing", rising: bool = False, age_ms: int = 0
) -> Alert:
    """Tell a burst whose conditions have held for so long."""
    find = burst_leave if status == "resolved" else burst_enter
    found = find(reading, baseline, BurstRules())
    episode = opened(
        brand="cern",
        topic="higgs",
        state="burst",
        entered_ms=reading.at_ms,
        since_ms=reading.at_ms - age_ms,
        severity=severity_of(found),
    )
    return build_burst_alert(
        brand="cern",
        topic="higgs",
        episode=episode,
        status=status,
        severity=episode.severity,
        reading=reading,
        baseline=baseline,
        conditions=found,
        rules_hash="f" * 16,
        rising=rising,
    )


def test_a_burst_is_told_with_its_numbers_and_what_is_usual() -> None:
    """Who reads it needs no measure explained: how many, by whom, against how many, and where."""
    reading = hour(10, signals=1_283, actors=410, adopted=790, cascades=CASCADES)

    alert = tell(reading, usual(9.3, expected=87.2), age_ms=10 * 60_000)

    assert alert.summary == (
        "Talk about cern/higgs has surged since 4 July 2012, 00:00 UTC: 1,283 signals by 410 accounts within "
        "60 minutes, where about 87 would be usual at this time of the week; 790 of them are in conversations that "
        "people started themselves; the largest conversation of the day is post-512 with 512 posts and shares, 2 deep."
    )


def test_the_evidence_is_that_of_the_hour() -> None:
    """The baseline of the alert is that of hourly signals, its span the hour, its severity twice the excess of z.

    (12 - 5)/5 = 1.4 thresholds above, doubled 2.8, rounded up 3.
    """
    alert = tell(hour(60, signals=300, wild=40), BaselineReading("hour_of_day", 80.0, 12.0))

    assert (alert.state, alert.severity, alert.evidence.baseline) == ("burst", 3, "hour_of_day")
    assert (alert.span.from_, alert.span.to, alert.span.signals) == ("2012-07-04T00:00:00Z", alert.at, 340)
    assert {one.name: one.guard for one in alert.conditions} == {
        "hour_z": False,
        "hour_signals": True,
        "hour_actors": True,
        "hour_top_actor_share": True,
    }
    assert alert.evidence.flags == ()


def test_a_learning_topic_says_so() -> None:
    """No number is made up for what is usual, nothing is called above it, and the alert is flagged."""
    reading = hour(0, signals=900, actors=300)
    alert = tell(reading, LEARNING)

    assert alert.summary == (
        "There is much talk about cern/higgs since 4 July 2012, 00:00 UTC: 900 signals by 300 accounts within "
        "60 minutes, in a topic that is too young to say what is usual; all of them are in conversations that the "
        "brand started."
    )
    assert "still much talk" in tell(reading, LEARNING, status="updated", age_ms=HOUR_MS).summary
    assert "has calmed down after" in tell(hour(0), LEARNING, status="resolved", age_ms=HOUR_MS).summary
    assert alert.evidence.flags == (COLD_START,)
    assert alert.evidence.baseline == "learning"


@pytest.mark.parametrize(
    ("status", "z", "rising", "opening"),
    [
        ("updated", 7.0, False, "Talk about cern/higgs is still far above the usual, 3 hours on (since "),
        ("updated", 3.0, False, "Talk about cern/higgs is calming down, 3 hours on (since "),
        ("updated", 20.0, True, "Talk about cern/higgs is surging more strongly, 3 hours on (since "),
        ("resolved", 0.4, False, "Talk about cern/higgs is back to the usual after 3 hours (since "),
    ],
)
def test_every_revision_says_how_it_goes_on(status: Status, z: float, rising: bool, opening: str) -> None:
    """Going on, calming down, rising and over are told apart."""
    alert = tell(hour(200), usual(z), status=status, rising=rising, age_ms=3 * HOUR_MS)

    assert alert.summary.startswith(opening)
    assert "300 signals by 120 accounts within 60 minutes, where about 80 would be usual" in alert.summary


def test_one_loud_account_is_named_as_such() -> None:
    """A burst that one account makes is not the community's, and that decides what to do about it."""
    loud, calm = (tell(hour(0, top_actor_share=share), usual(9.0)).summary for share in (0.4, 0.2))

    assert " and one account alone made 40 % of all" in loud
    assert "account alone" not in calm


def test_few_accounts_with_many_signals_each_are_seen() -> None:
    """A net of bots is not one loud account, and its size is nothing that a count of signals shows."""
    few, many = (tell(hour(0, signals=240, actors=actors), usual(9.0)).summary for actors in (60, 69))

    assert ": 240 signals by 60 accounts (4.0 each) within" in few
    assert ": 240 signals by 69 accounts within" in many


def test_a_hostile_root_cannot_break_the_sentence() -> None:
    """Ids come from the network: they are cut and shown without control characters."""
    root = "x\n" + "y" * 600
    alert = tell(hour(0, cascades=(CascadeEvidence(root, size=9, depth=1),)), usual(9.0))

    assert "\n" not in alert.summary
    assert len(alert.summary) < 500


def test_an_alert_decodes_as_it_was_encoded() -> None:
    """All numbers in it are finite and rounded."""
    alert = tell(hour(0, cascades=CASCADES), usual(6.123456789))

    assert msgspec.json.decode(msgspec.json.encode(alert), type=Alert) == alert
    assert alert.conditions[0].value == 6.12346
