"""Check the severity, the evidence and the times of an alert, and that its bytes are stable."""

import msgspec
import pytest

from schemas.alert import CascadeEvidence, EmergentEvidence
from schemas.rules import DAY_MS, HOUR_MS, Rules
from schemas.vitals import WindowVitals
from streams.lifecycle import alerts, conditions
from streams.lifecycle.alerts import severity_of
from streams.lifecycle.conditions import condition
from streams.lifecycle.episodes import opened
from tests.streams.lifecycle.readings import START_MS, mood
from tests.streams.lifecycle.telling import CASCADES, tell

# --- severity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "threshold", "severity"),
    [
        (2.0, 2.0, 1),  # Just there: excess 0, but no alert is below 1.
        (2.9, 2.0, 1),  # 0.45 thresholds above, doubled 0.9.
        (3.0, 2.0, 1),  # 0.5, doubled exactly 1.
        (3.1, 2.0, 2),
        (9.8, 2.0, 8),  # 3.9, doubled 7.8.
        (12.0, 2.0, 10),
        (999.0, 2.0, 10),
    ],
)
def test_severity_is_twice_the_excess_over_the_threshold(value: float, threshold: float, severity: int) -> None:
    """min(10, ceil(2 x (value - threshold) / threshold)), worked out by hand (MEASURES.md §8)."""
    assert severity_of((condition("c", value, ">=", threshold),)) == severity


def test_severity_is_that_of_the_condition_that_exceeds_most() -> None:
    """Ratio 3 of 2 gives 0.5, z 6 of 3 gives 1, share 0.72 of 0.55 gives 0.31: the severity is 2."""
    assert severity_of(conditions.outgrown_enter(mood("outgrown", START_MS, actors=1_600), Rules())) == 2


def test_severity_of_an_interval_is_judged_by_its_compared_bound() -> None:
    """The value is far above the threshold, the bound that counts is not."""
    assert severity_of((condition("share", 0.99, ">=", 0.1, low=0.11, bound="low"),)) == 1


def test_guards_and_missed_conditions_do_not_raise_the_severity() -> None:
    """40,000 actors where 50 are enough to judge by say nothing about how far a topic has gone."""
    assert (
        severity_of(
            (
                condition("ratio", 2.0, ">=", 2.0),
                condition("actors", 40_000, ">=", 50, guard=True),
                condition("top_actor_share", 0.01, "<=", 0.25, guard=True),
                condition("doubling_time_s", 900.0, "<=", 1.0),
                condition("nothing", 5.0, ">=", 0.0),
                condition("unknown", None, "<", 1.0, when_unknown=True),
            )
        )
        == 1
    )


def test_a_number_below_its_threshold_exceeds_it_by_one_at_most() -> None:
    """Doubling each minute instead of each day is no more than twice one threshold."""
    assert severity_of((condition("doubling_time_s", 43_200.0, "<=", 86_400.0),)) == 1
    assert severity_of((condition("doubling_time_s", 60.0, "<=", 86_400.0),)) == 2


def test_a_hair_of_a_float_does_not_raise_the_severity() -> None:
    """2 x (0.3 - 0.2) / 0.2 is a hair less than 1 in floats, and other pairs a hair more; each is its whole number."""
    for tenths in range(1, 60):
        threshold = tenths / 10
        for times, severity in ((1.5, 1), (2.0, 2), (2.5, 3)):
            assert severity_of((condition("c", threshold * times, ">=", threshold),)) == severity


# --- times, span, evidence --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_341_389_520_000, "2012-07-04T08:12:00Z"),
        (1_341_389_520_050, "2012-07-04T08:12:00.050Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(at_ms: int, text: str) -> None:
    """Whole seconds where there are no milliseconds, as in WIRE.md §0."""
    assert alerts.rfc3339(at_ms) == text


def test_the_span_is_the_day_before_the_tick() -> None:
    """What the conditions were read from: [at - 24 h, at) and the number of signals in it."""
    found = tell(mood("outgrown", START_MS))

    assert (found.span.from_, found.span.to, found.span.signals) == (
        "2012-07-03T00:00:00Z",
        "2012-07-04T00:00:00Z",
        9_000,
    )
    assert (found.at, found.since) == ("2012-07-04T00:00:00Z", "2012-07-03T22:00:00Z")


def test_a_scaled_season_has_a_shorter_span() -> None:
    """Where a day lasts 24 minutes, the span and the sentence say so."""
    found = tell(mood("outgrown", START_MS, day_ms=DAY_MS // 60))

    assert found.span.from_ == "2012-07-03T23:36:00Z"
    assert "within 24 minutes" in found.summary


def test_evidence_names_the_five_largest_cascades() -> None:
    """Bounded, from large to small, in an order that does not depend on how they came."""
    found = tell(mood("outgrown", START_MS, cascades=CASCADES))

    assert [cascade.size for cascade in found.evidence.cascades] == [512, 41, 40, 12, 7]
    assert found == tell(mood("outgrown", START_MS, cascades=CASCADES[::-1]))


def test_evidence_keeps_all_that_is_known_of_a_cascade_rounded() -> None:
    """Six digits, as everywhere in an alert; what is infinite or unknown is null."""
    known = CascadeEvidence(
        "post-1",
        size=1_234_567,
        depth=3,
        breadth=9,
        infectiousness=2 / 300,
        forecast=1e6 / 3,
        high=float("inf"),
        edge="star",
    )

    assert tell(mood("outgrown", START_MS, cascades=(known,))).evidence.cascades == (
        CascadeEvidence(
            "post-1", size=1_234_567, depth=3, breadth=9, infectiousness=0.00666667, forecast=333_333.0, edge="star"
        ),
    )


def test_evidence_names_the_first_five_places_of_talk_elsewhere() -> None:
    """In every alert, whatever its state: sorted by whoever measured them, cut and rounded here."""
    places = tuple(EmergentEvidence("x" * 600 + str(n), lift=10 / 3, g2=1e6 / 3, actors=9 - n) for n in range(7))
    found = tell(mood("outgrown", START_MS, emergent=places)).evidence.emergent

    assert [one.actors for one in found] == [9, 8, 7, 6, 5]
    assert {(len(one.name), one.lift, one.g2) for one in found} == {(512, 3.33333, 333_333.0)}


@pytest.mark.parametrize(
    ("state", "outcome", "opening"),
    [
        ("escaped", None, "The community of cern/higgs has taken its talk elsewhere since "),
        ("returned", "faded", "Those who left cern/higgs have faded away, 3 hours after "),
    ],
)
def test_what_is_told_of_talk_elsewhere_has_words_of_its_own(state: str, outcome: str | None, opening: str) -> None:
    """And an outcome where it has one."""
    episode = opened(
        brand="cern",
        topic="higgs",
        state=state,
        entered_ms=START_MS,
        since_ms=START_MS,
        severity=1,
        outcome=outcome,
    )
    found = alerts.build_alert(
        brand="cern",
        topic="higgs",
        episode=episode,
        status="firing",
        severity=1,
        reading=mood("elsewhere", START_MS),
        conditions=(condition("c", 1.0, ">=", 1.0),),
        rules_hash="f" * 16,
        left_ms=START_MS - 3 * HOUR_MS,
    )

    assert found.summary.startswith(opening)
    assert (found.state, found.outcome) == (state, outcome)


def test_flags_are_sorted_and_told_once() -> None:
    """They are a set, and a set has another order in every process."""
    young = {"baseline": "learning", "baseline_z": None, "baseline_expected": None}
    found = tell(mood("outgrown", START_MS, flags=("late", "followers_imputed", "cold_start", "late"), **young))

    assert found.evidence.flags == ("cold_start", "followers_imputed", "late")


def test_the_id_is_the_episode_and_its_revision() -> None:
    """Consumers de-duplicate by it (WIRE.md §6)."""
    found = tell(mood("outgrown", START_MS))

    assert found.id == f"{found.episode}.1"


def test_the_same_reading_gives_the_same_bytes_whatever_the_order_of_its_maps() -> None:
    """Counts by kind come in the order of arrival; the bytes must not."""

    def shuffled(window: WindowVitals) -> WindowVitals:
        return msgspec.structs.replace(
            window,
            by_kind=dict(reversed(window.by_kind.items())),
            by_lineage=dict(reversed(window.by_lineage.items())),
            engagement=window.engagement + 1e-9,
        )

    one = mood("outgrown", START_MS, cascades=CASCADES, flags=("b", "a"))
    one.windows["24h"].by_kind = {"share": 3, "like": 4, "reply": 5}
    other = msgspec.structs.replace(
        one,
        windows={name: shuffled(window) for name, window in reversed(one.windows.items())},
        measures=msgspec.structs.replace(one.measures, outgrowth_ratio=3.0 + 1e-9),
        flags=("a", "b"),
    )

    assert msgspec.json.encode(tell(one)) == msgspec.json.encode(tell(other))
    assert [*tell(other).evidence.windows] == ["5m", "1h", "24h", "7d"]


def test_an_alert_of_hostile_names_stays_small_and_on_one_line() -> None:
    """Ids of posts come from the network: 60 KB of them, or a terminal's escape codes, do no harm."""
    hostile = tuple(CascadeEvidence("\x1b[31m\n" + "x" * 60_000 + str(n), size=9 - n, depth=1) for n in range(6))
    found = tell(mood("outgrown", START_MS, cascades=hostile))

    assert len(msgspec.json.encode(found)) < 16 * 1024
    assert found.summary.isprintable()
    assert len(found.summary) < 600
