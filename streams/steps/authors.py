"""Remember what the roots of each author have brought, and say how a root does among them."""

from collections.abc import Iterable, Iterator

from schemas.cascade import ENDED, CascadeReading
from schemas.rules import DAY_MS
from schemas.virality_rows import AuthorRow
from streams.measures.overperformance import Overperformance

AUTHOR_MS = 28 * DAY_MS
"""An author of whom no root has ended for so long is forgotten."""
_SWEEP_MS = DAY_MS

_Author = tuple[str, str, str, int]
"""Actor, topic, network and kind of the root."""


class Authors:
    """The authors of one partition of actors, fed with the readings of their cascades in stamp order.

    A root is compared at the last benchmark age that it has passed, and enters its author's history once its cascade
    has ended. Roots that nobody saw have no author.
    """

    def __init__(self) -> None:
        self._histories: dict[_Author, tuple[int, Overperformance]] = {}
        self._changed: set[_Author] = set()
        self._sweep_at_ms = 0

    def __len__(self) -> int:
        return len(self._histories)

    def score(self, reading: CascadeReading, topic: str) -> float | None:
        """Return how a root does among the last of its author, topic, network and kind; None where nobody knows."""
        if not reading.interactions or not reading.actor or reading.kind < 0:
            return None
        author = (reading.actor, topic, reading.network, reading.kind)
        last_ms, history = self._histories.get(author, (0, None))
        if reading.at - last_ms > AUTHOR_MS:
            # Whether it was swept yet must not matter.
            history = None
        benchmark = len(reading.interactions) - 1
        told = None if history is None else history.read(benchmark, reading.interactions[benchmark])
        if reading.flags & ENDED:
            history = history or Overperformance()
            for passed, interactions in enumerate(reading.interactions):
                history.add(passed, interactions)
            self._histories[author] = reading.at, history
            self._changed.add(author)
        return None if told is None else told.score

    def erase(self, actor: str) -> None:
        """Forget what the roots of an actor have brought; looks at all authors."""
        for author in [author for author in self._histories if author[0] == actor]:
            del self._histories[author]
            self._changed.add(author)

    def expire(self, at_ms: int) -> None:
        """Forget authors of whom nothing has ended for four weeks; looks at all of them once a day of event time."""
        if at_ms < self._sweep_at_ms:
            return
        self._sweep_at_ms = (at_ms // _SWEEP_MS + 1) * _SWEEP_MS
        for author in [author for author, (last_ms, _) in self._histories.items() if at_ms - last_ms > AUTHOR_MS]:
            del self._histories[author]
            self._changed.add(author)

    def changed_rows(self) -> Iterator[tuple[str, AuthorRow | None]]:
        """Yield (name, row) of the authors that changed since the last call, None for those that are forgotten."""
        for author in sorted(self._changed):
            known = self._histories.get(author)
            if known is None:
                yield _name_of(author), None
                continue
            last_ms, history = known
            for _, row in history.changed_rows():
                yield _name_of(author), AuthorRow(*author, last_ms, row)
        self._changed.clear()

    def restore(self, rows: Iterable[AuthorRow]) -> None:
        """Take up the rows of earlier `changed_rows`."""
        for row in rows:
            history = Overperformance()
            history.restore([row.history])
            self._histories[row.actor, row.topic, row.network, row.kind] = row.last_ms, history


def _name_of(author: _Author) -> str:
    """Return a name that no two authors share, whatever is in their ids."""
    actor, topic, network, kind = author
    return f"{kind}|{topic}|{len(network)}|{network}|{actor}"
