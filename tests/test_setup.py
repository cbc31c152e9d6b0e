"""Check that compiling is asked for, can be undone, and meets nothing that would run otherwise when compiled."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path


def _sources(project_root: Path) -> list[Path]:
    """Return the modules that `make compiled` compiles."""
    settings = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    folders: dict[str, list[str]] = settings["tool"]["overgrowth"]["compiled"]
    return [project_root / "streams" / folder / f"{name}.py" for folder, names in folders.items() for name in names]


def _shapes(tree: ast.Module) -> set[str]:
    """Return the names of the classes in a module whose annotations somebody might read."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).split(".")[-1] in ("NamedTuple", "Struct") for base in node.bases)
    }


def _decoded(tree: ast.Module) -> set[str]:
    """Return the names that a module gives to a decoder."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    types = [call.args[0] for call in calls if ast.unparse(call.func).endswith("Decoder") and call.args]
    types += [word.value for call in calls for word in call.keywords if word.arg in ("type", "value_type")]
    return {node.id for given in types for node in ast.walk(given) if isinstance(node, ast.Name)}


def test_what_is_compiled_defines_no_shape_that_is_decoded(project_root: Path) -> None:
    """A compiled class keeps only the outermost type of its annotations, so it would be decoded to something else."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in _sources(project_root)}
    assert [path for path, tree in trees.items() if _shapes(tree) & _decoded(tree)] == []


def test_what_is_compiled_is_there(project_root: Path) -> None:
    """A module that moved would make the next compiling fail, which no other test would see."""
    assert [path for path in _sources(project_root) if not path.is_file()] == []


def _set_up(project_root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Read setup.py where there is no mypyc; print what is compiled."""
    code = (
        "import sys; sys.modules['mypyc'] = sys.modules['mypyc.build'] = None\n"
        "import setuptools; from distutils.core import run_setup\n"
        "print(run_setup('setup.py', stop_after='init').ext_modules)"
    )
    everything = {**os.environ, "OVERGROWTH_COMPILE": "", **environment}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, cwd=project_root, env=everything, capture_output=True, text=True, check=False)


def test_an_install_compiles_nothing_and_needs_nothing_to_compile_with(project_root: Path) -> None:
    """Who wants the worker has no C compiler and no mypyc; who asks for a compiled one is told where they lack."""
    plain = _set_up(project_root, {})
    asked = _set_up(project_root, {"OVERGROWTH_COMPILE": "1"})

    assert plain.stdout == "[]\n", plain.stderr
    assert asked.returncode != 0
    assert "mypyc" in asked.stderr


def test_make_interpreted_removes_what_was_compiled_and_no_source(project_root: Path, tmp_path: Path) -> None:
    """Python takes what was compiled wherever it lies beside a source."""
    source, library = tmp_path / "streams/steps/watch.py", tmp_path / "streams/compiled__mypyc.cpython-311.so"
    for path in (source, library, source.with_suffix(".cpython-311.so"), tmp_path / "build/begun"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    makefile = str(project_root / "Makefile")

    subprocess.run(["make", "-s", "-f", makefile, "interpreted"], cwd=tmp_path, check=True)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [source]
