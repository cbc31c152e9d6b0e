"""Make random small logs for the tests of the steps, cut them into batches, and keep rows as a table would."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from random import Random

import msgspec

from schemas.attributed import AttributedItem, AttributedSignal
from schemas.contribution import Contribution, ContributionItem
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import ACTOR_UNKNOWN, Erasure, Heartbeat, Kind, Op, Signal
from streams.attribution.matcher import Registry
from streams.networks.refusal import Refusal, refuse
from streams.steps.attribute import Arrival

START_MS = 1_341_360_000_000
"""2012-07-04T00:00:00Z."""
MINUTE_MS = 60_000
DAY_MS = 86_400_000
LATENESS_MS = 10_000
SOURCES = ("left", "right")

Entry = Signal | Heartbeat | Erasure | Refusal

EAGER_RULES: dict[str, object] = {
    "seeded": {"actors_min": 2, "silence": "40m"},
    "growing": {"cold_actors_min": 3, "cold_signals_min": 4, "for": "1m", "keep": "10m"},
    "outgrown": {
        "ratio_enter": 0.6,
        "ratio_exit": 0.5,
        "share_enter": 0.2,
        "share_exit": 0.1,
        "actors_min": 3,
        "signals_min": 4,
        "cold_actors_min": 3,
        "cold_signals_min": 4,
        "top_actor_share_max": 1.0,
        "for": "3m",
        "keep": "15m",
    },
    "cascade": {"orphan": "7m", "silence": "30m"},
    "viral": {"size_min": 3, "percentile_enter": 0.5, "for": "1m", "keep": "5m"},
    "reminders": {"after": ["5m", "20m"], "every": "30m"},
}
"""Thresholds so low that a handful of signals raises alerts."""


def registry(*, scale: float = 1.0, **overrides: object) -> Registry:
    """Return two brands with three topics under eager rules."""
    declared = (
        ("acme", "boom", Seeds(tags=("boom",), phrases=("big boom",)), "acme_official"),
        ("cern", "higgs", Seeds(tags=("higgs",)), "cern_official"),
        ("cern", "lhc", Seeds(tags=("lhc",)), "cern_official"),
    )
    records = [
        TopicRecord(brand, topic, (TopicVersion(effective_from_ms=0, accounts={"n": (account,)}, seeds=seeds),))
        for brand, topic, seeds, account in declared
    ]
    return Registry(records, overrides=EAGER_RULES | {"scale": scale} | overrides)


def random_log(
    random: Random,
    *,
    signals: int = 60,
    span_ms: int = 100 * MINUTE_MS,
    peaked: int = 0,
    changed: float = 0.0,
    erased: float = 0.0,
) -> list[Entry]:
    """Return a log in the order of event time: two sources, three topics and none, duplicates, refusals, both ends.

    All times are multiples of 60 ms, so that a log can be compressed by 60 exactly. Of the signals `peaked` lie in the
    tenth of the span that begins at its middle. Behind so many (`changed`) comes an edit, a delete or an undo, behind
    so many (`erased`) an actor is erased, who goes on all the same.
    """
    names = random.sample(range(10 * signals), signals)
    spans = [(span_ms // 2, span_ms // 10)] * peaked + [(0, span_ms)] * (signals - peaked)
    times = sorted(START_MS + (begin + random.randrange(length)) // 60 * 60 for begin, length in spans)
    if signals > 3:
        times[3] = times[2]
    made: list[Signal] = []
    log: list[Entry] = []
    for name, at_ms in zip(names, times, strict=True):
        signal = _random_signal(random, f"s{name:04}", at_ms, made)
        made.append(signal)
        log.append(signal)
        if random.random() < 0.1:
            again = random.choice(made)
            log.append(msgspec.structs.replace(again, at=at_ms))
            if again is signal:
                log.append(signal)
        if random.random() < changed:
            log.append(_random_change(random, made, at_ms))
        if erased and random.random() < erased:
            actor = random.choice((signal.actor, f"actor{random.randrange(8)}"))
            log.append(Erasure(actor, random.choice("nnnm"), at_ms))
        if random.random() < 0.1:
            log.append(Heartbeat(random.choice(SOURCES), at_ms))
        if random.random() < 0.05:
            log.append(refuse("empty", "nothing came"))
    return [*log, *ends(times[-1])]


def signals_of(items: Iterable[AttributedItem]) -> list[AttributedSignal]:
    """Return the signals among what the first step tells, without the readings of cascades."""
    return [item for item in items if type(item) is AttributedSignal]


def contributions_of(items: Iterable[ContributionItem]) -> list[Contribution]:
    """Return the contributions of signals among what the second step tells."""
    return [item for item in items if type(item) is Contribution]


def ends(at_ms: int) -> list[Entry]:
    """Return the ends of both sources."""
    return [Heartbeat(source, at_ms, end=True) for source in SOURCES]


def _random_signal(random: Random, name: str, at_ms: int, made: Sequence[Signal]) -> Signal:
    """Return a post, or an act on an earlier signal, on one of the same time, or on one that nobody has seen."""
    kinds: tuple[Kind, ...] = ("post", "reply", "share", "quote", "like", "follow")
    kind = random.choices(kinds, (4, 4, 4, 1, 4, 1))[0] if made else "post"
    actor = random.choice(("cern_official", "acme_official", *(f"actor{i}" for i in range(8))))
    tags = tuple(random.sample(("higgs", "lhc", "boom", "cats", "#Higgs"), random.choice((0, 0, 1, 1, 2))))
    signal = Signal(name, "n", kind, at_ms, actor, source=random.choice(SOURCES), tags=tags, post=f"p{name}")
    if random.random() < 0.1:
        signal.text = "such a big boom"
    if kind in ("reply", "share", "quote", "like"):
        about = random.choice(made)
        is_orphan = random.random() < 0.15
        signal.parent = f"unseen{random.randrange(3)}" if is_orphan else about.post
        signal.root = about.root or about.post if random.random() < 0.8 else None
        if kind in ("share", "like"):
            signal.post = signal.parent
        if random.random() < 0.3:
            signal.root_actor = "cern_official" if is_orphan else about.actor
    return signal


def _random_change(random: Random, made: Sequence[Signal], at_ms: int) -> Signal:
    """Return an edit or the end of an earlier signal, as networks tell it: in full, by its post, or only by its id."""
    of = random.choice(made)
    ops: tuple[Op, ...] = ("update", "delete", "undo")
    op = random.choice(ops)
    tags = (
        tuple(random.sample(("higgs", "lhc", "boom", "cats", "dogs"), random.choice((0, 1, 2))))
        if op == "update"
        else ()
    )
    signal = msgspec.structs.replace(of, op=op, at=at_ms, tags=tags, text=None, source=random.choice(SOURCES))
    form = random.random()
    if form < 0.3:
        return signal
    signal.parent = signal.root = None
    if form < 0.5 and of.kind in ("post", "reply", "quote"):
        signal.id = f"{of.id}, {op}"
        return signal
    signal.post = None
    signal.kind = random.choice((of.kind, "like"))
    if random.random() < 0.2:
        signal.actor = random.choice((ACTOR_UNKNOWN, "actor1"))
    return signal


def shuffled(random: Random, log: Sequence[Entry], *, lateness_ms: int = LATENESS_MS) -> list[Entry]:
    """Return the log in another order, in which nothing comes after what is younger by more than the lateness."""
    at_ms = 0
    placed: list[tuple[int, int, Entry]] = []
    for number, entry in enumerate(log):
        at_ms = at_ms if isinstance(entry, Refusal) else entry.at
        is_end = isinstance(entry, Heartbeat) and entry.end
        placed.append((at_ms + (lateness_ms + 1 if is_end else random.randint(0, lateness_ms)), number, entry))
    return [entry for _, _, entry in sorted(placed, key=lambda place: place[:2])]


def compressed(log: Iterable[Entry], *, factor: int) -> list[Entry]:
    """Return the log with every event time divided by a factor that must divide it."""
    return [
        entry if isinstance(entry, Refusal) else msgspec.structs.replace(entry, at=entry.at // factor) for entry in log
    ]


def arrivals(log: Sequence[Entry], *, first_offset: int = 0) -> list[Arrival]:
    """Return records as they are read; signals are copied, because a step changes those that it is given."""
    return [
        Arrival(offset, None, b"{}", msgspec.structs.replace(entry) if isinstance(entry, Signal) else entry)
        for offset, entry in enumerate(log, first_offset)
    ]


def batches(random: Random, length: int, *, first: int = 0, most: int = 25) -> Iterator[tuple[int, int]]:
    """Yield random bounds (from, to) that cut what lies from `first` on."""
    inner = sorted(random.sample(range(first, length), min(most, length - first) // 2)) if first < length else []
    yield from pairwise([first, *(bound for bound in inner if bound > first), length])


def remember(rows: dict[str, bytes], changed: Iterable[tuple[str, bytes | None]]) -> None:
    """Write changed rows into a table; None deletes."""
    for key, value in changed:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


def in_bytes(outputs: Iterable[object]) -> list[bytes]:
    """Return outputs as the bytes that they have on the wire."""
    return [msgspec.json.encode(output) for output in outputs]
