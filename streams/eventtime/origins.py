"""Tell how far all upstream partitions have come: the frontier of a partition of packed records."""

from typing import Literal

from schemas.attributed import BEGINNING, Position

Verdict = Literal["taken", "repeated", "gap"]


class OriginFrontier:
    """The position that every origin has passed, from packets that say what they cover.

    A packet covers the stamps in (`after`, `upto`]. One that begins behind what its origin was heard up to has lost a
    predecessor on the way (`gap`): it is not taken, its origin has not had it acknowledged and will send again from
    the lost one. One that ends at or before it was told already (`repeated`). Otherwise it is taken, of its
    items those behind the position heard so far.

    >>> frontier = OriginFrontier(origins=2)
    >>> frontier.hear(0, after=BEGINNING, upto=(50, ""))
    'taken'
    >>> frontier.position, frontier.hear(1, after=(10, ""), upto=(60, ""))
    ((0, ''), 'gap')
    """

    def __init__(self, *, origins: int) -> None:
        self.heard: list[Position] = [BEGINNING] * origins
        self._lowest = BEGINNING
        self._stale = False

    @property
    def position(self) -> Position:
        """The position up to which nothing more will come from any origin; it never goes back."""
        if self._stale:
            self._lowest = min(self.heard)
            self._stale = False
        return self._lowest

    def hear(self, origin: int, *, after: Position, upto: Position) -> Verdict:
        """Take note of a packet and say whether its items are to be taken."""
        heard = self.heard[origin]
        if upto <= heard:
            return "repeated"
        if after > heard:
            return "gap"
        self.heard[origin] = upto
        if heard == self._lowest:
            self._stale = True
        return "taken"

    def row(self) -> tuple[Position, ...]:
        """Return what a restart needs to go on from here."""
        return tuple(self.heard)

    def restore(self, row: tuple[Position, ...]) -> None:
        """Go on from a row; the number of origins must be the same."""
        if len(row) != len(self.heard):
            raise ValueError(f"expected the positions of {len(self.heard)} origins, got {len(row)}")
        self.heard = [(at_ms, signal_id) for at_ms, signal_id in row]
        self._lowest = min(self.heard, default=BEGINNING)
        self._stale = False
