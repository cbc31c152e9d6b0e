"""What Prometheus can be asked for: series of workers and connectors as rendered, those of scraping, those of rules."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from agents.connectors.metrics import ConnectorMetrics
from tests.agents.full_metrics import full_metrics
from tests.deploy.promql import named_in

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules" / "overgrowth.yml"
SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds to whatever it scrapes."""


@cache
def rules() -> list[dict[str, Any]]:
    """Return all rules, of records and of alerts."""
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


@cache
def told_series() -> dict[str, set[str]]:
    """Return every name that a query may use, with the labels that it may ask for."""
    told: dict[str, set[str]] = {}
    connectors = ConnectorMetrics(version="0", networks=["native"])
    rendered = full_metrics().render().decode() + connectors.render().decode()
    for family in text_string_to_metric_families(rendered):
        for sample in family.samples:
            told.setdefault(sample.name, set(SCRAPED)).update(sample.labels)
    told["up"] = set(SCRAPED)
    told["ALERTS"] = {"alertname", "alertstate", "severity", *SCRAPED}
    told.update((rule["record"], set()) for rule in rules() if "record" in rule)
    return told


def unknown_in(query: str) -> list[str]:
    """Return the metrics of a query that nobody tells, and the labels that they do not have."""
    told, named = told_series(), named_in(query)
    wrong = [name for name in named.metrics if name not in told]
    labels = {label for name in named.metrics for label in told.get(name, ())}
    for name, asked in named.metrics.items():
        wrong += [f"{name}{{{label}}}" for label in asked - told.get(name, asked)]
    wrong += [f"by ({label})" for label in named.grouped_by - labels]
    return wrong
