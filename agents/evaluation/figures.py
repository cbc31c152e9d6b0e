"""Add up the scores of many seasons: precision, recall, delays, and what was raised where nothing happened."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from agents.evaluation.scoring import ALL_STATES, GROWING, NOTICES, STATES, Score
from schemas.rules import DAY_MS
from streams.measures.endogenous import wilson_interval

MONTH_MS = 30 * DAY_MS
NOT_TOLD = "not told"
NOT_TRUE = "not true"


class Share(msgspec.Struct, frozen=True):
    """So many of so many, with Wilson's 95 % interval of the share; no value where there were none."""

    count: int
    total: int
    value: float | None
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> "Share":
        """Return the share.

        >>> Share.of(30, 50).value, Share.of(0, 0).value
        (0.6, None)
        """
        low, high = wilson_interval(successes=count, n=total)
        return cls(count, total, round(count / total, 6) if total else None, round(low, 6), round(high, 6))


class Delay(msgspec.Struct, frozen=True):
    """Median, ninetieth percentile and largest of some delays in milliseconds of event time."""

    median_ms: int
    p90_ms: int
    max_ms: int


class StateFigures(msgspec.Struct, frozen=True):
    """How right the alerts of one state are.

    `true` spans there were, `found` of which were told; `repeats` told one again. `delay` runs from the instant at
    which a state is true to its alert, `beyond_for` is what is left of it without the rule's `for`. `outcomes` of
    returns counts each pair of a true outcome and the one told. `false_per_month` are false alerts a topic and 30 days
    of all seasons that were run.
    """

    state: str
    true: int
    found: int
    false: int
    repeats: int
    tolerated: int
    recall: Share
    precision: Share
    delay: Delay | None = None
    beyond_for: Delay | None = None
    outcomes: dict[str, dict[str, int]] | None = None
    outcomes_right: Share | None = None
    false_per_month: float | None = None


class Run(NamedTuple):
    """One season that was grown from one seed, and how its alerts compare with its truth.

    `label` names the season with what was set for it. `kind` is `quiet` where nothing ever happens, `trap` where the
    plan disturbs the season, else `story`.
    """

    label: str
    kind: str
    seed: int
    signals: int
    start_ms: int
    end_ms: int
    scores: dict[str, Score]
    seconds: float = 0.0


class Wrong(msgspec.Struct, frozen=True):
    """One mistake, with what it takes to see it again: season, seed and instant (epoch ms)."""

    label: str
    seed: int
    what: str
    state: str
    at: int
    said: str = ""


def percentile(values: Sequence[int], share: float) -> int:
    """Return the smallest of some values that `share` of them do not exceed (nearest rank).

    >>> percentile([30, 10, 20, 40], 0.5), percentile([30, 10, 20, 40], 0.9)
    (20, 40)
    """
    assert values, "no value has no percentile"
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def delay_of(values: Sequence[int]) -> Delay | None:
    """Return the figures of some delays in milliseconds, None where there are none."""
    return Delay(percentile(values, 0.5), percentile(values, 0.9), max(values)) if values else None


def figures_of(runs: Iterable[Run], state: str) -> StateFigures:
    """Return the figures of one state over some runs."""
    runs = list(runs)
    scores = [run.scores[state] for run in runs if state in run.scores]
    months = sum(run.end_ms - run.start_ms for run in runs) / MONTH_MS
    found = sum(len(score.hits) for score in scores)
    missed = sum(len(score.missed) for score in scores)
    false = sum(len(score.false) for score in scores)
    delays = [(hit.delay_ms, score.timing.for_ms) for score in scores for hit in score.hits]
    outcomes = _outcomes(scores)
    right = sum(told.get(true, 0) for true, told in outcomes.items())
    return StateFigures(
        state,
        true=found + missed,
        found=found,
        false=false,
        repeats=sum(len(score.repeats) for score in scores),
        tolerated=sum(len(score.tolerated) for score in scores),
        recall=Share.of(found, found + missed),
        precision=Share.of(found, found + false),
        delay=delay_of([delay for delay, _ in delays]),
        beyond_for=delay_of([delay - for_ms for delay, for_ms in delays]),
        outcomes=outcomes or None,
        outcomes_right=Share.of(right, found) if outcomes else None,
        false_per_month=round(false / months, 3) if months else None,
    )


def _outcomes(scores: Iterable[Score]) -> dict[str, dict[str, int]]:
    """Return how often each true outcome was told as which; what was not told, or not true, is a column or row."""
    pairs: Counter[tuple[str, str]] = Counter()
    for score in scores:
        pairs.update((hit.span.outcome or "", hit.told.outcome or "none") for hit in score.hits if hit.span.outcome)
        pairs.update((span.outcome or "", NOT_TOLD) for span in score.missed if span.outcome)
        pairs.update((NOT_TRUE, told.outcome) for told in score.false if told.outcome)
    rows: dict[str, dict[str, int]] = {}
    for (true, told), count in sorted(pairs.items()):
        rows.setdefault(true, {})[told] = count
    return rows


class SeasonFigures(msgspec.Struct, frozen=True):
    """What came of one season over all its seeds.

    `wrong` counts the false episodes by state, of those that are asked for and of growing; `noticed` those of bursts
    and viral posts. On a quiet season all of them are false, `alerts_per_month` a topic and 30 days.
    """

    label: str
    kind: str
    runs: int
    start_ms: int
    signals: int
    states: dict[str, StateFigures]
    wrong: dict[str, int]
    noticed: dict[str, int]
    months: float
    alerts_per_month: float | None = None


def season_figures(runs: Sequence[Run]) -> SeasonFigures:
    """Return the figures of the runs of one season (at least one)."""
    first = runs[0]
    by_state = {state: figures_of(runs, state) for state in ALL_STATES}
    wrong = {state: by_state[state].false for state in (GROWING, *STATES)}
    noticed = {state: by_state[state].false for state in NOTICES}
    months = sum(run.end_ms - run.start_ms for run in runs) / MONTH_MS
    is_quiet = first.kind == "quiet"
    return SeasonFigures(
        first.label,
        first.kind,
        runs=len(runs),
        start_ms=first.start_ms,
        signals=sum(run.signals for run in runs),
        states=by_state,
        wrong=wrong,
        noticed=noticed,
        months=round(months, 4),
        alerts_per_month=round((sum(wrong.values()) + sum(noticed.values())) / months, 3) if is_quiet else None,
    )


class Evaluation(msgspec.Struct, frozen=True):
    """Everything that an evaluation says, as it is printed as JSON."""

    seeds: list[int]
    rules: dict[str, str]
    states: dict[str, StateFigures]
    seasons: list[SeasonFigures]
    quiet_months: float
    quiet_alerts: int
    quiet_alerts_per_month: float | None
    mistakes: list[Wrong]


def evaluation_of(runs: Sequence[Run], *, seeds: list[int], rules: dict[str, str], states: Sequence[str]) -> Evaluation:
    """Return what all runs say together; `rules` are the hashes of the rules by season, `states` those to judge."""
    by_label: dict[str, list[Run]] = {}
    for run in runs:
        by_label.setdefault(run.label, []).append(run)
    seasons = [season_figures(found) for found in by_label.values()]
    quiet = [season for season in seasons if season.kind == "quiet"]
    months = sum(season.months for season in quiet)
    raised = sum(sum(season.wrong.values()) + sum(season.noticed.values()) for season in quiet)
    return Evaluation(
        seeds=seeds,
        rules=rules,
        states={state: figures_of(runs, state) for state in states},
        seasons=seasons,
        quiet_months=round(months, 4),
        quiet_alerts=raised,
        quiet_alerts_per_month=round(raised / months, 3) if months else None,
        mistakes=[wrong for run in runs for wrong in _mistakes(run, states)],
    )


def _mistakes(run: Run, states: Sequence[str]) -> list[Wrong]:
    """Return what a run got wrong, in the order of time; growing and notices only where they are asked or quiet."""
    made = []
    for state, score in run.scores.items():
        if state in states:
            made += [Wrong(run.label, run.seed, "missed", state, span.begin_ms) for span in score.missed]
        if state in states or run.kind == "quiet":
            made += [Wrong(run.label, run.seed, "false", state, told.fired_ms, told.summary) for told in score.false]
        for hit in score.hits:
            if hit.span.outcome and hit.span.outcome != hit.told.outcome:
                said = f"{hit.told.outcome or 'none'} instead of {hit.span.outcome}"
                made.append(Wrong(run.label, run.seed, "outcome", state, hit.told.fired_ms, said))
    return sorted(made, key=lambda wrong: (wrong.at, wrong.state))
