"""Check the files of a kustomization against the schemas of Kubernetes, and build it as an operator would."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml


def check_schemas(folder: Path, names: Iterable[str]) -> None:
    """Fail where a field is not one that Kubernetes knows: a misspelt one would be ignored by some versions."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed; make install")
    verdict = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "--no-warn", *(str(folder / name) for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def build(folder: Path) -> list[dict[str, Any]]:
    """Return the objects that kustomize makes of a folder; skip where there is no kustomize."""
    program = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    if shutil.which(program[0]) is None:
        pytest.skip("there is neither kubectl nor kustomize on the PATH")
    built = subprocess.run([*program, str(folder)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))
