"""The runbook names what there is: links lead somewhere, variables are settings, commands are ours."""

import re

from agents.settings import FILE_VARIABLE, PREFIX, Settings
from tests.deploy.ours import check_command
from tests.deploy.test_prometheus import RUNBOOK, anchors
from tests.deploy.told import told_series

TEXT = RUNBOOK.read_text()
PROCEDURES = {
    "stuck-partition",
    "replay-what-was-refused",
    "zombie-worker",
    "retention-and-gaps",
    "channel-re-created",
    "partition-change",
    "rollback",
    "full-rebuild-from-input",
    "erasure-request",
    "key-rotation",
    "disk-full",
    "redis-loss",
    "clock-skew",
    "capacity",
}


def test_every_link_leads_to_a_section() -> None:
    """At night nobody searches."""
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= anchors(TEXT)


def test_there_is_a_procedure_for_what_may_have_to_be_done() -> None:
    """Besides the alerts: what operators are asked for, and what breaks around us."""
    assert anchors(TEXT) >= PROCEDURES


def test_variables_are_settings() -> None:
    """One that is misspelt changes nothing, silently."""
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", TEXT)) - {FILE_VARIABLE}
    assert {name.removeprefix(PREFIX).lower() for name in named} <= set(Settings.__struct_fields__)


def test_metrics_are_told() -> None:
    """Those that are written out are to be typed in as they stand."""
    named = set(re.findall(r"`(overgrowth_\w+)`", TEXT))
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told_series()}
    assert named
    assert named <= series


def test_commands_are_ours() -> None:
    """With the flags that they have; words in capitals stand for what is put there."""
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL).replace("\n", " ")
    inline = re.findall(r"`([^`]+)`", prose)
    commands = [match[1] for text in inline if (match := re.match(r"(?:[A-Z_]+=\S+ )*(overgrowth [a-z].*)", text))]
    assert len(commands) > 3
    for command in commands:
        check_command(["2026-01-01T00:00:00Z" if word == "T" else word for word in command.split()])
