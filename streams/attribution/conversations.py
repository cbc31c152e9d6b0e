"""Keep each conversation of a partition whole, and look at its cascade at ticks that have something to tell of it."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

import msgspec

from schemas.cascade import CascadeReading
from schemas.conversation_rows import CascadeTiming, ConversationRow, NodesRow, PaceRow
from schemas.rules import Rules
from schemas.signal import Kind, Signal
from schemas.virality_rows import SharesRow
from streams.attribution.conversation import Conversation, Links, begun, shared
from streams.attribution.matcher import Matcher, Registry
from streams.attribution.virality import look_at, next_due_ms, tick_after, timing_of
from streams.measures.cascade_shape import NODES_PER_ROW, CascadeShape
from streams.measures.infectiousness import Infectiousness
from streams.measures.node_index import number_of
from streams.measures.pace import MINUTES_PER_UNIT, CascadePace

_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(ConversationRow).decode
_decode_nodes = msgspec.msgpack.Decoder(NodesRow).decode
_decode_shares = msgspec.msgpack.Decoder(SharesRow).decode
_decode_pace = msgspec.msgpack.Decoder(PaceRow).decode

_NEVER_MS = 2**63


class Conversations:
    """The conversations of one partition that touch a topic. Signals must be applied in stamp order, ticks in between.

    A conversation is followed from its first signal on a topic. A signal is on a topic if it carries the topic's seeds
    itself, or if what it answers or spreads does: a share or a like always passes on what it is about; a reply, a quote
    or a post does unless it brings tags of its own, none of them seeds, for then its talk went elsewhere. In a
    conversation whose root is the brand's everything is on the topics of the root (MEASURES.md §1).

    The distance is that to the nearest act of any brand's account above. A root or a parent that was never seen is
    known by the signals that name its author. Only what is created grows a cascade.

    Each cascade has ticks of its own, as the rules say that were in force for its first topic when it began. It is
    looked at in the first tick after it has grown (`soon`), and when it is due by itself (`later`).
    """

    def __init__(self, *, span_ms: int) -> None:
        self.span_ms = span_ms
        self.due_ms = _NEVER_MS
        """No conversation is to be looked at before this tick."""
        self._by_root: dict[str, Conversation] = {}
        self._changed: set[str] = set()
        self._ended: dict[str, set[str]] = {}
        self._sweep_at_ms = 0
        self._live = 0
        # How many posts wait for a parent, by root, where any do.
        self._waiting: dict[str, int] = {}
        # Roots by tick, and heaps of ticks. Of `later` an entry counts only if it is its conversation's `later_ms`.
        self._soon: dict[int, list[str]] = {}
        self._soon_ms: list[int] = []
        self._later: list[tuple[int, str]] = []
        self._timings: dict[str, tuple[Rules, CascadeTiming]] = {}
        self._known_timings: dict[CascadeTiming, CascadeTiming] = {}

    def __len__(self) -> int:
        return len(self._by_root)

    def __contains__(self, root: str) -> bool:
        """Say whether the conversation is remembered; one that was silent for too long may still be."""
        return root in self._by_root

    def get(self, root: str) -> Conversation | None:
        """Return a conversation that is remembered."""
        return self._by_root.get(root)

    @property
    def live(self) -> int:
        """How many cascades have not ended."""
        return self._live

    @property
    def waiting(self) -> int:
        """How many posts and shares wait for a parent that was not seen."""
        return sum(self._waiting.values())

    # --- growing ------------------------------------------------------------------------------------------------------

    def apply(
        self, signal: Signal, *, root: str, own: tuple[str, ...], matcher: Matcher, registry: Registry
    ) -> Links | None:
        """Apply what was created; `own` are the topics that it carries itself. None if it touches no topic."""
        conversation, is_new = self._followed(signal, root, own, registry)
        if conversation is None:
            return None
        grown_ms = -1 if is_new else conversation.row.grown_ms
        places = len(conversation.shape)
        links = conversation.apply(signal, root, own, matcher)
        if conversation.row.grown_ms != grown_ms or len(conversation.shape) != places:
            self._note_growth(conversation, root, signal.at)
        return links

    def _followed(
        self, signal: Signal, root: str, own: tuple[str, ...], registry: Registry
    ) -> tuple[Conversation | None, bool]:
        """Return the conversation of a signal, and whether it is new; None where the signal is not to be followed."""
        conversation = self._alive(root, signal.at)
        is_new = conversation is None
        if conversation is None:
            if not own:
                return None, False
            timing = self._timing(own[0], registry.rules(own[0], signal.at))
            conversation = self._by_root[root] = begun(signal, root=root, timing=timing)
            self._live += 1
        row = conversation.row
        if signal.at > row.last_at_ms:
            row.last_at_ms = signal.at
        self._changed.add(root)
        return conversation, is_new

    def _alive(self, root: str, at_ms: int) -> Conversation | None:
        """Return a conversation that was not silent for too long, forgetting one that was."""
        if at_ms > self._sweep_at_ms:
            self.expire(at_ms)
        conversation = self._by_root.get(root)
        if conversation is not None and at_ms - conversation.row.last_at_ms > self.span_ms:
            self._end(root, conversation)
            return None
        return conversation

    def edit(
        self, signal: Signal, *, root: str, node: int, own: tuple[str, ...], matcher: Matcher, registry: Registry
    ) -> Links | None:
        """Apply the new contents of a post, whose node has this number; a conversation can begin with them."""
        conversation, is_new = self._followed(signal, root, own, registry)
        if conversation is None:
            return None
        links = conversation.edit(signal, node, is_root=node == number_of(root), own=own, matcher=matcher)
        if is_new:
            self._note_growth(conversation, root, signal.at)
        return links

    def take_back(self, kind: Kind, node: int | None, *, root: str, at_ms: int) -> bool:
        """End an act whose node has this number (None where it left none); return whether it was known."""
        conversation = self._alive(root, at_ms)
        if conversation is None:
            return False
        row = conversation.row
        grown_ms = row.grown_ms
        if not conversation.take_back(kind, node, at_ms=at_ms):
            return False
        if at_ms > row.last_at_ms:
            row.last_at_ms = at_ms
        self._changed.add(root)
        if row.grown_ms != grown_ms:
            self._note_growth(conversation, root, at_ms)
        return True

    def erase(self, network: str, actor: str) -> None:
        """Forget of every conversation of a network that an actor began it; looks at all of them."""
        for root, conversation in self._by_root.items():
            row = conversation.row
            if row.root_actor == actor and row.network == network:
                row.root_actor = None
                self._changed.add(root)

    def _timing(self, topic: str, rules: Rules) -> CascadeTiming:
        """Return the timing under a topic's rules, made once for as long as these stay the same."""
        known = self._timings.get(topic)
        if known is None or known[0] is not rules:
            known = self._timings[topic] = (rules, self._interned(timing_of(rules, span_ms=self.span_ms)))
        return known[1]

    def _interned(self, timing: CascadeTiming) -> CascadeTiming:
        """Return one object for equal timings, as there is one for every conversation."""
        return self._known_timings.setdefault(timing, timing)

    def _note_growth(self, conversation: Conversation, root: str, at_ms: int) -> None:
        """Have a conversation looked at in the tick that covers what came, and by itself when that is due."""
        soon_ms = tick_after(at_ms, tick_ms=conversation.row.timing.tick_ms)
        if conversation.soon_ms != soon_ms:
            self._plan_soon(conversation, root, soon_ms)
        waits = conversation.shape.waiting > 0
        # Whoever waits already is due before whoever begins to wait now.
        if not conversation.later_ms or (waits and root not in self._waiting):
            self._plan_later(conversation, root, at_ms)
        if waits or root in self._waiting:
            self._count_waiting(conversation, root)

    def _count_waiting(self, conversation: Conversation, root: str) -> None:
        waiting = conversation.shape.waiting
        if waiting:
            self._waiting[root] = waiting
        else:
            self._waiting.pop(root, None)

    def _plan_soon(self, conversation: Conversation, root: str, soon_ms: int) -> None:
        conversation.soon_ms = soon_ms
        roots = self._soon.get(soon_ms)
        if roots is None:
            self._soon[soon_ms] = [root]
            heappush(self._soon_ms, soon_ms)
            self.due_ms = min(self.due_ms, soon_ms)
        else:
            roots.append(root)

    def _plan_later(self, conversation: Conversation, root: str, at_ms: int) -> None:
        tick_ms = conversation.row.timing.tick_ms
        due_ms = next_due_ms(conversation, after_ms=at_ms // tick_ms * tick_ms)
        later_ms = conversation.later_ms
        if due_ms and (not later_ms or due_ms < later_ms):
            conversation.later_ms = due_ms
            heappush(self._later, (due_ms, root))
            self.due_ms = min(self.due_ms, due_ms)

    # --- ticks --------------------------------------------------------------------------------------------------------

    def tick(self, upto_ms: int) -> list[CascadeReading]:
        """Look at whatever is due at ticks up to an instant, and return what there is to tell, in stamp order.

        A tick covers what came before it, so it must be asked for before a signal of its own time is applied.
        """
        readings: list[CascadeReading] = []
        while self.due_ms <= upto_ms:
            at_ms = self.due_ms
            grown = set(self._soon.pop(at_ms, ()))
            if grown:
                heappop(self._soon_ms)
            due = set(grown)
            while self._later and self._later[0][0] <= at_ms:
                later_ms, root = heappop(self._later)
                conversation = self._by_root.get(root)
                if conversation is not None and conversation.later_ms == later_ms:
                    conversation.later_ms = 0
                    due.add(root)
            for root in sorted(due):
                self._look_at(root, at_ms, readings, has_grown=root in grown)
            soon_ms = self._soon_ms[0] if self._soon_ms else _NEVER_MS
            self.due_ms = min(soon_ms, self._later[0][0] if self._later else _NEVER_MS)
        return readings

    def _look_at(self, root: str, at_ms: int, readings: list[CascadeReading], *, has_grown: bool) -> None:
        conversation = self._by_root.get(root)
        if conversation is None:
            return
        has_grown = has_grown and conversation.soon_ms == at_ms
        if has_grown:
            conversation.soon_ms = 0
        row, infection = conversation.row, conversation.infection
        head = row.has_ended, row.benchmarks
        reading = look_at(conversation, root, at_ms, has_grown=has_grown)
        if reading is not None:
            readings.append(reading)
        has_changed = conversation.shape.has_changed or (infection is not None and infection.has_changed)
        if has_changed or head != (row.has_ended, row.benchmarks):
            self._changed.add(root)
        if root in self._waiting:
            self._count_waiting(conversation, root)
        self._live -= row.has_ended and not head[0]
        self._plan_later(conversation, root, at_ms)

    # --- forgetting ---------------------------------------------------------------------------------------------------

    def expire(self, at_ms: int) -> None:
        """Forget what was silent for longer than the span. When that is done changes nothing of what `apply` tells."""
        # Looks at all conversations, so not too often.
        self._sweep_at_ms = at_ms + self.span_ms // 60
        silent = [root for root, known in self._by_root.items() if at_ms - known.row.last_at_ms > self.span_ms]
        for root in silent:
            self._end(root, self._by_root[root])

    def _end(self, root: str, conversation: Conversation) -> None:
        self._ended[root] = _keys(root, conversation) | self._ended.get(root, set())
        self._changed.discard(root)
        self._waiting.pop(root, None)
        self._live -= not conversation.row.has_ended
        del self._by_root[root]

    # --- remembering --------------------------------------------------------------------------------------------------

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call: `c|root` for a head, `n|chunk|root` for nodes,
        `s|chunk|root` for shares, `p|root` for the pace; None for one that ended.
        """
        for root in sorted(self._ended):
            # A conversation that ended may have begun anew since: what it writes again must stay.
            anew = self._by_root.get(root)
            for key in sorted(self._ended[root] - (set() if anew is None else _keys(root, anew))):
                yield key, None
        self._ended.clear()
        for root in sorted(self._changed):
            yield from _rows(root, self._by_root[root])
        self._changed.clear()

    def restore(self, rows: Iterable[tuple[str, bytes]], *, frontier_ms: int) -> None:
        """Go on from rows, in any order, after all that lies before an instant was applied."""
        by_root: dict[str, list[tuple[str, bytes]]] = {}
        for key, value in rows:
            prefix, _, rest = key.partition("|")
            root = rest.partition("|")[2] if prefix in "ns" else rest
            by_root.setdefault(root, []).append((prefix, value))
        for root, found in by_root.items():
            conversation = _restored(root, found)
            row = conversation.row
            row.timing = self._interned(row.timing)
            row.topics, row.network = shared(row)
            self._by_root[root] = conversation
            self._live += not row.has_ended
            if conversation.shape.missing_since_ms() is not None:
                self._count_waiting(conversation, root)
            soon_ms = tick_after(row.grown_ms, tick_ms=row.timing.tick_ms)
            if soon_ms > frontier_ms:
                self._plan_soon(conversation, root, soon_ms)
            self._plan_later(conversation, root, frontier_ms)


def _keys(root: str, conversation: Conversation) -> set[str]:
    """Return the keys of all rows that a conversation has, or may have had."""
    keys = {f"c|{root}"}
    keys.update(f"n|{chunk}|{root}" for chunk in range(conversation.shape.chunks))
    if conversation.infection is not None:
        keys.update(f"s|{chunk}|{root}" for chunk in conversation.infection.chunks)
    if conversation.pace is not None:
        keys.add(f"p|{root}")
    return keys


def _rows(root: str, conversation: Conversation) -> Iterator[tuple[str, bytes | None]]:
    yield f"c|{root}", _encode(conversation.row)
    inherited = conversation.inherited
    for chunk, nodes in conversation.shape.changed_rows():
        first = chunk * NODES_PER_ROW
        values = inherited[first : first + NODES_PER_ROW]
        yield f"n|{chunk}|{root}", _encode(NodesRow(nodes, values.tobytes()))
    if conversation.infection is not None:
        for chunk, shares in conversation.infection.changed_rows():
            yield f"s|{chunk}|{root}", None if shares is None else _encode(shares)
    if conversation.pace is not None and conversation.pace.has_changed:
        yield f"p|{root}", _encode(conversation.pace.row())


def _restored(root: str, rows: list[tuple[str, bytes]]) -> Conversation:
    head = next(_decode_head(value) for prefix, value in rows if prefix == "c")
    nodes = sorted((_decode_nodes(value) for prefix, value in rows if prefix == "n"), key=lambda row: row.nodes.chunk)
    shape = CascadeShape(None if nodes else root)
    conversation = Conversation(head, shape)
    shape.restore([row.nodes for row in nodes])
    for row in nodes:
        conversation.inherited.frombytes(row.inherited)
    shares = [_decode_shares(value) for prefix, value in rows if prefix == "s"]
    if shares:
        conversation.infection = Infectiousness(unit_ms=head.timing.unit_ms)
        conversation.infection.restore(shares)
    for prefix, value in rows:
        if prefix == "p":
            conversation.pace = CascadePace(minute_ms=max(1_000, head.timing.unit_ms // MINUTES_PER_UNIT))
            conversation.pace.restore(_decode_pace(value))
    return conversation
