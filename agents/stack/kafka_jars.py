"""Find Java, and fetch the jars of Apache Kafka once by Maven into a cache."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from agents.stack import processes
from agents.stack.errors import StackError

POM = Path(__file__).resolve().parent.parent.parent / "deploy" / "kafka" / "pom.xml"
JAVA_MIN = 17
FETCH_WITHIN_S = 900.0
SAY_EVERY_S = 5.0
_VERSION = "{http://maven.apache.org/POM/4.0.0}properties/{http://maven.apache.org/POM/4.0.0}kafka.version"

Say = Callable[[str], None]


def find_java() -> str:
    """Return the path of a Java that Kafka 4 runs on: JAVA_HOME's, else the PATH's; StackError when there is none."""
    home = os.environ.get("JAVA_HOME", "")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise StackError(
            f"Apache Kafka needs Java {JAVA_MIN} or later, but there is no java on the PATH or in JAVA_HOME; "
            "install one (Debian: apt-get install openjdk-17-jre-headless), or use --kafka embedded"
        )
    try:
        printed = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{java} -version gave no answer within 30 s; set JAVA_HOME to a Java that works") from error
    found = re.search(r'version "(\d+)(?:\.(\d+))?', printed)
    # Up to Java 8 the versions were written 1.8.
    major = int((found[2] if found[1] == "1" and found[2] else found[1]) if found else 0)
    if major < JAVA_MIN:
        raise StackError(
            f"Apache Kafka needs Java {JAVA_MIN} or later, but {java} says {printed.strip()[:200]!r}; "
            "set JAVA_HOME to a later one, or use --kafka embedded"
        )
    return java


def kafka_version(pom: Path = POM) -> str:
    """Return the version of Apache Kafka that the pom pins."""
    try:
        version = ElementTree.parse(pom).findtext(_VERSION)  # noqa: S314 - a file of this project
    except (OSError, ElementTree.ParseError) as error:
        raise StackError(
            f"expected the pom of Apache Kafka at {pom}: {error}; "
            "restore the file from the project, or use --kafka embedded"
        ) from error
    if not version:
        raise StackError(f"expected a property kafka.version in {pom}, found none; restore the file")
    return version


def cache_directory() -> Path:
    """Return the folder for what is fetched once per user: $XDG_CACHE_HOME/overgrowth, or ~/.cache/overgrowth."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "overgrowth"


def kafka_jars(*, say: Say, pom: Path = POM) -> Path:
    """Return the folder with the jars of Apache Kafka; Maven fetches them (some 40 MB) when they are not there yet.

    The folder appears whole or not at all, also when several processes fetch at once: each fetches into a folder of its
    own, and the first rename wins. Its name carries a hash of the pom, so that a change of the pom fetches anew and
    never takes the jars away from under a running Kafka.
    """
    version = kafka_version(pom)
    target = cache_directory() / f"kafka-{version}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError(
            f"fetching Apache Kafka {version} needs Maven, but there is no mvn on the PATH; "
            "install it (Debian: apt-get install maven), or use --kafka embedded"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        fetched = Path(scratch) / "jars"
        _run_maven(maven, pom=pom, output=fetched, log_path=Path(scratch) / "mvn.log", what=version, say=say)
        try:
            fetched.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    return target


def _run_maven(maven: str, *, pom: Path, output: Path, log_path: Path, what: str, say: Say) -> None:
    say(f"fetching Apache Kafka {what} by Maven, once ...")
    goals = ["-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    options = [f"-DoutputDirectory={output}", "-DincludeScope=runtime"]
    process = processes.launch(
        [maven, *goals, *options],
        log_path=log_path,
        working_directory=output.parent,
        environment=os.environ,
        dies_with_parent=True,
    )
    started_s = time.monotonic()
    try:
        while True:
            try:
                process.wait(timeout=SAY_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                waited_s = time.monotonic() - started_s
                if waited_s > FETCH_WITHIN_S:
                    raise StackError(
                        f"Maven did not fetch Apache Kafka {what} within {FETCH_WITHIN_S:.0f} s; "
                        "check the network and Maven's settings, or use --kafka embedded"
                    ) from None
                say(f"fetching Apache Kafka {what} ... {waited_s:.0f} s")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=processes.KILL_WAIT_S)
    if process.returncode != 0 or not any(output.glob("kafka_2.13-*.jar")):
        tail = " | ".join(log_path.read_text(encoding="utf-8", errors="replace").split("\n")[:6])[:800]
        raise StackError(
            f"expected Maven to fetch Apache Kafka {what}, but it ended with exit code {process.returncode}: {tail}; "
            "check the network and Maven's settings, or use --kafka embedded"
        )
