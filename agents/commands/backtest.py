"""`overgrowth backtest`: the whole computation over a log in one process, without a broker."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from agents.garbage import collect_rarely
from agents.logs import read_signals
from schemas.alert import Alert
from schemas.signal import Heartbeat, Signal
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import parse_seeds, topic_records
from streams.lifecycle.rules import parse_rules
from streams.steps.attribute import Arrival
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Outcome, Pipeline

PROGRESS_EVERY_S = 3.0

_to_json = msgspec.json.Encoder().encode


def load_registry(seeds_path: str, rules_path: str | None = None) -> Registry:
    """Return the registry of a seeds file, in force from the beginning, with a rules file going before its rules."""
    seeds = parse_seeds(_read_text(seeds_path), where=seeds_path)
    overrides = parse_rules(_read_text(rules_path), where=rules_path) if rules_path else None
    return Registry(topic_records(seeds, effective_from_ms=0), overrides=overrides)


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise click.ClickException(f"{path}: expected a readable text file, got: {reason}; check the path") from None


def run(registry: Registry, path: str, format_name: str | None = None) -> Iterator[tuple[Pipeline, Outcome]]:
    """Yield the outcome of each batch of a log; the last one ends every source, so that everything is released."""
    pipeline = Pipeline(registry, channel=Path(path).name)
    sources: set[str] = set()
    largest_ms = next_number = 0
    signals = read_signals(path, format_name)
    for batch in signals:
        arrivals = []
        for number, payload, decoded in batch:
            if isinstance(decoded, Signal):
                sources.add(decoded.source)
                largest_ms = max(largest_ms, decoded.at)
            elif isinstance(decoded, Heartbeat):
                sources.add(decoded.heartbeat)
                largest_ms = max(largest_ms, decoded.at)
            arrivals.append(Arrival(number, None, payload, decoded))
            next_number = number + 1
        yield pipeline, pipeline.advance(arrivals, next_offset=next_number)
    ends = [Arrival(next_number, None, b"", Heartbeat(source, at=largest_ms, end=True)) for source in sorted(sources)]
    yield pipeline, pipeline.advance(ends, next_offset=next_number)
    # The ends are ours, not the log's; lines that say nothing never came to the pipeline.
    pipeline.ledger.ignored = signals.ignored
    pipeline.ledger.read += signals.ignored - len(ends)
    pipeline.ledger.heartbeat -= len(ends)


class _Outputs:
    """The files that the results go to, one JSON value a line."""

    def __init__(self, stack: ExitStack, *, alerts: str | None, vitals: str | None, cascades: str | None) -> None:
        self._alerts = _opened(stack, alerts)
        self._cascades = _opened(stack, cascades)
        self._vitals = _opened(stack, vitals)

    def write(self, outcome: Outcome) -> None:
        if self._alerts is not None:
            for _, alert in outcome.alerts:
                self._alerts.write(_to_json(alert) + b"\n")
        if self._vitals is not None:
            for vitals in outcome.vitals:
                self._vitals.write(_to_json(vitals) + b"\n")
        if self._cascades is not None:
            for cascade in outcome.cascades:
                self._cascades.write(_to_json(cascade) + b"\n")


def _opened(stack: ExitStack, path: str | None) -> IO[bytes] | None:
    if path is None:
        return None
    if path == "-":
        return sys.stdout.buffer
    try:
        return stack.enter_context(open(path, "wb"))
    except OSError as error:
        raise click.ClickException(f"{path}: expected a file to write, got: {error.strerror}") from None


@click.command()
@click.argument("log")
@click.option("--seeds", "seeds_path", required=True, help="Seeds file: brands, topics, what marks them.")
@click.option("--format", "format_name", default=None, help="Format of the log; found by itself where not named.")
@click.option("--rules", "rules_path", default=None, help="Rules file that goes before the rules in the seeds file.")
@click.option("--alerts", "alerts_path", default=None, help="Write alerts there, one JSON value a line (- for stdout).")
@click.option("--vitals", "vitals_path", default=None, help="Write vitals there, one JSON value a line.")
@click.option("--cascades", "cascades_path", default=None, help="Write the virality of cascades there, likewise.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def backtest(
    log: str,
    seeds_path: str,
    format_name: str | None,
    rules_path: str | None,
    alerts_path: str | None,
    vitals_path: str | None,
    cascades_path: str | None,
    as_json: bool,
) -> None:
    """Run a LOG through the whole computation and say which alerts it raises.

    \b
    Example:
      overgrowth backtest week.ndjson.gz --seeds seeds.yaml --alerts alerts.ndjson
    """
    collect_rarely()
    registry = load_registry(seeds_path, rules_path)
    begun_s = time.monotonic()
    told: list[Alert] = []
    ledger = Ledger()
    with ExitStack() as stack:
        outputs = _Outputs(stack, alerts=alerts_path, vitals=vitals_path, cascades=cascades_path)
        progress = _Progress(log, begun_s)
        for pipeline, outcome in run(registry, log, format_name):
            outputs.write(outcome)
            told.extend(alert for _, alert in outcome.alerts)
            ledger = pipeline.ledger
            progress.show(ledger)
    seconds = time.monotonic() - begun_s
    _summarise(ledger, told, seconds, as_json=as_json, quiet="-" in (alerts_path, vitals_path, cascades_path))


class _Progress:
    """One line on stderr every few seconds."""

    def __init__(self, log: str, begun_s: float) -> None:
        self._log = log
        self._begun_s = self._shown_s = begun_s

    def show(self, ledger: Ledger) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s >= PROGRESS_EVERY_S:
            self._shown_s = now_s
            rate = ledger.read / (now_s - self._begun_s)
            click.echo(f"{self._log}: {ledger.read:,} records read, {rate:,.0f}/s", err=True)


def _summarise(ledger: Ledger, told: list[Alert], seconds: float, *, as_json: bool, quiet: bool) -> None:
    summary: dict[str, Any] = {
        **msgspec.to_builtins(ledger),
        "waiting": ledger.waiting(),
        "alerts": len(told),
        "seconds": round(seconds, 3),
        "records_per_second": round(ledger.read / seconds) if seconds else None,
    }
    if as_json:
        click.echo(json.dumps(summary), err=quiet)
        return
    for alert in told:
        click.echo(
            f"{alert.at}  {alert.status:<10} {alert.state:<9} severity {alert.severity:>2}  {alert.summary}", err=quiet
        )
    counts = ", ".join(
        f"{summary[name]:,} {name}" for name in ("applied", "late", "rejected", "duplicate", "heartbeat", "ignored")
    )
    click.echo(
        f"{ledger.read:,} records read in {seconds:.1f} s ({summary['records_per_second']:,}/s): {counts}; "
        f"{ledger.on_topic:,} signals on a topic, {len(told)} alerts",
        err=quiet,
    )
