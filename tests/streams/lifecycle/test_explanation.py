"""An explanation says what happened, why, and from what, in lines that a person can read."""

from schemas.alert import Condition, EmergentEvidence, ResonanceEvidence
from schemas.rules import MINUTE_MS
from schemas.vitals import Measures, Vitals, WindowVitals
from streams.lifecycle.explanation import ROWS_MAX, explain, number_of, said
from tests.streams.lifecycle.told import START_MS, alert


def test_the_number_is_the_one_that_is_compared() -> None:
    """Of an interval that is the end which must pass the threshold."""
    condition = Condition("share", 0.8, 0.55, True, low=0.7, high=0.9, bound="low")

    assert number_of(condition) == 0.7
    assert said(number_of(condition)) == "0.7"


def test_an_explanation_holds_all_that_decided() -> None:
    """Sentence, life, conditions, windows, where people went, and what it rests on."""
    raised = alert(1, root="p1")
    raised.evidence.emergent = (EmergentEvidence("tulips", lift=8.0, g2=40.0, actors=31, cascades=4),)
    raised.evidence.windows = {"1h": WindowVitals(1_234, {"post": 1_234}, {"adopted": 1_200, "wild": 34}, 1.0, 99, 0.1)}
    text = "\n".join(explain(raised, [raised, alert(2, status="updated", severity=7, ratio=5)]))

    assert "nursery/roses: outgrown firing, severity 4" in text
    assert "roses is outgrown" in text
    assert "updated    severity  7" in text
    assert "+ outgrowth_ratio" in text
    assert "3 >= 2" in text
    assert "1,234 signals by 99 accounts  (1,200 adopted, 34 wild)" in text
    assert "tulips" in text
    assert "31 accounts in 4 cascades" in text
    assert "60 posts and shares, 3 deep" in text
    assert "It rests on 10 signals" in text


def test_an_explanation_tells_whether_the_drift_lasted() -> None:
    """Where the alert knows it: between when the talk elsewhere was, how new, and how soon over."""
    raised = alert(1)
    raised.evidence.resonance = ResonanceEvidence("2026-05-09", "2026-05-11", "2026-05-18", 0.31, None, None)
    lines = list(explain(raised, [raised]))
    first = lines.index("What members said from 2026-05-09 to 2026-05-11, while they were elsewhere:")

    assert [line.split()[:3] for line in lines[first + 1 : first + 4]] == [
        ["novelty", "0.31", "bits"],
        ["transience", "unknown", "bits"],
        ["resonance", "unknown", "bits,"],
    ]
    assert "2026-05-18" in lines[first + 2]


def test_measures_are_shown_over_time_from_the_first_tick_to_the_last() -> None:
    """However many ticks there are, the table fits a screen."""
    ticks = [
        Vitals(
            START_MS + n * MINUTE_MS, "nursery", "roses", "growing", START_MS, {}, Measures(outgrowth_ratio=float(n))
        )
        for n in range(100)
    ]
    lines = list(explain(alert(2), [alert(2)], ticks))

    rows = [line.split() for line in lines[lines.index("Over time:") + 2 :]][:ROWS_MAX]
    assert [float(row[-1]) for row in (rows[0], rows[-1])] == [0, 99]
    assert [float(row[-1]) for row in rows] == sorted(float(row[-1]) for row in rows)
