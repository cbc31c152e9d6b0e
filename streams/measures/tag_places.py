"""Remember where tags were used lately: in how many cascades, and how much by the rest of the network."""

from hashlib import blake2b
from typing import NamedTuple

from schemas.drift_rows import TagPlacesRow
from streams.eventtime.windows import Chunks, require_forward, require_open

CASCADES_MAX = 4
"""Cascades told apart of one tag and pane: more need not be known."""
SHARDS_MAX = 8
"""Shards remembered of one tag and pane: each is a fair sample of all actors, so these are, too."""
PANE_BYTES_MAX = 48 * 1024
_USE_BYTES = 8 * CASCADES_MAX + 16 * SHARDS_MAX + 8


class Place(NamedTuple):
    """Where a tag was used: in so many cascades (no more than are told apart), by `users` of `actors` outside."""

    cascades: int
    users: int
    actors: int


class TagPlaces:
    """Tags by pane, over a window of some panes: whole ones, and the one that runs.

    Of each tag and pane the four cascades and the eight shards with the smallest numbers are kept, so that no order
    matters; what a shard said of a tag last in a pane counts. A pane that is full takes in no further tags.

    >>> places = TagPlaces(panes=6)
    >>> places.add(0, "#wild", root="r", shard=3, users=2, actors=100)
    >>> places.add(1, "#wild", root="q", shard=9, users=1, actors=80)
    >>> places.read("#wild")
    Place(cascades=2, users=3, actors=180)
    """

    def __init__(self, *, panes: int) -> None:
        self.panes = panes
        self._end = 0
        # By pane and tag: the numbers of roots, and by shard its users and actors.
        self._held: dict[int, dict[str, tuple[set[int], dict[int, tuple[int, int]]]]] = {}
        self._bytes: dict[int, int] = {}
        self._chunks = Chunks[int](size=1)

    def add(self, pane: int, tag: str, *, root: str, shard: int = -1, users: int = 0, actors: int = 0) -> None:
        """Note that a member used a tag in a cascade, and what the rest of the member's shard does (-1: not known)."""
        require_open(pane, end=self._end)
        held = self._held.setdefault(pane, {})
        known = held.get(tag)
        if known is None:
            charged = self._bytes.get(pane, 0) + _USE_BYTES + len(tag.encode())
            if charged > PANE_BYTES_MAX:
                return
            self._bytes[pane] = charged
            known = held[tag] = (set(), {})
        roots, shards = known
        roots.add(_number_of(root))
        if len(roots) > CASCADES_MAX:
            roots.remove(max(roots))
        if shard >= 0:
            shards[shard] = (users, actors)
            if len(shards) > SHARDS_MAX:
                del shards[max(shards)]
        self._chunks.put(pane, pane)

    def roll(self, end: int) -> None:
        """Forget what lies before the window of the panes before an end."""
        require_forward(end, now=self._end)
        self._end = end
        for pane in [pane for pane in self._held if pane < end - self.panes]:
            del self._held[pane]
            self._bytes.pop(pane, None)
        self._chunks.expire(before=end - self.panes)

    def read(self, tag: str) -> Place:
        """Return where a tag was used in the window; of a shard the last pane in which it told of it counts."""
        roots: set[int] = set()
        shards: dict[int, tuple[int, int]] = {}
        for pane in sorted(self._held):
            known = self._held[pane].get(tag)
            if known is not None:
                roots |= known[0]
                shards |= known[1]
        users, actors = (sum(told[place] for told in shards.values()) for place in (0, 1))
        return Place(len(roots), users, actors)

    def changed_rows(self) -> list[tuple[int, TagPlacesRow | None]]:
        """Return (pane, its row, or None where it expired) for the panes that changed since last time."""
        return [
            (pane, None if entries is None else self._row(pane)) for pane, entries in self._chunks.changed(closed=0)
        ]

    def _row(self, pane: int) -> TagPlacesRow:
        held = self._held[pane]
        tags = tuple(sorted(held))
        return TagPlacesRow(
            pane=pane,
            tags=tags,
            cascades=tuple(b"".join(root.to_bytes(8, "little") for root in sorted(held[tag][0])) for tag in tags),
            outside=tuple(tuple((shard, *told) for shard, told in sorted(held[tag][1].items())) for tag in tags),
        )

    def restore(self, rows: list[TagPlacesRow], end: int) -> None:
        """Take up the rows of earlier `changed_rows`, as they stood when the window ended at `end`."""
        for row in rows:
            held = self._held.setdefault(row.pane, {})
            for tag, cascades, outside in zip(row.tags, row.cascades, row.outside, strict=True):
                roots = {int.from_bytes(cascades[at : at + 8], "little") for at in range(0, len(cascades), 8)}
                held[tag] = (roots, {shard: (users, actors) for shard, users, actors in outside})
                self._bytes[row.pane] = self._bytes.get(row.pane, 0) + _USE_BYTES + len(tag.encode())
            self._chunks.put_told(row.pane, row.pane)
        self.roll(end)


def _number_of(root: str) -> int:
    return int.from_bytes(blake2b(root.encode(errors="surrogatepass"), digest_size=8).digest(), "little")
