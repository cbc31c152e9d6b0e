"""What members do who leave a topic and come back, what is stored of it, for the tests of leavers."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.attributed import ADOPTED, WILD
from schemas.contribution import Contribution
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import DAY_MS, HOUR_MS, ReturnedRules
from schemas.vitals import Measures, State
from streams.measures.tag_actors import number_of
from streams.steps.leavers import Leavers
from tests.streams.steps.logs import START_MS

SEEDS = frozenset({"#brand", "#launch"})
EMERGENT = frozenset({"#wild"})
RULES = ReturnedRules()
MEMBERS = [f"member-{number}" for number in range(40)]
NUMBERS = [number_of(member) for member in MEMBERS]
Z = 1.959963984540054


class Turn(NamedTuple):
    """A topic goes from one state to another."""

    before: State
    after: State
    at_ms: int


class Join(NamedTuple):
    """The brand goes where those are who have left."""

    at_ms: int


class Told(NamedTuple):
    """What is known of the cohort at a tick."""

    at_ms: int
    outcome: str | None
    measures: Measures


Step = Contribution | Turn | Join | int
"""What a member does, what the topic and its brand do, and a tick."""


def said(at_ms: int, actor: str, *tags: str, lineage: int = ADOPTED, member: bool = True) -> Contribution:
    """Return what somebody said on the topic, or elsewhere where it is wild."""
    return Contribution(at_ms, f"{at_ms}{actor}", "b/t", actor, 0, lineage, 1000, "r", "n", member=member, tags=tags)


def left(at_ms: int, *actors: str) -> list[Contribution]:
    """Return what people say elsewhere, on what has emerged there."""
    return [said(at_ms, actor, "#wild", lineage=WILD) for actor in actors]


def take(leavers: Leavers, steps: Iterable[Step]) -> list[Told]:
    """Let everything happen in order; return what was known at each tick."""
    told = []
    for step in steps:
        if isinstance(step, Contribution):
            leavers.act(step, seeds=SEEDS, emergent=EMERGENT)
        elif isinstance(step, Turn):
            leavers.follow(*step)
        elif isinstance(step, Join):
            leavers.join(step.at_ms)
        else:
            told.append(Told(step, leavers.read(step, RULES), Measures()))
            leavers.tell(told[-1].measures)
    return told


def last(steps: Iterable[Step]) -> Told:
    """Return what is known at the last tick of a new topic."""
    return take(Leavers(hour_ms=HOUR_MS), steps)[-1]


class Table:
    """What is stored of the leavers."""

    def __init__(self, rows: dict[str, bytes] | None = None) -> None:
        self.rows = {} if rows is None else dict(rows)

    def take(self, leavers: Leavers) -> None:
        """Store what changed; a row that ends must be there."""
        for name, row in leavers.changed_rows():
            if row is None:
                del self.rows[name]
            else:
                assert len(row) <= ROW_BYTES_MAX
                self.rows[name] = row

    def restored(self) -> Leavers:
        """Return leavers that go on from what is stored."""
        by_letter: dict[str, list[bytes]] = {}
        for name, row in self.rows.items():
            by_letter.setdefault(name.partition("|")[0], []).append(row)
        leavers = Leavers(hour_ms=HOUR_MS)
        leavers.restore(by_letter)
        return leavers


def returned(*, at_ms: int) -> list[Step]:
    """Return an escape of all members, who come back a day later; at an instant it is told so."""
    return [Turn("growing", "escaped", START_MS), *left(START_MS + 1, *MEMBERS),
            Turn("escaped", "returning", START_MS + DAY_MS), *(said(START_MS + DAY_MS, one) for one in MEMBERS),
            at_ms]  # fmt: skip


BACK = MEMBERS[:30]
LEAVING_MS = START_MS + 36 * 6 * HOUR_MS
RETURN_MS = LEAVING_MS + DAY_MS
READ_MS = RETURN_MS + 40 * 3 * HOUR_MS


def richer(*always: str) -> list[Step]:
    """Return a life in which all use two tags every six hours, leave, and most return with four, every three hours.

    Each act uses the tags of `always`, too.
    """
    steps: list[Step] = [
        said(START_MS + number * 6 * HOUR_MS, one, *always, f"#own-{number % 2}")
        for number in range(37)
        for one in MEMBERS
    ]
    steps += [
        Turn("outgrown", "escaped", LEAVING_MS),
        *left(LEAVING_MS, *MEMBERS),
        Turn("escaped", "returning", RETURN_MS),
    ]
    steps += [
        said(RETURN_MS + number * 3 * HOUR_MS, one, *always, f"#own-{number % 4}")
        for number in range(41)
        for one in BACK
    ]
    return [*steps, READ_MS]
