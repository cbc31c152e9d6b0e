"""What two hundred members say for some days, and what is stored of it, for the tests of drift."""

from collections.abc import Iterable
from math import sqrt
from random import Random

import msgspec

from schemas.attributed import ADOPTED, WILD
from schemas.contribution import Contribution
from schemas.drift_rows import DriftRow
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import DAY_MS, HOUR_MS, Rules
from schemas.vitals import Measures
from streams.steps.drift import NOW_PANES, TopicDrift

PANE_MS = HOUR_MS // 2
BEFORE_PANES = 336
START_MS = 1_341_360_000_000
SEEDS = frozenset({"#brand"})
RULES = Rules()
MEMBERS = [f"member-{number}" for number in range(200)]
SMALL_TALK = tuple(f"#talk{number}" for number in range(12))
WINDOW_MS = NOW_PANES * PANE_MS
QUIET_MS = 4 * DAY_MS
END_MS = START_MS + QUIET_MS + WINDOW_MS


class Table:
    """What is stored of a drift: rows by name, and what they make when they are read."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def take(self, drift: TopicDrift) -> None:
        """Store what changed; a row that ends must be there."""
        for name, row in drift.changed_rows():
            if row is None:
                del self.rows[name]
            else:
                assert len(row) <= ROW_BYTES_MAX
                self.rows[name] = row

    def restored(self, *, before_panes: int = BEFORE_PANES) -> TopicDrift:
        """Return a drift that goes on from what is stored."""
        by_letter: dict[str, list[bytes]] = {}
        for name, row in self.rows.items():
            by_letter.setdefault(name.partition("|")[0], []).append(row)
        drift = TopicDrift(pane_ms=PANE_MS, before_panes=before_panes)
        drift.restore(by_letter)
        return drift

    @property
    def found(self) -> DriftRow:
        """What the last evaluation found."""
        return msgspec.msgpack.decode(self.rows["d"], type=DriftRow)


def said(
    at_ms: int,
    actor: str,
    tags: Iterable[str],
    *,
    lineage: int = ADOPTED,
    root: str = "r",
    member: bool = True,
    outside: tuple[int, ...] = (),
    actors: int = 0,
    shard: int = -1,
) -> Contribution:
    """Return what somebody said on the topic, or elsewhere where it is wild."""
    return Contribution(at_ms, f"{at_ms}{actor}", "b/t", actor, 0, lineage, 1000, root, "n", member, tuple(tags), shard,
                        outside, actors)  # fmt: skip


def wild(at_ms: int, actor: str, tag: str, *, root: str = "", users: int = 0, member: bool = True) -> Contribution:
    """Return what somebody said elsewhere, in a conversation of its own, while `users` of 100 others said it, too."""
    number = sum(map(ord, actor))
    return said(at_ms, actor, [tag], lineage=WILD, root=root or f"of {actor}", member=member, outside=(users,),
                actors=100, shard=number % 64)  # fmt: skip


def quiet_days(random: Random) -> list[Contribution]:
    """Return four days in which every member is on the topic, and has small talk elsewhere, every half day or so."""
    log = []
    for member in MEMBERS:
        for half_day in range(8):
            at_ms = START_MS + half_day * DAY_MS // 2
            log.append(said(at_ms + random.randrange(DAY_MS // 2), member, ["#brand"]))
            log.append(wild(at_ms + random.randrange(DAY_MS // 2), member, random.choice(SMALL_TALK), users=5))
    return log


def after_quiet_days(random: Random, log: Iterable[Contribution] = ()) -> TopicDrift:
    """Return a drift evaluated behind four quiet days, the log and three hours."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
    take(drift, [*quiet_days(random), *log])
    evaluate(drift, END_MS)
    return drift


def take(drift: TopicDrift, log: Iterable[Contribution]) -> list[bool]:
    """Let a log be said in the order of stamps; return what belongs to the topic or to what emerged from it."""
    return [drift.add(one, SEEDS) for one in sorted(log, key=lambda one: (one.at, one.id))]


def evaluate(drift: TopicDrift, at_ms: int, *, rules: Rules = RULES) -> None:
    """Find out what emerged."""
    drift.evaluate(at_ms, rules=rules, seeds=SEEDS)


def told(drift: TopicDrift) -> Measures:
    """Return the measures of a tick."""
    measures = Measures()
    drift.tell(measures)
    return measures


def within(random: Random) -> int:
    """Return an instant of the last three hours."""
    return END_MS - WINDOW_MS + random.randrange(WINDOW_MS)


def wilson_low(successes: int, n: int) -> float:
    """Return the lower bound of Wilson's 95 % interval, by its formula."""
    z, p = 1.959963984540054, successes / n
    return (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def planted(random: Random, fraction: float, *, users: int = 0) -> list[Contribution]:
    """Return three hours in which this fraction of the members talk about something new, the others stay."""
    moved = int(fraction * len(MEMBERS))
    chosen = random.sample(MEMBERS, len(MEMBERS))
    log = [wild(within(random), member, "#wild", users=users) for member in chosen[:moved]]
    return log + [said(within(random), member, ["#brand"]) for member in chosen[moved:]]
