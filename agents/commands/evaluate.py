"""`overgrowth evaluate`: how right the alerts are, over many seasons whose truth is known."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from rich.console import Console

from agents.backtesting import read_overrides
from agents.commands.options import json_option, swept
from agents.commands.simulate import settings_of
from agents.evaluation.figures import Evaluation, Run, evaluation_of
from agents.evaluation.report import show
from agents.evaluation.running import Job, Scalar, registry_of, rules_of, run_all
from agents.evaluation.scoring import GROWING, STATES
from agents.seasons import load_season, shipped_seasons
from streams.lifecycle.rules import rules_hash

PROGRESS_EVERY_S = 3.0
WORKERS_MAX = 64


class Variant(NamedTuple):
    """A season with what is set for it; its label names both."""

    season: str
    settings: dict[str, Scalar]
    label: str


def variants(names: Sequence[str], settings: dict[str, Scalar], sweep: str | None) -> Iterator[Variant]:
    """Yield each season with each value of the sweep; a file is called by its name without the path, if that does."""
    stems = Counter(Path(season).stem for season in names)
    said = [f"{name}={value}" for name, value in settings.items()]
    name, values = (None, (0.0,)) if sweep is None else swept(sweep)
    for season in names:
        stem = Path(season).stem
        words = [stem if stems[stem] == 1 else season, *said]
        for value in values:
            if name is None:
                yield Variant(season, settings, " ".join(words))
            else:
                yield Variant(season, {**settings, name: value}, " ".join((*words, f"{name}={value:g}")))


@click.command()
@click.option(
    "--seasons",
    "per_season",
    type=click.IntRange(1, 100_000),
    default=5,
    show_default=True,
    help="Seeds of each season.",
)
@click.option("--seed", "first", type=click.IntRange(min=0), default=1, show_default=True, help="The first seed.")
@click.option(
    "--season", "names", metavar="NAME", multiple=True, help="Season or file; may be repeated. All by default."
)
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="Set a parameter of every chosen season.")
@click.option("--sweep", metavar="NAME=A..B/STEP", help="Run every chosen season with each value of a parameter.")
@click.option("--rules", "rules_path", metavar="FILE", help="Rules file that goes before the rules of the seasons.")
@click.option("--growing", "with_growing", is_flag=True, help="Judge `growing` like the other states.")
@click.option("--workers", type=click.IntRange(1, WORKERS_MAX), default=2, show_default=True, help="Processes.")
@json_option
def evaluate(
    per_season: int,
    first: int,
    names: tuple[str, ...],
    pairs: tuple[str, ...],
    sweep: str | None,
    rules_path: str | None,
    with_growing: bool,
    workers: int,
    as_json: bool,
) -> None:
    """Grow seasons whose truth is known, run them through everything, and say how right the alerts were.

    Seasons are those that `overgrowth simulate` knows, or files.

    \b
    Example:
      overgrowth evaluate --seasons 20
      overgrowth evaluate --seasons 10 --season escape --sweep drift=0.1..0.9/0.1 --json
    """
    overrides = read_overrides(rules_path)
    chosen = tuple(variants(tuple(dict.fromkeys(names)) or shipped_seasons(), settings_of(pairs), sweep))
    rules = {one.label: _rules_hash(one, overrides) for one in chosen}
    seeds = list(range(first, first + per_season))
    # Seed by seed, so that every season has been seen early.
    jobs = [Job(one.season, seed, one.settings, overrides, one.label) for seed in seeds for one in chosen]
    runs = _run(jobs, workers)
    evaluation = evaluation_of(runs, seeds=seeds, rules=rules, states=(GROWING, *STATES) if with_growing else STATES)
    _tell(evaluation, as_json=as_json)


def _rules_hash(variant: Variant, overrides: dict[str, Any]) -> str:
    """Return the hash of the rules that judge a season, which is loaded here so that a wrong one is refused at once."""
    season = load_season(variant.season, variant.settings)
    return rules_hash(rules_of(season, registry_of(season, overrides)))


def _run(jobs: Sequence[Job], workers: int) -> list[Run]:
    """Run all jobs and return what came of them in their order, with a line on stderr every few seconds."""
    begun_s = shown_s = time.monotonic()
    done: dict[int, Run] = {}
    try:
        for number, run in run_all(jobs, workers=workers):
            done[number] = run
            now_s = time.monotonic()
            if now_s - shown_s >= PROGRESS_EVERY_S and len(done) < len(jobs):
                shown_s = now_s
                left_s = (now_s - begun_s) / len(done) * (len(jobs) - len(done))
                click.echo(f"evaluate: {len(done):,} of {len(jobs):,} seasons, {left_s:,.0f} s left", err=True)
    except BrokenProcessPool:
        raise click.ClickException(
            f"evaluate: expected {workers} processes to go on, got: one was killed; "
            "there may be too little memory: use fewer --workers"
        ) from None
    return [done[number] for number in sorted(done)]


def _tell(evaluation: Evaluation, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(evaluation).decode())
    else:
        show(evaluation, Console(highlight=False))
