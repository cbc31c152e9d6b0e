"""The second step: what each signal adds to a topic, and a restart that nobody notices."""

from collections import defaultdict
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import (
    ADOPTED,
    BEGINNING,
    BEHIND,
    WILD,
    AttributedItem,
    AttributedPacket,
    AttributedSignal,
    TakenBack,
    TopicLink,
)
from schemas.contribution import Contribution, ContributionItem, Retraction
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import KINDS
from streams.attribution.acts import act_number
from streams.attribution.matcher import Registry
from streams.measures.node_index import number_of
from streams.steps.attribute import AttributeStep
from streams.steps.follow import FollowStep
from tests.streams.steps.logs import (
    MINUTE_MS,
    START_MS,
    arrivals,
    batches,
    contributions_of,
    in_bytes,
    random_log,
    registry,
    remember,
    signals_of,
)

REGISTRY = registry(engagement={"actor_cap": 2.3})
HOUR_MS = 60 * MINUTE_MS
WEIGHTS = {"post": 1000, "reply": 1000, "quote": 1500, "share": 1000, "like": 200, "follow": 500}

seeds = st.integers(0, 2**32)


def random_packets(random: Random, *, changed: float = 0.0) -> list[AttributedPacket]:
    """Return what the first step tells of a random log over three hours, batch by batch."""
    log = random_log(random, signals=80, span_ms=3 * HOUR_MS, changed=changed)
    step = AttributeStep(REGISTRY)
    packets = []
    for begin, end in batches(random, len(log)):
        told = step.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end)
        packets.append(AttributedPacket(1, 0, told.after, told.upto, tuple(told.items)))
    return packets


def units_by_brute_force(items: list[AttributedSignal]) -> list[tuple[str, str, int]]:
    """Return (signal, topic, units): what is left of the cap of its actor, topic and clock hour, in stamp order."""
    before: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    units = []
    for item in items:
        for link in item.links:
            place = (item.actor, link.topic, item.at // HOUR_MS)
            weight = WEIGHTS[KINDS[item.kind]]
            units.append((item.id, link.topic, max(0, min(2300, before[place] + weight) - min(2300, before[place]))))
            before[place] += weight
    return units


@given(seeds)
@settings(max_examples=30)
def test_an_actor_counts_up_to_the_cap_in_an_hour_and_a_topic(seed: int) -> None:
    """The nth act is worth min(cap, sum of n weights) - min(cap, sum of n-1 weights) of its clock hour."""
    packets = random_packets(Random(seed))
    step = FollowStep(REGISTRY, origins=1)
    told = [step.advance([(offset, packet)], next_offset=offset + 1) for offset, packet in enumerate(packets)]
    signals = signals_of(item for packet in packets for item in packet.items)
    contributions = [
        item for item in contributions_of(item for one in told for item in one.items) if item.lineage != WILD
    ]

    assert [(item.id, item.topic, item.units) for item in contributions] == units_by_brute_force(signals)
    assert step.applied == len(signals)
    lineages = [(signal.at, signal.actor, link.lineage) for signal in signals for link in signal.links]
    assert [(item.at, item.actor, item.lineage) for item in contributions] == lineages


@given(seeds)
@settings(max_examples=30)
def test_a_restart_at_any_batch_tells_the_same_bytes_from_there(seed: int) -> None:
    """Two origins whose packets come unevenly, so that something waits at the boundary; some packets come twice."""
    random = Random(seed)
    channel = two_origins(random)
    step = FollowStep(REGISTRY, origins=2)
    rows: dict[str, bytes] = {}
    points = []
    told: list[list[ContributionItem]] = []
    for begin, end in batches(random, len(channel)):
        told.append(step.advance(list(enumerate(channel[begin:end], begin)), next_offset=end).items)
        remember(rows, step.changed_rows())
        points.append((dict(rows), step.resume()))

    for number, (kept, (offset, frontier, context)) in enumerate(points):
        again = FollowStep(REGISTRY, origins=2)
        again.restore(kept.items(), offset=offset, frontier=frontier, context=context)
        further: list[ContributionItem] = []
        for begin, end in batches(random, len(channel), first=offset):
            further += again.advance(list(enumerate(channel[begin:end], begin)), next_offset=end).items
        assert in_bytes(further) == in_bytes(item for items in told[number + 1 :] for item in items)
        assert again.frontier == step.frontier
        assert len(again) == len(step) == 0


def two_origins(random: Random) -> list[AttributedPacket]:
    """Return one channel that carries the packets of a log told by two origins, each in its order, some twice."""
    queues: tuple[list[AttributedPacket], list[AttributedPacket]] = ([], [])
    for packet in random_packets(random, changed=0.3):
        for origin in (0, 1):
            mine = tuple(item for item in packet.items if int(item.root[-1]) % 2 == origin)
            queues[origin].append(AttributedPacket(1, origin, packet.after, packet.upto, mine))
    channel: list[AttributedPacket] = []
    while queues[0] or queues[1]:
        queue = queues[random.random() < 0.5]
        if queue:
            channel.append(queue.pop(0))
            if random.random() < 0.2:
                channel.append(random.choice(channel))
    return channel


def test_a_lost_packet_is_noticed_and_waited_for() -> None:
    """What comes behind a gap is not taken, and taken once its predecessor was sent again with it."""
    first, second, third = random_packets_with_items()
    step = FollowStep(REGISTRY, origins=1)

    step.advance([(0, first), (1, third)], next_offset=2)
    assert step.frontier == first.upto
    step.advance([(2, second), (3, third)], next_offset=4)
    assert step.frontier == third.upto
    assert step.applied == sum(len(signals_of(packet.items)) for packet in (first, second, third))


def random_packets_with_items() -> list[AttributedPacket]:
    """Return three packets in a row that tell something."""
    packets = [packet for packet in random_packets(Random(5)) if packet.upto > packet.after]
    return packets[:3]


def test_the_rows_of_an_hour_end_with_the_hour_also_when_nobody_acts_any_more() -> None:
    """What an actor has spent of its cap is not remembered for longer than it matters."""
    step, rows = FollowStep(REGISTRY, origins=1), dict[str, bytes]()
    signal = AttributedSignal(START_MS, "a", "ana", 0, "n", "r", (TopicLink("cern/lhc", 2),))
    step.advance([(0, AttributedPacket(1, 0, BEGINNING, (START_MS + 1, ""), (signal,)))], next_offset=1)
    remember(rows, step.changed_rows())
    assert [name for name in rows if not name.startswith("a|")] == ["u|ana", "m|ana"]
    after = START_MS + HOUR_MS
    step.advance([(1, AttributedPacket(1, 0, (START_MS + 1, ""), (after, ""), ()))], next_offset=2)
    remember(rows, step.changed_rows())
    assert [name for name in rows if not name.startswith("a|")] == ["m|ana"]


REPLY = KINDS.index("reply")


def followed(*signals: AttributedSignal) -> list[Contribution]:
    """Return what signals contribute that come in one packet."""
    packet = AttributedPacket(1, 0, BEGINNING, (signals[-1].at + 1, ""), signals)
    return contributions_of(FollowStep(REGISTRY, origins=1).advance([(0, packet)], next_offset=1).items)


def test_what_a_brand_says_elsewhere_is_told_to_its_topics() -> None:
    """With its tags or without any, as no member's, and for nothing; what others say there is told to nobody."""
    told = followed(
        AttributedSignal(START_MS, "a", "cern_official", 0, "n", "own", (), ("cats",)),
        AttributedSignal(START_MS + 1, "b", "cern_official", REPLY, "n", "theirs", ()),
        AttributedSignal(START_MS + 2, "c", "ana", 0, "n", "hers", (), ("cats",)),
    )

    assert told == [
        Contribution(START_MS, "a", topic, "cern_official", 0, WILD, 0, "own", "n", tags=("cats",))
        for topic in ("cern/higgs", "cern/lhc")
    ] + [
        Contribution(START_MS + 1, "b", topic, "cern_official", REPLY, WILD, 0, "theirs", "n")
        for topic in ("cern/higgs", "cern/lhc")
    ]


def test_what_a_member_says_elsewhere_counts_once_however_often_it_is_told() -> None:
    """Within the span of changes; another post of the same member counts, and so does the same id elsewhere."""
    step = FollowStep(REGISTRY, origins=1, changes_ms=HOUR_MS)
    link = (TopicLink("cern/lhc", ADOPTED),)
    acts = [AttributedSignal(START_MS + number, f"s{number}", "ana", 0, "n", "r", link) for number in range(3)]
    places = [("w", "own", 10), ("w", "own", 11), ("v", "own", 12), ("w", "other", 13), ("w", "own", HOUR_MS + 11)]
    elsewhere = [
        AttributedSignal(START_MS + after_ms, name, "ana", 0, "n", root, (), ("cats",))
        for name, root, after_ms in places
    ]
    rows: dict[str, bytes] = {}
    told: list[tuple[str, str, int]] = []
    for number, item in enumerate([*acts, *elsewhere]):
        packet = AttributedPacket(1, 0, step.frontier, (item.at, "z"), (item,))
        items = contributions_of(step.advance([(0, packet)], next_offset=number + 1).items)
        told += [(one.id, one.root, one.at - START_MS) for one in items if one.lineage == WILD]
        # A crash forgets nothing: each batch has a worker of its own.
        remember(rows, step.changed_rows())
        offset, frontier, context = step.resume()
        step = FollowStep(REGISTRY, origins=1, changes_ms=HOUR_MS)
        step.restore(rows.items(), offset=offset, frontier=frontier, context=context)

    assert told == [("w", "own", 10), ("v", "own", 12), ("w", "other", 13), ("w", "own", HOUR_MS + 11)]


def test_members_of_a_day_are_followed_for_a_day_whether_their_topic_goes_on_or_not() -> None:
    """Three acts within a day make a member until the first is a day old, to the millisecond; that the topic is over
    by then takes nothing away and adds nothing: where its community goes next is what there is to know.
    """
    link, day_ms = (TopicLink("acme/boom", ADOPTED),), 24 * HOUR_MS
    ended_ms = START_MS + 3 * HOUR_MS
    version = TopicVersion(0, accounts={}, seeds=Seeds(tags=("boom",)), valid_to_ms=ended_ms)
    signals = [
        *(AttributedSignal(START_MS + hour * HOUR_MS, f"a{hour}", "ana", 0, "n", "r", link) for hour in range(3)),
        *(
            AttributedSignal(at_ms, f"b{at_ms}", "ana", 0, "n", "hers", (), ("cats",))
            for at_ms in (START_MS + HOUR_MS, ended_ms, START_MS + day_ms - 1, START_MS + day_ms)
        ),
    ]
    in_order = sorted(signals, key=stamp_of)
    for versions in ((version,), (msgspec.structs.replace(version, valid_to_ms=None),)):
        step = FollowStep(Registry([TopicRecord("acme", "boom", versions)]), origins=1)
        packet = AttributedPacket(1, 0, BEGINNING, (START_MS + 2 * day_ms, ""), tuple(in_order))
        told = contributions_of(step.advance([(0, packet)], next_offset=1).items)

        assert [one.at for one in told if one.lineage == WILD] == [ended_ms, START_MS + day_ms - 1]


def stamp_of(signal: AttributedSignal) -> tuple[int, str]:
    """Return the place of a signal in the total order."""
    return signal.at, signal.id


def test_core_members_were_there_in_three_of_four_weeks() -> None:
    """In its third week an actor is one; whoever comes three times in a day is a member only."""
    week_ms, link = 7 * 24 * HOUR_MS, (TopicLink("cern/lhc", ADOPTED),)
    weekly = [START_MS + week * week_ms for week in range(4)]
    often = [START_MS + 3 * week_ms + minute * MINUTE_MS for minute in (1, 2, 3)]
    signals = sorted(
        [AttributedSignal(at_ms, f"a{at_ms}", "ana", 0, "n", "r", link) for at_ms in weekly]
        + [AttributedSignal(at_ms, f"b{at_ms}", "bo", 0, "n", "r", link) for at_ms in often],
        key=lambda one: one.at,
    )
    told = followed(*signals)

    assert [one.member for one in told if one.actor == "bo"] == [False, False, True]
    assert [(one.member, one.core) for one in told if one.actor == "ana"] == [
        (False, False),
        (True, False),
        (True, True),
        (True, True),
    ]
    assert not any(one.core for one in told if one.actor == "bo")


def test_what_is_taken_back_is_what_was_counted_and_only_once() -> None:
    """A share beyond the cap counted for nothing and gives nothing back; then its actor may count again."""
    step = FollowStep(REGISTRY, origins=1)
    link = (TopicLink("cern/higgs", ADOPTED),)
    share = KINDS.index("share")
    acts = [AttributedSignal(START_MS + number, f"s{number}", "ana", share, "n", "r", link) for number in range(4)]
    ends = [taken(acts[number], at_ms=START_MS + 10 + number) for number in (2, 3, 0)]
    again: list[AttributedItem] = [
        msgspec.structs.replace(acts[0], at=START_MS + 20, id="s4"),
        taken(acts[0], at_ms=START_MS + 21),
    ]
    items: list[AttributedItem] = [*acts, *ends, *again]
    told = step.advance([(0, AttributedPacket(1, 0, BEGINNING, (START_MS + 99, ""), tuple(items)))], next_offset=1)

    assert [type(item) for item in told.items] == [Contribution] * 4 + [Retraction] * 3 + [Contribution]
    assert [item.units for item in contributions_of(told.items)] == [1000, 1000, 300, 0, 1000]
    back = [item for item in told.items if isinstance(item, Retraction)]
    assert [(item.of_ms - START_MS, item.units, item.kind, item.lineage) for item in back] == [
        (2, 300, share, ADOPTED),
        (3, 0, share, ADOPTED),
        (0, 1000, share, ADOPTED),
    ]


def test_nothing_is_taken_back_of_an_act_that_lies_too_far_back() -> None:
    """What was counted is remembered for a span; windows that judge are no longer."""
    step = FollowStep(REGISTRY, origins=1, changes_ms=MINUTE_MS)
    act = AttributedSignal(START_MS, "s", "ana", 0, "n", "r", (TopicLink("cern/higgs", ADOPTED),))
    late = taken(act, at_ms=START_MS + MINUTE_MS + 1)
    told = step.advance([(0, AttributedPacket(1, 0, BEGINNING, (late.at, "t"), (act, late)))], next_offset=1)
    assert [type(item) for item in told.items] == [Contribution]


def taken(act: AttributedSignal, *, at_ms: int) -> TakenBack:
    """Return the end of an act."""
    return TakenBack(at_ms, act.id, act.actor, BEHIND + act.root, act_number(number_of(act.id), act.root))
