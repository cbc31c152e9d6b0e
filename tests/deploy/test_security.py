"""Claims about SECURITY.md and deploy/security: what they name is there, and workers may see every channel."""

import ast
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from agents.settings import FILE_VARIABLE, load_settings
from schemas.channels import CHANNELS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
SCRIPTS = ROOT / "deploy" / "security"
WITHIN_S = 30.0


def test_every_test_that_is_named_is_there() -> None:
    """A promise whose test was renamed or taken away would be a promise alone."""
    there = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(named) > 20
    assert named - there == set()


def test_every_file_that_is_named_is_there() -> None:
    """Where a test is to be found, and what is to be run."""
    for name in re.findall(r"(?:tests|deploy)/[\w/.-]+\.\w+", TEXT):
        assert (ROOT / name).exists(), name


def test_the_settings_that_are_shown_are_taken(tmp_path: Path) -> None:
    """They are there to be copied."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "settings.yaml"
    path.write_text(shown)
    settings = load_settings({FILE_VARIABLE: str(path)})
    assert (settings.kafka_security, settings.create_channels) == ("sasl_ssl", False)


def told(script: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of deploy/security."""
    return subprocess.run(
        [str(SCRIPTS / script), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


@pytest.mark.parametrize("namespace", ["", "replay"])
def test_workers_know_every_channel_in_every_namespace(namespace: str) -> None:
    """A worker looks for all of them when it starts; one that it may not see would be missing to it."""
    printed = told("kafka-acls.sh", "broker:9092", KAFKA_ACLS="echo", NAMESPACE=namespace).stdout.splitlines()
    of_workers = [line.split() for line in printed if "User:overgrowth-worker" in line]
    prefix = f"{namespace}." if namespace else ""
    for spec in CHANNELS:
        allowed = [
            line
            for line in of_workers
            for option, name in pairwise(line)
            if option == "--topic"
            and (f"{prefix}{spec.name}" == name or ("prefixed" in line and f"{prefix}{spec.name}".startswith(name)))
        ]
        assert allowed, f"{spec.name}: give the worker its rights in kafka-acls.sh"
    group = f"overgrowth-{namespace}" if namespace else "overgrowth"
    assert any(line[-2:] == ["--group", group] for line in of_workers)


def test_a_script_without_what_it_needs_says_what(tmp_path: Path) -> None:
    """An empty password would let everybody in."""
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert "expected the address of a broker" in told("kafka-acls.sh").stderr
    assert "expected two files with passwords" in told("redis-users.sh").stderr
    done = told("redis-users.sh", str(empty), str(empty))
    assert done.returncode != 0
    assert "expected a password in" in done.stderr
    assert done.stdout == ""
