"""How a brand goes where its community has gone: when it joined the talk there, by what, and what members did then."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

import msgspec

from schemas.alert import JoinEvidence
from schemas.attributed import WILD
from schemas.contribution import Contribution
from schemas.join_rows import JoinRow, JoinsRow, WildRootsRow
from schemas.signal import KINDS
from schemas.vitals import Measures, State
from streams.eventtime.windows import Chunks
from streams.lifecycle.alerts import rfc3339
from streams.lifecycle.conditions import rounded
from streams.lifecycle.ladder import AWAY, ESCAPED, RETURNING
from streams.measures.response import response_lift

SLOTS_PER_HOUR = 6
DAY_SLOTS = 24 * SLOTS_PER_HOUR
ROOT_PANES = 24
"""Conversations are remembered for a day or two, by the hour: a brand answers what is going on."""
PANE_ROOTS_MAX = 1_000
"""Conversations remembered of one hour, the first ones; of more it is left to the tags that a brand uses there."""
_ROOT_BYTES = 8

REPLIES = frozenset(KINDS.index(kind) for kind in ("reply", "quote"))

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


class Joins:
    """What the brand of one topic does where its members have gone. Acts come in stamp order, `follow` at every tick.

    While the topic is escaped or on its way back, the brand *joins* by using a tag that emerged, or by a reply in a
    conversation in which members used one elsewhere. The first time counts for what follows, the others are counted.

    How much members respond is told a day after it: their acts on the topic and on what emerged, each within the hourly
    cap of its actor, in the day from then on over those in the day before. What emerged was not known as such long
    before the escape: where the brand came within a day of that, the same hours of both days are compared.

    Source: MEASURES.md §7.
    """

    def __init__(self, *, hour_ms: int) -> None:
        self._hour_ms = hour_ms
        self._slot_ms = max(1, hour_ms // SLOTS_PER_HOUR)
        self._since_ms: int | None = None
        self._first: JoinRow | None = None
        self._joins = 0
        self._acts: dict[int, int] = {}
        self._lift: tuple[float, float, float] | None = None
        self._has_changed = False
        self._roots: dict[int, set[bytes]] = {}
        self._chunks = Chunks[set[bytes]](size=1)

    @property
    def first_ms(self) -> int | None:
        """When the brand joined first since the community left (epoch ms), None where it has not."""
        return None if self._first is None else self._first.at_ms

    def act(self, contribution: Contribution, *, emergent: frozenset[str]) -> None:
        """Take note of what a member did on the topic, or elsewhere on what emerged."""
        if self._since_ms is None:
            return
        if contribution.lineage == WILD and not emergent.isdisjoint(contribution.tags):
            self._remember(contribution)
        slot = contribution.at // self._slot_ms
        if contribution.units and (self._first is None or slot <= self._first.at_ms // self._slot_ms + DAY_SLOTS):
            self._acts[slot] = self._acts.get(slot, 0) + 1
            self._has_changed = True

    def _remember(self, contribution: Contribution) -> None:
        pane = contribution.at // self._hour_ms
        roots = self._roots.setdefault(pane, set())
        number = _number_of(contribution.root)
        if len(roots) < PANE_ROOTS_MAX and number not in roots:
            roots.add(number)
            self._chunks.put(pane, roots)

    def come(self, contribution: Contribution, *, emergent: frozenset[str], state: State) -> bool:
        """Take note of what the brand did, on the topic or elsewhere; return whether it joined for the first time."""
        if self._since_ms is None or state not in (ESCAPED, RETURNING):
            return False
        tag = next((tag for tag in contribution.tags if tag in emergent), None)
        if tag is None and not (contribution.kind in REPLIES and self._is_known(contribution.root)):
            return False
        self._joins += 1
        self._has_changed = True
        if self._first is not None:
            return False
        self._first = JoinRow(contribution.at, "reply" if tag is None else "tag", tag, contribution.root)
        return True

    def _is_known(self, root: str) -> bool:
        number = _number_of(root)
        return any(number in roots for roots in self._roots.values())

    def follow(self, before: State, after: State, at_ms: int) -> None:
        """Begin anew as the topic escapes, end as it is known what became of those who had left."""
        self._expire(at_ms)
        self._measure(at_ms)
        if before == after or (after in AWAY and after != ESCAPED):
            return
        self._since_ms = at_ms if after == ESCAPED else None
        self._has_changed |= self._first is not None or bool(self._acts) or self._since_ms is not None
        self._first, self._joins, self._lift = None, 0, None
        self._acts.clear()
        if self._since_ms is None:
            self._let_go(before=max(self._roots, default=-1) + 1)

    def _expire(self, at_ms: int) -> None:
        oldest = at_ms // self._hour_ms - ROOT_PANES
        if any(pane < oldest for pane in self._roots):
            self._let_go(before=oldest)
        if self._first is None and len(self._acts) > 2 * DAY_SLOTS:
            first = at_ms // self._slot_ms - DAY_SLOTS - 1
            self._acts = {slot: acts for slot, acts in self._acts.items() if slot >= first}

    def _let_go(self, *, before: int) -> None:
        for pane in [pane for pane in self._roots if pane < before]:
            del self._roots[pane]
        self._chunks.expire(before=before)

    def _measure(self, at_ms: int) -> None:
        """Tell the lift once the day behind the first join is over; what it was counted from is not needed then."""
        if self._first is None or self._since_ms is None or not self._acts:
            return
        joined = self._first.at_ms // self._slot_ms
        if at_ms // self._slot_ms <= joined + DAY_SLOTS:
            return
        slots = min(DAY_SLOTS, joined - self._since_ms // self._slot_ms - 1)
        before = sum(self._acts.get(slot, 0) for slot in range(joined - slots, joined))
        # The slot of the join itself is neither before nor after.
        after = sum(self._acts.get(slot, 0) for slot in range(joined + 1 + DAY_SLOTS - slots, joined + 1 + DAY_SLOTS))
        lift = response_lift(before=before, after=after) if slots >= SLOTS_PER_HOUR else None
        self._lift = lift and (lift.value, lift.low, lift.high)
        self._acts.clear()
        self._has_changed = True

    def tell(self, measures: Measures) -> None:
        """Write what is known into the measures of a tick."""
        measures.brand_joins, measures.brand_joined_at = self._joins, self.first_ms
        if self._lift is not None:
            value, low, high = self._lift
            measures.response_lift, measures.response_lift_low = rounded(value), rounded(low)
            measures.response_lift_high = rounded(high)

    def evidence(self) -> JoinEvidence | None:
        """Return the first join and what followed it, None where the brand has not come."""
        first = self._first
        if first is None:
            return None
        value, low, high = self._lift or (None, None, None)
        return JoinEvidence(
            at=rfc3339(first.at_ms),
            how=first.how,
            tag=first.tag,
            root=first.root,
            joins=self._joins,
            lift=rounded(value),
            lift_low=rounded(low),
            lift_high=rounded(high),
        )

    # --- remembering --------------------------------------------------------------------------------------------------

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call: `j` for what is known, `y|pane` for conversations."""
        if self._has_changed:
            self._has_changed = False
            yield "j", _encode(JoinsRow(self._since_ms, self._first, self._joins, self._acts, self._lift))
        for pane, entries in self._chunks.changed(closed=0):
            row = None if entries is None else _encode(WildRootsRow(pane, b"".join(sorted(entries[0][1]))))
            yield f"y|{pane}", row

    def restore(self, rows: Mapping[str, Sequence[bytes]]) -> None:
        """Take up the rows of earlier `changed_rows`, by their first letter."""
        for value in rows.get("j", ()):
            row = _decode(value, type=JoinsRow)
            self._since_ms, self._first, self._joins = row.since_ms, row.first, row.joins
            self._acts, self._lift = row.acts, row.lift
        for value in rows.get("y", ()):
            held = _decode(value, type=WildRootsRow)
            packed = held.roots
            roots = {packed[at : at + _ROOT_BYTES] for at in range(0, len(packed), _ROOT_BYTES)}
            self._roots[held.pane] = roots
            self._chunks.put_told(held.pane, roots)


def _number_of(root: str) -> bytes:
    return blake2b(root.encode(errors="surrogatepass"), digest_size=_ROOT_BYTES, person=b"wild roots").digest()
