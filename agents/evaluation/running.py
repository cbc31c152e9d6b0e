"""Grow seasons and run each through the three steps in this process, or several at a time in others."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agents.evaluation.figures import Run
from agents.evaluation.scoring import score, timings_of
from agents.garbage import collect_rarely
from agents.parallel import in_processes
from agents.seasons import Planted, Season, TruthKeeper, TruthState, deliver, grow_planted, load_season
from agents.seasons.truth import NONE
from schemas.alert import Alert
from schemas.rules import Rules
from schemas.signal import Signal
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import topic_records
from streams.backtest import Entry, advance, entries
from streams.lifecycle.rules import scaled

Scalar = str | int | float | bool


class Job(NamedTuple):
    """One season to grow from one seed, by its name or file, with what is set for it and rules that go before its."""

    season: str
    seed: int
    settings: dict[str, Scalar]
    overrides: dict[str, Any]
    label: str


class Lived(NamedTuple):
    """What a season came to: its truth, the alerts that were raised, and how many signals reached the log."""

    truth: list[TruthState]
    alerts: list[Alert]
    signals: int


def registry_of(season: Season, overrides: Mapping[str, Any]) -> Registry:
    """Return the registry of a season's seeds, in force from the beginning, with these rules before its own."""
    return Registry(topic_records(season.seeds, effective_from_ms=0), overrides=overrides)


def rules_of(season: Season, registry: Registry) -> Rules:
    """Return the rules that judge a season's topic, as declared."""
    return registry.rules(f"{season.brand}/{season.topic}", season.start_ms)


def live(season: Season, seed: int, registry: Registry) -> Lived:
    """Grow a season and run its log through all three steps, the last batch ending every source."""
    keeper = TruthKeeper(season)

    def observed() -> Iterator[Planted]:
        for planted in grow_planted(season, seed):
            keeper.observe(planted)
            yield planted

    lines = entries(deliver(season, observed()))
    alerts: list[Alert] = []
    signals = 0

    def counted() -> Iterator[list[Entry]]:
        nonlocal signals
        for batch in lines:
            signals += sum(isinstance(said, Signal) for _, _, said in batch)
            yield batch

    for _, outcome in advance(registry, counted(), name=season.name):
        alerts += (alert for _, alert in outcome.alerts)
    return Lived(keeper.states, alerts, signals)


def kind_of(truth: Sequence[TruthState]) -> str:
    """Return whether a season is a `trap`, `quiet`, or a `story`, by its truth."""
    if any(entry.trap for entry in truth):
        return "trap"
    return "quiet" if {entry.state for entry in truth} <= {NONE, "seeded"} else "story"


def run(job: Job) -> Run:
    """Return how the alerts of one season compare with its truth."""
    collect_rarely()
    begun_s = time.monotonic()
    season = load_season(job.season, job.settings)
    registry = registry_of(season, job.overrides)
    lived = live(season, job.seed, registry)
    scores = score(
        lived.truth,
        [alert for alert in lived.alerts if (alert.brand, alert.topic) == (season.brand, season.topic)],
        end_ms=season.end_ms,
        timings=timings_of(scaled(rules_of(season, registry))),
    )
    return Run(
        job.label,
        kind_of(lived.truth),
        job.seed,
        lived.signals,
        season.start_ms,
        season.end_ms,
        scores,
        time.monotonic() - begun_s,
    )


def run_all(jobs: Sequence[Job], *, workers: int) -> Iterator[tuple[int, Run]]:
    """Yield each run with the number of its job as it ends, `workers` at a time, in processes of their own."""
    return in_processes(run, jobs, workers=workers)
