"""Run a log in a file through the computation, with the rules of its seeds or with others before them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agents.garbage import collect_rarely
from agents.log_source import SourceReader, Span
from agents.settings import Settings
from schemas.alert import Alert
from schemas.rules import Rules
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import parse_seeds, topic_records
from streams.backtest import advance
from streams.lifecycle.rules import merge_overrides, parse_rules
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Outcome, Pipeline


class UnreadableFile(Exception):
    """A file of seeds, rules, truth or alerts cannot be read: one line with what was expected and what to do."""


def read_text(path: str) -> str:
    """Return what a text file says; raises `UnreadableFile`."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UnreadableFile(f"{path}: expected a readable text file, got: {reason}; check the path") from None


def read_overrides(path: str | None) -> dict[str, Any]:
    """Return what a rules file sets, nothing without one; raises `UnreadableFile` and `RulesError`."""
    return {} if path is None else parse_rules(read_text(path), where=path)


def load_registry(seeds_path: str, overrides: Mapping[str, Any] | None = None) -> Registry:
    """Return the registry of a seeds file, in force from the beginning, with these rules going before its own."""
    seeds = parse_seeds(read_text(seeds_path), where=seeds_path)
    return Registry(topic_records(seeds, effective_from_ms=0), overrides=overrides or None)


def run(
    registry: Registry,
    path: str,
    format_name: str | None = None,
    *,
    settings: Settings = Settings(),
    span: Span = Span(),
) -> Iterator[tuple[Pipeline, Outcome]]:
    """Yield the outcome of each batch of a log; the last one ends every source, so that everything is released.

    The log is a file, or the channel `kafka:NAME` at the broker of `settings`.
    """
    signals = SourceReader(settings, path, format_name, span)
    for pipeline, outcome in advance(registry, signals, name=signals.name):
        # Lines that say nothing never come to the pipeline.
        more = signals.ignored - pipeline.ledger.ignored
        pipeline.ledger.ignored += more
        pipeline.ledger.read += more
        yield pipeline, outcome


class Job(NamedTuple):
    """A log, its seeds, and rules that go before theirs; of the log a span, and where its channel is if it is one."""

    log: str
    seeds: str
    format: str | None
    overrides: dict[str, Any]
    settings: Settings = Settings()
    span: Span = Span()

    def having(self, overrides: Mapping[str, Any]) -> "Job":
        """Return the same with these rules before the others."""
        return self._replace(overrides=merge_overrides(self.overrides, overrides))


class Told(NamedTuple):
    """What a log told under some rules: its alerts, what became of its records, the rules of each topic as declared.

    `end_ms` is the last tick (epoch ms) that was judged, 0 where none was.
    """

    alerts: list[Alert]
    ledger: Ledger
    rules: dict[str, Rules]
    end_ms: int


def tell(job: Job) -> Told:
    """Run a job to its end and return what it told."""
    collect_rarely()
    registry = load_registry(job.seeds, job.overrides)
    alerts: list[Alert] = []
    topics: dict[str, int] = {}
    ledger, end_ms = Ledger(), 0
    for pipeline, outcome in run(registry, job.log, job.format, settings=job.settings, span=job.span):
        alerts += (alert for _, alert in outcome.alerts)
        for vitals in outcome.vitals:
            topics.setdefault(f"{vitals.brand}/{vitals.topic}", vitals.at)
        if outcome.vitals:
            end_ms = outcome.vitals[-1].at
        ledger = pipeline.ledger
    rules = {topic: registry.rules(topic, at_ms) for topic, at_ms in sorted(topics.items())}
    return Told(alerts, ledger, rules, end_ms)
