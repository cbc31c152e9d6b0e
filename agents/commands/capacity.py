"""`overgrowth capacity`: what a load takes: processors, partitions, workers, memory, network, disk."""

from pathlib import Path
from typing import Any

import click
import msgspec

from agents.capacity import Costs, Load, Plan, limits, plan
from agents.commands.options import json_option, said_duration

_UNITS: tuple[tuple[str, str], ...] = (
    ("workers", "{0.workers}, one core each"),
    ("partitions", "{0.partitions}"),
    ("cores at work", "{0.cores:.1f}: signals {0.signals_cores:.1f}, ticks {0.ticks_cores:.1f}"),
    ("", "packets between partitions {0.packets_cores:.1f} ({0.packets_per_s:,.0f} a second)"),
    ("memory of a worker", "{0.worker_gib:.1f} GiB, with one of them away"),
    ("state of all workers", "{0.state_gib:.1f} GiB"),
    ("brokers", "{0.brokers}: {0.brokers_in_mb_per_s:.0f} MB/s in, {0.brokers_out_mb_per_s:.0f} MB/s out to workers"),
    ("disk for signals", "{0.signals_disk_gb:,.0f} GB, kept for a week, all copies"),
    ("disk for changelogs", "{0.changelog_gb:,.0f} GB and what is remembered, all copies"),
    ("one topic at most", "{0.topic_per_s_max:,.0f} signals/s"),
)


def read_costs(path: Path) -> Costs:
    """Return the costs of a file; raises ClickException."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Costs)
    except msgspec.DecodeError as error:
        raise click.ClickException(
            f"{path}: expected costs as JSON, got: {error}; `python -m tests.benchmarks.capacity REPORT` prints them"
        ) from None


@click.command()
@click.option("--signals-per-s", "peak_per_s", type=click.FloatRange(min=1), required=True, help="At the peak.")
@click.option("--mean", "mean_per_s", type=click.FloatRange(min=0), help="Over days; half of the peak by default.")
@click.option("--on-topic", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share on any topic.")
@click.option("--topics", type=click.IntRange(min=0), default=1_000, show_default=True, help="Talked of each day.")
@click.option("--declared", "topics_declared", type=click.IntRange(min=0), default=0, help="Topics of all brands.")
@click.option("--members", type=click.IntRange(min=0), default=100_000, show_default=True, help="Of all communities.")
@click.option("--signal-bytes", type=click.IntRange(min=1), default=300, show_default=True, help="A signal as JSON.")
@click.option("--partitions", type=click.IntRange(min=0, max=1_024), default=0, help="As many as advised without it.")
@click.option("--replication", type=click.IntRange(min=1), default=3, show_default=True, help="Copies of each record.")
@click.option("--busy", type=click.FloatRange(0.05, 1), default=0.6, show_default=True, help="Of a core at the peak.")
@click.option(
    "--costs",
    "costs_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What things cost on your machines, as JSON.",
)
@json_option
def capacity(costs_path: Path | None, mean_per_s: float | None, as_json: bool, **options: Any) -> None:
    """Say what a load takes, by a model whose constants were measured (docs/capacity.md).

    \b
    Example:
      overgrowth capacity --signals-per-s 20000 --topics 500
      overgrowth capacity --signals-per-s 1000000 --on-topic 0.02 --json
    """
    load = Load(mean_per_s=options["peak_per_s"] / 2 if mean_per_s is None else mean_per_s, **options)
    planned = plan(load, Costs() if costs_path is None else read_costs(costs_path))
    if as_json:
        told = {"load": load, "plan": planned._asdict(), "limits": limits(load, planned)}
        click.echo(msgspec.json.encode(told).decode())
        return
    _tell(load, planned)


def _tell(load: Load, planned: Plan) -> None:
    for name, said in _UNITS:
        click.echo(f"{name:<22}{said.format(planned)}")
    click.echo(f"{'taking over':<22}{said_duration(planned.takeover_s)} until the part of a worker that ends goes on")
    for limit in limits(load, planned):
        click.echo(f"limit: {limit}")
