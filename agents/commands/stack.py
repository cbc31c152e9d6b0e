"""`overgrowth stack`: the embedded Kafka and Valkey alone, up until they are told to go down."""

from pathlib import Path
from typing import Any

import click
import msgspec

from agents.stack import (
    DEFAULT_DIRECTORY,
    KafkaKind,
    PartStatus,
    StackError,
    StackUp,
    stack_down,
    stack_status,
    stack_up,
)

_directory = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    envvar="OVERGROWTH_STACK_DIRECTORY",
    show_default=True,
    show_envvar=True,
    help="Where the state, the logs and the data of a real Kafka lie.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")


@click.group(name="stack")
def stack() -> None:
    """Start and stop a local Kafka and Valkey.

    They serve loopback only. The embedded Kafka (Tansu) and the Valkey keep everything in memory; a real Apache Kafka
    (--kafka real, needs Java 17 and Maven) keeps its log in the directory.

    \b
    Example:
      overgrowth stack up
      overgrowth stack status
      overgrowth stack down
    """


@stack.command()
@click.option(
    "--kafka",
    type=click.Choice(["embedded", "real"]),
    default="embedded",
    envvar="OVERGROWTH_STACK_KAFKA",
    show_default=True,
    show_envvar=True,
    help="Tansu from a wheel, or an Apache Kafka fetched once by Maven.",
)
@click.option(
    "--kafka-port",
    type=click.IntRange(1, 65_535),
    envvar="OVERGROWTH_STACK_KAFKA_PORT",
    show_envvar=True,
    help="Port of the Kafka; a free one when not given.",
)
@click.option(
    "--redis-port",
    type=click.IntRange(1, 65_535),
    envvar="OVERGROWTH_STACK_REDIS_PORT",
    show_envvar=True,
    help="Port of the Valkey; a free one when not given.",
)
@_directory
@_as_json
def up(kafka: KafkaKind, kafka_port: int | None, redis_port: int | None, directory: Path, as_json: bool) -> None:
    """Start both; they run until `overgrowth stack down`.

    What is printed can be fed to a shell as it is: everything but the export lines is a comment.

    \b
    Example:
      eval "$(overgrowth stack up)"
      overgrowth stack up --kafka real --kafka-port 9092 --redis-port 6379
    """
    try:
        outcome = stack_up(directory, kafka=kafka, kafka_port=kafka_port, redis_port=redis_port, say=_say)
    except StackError as error:
        raise click.ClickException(str(error)) from error
    environment = {
        "OVERGROWTH_KAFKA": outcome.state.url("kafka"),
        "OVERGROWTH_REDIS": outcome.state.url("redis"),
    }
    if as_json:
        _print_json(_up_as_json(outcome) | {"environment": environment})
        return
    if outcome.was_up:
        click.echo("# the stack was already up")
    for part in outcome.state.parts:
        click.echo(f"# {part.role}: {part.server} at {part.url} (process {part.process.pid})")
    for name, value in environment.items():
        click.echo(f"export {name}={value}")


@stack.command()
@_directory
@_as_json
def down(directory: Path, as_json: bool) -> None:
    """Stop exactly what `overgrowth stack up` started in this directory; twice is fine.

    \b
    Example:
      overgrowth stack down
    """
    try:
        found = stack_down(directory)
    except StackError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json({"stopped": [_part_as_json(part) for part in found]})
        return
    for part in found:
        what = "stopped" if part.running else "had already ended"
        click.echo(f"{part.role}: {part.server} at {part.url} {what} (process {part.pid})")
    if not found:
        click.echo(f"no stack is up in {directory}")


@stack.command()
@_directory
@_as_json
def status(directory: Path, as_json: bool) -> None:
    """Tell what runs; exit code 0 also when nothing does.

    \b
    Example:
      overgrowth stack status --json
    """
    try:
        found = stack_status(directory)
    except StackError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json({"parts": [_part_as_json(part) for part in found]})
        return
    for part in found:
        what = "running" if part.running else "stopped"
        click.echo(f"{part.role}: {part.server} at {part.url} {what} (process {part.pid})")
    if not found:
        click.echo(f"no stack is up in {directory}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _up_as_json(outcome: StackUp) -> dict[str, Any]:
    parts = [
        {"role": part.role, "server": part.server, "url": part.url, "pid": part.process.pid, "running": True}
        for part in outcome.state.parts
    ]
    return {"was_up": outcome.was_up, "kafka": outcome.state.kafka, "parts": parts}


def _part_as_json(part: PartStatus) -> dict[str, Any]:
    return {"role": part.role, "server": part.server, "url": part.url, "pid": part.pid, "running": part.running}


def _print_json(value: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(value).decode())
