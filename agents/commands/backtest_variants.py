"""What `overgrowth backtest` prints of two sets of rules, or of many values of one."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from agents.backtesting.running import Job, Told, read_overrides, tell
from agents.backtesting.sweep import Point, Sweep, curve, read_truth
from agents.commands.options import swept
from agents.parallel import in_processes
from schemas.alert import Condition
from streams.lifecycle.comparison import Difference, Episode, compare
from streams.lifecycle.explanation import number_of, said

_SAID = {
    "same": "= same",
    "changed": "~ changed",
    "moved": "> moved",
    "vanished": "- only with the first",
    "appeared": "+ only with the second",
}


def show_comparison(job: Job, against: str, *, workers: int, as_json: bool) -> None:
    """Run a log with the rules at hand and with those of another file, and print which episodes differ, and how."""
    jobs = [job, job._replace(overrides=read_overrides(against))]
    done: dict[int, Told] = {}
    with _told_if_killed(workers):
        done.update(in_processes(tell, jobs, workers=workers))
    differences = compare(done[0].alerts, done[1].alerts)
    if as_json:
        click.echo(json.dumps([_as_json(difference) for difference in differences]))
        return
    for difference in differences:
        click.echo("\n".join(_lines(difference)))
    counts = {change: sum(one.change == change for one in differences) for change in _SAID}
    click.echo(", ".join(f"{count} {change}" for change, count in counts.items()))


def show_sweep(job: Job, text: str, truth_path: str | None, *, workers: int, as_json: bool) -> None:
    """Run a log with each value of a rule, and print what each state was raised for, found and made up."""
    name, values = swept(text)
    sweep = Sweep(tuple(name.split(".")), values)
    truth = None if truth_path is None else read_truth(truth_path)
    points: dict[int, Point] = {}
    with _told_if_killed(workers):
        for number, point in curve(job, sweep, truth, workers=workers):
            points[number] = point
            if len(points) < len(values):
                click.echo(f"{job.log}: {len(points)} of {len(values)} values done", err=True)
    in_order = [points[number] for number in sorted(points)]
    if as_json:
        click.echo(msgspec.json.encode({"rule": name, "points": in_order}).decode())
        return
    click.echo("\n".join(_table(name, in_order)))


@contextmanager
def _told_if_killed(workers: int) -> Iterator[None]:
    """Tell in one line that a process of the pool was killed."""
    try:
        yield
    except BrokenProcessPool:
        raise click.ClickException(
            f"backtest: expected {workers} processes to go on, got: one was killed; "
            "there may be too little memory: use --workers 1"
        ) from None


def _table(name: str, points: Sequence[Point]) -> list[str]:
    """Return one line a value, a column a state that is ever raised or true: raised, or found/true and false."""
    shown = [
        state
        for state in points[0].states
        if any(point.states[state].raised or point.states[state].true for point in points)
    ]
    known = any(counts.true is not None for counts in points[0].states.values())
    head = "found/true +false" if known else "episodes"
    lines = [f"{name:>24}  " + "  ".join(f"{state:>12}" for state in shown) + f"   ({head})"]
    for point in points:
        cells = []
        for state in shown:
            counts = point.states[state]
            cells.append(
                f"{counts.found}/{counts.true} +{counts.false}" if counts.true is not None else str(counts.raised)
            )
        lines.append(f"{point.value:>24g}  " + "  ".join(f"{cell:>12}" for cell in cells))
    return lines


def _lines(difference: Difference) -> list[str]:
    episode = difference.before or difference.after
    assert episode is not None, "a difference is of at least one episode"
    alert = episode.raised
    lines = [f"{_SAID[difference.change]:<24} {alert.brand}/{alert.topic} {alert.state}  {alert.summary}"]
    if difference.change == "same":
        return lines
    lines.append(f"    {'':<28} {_life(difference.before):<44} {_life(difference.after)}")
    for side in difference.sides:
        if side.before != side.after or difference.change in ("vanished", "appeared"):
            lines.append(f"    {side.name:<28} {_said(side.before):<44} {_said(side.after)}")
    return lines


def _life(episode: Episode | None) -> str:
    if episode is None:
        return "not raised"
    ended = "goes on" if episode.ended_ms is None else f"{(episode.ended_ms - episode.at_ms) / 3_600_000:.1f} h"
    return f"{episode.raised.at}, severity {episode.raised.severity}, {ended}"


def _said(condition: Condition | None) -> str:
    if condition is None:
        return "-"
    held = "holds" if condition.holds else "does not hold"
    return f"{said(number_of(condition))} {condition.relation} {said(condition.threshold)}, {held}"


def _as_json(difference: Difference) -> dict[str, Any]:
    return {
        "change": difference.change,
        "before": _episode_json(difference.before),
        "after": _episode_json(difference.after),
    }


def _episode_json(episode: Episode | None) -> dict[str, Any] | None:
    if episode is None:
        return None
    return {"at": episode.at_ms, "ended": episode.ended_ms, "raised": msgspec.to_builtins(episode.raised)}
