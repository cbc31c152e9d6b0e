"""Count what the rest of the network talks about: tags by shard of actors, members of communities left aside."""

from collections.abc import Iterable, Iterator, Sequence

from schemas.drift_rows import TagActorsRow
from streams.measures.tag_actors import TagActors

WINDOW_PANES = 6
_WINDOW = "now"


class Background:
    """Tags of the last panes by shard, fed in stamp order.

    What is read is as of the begin of the running pane: so it does not depend on what else of the pane has come.
    A shard is a fair sample of the network's actors, whatever the partitions.

    >>> background = Background(pane_ms=1_000)
    >>> background.add(7, "ana", ["#rain"], at_ms=500)
    >>> background.read(7, ["#rain", "#sun"], at_ms=900), background.read(7, ["#rain", "#sun"], at_ms=1_000)
    (((0, 0), 0), ((1, 0), 1))
    """

    def __init__(self, *, pane_ms: int) -> None:
        self.pane_ms = pane_ms
        self._shards: dict[int, TagActors] = {}
        self._foreign: list[str] = []
        self._pane = -1

    def add(self, shard: int, actor: str, tags: Iterable[str], *, at_ms: int) -> None:
        """Count what an actor of a shard said who belongs to no community."""
        pane = at_ms // self.pane_ms
        self._at(shard, pane).add(pane, actor, tags)

    def read(self, shard: int, tags: Sequence[str], *, at_ms: int) -> tuple[tuple[int, ...], int]:
        """Return how many actors of a shard use each tag, and how many there are who use any."""
        return self._at(shard, at_ms // self.pane_ms).before(_WINDOW, tags)

    def _at(self, shard: int, pane: int) -> TagActors:
        """Return the tags of a shard, whose windows end before a pane."""
        known = self._shards.get(shard)
        if known is None:
            known = self._shards[shard] = TagActors({_WINDOW: WINDOW_PANES})
        if known.end < pane:
            known.roll(pane)
        return known

    def expire(self, at_ms: int) -> None:
        """Let go of what lies behind every window at an instant, also in shards that have fallen silent."""
        pane = at_ms // self.pane_ms
        if pane > self._pane:
            self._pane = pane
            for shard in self._shards:
                self._at(shard, pane)

    def changed_rows(self) -> Iterator[tuple[str, TagActorsRow | None]]:
        """Yield (`length of a pane|shard|pane`, row) for what changed since the last call, None where it expired."""
        foreign, self._foreign = self._foreign, []
        yield from ((name, None) for name in foreign)
        for shard in sorted(self._shards):
            for pane, row in self._shards[shard].changed_rows():
                yield f"{self.pane_ms}|{shard}|{pane}", row

    def restore(self, rows: Iterable[tuple[str, TagActorsRow]], *, at_ms: int) -> None:
        """Take up rows as they stood at an instant; those of other panes are of other rules, and end."""
        by_shard: dict[int, list[TagActorsRow]] = {}
        for name, row in rows:
            pane_ms, number, _ = name.split("|")
            if int(pane_ms) == self.pane_ms:
                by_shard.setdefault(int(number), []).append(row)
            else:
                self._foreign.append(name)
        self._foreign.sort()
        for shard, held in by_shard.items():
            known = self._shards[shard] = TagActors({_WINDOW: WINDOW_PANES})
            known.restore(held, at_ms // self.pane_ms)
