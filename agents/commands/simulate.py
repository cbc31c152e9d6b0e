"""`overgrowth simulate`: make a log of social life whose truth is known."""

import gzip
import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from agents.commands.options import json_option, said_instant
from agents.seasons import DEFAULT_SEASON, Season, SeasonError, TruthKeeper, TruthState, grow_planted, load_season

STDOUT = "-"
PROGRESS_EVERY_S = 3.0
PROGRESS_EVERY_SIGNALS = 5_000

_to_json = msgspec.json.Encoder().encode


@contextmanager
def written(path: str) -> Iterator[IO[bytes]]:
    """Give a file to write that appears under its name only when it is whole; gzipped where the name ends in .gz.

    `-` is standard output. Raises ClickException where nothing can be written.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        return
    # What is no ordinary file (a pipe, a device) cannot be replaced, only written to.
    is_ordinary = not os.path.exists(path) or os.path.isfile(path)
    draft = f"{path}.part" if is_ordinary else path
    try:
        with open(draft, "wb") as file:
            if path.endswith(".gz"):
                # No name and no time of day in it: the same season gives the same bytes.
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                    buffered = io.BufferedWriter(packed)
                    yield buffered
                    buffered.flush()
            else:
                yield file
        if is_ordinary:
            os.replace(draft, path)
    except OSError as error:
        got = error.strerror or str(error)
        raise click.ClickException(f"{path}: expected a file that can be written, got: {got}; check the path") from None
    finally:
        if is_ordinary:
            with suppress(OSError):
                os.unlink(draft)


def plant(season: Season, seed: int, out: IO[bytes]) -> tuple[Counter[str], list[TruthState]]:
    """Write the signals of a season, one JSON value a line; return how many of each lineage, and the true states."""
    keeper = TruthKeeper(season)
    planted_by: Counter[str] = Counter()
    shown_s = time.monotonic()
    for number, planted in enumerate(grow_planted(season, seed), start=1):
        keeper.observe(planted)
        planted_by[planted.lineage or "background"] += 1
        out.write(_to_json(planted.signal) + b"\n")
        if number % PROGRESS_EVERY_SIGNALS == 0 and time.monotonic() - shown_s >= PROGRESS_EVERY_S:
            shown_s = time.monotonic()
            click.echo(f"{season.name}: {number:,} signals, come to {said_instant(planted.signal.at)}", err=True)
    return planted_by, keeper.states


@click.command()
@click.option("--season", "season_name", default=DEFAULT_SEASON, show_default=True, help="Season file, or a name.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same log.")
@click.option("--out", metavar="LOG", required=True, help="Write the signals there (.gz: gzipped; - for stdout).")
@click.option("--truth", metavar="FILE", required=True, help="Write the true states there, one JSON value a line.")
@click.option("--seeds", metavar="FILE", help="Write the season's seeds there, for backtest and worker.")
@json_option
def simulate(season_name: str, seed: int, out: str, truth: str, seeds: str | None, as_json: bool) -> None:
    """Make a log of social life whose truth is known: a brand seeds a topic, a community outgrows it.

    \b
    Example:
      overgrowth simulate --out season.ndjson --truth truth.ndjson --seeds seeds.yaml
      overgrowth backtest season.ndjson --seeds seeds.yaml
    """
    _refuse_one_file_twice([out, truth] + ([seeds] if seeds else []))
    try:
        season = load_season(season_name)
        with written(out) as log:
            planted_by, states = plant(season, seed, log)
    except SeasonError as error:
        raise click.ClickException(str(error)) from None
    with written(truth) as file:
        file.writelines(_to_json(state) + b"\n" for state in states)
    if seeds:
        with written(seeds) as file:
            file.write(season.seeds_text.encode())
    _summarise(season, seed, planted_by, states, as_json=as_json, quiet=STDOUT in (out, truth, seeds))


def _refuse_one_file_twice(paths: list[str]) -> None:
    places = [path if path == STDOUT else str(Path(path).absolute()) for path in paths]
    for place, times in Counter(places).items():
        if times > 1:
            raise click.UsageError(
                f"expected a file each for --out, --truth and --seeds, got {place} twice; rename one"
            )


def _summarise(
    season: Season, seed: int, planted_by: Counter[str], states: list[TruthState], *, as_json: bool, quiet: bool
) -> None:
    if as_json:
        summary: dict[str, Any] = {
            "season": season.name,
            "seed": seed,
            "from": season.start_ms,
            "to": season.end_ms,
            "signals": planted_by.total(),
            "by_lineage": dict(sorted(planted_by.items())),
            "states": msgspec.to_builtins(states),
        }
        click.echo(json.dumps(summary), err=quiet)
        return
    counts = ", ".join(f"{count:,} {lineage}" for lineage, count in sorted(planted_by.items()))
    span = f"{said_instant(season.start_ms)} to {said_instant(season.end_ms)}"
    click.echo(f"{season.name}, seed {seed}: {planted_by.total():,} signals from {span}: {counts}", err=quiet)
    for state in states:
        click.echo(f"{said_instant(state.at)}  {state.state:<9} {state.why}", err=quiet)
