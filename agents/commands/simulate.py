"""`overgrowth simulate`: make a log of social life whose truth is known."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import click
import msgspec

from agents.commands.options import json_option, said_instant
from agents.outputs import STDOUT, written
from agents.seasons import (
    DEFAULT_SEASON,
    Planted,
    Season,
    SeasonError,
    TruthKeeper,
    TruthState,
    deliver,
    grow_planted,
    load_season,
    shipped_seasons,
)
from schemas.signal import Signal

PROGRESS_EVERY_S = 3.0
PROGRESS_EVERY_SIGNALS = 5_000

_to_json = msgspec.json.Encoder().encode


class Grown(NamedTuple):
    """What came of a season: how many signals of each lineage were lived, what the log has of it, and the truth."""

    lived: Counter[str]
    signals: int
    heartbeats: int
    states: list[TruthState]


def plant(season: Season, seed: int, out: IO[bytes]) -> Grown:
    """Write the log of a season, one JSON value a line, and return what came of it."""
    keeper = TruthKeeper(season)
    lived: Counter[str] = Counter()
    signals = heartbeats = 0
    shown_s = time.monotonic()

    def observed() -> Iterator[Planted]:
        for planted in grow_planted(season, seed):
            keeper.observe(planted)
            lived[planted.lineage or "background"] += 1
            yield planted

    for number, line in enumerate(deliver(season, observed()), start=1):
        if isinstance(line, Signal):
            signals += 1
        else:
            heartbeats += 1
        out.write(_to_json(line) + b"\n")
        if number % PROGRESS_EVERY_SIGNALS == 0 and time.monotonic() - shown_s >= PROGRESS_EVERY_S:
            shown_s = time.monotonic()
            click.echo(f"{season.name}: {number:,} lines, come to {said_instant(line.at)}", err=True)
    return Grown(lived, signals, heartbeats, keeper.states)


def settings_of(pairs: tuple[str, ...]) -> dict[str, str | int | float | bool]:
    """Return what `name=value` pairs set; a value is a number, true, false or a text. Raises UsageError.

    >>> settings_of(("drift=0.5", "gone_talk=true", "hours=48"))
    {'drift': 0.5, 'gone_talk': True, 'hours': 48}
    """
    made: dict[str, str | int | float | bool] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not name or not sign or not value:
            raise click.UsageError(f"expected NAME=VALUE for --set, got {pair!r}; write, for example, drift=0.5")
        made[name] = _scalar(value)
    return made


def _scalar(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    for read in (int, float):
        with suppress(ValueError):
            return read(text)
    return text


@click.command()
@click.option(
    "--season",
    "season_name",
    default=DEFAULT_SEASON,
    show_default=True,
    help=f"Season file, or one of: {', '.join(shipped_seasons())}.",
)
@click.option(
    "--set", "pairs", metavar="NAME=VALUE", multiple=True, help="Set a parameter of the season; may be repeated."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same log.")
@click.option("--out", metavar="LOG", required=True, help="Write the signals there (.gz: gzipped; - for stdout).")
@click.option("--truth", metavar="FILE", required=True, help="Write the true states there, one JSON value a line.")
@click.option("--seeds", metavar="FILE", help="Write the season's seeds there, for backtest and worker.")
@json_option
def simulate(
    season_name: str, pairs: tuple[str, ...], seed: int, out: str, truth: str, seeds: str | None, as_json: bool
) -> None:
    """Make a log of social life whose truth is known: a brand seeds a topic, a community outgrows it.

    \b
    Example:
      overgrowth simulate --out season.ndjson --truth truth.ndjson --seeds seeds.yaml
      overgrowth backtest season.ndjson --seeds seeds.yaml
      overgrowth simulate --season escape --set drift=0.5 --out log.ndjson --truth truth.ndjson
    """
    _refuse_one_file_twice([out, truth] + ([seeds] if seeds else []))
    try:
        season = load_season(season_name, settings_of(pairs))
        with written(out) as log:
            grown = plant(season, seed, log)
    except SeasonError as error:
        raise click.ClickException(str(error)) from None
    with written(truth) as file:
        file.writelines(_to_json(state) + b"\n" for state in grown.states)
    if seeds:
        with written(seeds) as file:
            file.write(season.seeds_text.encode())
    _summarise(season, seed, grown, as_json=as_json, quiet=STDOUT in (out, truth, seeds))


def _refuse_one_file_twice(paths: list[str]) -> None:
    places = [path if path == STDOUT else str(Path(path).absolute()) for path in paths]
    for place, times in Counter(places).items():
        if times > 1:
            raise click.UsageError(
                f"expected a file each for --out, --truth and --seeds, got {place} twice; rename one"
            )


def _summarise(season: Season, seed: int, grown: Grown, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        summary: dict[str, Any] = {
            "season": season.name,
            "seed": seed,
            "from": season.start_ms,
            "to": season.end_ms,
            "signals": grown.signals,
            "heartbeats": grown.heartbeats,
            "by_lineage": dict(sorted(grown.lived.items())),
            "states": msgspec.to_builtins(grown.states),
        }
        click.echo(json.dumps(summary), err=quiet)
        return
    counts = ", ".join(f"{count:,} {lineage}" for lineage, count in sorted(grown.lived.items()))
    span = f"{said_instant(season.start_ms)} to {said_instant(season.end_ms)}"
    click.echo(f"{season.name}, seed {seed}: {grown.signals:,} signals from {span}: {counts}", err=quiet)
    if season.plan.sources:
        lost = grown.lived.total() - grown.signals
        click.echo(f"{grown.heartbeats:,} heartbeats of its sources; {lost:,} signals were lost on the way", err=quiet)
    for state in grown.states:
        said = f"{state.trap}: {state.why}" if state.trap else state.why
        click.echo(f"{said_instant(state.at)}  {state.state:<9} {said}", err=quiet)
