"""Check `overgrowth` itself: what it lists, what it loads, and how it ends when something goes wrong."""

import importlib
import pkgutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from agents import cli, commands
from agents.compiled_core import StaleError
from agents.settings import SettingsError
from agents.version import VERSION


def run(*arguments: str) -> Result:
    """Run `overgrowth ...`."""
    return CliRunner().invoke(cli.main, list(arguments), prog_name="overgrowth")


def all_commands() -> list[tuple[str, ...]]:
    """Return the words of every command and subcommand whose module is there."""
    found: list[tuple[str, ...]] = []
    for name in cli.COMMANDS:
        command = cli.load(name)
        found.append((name,))
        if isinstance(command, click.Group):
            found.extend((name, sub) for sub in command.commands)
    return found


def raising(error: BaseException) -> click.Command:
    """Return a command that fails."""

    @click.command()
    def failing() -> None:
        raise error

    return failing


def test_help_lists_every_command_and_loads_none() -> None:
    """Most of the time of a command line is spent loading what it does not need."""
    code = (
        "import sys; from agents.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'aiokafka', 'faust', 'redis', 'rich', 'datasketches', 'msgspec', 'aiohttp'} & set(sys.modules)\n"
        "print('loaded:', sorted(heavy))"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.endswith("loaded: []\n")
    assert all(f"\n  {name} " in shown for name in cli.COMMANDS)


def test_every_command_is_a_module_and_every_module_with_one_is_listed() -> None:
    """A command that nobody lists cannot be found, and one without a module cannot be run."""
    with_command = set()
    for _, name, _ in pkgutil.iter_modules(commands.__path__):
        if isinstance(getattr(importlib.import_module(f"agents.commands.{name}"), name, None), click.Command):
            with_command.add(name)

    assert with_command == set(cli.COMMANDS)


def test_every_command_shows_an_example() -> None:
    """The quickest documentation is a line to copy."""
    for words in all_commands():
        result = run(*words, "--help")

        assert result.exit_code == 0, words
        example = result.stdout.partition("Example:\n")[2]
        assert f"overgrowth {words[0]}" in example, words


def test_version_is_that_of_the_package() -> None:
    """A report of a bug begins with it."""
    assert run("--version").stdout == f"overgrowth {VERSION}\n"


def test_no_command_runs_what_was_compiled_of_other_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of yesterday's rules would look like one of today's."""

    def stale() -> None:
        raise StaleError("watch.py changed since; run `make compiled`")

    monkeypatch.setattr(cli, "require_current", stale)
    result = run("schema", "jsonschema")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: watch.py changed since; run `make compiled`\n"


@pytest.mark.parametrize("name", sorted(cli.EXPECTED_ERRORS))
def test_every_expected_error_exists(name: str) -> None:
    """They are known by name, so a renamed one would come out as a traceback."""
    module, _, kind = name.rpartition(".")

    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


def test_an_expected_error_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is for the user; a line break in what it quotes does not break it."""

    class NarrowError(SettingsError):
        pass

    monkeypatch.setattr(cli, "load", lambda name: raising(NarrowError("settings: expected x,\n got y")))

    result = run("worker")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: settings: expected x, got y\n"


def test_a_bug_is_not_dressed_up_as_an_expected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reports a bug needs its traceback."""
    monkeypatch.setattr(cli, "load", lambda name: raising(ZeroDivisionError("a bug")))

    assert isinstance(run("worker").exception, ZeroDivisionError)


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script can tell an interruption from a failure."""
    monkeypatch.setattr(cli, "load", lambda name: raising(KeyboardInterrupt()))

    result = run("worker")

    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_a_missing_part_breaks_only_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded servers are an extra; without them everything else works."""
    monkeypatch.setitem(sys.modules, "agents.commands.stack", None)

    broken, sound = run("stack", "status"), run("schema")

    assert broken.exit_code == 1
    assert broken.stderr.startswith("Error: overgrowth stack: expected everything that it needs to be installed, got: ")
    assert broken.stderr.endswith("run `make install` in the checkout, or `pip install '.[local]'`\n")
    assert sound.exit_code == 0


@pytest.mark.parametrize("arguments", [("sideways",), ("schema", "--sideways"), ("seeds", "plant")])
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Wrong use is told apart from failure."""
    assert run(*arguments).exit_code == 2
