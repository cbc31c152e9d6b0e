"""The input that systems are compared on: a network's firehose, of which a given share is on the topics of brands.

Ten brands have two topics each. People post, answer, share and like in conversations that grow as those of networks do:
who was answered is answered again, and who answers on a topic uses its tag or none. Time passes at 2,000 signals a
second, and a signal comes up to three seconds after its time, so that the log has to be put in order. Everything
follows from the seed.
"""

from random import Random
from typing import NamedTuple
from zlib import crc32

import msgspec

from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Kind, Signal, conversation_of
from tests.benchmarks.brand import NETWORK, START_MS

PARTITIONS = 4
PER_SECOND = 2_000
ON_TOPIC_OF_MIX = 0.05
DISORDER_MS = 3_000
ACTORS = 50_000
LIVE_SIGNALS = 20_000
"""A signal answers one of so many before it, or begins a conversation of its own."""
BRANDS = 10
TOPICS_PER_BRAND = 2

_KINDS: tuple[Kind, ...] = ("post",) * 4 + ("reply",) * 5 + ("share",) * 4 + ("like",) * 7
_WORDS = ("bed", "bloom", "compost", "dew", "fern", "frost", "hedge", "lawn", "moss", "path", "pond", "rose", "seed")


class Logged(NamedTuple):
    """One record of the log: its partition, key, event time and JSON."""

    partition: int
    key: bytes
    at_ms: int
    value: bytes


def topics() -> list[TopicRecord]:
    """Return the topics of all brands: each has a tag, a phrase and the brand's account."""
    return [
        TopicRecord(
            f"brand{brand}",
            f"topic{topic}",
            (
                TopicVersion(
                    effective_from_ms=0,
                    accounts={NETWORK: (f"brand{brand}",)},
                    seeds=Seeds(tags=(_tag_of(brand, topic),), phrases=(f"the garden of {brand} and {topic}",)),
                ),
            ),
        )
        for brand in range(BRANDS)
        for topic in range(TOPICS_PER_BRAND)
    ]


def _tag_of(brand: int, topic: int) -> str:
    return f"garden{brand}x{topic}"


class _Spoken(NamedTuple):
    """What others can answer: the post, its author, and the root with its author."""

    post: str
    actor: str
    root: str
    root_actor: str
    tags: tuple[str, ...]


def signals(count: int, *, on_topic: float, seed: int = 1) -> list[Signal]:
    """Return so many signals in the order in which they arrive, of which about this share (0 to 1) is on a topic."""
    random = Random(seed)
    # Conversations on topics and beside them are drawn from apart, so that the share holds however they grow.
    spoken: dict[bool, list[_Spoken]] = {True: [], False: []}
    made = [_made(number, random, spoken[random.random() < on_topic], spoken[True]) for number in range(count)]
    arrival_ms = {signal.id: signal.at + random.random() * DISORDER_MS for signal in made}
    return sorted(made, key=lambda signal: arrival_ms[signal.id])


def _made(number: int, random: Random, spoken: list[_Spoken], on_topics: list[_Spoken]) -> Signal:
    """Return a signal in one of the conversations `spoken`, on a topic where these are those `on_topics`."""
    kind: Kind = random.choice(_KINDS) if spoken else "post"
    brand, topic = random.randrange(BRANDS), random.randrange(TOPICS_PER_BRAND)
    actor = f"by:{int(ACTORS * random.random() ** 2):05}"
    signal = Signal(
        id=f"{NETWORK}:17{number:017}",
        network=NETWORK,
        kind=kind,
        at=START_MS + number * 1_000 // PER_SECOND,
        actor=actor,
        source=NETWORK,
        followers=int(random.lognormvariate(5, 1.5)),
    )
    name = f"17{number:017}"
    if kind == "post":
        own = spoken is on_topics
        signal.actor = f"brand{brand}" if own and random.random() < 0.02 else actor
        signal.tags = (_tag_of(brand, topic),) if own else _other_tags(random)
        signal.post, signal.text, signal.lang = name, _text(random), "en"
        spoken.append(_Spoken(name, signal.actor, name, signal.actor, signal.tags))
        return signal
    answered = spoken[-1 - int(min(len(spoken), LIVE_SIGNALS) * random.random())]
    signal.parent, signal.parent_actor = answered.post, answered.actor
    signal.root, signal.root_actor = answered.root, answered.root_actor
    signal.post = answered.post
    if kind == "reply":
        signal.post, signal.text, signal.lang, signal.tags = name, _text(random), "en", _other_tags(random)
        if spoken is on_topics and signal.tags:
            signal.tags = answered.tags
        spoken.append(_Spoken(name, signal.actor, answered.root, answered.root_actor, answered.tags))
    return signal


def _other_tags(random: Random) -> tuple[str, ...]:
    """Return the tags of what is on no topic: three of ten have one or two of some thousand."""
    return tuple(
        f"tag{int(2_000 * random.random() ** 3)}" for _ in range(random.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2)))
    )


def _text(random: Random) -> str:
    return " ".join(random.choices(_WORDS, k=18))


def log_of(made: list[Signal]) -> list[Logged]:
    """Return the records of these signals, and behind them the end of their source in every partition."""
    to_json = msgspec.json.Encoder().encode
    log = []
    for signal in made:
        key = conversation_of(signal).encode()
        log.append(Logged(crc32(key) % PARTITIONS, key, signal.at, to_json(signal)))
    end_ms = max(signal.at for signal in made)
    end = to_json(Heartbeat(NETWORK, end_ms, end=True))
    return log + [Logged(partition, b"", end_ms, end) for partition in range(PARTITIONS)]
