"""Keep the style of this project from drifting: the rules of tidy.py hold here, and each of them can fail."""

import importlib
import re
from pathlib import Path

import pytest

from tests import tidy
from tests.tidy import Rule

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# Each rule with a file that breaks it.
PLANTED: dict[Rule, list[tuple[str, str]]] = {
    tidy.imports_against_the_direction: [
        ("schemas/a.py", "import streams.steps"),
        ("streams/a.py", "def f():\n    from agents import app"),
        ("agents/a.py", "from tests import conftest"),
    ],
    tidy.impure_imports: [
        ("schemas/a.py", "import numpy"),
        ("streams/a.py", "import faust"),
        ("streams/a.py", "import time"),
        ("streams/a.py", "from os import path"),
        ("streams/a.py", "import urllib.request"),
    ],
    tidy.impure_calls: [
        ("streams/a.py", "from datetime import datetime\nx = datetime.now()"),
        ("streams/a.py", "import datetime\nx = datetime.date.today()"),
        ("schemas/a.py", "x = open('f')"),
        ("streams/a.py", "print(1)"),
        ("streams/a.py", "x = hash('a') % 64"),
    ],
    tidy.iterated_sets: [
        ("streams/a.py", "for x in {1, 2}: pass"),
        ("streams/a.py", "y = [x for x in set('ab')]"),
    ],
    tidy.unsafe_loading: [
        ("agents/a.py", "import pickle"),
        ("agents/a.py", "import yaml\nyaml.load('a')"),
        ("tests/a.py", "eval('1')"),
    ],
    tidy.type_checking_tricks: [
        ("agents/a.py", "from typing import " + "TYPE_" + "CHECKING"),
        ("agents/a.py", "import typing\nif typing." + "TYPE_" + "CHECKING: pass"),
    ],
    tidy.undeclared_dependencies: [
        ("agents/a.py", "import pytest"),
        ("agents/a.py", "import attrs_that_nobody_installed"),
    ],
    tidy.missing_module_docstrings: [("agents/a.py", "x = 1"), ("tests/a.py", '""""""')],
    tidy.long_modules: [("streams/a.py", "x = 1\n" * (tidy.MODULE_LINES_MAX + 1))],
    tidy.long_functions: [("streams/a.py", "async def f():\n" + "    x = 1\n" * tidy.FUNCTION_LINES_MAX)],
    tidy.vague_names: [("streams/utils.py", ""), ("agents/core/a.py", ""), ("tests/test_helpers.py", "")],
    tidy.bare_todo_markers: [("agents/a.py", "x = 1  # TO" + "DO later")],
    tidy.missing_mirrors: [("streams/measures/a.py", "")],
    tidy.unexplained_tests: [("tests/test_a.py", "class T:\n    def test_x(self): pass")],
    tidy.folders_without_init: [("tests/streams/test_a.py", "")],
    tidy.private_places: [
        ("notes.md", "see /home/" + "somebody/x"),
        ("a.txt", "https://files.python" + "hosted.org/x"),
    ],
}


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: rule.__name__)
def test_this_checkout_follows_the_rule(rule: Rule) -> None:
    """The rule named in brackets holds everywhere; each violation is told as file:line with what to do."""
    violations = rule(PROJECT_ROOT)

    assert not violations, "\n".join([f"{rule.__doc__}", *violations])


@pytest.mark.parametrize(
    ("rule", "name", "text"), [(rule, *plant) for rule, plants in PLANTED.items() for plant in plants]
)
def test_a_planted_violation_is_found(rule: Rule, name: str, text: str, tmp_path: Path) -> None:
    """A rule that cannot fail protects nothing, so each must report the file that breaks it, and its line."""
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["msgspec>=0.20"]\n')
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)

    violations = rule(tmp_path)

    place = str(Path(name).parent) if rule is tidy.folders_without_init else name
    assert len(violations) == 1
    assert re.match(rf"{re.escape(place)}:\d+ ", violations[0])


def test_what_looks_like_a_violation_but_is_none_is_left_alone(tmp_path: Path) -> None:
    """False alarms make people work around a rule: an issue number, a long docstring, a sorted set are all fine."""
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["msgspec>=0.20", "PyYAML"]\n')
    files = {
        "streams/__init__.py": '"""Streams."""',
        "streams/a.py": '"""A."""\nimport urllib.parse\nfrom collections import abc\nimport msgspec\nfrom . import b\n'
        "for x in sorted({1, 2}): pass\nif 1 in {1}: pass\n# TO" + "DO(#12): later\n",
        "streams/b.py": '"""B."""\nfrom datetime import datetime\ndef f(t):\n    """' + "\n" * 80 + '"""\n'
        "    return datetime.fromisoformat(t)\n",
        "agents/__init__.py": '"""Agents."""',
        "agents/c.py": '"""C."""\nimport yaml\nimport streams.a\nyaml.safe_load("a")\n',
        "tests/__init__.py": '"""Tests."""',
        "tests/agents/__init__.py": '"""Tests."""',
        "tests/agents/test_c.py": '"""C."""\ndef test_c():\n    """Is c."""\n',
        "tests/streams/__init__.py": '"""Tests."""',
        "tests/streams/test_a.py": '"""A."""\n',
        "tests/streams/b/__init__.py": '"""Tests."""',
        "tests/streams/b/test_one_side.py": '"""B."""\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert [violation for rule in PLANTED for violation in rule(tmp_path)] == []


@pytest.mark.parametrize("package", tidy.SOURCE_PACKAGES)
def test_the_packages_are_loaded_from_this_checkout(package: str) -> None:
    """Another distribution has a package called `agents`; tests that ran against that one would prove nothing."""
    location = importlib.import_module(package).__file__

    assert location is not None
    assert Path(location).resolve().is_relative_to(PROJECT_ROOT / package)
