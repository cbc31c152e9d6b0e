"""Grow seasons and run each through the three steps in this process, or several at a time in others."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from itertools import islice
from typing import Any, NamedTuple

from agents.evaluation.figures import Run
from agents.evaluation.scoring import score, timings_of
from agents.garbage import collect_rarely
from agents.seasons import Planted, Season, TruthKeeper, TruthState, deliver, grow_planted, load_season
from agents.seasons.truth import NONE
from schemas.alert import Alert
from schemas.rules import Rules
from schemas.signal import Heartbeat, Signal
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import topic_records
from streams.lifecycle.rules import scaled
from streams.steps.attribute import Arrival
from streams.steps.pipeline import Pipeline

BATCH_LINES = 1_000

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

    pipeline = Pipeline(registry, channel=season.name)
    lines, sources = iter(deliver(season, observed())), dict[str, None]()
    alerts: list[Alert] = []
    counts: Counter[bool] = Counter()
    number = latest_ms = 0
    while batch := list(islice(lines, BATCH_LINES)):
        for line in batch:
            counts[isinstance(line, Signal)] += 1
            sources[line.source if isinstance(line, Signal) else line.heartbeat] = None
            latest_ms = max(latest_ms, line.at)
        arrivals = [Arrival(number + at, None, b"", line) for at, line in enumerate(batch)]
        number += len(batch)
        alerts += (alert for _, alert in pipeline.advance(arrivals, next_offset=number).alerts)
    ends = [Arrival(number, None, b"", Heartbeat(source, at=latest_ms, end=True)) for source in sorted(sources)]
    alerts += (alert for _, alert in pipeline.advance(ends, next_offset=number).alerts)
    return Lived(keeper.states, alerts, counts[True])


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
    """Yield each run with the number of its job as it ends, `workers` at a time, in processes of their own.

    One worker is this process. Jobs that have not begun are given up where the caller stops.
    """
    if workers == 1 or len(jobs) == 1:
        for number, job in enumerate(jobs):
            yield number, run(job)
        return
    # Not forked: what another thread of this process holds would stay held in the child.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max_workers=min(workers, len(jobs)), mp_context=context)
    try:
        begun: dict[Future[Run], int] = {pool.submit(run, job): number for number, job in enumerate(jobs)}
        for future in as_completed(begun):
            yield begun[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
