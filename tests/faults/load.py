"""Make an endless stream of payloads from a seed: brands, their communities, poison among them, broken clocks."""

from collections import deque
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import msgspec

from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Heartbeat, Kind, Signal
from tests.integration.pills import PILLS

BEGIN_MS = 1_341_388_800_000
GAP_MS = 6_000
SOURCE = "made"
DISORDER_MS = 3_500
SKEW_MS = 10 * 365 * 86_400_000
PILL_SHARE = 0.01
SKEW_SHARE = 0.005
HOT_SIGNALS = 1_200
"""For how many signals one topic is what most of the talk is about: two hours of event time."""

TOPICS = [
    TopicRecord(brand, name, (TopicVersion(effective_from_ms=0, accounts={"t": (brand,)}, seeds=Seeds(tags=(name,))),))
    for brand, names in (("cern", ("higgs", "boson")), ("acme", ("rocket", "anvil")), ("zoo", ("panda", "tapir")))
    for name in names
]

_KINDS: tuple[Kind, ...] = ("reply", "share", "like")
_to_json = msgspec.json.Encoder().encode


class Payload(NamedTuple):
    """One record for the raw channel: its bytes, when they came in, the id of its signal, whether its clock lags."""

    value: bytes | None
    at_ms: int
    signal_id: str | None
    is_behind: bool = False


def at_of(number: int) -> int:
    """Return the event time of a signal by its number: every third is some seconds older than those before it."""
    return BEGIN_MS + number * GAP_MS - (DISORDER_MS if number % 3 == 0 else 0)


def payloads(seed: int) -> Iterator[Payload]:
    """Yield payloads for ever; 1 % are poison, and in 0.5 % the clock is wrong by ten years, either way."""
    random = Random(seed)
    roots: deque[tuple[str, str]] = deque(maxlen=60)
    number = 0
    while True:
        at_ms = at_of(number)
        if random.random() < PILL_SHARE:
            yield Payload(random.choice(PILLS).payload, at_ms, None)
        signal = _signal(number, random, roots)
        # The first hundred let every partition know what time it is.
        if number > 100 and random.random() < SKEW_SHARE:
            signal.at += random.choice((-SKEW_MS, SKEW_MS))
        yield Payload(_to_json(signal), at_ms, signal.id, is_behind=signal.at < BEGIN_MS - GAP_MS)
        number += 1


def heartbeat(number: int, *, end: bool = False) -> Payload:
    """Return the progress of the source once it has told signal `number`."""
    at_ms = BEGIN_MS + number * GAP_MS if end else at_of(number) - DISORDER_MS
    return Payload(_to_json(Heartbeat(SOURCE, at_ms, end=end)), at_ms, None)


def _signal(number: int, random: Random, roots: deque[tuple[str, str]]) -> Signal:
    hot = TOPICS[number // HOT_SIGNALS % len(TOPICS)]
    topic = hot if random.random() < 0.7 else random.choice(TOPICS)
    brand, tag = topic.brand, topic.topic
    is_brand = random.random() < 0.004
    is_post = is_brand or not roots or random.random() < 0.08
    kind: Kind = "post" if is_post else random.choice(_KINDS)
    root, root_tag = (f"p{number}", tag) if is_post else random.choice(roots)
    if is_post:
        roots.append((root, tag))
    return Signal(
        id=f"t:{number}",
        network="t",
        kind=kind,
        at=at_of(number),
        actor=brand if is_brand else f"a{random.randrange(3_000)}",
        source=SOURCE,
        post=f"p{number}" if kind in ("post", "reply") else root,
        parent=None if is_post else root,
        root=root,
        tags=(root_tag,) if is_post else (),
    )
