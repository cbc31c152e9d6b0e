"""A real Prometheus scrapes a real worker: panels find data, and a page comes and goes with the worker."""

import time
from pathlib import Path

import msgspec
import pytest

from agents.lane import Outgoing
from agents.normalize_signals import heartbeat_records
from agents.stack import Stack
from agents.topic_metrics import MEASURES
from schemas.channels import SIGNALS, VITALS
from schemas.signal import Heartbeat, conversation_of
from schemas.vitals import Vitals
from tests.deploy.test_grafana import DASHBOARDS, in_plain_promql, queries
from tests.integration.prometheus_server import Prometheus, prometheus
from tests.integration.worker_trial import SOURCE, Trial, made_signals, to_json

pytestmark = [pytest.mark.integration, pytest.mark.kafka, pytest.mark.slow]

PAGE = "OvergrowthNoWorkers"
PAGES = ("startup", "ready", "live")
STALE = {"OvergrowthFreshnessBurnsFast", "OvergrowthFreshnessBurnsSlowly"}


def send_recent_signals(trial: Trial) -> None:
    """Send hours of talk that end now, before any wall time is in the log, and end their source."""
    signals = made_signals()
    later_ms = time.time_ns() // 1_000_000 - signals[-1].at
    outgoing = []
    for signal in signals:
        signal.at += later_ms
        key = conversation_of(signal).encode()
        outgoing.append(Outgoing(trial.name(SIGNALS), key, to_json(signal), timestamp_ms=signal.at))
    end = Heartbeat(SOURCE, signals[-1].at, end=True)
    trial.send(outgoing)
    trial.send(heartbeat_records(end, channel=trial.name(SIGNALS), partitions=trial.settings.partitions))


def panels_without_data(server: Prometheus) -> list[str]:
    """Return the queries of all dashboards that find nothing."""
    found = []
    for path in DASHBOARDS:
        for query in map(in_plain_promql, queries(path)):
            if not server.query(query.replace("[5m]", "[30s]")):
                found.append(query)
    return found


def may_be_empty(trial: Trial) -> set[str]:
    """Return what queries may name and not find: no alert fires, no limit is set, null measures, no connector runs."""
    newest = [msgspec.json.decode(record.value, type=Vitals) for record in trial.records(VITALS)][-1]
    nulls = {f"overgrowth_{gauge}" for field, gauge, _ in MEASURES if getattr(newest.measures, field) is None}
    return {"ALERTS", "overgrowth_memory_limit_bytes", "overgrowth_connector_", *nulls}


def test_panels_find_data_and_a_page_comes_and_goes_with_the_worker(tmp_path: Path) -> None:
    """What operations rely on, from the worker's registry to the alert, with no part stood in for."""
    with Stack() as stack:
        trial = Trial(stack, "", tmp_path)
        trial.settings = msgspec.structs.replace(trial.settings, clock="wall")
        trial.declare()
        send_recent_signals(trial)
        with prometheus(trial.settings.metrics_port, tmp_path) as server:
            server.wait(lambda: PAGE in server.firing(), f"{PAGE} before there is a worker")
            trial.start()
            try:
                server.wait(lambda: PAGE not in server.firing(), f"the end of {PAGE}")
                trial.wait(lambda: bool(server.query("overgrowth_state")), "a topic in Prometheus")
                applied = 'sum(overgrowth_records_total{channel="social.signals", outcome="applied"}) > 2900'
                trial.wait(lambda: bool(server.query(applied)), "all signals applied")
                # A worker on a busy machine may be unready for a moment: a checkpoint late, an answer awaited.
                trial.wait(lambda: all(trial.page(name)[0] == 200 for name in PAGES), "every page of health is well")

                def all_found() -> bool:
                    allowed = may_be_empty(trial)
                    return all(any(name in query for name in allowed) for query in panels_without_data(server))

                trial.wait(all_found, "data in every panel")
                # What was said hours ago was taken late, and is told as that.
                trial.wait(lambda: server.firing() <= STALE, "nothing else that fires")

                assert trial.stop() == 0
                server.wait(lambda: PAGE in server.firing(), f"{PAGE} without the worker")
                trial.start()
                server.wait(lambda: PAGE not in server.firing(), f"the end of {PAGE} with a new worker")
                assert trial.stop() == 0
            finally:
                trial.kill()
