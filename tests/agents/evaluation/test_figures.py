"""Scores of many seasons add up to precision, recall, delays and rates."""

from agents.evaluation.figures import (
    Delay,
    Run,
    Share,
    Wrong,
    delay_of,
    evaluation_of,
    figures_of,
    percentile,
    season_figures,
)
from agents.evaluation.scoring import Hit, Score, Span, Timing, Told
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS

FOR_MS = 2 * HOUR_MS
TIMING = Timing(FOR_MS, 0)


def told(state: str, fired_ms: int, outcome: str | None = None) -> Told:
    """Return an episode."""
    return Told(f"{state}-{fired_ms}", state, fired_ms, fired_ms, fired_ms + DAY_MS, outcome, "said")


def hit(state: str, delay_ms: int, *, true: str | None = None, said: str | None = None) -> Hit:
    """Return a true span that was told so long after it began."""
    return Hit(Span(state, DAY_MS, 3 * DAY_MS, true), told(state, DAY_MS + delay_ms, said))


def lived(*scores: Score, label: str = "escape", kind: str = "story", days: int = 15, seed: int = 1) -> Run:
    """Return a run with these scores."""
    return Run(label, kind, seed, 1000, 0, days * DAY_MS, {score.state: score for score in scores})


def test_precision_and_recall_count_over_all_runs() -> None:
    """Three of four spans were found, and one alert of four was false."""
    missed, false = Span("outgrown", 0, DAY_MS), told("outgrown", 5)
    runs = [
        lived(Score("outgrown", TIMING, hits=(hit("outgrown", FOR_MS), hit("outgrown", FOR_MS + MINUTE_MS)))),
        lived(Score("outgrown", TIMING, hits=(hit("outgrown", FOR_MS - HOUR_MS),), missed=(missed,), false=(false,))),
    ]

    figures = figures_of(runs, "outgrown")

    assert (figures.true, figures.found, figures.false) == (4, 3, 1)
    assert (figures.recall.value, figures.precision.value) == (0.75, 0.75)
    # Wilson's interval of three of four, by hand: (0.75 + 1.9208/4 ± ...)/(1 + 3.8415/4).
    assert (round(figures.recall.low, 4), round(figures.recall.high, 4)) == (0.3006, 0.9544)
    assert figures.delay == Delay(FOR_MS, FOR_MS + MINUTE_MS, FOR_MS + MINUTE_MS)
    assert figures.beyond_for == Delay(0, MINUTE_MS, MINUTE_MS)


def test_where_nothing_was_asked_and_told_nothing_is_said() -> None:
    """No precision is neither a good one nor a bad one."""
    figures = figures_of([lived(Score("outgrown", TIMING))], "outgrown")

    assert (figures.recall.value, figures.precision.value, figures.delay) == (None, None, None)


def test_percentiles_are_values_that_occurred() -> None:
    """By nearest rank: the ninth of ten, and the only one of one."""
    assert percentile(list(range(10, 0, -1)), 0.9) == 9
    assert percentile([7], 0.5) == percentile([7], 0.9) == 7
    assert delay_of([]) is None


def test_outcomes_are_a_table_of_what_was_true_and_what_was_told() -> None:
    """Also of what was not told, and of what was not true."""
    score = Score(
        "returned",
        Timing(),
        hits=(
            hit("returned", 0, true="returned", said="returned"),
            hit("returned", 0, true="returned", said="returned-richer"),
            hit("returned", 0, true="faded"),
        ),
        missed=(Span("returned", 0, DAY_MS, "faded"),),
        false=(told("returned", 5, "faded"),),
    )

    figures = figures_of([lived(score)], "returned")

    assert figures.outcomes == {
        "faded": {"none": 1, "not told": 1},
        "not true": {"faded": 1},
        "returned": {"returned": 1, "returned-richer": 1},
    }
    assert figures.outcomes_right == Share.of(1, 3)


def test_on_a_quiet_season_every_alert_is_false() -> None:
    """Bursts, viral posts and growth included: four alerts in two runs of 15 days are four a topic-month."""
    false = [Score(state, TIMING, false=(told(state, 5),)) for state in ("growing", "outgrown", "burst", "viral")]
    runs = [lived(*false, label="quiet", kind="quiet"), lived(label="quiet", kind="quiet", seed=2)]

    figures = season_figures(runs)

    assert (figures.runs, figures.signals, figures.months) == (2, 2000, 1.0)
    assert figures.alerts_per_month == 4.0
    assert season_figures([lived(*false, kind="trap")]).alerts_per_month is None
    assert season_figures([lived(*false, kind="trap")]).wrong["outgrown"] == 1


def test_mistakes_are_told_so_that_they_can_be_seen_again() -> None:
    """By season, seed and instant; notices and growth only of quiet seasons."""
    story = lived(
        Score("outgrown", TIMING, missed=(Span("outgrown", 7, DAY_MS),)),
        Score("viral", TIMING, false=(told("viral", 5),)),
        Score("returned", TIMING, hits=(hit("returned", 0, true="faded", said="returned"),)),
        seed=3,
    )
    quiet = lived(Score("viral", TIMING, false=(told("viral", 5),)), label="quiet", kind="quiet", seed=4)

    evaluation = evaluation_of([story, quiet], seeds=[3, 4], rules={}, states=("outgrown", "returned"))

    assert evaluation.mistakes == [
        Wrong("escape", 3, "missed", "outgrown", 7),
        Wrong("escape", 3, "outcome", "returned", DAY_MS, "returned instead of faded"),
        Wrong("quiet", 4, "false", "viral", 5, "said"),
    ]
    assert (evaluation.quiet_alerts, evaluation.quiet_months, evaluation.quiet_alerts_per_month) == (1, 0.5, 2.0)
    assert [season.label for season in evaluation.seasons] == ["escape", "quiet"]


def test_without_quiet_seasons_there_is_no_rate() -> None:
    """It would be a division by nothing."""
    evaluation = evaluation_of([lived()], seeds=[1], rules={}, states=())

    assert (evaluation.quiet_alerts, evaluation.quiet_alerts_per_month) == (0, None)
