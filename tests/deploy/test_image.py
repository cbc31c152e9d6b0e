"""deploy/Dockerfile without an engine: its linter is content, and its own steps make a program that runs anywhere."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.told import DEPLOY

ROOT = DEPLOY.parent
DOCKERFILE = DEPLOY / "Dockerfile"
WITHIN_S = 600.0
FOLDERS = ("/opt/overgrowth", "/opt/build", "/src", "/wheels")
"""Folders of the build stage, which are folders of the test here."""


def build_stage() -> list[tuple[str, str]]:
    """Return the steps of the first stage: (instruction, arguments), lines that go on put together."""
    _, first, _ = DOCKERFILE.read_text().split("\nFROM ")
    # The rest of the first line is the image and the name of the stage.
    text = re.sub(r"\\\n\s*", "", first.partition("\n")[2])
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def in_folder(text: str, folder: Path) -> str:
    """Return a text with the folders of the build stage below another one."""
    return re.sub(rf"(?<![\w/])({'|'.join(FOLDERS)})(?=[/\s]|$)", lambda found: f"{folder}{found[1]}", text)


def let_through(path: str) -> bool:
    """Return whether .dockerignore, which begins with everything, lets a path into the build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    return any(path.startswith(line[1:].rstrip("/")) for line in lines if line.startswith("!"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Do what the build stage does, step by step as it is written, in a folder; return its /opt/overgrowth."""
    if shutil.which("python") is None or sys.platform != "linux":
        pytest.skip("the steps of the image are of Linux, with a python on the PATH")
    folder = tmp_path_factory.mktemp("image")
    for name in FOLDERS:
        (folder / name[1:]).parent.mkdir(parents=True, exist_ok=True)
    place = folder
    for instruction, rest in build_stage():
        match instruction:
            case "WORKDIR":
                place = Path(in_folder(rest, folder))
                place.mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = shlex.split(rest)
                copy(sources, place / in_folder(target, folder), is_folder=target.endswith("/"))
            case "RUN":
                # The Python of the tests stands for that of the base image.
                path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
                done = subprocess.run(
                    ["/bin/sh", "-ec", in_folder(rest, folder)],
                    cwd=place,
                    env={"PATH": path, "HOME": os.environ.get("HOME", str(folder))},
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=WITHIN_S,
                )
                assert done.returncode == 0, f"{rest}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            case _:
                assert instruction == "ENV", instruction
    yield folder / "opt" / "overgrowth"
    shutil.rmtree(folder)


def copy(sources: list[str], target: Path, *, is_folder: bool) -> None:
    """Do what COPY does: files into a folder, or the contents of a folder."""
    for source in sources:
        assert let_through(source), f".dockerignore keeps {source} out"
        found = ROOT / source
        if found.is_dir():
            shutil.copytree(found, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            assert is_folder
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, target)


def run(image: Path, folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the image as its last stage does: elsewhere than the sources, with nothing but its PATH."""
    return subprocess.run(
        [str(image / "bin" / command[0]), *command[1:]],
        cwd=folder,
        env={"PATH": f"{image / 'bin'}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


def test_the_linter_has_nothing_to_say() -> None:
    """Hadolint knows what Docker takes and what is better left."""
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("there is no hadolint on the PATH; make install (x86-64 Linux)")
    verdict = subprocess.run([program, str(DOCKERFILE)], capture_output=True, text=True, check=False, timeout=60)
    assert (verdict.returncode, verdict.stdout) == (0, "")


@pytest.mark.slow
def test_the_program_of_the_image_runs_far_from_its_sources(image: Path, tmp_path: Path) -> None:
    """Built and installed by the steps of the Dockerfile, its entry point and its command are there."""
    final = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", final, flags=re.MULTILINE)
    (command,) = re.findall(r"^CMD (.*)$", final, flags=re.MULTILINE)
    told = run(image, tmp_path, *json.loads(entry), "--version")
    assert (told.returncode, "0.1.0" in told.stdout) == (0, True), told.stderr
    told = run(image, tmp_path, *json.loads(entry), *json.loads(command), "--help")
    assert (told.returncode, "--metrics-port" in told.stdout) == (0, True), told.stderr
    where = run(image, tmp_path, "python", "-c", "import agents, streams, schemas; print(agents.__path__[0])")
    assert where.stdout.startswith(str(image)), where.stdout + where.stderr


@pytest.mark.slow
def test_the_image_holds_what_is_read_at_run_time(image: Path, tmp_path: Path) -> None:
    """Seasons, the template of the report and the schemas are files beside the modules, easily left out of a wheel."""
    (site,) = (image / "lib").glob("python3*/site-packages")
    for package in ("schemas", "streams", "agents"):
        assert data_of(site / package) == data_of(ROOT / package)
    assert len(data_of(ROOT / "agents")) > 10
    first = {"id": "p1", "network": "garden", "kind": "post", "at": 1767225600000, "actor": "ana", "tags": ["roses"]}
    (tmp_path / "log").write_text(json.dumps(first) + "\n")
    (tmp_path / "seeds.yaml").write_text("brands: [{id: b, topics: [{id: t, seeds: {tags: [roses]}}]}]")
    told = run(image, tmp_path, "overgrowth", "backtest", "log", "--seeds", "seeds.yaml", "--report", "report.html")
    assert told.returncode == 0, told.stderr
    assert "<html" in (tmp_path / "report.html").read_text()


def data_of(package: Path) -> set[str]:
    """Return the files of a package that are no modules, by their places in it; notes on the source aside."""
    return {
        str(path.relative_to(package))
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md"}
    }
