"""Check the shell around the third step: packets of contributions in, vitals and alerts as others read them out."""

import json

import msgspec

from agents.lane import Batch, Outgoing, Record
from agents.metrics import Metrics
from agents.packing import packed
from agents.settings import Settings
from agents.watch_topics import WatchShell
from schemas.attributed import ADOPTED, BEGINNING, BRAND
from schemas.contribution import Contribution
from schemas.rejection import Rejection
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry

AT_MS = 1_341_388_800_000
MINUTE_MS = 60_000
SETTINGS = Settings(partitions=1, namespace="n")


def registry() -> Registry:
    """Make a registry with the one topic of these tests."""
    return Registry([TopicRecord("cern", "higgs", (TopicVersion(effective_from_ms=0, seeds=Seeds(tags=("higgs",))),))])


def records(items: list[Contribution], *, upto_ms: int) -> list[Record]:
    """Pack contributions."""
    made = packed(
        items,
        channel="n.social.contributions",
        partition_of=lambda item: 0,
        partitions=1,
        origin=0,
        after=BEGINNING,
        upto=(upto_ms, ""),
    )
    return [Record(10 + index, None, one.value) for index, one in enumerate(made)]


def outgrowing() -> list[Contribution]:
    """Let a brand seed once and a community answer, more each minute, for four hours."""
    items = [Contribution(AT_MS, "seed", "cern/higgs", "brand", 0, BRAND, 1_000, "seed", "t")]
    for number in range(4 * 60 * 10):
        at_ms = AT_MS + MINUTE_MS + number * 6_000
        items.append(Contribution(at_ms, f"s{number:05}", "cern/higgs", f"a{number}", 2, ADOPTED, 1_000, "seed", "t"))
    return items


def run_outgrowing() -> tuple[WatchShell, list[Outgoing]]:
    """Take it all in one batch."""
    shell = WatchShell(SETTINGS, registry, 0)
    return shell, shell.take(Batch(records(outgrowing(), upto_ms=AT_MS + 5 * 60 * MINUTE_MS), 99))


def test_vitals_go_out_under_their_topic_at_the_time_of_their_tick() -> None:
    """The channel keeps the latest per key, and readers of its timestamps see event time."""
    _, outgoing = run_outgrowing()
    vitals = [one for one in outgoing if one.channel == "n.social.vitals"]
    told = [msgspec.json.decode(one.value or b"", type=Vitals) for one in vitals]

    assert len(vitals) > 200
    assert {one.key for one in vitals} == {b"cern/higgs"}
    assert [one.timestamp_ms for one in vitals] == [one.at for one in told]
    assert [one.at for one in told] == sorted(one.at for one in told)


def test_an_alert_goes_to_the_history_and_to_the_state_of_its_episode_as_a_cloud_event() -> None:
    """One is kept for a month under the topic, of the other only the latest per episode (WIRE.md §6)."""
    shell, outgoing = run_outgrowing()
    history = [one for one in outgoing if one.channel == "n.social.alerts"]
    state = [one for one in outgoing if one.channel == "n.social.alert-state"]

    assert history
    assert [one.value for one in history] == [one.value for one in state]
    for one, latest in zip(history, state, strict=True):
        alert = json.loads(one.value or b"")
        headers = {name: value.decode() for name, value in one.headers}
        assert (one.key, latest.key) == (b"cern/higgs", alert["episode"].encode())
        assert one.headers == latest.headers
        assert headers == {
            "ce_specversion": "1.0",
            "ce_id": alert["id"],
            "ce_source": "/overgrowth/cern/higgs",
            "ce_type": f"org.overgrowth.alert.{alert['state']}.{alert['status']}.v1",
            "ce_time": alert["at"],
            "ce_subject": "cern/higgs",
            "ce_severity": str(alert["severity"]),
            "ce_episode": alert["episode"],
            "content-type": "application/json",
        }
    metrics = Metrics(version="0")
    shell.report(metrics)
    first = json.loads(history[0].value or b"")
    line = f'overgrowth_alerts_total{{state="{first["state"]}",status="{first["status"]}"}}'
    page = metrics.render().decode()

    assert f"{line} 0.0" not in page
    assert 'overgrowth_records_total{channel="n.social.contributions",outcome="applied"} 2401.0' in page


def test_the_newest_vitals_are_told_and_how_late_alerts_are_by_the_wall_clock() -> None:
    """Where time passes in the log alone, how long ago a tick was says nothing."""
    for clock, told in (("wall", True), ("log", False)):
        shell = WatchShell(msgspec.structs.replace(SETTINGS, clock=clock), registry, 0)
        metrics = Metrics(version="0")
        outgoing = shell.take(Batch(records(outgrowing(), upto_ms=AT_MS + 5 * 60 * MINUTE_MS), 99))
        shell.report(metrics)
        newest = [json.loads(one.value or b"") for one in outgoing if one.channel == "n.social.vitals"][-1]
        sample = metrics.registry.get_sample_value
        day = newest["windows"]["24h"]
        assert sample("overgrowth_state", {"topic": "cern/higgs", "state": newest["state"]}) == 1
        assert sample("overgrowth_unique_actors", {"topic": "cern/higgs", "window": "24h"}) == day["actors"]
        assert bool(sample("overgrowth_end_to_end_latency_seconds_count")) == told


def test_what_is_no_packet_becomes_a_rejection() -> None:
    """Nothing but our agents should write here, but a record of somebody else must not stop the partition."""
    shell = WatchShell(SETTINGS, registry, 0)
    outgoing = shell.take(Batch([Record(3, None, None), *records(outgrowing()[:1], upto_ms=AT_MS + 1)], 99))
    refused = [one for one in outgoing if one.channel == "n.social.rejections"]
    metrics = Metrics(version="0")
    shell.report(metrics)

    assert [msgspec.json.decode(one.value or b"", type=Rejection).place.offset for one in refused] == [3]
    assert b'overgrowth_rejections_total{reason="malformed"} 1.0' in metrics.render()
