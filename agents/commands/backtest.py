"""`overgrowth backtest`: the whole computation over a log in one process, without a broker."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from agents.backtesting import Job, load_registry, read_overrides, run
from agents.channel_span import is_channel
from agents.commands.backtest_variants import show_comparison, show_sweep
from agents.commands.options import json_option, kafka_option, said_late, span_of, span_options
from agents.garbage import collect_rarely
from agents.log_source import SourceReader, pinned
from agents.logs import STDIN
from agents.outputs import STDOUT, written
from agents.reporting import Story, plant, render
from agents.settings import load_settings
from schemas.alert import Alert
from streams.attribution.matcher import Registry
from streams.eventtime.clock import ClockSettings
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Outcome

PROGRESS_EVERY_S = 3.0
WORKERS_MAX = 64

_to_json = msgspec.json.Encoder().encode


class _Outputs:
    """The files that the results go to, one JSON value a line."""

    def __init__(self, stack: ExitStack, *, alerts: str | None, vitals: str | None, cascades: str | None) -> None:
        def opened(path: str | None) -> IO[bytes] | None:
            return None if path is None else stack.enter_context(written(path))

        self._alerts, self._vitals, self._cascades = opened(alerts), opened(vitals), opened(cascades)

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


@click.command()
@click.argument("log")
@click.option("--seeds", "seeds_path", required=True, help="Seeds file: brands, topics, what marks them.")
@click.option("--format", "format_name", default=None, help="Format of the log; found by itself where not named.")
@click.option("--rules", "rules_path", default=None, help="Rules file that goes before the rules in the seeds file.")
@click.option("--alerts", "alerts_path", default=None, help="Write alerts there, one JSON value a line (- for stdout).")
@click.option("--vitals", "vitals_path", default=None, help="Write vitals there, one JSON value a line.")
@click.option("--cascades", "cascades_path", default=None, help="Write the virality of cascades there, likewise.")
@click.option("--report", "report_path", metavar="HTML", default=None, help="Write a report to look at there.")
@click.option("--against", metavar="RULES", default=None, help="Say what differs with the rules of this other file.")
@click.option("--sweep", metavar="RULE=A..B/STEP", default=None, help="Count what is raised with each value of a rule.")
@click.option("--truth", metavar="FILE", default=None, help="True states as simulate writes them, to judge by.")
@click.option(
    "--workers",
    type=click.IntRange(1, WORKERS_MAX),
    default=2,
    show_default=True,
    help="Processes for --against and --sweep.",
)
@span_options
@kafka_option
@json_option
def backtest(
    log: str,
    seeds_path: str,
    format_name: str | None,
    rules_path: str | None,
    against: str | None,
    sweep: str | None,
    truth: str | None,
    workers: int,
    from_ms: int | None,
    to_ms: int | None,
    offsets: tuple[tuple[int, int], ...],
    kafka: str | None,
    as_json: bool,
    **outputs: str | None,
) -> None:
    """Run a LOG through the whole computation and say which alerts it raises.

    LOG is a file, gzipped or not, - for standard input, or kafka:CHANNEL for a channel of signals, up to its end now.

    \b
    Example:
      overgrowth backtest week.ndjson.gz --seeds seeds.yaml --alerts alerts.ndjson
      overgrowth backtest week.ndjson.gz --seeds seeds.yaml --report week.html
      overgrowth backtest week.ndjson.gz --seeds seeds.yaml --against stricter.yaml
      overgrowth backtest kafka:social.signals --from 2012-07-04T00:00:00Z --seeds seeds.yaml
      overgrowth backtest season.ndjson --seeds seeds.yaml --sweep outgrown.ratio_enter=1.5..4/0.5 --truth truth.ndjson
    """
    _refuse_what_does_not_go_together(against=against, sweep=sweep, truth=truth, outputs=outputs)
    span = span_of(from_ms, to_ms, offsets)
    job = Job(log, seeds_path, format_name, read_overrides(rules_path), span=span)
    if is_channel(log):
        settings = load_settings(kafka=kafka)
        job = job._replace(settings=settings, span=pinned(settings, log, span))
    if against is not None:
        show_comparison(job, against, workers=workers, as_json=as_json)
    elif sweep is not None:
        show_sweep(job, sweep, truth, workers=workers, as_json=as_json)
    else:
        _run_once(job, outputs, as_json=as_json)


def _refuse_what_does_not_go_together(
    *, against: str | None, sweep: str | None, truth: str | None, outputs: dict[str, str | None]
) -> None:
    """Raise UsageError where flags contradict each other, before anything is read."""
    if against is not None and sweep is not None:
        raise click.UsageError("expected one of --against and --sweep, got both; run it twice")
    if truth is not None and sweep is None:
        raise click.UsageError("expected --sweep with --truth, got --truth alone; name the rule to sweep")
    paths = [path for path in outputs.values() if path is not None]
    if paths and (against is not None or sweep is not None):
        raise click.UsageError("expected no files to write with --against or --sweep; run each set of rules by itself")
    if len(set(paths)) < len(paths):
        raise click.UsageError(f"expected a file of its own for each output, got {paths[0]} twice; name another")


def _run_once(job: Job, paths: dict[str, str | None], *, as_json: bool) -> None:
    collect_rarely()
    registry = load_registry(job.seeds, job.overrides)
    begun_s = time.monotonic()
    told: list[Alert] = []
    ledger = Ledger()
    story = Story()
    with ExitStack() as stack:
        outputs = _Outputs(
            stack, alerts=paths["alerts_path"], vitals=paths["vitals_path"], cascades=paths["cascades_path"]
        )
        report = None if paths["report_path"] is None else stack.enter_context(written(paths["report_path"]))
        progress = _Progress(job.log, begun_s)
        for pipeline, outcome in run(registry, job.log, job.format, settings=job.settings, span=job.span):
            outputs.write(outcome)
            if report is not None:
                story.hear(outcome)
            told.extend(alert for _, alert in outcome.alerts)
            ledger = pipeline.ledger
            progress.show(ledger)
        if report is not None:
            report.write(_report(job, registry, story, ledger).encode())
    seconds = time.monotonic() - begun_s
    _summarise(ledger, told, seconds, as_json=as_json, quiet=STDOUT in paths.values())
    if ledger.late:
        click.echo(said_late(job.log, ledger.late, lateness_ms=ClockSettings().lateness_ms), err=True)


def _report(job: Job, registry: Registry, story: Story, ledger: Ledger) -> str:
    """Return the report; the largest cascades are read from the log again, which standard input does not allow."""
    rules = {name: registry.rules(name, topic.states[0][0]) for name, topic in story.topics.items() if topic.states}
    roots = {cascade.root for topic in story.topics.values() for cascade in topic.largest()}
    trees = {} if job.log == STDIN else plant(SourceReader(job.settings, job.log, job.format, job.span), roots)
    return render(story, log=Path(job.log).name, ledger=ledger, rules=rules, trees=trees)


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
