"""First step: put the signals of one partition of conversations in order and tell whose each of them is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from schemas.attributed import BEGINNING, AttributedItem, AttributedSignal, Position
from schemas.rejection import Late, Place, Rejection
from schemas.rows import RecentIdsRow, SourceClockRow
from schemas.signal import FLAG_FUTURE, KINDS, Heartbeat, Signal, conversation_of
from streams.attribution.conversations import Conversations
from streams.attribution.duplicates import RecentIds
from streams.attribution.matcher import Matcher, Registry
from streams.attribution.tags import normalize_tags
from streams.eventtime.clock import ClockSettings, SourceClock, clamp_to_record
from streams.eventtime.order import ReorderBuffer, Tie
from streams.networks.refusal import Refusal, rejection
from streams.steps.ledger import Ledger

NAME = "attribute"

_ORIGINALS = frozenset(("post", "reply", "quote"))
_KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}


class AttributeSettings(NamedTuple):
    """How long to wait and to remember: see `ClockSettings`; ids for `duplicate_ms`, silent conversations for
    `conversation_ms`.
    """

    clock: ClockSettings = ClockSettings()
    duplicate_ms: int = 3_600_000
    conversation_ms: int = 7 * 86_400_000


class Arrival(NamedTuple):
    """One record as it was read: where it lies, its own timestamp, its bytes and what they were decoded to."""

    offset: int
    record_ms: int | None
    payload: bytes
    decoded: Signal | Heartbeat | Refusal


class Attributed(NamedTuple):
    """What one advance told: items with `after` < stamp <= `upto` in stamp order, and what did not get in.

    Items are signals that touch a topic, and how cascades stood at the ticks that were passed.
    """

    after: Position
    upto: Position
    items: list[AttributedItem]
    rejections: list[Rejection]
    late: list[Late]


class AttributeStep:
    """The conversations of one partition, fed with records in the order of their offsets."""

    def __init__(
        self,
        registry: Registry,
        *,
        channel: str = "social.signals",
        partition: int = 0,
        settings: AttributeSettings = AttributeSettings(),
    ) -> None:
        self.registry = registry
        self.channel = channel
        self.partition = partition
        self.clock = SourceClock(settings.clock)
        self.ledger = Ledger()
        self._conversations = Conversations(span_ms=settings.conversation_ms)
        self._recent = RecentIds(span_ms=settings.duplicate_ms)
        self._buffer: ReorderBuffer[Signal, bytes] = ReorderBuffer(tie_of=_tie_of)
        self._frontier: Position = BEGINNING
        self._next_offset = 0

    @property
    def frontier(self) -> Position:
        """The position up to which everything was applied."""
        return self._frontier

    @property
    def conversations(self) -> Conversations:
        """The conversations of the partition."""
        return self._conversations

    def __len__(self) -> int:
        """Return how many signals are held back."""
        return len(self._buffer)

    def advance(self, arrivals: Sequence[Arrival], *, next_offset: int) -> Attributed:
        """Take a batch of records, and apply every signal that the watermark has passed.

        `next_offset` is the offset behind the batch, which need not be its last record's + 1 (logs have gaps).
        """
        rejections: list[Rejection] = []
        late: list[Late] = []
        if arrivals:
            self._buffer.begin_batch(first_offset=arrivals[0].offset, context=self._context())
        for arrival in arrivals:
            decoded = arrival.decoded
            if isinstance(decoded, Signal):
                self._take(decoded, arrival, late)
            elif isinstance(decoded, Heartbeat):
                at_ms, _ = clamp_to_record(decoded.at, record_ms=arrival.record_ms)
                self.clock.hear(decoded.heartbeat, at_ms=at_ms, end=decoded.end)
                self.ledger.heartbeat += 1
            else:
                rejections.append(rejection(decoded, arrival.payload, self._place(arrival)))
                self.ledger.rejected += 1
        self.ledger.read += len(arrivals)
        self._next_offset = next_offset
        after = self._frontier
        upto = max(after, (self.clock.watermark_ms, ""))
        self._frontier = upto
        return Attributed(after, upto, self._apply_up_to(upto), rejections, late)

    def _apply_up_to(self, upto: Position) -> list[AttributedItem]:
        """Apply what is held back up to a position, with the ticks of cascades in between."""
        items: list[AttributedItem] = []
        conversations = self._conversations
        for signal in self._buffer.release(upto):
            if signal.at >= conversations.due_ms:
                items += conversations.tick(signal.at)
            item = self._apply(signal)
            if item is not None:
                items.append(item)
        items += conversations.tick(upto[0])
        return items

    def _take(self, signal: Signal, arrival: Arrival, late: list[Late]) -> None:
        """Hold an arrived signal back, or set it aside as late or as applied before the restart."""
        at_ms, clamped = clamp_to_record(signal.at, record_ms=arrival.record_ms)
        if clamped:
            signal.at = at_ms
            signal.flags = (*signal.flags, FLAG_FUTURE)
            self.ledger.flagged += 1
        watermark_ms = self.clock.watermark_ms
        self.clock.hear(signal.source, at_ms=at_ms)
        if at_ms < watermark_ms:
            signal.text = None
            late.append(
                Late(signal=signal, late_ms=watermark_ms - at_ms, watermark=watermark_ms, place=self._place(arrival))
            )
            self.ledger.late += 1
        elif at_ms < self._frontier[0]:
            # It was in time when it was read first: the checkpoint that we started from covers it.
            self.ledger.replayed += 1
        else:
            self._buffer.hold((at_ms, signal.id), signal)

    def _apply(self, signal: Signal) -> AttributedSignal | None:
        matcher = self.registry.at(signal.at)
        own = matcher.match(signal)
        signal.text = None
        root = conversation_of(signal)
        if not own and root not in self._conversations:
            # It changes no topic, so nothing of it is remembered here: most of what a network says ends here.
            self.ledger.applied += 1
            return _elsewhere(signal, root, matcher)
        # Partitions are split by conversation, so an id may be compared within its conversation only (WIRE.md §5).
        # What is edited or taken back may bear the id of what was created.
        if signal.op == "create" and self._recent.is_repeated(f"{len(root)}:{root}{signal.id}", at_ms=signal.at):
            self.ledger.duplicate += 1
            return None
        self.ledger.applied += 1
        if signal.tags:
            signal.tags = normalize_tags(signal.tags)[0]
        links = self._conversations.apply(signal, root=root, own=own, matcher=matcher, registry=self.registry)
        if links is None:
            return _elsewhere(signal, root, matcher)
        if signal.op != "create":
            return None
        self.ledger.on_topic += 1
        return AttributedSignal(
            at=signal.at,
            id=signal.id,
            actor=signal.actor,
            kind=_KIND_INDEX[signal.kind],
            network=signal.network,
            root=root,
            links=links,
            tags=signal.tags,
            followers=signal.followers,
        )

    def _place(self, arrival: Arrival) -> Place:
        return Place(channel=self.channel, partition=self.partition, offset=arrival.offset)

    def _context(self) -> bytes:
        return msgspec.msgpack.encode(self.clock.row())

    def resume(self) -> tuple[int, Position, bytes]:
        """Return what a checkpoint says of the input: offset to read again from, frontier, context."""
        offset, context = self._buffer.resume(next_offset=self._next_offset, context=self._context())
        return offset, self._frontier, context

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call, None for those that ended."""
        yield from self._conversations.changed_rows()
        for name, ids in self._recent.changed_rows():
            yield f"r|{name}", None if ids is None else msgspec.msgpack.encode(ids)

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint: its rows, and what its `resume` told."""
        conversations: list[tuple[str, bytes]] = []
        recent: list[tuple[str, RecentIdsRow]] = []
        for key, value in rows:
            prefix, _, rest = key.partition("|")
            if prefix in ("c", "n", "s", "p"):
                conversations.append((key, value))
            elif prefix == "r":
                recent.append((rest, msgspec.msgpack.decode(value, type=RecentIdsRow)))
            else:
                raise ValueError(f"expected a row of the step {NAME} (c|, n|, s|, p|, r|), got the key {key!r}")
        self._conversations.restore(conversations, frontier_ms=frontier[0])
        self._recent.restore(recent)
        self.clock.restore(msgspec.msgpack.decode(context, type=SourceClockRow))
        self._next_offset, self._frontier = offset, frontier


def _elsewhere(signal: Signal, root: str, matcher: Matcher) -> AttributedSignal | None:
    """Return a signal on no topic if it says what it is about: that tells where the talk of members goes.

    Only what people say themselves counts: a share repeats the tags of somebody else. What a brand answers is told
    without tags, too, for it may join its community there.
    """
    if signal.op != "create" or signal.kind not in _ORIGINALS:
        return None
    tags = normalize_tags(signal.tags)[0] if signal.tags else ()
    if not tags and (signal.kind == "post" or not matcher.brand_topics(signal.network, signal.actor)):
        return None
    kind = _KIND_INDEX[signal.kind]
    return AttributedSignal(signal.at, signal.id, signal.actor, kind, signal.network, root, (), tags)


def _tie_of(signal: Signal) -> Tie:
    """Of one stamp, conversations decide (so they do in the steps behind), then contents: never what came first."""
    return conversation_of(signal), msgspec.msgpack.encode(signal)
