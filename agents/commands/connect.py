"""`overgrowth connect`: run a connector, a program beside the worker that delivers what a network says."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from agents.commands.options import kafka_option, namespace_option, partitions_option
from agents.connectors import jetstream as bluesky
from agents.connectors import mastodon as fediverse
from agents.connectors.delivery import BYTES_MAX
from agents.connectors.feed import Feed, FeedConnector
from agents.connectors.intake import BODY_BYTES_MAX, Intake
from agents.connectors.metrics import ConnectorMetrics
from agents.connectors.program import Connector, run
from agents.connectors.tokens import read_token
from agents.json_lines import JsonLines
from agents.quieting import quiet_loggers
from agents.settings import Settings, load_settings
from agents.version import VERSION
from streams.networks.bluesky import SOURCE

SILENCE_S = 60.0
SILENCE_OF_FEW_S = 900.0
"""A few accounts may well say nothing for so long."""
MIB = 1024 * 1024
INTAKE_TOKEN = "OVERGROWTH_INTAKE_TOKEN"  # noqa: S105  (the name of a variable)
MASTODON_TOKEN = "OVERGROWTH_MASTODON_TOKEN"  # noqa: S105

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def common_options(command: Decorated) -> Decorated:
    """Add the flags that every connector has."""
    for option in (
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default=None,
            help="How much to log; OVERGROWTH_LOG_LEVEL.",
        ),
        click.option(
            "--in-flight-mib",
            type=click.IntRange(1, 1024),
            default=BYTES_MAX // MIB,
            show_default=True,
            help="What may wait for Kafka at once.",
        ),
        click.option(
            "--metrics-port",
            type=int,
            # Not the setting of the worker, which may well run beside it.
            default=0,
            envvar="OVERGROWTH_METRICS_PORT",
            show_default=True,
            help="Port of /metrics, /live, /ready; 0 takes a free one and logs it; OVERGROWTH_METRICS_PORT.",
        ),
        partitions_option,
        namespace_option("Without it, the live one."),
        kafka_option,
    ):
        command = option(command)
    return command


@click.group()
def connect() -> None:
    """Deliver what a network says to social.raw.<network>, as it comes, until SIGTERM.

    How far a feed was read is kept in Kafka, so a connector goes on where it was killed. docs/networks.md says what
    each network's data can show, and what its readers owe.

    \b
    Example:
      overgrowth connect jetstream
      overgrowth connect mastodon mastodon.social --stream hashtag:gardening --token-file token.txt
      overgrowth connect http --port 8810
    """


@connect.command()
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="URL",
    default=bluesky.SERVERS,
    show_default=True,
    help="A Jetstream; of several, the next one is taken when a connection ends.",
)
@click.option("--protocol", type=click.Choice(["v1", "v2"]), default="v1", show_default=True, help="What it speaks.")
@click.option(
    "--collection",
    "collections",
    multiple=True,
    metavar="NSID",
    default=bluesky.COLLECTIONS,
    show_default=True,
    help="Which records; `app.bsky.feed.*` works too.",
)
@click.option("--did", "dids", multiple=True, metavar="DID", help="Only these accounts.")
@click.option(
    "--dids", "dids_file", type=click.File(), default=None, help="Only these accounts: a file, one DID a line."
)
@click.option("--name", default=SOURCE, show_default=True, help="What the cursor is kept under; one a connector.")
@click.option(
    "--silence-s",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help=f"Connect again when nothing came for so long. [default: {SILENCE_S:g}, {SILENCE_OF_FEW_S:g} with DIDs]",
)
@common_options
def jetstream(
    servers: tuple[str, ...],
    protocol: bluesky.Version,
    collections: tuple[str, ...],
    dids: tuple[str, ...],
    dids_file: Any,
    name: str,
    silence_s: float | None,
    **options: Any,
) -> None:
    """Follow Bluesky's Jetstream.

    \b
    Example:
      overgrowth connect jetstream --collection app.bsky.feed.post --metrics-port 8811
    """
    listed = [] if dids_file is None else [line.strip() for line in dids_file if line.strip()]
    filters = bluesky.Filters(collections, [*dids, *listed])
    silent_s = silence_s or (SILENCE_OF_FEW_S if filters.dids else SILENCE_S)
    feed = bluesky.Jetstream(servers, version=protocol, filters=filters, name=name, silence_s=silent_s)
    _follow(feed, options)


@connect.command()
@click.argument("instance")
@click.option(
    "--stream",
    default="public",
    show_default=True,
    help="public, public/local, or hashtag:TAG; one for each connector.",
)
@click.option(
    "--token-file", default=None, help=f"File with the access token; {MASTODON_TOKEN} holds the token itself."
)
@click.option("--name", default=None, help="What the cursor is kept under. [default: mastodon:INSTANCE/STREAM]")
@click.option(
    "--silence-s",
    type=click.FloatRange(min=0, min_open=True),
    default=SILENCE_S,
    show_default=True,
    help="Connect again when nothing came for so long; a server shows that it lives every 15 s.",
)
@click.option(
    "--counts-s",
    type=click.FloatRange(min=0),
    default=fediverse.COUNTS_S,
    show_default=True,
    help="Ask so often how often the latest statuses were liked and shared; 0 never asks.",
)
@common_options
def mastodon(
    instance: str,
    stream: str,
    token_file: str | None,
    name: str | None,
    silence_s: float,
    counts_s: float,
    **options: Any,
) -> None:
    """Follow a public timeline of the Mastodon server INSTANCE.

    \b
    Example:
      overgrowth connect mastodon mastodon.social --stream public --token-file token.txt
    """
    token = read_token(token_file, MASTODON_TOKEN, os.environ)
    feed = fediverse.Mastodon(instance, stream, token=token, name=name, silence_s=silence_s, counts_s=counts_s)
    _follow(feed, options)


@connect.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; any other needs a token.")
@click.option("--port", type=int, default=8810, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--token-file", default=None, help=f"File with the token to ask for; {INTAKE_TOKEN} holds it itself.")
@click.option(
    "--body-bytes",
    type=click.IntRange(1, BODY_BYTES_MAX),
    default=BODY_BYTES_MAX,
    show_default=True,
    help="The longest body that is taken.",
)
@common_options
def http(host: str, port: int, token_file: str | None, body_bytes: int, **options: Any) -> None:
    """Take POST /signals (NDJSON) and POST /raw/<network> (NDJSON, or one JSON activity).

    202 is answered once Kafka has every record; 429 and 503 say when to come again.

    \b
    Example:
      overgrowth connect http --port 8810
      curl --data-binary @signals.ndjson http://127.0.0.1:8810/signals
    """
    token = read_token(token_file, INTAKE_TOKEN, os.environ)
    settings, bytes_max = _settings(options)
    metrics = ConnectorMetrics(version=VERSION, networks=["native", *settings.raw_networks])
    intake = Intake(settings, metrics, host=host, port=port, token=token, body_bytes_max=body_bytes)
    _run(settings, intake, metrics, bytes_max)


def _settings(options: dict[str, Any]) -> tuple[Settings, int]:
    bytes_max = options.pop("in_flight_mib") * MIB
    settings = load_settings(**options)
    _log_as_set(settings)
    return settings, bytes_max


def _log_as_set(settings: Settings) -> None:
    """Write what is logged as the worker does: lines of JSON that no payload and no server can forge, or text."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s %(message)s"))
    if settings.log_format == "json":
        handler.setFormatter(JsonLines())
        logging.captureWarnings(True)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    quiet_loggers()


def _follow(feed: Feed, options: dict[str, Any]) -> None:
    settings, bytes_max = _settings(options)
    metrics = ConnectorMetrics(version=VERSION, networks=[feed.network])
    _run(settings, FeedConnector(settings, feed, metrics), metrics, bytes_max)


def _run(settings: Settings, connector: Connector, metrics: ConnectorMetrics, bytes_max: int) -> None:
    asyncio.run(run(settings, connector, metrics, bytes_max=bytes_max))
