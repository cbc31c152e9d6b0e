"""First step: put the signals of one partition of conversations in order and tell whose each of them is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from schemas.act_rows import ActsRow
from schemas.attributed import (
    BEGINNING,
    BEHIND,
    ERASURE_ID,
    AttributedEdit,
    AttributedItem,
    AttributedSignal,
    Erased,
    Position,
    TakenBack,
)
from schemas.erasure_rows import ErasedActorRow
from schemas.rejection import Late, Place, Rejection
from schemas.rows import RecentIdsRow, SourceClockRow
from schemas.signal import (
    ACTOR_UNKNOWN,
    FLAG_FUTURE,
    KINDS,
    Erasure,
    Heartbeat,
    Signal,
    conversation_of,
    is_addressed,
    node_of,
)
from streams.attribution.acts import CHANGES_MS, act_number
from streams.attribution.changes import AppliedActs, Found
from streams.attribution.conversation import Links
from streams.attribution.conversations import Conversations
from streams.attribution.duplicates import RecentIds
from streams.attribution.erased import ERASED_MS, ErasedActors
from streams.attribution.matcher import Matcher, Registry
from streams.attribution.tags import normalize_tags
from streams.eventtime.clock import ClockSettings, SourceClock, clamp_to_record
from streams.eventtime.order import ReorderBuffer, Tie
from streams.measures.node_index import number_of
from streams.networks.refusal import Refusal, rejection
from streams.steps.ledger import Ledger

NAME = "attribute"

_ORIGINALS = frozenset(("post", "reply", "quote"))
_KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}


class AttributeSettings(NamedTuple):
    """How long to wait and to remember: see `ClockSettings`; ids for `duplicate_ms`, silent conversations for
    `conversation_ms`, for `changes_ms` what can be edited or taken back, and for `erased_ms` who was erased.
    """

    clock: ClockSettings = ClockSettings()
    duplicate_ms: int = 3_600_000
    conversation_ms: int = 7 * 86_400_000
    changes_ms: int = CHANGES_MS
    erased_ms: int = ERASED_MS


class Arrival(NamedTuple):
    """One record as it was read: where it lies, its own timestamp, its bytes and what they were decoded to."""

    offset: int
    record_ms: int | None
    payload: bytes
    decoded: Signal | Heartbeat | Erasure | Refusal


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
        self._acts = AppliedActs(span_ms=settings.changes_ms)
        self._erased = ErasedActors(span_ms=settings.erased_ms)
        self._buffer: ReorderBuffer[Signal | Erasure, bytes] = ReorderBuffer(tie_of=_tie_of)
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
            elif isinstance(decoded, Erasure):
                self._take_erasure(decoded, arrival)
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
            if isinstance(signal, Erasure):
                items += self._erase(signal)
                continue
            if self._erased.refuses(signal):
                self.ledger.erased += 1
                continue
            if signal.op != "create":
                items += self._change(signal)
                continue
            item = self._apply(signal)
            if item is not None:
                items.append(item)
        items += conversations.tick(upto[0])
        self._erased.expire(upto[0])
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
            if self._erased.refuses(signal, is_late=True):
                self.ledger.erased += 1
                return
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
        if self._recent.is_repeated(f"{len(root)}:{root}{signal.id}", at_ms=signal.at):
            self.ledger.duplicate += 1
            return None
        self.ledger.applied += 1
        if signal.tags:
            signal.tags = normalize_tags(signal.tags)[0]
        links = self._conversations.apply(signal, root=root, own=own, matcher=matcher, registry=self.registry)
        self._acts.add(signal, root)
        if links is None:
            return _elsewhere(signal, root, matcher)
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

    # --- erasure ------------------------------------------------------------------------------------------------------

    def _take_erasure(self, erasure: Erasure, arrival: Arrival) -> None:
        """Hold an erasure back until its turn; one that comes behind the watermark takes effect at once.

        It says nothing of the progress of any source: whoever asks for it need not be one.
        """
        at_ms, _ = clamp_to_record(erasure.at, record_ms=arrival.record_ms)
        at_ms = max(at_ms, self.clock.watermark_ms)
        if at_ms < self._frontier[0]:
            self.ledger.replayed += 1
            return
        name = self._erased.announce(erasure)
        self._buffer.hold((at_ms, ERASURE_ID + name), msgspec.structs.replace(erasure, at=at_ms))

    def _erase(self, erasure: Erasure) -> list[AttributedItem]:
        """Let nothing here name an actor any more, and tell the steps behind, which know actors by their id alone."""
        self.ledger.applied += 1
        name = self._erased.erase(erasure)
        if name is None:
            return []
        self._conversations.erase(erasure.network, erasure.erase)
        return [Erased(erasure.at, ERASURE_ID + name, erasure.erase)]

    # --- changes ------------------------------------------------------------------------------------------------------

    def _change(self, signal: Signal) -> list[AttributedItem]:
        """Edit or take back what a signal means, and return what there is to tell of it.

        What is not addressed comes to every partition: it counts as applied where something is found, elsewhere as
        `unmatched`. What was applied too long ago changes the tree of the conversation that it names, and nothing that
        was counted.
        """
        meant = self._acts.find(signal)
        root = conversation_of(signal)
        is_elsewhere = root not in meant.roots
        if signal.op == "update":
            items, is_known = self._edit(signal, meant.found, root if is_elsewhere else None)
        else:
            items = [self._take_back(signal, found) for found in meant.found]
            is_known = is_elsewhere and self._take_back_forgotten(signal, root)
        if is_known or meant.found:
            self.ledger.applied += 1
        elif meant.roots:
            self.ledger.foreign += 1
        else:
            self.ledger.unmatched += 1
        signal.text = None
        return items

    def _take_back_forgotten(self, signal: Signal, root: str) -> bool:
        """End an act that is too old to be remembered; return whether it is in the tree of the conversation."""
        if signal.kind == "like":
            return False
        return self._conversations.take_back(signal.kind, number_of(node_of(signal)), root=root, at_ms=signal.at)

    def _take_back(self, signal: Signal, found: Found) -> TakenBack:
        root, at_ms = found.root, signal.at
        self._conversations.take_back(found.kind, found.node, root=root, at_ms=at_ms)
        self._acts.forget(found, now_ms=at_ms)
        return TakenBack(at_ms, signal.id, signal.actor, BEHIND + root, act_number(found.number, root))

    def _edit(self, signal: Signal, found: Sequence[Found], root: str | None) -> tuple[list[AttributedItem], bool]:
        """Apply an edit to what it means, and to a post of the conversation `root` that is not remembered.

        Returns what is told of it, and whether there was such a conversation. An edit tells of a root that nobody has
        seen, so one can begin with it; but only in one partition.
        """
        own = self.registry.at(signal.at).match(signal)
        if signal.tags:
            signal.tags = normalize_tags(signal.tags)[0]
        items: list[AttributedItem] = []
        for one in found:
            if one.node is None:
                continue
            links = self._links_of_edit(signal, one.root, one.node, own)
            fresh = self._acts.retag(one, signal.tags, now_ms=signal.at) if signal.tags else []
            if links and fresh and one.kind in _ORIGINALS and signal.actor != ACTOR_UNKNOWN:
                items.append(_edited(signal, one, links, tuple(fresh)))
        if root is None or not (root in self._conversations or (own and is_addressed(signal))):
            return items, False
        self._links_of_edit(signal, root, number_of(node_of(signal)), own)
        return items, True

    def _links_of_edit(self, signal: Signal, root: str, node: int, own: tuple[str, ...]) -> Links | None:
        return self._conversations.edit(
            signal, root=root, node=node, own=own, matcher=self.registry.at(signal.at), registry=self.registry
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
        for name, acts in self._acts.changed_rows():
            yield f"a|{name}", None if acts is None else msgspec.msgpack.encode(acts)
        for name, erased in self._erased.changed_rows():
            yield f"e|{name}", None if erased is None else msgspec.msgpack.encode(erased)

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint: its rows, and what its `resume` told."""
        conversations: list[tuple[str, bytes]] = []
        recent: list[tuple[str, RecentIdsRow]] = []
        acts: list[tuple[str, ActsRow]] = []
        erased: list[tuple[str, ErasedActorRow]] = []
        for key, value in rows:
            prefix, _, rest = key.partition("|")
            if prefix in ("c", "n", "s", "p"):
                conversations.append((key, value))
            elif prefix == "r":
                recent.append((rest, msgspec.msgpack.decode(value, type=RecentIdsRow)))
            elif prefix == "a":
                acts.append((rest, msgspec.msgpack.decode(value, type=ActsRow)))
            elif prefix == "e":
                erased.append((rest, msgspec.msgpack.decode(value, type=ErasedActorRow)))
            else:
                raise ValueError(f"expected a row of the step {NAME} (c|, n|, s|, p|, r|, a|, e|), got the key {key!r}")
        self._conversations.restore(conversations, frontier_ms=frontier[0])
        self._recent.restore(recent)
        self._acts.restore(acts)
        self._erased.restore(erased)
        self.clock.restore(msgspec.msgpack.decode(context, type=SourceClockRow))
        self._next_offset, self._frontier = offset, frontier


def _elsewhere(signal: Signal, root: str, matcher: Matcher) -> AttributedSignal | None:
    """Return a signal on no topic if it says what it is about: that tells where the talk of members goes.

    Only what people say themselves counts: a share repeats the tags of somebody else. What a brand answers is told
    without tags, too, for it may join its community there.
    """
    if signal.kind not in _ORIGINALS:
        return None
    tags = normalize_tags(signal.tags)[0] if signal.tags else ()
    if not tags and (signal.kind == "post" or not matcher.brand_topics(signal.network, signal.actor)):
        return None
    kind = _KIND_INDEX[signal.kind]
    return AttributedSignal(signal.at, signal.id, signal.actor, kind, signal.network, root, (), tags)


def _edited(signal: Signal, found: Found, links: Links, fresh: tuple[str, ...]) -> AttributedEdit:
    kind, actor = _KIND_INDEX[found.kind], signal.actor
    return AttributedEdit(signal.at, signal.id, actor, kind, signal.network, found.root, links, fresh)


def _tie_of(signal: Signal | Erasure) -> Tie:
    """Of one stamp, conversations decide (so they do in the steps behind), then contents: never what came first.

    Changes come behind all that was created, for they may mean it.
    """
    if isinstance(signal, Erasure):
        return BEHIND, b""
    return (BEHIND if signal.op != "create" else "") + conversation_of(signal), msgspec.msgpack.encode(signal)
