"""The `overgrowth` command: it knows every subcommand by name and loads one only when that is used."""

import importlib
import logging
import sys
from typing import Any

import click

from agents.compiled_core import label, require_current

COMMANDS: dict[str, str] = {
    "demo": "Watch a community outgrow a brand's topic, on embedded servers.",
    "stack": "Start and stop a local Kafka and Valkey.",
    "worker": "Run a worker: signals in, alerts out.",
    "connect": "Deliver what a network says: Bluesky, Mastodon, or what is posted over HTTP.",
    "seeds": "Check, publish and list what brands declare.",
    "channels": "Create and list the Kafka channels of an installation.",
    "capacity": "Say what a load takes: workers, partitions, memory, disk.",
    "erase": "Have nothing name an actor any more.",
    "replay": "Send a log into Kafka, in a namespace of its own.",
    "backtest": "Run a log through everything in one process, no broker.",
    "simulate": "Make a log of social life whose truth is known.",
    "evaluate": "Say how right the alerts are, over seasons whose truth is known.",
    "alerts": "Watch alerts as they are raised.",
    "explain": "Say why an alert was raised, and raise it again from its log.",
    "schema": "Print the wire contract.",
}
"""Every subcommand `x`, the click command `x` of `agents.commands.x`, with its line in the help of `overgrowth`."""

EXPECTED_ERRORS = frozenset(
    {
        "agents.backtesting.running.UnreadableFile",
        "agents.broker.BrokerError",
        "agents.compiled_core.StaleError",
        "agents.connectors.errors.ConnectorError",
        "agents.health.HealthError",
        "agents.logs.LogError",
        "agents.seasons.season.SeasonError",
        "agents.settings.SettingsError",
        "agents.stack.errors.StackError",
        "agents.table.TableError",
        "agents.views.ViewsError",
        "streams.attribution.seeds_file.SeedsError",
        "streams.lifecycle.rules.RulesError",
    }
)
"""Errors whose text is for the user. By name, because to import them all would take longer than most commands."""

EXIT_INTERRUPTED = 130
"""What a shell reports for a process that Ctrl-C ended: 128 + SIGINT."""


def is_expected(error: BaseException) -> bool:
    """Return whether an error is something that a user can put right, and not a bug of ours.

    >>> is_expected(ValueError("a bug"))
    False
    """
    return any(f"{kind.__module__}.{kind.__qualname__}" in EXPECTED_ERRORS for kind in type(error).__mro__)


def load(name: str) -> click.Command:
    """Return the command of this name; ClickException where something that it needs is not installed."""
    try:
        module = importlib.import_module(f"agents.commands.{name}")
    except ImportError as error:
        raise click.ClickException(
            f"overgrowth {name}: expected everything that it needs to be installed, got: {error}; "
            "run `make install` in the checkout, or `pip install '.[local]'`"
        ) from error
    command = getattr(module, name)
    assert isinstance(command, click.Command), f"agents.commands.{name} has no click command {name}"
    return command


class LazyGroup(click.Group):
    """A group that loads a subcommand when it is used, and tells expected errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a subcommand."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand: expected errors are one line and exit code 1, Ctrl-C is exit code 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except Exception as error:
            if not is_expected(error):
                raise
            raise click.ClickException(" ".join(str(error).split())) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="overgrowth", message=f"overgrowth %(version)s{label()}")
def main() -> None:
    """Know when a community outgrows a brand-seeded topic.

    Settings are taken from flags, then from OVERGROWTH_* in the environment, then from the file that
    OVERGROWTH_SETTINGS names.

    \b
    Example:
      overgrowth demo
      overgrowth backtest week.ndjson.gz --seeds seeds.yaml
      overgrowth worker --help
    """
    # Clients of Kafka log each attempt to connect; without a log to write to, that would be noise beside our one line.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    require_current()


if __name__ == "__main__":
    sys.exit(main())
