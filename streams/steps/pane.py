"""Collect what comes into the pane of a topic that no tick has closed yet, in a row of bounded size."""

from collections.abc import Iterable

from schemas.attributed import ADOPTED, LINEAGES, SEEDED, WILD
from schemas.contribution import Contribution, Retraction
from schemas.rows import OpenPaneRow
from schemas.signal import KINDS

LINEAGE_AT = len(KINDS)
UNITS_AT = LINEAGE_AT + len(LINEAGES)
COUNTED_AT = UNITS_AT + len(LINEAGES)
WIDTH = COUNTED_AT + 1
"""A pane's sums: signals by kind, signals by lineage, engagement by lineage in thousandths; and of the signals of other
people than the brand those that are within their actors' hourly caps, so that neither a bot nor the brand makes growth.
"""

OPEN_BYTES_MAX = 48 * 1024
"""What the actors may take in the row before they are thinned out; a row is at most 64 KiB."""
_ACTOR_BYTES = 8
"""Bytes that the length of an id and a count take in a row, at the most."""

# What is known of an actor: its signals, shifted, whose beginnings it took part in, and what it is to the community.
_ENDOGENOUS, _SEEDED, _MEMBER, _CORE, _SIGNAL = 1, 2, 4, 8, 16
_OF_PEOPLE = (SEEDED, ADOPTED)
_MARKS = tuple(_ENDOGENOUS if lineage >= ADOPTED else _SEEDED * (lineage == SEEDED) for lineage in range(len(LINEAGES)))


class OpenPane:
    """The sums of a pane, and its actors by name with their signals and whether these were endogenous or seeded.

    Where there are too many actors for a row (`is_crowded`), whoever keeps the audiences shows them to these and has
    the pane thinned out; then the counts are lower bounds.

    >>> pane = OpenPane()
    >>> pane.add(Contribution(0, "i", "b/t", "ana", kind=0, lineage=ADOPTED, units=1000, root="r", network="n"))
    >>> pane.counts(), list(pane.endogenous()), list(pane.seeded())
    ({'ana': 1}, ['ana'], [])
    """

    __slots__ = ("_actors", "_bytes", "has_changed", "vector")

    def __init__(self) -> None:
        self.vector = [0] * WIDTH
        self.has_changed = False
        self._actors: dict[str, int] = {}
        self._bytes = 0

    def add(self, contribution: Contribution) -> None:
        """Count one contribution."""
        lineage, actor, vector = contribution.lineage, contribution.actor, self.vector
        vector[contribution.kind] += 1
        vector[LINEAGE_AT + lineage] += 1
        vector[UNITS_AT + lineage] += contribution.units
        if contribution.units and lineage in _OF_PEOPLE:
            vector[COUNTED_AT] += 1
        known = self._actors.get(actor)
        if known is None:
            known = 0
            self._bytes += _bytes_of(actor)
        if contribution.member and lineage != WILD:
            known |= _MEMBER | _CORE * contribution.core
        self._actors[actor] = known + _SIGNAL | _MARKS[lineage]
        self.has_changed = True

    def take_back(self, retraction: Retraction) -> None:
        """Take back what came into this pane. Who was there stays so, also whoever did nothing else."""
        for place, taken in enumerate(vector_of(retraction)):
            self.vector[place] -= taken
            assert self.vector[place] >= 0, f"pane: expected no more to be taken back than came, got {retraction}"
        known = self._actors.get(retraction.actor, 0)
        if known >= _SIGNAL:
            self._actors[retraction.actor] = known - _SIGNAL
        self.has_changed = True

    @property
    def has_actors(self) -> bool:
        """Whether anybody was there."""
        return bool(self._actors)

    @property
    def is_crowded(self) -> bool:
        """Whether the actors are about to take more than a row holds."""
        return self._bytes > OPEN_BYTES_MAX

    def thin_out(self) -> None:
        """Keep only the busier half of the actors, and no marks: the audiences must have been shown them before.

        Every count is lessened by the largest of the other half (Misra and Gries 1982, "Finding repeated elements"):
        with k actors kept, nobody loses more than one in k + 1 of the pane's signals, however often this is done.
        """
        counts = sorted((known // _SIGNAL for known in self._actors.values()), reverse=True)
        less = counts[len(counts) // 2]
        lessened = ((actor, known // _SIGNAL - less) for actor, known in self._actors.items())
        self._actors = {actor: count * _SIGNAL for actor, count in lessened if count > 0}
        self._bytes = sum(map(_bytes_of, self._actors))

    def counts(self) -> dict[str, int]:
        """Return the signals of each actor; those of a pane that was thinned out are lower bounds."""
        return {actor: known // _SIGNAL for actor, known in self._actors.items()}

    def endogenous(self) -> Iterable[str]:
        """Return the actors that took part in what the community began, since the pane was thinned out last."""
        return [actor for actor, known in self._actors.items() if known & _ENDOGENOUS]

    def seeded(self) -> Iterable[str]:
        """Return the actors that took part in what the brand began, since the pane was thinned out last."""
        return [actor for actor, known in self._actors.items() if known & _SEEDED]

    def members(self) -> Iterable[str]:
        """Return the members who were on the topic, since the pane was thinned out last."""
        return [actor for actor, known in self._actors.items() if known & _MEMBER]

    def core_members(self) -> Iterable[str]:
        """Return those of `members` who are core members."""
        return [actor for actor, known in self._actors.items() if known & _CORE]

    def __contains__(self, actor: str) -> bool:
        return actor in self._actors

    def erase(self, actor: str) -> None:
        """Forget an actor who was there, and none of what it added: the audiences must have been shown it before."""
        del self._actors[actor]
        self._bytes -= _bytes_of(actor)
        self.has_changed = True

    def clear(self) -> None:
        """Begin the next pane."""
        self.vector = [0] * WIDTH
        self._actors.clear()
        self._bytes = 0
        self.has_changed = True

    def row(self) -> OpenPaneRow:
        """Return what has to be remembered."""
        return OpenPaneRow(vector=tuple(self.vector), actors=self._actors)

    def restore(self, row: OpenPaneRow) -> None:
        """Go on from a row."""
        self.vector = list(row.vector)
        self._actors = dict(row.actors)
        self._bytes = sum(map(_bytes_of, self._actors))


def vector_of(counted: Contribution | Retraction) -> list[int]:
    """Return what a contribution adds to the sums of its pane."""
    vector = [0] * WIDTH
    vector[counted.kind] = vector[LINEAGE_AT + counted.lineage] = 1
    vector[UNITS_AT + counted.lineage] = counted.units
    vector[COUNTED_AT] = int(counted.units > 0 and counted.lineage in _OF_PEOPLE)
    return vector


def _bytes_of(actor: str) -> int:
    return (len(actor) if actor.isascii() else len(actor.encode())) + _ACTOR_BYTES
