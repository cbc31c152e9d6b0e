"""Count how many actors used each tag over rolling windows, each actor once per tag, in bounded memory."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import unpack
from typing import NamedTuple

from schemas.drift_rows import TagActorsRow
from streams.eventtime.windows import Chunks, checked_lengths, require_forward, require_open
from streams.measures.tag_divergence import NO_TAG

PANE_BYTES_MAX = 60 * 1024
"""What a pane may hold, so that it fits into one row: some 2,000 actors with a tag or two each."""
ACTOR_BYTES_MAX = 1_024
"""What one actor may hold of a pane, some 50 tags; who uses more floods, and is not counted for any of them."""
WINDOW_USES_MAX = 131_072
"""What the panes of a window may hold together: (pane, actor, tag)."""

NUMBER_BITS = 48
_NUMBER_BYTES = NUMBER_BITS // 8
_ACTOR_BYTES = _NUMBER_BYTES + 1
_USE_BYTES = 5  # two for the place of the tag, three at most before its text; tags are charged as if nobody shared them


class TagReading(NamedTuple):
    """Who used what in a window: `counts` are actors by tag, in no order that means anything; the empty tag is no tag.

    `actors` were there at all, `tagged` of them used any tag, `untagged` said something without one (or did both).
    All are counted among 1 in `scale` of the actors: multiply them to tell how many there are, but test them as they
    are, because these are the people who were seen.
    """

    counts: dict[str, int]
    actors: int
    tagged: int
    untagged: int
    scale: int


class TagActors:
    """Actors by tag, each once per tag and window; windows are named in `lengths` (name -> length in panes).

    A window covers the whole panes of its name before the end, and beside them what has been added to the pane that
    runs: panes are hours or the like, and what is said counts at once. One that is named in `lags` ends so many panes
    earlier, to compare now with before; what runs is not part of it.

    Exact while a pane holds no more than `PANE_BYTES_MAX` and a window no more than `WINDOW_USES_MAX`. Beyond that it
    counts among a sample: the actors whose id hashes into the lowest 1/2, 1/4, 1/8 … of all numbers, all of what they
    used and nothing of the others. A window has one sample, that of its sparsest pane, so that an actor is in it in all
    panes or in none. With `scale` s = 2^level a count of c stands for c·s actors with the standard error
    sqrt(c·s·(s − 1)), relatively less than 1/sqrt(c); shares of tags are as sure as a poll among `actors` people is.
    Which actors are in the sample follows from what was added alone, whatever its order: a level that was too low for
    a part is too low for the whole. One exception, of 1 in 10^5 with 10^5 actors: two share a number and count as one.

    Who uses more tags in one pane than `ACTOR_BYTES_MAX` holds counts there as an actor, but for no tag.

    Source: Wegman's adaptive sampling, analysed in Flajolet 1990, "On Adaptive Sampling"; here of actors with all that
    they did, so that one sample serves every tag.

    >>> tags = TagActors({"24h": 24})
    >>> tags.add(0, "ana", ["#wild", "#garden"])
    >>> tags.add(5, "ana", ["#wild"])
    >>> tags.add(5, "bo", [])
    >>> tags.roll(6)
    >>> reading = tags.read("24h")
    >>> reading.counts == {"#wild": 1, "#garden": 1, NO_TAG: 1}, reading.actors, reading.scale
    (True, 2, 1)
    """

    def __init__(self, lengths: Mapping[str, int], lags: Mapping[str, int] | None = None) -> None:
        lags = dict(lags or {})
        self._windows = {name: _Window(length, lags.pop(name, 0)) for name, length in checked_lengths(lengths).items()}
        if lags:
            raise ValueError(f"tag actors: expected lags of {sorted(self._windows)}, got {sorted(lags)} too")
        self._longest = max(window.length + window.lag for window in self._windows.values())
        self._end = 0
        self._open: dict[int, _Pane] = {}
        # Whole panes as their rows, and their indexes in ascending order.
        self._rows: dict[int, TagActorsRow] = {}
        self._order: list[int] = []
        self._chunks = Chunks[_Pane | TagActorsRow](size=1)

    @property
    def end(self) -> int:
        """The pane before which the windows end, not counting what runs."""
        return self._end

    def add(self, pane: int, actor: str, tags: Iterable[str]) -> None:
        """Add what an actor said with some tags, or with none, to a pane that is not whole yet.

        Raises ValueError for a pane before the end: an error of the caller.
        """
        require_open(pane, end=self._end)
        known = self._open.get(pane)
        if known is None:
            known = self._open[pane] = _Pane()
        if known.add(number_of(actor), set(tags) or {NO_TAG}):
            self._chunks.put(pane, known)

    def roll(self, end: int) -> None:
        """Move all windows so that they end before pane `end`. Raises ValueError where that lies before their end."""
        require_forward(end, now=self._end)
        self._end = end
        closed: dict[int, list[_Found]] = {}
        for pane in sorted(pane for pane in self._open if pane < end):
            whole = self._open.pop(pane)
            closed[pane] = list(whole.actors())
            self._rows[pane] = whole.row(pane)
            self._order.append(pane)
        for window in self._windows.values():
            window.move(self._rows, self._order, closed, end=end)
        first = bisect_left(self._order, end - self._longest)
        for pane in self._order[:first]:
            del self._rows[pane]
        del self._order[:first]
        self._chunks.expire(before=end - self._longest)

    def read(self, window: str) -> TagReading:
        """Return who used what in a window, at a cost that follows the number of tags and what the running pane has."""
        asked = self._windows[window]
        running = [] if asked.lag else [self._open[pane] for pane in sorted(self._open)]
        asked.settle(self._rows, self._order, level_min=max((pane.level for pane in running), default=0))
        uses = asked.uses
        counts = {tag: len(actors) for tag, actors in uses.by_tag.items()}
        fresh = _Uses()
        for pane in running:
            fresh.take((found for found in pane.actors() if found[0] < 1 << NUMBER_BITS - asked.level), 1)
        for tag, actors in fresh.by_tag.items():
            held = uses.by_tag.get(tag, {})
            counts[tag] = len(held) + sum(actor not in held for actor in actors)
        return TagReading(
            counts=counts,
            actors=len(uses.actors) + sum(actor not in uses.actors for actor in fresh.actors),
            tagged=len(uses.tagged) + sum(actor not in uses.tagged for actor in fresh.tagged),
            untagged=counts.get(NO_TAG, 0),
            scale=1 << asked.level,
        )

    def between(self, since: int, until: int) -> TagReading:
        """Return who used what in the panes `since` … `until` - 1, those that run among them, as far as remembered.

        What the longest window has let go of is not. Costs what the panes hold: for what is asked once, not each tick.
        """
        rows = {pane: self._rows[pane] for pane in self._order if since <= pane < until}
        rows |= {pane: self._open[pane].row(pane) for pane in sorted(self._open) if since <= pane < until}
        asked = _Window(max(0, until - since), 0)
        asked.move(rows, sorted(rows), {}, end=until)
        uses = asked.uses
        counts = {tag: len(actors) for tag, actors in uses.by_tag.items()}
        return TagReading(counts, len(uses.actors), len(uses.tagged), counts.get(NO_TAG, 0), 1 << asked.level)

    def before(self, window: str, tags: Sequence[str]) -> tuple[tuple[int, ...], int]:
        """Return how many actors used each tag in the whole panes of a window, and how many used any tag there."""
        asked = self._windows[window]
        asked.settle(self._rows, self._order)
        by_tag = asked.uses.by_tag
        return tuple([len(by_tag.get(tag, ())) for tag in tags]), len(asked.uses.tagged)

    def users(self, window: str, tags: Collection[str]) -> set[int]:
        """Return the numbers of the actors of the sample who used any of some tags in a window."""
        asked = self._windows[window]
        running = [] if asked.lag else [self._open[pane] for pane in sorted(self._open)]
        asked.settle(self._rows, self._order, level_min=max((pane.level for pane in running), default=0))
        wanted, limit = set(tags), 1 << NUMBER_BITS - asked.level
        found = set[int]().union(*(asked.uses.by_tag.get(tag, {}) for tag in wanted))
        for pane in running:
            found.update(number for number, used in pane.actors() if number < limit and not wanted.isdisjoint(used))
        return found

    def is_empty(self) -> bool:
        """Return whether no window covers anything and nothing waits to be covered."""
        return not self._open and not self._order

    def changed_rows(self) -> list[tuple[int, TagActorsRow | None]]:
        """Return (pane, its row, or None where it expired) for the panes that changed since last time."""
        return [
            (pane, None if entries is None else _row_of(pane, entries[0][1]))
            for pane, entries in self._chunks.changed(closed=self._end)
        ]

    def restore(self, rows: Iterable[TagActorsRow], end: int) -> None:
        """Take up the rows of earlier `changed_rows`, in any order, as they stood when the windows ended at `end`."""
        for row in rows:
            if row.pane < end:
                self._rows[row.pane] = row
                self._chunks.put_told(row.pane, row)
            else:
                self._open[row.pane] = _Pane.restored(row)
                self._chunks.put_told(row.pane, self._open[row.pane])
        self._order = sorted(self._rows)
        self.roll(end)
        self._chunks.let_go(closed=end)


# What one signal says is counted in several places, and whoever speaks will soon speak again.
@lru_cache(maxsize=4_096)
def number_of(actor: str) -> int:
    """Return the number of 48 bits that stands for an actor; it is in the sample of level l if its first l bits are 0.

    Salted, so that samples have nothing to do with shards or with what else is hashed.
    """
    digest = blake2b(actor.encode(), digest_size=_NUMBER_BYTES, person=b"tag actors").digest()
    return int.from_bytes(digest, "little")


_Found = tuple[int, Collection[str]]
"""The number of an actor and its tags; none where it flooded."""


class _Pane:
    """What a running pane has seen, of the actors in its sample.

    Invariant: `level` is the least at which the bytes of the actors in its sample, for all that was ever added, stay
    within the limit. What an actor is charged never falls, so no order of adding can raise the level any further.
    """

    __slots__ = ("_bytes", "_bytes_by_level", "_tags", "level")

    def __init__(self) -> None:
        self.level = 0
        self._tags: dict[int, set[str]] = {}
        self._bytes: dict[int, int] = {}
        # Of the actors that leave the sample beyond the level of the index.
        self._bytes_by_level = [0] * (NUMBER_BITS + 1)

    def add(self, number: int, tags: set[str]) -> bool:
        """Take in the tags of an actor; return whether anything changed."""
        if number >> NUMBER_BITS - self.level:
            return False
        charged = self._bytes.get(number, 0)
        if charged > ACTOR_BYTES_MAX:
            return False
        known = self._tags.setdefault(number, set())
        fresh = tags - known
        if charged and not fresh:
            return False
        known |= fresh
        charge = (charged or _ACTOR_BYTES) + sum([_USE_BYTES + len(tag.encode()) for tag in fresh])
        if charge > ACTOR_BYTES_MAX:
            charge = ACTOR_BYTES_MAX + 1
            known.clear()
        self._bytes[number] = charge
        self._bytes_by_level[NUMBER_BITS - number.bit_length()] += charge - charged
        while sum(self._bytes_by_level) > PANE_BYTES_MAX:
            self._bytes_by_level[self.level] = 0
            self.level += 1
            for outside in [actor for actor in self._tags if actor >> NUMBER_BITS - self.level]:
                del self._tags[outside], self._bytes[outside]
        return True

    def actors(self) -> Iterator[_Found]:
        """Yield the actors in the sample with their tags."""
        yield from self._tags.items()

    def row(self, pane: int) -> TagActorsRow:
        """Return the row of this pane, which is the same whatever the order was in which it was told of things."""
        names = sorted(set[str]().union(*self._tags.values()))
        places = {tag: place for place, tag in enumerate(names)}
        ordered = sorted(self._tags)
        uses = [place for actor in ordered for place in sorted(places[tag] for tag in self._tags[actor])]
        return TagActorsRow(
            pane=pane,
            level=self.level,
            tags=tuple(names),
            actors=b"".join(actor.to_bytes(_NUMBER_BYTES, "little") for actor in ordered),
            counts=bytes(len(self._tags[actor]) for actor in ordered),
            uses=b"".join(place.to_bytes(2, "little") for place in uses),
        )

    @classmethod
    def restored(cls, row: TagActorsRow) -> "_Pane":
        """Return the pane that a row was made of."""
        pane = cls()
        pane.level = row.level
        for number, tags in _actors_of(row):
            pane._tags[number] = set(tags)
            charge = _ACTOR_BYTES + sum(_USE_BYTES + len(tag.encode()) for tag in tags)
            pane._bytes[number] = charge if tags else ACTOR_BYTES_MAX + 1
            pane._bytes_by_level[NUMBER_BITS - number.bit_length()] += pane._bytes[number]
        return pane


def _row_of(pane: int, held: _Pane | TagActorsRow) -> TagActorsRow:
    return held if isinstance(held, TagActorsRow) else held.row(pane)


def _actors_of(row: TagActorsRow, level: int = 0) -> Iterator[_Found]:
    """Yield the actors of a row that are in the sample of a level, with their tags."""
    places, at = unpack(f"<{len(row.uses) // 2}H", row.uses), 0
    limit = 1 << NUMBER_BITS - level
    for index, count in enumerate(row.counts):
        number = int.from_bytes(row.actors[index * _NUMBER_BYTES : (index + 1) * _NUMBER_BYTES], "little")
        if number >= limit:
            return
        yield number, [row.tags[place] for place in places[at : at + count]]
        at += count


class _Uses:
    """In how many panes an actor was there, used any tag, and used each tag."""

    __slots__ = ("actors", "by_tag", "tagged")

    def __init__(self) -> None:
        self.actors: dict[int, int] = {}
        self.tagged: dict[int, int] = {}
        self.by_tag: dict[str, dict[int, int]] = {}

    def take(self, found: Iterable[_Found], sign: int) -> None:
        """Take in the actors of a pane (sign 1), or let go of them (sign -1)."""
        for number, tags in found:
            _count(self.actors, number, sign)
            # Who flooded has no tag left here, but used many.
            if not tags or len(tags) > 1 or NO_TAG not in tags:
                _count(self.tagged, number, sign)
            for tag in tags:
                held = self.by_tag.get(tag)
                if held is None:
                    held = self.by_tag[tag] = {}
                _count(held, number, sign)
                if not held:
                    del self.by_tag[tag]


def _count(held: dict[int, int], number: int, sign: int) -> None:
    panes = held.get(number, 0) + sign
    if panes:
        held[number] = panes
    else:
        del held[number]


class _Window:
    """The panes `start` … `stop` - 1 and what their actors used, at one level for all of them."""

    def __init__(self, length: int, lag: int) -> None:
        if lag < 0:
            raise ValueError(f"tag actors: expected a lag of at least no pane, got {lag}")
        self.length, self.lag = length, lag
        self.start = self.stop = 0
        self.level = 0
        self.uses = _Uses()
        # Of the panes inside: how many have each level, and the uses of actors that leave beyond each level.
        self._panes_at = [0] * (NUMBER_BITS + 1)
        self._uses_at = [0] * (NUMBER_BITS + 1)

    def move(
        self, rows: Mapping[int, TagActorsRow], order: list[int], closed: Mapping[int, list[_Found]], *, end: int
    ) -> None:
        """Cover the panes of this window before an end; of those that were `closed` just now the actors are known."""
        start, stop = max(0, end - self.lag - self.length), max(0, end - self.lag)
        leaving = order[bisect_left(order, self.start) : bisect_left(order, min(start, self.stop))]
        entering = order[bisect_left(order, max(start, self.stop)) : bisect_left(order, stop)]
        self.start, self.stop = start, stop
        if not (leaving or entering):
            return
        moved = [(list(_actors_of(rows[pane])), -1) for pane in leaving]
        moved += [(closed.get(pane) or list(_actors_of(rows[pane])), 1) for pane in entering]
        for pane, (found, sign) in zip((*leaving, *entering), moved, strict=True):
            self._panes_at[rows[pane].level] += sign
            for number, tags in found:
                self._uses_at[NUMBER_BITS - number.bit_length()] += sign * (len(tags) or 1)
        # A level that has become too high waits until somebody asks: what runs may need it.
        if self._level_wanted() > self.level:
            self.settle(rows, order)
            return
        limit = 1 << NUMBER_BITS - self.level
        for found, sign in moved:
            self.uses.take(found if not self.level else [one for one in found if one[0] < limit], sign)

    def _level_wanted(self) -> int:
        """Return the least level that all panes have reached and at which their uses are not too many."""
        panes_at = self._panes_at
        # Nearly all windows have no pane above the lowest level.
        level = max(level for level, panes in enumerate(panes_at) if panes) if any(panes_at[1:]) else 0
        uses = sum(self._uses_at[level:])
        while uses > WINDOW_USES_MAX:
            uses -= self._uses_at[level]
            level += 1
        return level

    def settle(self, rows: Mapping[int, TagActorsRow], order: list[int], *, level_min: int = 0) -> None:
        """Count anew where the level has become another one: rarely, as each is twice the last."""
        level = max(self._level_wanted(), level_min)
        if level == self.level:
            return
        self.level, self.uses = level, _Uses()
        for pane in order[bisect_left(order, self.start) : bisect_left(order, self.stop)]:
            self.uses.take(_actors_of(rows[pane], level), 1)
