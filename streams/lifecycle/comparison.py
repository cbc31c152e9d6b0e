"""Compare the alerts of two runs over one log: which episodes appear, vanish or move, with their conditions."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from schemas.alert import Alert, Condition
from streams.eventtime.instants import instant_ms

Change = Literal["same", "moved", "changed", "vanished", "appeared"]

ENDS: frozenset[str] = frozenset({"resolved", "superseded", "expired"})


class Episode(NamedTuple):
    """The life of one episode: the revision that raised it, when that was and when it ended (None: it goes on)."""

    raised: Alert
    at_ms: int
    ended_ms: int | None

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """Return what two episodes must share to be one story: brand, topic, state and, if viral, the cascade."""
        cascades = self.raised.evidence.cascades
        root = cascades[0].root if self.raised.state == "viral" and cascades else ""
        return self.raised.brand, self.raised.topic, self.raised.state, root


class Side(NamedTuple):
    """One condition as both runs had it when they raised the alert; None where one has no such condition."""

    name: str
    before: Condition | None
    after: Condition | None


class Difference(NamedTuple):
    """What became of one episode: `before` as the first run told it, `after` as the second did."""

    change: Change
    before: Episode | None
    after: Episode | None

    @property
    def at_ms(self) -> int:
        """The tick (epoch ms) at which the episode was raised, by the first run if by both."""
        episode = self.before or self.after
        assert episode is not None, "a difference is of at least one episode"
        return episode.at_ms

    @property
    def sides(self) -> tuple[Side, ...]:
        """The conditions of both, side by side, in the order in which they are told."""
        ours, theirs = _conditions(self.before), _conditions(self.after)
        return tuple(Side(name, ours.get(name), theirs.get(name)) for name in {**ours, **theirs})


def episodes_of(alerts: Iterable[Alert]) -> list[Episode]:
    """Return the episodes of some alerts in the order in which they were raised."""
    raised: dict[str, Alert] = {}
    ended_ms: dict[str, int] = {}
    for alert in alerts:
        raised.setdefault(alert.episode, alert)
        if alert.status in ENDS:
            ended_ms.setdefault(alert.episode, instant_ms(alert.at))
    return [Episode(alert, instant_ms(alert.at), ended_ms.get(episode)) for episode, alert in raised.items()]


def compare(before: Iterable[Alert], after: Iterable[Alert]) -> list[Difference]:
    """Return what differs between two runs over the same log, and what is the same, in the order of event time.

    Two episodes of one subject are the same story where their lives overlap: `same` if they were raised and ended at
    the same ticks with the same severity, `moved` if not at the same ticks, else `changed`.
    """
    ours, theirs = _by_subject(episodes_of(before)), _by_subject(episodes_of(after))
    told = [
        difference
        for subject in sorted(ours.keys() | theirs.keys())
        for difference in _matched(ours.get(subject, []), theirs.get(subject, []))
    ]
    return sorted(told, key=lambda difference: difference.at_ms)


def _by_subject(episodes: Sequence[Episode]) -> dict[tuple[str, str, str, str], list[Episode]]:
    subjects: dict[tuple[str, str, str, str], list[Episode]] = {}
    for episode in episodes:
        subjects.setdefault(episode.subject, []).append(episode)
    return subjects


def _matched(ours: Sequence[Episode], theirs: Sequence[Episode]) -> list[Difference]:
    """Pair the episodes of one subject: neither side has two lives at a time, so one walk over both is enough."""
    told: list[Difference] = []
    mine, yours = 0, 0
    while mine < len(ours) and yours < len(theirs):
        one, other = ours[mine], theirs[yours]
        if one.ended_ms is not None and one.ended_ms < other.at_ms:
            told.append(Difference("vanished", one, None))
            mine += 1
        elif other.ended_ms is not None and other.ended_ms < one.at_ms:
            told.append(Difference("appeared", None, other))
            yours += 1
        else:
            told.append(Difference(_change(one, other), one, other))
            mine, yours = mine + 1, yours + 1
    told += [Difference("vanished", one, None) for one in ours[mine:]]
    told += [Difference("appeared", None, other) for other in theirs[yours:]]
    return told


def _change(one: Episode, other: Episode) -> Change:
    if (one.at_ms, one.ended_ms) != (other.at_ms, other.ended_ms):
        return "moved"
    mine, yours = one.raised, other.raised
    same = (mine.severity, mine.conditions, mine.outcome) == (yours.severity, yours.conditions, yours.outcome)
    return "same" if same else "changed"


def _conditions(episode: Episode | None) -> dict[str, Condition]:
    """Return the conditions that raised an episode by name; a name that comes again is numbered."""
    named: dict[str, Condition] = {}
    for condition in episode.raised.conditions if episode is not None else ():
        name, number = condition.name, 1
        while name in named:
            number += 1
            name = f"{condition.name} ({number})"
        named[name] = condition
    return named
