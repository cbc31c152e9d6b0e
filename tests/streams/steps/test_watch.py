"""The third step: windows equal brute force at every tick, and a restart that nobody notices."""

from collections import Counter
from collections.abc import Collection
from inspect import isfunction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import LINEAGES, WILD, AttributedPacket
from schemas.contribution import Contribution, ContributionPacket
from schemas.rules import Rules
from schemas.signal import KINDS
from schemas.vitals import WindowVitals
from streams.lifecycle.conditions import rounded
from streams.steps.attribute import AttributeStep
from streams.steps.follow import FollowStep
from streams.steps.topic import Tick, Topic
from streams.steps.watch import Seen, WatchStep
from tests.streams.steps.logs import (
    DAY_MS,
    MINUTE_MS,
    START_MS,
    arrivals,
    batches,
    contributions_of,
    in_bytes,
    random_log,
    registry,
    remember,
)

REGISTRY = registry()
WINDOW_MS = {"5m": 5 * MINUTE_MS, "1h": 60 * MINUTE_MS, "24h": DAY_MS, "7d": 7 * DAY_MS}
BLOCK_MS = 5 * MINUTE_MS
YEAR_MS = 365 * DAY_MS

seeds = st.integers(0, 2**32)


def random_packets(random: Random, *, span_ms: int = 100 * MINUTE_MS, signals: int = 60) -> list[ContributionPacket]:
    """Return what the first two steps tell of a random log, batch by batch."""
    log = random_log(random, signals=signals, span_ms=span_ms)
    attribute, follow = AttributeStep(REGISTRY), FollowStep(REGISTRY, origins=1)
    packets = []
    for begin, end in batches(random, len(log)):
        told = attribute.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end)
        packet = AttributedPacket(1, 0, told.after, told.upto, tuple(told.items))
        added = follow.advance([(begin, packet)], next_offset=end)
        packets.append(ContributionPacket(1, 0, added.after, added.upto, tuple(added.items)))
    return packets


def window_by_brute_force(contributions: list[Contribution], *, from_ms: int, to_ms: int) -> WindowVitals:
    """Return the window [from, to) of one topic, counted anew."""
    inside = [item for item in contributions if from_ms <= item.at < to_ms]
    kinds = Counter(KINDS[item.kind] for item in inside)
    lineages = Counter(LINEAGES[item.lineage] for item in inside)
    actors = Counter(item.actor for item in inside)
    # The audience of a window longer than an hour begins at a whole block of five minutes.
    audience_from_ms = from_ms // BLOCK_MS * BLOCK_MS if to_ms - from_ms > WINDOW_MS["1h"] else from_ms
    return WindowVitals(
        signals=len(inside),
        by_kind={kind: kinds[kind] for kind in KINDS},
        by_lineage={lineage: lineages[lineage] for lineage in LINEAGES},
        engagement=sum(item.units for item in inside) / 1000,
        actors=len({item.actor for item in contributions if audience_from_ms <= item.at < to_ms}),
        top_actor_share=(rounded(max(actors.values()) / len(inside)) or 0.0) if inside else 0.0,
    )


def check_windows(packets: list[ContributionPacket]) -> None:
    """Assert that every tick told its windows as brute force counts them, and that an untold one had not changed."""
    seen = WatchStep(REGISTRY, origins=1).advance(list(enumerate(packets)), next_offset=len(packets))
    vitals = {(f"{one.brand}/{one.topic}", one.at): one.windows for one in seen.vitals}
    by_topic: dict[str, list[Contribution]] = {}
    for item in contributions_of(item for packet in packets for item in packet.items):
        # Nothing emerges from so few people, so what members say elsewhere does not count.
        if item.lineage == WILD:
            continue
        by_topic.setdefault(item.topic, []).append(item)
    checked = 0
    for key, contributions in by_topic.items():
        told: dict[str, WindowVitals] = {}
        first_ms = (contributions[0].at // MINUTE_MS + 1) * MINUTE_MS
        for tick_ms in range(first_ms, packets[-1].upto[0] + 1, MINUTE_MS):
            told = vitals.get((key, tick_ms), told)
            for name, length_ms in WINDOW_MS.items():
                assert told[name] == window_by_brute_force(contributions, from_ms=tick_ms - length_ms, to_ms=tick_ms)
            checked += (key, tick_ms) in vitals
    assert checked == len(vitals) > 0


@given(seeds)
@settings(max_examples=10)
def test_windows_equal_brute_force_at_every_tick(seed: int) -> None:
    """Signals, kinds, lineages, engagement, actors and the busiest actor's share, in logs of a hundred minutes."""
    check_windows(random_packets(Random(seed)))


def test_windows_equal_brute_force_when_days_leave_them() -> None:
    """A log of thirty hours, in which the window of a day loses what it counted."""
    check_windows(random_packets(Random(3), span_ms=30 * 60 * MINUTE_MS, signals=40))


@given(seeds)
@settings(max_examples=8)
def test_batches_change_no_byte(seed: int) -> None:
    """Packets one by one and packets in one piece tell the same vitals and alerts."""
    packets = list(enumerate(random_packets(Random(seed))))
    whole = WatchStep(REGISTRY, origins=1).advance(packets, next_offset=len(packets))
    step = WatchStep(REGISTRY, origins=1)
    parts = [step.advance([packet], next_offset=packet[0] + 1) for packet in packets]

    assert bytes_of(parts) == bytes_of([whole])


def bytes_of(parts: list[Seen]) -> tuple[list[bytes], list[bytes]]:
    """Return the vitals and the alerts with their ticks in the order of (tick, brand, topic), as bytes."""
    vitals = sorted((one for part in parts for one in part.vitals), key=lambda one: (one.at, one.brand, one.topic))
    alerts = sorted(
        (one for part in parts for one in part.alerts), key=lambda one: (one[0], one[1].brand, one[1].topic)
    )
    return in_bytes(vitals), in_bytes(alerts)


@given(seeds)
@settings(max_examples=5)
def test_a_restart_at_any_batch_tells_the_same_bytes_from_there(seed: int) -> None:
    """Two origins that come unevenly; rows kept at every boundary, a fresh step fed from the resumed offset."""
    random = Random(seed)
    channel: list[ContributionPacket] = []
    behind: list[ContributionPacket] = []
    for packet in random_packets(random):
        halves = [tuple(item for item in packet.items if int(item.root[-1]) % 2 == origin) for origin in (0, 1)]
        channel.append(ContributionPacket(1, 0, packet.after, packet.upto, halves[0]))
        behind.append(ContributionPacket(1, 1, packet.after, packet.upto, halves[1]))
        while behind and random.random() < 0.6:
            channel.append(behind.pop(0))
    channel += behind
    step = WatchStep(REGISTRY, origins=2)
    rows: dict[str, bytes] = {}
    points = []
    told: list[Seen] = []
    for begin, end in batches(random, len(channel)):
        told.append(step.advance(list(enumerate(channel[begin:end], begin)), next_offset=end))
        remember(rows, step.changed_rows())
        points.append((dict(rows), step.resume()))

    for number, (kept, (offset, frontier, context)) in enumerate(points):
        again = WatchStep(REGISTRY, origins=2)
        again.restore(kept.items(), offset=offset, frontier=frontier, context=context)
        further = []
        for begin, end in batches(random, len(channel), first=offset):
            further.append(again.advance(list(enumerate(channel[begin:end], begin)), next_offset=end))
        assert bytes_of(further) == bytes_of(told[number + 1 :])
        assert again.frontier == step.frontier


@pytest.mark.skipif(not isfunction(Topic.tick), reason="compiled code calls itself, so nobody counts: make interpreted")
def test_a_topic_asleep_costs_no_ticks_until_its_next_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One signal, a year of nothing, another: the ticks of a week until the windows are empty, then one more."""
    ticks: list[int] = []
    tick = Topic.tick

    def counted(topic: Topic, rules: Rules, seeds: Collection[str]) -> Tick:
        ticks.append(topic.next_tick_ms or 0)
        return tick(topic, rules, seeds)

    monkeypatch.setattr(Topic, "tick", counted)
    step = WatchStep(REGISTRY, origins=1)
    later_ms = START_MS + YEAR_MS
    first, second = (
        Contribution(at_ms, f"s{at_ms}", "cern/lhc", "ana", 0, 2, 1000, "r", "n") for at_ms in (START_MS, later_ms)
    )
    packets = [
        ContributionPacket(1, 0, (0, ""), (later_ms, ""), (first,)),
        ContributionPacket(1, 0, (later_ms, ""), (later_ms + MINUTE_MS, ""), (second,)),
    ]
    step.advance([(0, packets[0])], next_offset=1)
    # The audience of a week begins at a block of five minutes, so it is empty when the whole block has left.
    week = list(range(START_MS + MINUTE_MS, START_MS + 7 * DAY_MS + BLOCK_MS + 1, MINUTE_MS))
    assert ticks == week
    seen = step.advance([(1, packets[1])], next_offset=2)

    assert ticks == [*week, later_ms + MINUTE_MS]
    assert [one.windows["7d"].signals for one in seen.vitals] == [1]


def posted(at_ms: int, *, lineage: int = 2, member: bool = False) -> Contribution:
    """Return one post of the topic `cern/lhc`."""
    return Contribution(at_ms, f"s{at_ms}", "cern/lhc", "ana", 0, lineage, 1000, "r", "n", member)


def after(steps: list[Contribution], *, upto_ms: int, at_once: bool) -> tuple[dict[str, bytes], list[bytes]]:
    """Return the rows behind some posts and what was told, with a checkpoint and a restart behind each, or without."""
    step, rows, told = WatchStep(REGISTRY, origins=1), dict[str, bytes](), list[bytes]()
    ends = [(one.at + 1, "") for one in steps[:-1]] + [(upto_ms, "")]
    packets = [
        ContributionPacket(1, 0, start, end, (one,))
        for start, end, one in zip([(0, ""), *ends], ends, steps, strict=False)
    ]
    if at_once:
        told += bytes_of([step.advance(list(enumerate(packets)), next_offset=len(packets))])[0]
        remember(rows, step.changed_rows())
        return rows, told
    for offset, packet in enumerate(packets):
        told += bytes_of([step.advance([(offset, packet)], next_offset=offset + 1)])[0]
        remember(rows, step.changed_rows())
        resume = step.resume()
        step = WatchStep(REGISTRY, origins=1)
        step.restore(rows.items(), offset=resume[0], frontier=resume[1], context=resume[2])
    return rows, told


def test_a_topic_that_slept_for_six_weeks_is_a_new_one() -> None:
    """What is told and what is stored is that of a topic never heard of, whether a checkpoint came between or not."""
    late_ms = START_MS + 60 * DAY_MS
    upto_ms = late_ms + 10 * MINUTE_MS
    both = [posted(START_MS), posted(late_ms)]
    fresh = after([posted(late_ms)], upto_ms=upto_ms, at_once=True)
    split, whole = (after(both, upto_ms=upto_ms, at_once=at_once) for at_once in (False, True))

    assert split[0] == whole[0] == fresh[0]
    assert split[1][-len(fresh[1]) :] == whole[1][-len(fresh[1]) :] == fresh[1]


def test_the_rows_of_a_topic_that_sleeps_for_good_end() -> None:
    """Nothing else would end them: it is not ticked, and nobody says anything."""
    early, late = (after([posted(START_MS)], upto_ms=START_MS + days * DAY_MS, at_once=True)[0] for days in (42, 44))

    assert early
    assert late == {}


def test_what_a_brand_says_elsewhere_makes_no_topic() -> None:
    """It may join its community there, but a topic begins with what is said on it."""
    rows, told = after([posted(START_MS, lineage=WILD)], upto_ms=START_MS + DAY_MS, at_once=True)

    assert rows == {}
    assert told == []
