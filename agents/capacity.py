"""What a load takes: processors, partitions, workers, memory, network, disk and the time of a takeover, by arithmetic.

A model of few constants, each measured by `make bench` (docs/capacity.md says by which figure, and how far the model is
off at points that it was not fitted to). It knows nothing of this machine: a core is one like those of the report.
"""

import math
from typing import NamedTuple

import msgspec

from agents.lane import SLICE_RECORDS_MAX
from schemas.attributed import ACTOR_SHARDS
from schemas.channels import HOUR_MS, SIGNALS
from streams.attribution.acts import CHANGES_MS
from streams.steps.attribute import AttributeSettings

CONVERSATION_S = AttributeSettings().conversation_ms // 1_000
CHANGES_S = CHANGES_MS // 1_000
KEPT_S = SIGNALS.retention_ms // 1_000
CHANGELOG_S = 2 * HOUR_MS // 1_000
"""What a changelog holds besides the latest rows: compaction leaves the last hour alone, and the segment before it."""
TAKES_PER_S = 10
"""A lane with little to do takes what a fetch brings, which waits a tenth of a second for more."""
WORKER_GIB_MAX, TAKEOVER_S_MAX = 32, 120
"""From here on memory, or the time for which a worker's part stands still, is told as a limit."""


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What things cost on one core, in microseconds, bytes and MiB: as measured on 2026-11-23, on a busy machine.

    `python -m tests.benchmarks.capacity REPORT` finds them in a report of another day or machine.
    """

    off_topic_us: float = 36.0
    """A signal that touches no topic, through a whole worker."""
    on_topic_us: float = 210.0
    """A signal on a topic, through all three steps, with the rows of its checkpoint."""
    topic_step_us: float = 9.0
    """Of `on_topic_us`, what passes the one lane of the topic."""
    tick_us: float = 710.0
    """A topic that is judged, once: its windows, measures, states, and the rows of the next checkpoint."""
    packet_us: float = 24.0
    """A packet from one lane to another: packed, sent, fetched, unpacked."""
    off_topic_packed_bytes: float = 10.0
    """In `social.attributed` and `social.contributions` together, for a signal off topic; not compressed."""
    on_topic_packed_bytes: float = 145.0
    off_topic_rows_bytes: float = 55.0
    """In the changelogs of the tables, for a signal off topic."""
    on_topic_rows_bytes: float = 470.0
    tick_rows_bytes: float = 6_000.0
    worker_mib: float = 100.0
    """A worker that remembers nothing, resident."""
    declared_bytes: float = 1_700.0
    """A topic of a tag and a phrase that nobody talks of; every worker knows all of them."""
    topic_bytes: float = 82_000.0
    """A topic that is judged."""
    cascade_bytes: float = 1_400.0
    """A cascade of one post, resident."""
    node_bytes: float = 60.0
    """A further reply or share."""
    member_bytes: float = 880.0
    """An actor who came to a topic, with two acts that can be taken back."""
    act_bytes: float = 270.0
    """An act on a topic, for as long as it can be taken back."""
    recovery_mb_per_s: float = 8.0
    """Of changelogs, read and made into state by one worker."""


class Load(msgspec.Struct, frozen=True):
    """What there is to carry. Rates are signals a second; shares are of 1.

    `mean_per_s` is what memory and disks see over days, `peak_per_s` what processors have to be there for.
    """

    peak_per_s: float
    mean_per_s: float
    on_topic: float = 0.05
    roots: float = 0.2
    """Of the signals on topics, those that begin a cascade."""
    topics: int = 1_000
    """Topics that are judged at every tick."""
    topics_declared: int = 0
    tick_s: float = 60.0
    members: int = 100_000
    signal_bytes: int = 300
    partitions: int = 0
    """0 for as many as the model advises, 1,024 at most."""
    replication: int = 3
    busy: float = 0.6
    """The share of a core that is used at the peak; what is left is for taking over, for catching up and for error."""
    session_s: float = 30.0
    broker_mb_per_s: float = 50.0
    """What a broker writes to its disks beside everything else: an assumption, not measured here."""


class Plan(NamedTuple):
    """What a load takes at its peak; memory with one worker away, disks with retention and replication."""

    cores: float
    """Processors that are busy all the time, of all workers together."""
    signals_cores: float
    ticks_cores: float
    packets_cores: float
    workers: int
    partitions: int
    packets_per_s: float
    state_gib: float
    """Of all workers together."""
    worker_gib: float
    brokers_in_mb_per_s: float
    """From producers and workers, before replication and compression."""
    brokers_out_mb_per_s: float
    brokers: int
    signals_disk_gb: float
    changelog_gb: float
    takeover_s: float
    topic_per_s_max: float
    """Signals on one topic that its lane can take: all of them pass it, whatever the number of workers."""


def signal_us(costs: Costs, *, on_topic: float) -> float:
    """Return the processor time of a signal (µs) where this share is on topics.

    >>> signal_us(Costs(off_topic_us=20, on_topic_us=120), on_topic=0.05)
    25.0
    """
    return costs.off_topic_us * (1 - on_topic) + costs.on_topic_us * on_topic


def packets_per_s(*, signals_per_s: float, partitions: int, takes_per_s: float = TAKES_PER_S) -> float:
    """Return the packets of both hops a second: whatever a lane takes at once, it tells every partition behind it.

    A lane takes at most `SLICE_RECORDS_MAX` records at once, and takes so many times a second even if they are few.

    >>> packets_per_s(signals_per_s=2_000, partitions=64, takes_per_s=1)
    8192.0
    """
    first = max(takes_per_s, signals_per_s / partitions / SLICE_RECORDS_MAX)
    second = max(takes_per_s, partitions * first / SLICE_RECORDS_MAX)
    return float(partitions**2) * (first + second)


def state_bytes(costs: Costs, load: Load) -> float:
    """Return what all workers together remember (bytes), without the processes themselves."""
    on_topic_per_s = load.mean_per_s * load.on_topic
    cascades = on_topic_per_s * load.roots * CONVERSATION_S
    # A like is no node; of the firehose of the benchmarks nine of twenty signals are replies and shares.
    nodes = on_topic_per_s * (1 - load.roots) * CONVERSATION_S * 9 / 16
    return (
        cascades * costs.cascade_bytes
        + nodes * costs.node_bytes
        + on_topic_per_s * CHANGES_S * costs.act_bytes
        + load.members * costs.member_bytes
        + load.topics * costs.topic_bytes
    )


def rows_bytes_per_s(costs: Costs, load: Load, *, signals_per_s: float) -> float:
    """Return what checkpoints write to the changelogs a second."""
    rows = costs.off_topic_rows_bytes * (1 - load.on_topic) + costs.on_topic_rows_bytes * load.on_topic
    return signals_per_s * rows + load.topics / load.tick_s * costs.tick_rows_bytes


def plan(load: Load, costs: Costs = Costs()) -> Plan:
    """Return what a load takes.

    >>> planned = plan(Load(peak_per_s=20_000, mean_per_s=10_000))
    >>> planned.workers <= planned.partitions
    True
    """
    signals_cores = load.peak_per_s * signal_us(costs, on_topic=load.on_topic) / 1e6
    ticks_cores = load.topics / load.tick_s * costs.tick_us / 1e6
    partitions, packets = _partitions(load, costs, cores=signals_cores + ticks_cores)
    packets_cores = packets * costs.packet_us / 1e6
    cores = signals_cores + ticks_cores + packets_cores
    workers = _workers(cores, busy=load.busy)
    state = state_bytes(costs, load)
    declared = load.topics_declared * costs.declared_bytes
    # When a worker is away, the others hold its part.
    worker_bytes = costs.worker_mib * 2**20 + declared + state / (workers - 1)
    packed = costs.off_topic_packed_bytes * (1 - load.on_topic) + costs.on_topic_packed_bytes * load.on_topic
    signals_bytes_per_s = load.peak_per_s * load.signal_bytes
    hops_bytes_per_s = load.peak_per_s * packed
    rows_per_s = rows_bytes_per_s(costs, load, signals_per_s=load.peak_per_s)
    changelog = CHANGELOG_S * rows_bytes_per_s(costs, load, signals_per_s=load.mean_per_s)
    in_bytes_per_s = signals_bytes_per_s + hops_bytes_per_s + rows_per_s
    # The partitions of the worker that went are read by the others side by side, each by one at a time.
    readers = max(1.0, min(workers - 1, partitions / workers))
    return Plan(
        cores=cores,
        signals_cores=signals_cores,
        ticks_cores=ticks_cores,
        packets_cores=packets_cores,
        workers=workers,
        partitions=partitions,
        packets_per_s=packets,
        state_gib=state / 2**30,
        worker_gib=worker_bytes / 2**30,
        brokers_in_mb_per_s=in_bytes_per_s / 1e6,
        brokers_out_mb_per_s=(signals_bytes_per_s + hops_bytes_per_s) / 1e6,
        brokers=max(load.replication, math.ceil(in_bytes_per_s * load.replication / 1e6 / load.broker_mb_per_s)),
        signals_disk_gb=load.mean_per_s * load.signal_bytes * KEPT_S * load.replication / 1e9,
        changelog_gb=changelog * load.replication / 1e9,
        takeover_s=load.session_s + changelog / workers / readers / (costs.recovery_mb_per_s * 1e6),
        topic_per_s_max=load.busy * 1e6 / costs.topic_step_us,
    )


def _partitions(load: Load, costs: Costs, *, cores: float) -> tuple[int, float]:
    """Return the partitions, a power of two with a third more than workers, and their packets a second.

    More partitions make more packets, which take more workers. Where that never ends, those with the fewest workers.
    """
    found = []
    for partitions in [load.partitions] if load.partitions else [2**power for power in range(1, 11)]:
        packets = packets_per_s(signals_per_s=load.peak_per_s, partitions=partitions)
        workers = _workers(cores + packets * costs.packet_us / 1e6, busy=load.busy)
        found.append((workers, partitions, packets))
        if 3 * partitions >= 4 * workers:
            return partitions, packets
    _, partitions, packets = min(found)
    return partitions, packets


def _workers(cores: float, *, busy: float) -> int:
    """Return the workers for so many cores: two at least, so that one can end."""
    return max(2, math.ceil(cores / busy))


def limits(load: Load, planned: Plan) -> list[str]:
    """Return what stands in the way of a plan, a sentence each; none where nothing does.

    >>> small = Load(peak_per_s=2_000, mean_per_s=500)
    >>> limits(small, plan(small))
    []
    """
    told = []
    if planned.workers > planned.partitions:
        told.append(
            f"{planned.workers} workers are needed and only {planned.partitions} can have a partition; "
            "split the installation by network or brand"
        )
    if planned.partitions > ACTOR_SHARDS:
        told.append(
            f"actors are hashed into {ACTOR_SHARDS} shards, so at most {ACTOR_SHARDS} of {planned.partitions} "
            "partitions of `social.attributed` have something to do"
        )
    if planned.packets_cores > planned.signals_cores / 2:
        told.append(
            f"packets between partitions take {planned.packets_cores:.0f} cores beside {planned.signals_cores:.0f} "
            "for the signals: they grow with the square of the partitions"
        )
    if planned.ticks_cores > planned.signals_cores:
        told.append(
            f"ticks take {planned.ticks_cores:.0f} cores beside {planned.signals_cores:.0f} for the signals; "
            "judge quiet topics less often (`tick`)"
        )
    if planned.worker_gib > WORKER_GIB_MAX:
        told.append(f"a worker remembers {planned.worker_gib:.0f} GiB; more, smaller workers hold less each")
    if planned.takeover_s > TAKEOVER_S_MAX:
        told.append(
            f"a worker's part stands still for {planned.takeover_s:.0f} s while others read its changelogs, of which "
            f"compaction leaves the last {CHANGELOG_S // 3_600} hours whole"
        )
    return told
