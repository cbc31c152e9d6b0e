"""How many bytes of memory a small cascade takes, and each further node of a large one.

What Python was asked for and still holds (tracemalloc), ids and the table of conversations included, after a
checkpoint. What the allocator adds to that is not in it.
"""

import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from schemas.signal import Kind, Signal, conversation_of
from streams.attribution.conversations import Conversations
from streams.steps.attribute import AttributeSettings
from tests.benchmarks.brand import START_MS, answer_to, registry, root_of
from tests.benchmarks.report import Figure, Goal, Round

CASCADES = 20_000
NODES = 50_000
CASCADE_BYTES_MAX = 1_024
NODE_BYTES_MAX = 40


def begin(*, quick: bool) -> Round:
    """Prepare the numbers of cascades and nodes."""
    cascades, nodes = (CASCADES // 10, NODES // 10) if quick else (CASCADES, NODES)

    def take_round() -> list[Figure]:
        small = Goal(CASCADE_BYTES_MAX)
        further = Goal(NODE_BYTES_MAX)
        alone = held_bytes(lambda: _large(1)) - held_bytes(lambda: iter(()))

        def per_node(kind: Kind, *, is_path: bool = False) -> float:
            return (held_bytes(lambda: _large(nodes, kind=kind, is_path=is_path)) - alone) / (nodes - 1)

        def per_cascade(size: int, kind: Kind) -> float:
            return held_bytes(lambda: _many(cascades, size=size, kind=kind)) / cascades

        return [
            Figure("a cascade of one post", per_cascade(1, "reply"), "B", goal=small),
            Figure("a cascade of a post and 2 replies", per_cascade(3, "reply"), "B", goal=small),
            Figure("a cascade of a post and 2 shares", per_cascade(3, "share"), "B", goal=small),
            Figure(f"a further reply, {nodes:,} below the root", per_node("reply"), "B", goal=further),
            Figure(f"a further share, {nodes:,} below the root", per_node("share"), "B", goal=further),
            Figure(f"a further reply, {nodes:,} in a path", per_node("reply", is_path=True), "B", goal=further),
        ]

    return take_round


def held_bytes(signals: Callable[[], Iterable[Signal]]) -> int:
    """Return the bytes that conversations hold after signals that are on the topic, or answer what is."""
    topics = registry()
    conversations = Conversations(span_ms=AttributeSettings().conversation_ms)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for signal in signals():
        matcher = topics.at(signal.at)
        root, own = conversation_of(signal), matcher.match(signal)
        conversations.tick(signal.at)
        conversations.apply(signal, root=root, own=own, matcher=matcher, registry=topics)
    # The name of the last signal is the loop's, not the conversations'.
    signal = root = own = matcher = None  # type: ignore[assignment]
    deque(conversations.changed_rows(), maxlen=0)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def _many(cascades: int, *, size: int, kind: Kind) -> Iterator[Signal]:
    """Yield small cascades, one after the other."""
    for number in range(cascades):
        root, at_ms = f"post-{number:07}", START_MS + number * 100
        yield root_of(root, at_ms=at_ms)
        for below in range(1, size):
            name = f"{kind}-{number:07}-{below}"
            yield answer_to(root, root=root, name=name, at_ms=at_ms + below, kind=kind, followers=150)


def _large(nodes: int, *, kind: Kind = "reply", is_path: bool = False) -> Iterator[Signal]:
    """Yield one cascade: all below its root, or each below the one before."""
    parent = root = "root"
    yield root_of(root, at_ms=START_MS)
    for number in range(1, nodes):
        name = f"{kind}-{number:07}"
        yield answer_to(parent, root=root, name=name, at_ms=START_MS + number * 50, kind=kind, followers=150)
        parent = name if is_path else root
