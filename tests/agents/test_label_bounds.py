"""However hostile the input, labels hold nothing of it, and the number of series stays below what one may plan with."""

import shutil
import subprocess
from collections.abc import Iterator

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.attribute_signals import AttributeShell
from agents.follow_members import FollowShell
from agents.lane import Batch, Outgoing, Record
from agents.metrics import Metrics
from agents.normalize_signals import Normalizer
from agents.settings import Settings
from agents.watch_topics import WatchShell
from schemas.channels import ATTRIBUTED, CONTRIBUTIONS, SIGNALS
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Signal
from streams.attribution.matcher import Registry
from tests.agents.full_metrics import full_metrics

SERIES_MAX = 3_000
AT_MS = 1_341_388_800_000
CANARY = "canary"
SETTINGS = Settings(partitions=1)
REGISTRY = Registry([TopicRecord("cern", "higgs", (TopicVersion(effective_from_ms=0, seeds=Seeds(tags=("higgs",))),))])

to_json = msgspec.json.Encoder().encode


def hostile_payloads() -> Iterator[bytes]:
    """Yield signals whose every text is a new name, and payloads that are refused with such a name in them."""
    for number in range(400):
        name = f'{CANARY}{number}"}}\n{CANARY}_total 1 \\ \x00\U0001f9ea'
        yield to_json(
            Signal(
                id=f"id{name}",
                network=f"net{name}",
                kind=("post", "share", "like")[number % 3],
                at=AT_MS + number * 60_000,
                actor=f"actor{name}",
                source=f"source{number % 3}{CANARY}",
                post=f"post{name}",
                root=f"root{name}",
                tags=("higgs", f"tag{name}"),
                mentions=(f"mention{name}",),
                links=(f"https://{CANARY}{number}.example/",),
                lang=name,
                text=f"text {name}",
            )
        )
        yield b'{"id": "' + name.encode() + b'", "kind": "' + CANARY.encode() + b'"}'
        yield b'{"reason": "' + CANARY.encode() + str(number).encode()
    yield b"[" * 5_000
    yield b"\xff" + CANARY.encode()
    yield b'"' + CANARY.encode() * 20_000 + b'"'
    for number in range(3):
        yield to_json(Heartbeat(f"source{number}{CANARY}", AT_MS + 400 * 60_000, end=True))


def records(outgoing: list[Outgoing], channel: str) -> list[Record]:
    """Return what was sent to a channel as it is read there."""
    sent = [one for one in outgoing if one.channel == channel]
    return [Record(offset, one.timestamp_ms, one.value, one.key) for offset, one in enumerate(sent)]


def test_nothing_of_a_hostile_corpus_is_found_in_the_metrics() -> None:
    """Actors, tags, links and ids of posts are personal, and without number."""
    raw = Normalizer(SETTINGS, "native", metrics := Metrics(version="1", channels=[SIGNALS.name]))
    attribute = AttributeShell(SETTINGS, lambda: REGISTRY, 0)
    follow = FollowShell(SETTINGS, lambda: REGISTRY, 0)
    watch = WatchShell(SETTINGS, lambda: REGISTRY, 0)
    taken = [Record(offset, None, payload) for offset, payload in enumerate(hostile_payloads())]
    outgoing = raw.take(0, Batch(taken, len(taken)))
    for shell, channel in ((attribute, SIGNALS), (follow, ATTRIBUTED), (watch, CONTRIBUTIONS)):
        taken = records(outgoing, channel.name)
        assert taken
        outgoing = shell.take(Batch(taken, len(taken)))
        shell.report(metrics)

    page = metrics.render().decode()

    assert CANARY not in page
    assert metrics.registry.get_sample_value("overgrowth_topics", {"state": "dormant"}) is not None
    told = metrics.registry.get_sample_value
    assert told("overgrowth_rejections_total", {"reason": "oversize"}) == 1
    assert (told("overgrowth_unique_actors", {"topic": "cern/higgs", "window": "24h"}) or 0) > 100
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    assert len(samples) < SERIES_MAX


def test_the_largest_worker_stays_below_3000_series() -> None:
    """All sixteen partitions of the pipeline, five networks and more topics than are named."""
    page = full_metrics(topics=1_000).render().decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    assert 1_500 < len(samples) < SERIES_MAX


def test_only_gauges_know_partitions() -> None:
    """A counter or histogram per partition would multiply with every rebalance."""
    for family in text_string_to_metric_families(full_metrics().render().decode()):
        assert family.name.startswith(("overgrowth_", "process_"))
        assert not family.name.endswith("_created")
        assert family.documentation
        labels = {label for sample in family.samples for label in sample.labels}
        assert "partition" not in labels or family.type == "gauge"


def test_promtool_finds_nothing_to_say() -> None:
    """Prometheus' own linter judges names, units and types of everything that a worker may tell."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool on the PATH; apt-get install prometheus")

    page = full_metrics().render()
    verdict = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)

    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, b"", b"")
