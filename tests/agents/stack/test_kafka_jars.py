"""Java is found or asked for, and the jars are fetched once and whole (a script stands in for Maven here)."""

import re
import shutil
from pathlib import Path

import pytest

from agents.stack.errors import StackError
from agents.stack.kafka_jars import POM, cache_directory, find_java, kafka_jars, kafka_version

# Counts its calls, and does what the pom's cousin `outcome` beside it says.
FAKE_MAVEN = """#!/bin/sh
here=$(dirname "$0")
echo call >> "$here/calls"
for option; do case "$option" in -DoutputDirectory=*) output="${option#*=}";; esac; done
mkdir -p "$output" && : > "$output/scala-library.jar"
if [ -e "$here/broken" ]; then echo "[ERROR] no such host"; exit 1; fi
: > "$output/kafka_2.13-9.9.9.jar"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on the PATH, empty but for the shell's own tools; the cache lies beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("dirname", "mkdir", "sh"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def put_script(path: Path, content: str) -> None:
    """Write an executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)


def calls(programs: Path) -> int:
    """Return how often Maven was called."""
    return len((programs / "calls").read_text().splitlines())


def test_missing_java_says_what_to_install(programs: Path) -> None:
    """A newcomer without Java gets the command to type and the way around."""
    with pytest.raises(StackError, match=r"needs Java 17 or later, but there is no java .* or use --kafka embedded$"):
        find_java()


@pytest.mark.parametrize("printed", ['openjdk version "11.0.2"', 'java version "1.8.0_292"', "nonsense"])
def test_java_that_is_too_old_is_refused(programs: Path, printed: str) -> None:
    """Kafka 4 would end with a class version error, which says nothing to most."""
    put_script(programs / "java", f"#!/bin/sh\necho '{printed}' >&2\n")

    with pytest.raises(StackError, match=re.escape(f"says {printed!r}; set JAVA_HOME")):
        find_java()


def test_java_home_comes_before_the_path(programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """JAVA_HOME is the more deliberate choice of the two."""
    put_script(programs / "java", "#!/bin/sh\necho 'openjdk version \"11\"' >&2\n")
    put_script(tmp_path / "home" / "bin" / "java", "#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))

    assert str(tmp_path / "home" / "bin" / "java") == find_java()


def test_pom_pins_a_kafka_4() -> None:
    """The real tests run against the generation that the design names."""
    assert re.fullmatch(r"4\.\d+\.\d+", kafka_version(POM))


def test_pom_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The message says which file and what is wrong with it."""
    (tmp_path / "pom.xml").write_text("<project>")

    with pytest.raises(StackError, match=r"expected the pom of Apache Kafka at .*pom.xml: no element found"):
        kafka_version(tmp_path / "pom.xml")
    with pytest.raises(StackError, match="No such file"):
        kafka_version(tmp_path / "nothing.xml")


def test_jars_are_fetched_once(programs: Path) -> None:
    """The second start needs neither Maven nor a network."""
    put_script(programs / "mvn", FAKE_MAVEN)
    said: list[str] = []

    first = kafka_jars(say=said.append)
    second = kafka_jars(say=said.append)

    assert first == second
    assert {"scala-library.jar", "kafka_2.13-9.9.9.jar"} == {path.name for path in first.iterdir()}
    assert calls(programs) == 1
    assert [f"fetching Apache Kafka {kafka_version()} by Maven, once ..."] == said


def test_failed_fetch_leaves_nothing_and_can_be_repeated(programs: Path) -> None:
    """A half-filled folder would be taken for a whole one for ever."""
    put_script(programs / "mvn", FAKE_MAVEN)
    (programs / "broken").touch()

    with pytest.raises(StackError, match=r"ended with exit code 1: \[ERROR\] no such host"):
        kafka_jars(say=lambda line: None)
    assert list(cache_directory().iterdir()) == []

    (programs / "broken").unlink()
    assert kafka_jars(say=lambda line: None).is_dir()


def test_another_pom_is_fetched_anew(programs: Path, tmp_path: Path) -> None:
    """A changed pom with the same version of Kafka must not be answered from the cache."""
    put_script(programs / "mvn", FAKE_MAVEN)
    other = tmp_path / "pom.xml"
    other.write_bytes(POM.read_bytes() + b"<!-- another -->\n")

    assert kafka_jars(say=lambda line: None) != kafka_jars(say=lambda line: None, pom=other)


def test_missing_maven_says_what_to_install(programs: Path) -> None:
    """Maven is needed for the first fetch alone, and the message says so by its place."""
    with pytest.raises(StackError, match=r"needs Maven, but there is no mvn on the PATH; install it"):
        kafka_jars(say=lambda line: None)
