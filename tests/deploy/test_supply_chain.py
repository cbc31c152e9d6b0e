"""What is shipped: a bill of materials that holds the whole lock, licences that we may ship under, an honest audit."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "deploy" / "requirements"
PERMISSIVE = re.compile(r"Apache|MIT|BSD|PSF|Python Software Foundation|Zlib|CC0|Repoze|ISC")
COPYLEFT = re.compile(r"GPL|EUPL|SSPL|CDDL|OSL|Commons Clause|Proprietary", re.IGNORECASE)


class Locked(NamedTuple):
    """One package of a lock."""

    name: str
    version: str


def locked(name: str) -> dict[Locked, set[str]]:
    """Return every package of a lock with its hashes."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", (LOCKS / f"{name}.txt").read_text(), flags=re.MULTILINE))
    found: dict[Locked, set[str]] = {}
    for entry in entries:
        if named := re.match(r"([\w.-]+)==([\w.]+)", entry):
            found[Locked(named[1], named[2])] = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return found


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Make the bill of materials by the recipe of the Makefile."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    if not program.exists() or shutil.which("make") is None:
        pytest.skip("there is no make on the PATH, or no cyclonedx-py beside this Python; make install")
    folder = tmp_path_factory.mktemp("sbom")
    (folder / "deploy").mkdir()
    (folder / "deploy" / "requirements").symlink_to(LOCKS)
    (folder / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    made(folder, "sbom", binaries=program.parent)
    document: dict[str, Any] = json.loads((folder / "build" / "sbom.cdx.json").read_text())
    return document


def made(folder: Path, target: str, *, binaries: Path, code: int = 0) -> str:
    """Run a recipe of the Makefile in a folder with programs of ours, and return what it said."""
    command = ["make", "--file", str(ROOT / "Makefile"), "--old-file", "install", target, f"BIN={binaries}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert bool(done.returncode) == bool(code), done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_locked_package_is_on_the_bill_with_its_version_and_hashes(bill: dict[str, Any]) -> None:
    """A scanner that reads the bill must not miss what runs, nor take another file for it."""
    listed = {
        Locked(component["name"], component["version"]): {
            one["content"]
            for reference in component["externalReferences"]
            for one in reference.get("hashes", ())
            if one["alg"] == "SHA-256"
        }
        for component in bill["components"]
    }
    lock = locked("runtime")
    assert len(lock) > 30
    assert all(lock.values())
    assert listed == lock
    assert all(one["purl"].startswith(f"pkg:pypi/{one['name']}@") for one in bill["components"])
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "overgrowth")


def test_the_same_lock_makes_the_same_bill(bill: dict[str, Any]) -> None:
    """No clock and no random number is in it, so two of them can be compared."""
    assert "serialNumber" not in bill
    assert "timestamp" not in bill["metadata"]


def test_what_runs_is_what_is_tested_and_audited() -> None:
    """The lock of the tests holds that of the image, file for file."""
    assert locked("runtime").items() <= locked("development").items()


def test_everything_that_runs_may_be_shipped_with_us() -> None:
    """Permissive, or Mozilla's beside a permissive one; a package that changes its licence is noticed here."""
    judged = 0
    for package in locked("runtime"):
        try:
            told = metadata(package.name)
        except PackageNotFoundError:
            # Of another system.
            continue
        classifiers = [text for text in told.get_all("Classifier") or () if text.startswith("License")]
        said = " ".join([*(told.get_all("License-Expression") or ()), *classifiers])
        # Only where nothing shorter is said: some put the whole text there, which names licences of others.
        said = said or " ".join(told.get_all("License") or ())
        assert PERMISSIVE.search(said), f"{package.name}: {said[:200]!r}"
        assert not COPYLEFT.search(said), f"{package.name}: {said[:200]!r}"
        judged += 1
    assert judged > 30


@pytest.mark.parametrize(
    ("script", "code", "expected"),
    [
        ("echo 'No known vulnerabilities found' >&2", 0, "no known vulnerabilities"),
        ("echo 'jinja2 2.0 PYSEC-1 2.1'; echo 'Found 1 known vulnerability' >&2; exit 1", 1, "jinja2 2.0 PYSEC-1 2.1"),
        ("echo 'ConnectionError' >&2; exit 1", 1, "NOTHING WAS AUDITED"),
    ],
    ids=["clean", "vulnerable", "unreachable"],
)
def test_an_audit_that_asked_nobody_does_not_pass(tmp_path: Path, script: str, code: int, expected: str) -> None:
    """Without the network nothing is known, which is not the same as nothing found."""
    if shutil.which("make") is None:
        pytest.skip("there is no make on the PATH")
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert expected in made(tmp_path, "audit", binaries=tmp_path, code=code)
