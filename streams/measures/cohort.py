"""Follow the members who left while a topic had escaped: whether they come back, and how they are when they do."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schemas.cohort_rows import CohortActorsRow, CohortHeadRow, CohortRow
from schemas.rules import ReturnedRules
from streams.measures.before_after import diversity_ratio, prolific_ratio
from streams.measures.cohort_actor import HISTORY_DAYS, CohortActor, home_of
from streams.measures.endogenous import wilson_interval
from streams.measures.tag_actors import NUMBER_BITS, number_of

ACTORS_MAX = 2_000
"""How many actors the sample may hold."""
CHUNKS = 256
"""Rows among which they are distributed: what one actor does costs one of these."""
CHUNK_ACTORS_MAX = 128
HEAD = -1
"""The key of the row that tells which sample and which cohort there are."""


class CohortReading(NamedTuple):
    """What has become of a cohort, as seen in a sample of 1 in `scale` actors: test the counts as they are.

    Of `size` members who left, `returned` did something on topic again after `closed_ms`, or after the brand came after
    them at `joined_ms` where that was earlier, in time; with so many the rules saw them as returned from `reached_ms`
    on, None where they have not. `active` did anything anywhere since `closed_ms` (or since `opened_ms`, while it is
    open), the last one at `last_active_ms`. The ratios compare `compared` of those who returned with themselves, None
    where there is too little to say anything.
    """

    opened_ms: int
    closed_ms: int | None
    size: int
    scale: int
    returned: int
    return_rate: float | None
    return_rate_low: float | None
    reached_ms: int | None
    active: int
    last_active_ms: int | None
    compared: int
    prolific_ratio: float | None
    prolific_ratio_low: float | None
    prolific_ratio_high: float | None
    diversity_ratio: float | None
    diversity_ratio_low: float | None
    joined_ms: int | None = None


class Cohort:
    """The members of one topic, as far as it takes to know how those who leave were before, and what became of them.

    `act` is told in the order of event time what members do, on topic and elsewhere. From `open` (the topic has
    escaped) to `close` (it is over) whoever uses an emergent topic has left and joins the cohort; whoever of these does
    something on topic after `close`, or after `join` (the brand has gone after them), has returned. `settle` ends it;
    those who have not returned by then keep what they were before, should they leave again.

    Who returned is compared with the time before leaving, if there is a day (`day_ms`) of both, up to 14 days each. A
    history begins with an act, which does not count: from then on acts come at an actor's own rate, also where it was
    seen for a short time only. How *prolific* a return is are all acts after it over those that were to be expected,
    every actor at its own rate before: so it does not matter that the busiest return first. How *diverse* are the tags
    of what actors do on topic, by their effective number e^H, the larger side rarefied to the size of the smaller.

    What is kept is bounded: `ACTORS_MAX` actors, those whose numbers are lowest (adaptive sampling, as `TagActors` has
    it, and the same actors); some 400 bytes of each at most. While no cohort is watched, who does nothing on topic for
    14 days is forgotten, and a sample that has become sparse is judged anew after as long. Which actors are in the
    sample does not depend on the order within an instant; acts of one actor at one instant count in the order told.

    Source: MEASURES.md §7; sampling: Flajolet 1990; the ratio is indirectly standardised, as in Breslow & Day 1987.

    >>> cohort, rules = Cohort(day_ms=100), ReturnedRules(within_ms=1_400, hold_ms=100)
    >>> for at_ms in (0, 10, 120, 240):
    ...     cohort.act("ana", at_ms=at_ms, on_topic=True, tags=["#roses"])
    >>> cohort.open(250)
    >>> cohort.act("ana", at_ms=300, on_topic=False, emergent=True)
    >>> cohort.close(400)
    >>> cohort.read(450, rules=rules).return_rate
    0.0
    >>> cohort.act("ana", at_ms=460, on_topic=True)
    >>> cohort.read(500, rules=rules).return_rate
    1.0
    """

    def __init__(self, *, day_ms: int) -> None:
        if day_ms < 1:
            raise ValueError(f"cohort: expected days of at least 1 ms, got {day_ms}")
        self._day_ms = day_ms
        self._level = self._level_day = self._day = 0
        self._opened_ms: int | None = None
        self._closed_ms: int | None = None
        self._joined_ms: int | None = None
        self._actors: dict[int, CohortActor] = {}
        self._chunks: dict[int, set[int]] = {}
        self._changed: set[int] = set()
        self._told: set[int] = set()
        self._told_head = CohortHeadRow()

    def is_empty(self) -> bool:
        """Return whether nobody is known and no cohort is watched."""
        return not self._actors and self._opened_ms is None

    @property
    def is_open(self) -> bool:
        """Whether whoever leaves joins the cohort."""
        return self._opened_ms is not None and self._closed_ms is None

    def open(self, at_ms: int) -> None:
        """Begin a new cohort: the topic has escaped. Raises ValueError where one is open: an error of the caller."""
        if self.is_open:
            raise ValueError(f"cohort: expected none to be open at {at_ms}, got one from {self._opened_ms}: close it")
        self.settle()
        self._opened_ms = at_ms

    def close(self, at_ms: int) -> None:
        """Let nobody join any more and see who returns. Raises ValueError where none is open: a caller's error."""
        if not self.is_open:
            raise ValueError(f"cohort: expected one to be open at {at_ms}, got none: open it")
        self._closed_ms = at_ms

    def join(self, at_ms: int) -> None:
        """Let who comes back from now on have returned: the brand has gone where they are. The first time counts."""
        if self._opened_ms is not None and self._joined_ms is None:
            self._joined_ms = at_ms

    def settle(self) -> None:
        """Watch the cohort no longer: its outcome has been told, or another one begins."""
        self._opened_ms = self._closed_ms = self._joined_ms = None
        for number, actor in self._actors.items():
            if actor.left_ms is not None:
                actor.settle()
                self._changed.add(number % CHUNKS)

    def act(
        self,
        actor: str,
        *,
        at_ms: int,
        on_topic: bool,
        emergent: bool = False,
        tags: Iterable[str] = (),
        root: str | None = None,
    ) -> None:
        """Take in what a member did at an instant not before the last one.

        `on_topic` is seeded or adopted, `emergent` says that it used a topic that emerged elsewhere; an act can be
        both. `tags` are its own, without the seeds of the topic: these say nothing of how diverse it is; `root` is that
        of its cascade. Those of acts that are not on topic do not count.
        """
        self.expire(at_ms)
        number = number_of(actor)
        if number >> NUMBER_BITS - self._level:
            return
        known = self._actors.get(number)
        joins = emergent and self.is_open
        if not on_topic and not joins and (known is None or known.left_ms is None):
            return
        if known is None:
            known = self._enter(number)
            if known is None:
                return
        known.last_ms = at_ms
        if on_topic:
            if known.home is None and root is not None:
                known.home = home_of(root)
            may_return = self._closed_ms is not None or self._joined_ms is not None
            known.act(at_ms, day_ms=self._day_ms, tags=tags, may_return=may_return)
        if joins and known.left_ms is None:
            known.leave(at_ms, day_ms=self._day_ms)
        self._changed.add(number % CHUNKS)

    def _enter(self, number: int) -> CohortActor | None:
        """Take an actor into the sample, or narrow the sample until it fits; return it if it is still inside."""
        self._actors[number] = CohortActor()
        chunk = self._chunks.setdefault(number % CHUNKS, set())
        chunk.add(number)
        # Invariant: `level` is the least, since `level_day`, at which those who were there fit, whatever their order.
        while len(self._actors) > ACTORS_MAX or len(chunk) > CHUNK_ACTORS_MAX:
            self._level += 1
            self._level_day = self._day
            self._drop(known for known in self._actors if known >> NUMBER_BITS - self._level)
        return self._actors.get(number)

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in list(numbers):
            del self._actors[number]
            self._chunks[number % CHUNKS].remove(number)
            self._changed.add(number % CHUNKS)

    def erase(self, actor: str) -> bool:
        """Forget an actor: from now on the cohort is one without it. Return whether it was known."""
        number = number_of(actor)
        if number not in self._actors:
            return False
        self._drop([number])
        return True

    def expire(self, at_ms: int) -> None:
        """Forget who was silent for 14 days; costs something at the first call of a day only. `act` does it too."""
        day = at_ms // self._day_ms
        if day <= self._day:
            return
        self._day = day
        last_ms_min = (day - HISTORY_DAYS + 1) * self._day_ms
        self._drop(n for n, actor in self._actors.items() if actor.left_ms is None and actor.last_ms < last_ms_min)
        if self._opened_ms is None and day - self._level_day >= HISTORY_DAYS:
            expected = len(self._actors)
            while self._level and expected <= ACTORS_MAX // 4:
                self._level -= 1
                self._level_day = day
                expected *= 2

    def homes(self, numbers: Iterable[int]) -> Counter[int]:
        """Return how many of some actors (`number_of`) came to the topic by which cascade (`home_of`), if known."""
        known = (self._actors.get(number) for number in numbers)
        return Counter(actor.home for actor in known if actor is not None and actor.home is not None)

    def is_awaited(self, at_ms: int, *, rules: ReturnedRules) -> bool:
        """Return whether it may still be said of a cohort that is closed what has become of it."""
        begun_ms = clock_ms(self._closed_ms, self._joined_ms)
        return self._closed_ms is not None and begun_ms is not None and at_ms < begun_ms + rules.within_ms

    def read(self, at_ms: int, *, rules: ReturnedRules, compares: bool = True) -> CohortReading | None:
        """Return what has become of the cohort up to an instant, None where none is watched.

        The durations of the rules are scaled already. Costs what there are of actors, and where it `compares` some ten
        times as much: otherwise both ratios are None, and an outcome that needs them waits for a reading that does.
        """
        if self._opened_ms is None:
            return None
        closed_ms = self._closed_ms
        cohort = [actor for actor in self._actors.values() if actor.left_ms is not None]
        size, since_ms = len(cohort), self._opened_ms if closed_ms is None else closed_ms
        begun_ms = clock_ms(closed_ms, self._joined_ms)
        returned = [
            actor
            for actor in cohort
            if actor.back_ms is not None and begun_ms is not None and actor.back_ms < begun_ms + rules.within_ms
        ]
        compared = [actor for actor in returned if compares and actor.is_comparable(at_ms, day_ms=self._day_ms)]
        prolific = prolific_ratio([actor.rates(at_ms, day_ms=self._day_ms) for actor in compared])
        diverse = diversity_ratio([actor.uses_of_tags(at_ms, day_ms=self._day_ms) for actor in compared])
        is_rated = size > 0 and begun_ms is not None
        return CohortReading(
            opened_ms=self._opened_ms,
            closed_ms=closed_ms,
            joined_ms=self._joined_ms,
            size=size,
            scale=1 << self._level,
            returned=len(returned),
            return_rate=len(returned) / size if is_rated else None,
            return_rate_low=wilson_interval(successes=len(returned), n=size).low if is_rated else None,
            reached_ms=_reached_ms([actor.back_ms or 0 for actor in returned], size=size, rules=rules),
            active=sum(actor.last_ms >= since_ms for actor in cohort),
            last_active_ms=max((actor.last_ms for actor in cohort), default=None),
            compared=len(compared),
            prolific_ratio=prolific.value if prolific else None,
            prolific_ratio_low=prolific.low if prolific else None,
            prolific_ratio_high=prolific.high if prolific else None,
            diversity_ratio=diverse.value if diverse else None,
            diversity_ratio_low=diverse.low if diverse else None,
        )

    def changed_rows(self) -> list[tuple[int, CohortRow | None]]:
        """Return (key, its row, or None where it ended) for the head and the chunks that changed since last time."""
        rows: list[tuple[int, CohortRow | None]] = []
        head = self._head_row()
        if head != self._told_head:
            self._told_head = head
            rows.append((HEAD, None if head == CohortHeadRow() else head))
        for chunk in sorted(self._changed):
            numbers = sorted(self._chunks.get(chunk, ()))
            if numbers:
                actors = tuple(self._actors[number].row(number, day_ms=self._day_ms) for number in numbers)
                rows.append((chunk, CohortActorsRow(chunk, actors)))
                self._told.add(chunk)
            elif chunk in self._told:
                rows.append((chunk, None))
                self._told.remove(chunk)
        self._changed.clear()
        return rows

    def _head_row(self) -> CohortHeadRow:
        """Return the head, the default one where there is nothing that a restart would have to know."""
        if self.is_empty() and not self._level:
            return CohortHeadRow()
        return CohortHeadRow(self._level, self._level_day, self._day, self._opened_ms, self._closed_ms, self._joined_ms)

    def restore(self, rows: Iterable[CohortRow]) -> None:
        """Take up the rows of earlier `changed_rows`, in any order."""
        for row in rows:
            if isinstance(row, CohortHeadRow):
                self._told_head = row
                self._level, self._level_day, self._day = row.level, row.level_day, row.day
                self._opened_ms, self._closed_ms, self._joined_ms = row.opened_ms, row.closed_ms, row.joined_ms
                continue
            self._told.add(row.chunk)
            self._chunks[row.chunk] = {actor.number for actor in row.actors}
            self._actors.update(
                (actor.number, CohortActor.restored(actor, day_ms=self._day_ms)) for actor in row.actors
            )


def clock_ms(closed_ms: int | None, joined_ms: int | None) -> int | None:
    """Return from when on a return has `within_ms` to happen: the end of the escape, or a brand join behind that.

    A join before the end begins the clock already, and the end begins it anew. None before either (MEASURES.md §7).

    >>> clock_ms(None, 7), clock_ms(9, 7), clock_ms(9, 12)
    (7, 9, 12)
    """
    begun_ms = [at_ms for at_ms in (closed_ms, joined_ms) if at_ms is not None]
    return max(begun_ms, default=None)


def _reached_ms(backs_ms: list[int], *, size: int, rules: ReturnedRules) -> int | None:
    """Return when so many of a cohort had returned that the rate is surely high enough, None where it never was."""
    needed = bisect_left(range(1, size + 1), rules.rate_enter, key=lambda n: wilson_interval(successes=n, n=size).low)
    return sorted(backs_ms)[needed] if needed < len(backs_ms) else None


def outcome(reading: CohortReading, *, at_ms: int, rules: ReturnedRules) -> str | None:
    """Return what has become of a cohort: returned-richer, returned, faded, settled-elsewhere; None while undecided.

    The rate of return never falls, so it is enough that it was reached `hold_ms` ago: by then those who made it have
    been back as long. If then it is not measured yet whether they are more prolific and more diverse (nobody is
    compared before a day is over), it waits until it is, but no longer than `within_ms` (`clock_ms`). Where the rate
    was not reached by then, they have settled elsewhere if as many as a return takes are active anywhere, and faded if
    not. Of fewer than `cohort_min` nothing is ever said. What is told first stands: the caller asks no more.
    """
    if reading.closed_ms is None or reading.size < rules.cohort_min:
        return None
    begun_ms = clock_ms(reading.closed_ms, reading.joined_ms)
    is_over = begun_ms is not None and at_ms >= begun_ms + rules.within_ms
    if reading.reached_ms is None:
        if not is_over:
            return None
        return "settled-elsewhere" if reading.active >= rules.rate_enter * reading.size else "faded"
    if not is_over and at_ms < reading.reached_ms + rules.hold_ms:
        return None
    is_richer = _is_richer(reading, rules)
    if is_richer is None and not is_over:
        return None
    return "returned-richer" if is_richer else "returned"


def _is_richer(reading: CohortReading, rules: ReturnedRules) -> bool | None:
    """Return whether both ratios say so, None where that depends on one that is not measured yet."""
    is_prolific = _is_more(reading.prolific_ratio, reading.prolific_ratio_low, rules.prolific_min)
    is_diverse = _is_more(reading.diversity_ratio, reading.diversity_ratio_low, rules.diverse_min)
    if is_prolific is False or is_diverse is False:
        return False
    return True if is_prolific and is_diverse else None


def _is_more(ratio: float | None, low: float | None, ratio_min: float) -> bool | None:
    """Return whether a ratio is large enough and surely above 1, None where it is not measured."""
    return None if ratio is None or low is None else ratio >= ratio_min and low > 1
