"""Dashboards load, ask for what workers tell, and are found under the names that links use."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_prometheus import promtool
from tests.deploy.told import DEPLOY, told_series, unknown_in

FOLDER = DEPLOY / "grafana"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def load(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    document = json.loads(path.read_text())
    assert isinstance(document, dict)
    return document


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(path: Path) -> Iterator[str]:
    """Yield every query of a dashboard: of its panels, its annotations and its variables."""
    dashboard = load(path)
    for panel in panels(dashboard):
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in dashboard["annotations"]["list"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"^label_values\((\w+), (\w+)\)$", r"count by (\2) (\1)", variable["definition"])


def in_plain_promql(query: str) -> str:
    """Return a query as Prometheus takes it, with a value for each of Grafana's variables."""
    return re.sub(r"\$(instance|topic)", ".*", query.replace("$__rate_interval", "5m"))


every_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_there_is_one_for_the_pipeline_and_one_for_the_topics() -> None:
    """Their uids are fixed, so that links and bookmarks outlive a new installation."""
    assert {load(path)["uid"] for path in DASHBOARDS} == {"overgrowth-pipeline", "overgrowth-topics"}


@every_dashboard
def test_queries_ask_for_what_workers_tell(path: Path) -> None:
    """A panel of a metric that is gone shows nothing, and nobody would know why."""
    assert [(query, wrong) for query in queries(path) if (wrong := unknown_in(query))] == []


@every_dashboard
def test_queries_are_valid(path: Path, tmp_path: Path) -> None:
    """Prometheus' own parser judges, as rules of records."""
    rules = [
        {"record": f"panel:{number}", "expr": in_plain_promql(query)} for number, query in enumerate(queries(path))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": path.stem, "rules": rules}]}))
    promtool("check", "rules", "--lint=none", file)


@every_dashboard
def test_the_source_is_a_variable_and_panels_do_not_overlap(path: Path) -> None:
    """It is imported into any Grafana, beside other installations."""
    dashboard = load(path)
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels(dashboard):
        assert panel["datasource"] == SOURCE
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        place = panel["gridPos"]
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_everything_that_a_worker_tells_is_shown_somewhere() -> None:
    """What nobody looks at need not be told."""
    shown = " ".join(query for path in DASHBOARDS for query in queries(path))
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told_series() if name.startswith("overgrowth_")}
    # Offsets are shown by what follows from them.
    hidden = {"overgrowth_applied_offset", "overgrowth_end_offset"}
    assert {name for name in names if name not in shown} == hidden


def test_provisioning_finds_the_dashboards_where_compose_puts_them() -> None:
    """The path of the provider is the target of the mount."""
    provider = yaml.safe_load((FOLDER / "provisioning" / "dashboards" / "overgrowth.yml").read_text())["providers"][0]
    compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())
    mounts = dict(str(mount).split(":")[:2] for mount in compose["services"]["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    source = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
