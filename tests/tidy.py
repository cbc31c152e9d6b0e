"""State the style of this project as rules: functions from a project root to their violations, `file:line why`.

test_tidy.py runs them on this checkout and shows that each one catches a planted violation. To change a rule, change
it here and say why.
"""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

SOURCE_PACKAGES = ("schemas", "streams", "agents")  # each may import those before it, never those after it
PURE_PACKAGES = ("schemas", "streams")
# yaml turns text into values and is pure while open() is not to be had; seeds and rules are written in it.
PURE_THIRD_PARTIES = {"schemas": {"msgspec"}, "streams": {"msgspec", "datasketches", "numpy", "ahocorasick_rs", "yaml"}}
# The part of the standard library that has no clock, no randomness, no files, no network and no threads; of datetime
# only what is told the time, see BANNED_IN_PURE.
PURE_STDLIB = frozenset(
    """
    __future__ abc array base64 binascii bisect collections contextlib copy dataclasses datetime decimal difflib enum
    fractions functools hashlib heapq hmac html ipaddress itertools json keyword math numbers operator re statistics
    string struct textwrap types typing unicodedata urllib.parse zlib
    """.split()  # noqa: SIM905  (thirty lines of one word each would hide the list)
)
# hash() and id() differ from process to process, so an order or a shard made from them does too.
BANNED_IN_PURE = {"open", "print", "input", "breakpoint", "compile", "hash", "id", "__import__", "globals"}
CLOCK_READERS = re.compile(r"(^|\.)(datetime|date)\.(now|utcnow|today)$")
BANNED_EVERYWHERE = {"eval", "exec", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}
BANNED_MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill"}
BANNED_FILE_NAMES = {"util", "utils", "helper", "helpers", "common", "base", "core", "model", "models", "misc"}
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50

TODO_MARKER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d+)")
# Spelled so that this file does not name what it forbids.
HOME_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root)/[A-Za-z0-9_.-]+")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi|pythonhosted|crates|npmjs|debian|repo1?\.maven|maven\.google)\.(?:org|com|io)\b"
    r"|\brepo\.maven\.apache\b|\bproxy\.golang\b|--(?:extra-)?index-url\b"
)
NOT_OURS = {".git", ".venv", "__pycache__", "build", "dist"} | {f".{tool}_cache" for tool in ("mypy", "ruff", "pytest")}

Rule = Callable[[Path], list[str]]


# --- what the rules look at -------------------------------------------------------------------------------------------


def python_files(root: Path, *folders: str) -> list[Path]:
    """Return the Python files below these folders of the root, in the order of their paths."""
    found = (path for folder in folders for path in (root / folder).rglob("*.py"))
    return sorted(path for path in found if not NOT_OURS & set(path.relative_to(root).parts))


def source_files(root: Path) -> list[Path]:
    """Return the modules that are shipped."""
    return python_files(root, *SOURCE_PACKAGES)


def all_files(root: Path) -> list[Path]:
    """Return the modules that are shipped and those that test them."""
    return python_files(root, *SOURCE_PACKAGES, "tests")


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax tree of one file; many rules read the same one."""
    return ast.parse(path.read_bytes(), filename=str(path))


def at(root: Path, path: Path, line: int = 1) -> str:
    """Return `file:line`, as editors and terminals understand it."""
    return f"{path.relative_to(root)}:{line}"


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a name or an attribute chain, and an empty text for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module name) of every import, wherever it stands; relative ones stay in their package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.lineno, node.module


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every call whose target has a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            yield node.lineno, name


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


# --- layers -----------------------------------------------------------------------------------------------------------


def imports_against_the_direction(root: Path) -> list[str]:
    """schemas <- streams <- agents: a package imports only itself and those before it, and nobody imports the tests."""
    return [
        f"{at(root, path, line)} {package} imports {name}: the direction is schemas <- streams <- agents"
        for rank, package in enumerate(SOURCE_PACKAGES)
        for path in python_files(root, package)
        for line, name in imports(parse(path))
        if name.split(".")[0] in {*SOURCE_PACKAGES[rank + 1 :], "tests"}
    ]


def impure_imports(root: Path) -> list[str]:
    """schemas/ and streams/ import only what has no clock, no randomness and no I/O."""
    return [
        f"{at(root, path, line)} {package} imports {name}: not known to be pure; the world belongs in agents/"
        for package in PURE_PACKAGES
        for path in python_files(root, package)
        for line, name in imports(parse(path))
        if name.split(".")[0] not in {*SOURCE_PACKAGES, "tests"} | PURE_THIRD_PARTIES[package]
        and not {name, name.split(".")[0]} & PURE_STDLIB
    ]


def impure_calls(root: Path) -> list[str]:
    """schemas/ and streams/ read no clock, do no I/O, and depend on nothing that differs from process to process."""
    return [
        f"{at(root, path, line)} calls {name}(): time and data come in as arguments here"
        for path in python_files(root, *PURE_PACKAGES)
        for line, name in calls(parse(path))
        if name in BANNED_IN_PURE or CLOCK_READERS.search(name)
    ]


def iterated_sets(root: Path) -> list[str]:
    """schemas/ and streams/ never run through a set in its own order: that of strings changes with the process."""

    def is_set(node: ast.expr) -> bool:
        return isinstance(node, ast.Set | ast.SetComp) or (
            isinstance(node, ast.Call) and dotted(node.func) in {"set", "frozenset"}
        )

    return [
        f"{at(root, path, node.iter.lineno)} runs through a set: write sorted(...) around it"
        for path in python_files(root, *PURE_PACKAGES)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.For | ast.comprehension) and is_set(node.iter)
    ]


def unsafe_loading(root: Path) -> list[str]:
    """Nowhere is text or data run as code."""
    found = []
    for path in all_files(root):
        found += [f"{at(root, path, n)} calls {name}()" for n, name in calls(parse(path)) if name in BANNED_EVERYWHERE]
        found += [f"{at(root, path, n)} imports {name}" for n, name in imports(parse(path)) if name in BANNED_MODULES]
    return [f"{text}: it can run what it reads; decode into a msgspec Struct, or yaml.safe_load" for text in found]


def type_checking_tricks(root: Path) -> list[str]:
    """No module needs typing.TYPE_CHECKING: it hides an import cycle, and a cycle is a layer in the wrong place."""
    return [
        f"{at(root, path, line)} uses TYPE_CHECKING: move the shape to the layer below instead"
        for path in all_files(root)
        for line, text in enumerate(path.read_text().splitlines(), start=1)
        if re.match(r"\s*(from typing import .*|if (typing\.)?)" + "TYPE_" + "CHECKING", text)
    ]


def undeclared_dependencies(root: Path) -> list[str]:
    """What the shipped code imports is declared in pyproject.toml, not merely there because something else needs it."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project.get("optional-dependencies", {}).get("local", [])
    declared = {re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", line)[0]).lower() for line in wanted}
    providers = importlib.metadata.packages_distributions()
    return [
        f"{at(root, path, line)} imports {name}: declare its package in pyproject.toml, then `make lock`"
        for path in source_files(root)
        for line, name in imports(parse(path))
        if (top := name.split(".")[0]) not in {*SOURCE_PACKAGES, "tests"} | sys.stdlib_module_names
        and not declared & {re.sub(r"[-_.]+", "-", owner).lower() for owner in providers.get(top, [])}
    ]


# --- shape ------------------------------------------------------------------------------------------------------------


def missing_module_docstrings(root: Path) -> list[str]:
    """The first line of each file says its job in one sentence."""
    return [
        f"{at(root, path)} does not open with a docstring: one sentence that says its job"
        for path in all_files(root)
        if not (ast.get_docstring(parse(path)) or "").split("\n")[0].strip()
    ]


def long_modules(root: Path) -> list[str]:
    """A module is read in one sitting."""
    return [
        f"{at(root, path)} has {lines} lines, {MODULE_LINES_MAX} at most: it does two jobs"
        for path in all_files(root)
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    ]


def long_functions(root: Path) -> list[str]:
    """A function is read at one glance; its docstring, with the example in it, does not count."""
    found = []
    for path in all_files(root):
        for node in functions(parse(path)):
            first = node.body[0]
            has_docstring = ast.get_docstring(node, clean=False) is not None
            docstring_lines = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - docstring_lines
            if lines > FUNCTION_LINES_MAX:
                place = at(root, path, node.lineno)
                found.append(
                    f"{place} {node.name} has {lines} lines without its docstring, {FUNCTION_LINES_MAX} at most"
                )
    return found


def vague_names(root: Path) -> list[str]:
    """A file is named for its job; a name that fits everything collects everything."""
    return [
        f"{at(root, path)} is called `{part}`: name it for what it does"
        for path in all_files(root)
        for part in (*path.relative_to(root).parts[:-1], path.stem)
        if part.removeprefix("test_") in BANNED_FILE_NAMES
    ]


def bare_todo_markers(root: Path) -> list[str]:
    """What is left for later is an issue, and the comment names it."""
    found = []
    for path in all_files(root):
        with path.open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        found += [at(root, path, token.start[0]) for token in comments if TODO_MARKER.search(token.string)]
    return [f"{place} leaves work for later without the number of an issue (#12)" for place in found]


# --- tests ------------------------------------------------------------------------------------------------------------


def missing_mirrors(root: Path) -> list[str]:
    """streams/a/b.py is tested by tests/streams/a/test_b.py, or by the files of tests/streams/a/b/ when that grows."""
    found = []
    for path in source_files(root):
        if path.stem in {"__init__", "__main__"}:
            continue
        folder = root / "tests" / path.relative_to(root).parent
        mirror = folder / f"test_{path.stem.removeprefix('_')}.py"
        if not mirror.exists() and not any((folder / path.stem).glob("test_*.py")):
            found.append(f"{at(root, path)} has no mirror: write {mirror.relative_to(root)}")
    return found


def unexplained_tests(root: Path) -> list[str]:
    """A test's name is a claim and its docstring says why it matters."""
    return [
        f"{at(root, path, node.lineno)} {node.name} has no docstring: one sentence, the claim in words"
        for path in python_files(root, "tests")
        for node in functions(parse(path))
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]


def folders_without_init(root: Path) -> list[str]:
    """Every folder with Python in it is a package, so that two files of one name do not shadow each other."""
    folders = sorted({path.parent for path in all_files(root)})
    return [f"{at(root, folder)} has no __init__.py" for folder in folders if not (folder / "__init__.py").exists()]


# --- what must not be published ---------------------------------------------------------------------------------------


def committed_files(root: Path) -> list[Path]:
    """Return what git tracks or would add; outside a work tree all files but those that are made."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        return [path for name in listing.stdout.decode().split("\0") if name and (path := root / name).is_file()]
    return [path for path in root.rglob("*") if path.is_file() and not NOT_OURS & set(path.relative_to(root).parts)]


def private_places(root: Path) -> list[str]:
    """No committed text names somebody's home folder or the host of a package registry."""
    found = []
    for path in committed_files(root):
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for line, text in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if match := HOME_PATH.search(text) or REGISTRY_HOST.search(text):
                found.append(f"{at(root, path, line)} names `{match.group()}`: that is true of one machine only")
    return found
