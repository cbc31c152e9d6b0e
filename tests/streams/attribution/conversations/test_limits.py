"""What stays bounded: the topics that a conversation passes on, the size of its rows, the depth of a path."""

import msgspec

from schemas.attributed import LINEAGES, AttributedSignal
from schemas.rows import ROW_BYTES_MAX, ConversationRow, NodesRow
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Signal
from streams.attribution.conversations import NODES_PER_ROW, TOPICS_MAX, Conversations
from streams.attribution.matcher import Registry
from streams.networks.native import ID_BYTES_MAX

START_MS = 1_341_388_800_000
SEVERAL = tuple(f"cern/t{number:02}" for number in range(TOPICS_MAX + 8))

MATCHER = Registry(
    TopicRecord("cern", key.removeprefix("cern/"), (TopicVersion(0, accounts={"n": ("cern",)}, seeds=Seeds()),))
    for key in SEVERAL
).at(START_MS)


def reply(name: str, on: str, *, by: str = "somebody") -> Signal:
    """Return a reply `name` to the post `on`."""
    return Signal(id=name, network="n", kind="reply", at=START_MS, actor=by, post=name, parent=on)


def told_by(conversations: Conversations, signal: Signal, *own: str) -> dict[str, str]:
    """Apply a signal in the conversation `r` and return the lineage by topic."""
    told = conversations.apply(signal, root="r", own=own, matcher=MATCHER)
    return {} if told is None else {link.topic: LINEAGES[link.lineage] for link in told.links}


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
    """Ids have a limit, and so have rows: a row of nodes holds as many of the longest as fit."""
    conversations = Conversations(span_ms=1_000)
    actor, parent = "x" * ID_BYTES_MAX, "r"
    for number in range(2 * NODES_PER_ROW + 1):
        name = f"{number:04}".rjust(ID_BYTES_MAX, "y")
        told_by(conversations, msgspec.structs.replace(reply(name, parent, by=actor), root_actor=actor), *SEVERAL)
        parent = name
    rows = dict(conversations.changed_rows())
    sizes = {key: len(msgspec.msgpack.encode(row)) for key, row in rows.items()}

    assert sorted(sizes) == ["c|r", "n|0|r", "n|1|r", "n|2|r"]
    assert max(sizes.values()) <= ROW_BYTES_MAX


def test_a_path_as_long_as_memory_keeps_its_depth_and_its_topics() -> None:
    """Depth, distance and all topics share 64 bits, and none of them runs into another, also through the rows."""
    conversations = Conversations(span_ms=1_000)
    told_by(conversations, Signal("r", "n", "post", START_MS, "cern", post="r"), *SEVERAL[:TOPICS_MAX])
    parent, length = "r", 2_000
    for number in range(length):
        told_by(conversations, reply(f"n{number}", parent))
        parent = f"n{number}"
    heads: list[tuple[str, ConversationRow]] = []
    nodes: list[tuple[str, int, NodesRow]] = []
    for key, row in conversations.changed_rows():
        if isinstance(row, ConversationRow):
            heads.append(("r", row))
        elif isinstance(row, NodesRow):
            packed = msgspec.msgpack.encode(row)
            nodes.append(("r", int(key.split("|")[1]), msgspec.msgpack.decode(packed, type=NodesRow)))
    restored = Conversations(span_ms=1_000)
    restored.restore(heads, nodes)
    last = restored.apply(reply("last", parent), root="r", own=(), matcher=MATCHER)

    assert last is not None
    assert (last.size, last.depth) == (length + 2, length + 1)
    assert [(link.topic, link.distance) for link in last.links] == [
        (topic, length + 1) for topic in SEVERAL[:TOPICS_MAX]
    ]
    assert {LINEAGES[link.lineage] for link in last.links} == {"seeded"}


def test_what_a_conversation_tells_fits_on_the_wire() -> None:
    """The signal that carries everything can be encoded and read again."""
    conversations = Conversations(span_ms=1_000)
    told = conversations.apply(reply("a", "r"), root="r", own=SEVERAL, matcher=MATCHER)
    assert told is not None
    item = AttributedSignal(START_MS, "a", "somebody", 1, "n", "r", told.links)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=AttributedSignal) == item
