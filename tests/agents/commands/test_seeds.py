"""Check `overgrowth seeds` from a user's side: what is published, and what is said about it."""

import asyncio
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.commands.seeds import LEAD_MS, Applied, compare, said
from agents.registry import RegistryReader
from agents.settings import Settings
from schemas.seeds import Seeds, TopicRecord, TopicVersion

SEEDS = """
brands:
  - id: cern
    accounts: {twitter: ["88", "677"]}
    topics:
      - {id: higgs, seeds: {tags: [higgs, LHC], links: [home.cern]}}
      - {id: web, seeds: {tags: [www]}}
"""
kafka = pytest.mark.kafka


@pytest.fixture
def seeds_file(tmp_path: Path) -> Path:
    """Return a seeds file with two topics."""
    path = tmp_path / "seeds.yaml"
    path.write_text(SEEDS)
    return path


def run(*arguments: str) -> Result:
    """Run `overgrowth seeds ...`."""
    return CliRunner().invoke(main, ["seeds", *arguments], prog_name="overgrowth")


def registered(url: str, namespace: str) -> list[TopicRecord]:
    """Return what the registry of a namespace holds."""
    reader = RegistryReader(Settings(kafka=url, namespace=namespace))
    asyncio.run(reader.read())
    return reader.records


# --- validate ---------------------------------------------------------------------------------------------------------


def test_a_valid_file_is_summed_up(seeds_file: Path) -> None:
    """Numbers show at a glance that what was meant was understood."""
    result = run("validate", str(seeds_file))

    assert (result.exit_code, result.stdout) == (
        0,
        f"{seeds_file}: brands 1, topics 2, accounts 2; seeds: tags 3, links 1\n",
    )
    counts = json.loads(run("validate", str(seeds_file), "--json").stdout)
    assert (counts["topics"], counts["seeds"]["tags"], counts["seeds"]["phrases"]) == (2, 3, 0)


def test_a_wrong_or_missing_file_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """The line says where in the file, and what to do."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("brands: [{id: cern, topics: [{id: higgs, seeds: {tgas: [a]}}]}]")

    misspelt, missing = run("validate", str(wrong)), run("validate", str(tmp_path / "none.yaml"))

    assert [misspelt.exit_code, missing.exit_code] == [1, 1]
    assert misspelt.stderr == (
        f"Error: {wrong}: expected a known name at `$.brands[0].topics[0].seeds`, got `tgas`; did you mean `tags`?\n"
    )
    assert missing.stderr == (
        f"Error: {tmp_path}/none.yaml: expected a text file at `$`, got No such file or directory; check the path\n"
    )


# --- apply and list ---------------------------------------------------------------------------------------------------


@kafka
def test_what_is_applied_is_listed_with_its_history(kafka_url: str, seeds_file: Path) -> None:
    """A replay applies what was in force, so versions are added and none is taken away."""
    where = ("--kafka", kafka_url, "--namespace", "history")

    first = run("apply", str(seeds_file), *where)
    seeds_file.write_text(SEEDS.replace("tags: [www]", "tags: [www, html]"))
    second = run("apply", str(seeds_file), "--effective-from", "2012-07-04T08:00:00Z", *where)
    listed = run("list", *where)

    assert first.stdout == "cern/higgs: new, in force from the beginning\ncern/web: new, in force from the beginning\n"
    assert second.stdout == "cern/higgs: unchanged\ncern/web: changed, in force from 2012-07-04 08:00:00 UTC\n"
    assert listed.stdout == (
        "cern/higgs\n"
        "  from the beginning: tags 2, links 1, accounts 2\n"
        "cern/web\n"
        "  from the beginning: tags 1, accounts 2\n"
        "  from 2012-07-04 08:00:00 UTC: tags 2, accounts 2\n"
    )
    assert [len(record.versions) for record in registered(kafka_url, "history")] == [1, 2]


@kafka
def test_json_of_the_list_is_what_the_channel_holds(kafka_url: str, seeds_file: Path) -> None:
    """A machine gets everything, and one JSON value per command."""
    where = ("--kafka", kafka_url, "--namespace", "json")

    applied = json.loads(run("apply", str(seeds_file), "--json", *where).stdout)
    listed = json.loads(run("list", "--json", *where).stdout)

    assert applied == {
        "effective_from_ms": 0,
        "topics": [{"topic": topic, "change": "new", "later_ms": None} for topic in ("cern/higgs", "cern/web")],
    }
    assert [topic["versions"][0]["seeds"] for topic in listed["topics"]] == [
        {"tags": ["higgs", "LHC"], "links": ["home.cern"]},
        {"tags": ["www"]},
    ]


@kafka
def test_live_seeds_take_effect_a_little_later(kafka_url: str, seeds_file: Path) -> None:
    """Every worker must have read a change before event time reaches it."""
    before_ms = int(time.time() * 1000)

    result = run("apply", str(seeds_file), "--json", "--kafka", kafka_url)

    effective_from_ms = json.loads(result.stdout)["effective_from_ms"]
    assert before_ms + LEAD_MS <= effective_from_ms <= int(time.time() * 1000) + LEAD_MS
    assert {version.effective_from_ms for topic in registered(kafka_url, "") for version in topic.versions} == {
        effective_from_ms
    }


@kafka
def test_an_empty_registry_says_what_to_do(kafka_url: str) -> None:
    """Where nothing was set up it is an error; where nothing was published it is an answer."""
    absent = run("list", "--kafka", kafka_url, "--namespace", "absent")

    assert absent.exit_code == 1
    assert absent.stderr.startswith(f"Error: channel absent.social.topics: expected it at {kafka_url}, got no such")


def test_a_broker_that_is_away_is_one_line(seeds_file: Path) -> None:
    """Nothing else is printed: no log of attempts, no traceback."""
    result = run("apply", str(seeds_file), "--kafka", "127.0.0.1:1")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("Error: Kafka: expected a broker at 127.0.0.1:1, got ")


@pytest.mark.parametrize("arguments", [("apply", "s.yaml", "--effective-from", "soon"), ("apply",), ("validate",)])
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Wrong use is told apart from failure."""
    assert run(*arguments).exit_code == 2


# --- what an application changes --------------------------------------------------------------------------------------

OLD, NEW = Seeds(tags=("old",)), Seeds(tags=("new",))


def record(*versions: tuple[int, Seeds]) -> TopicRecord:
    """Return a topic with these versions: (in force from, seeds)."""
    return TopicRecord("b", "t", tuple(TopicVersion(at_ms, seeds=seeds) for at_ms, seeds in versions))


@pytest.mark.parametrize(
    ("known", "applied"),
    [
        (None, Applied("b/t", "new")),
        (record((10, OLD)), Applied("b/t", "changed")),
        (record((10, NEW)), Applied("b/t", "unchanged")),
        (record((50, NEW)), Applied("b/t", "unchanged")),
        (record((10, NEW), (20, OLD)), Applied("b/t", "changed")),
        (record((60, NEW)), Applied("b/t", "changed", later_ms=60)),
        (record((10, NEW), (70, OLD), (60, OLD)), Applied("b/t", "unchanged", later_ms=60)),
    ],
)
def test_a_change_is_judged_by_what_is_in_force_at_its_instant(known: TopicRecord | None, applied: Applied) -> None:
    """To apply a file twice adds nothing, and a version that comes later is told: it would undo this one."""
    assert compare(known, record((50, NEW))) == applied


def test_a_later_version_is_told() -> None:
    """Otherwise a file that was applied with success would seem to be lost one day."""
    line = said(Applied("b/t", "changed", later_ms=1_341_388_800_000), effective_from_ms=0)

    assert line == (
        "b/t: changed, in force from the beginning "
        "(until 2012-07-04 08:00:00 UTC, when a version that was published before replaces it)"
    )
