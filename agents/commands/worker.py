"""`overgrowth worker`: run one worker of the installation."""

import asyncio
from typing import Any

import click

from agents.broker import create_channels
from agents.settings import load_settings


@click.command()
@click.option("--kafka", default=None, help="Kafka's address, host:port[,host:port]; OVERGROWTH_KAFKA.")
@click.option("--redis", default=None, help="Redis' URL; OVERGROWTH_REDIS.")
@click.option("--namespace", default=None, help="Namespace of the channels and the group; OVERGROWTH_NAMESPACE.")
@click.option("--partitions", type=int, default=None, help="Partitions of every channel; OVERGROWTH_PARTITIONS.")
@click.option(
    "--clock",
    type=click.Choice(["wall", "log"]),
    default=None,
    help="Where time comes from: the wall clock, or the log alone, as a replay wants it; OVERGROWTH_CLOCK.",
)
@click.option(
    "--metrics-port",
    type=int,
    default=None,
    help="Port of /metrics, /live, /ready, /startup on loopback; 0 takes a free one; OVERGROWTH_METRICS_PORT.",
)
@click.option("--views/--no-views", default=None, help="Whether to write views to Redis; OVERGROWTH_VIEWS.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default=None,
    help="How much to log; OVERGROWTH_LOG_LEVEL.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "text"]),
    default=None,
    help="One line of JSON a record, or text for a person; OVERGROWTH_LOG_FORMAT.",
)
def worker(**options: Any) -> None:
    """Run a worker: read signals from Kafka, keep the tables, raise alerts. SIGTERM drains and ends with 0.

    \b
    Example:
      overgrowth worker --kafka 127.0.0.1:9092 --namespace replay --clock log
    """
    settings = load_settings(**options)
    # Asked here first, so that an unreachable broker is one line and not the log of a failing worker.
    asyncio.run(create_channels(settings))
    from agents.app import create_app

    app = create_app(settings)
    app.Worker(loglevel=settings.log_level, quiet=True, redirect_stdouts=False).execute_from_commandline()
