"""Hold variables and commands in files of others' formats against our settings and our command line."""

from collections.abc import Mapping, Sequence

import click

from agents.cli import load
from agents.settings import FILE_VARIABLE, PREFIX, Settings, load_settings


def check_variables(variables: Mapping[str, object]) -> Settings:
    """Fail unless every variable is one of our settings with a value that it takes; return the settings."""
    given = {name: str(value) for name, value in variables.items() if name != FILE_VARIABLE}
    settings = load_settings(given)
    for variable, value in given.items():
        assert variable.startswith(PREFIX), variable
        field = variable.removeprefix(PREFIX).lower()
        assert field in Settings.__struct_fields__, variable
        taken = getattr(settings, field)
        assert (",".join(taken) if isinstance(taken, tuple) else str(taken)).lower() == value.lower(), variable
    return settings


def check_command(words: Sequence[str]) -> None:
    """Fail unless this is a command of ours with flags that it has; nothing is run."""
    program, name, *arguments = words
    assert program == "overgrowth"
    command = load(name)
    if isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, list(arguments), resilient_parsing=True)
