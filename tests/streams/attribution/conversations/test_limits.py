"""What stays bounded: the topics that a conversation passes on, the size of its rows, the depth of a path."""

import msgspec

from schemas.attributed import LINEAGES, AttributedSignal
from schemas.rows import ROW_BYTES_MAX
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Signal
from streams.attribution.conversation import TOPICS_MAX
from streams.attribution.conversations import Conversations
from streams.attribution.matcher import Registry
from streams.measures.cascade_shape import NODES_PER_ROW
from streams.networks.payload import ID_BYTES_MAX

START_MS = 1_341_388_800_000
SEVERAL = tuple(f"cern/t{number:02}" for number in range(TOPICS_MAX + 8))

REGISTRY = Registry(
    TopicRecord("cern", key.removeprefix("cern/"), (TopicVersion(0, accounts={"n": ("cern",)}, seeds=Seeds()),))
    for key in SEVERAL
)
MATCHER = REGISTRY.at(START_MS)


def reply(name: str, on: str, *, by: str = "somebody") -> Signal:
    """Return a reply `name` to the post `on`."""
    return Signal(id=name, network="n", kind="reply", at=START_MS, actor=by, post=name, parent=on)


def told_by(conversations: Conversations, signal: Signal, *own: str) -> dict[str, str]:
    """Apply a signal in the conversation `r` and return the lineage by topic."""
    links = conversations.apply(signal, root="r", own=own, matcher=MATCHER, registry=REGISTRY)
    return {link.topic: LINEAGES[link.lineage] for link in links or ()}


def test_a_signal_is_on_every_topic_that_it_carries_however_many() -> None:
    """Who mentions a brand with forty topics talks of all forty; only the first of them are passed on."""
    conversations = Conversations(span_ms=1_000)
    assert told_by(conversations, reply("a", "r"), *SEVERAL) == dict.fromkeys(SEVERAL, "adopted")
    assert told_by(conversations, reply("b", "a")) == dict.fromkeys(SEVERAL[:TOPICS_MAX], "adopted")
    assert told_by(conversations, reply("c", "a", by="cern"), SEVERAL[-1])[SEVERAL[-1]] == "brand"


def test_topics_beyond_those_passed_on_are_seeded_below_the_brand_too() -> None:
    """The lineage does not depend on how many topics came before."""
    conversations = Conversations(span_ms=1_000)
    told_by(conversations, Signal("r", "n", "post", START_MS, "cern", post="r"), *SEVERAL[:TOPICS_MAX])
    told = told_by(conversations, reply("a", "r"), *SEVERAL)
    assert told == dict.fromkeys(SEVERAL, "seeded")


def test_rows_stay_small_with_the_longest_ids() -> None:
    """Actors and topics have a limit, and of the ids of nodes a row keeps eight bytes each."""
    conversations = Conversations(span_ms=1_000)
    actor, parent = "x" * ID_BYTES_MAX, "r"
    for number in range(2 * NODES_PER_ROW + 1):
        name = f"{number:04}".rjust(ID_BYTES_MAX, "y")
        told_by(conversations, msgspec.structs.replace(reply(name, parent, by=actor), root_actor=actor), *SEVERAL)
        parent = name
    rows = dict(conversations.changed_rows())
    sizes = {key: len(row or b"") for key, row in rows.items()}

    assert sorted(sizes) == ["c|r", "n|0|r", "n|1|r", "n|2|r", "p|r"]
    assert max(sizes.values()) <= ROW_BYTES_MAX


def test_a_path_as_long_as_memory_keeps_its_depth_and_its_topics() -> None:
    """Distance and all topics share 64 bits, and neither runs into the other, also through the rows."""
    conversations = Conversations(span_ms=1_000)
    told_by(conversations, Signal("r", "n", "post", START_MS, "cern", post="r"), *SEVERAL[:TOPICS_MAX])
    parent, length = "r", 2_000
    for number in range(length):
        told_by(conversations, reply(f"n{number}", parent))
        parent = f"n{number}"
    restored = Conversations(span_ms=1_000)
    restored.restore([(key, row or b"") for key, row in conversations.changed_rows()], frontier_ms=START_MS)
    last = restored.apply(reply("last", parent), root="r", own=(), matcher=MATCHER, registry=REGISTRY)
    conversation = restored.get("r")

    assert last is not None
    assert conversation is not None
    shape = conversation.shape.read()
    assert (shape.size, shape.depth) == (length + 2, length + 1)
    assert [(link.topic, link.distance) for link in last] == [(topic, length + 1) for topic in SEVERAL[:TOPICS_MAX]]
    assert {LINEAGES[link.lineage] for link in last} == {"seeded"}


def test_what_a_conversation_tells_fits_on_the_wire() -> None:
    """The signal that carries everything can be encoded and read again."""
    conversations = Conversations(span_ms=1_000)
    told = conversations.apply(reply("a", "r"), root="r", own=SEVERAL, matcher=MATCHER, registry=REGISTRY)
    assert told is not None
    item = AttributedSignal(START_MS, "a", "somebody", 1, "n", "r", told)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=AttributedSignal) == item


def test_the_same_post_told_by_two_signals_is_one_node() -> None:
    """A post that another signal tells again does not make the cascade larger."""
    conversations = Conversations(span_ms=1_000)
    for signal in (reply("a", "r"), msgspec.structs.replace(reply("a2", "r"), post="a")):
        told_by(conversations, signal, *SEVERAL[:1])
    conversation = conversations.get("r")
    assert conversation is not None
    assert conversation.shape.read().size == 2
