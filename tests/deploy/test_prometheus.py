"""Rules ask for what workers tell, fire when they should, and send whoever is woken to a section of the runbook."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.told import DEPLOY, RULES, alerts, rules, unknown_in

FOLDER = DEPLOY / "prometheus"
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
RUNBOOK = DEPLOY / "RUNBOOK.md"


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it says; fail where it finds a fault, skip where there is none."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool on the PATH; apt-get install prometheus")
    verdict = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    return verdict.stdout


def anchors(markdown: str) -> set[str]:
    """Return the names by which the headings of a document can be linked to.

    >>> sorted(anchors("# Full rebuild, from input\\n## Disk full"))
    ['disk-full', 'full-rebuild-from-input']
    """
    headings = re.findall(r"^#+ (.+)$", markdown, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_configuration_and_its_rules_are_valid() -> None:
    """Prometheus would not start with others."""
    assert "SUCCESS" in promtool("check", "config", FOLDER / "prometheus.yml")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_fire_when_they_should(path: Path) -> None:
    """Series by hand, and what must have been told by when, in which words."""
    promtool("test", "rules", path)


def test_every_alert_is_seen_to_fire() -> None:
    """A rule that was never seen to fire may be wrong in every way."""
    cases = [
        case for path in TESTS for test in yaml.safe_load(path.read_text())["tests"] for case in test["alert_rule_test"]
    ]
    fired = {case["alertname"] for case in cases if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule.get("alert") or rule["record"]))
def test_rules_ask_for_what_workers_tell(rule: dict[str, str]) -> None:
    """A name that is misspelt, or a label that is not there, makes a rule that never fires."""
    assert unknown_in(rule["expr"]) == []


def test_every_alert_has_a_severity_and_a_section_in_the_runbook() -> None:
    """Who is woken at night must not have to search."""
    sections = anchors(RUNBOOK.read_text())
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        annotations = rule["annotations"]
        assert set(annotations) == {"summary", "description", "runbook_url"}
        path, _, anchor = annotations["runbook_url"].partition("#")
        assert path == "deploy/RUNBOOK.md"
        assert anchor == rule["alert"].lower()
        assert anchor in sections


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    """The other way round: what it tells to do can happen."""
    headings = set(re.findall(r"^#+ (Overgrowth[A-Z]\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE))
    assert headings == {rule["alert"] for rule in alerts()}


def test_rules_that_know_channels_leave_replays_out() -> None:
    """A replay of last month is a month behind, and nobody is to be woken by it."""
    for rule in rules():
        for selector in re.findall(
            r"overgrowth_(?:consumer_lag|watermark|end_offset|records)\w*\{([^}]*)\}", rule["expr"]
        ):
            assert re.search(r'channel(?:=~"social\[\.\]|="social\.)', selector), f"{RULES.name}: {selector}"
