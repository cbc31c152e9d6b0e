"""Remember of one member how it was on topic before it left, and how it is since it came back."""

from collections.abc import Iterable
from hashlib import blake2b
from struct import unpack

from schemas.cohort_rows import CohortActorRow, CohortBeforeRow
from streams.measures.before_after import Rates, Tags

HISTORY_DAYS = 14
"""How many days count, the running one included: before an actor left, and since it came back."""
DAY_ACTS_MAX = 50
"""What one actor may count in a day, so that no bot makes a return prolific."""
USES_MAX = 32
"""How many uses of tags count of one actor on each side: its last ones, so that none speaks for all."""

_TAG_BYTES = 4


class CohortActor:
    """One member: its history on topic, and its part in the cohort that is watched.

    `days` counts acts by day after the one at `since_ms`; `uses` are the days and tags of the last uses. Both begin
    anew when the actor comes back. `before` is what they were when it left. `home` is the number of the first cascade
    on the topic in which it was seen: who came by the same one belongs together.
    """

    __slots__ = ("back_ms", "before", "days", "home", "last_ms", "left_ms", "since_ms", "uses")

    def __init__(self) -> None:
        self.last_ms = 0
        self.since_ms: int | None = None
        self.days: dict[int, int] = {}
        self.uses: list[tuple[int, bytes]] = []
        self.before: CohortBeforeRow | None = None
        self.left_ms: int | None = None
        self.back_ms: int | None = None
        self.home: int | None = None

    def act(self, at_ms: int, *, day_ms: int, tags: Iterable[str], may_return: bool) -> None:
        """Take in an act on topic: one more, or the one that ends an absence and begins a history."""
        returns = self.left_ms is not None and self.back_ms is None and may_return
        if returns:
            self.back_ms = at_ms
        elif self.left_ms is None and self.before is not None:
            # Left with an earlier cohort, and returned when nobody asked any more.
            self.before = None
            returns = True
        if returns or self.since_ms is None:
            self.since_ms = at_ms
            self.days.clear()
            self.uses.clear()
        else:
            day = at_ms // day_ms
            self.days[day] = min(self.days.get(day, 0) + 1, DAY_ACTS_MAX)
            if len(self.days) > HISTORY_DAYS:
                self.days = {known: acts for known, acts in self.days.items() if known > day - HISTORY_DAYS}
        self.uses += [(at_ms // day_ms, tag) for tag in sorted({_bytes_of(tag) for tag in tags})]
        del self.uses[:-USES_MAX]

    def leave(self, at_ms: int, *, day_ms: int) -> None:
        """Join the cohort; what it was before stands from an earlier absence that it did not return from."""
        self.left_ms = at_ms
        if self.before is None:
            acts, span_ms = self._rate(at_ms, day_ms=day_ms)
            self.before = CohortBeforeRow(acts, span_ms, b"".join(self.tags(at_ms, day_ms=day_ms)))

    def settle(self) -> None:
        """Belong to no cohort any more."""
        if self.back_ms is not None:
            self.before = None
        self.left_ms = self.back_ms = None

    def is_comparable(self, at_ms: int, *, day_ms: int) -> bool:
        """Return whether there is a whole day before and since, of all hours: people sleep."""
        return (
            self.before is not None
            and self.before.span_ms >= day_ms
            and self.back_ms is not None
            and at_ms - self.back_ms >= day_ms
        )

    def rates(self, at_ms: int, *, day_ms: int) -> Rates:
        """Return acts and time before and since, of an actor that returned."""
        assert self.before is not None, "an actor that returned has left before"
        acts, span_ms = self._rate(at_ms, day_ms=day_ms)
        return Rates(self.before.acts, self.before.span_ms, acts, span_ms)

    def _rate(self, at_ms: int, *, day_ms: int) -> tuple[int, int]:
        """Return how many acts there were in the last 14 days, or since the one that began the history, in how long."""
        if self.since_ms is None:
            return 0, 0
        first = at_ms // day_ms - HISTORY_DAYS + 1
        acts = sum(acts for day, acts in self.days.items() if day >= first)
        return acts, at_ms - max(self.since_ms, first * day_ms)

    def tags(self, at_ms: int, *, day_ms: int) -> list[bytes]:
        """Return the last uses of tags within 14 days."""
        first = at_ms // day_ms - HISTORY_DAYS + 1
        # Uses are in the order of time, and seldom is any too old.
        if self.uses and self.uses[0][0] >= first:
            return [tag for _, tag in self.uses]
        return [tag for day, tag in self.uses if day >= first]

    def uses_of_tags(self, at_ms: int, *, day_ms: int) -> Tags:
        """Return its last uses of tags before and since, of an actor that returned."""
        assert self.before is not None, "an actor that returned has left before"
        after = b"".join(self.tags(at_ms, day_ms=day_ms))
        return Tags(_numbers(self.before.tags), _numbers(after))

    def row(self, number: int, *, day_ms: int) -> CohortActorRow:
        """Return the row of this actor, without what is older than any window that will be asked for."""
        last = self.last_ms // day_ms
        uses = [(last - day, tag) for day, tag in self.uses if last - day < HISTORY_DAYS]
        return CohortActorRow(
            number=number,
            last_ms=self.last_ms,
            since_ms=self.since_ms,
            days=bytes(self.days.get(last - age, 0) for age in range(HISTORY_DAYS)).rstrip(b"\0"),
            ages=bytes(age for age, _ in uses),
            tags=b"".join(tag for _, tag in uses),
            before=self.before,
            left_ms=self.left_ms,
            back_ms=self.back_ms,
            home=self.home,
        )

    @classmethod
    def restored(cls, row: CohortActorRow, *, day_ms: int) -> "CohortActor":
        """Return the actor that a row was made of."""
        actor, last = cls(), row.last_ms // day_ms
        actor.last_ms, actor.since_ms, actor.before = row.last_ms, row.since_ms, row.before
        actor.left_ms, actor.back_ms, actor.home = row.left_ms, row.back_ms, row.home
        actor.days = {last - age: acts for age, acts in enumerate(row.days) if acts}
        actor.uses = [(last - age, tag) for age, tag in zip(row.ages, _split(row.tags), strict=True)]
        return actor


def home_of(root: str) -> int:
    """Return the number that stands for the cascade of a root, of 48 bits."""
    return int.from_bytes(
        blake2b(root.encode(errors="surrogatepass"), digest_size=6, person=b"homes").digest(), "little"
    )


def _bytes_of(tag: str) -> bytes:
    # Of ten thousand tags two share their bytes with a chance of 1 in 90.
    return blake2b(tag.encode(), digest_size=_TAG_BYTES, person=b"cohort tags").digest()


def _split(tags: bytes) -> list[bytes]:
    return [tags[at : at + _TAG_BYTES] for at in range(0, len(tags), _TAG_BYTES)]


def _numbers(tags: bytes) -> tuple[int, ...]:
    # The same as `_split`, several times as fast where there are many.
    return unpack(f"<{len(tags) // _TAG_BYTES}I", tags)
