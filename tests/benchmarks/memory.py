"""How many bytes of memory a small cascade takes, each further node of a large one, a member, and a topic.

What Python was asked for and still holds after a checkpoint (tracemalloc), with the table of its step and with ids of
19 characters. A member has acted twice on one topic; a topic has had ten signals by ten actors within an hour. What the
allocator adds is not in it, nor are caches of a bounded size, which belong to the process. Rounds differ by less than a
hundredth.
"""

import functools
import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from schemas.attributed import BEGINNING, PACKET_VERSION, SEEDED, AttributedPacket, AttributedSignal, TopicLink
from schemas.contribution import Contribution, ContributionPacket
from schemas.signal import Heartbeat, Kind, Signal, conversation_of
from streams.attribution.acts import SEALED_ACTS
from streams.attribution.conversations import Conversations
from streams.attribution.matcher import Registry
from streams.steps.attribute import Arrival, AttributeSettings
from streams.steps.follow import FollowStep
from streams.steps.pipeline import Pipeline
from streams.steps.watch import WatchStep
from tests.benchmarks.brand import NETWORK, START_MS, answer_to, registry, root_of
from tests.benchmarks.report import Figure, Goal, Round

CASCADES = 8_000
NODES = 25_000
MEMBERS = 10_000
TOPICS = 500
LIKES = SEALED_ACTS + 2_000
LIKED, LIKERS = 100, 500
SIGNALS_PER_TOPIC = 10
HOUR_MS = 3_600_000
CASCADE_BYTES_MAX = 1_024
NODE_BYTES_MAX = 40
MEMBER_BYTES_MAX = 200


def begin(*, quick: bool) -> Round:
    """Prepare the numbers of cascades, nodes, members and topics."""
    tenth = 10 if quick else 1
    cascades, nodes, members, topics = (number // tenth for number in (CASCADES, NODES, MEMBERS, TOPICS))

    def take_round() -> list[Figure]:
        small, further = Goal(CASCADE_BYTES_MAX), Goal(NODE_BYTES_MAX)
        alone = held_bytes(lambda: _large(1))

        def per_node(kind: Kind, *, is_path: bool = False) -> float:
            return (held_bytes(lambda: _large(nodes, kind=kind, is_path=is_path)) - alone) / (nodes - 1)

        def per_cascade(size: int, kind: Kind) -> float:
            return held_bytes(lambda: _many(cascades, size=size, kind=kind)) / cascades

        # Acts of the last minutes take more: what is compared are those that were sealed behind them.
        per_like = (_held(lambda: _liked(LIKES + SEALED_ACTS)) - _held(lambda: _liked(LIKES))) / SEALED_ACTS
        return [
            Figure("a cascade of one post", per_cascade(1, "reply"), "B", goal=small),
            Figure("a cascade of a post and 2 replies", per_cascade(3, "reply"), "B", goal=small),
            Figure("a cascade of a post and 2 shares", per_cascade(3, "share"), "B", goal=small),
            Figure(f"a further reply of {nodes:,} below the root", per_node("reply"), "B", goal=further),
            Figure(f"a further share of {nodes:,} below the root", per_node("share"), "B", goal=further),
            Figure(f"a further reply of {nodes:,} in a path", per_node("reply", is_path=True), "B", goal=further),
            Figure("a member", _held(lambda: _follow(members)) / members, "B", goal=Goal(MEMBER_BYTES_MAX)),
            Figure("a topic", _held(lambda: _watch(topics)) / topics, "B"),
            Figure("a like, for as long as it can be taken back", per_like, "B"),
        ]

    return take_round


def held_bytes(signals: Callable[[], Iterable[Signal]]) -> int:
    """Return the bytes that conversations hold after signals that are on the topic, or answer what is."""
    topics = registry()

    def conversed() -> Conversations:
        conversations = Conversations(span_ms=AttributeSettings().conversation_ms)
        _feed(conversations, topics, signals())
        deque(conversations.changed_rows(), maxlen=0)
        return conversations

    return _held(conversed)


def _held(make: Callable[[], object]) -> int:
    """Return the bytes of what is made."""
    _clear_caches()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    made = make()
    _clear_caches()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return after - before


def _follow(members: int) -> FollowStep:
    """Return the step that knows so many members, each by two acts, an hour later: the latest 20,000 acts at most are
    open, and take some 200 bytes each, however many members there are.
    """
    step = FollowStep(registry(), origins=1)
    link = TopicLink("acme/garden", SEEDED, 1)
    acts = [(START_MS + act, member) for act in range(2) for member in range(members)]
    acts.append((START_MS + HOUR_MS, 0))
    items = [
        AttributedSignal(at_ms, _id(number), _id(member), 0, NETWORK, _id(member), (link,))
        for number, (at_ms, member) in enumerate(acts)
    ]
    items.sort(key=lambda item: (item.at, item.id))
    upto = (START_MS + HOUR_MS * 2, "")
    step.advance([(0, AttributedPacket(PACKET_VERSION, 0, BEGINNING, upto, tuple(items)))], next_offset=1)
    deque(step.changed_rows(), maxlen=0)
    return step


def _watch(topics: int) -> WatchStep:
    """Return the step that knows so many topics."""
    step = WatchStep(registry(), origins=1)
    items = [
        Contribution(START_MS + at, _id(topic), f"acme/{_id(topic)}", _id(at), 0, SEEDED, 1_000, _id(topic), NETWORK)
        for at in range(SIGNALS_PER_TOPIC)
        for topic in range(topics)
    ]
    upto = (START_MS + 1_000, "")
    step.advance([(0, ContributionPacket(PACKET_VERSION, 0, BEGINNING, upto, tuple(items)))], next_offset=1)
    deque(step.changed_rows(), maxlen=0)
    return step


def _liked(likes: int) -> Pipeline:
    """Return all three steps after so many likes of a few posts by a few people: what is held for each act."""
    pipeline = Pipeline(registry())
    signals = [root_of(f"{number:019}", at_ms=START_MS) for number in range(LIKED)]
    for number in range(likes):
        of, name = f"{number % LIKED:019}", f"{LIKED + number:019}"
        signals.append(Signal(f"act:{name}", NETWORK, "like", START_MS + number, f"by:{number % LIKERS}", post=of))
        signals[-1].source, signals[-1].parent, signals[-1].root = NETWORK, of, of
    arrivals = [Arrival(place, None, b"", signal) for place, signal in enumerate(signals)]
    end = Heartbeat(NETWORK, at=START_MS + likes, end=True)
    pipeline.advance([*arrivals, Arrival(len(arrivals), None, b"", end)], next_offset=len(arrivals) + 1)
    for step in (pipeline.attribute, pipeline.follow, pipeline.watch):
        deque(step.changed_rows(), maxlen=0)
    return pipeline


def _feed(conversations: Conversations, topics: Registry, signals: Iterable[Signal]) -> None:
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Signal).decode
    for made in signals:
        # As it comes from Kafka: no two signals share their texts.
        signal = decode(encode(made))
        matcher = topics.at(signal.at)
        root, own = conversation_of(signal), matcher.match(signal)
        if signal.at >= conversations.due_ms:
            conversations.tick(signal.at)
        conversations.apply(signal, root=root, own=own, matcher=matcher, registry=topics)


def _clear_caches() -> None:
    gc.collect()
    for cache in gc.get_objects():
        if isinstance(cache, functools._lru_cache_wrapper):
            cache.cache_clear()


def _many(cascades: int, *, size: int, kind: Kind) -> Iterator[Signal]:
    """Yield small cascades, one after the other."""
    for number in range(cascades):
        root, at_ms = _id(size * number), START_MS + number * 100
        yield root_of(root, at_ms=at_ms)
        for below in range(1, size):
            name = _id(size * number + below)
            yield answer_to(root, root=root, name=name, at_ms=at_ms + below, kind=kind, followers=150)


def _large(nodes: int, *, kind: Kind = "reply", is_path: bool = False) -> Iterator[Signal]:
    """Yield one cascade: all below its root, or each below the one before."""
    parent = root = _id(0)
    yield root_of(root, at_ms=START_MS)
    for number in range(1, nodes):
        name = _id(number)
        yield answer_to(parent, root=root, name=name, at_ms=START_MS + number * 50, kind=kind, followers=150)
        parent = name if is_path else root


def _id(number: int) -> str:
    return f"17{number:017}"
