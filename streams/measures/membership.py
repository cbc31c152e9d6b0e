"""Say who belongs to which topic's community: who was there on several days, or often within one (MEASURES.md §1)."""

from collections.abc import Iterable, Iterator

import msgspec

from schemas.member_rows import MemberRow, MembershipRow, MemberTermsRow
from schemas.rules import MINUTE_MS, MemberRules

TOPICS_MAX = 32
"""Of how many topics is remembered what one actor did there; the one where it was silent longest makes room."""
WINDOW_DAYS_MAX = 366
"""A longer window counts as this long."""
BURST_EVENTS_MAX = 8
"""So many acts are remembered by the millisecond; where a burst needs more, there is none."""
DAY_EVENTS_MAX = 255
"""A day counts as so many acts at most, each of them being one byte."""
SWEEP_MS_MIN = MINUTE_MS
"""All actors are looked at once a day of their topics, but never more often than this."""

_WEEKS, _WEEK_BITS = 4, 7 * 8
_CORE_DAYS = 7 * _WEEKS
_WEEK = (1 << _WEEK_BITS) - 1
_GAP_BITS = 40
_GAP = (1 << _GAP_BITS) - 1


class _Acts(msgspec.Struct, gc=False):
    """What one actor did on one topic: there may be millions, so numbers are packed and small ones cost nothing.

    Byte i of `counts` are the acts of the i-th day before that of `last_ms`. `gaps` holds, 40 bits each and plus 1 so
    that 0 is none, how long before the last act lay the one before it (lowest), and so on. Without further acts both
    parts of the rule can only cease to hold, so `until_ms` says all: the instant from which on the actor is no member.
    """

    topic: str
    terms: MemberTermsRow
    last_ms: int
    counts: int = 1
    gaps: int = 0
    until_ms: int = 0

    def add(self, at_ms: int, terms: MemberTermsRow) -> None:
        """Take note of one more act; from now on these terms hold."""
        if terms.day_ms != self.terms.day_ms:
            # Days of another length cannot be counted together.
            self.counts = self.gaps = 0
        else:
            # What has left the old terms' window is gone even if it is still there: it may have been swept or not.
            self.counts = self.counts_at(at_ms)
            gap_ms = at_ms - self.last_ms
            self.gaps = 0 if gap_ms >= min(terms.day_ms, _GAP) else self.gaps << _GAP_BITS | gap_ms + 1
        if self.counts & 0xFF < DAY_EVENTS_MAX:
            self.counts += 1
        if terms is not self.terms:
            self.terms = terms
            self.counts &= (1 << 8 * _days_kept(terms)) - 1
        self.last_ms = at_ms
        self.gaps &= (1 << _GAP_BITS * max(0, terms.burst_events_min - 1)) - 1
        self.judge()

    def counts_at(self, at_ms: int) -> int:
        """Return `counts` as seen from the day of an instant, without the days that are too long ago."""
        days = at_ms // self.terms.day_ms - self.last_ms // self.terms.day_ms
        if not days:
            return self.counts
        kept = _days_kept(self.terms)
        # The shift may be by any number of days, so it must not be tried where nothing would be left.
        return 0 if days >= kept else self.counts << 8 * days & (1 << 8 * kept) - 1

    def judge(self) -> None:
        """Find the instant until which the rule holds if nothing more happens."""
        self.until_ms = max(self._burst_until_ms(), self._window_until_ms())

    def _burst_until_ms(self) -> int:
        """Return one day after the first of the latest `burst_events_min` acts, 0 where there were fewer."""
        if not self.terms.burst_events_min:
            return 0
        since_ms, gaps = self.last_ms, self.gaps
        for _ in range(self.terms.burst_events_min - 1):
            if not gaps:
                return 0
            since_ms -= (gaps & _GAP) - 1
            gaps >>= _GAP_BITS
        until_ms = since_ms + self.terms.day_ms
        # The acts of a burst that never was are kept too, as long as each follows within a day.
        return until_ms if until_ms > self.last_ms else 0

    def _window_until_ms(self) -> int:
        """Return when the window leaves the latest days that are enough, 0 where they are not."""
        terms, counts = self.terms, self.counts
        events = days = 0
        for ago in range(terms.window_days):
            if not counts:
                break
            if count := counts & 0xFF:
                events += count
                days += 1
                if events >= terms.events_min and days >= terms.days_min:
                    return (self.last_ms // terms.day_ms - ago + terms.window_days) * terms.day_ms
            counts >>= 8
        return 0

    def weeks(self, at_ms: int) -> int:
        """Return in how many of the last four weeks the actor was active: 7 days each, the last of them is running."""
        counts = self.counts_at(at_ms)
        return sum(1 for week in range(_WEEKS) if counts >> week * _WEEK_BITS & _WEEK)

    def ends_ms(self) -> int:
        """Return the instant from which on nothing that is kept here means anything any more."""
        return (self.last_ms // self.terms.day_ms + _days_kept(self.terms)) * self.terms.day_ms


class Members:
    """Who belongs to which topic's community, for the actors of one partition, fed with their acts in stamp order.

    A member has acted at least `events_min` times on `days_min` UTC days within the window, or `burst_events_min` times
    within the last 24 hours, for as long as that is so; a core member was also active in `core_weeks_min` of the last
    four weeks. Windows are rounded to whole days, of which the running one is the last, so that a day weighs a byte.
    The rules are those of the actor's last act there; a threshold of 0 counts as 1: who never acted is no member.

    >>> members, day_ms = Members(), 86_400_000
    >>> for at_ms in (0, 27 * day_ms):
    ...     members.act(actor="ana", topic="b/t", at_ms=at_ms, rules=MemberRules(), day_ms=day_ms)
    >>> members.topics("ana", 28 * day_ms - 1), members.topics("ana", 28 * day_ms), members.topics("bo", 0)
    (('b/t',), (), ())
    """

    def __init__(self) -> None:
        self._actors: dict[str, tuple[_Acts, ...]] = {}
        # Actor -> whether a row of it has been told.
        self._changed: dict[str, bool] = {}
        self._at_ms = 0
        self._topics: dict[str, tuple[str, MemberRules | None, MemberTermsRow | None]] = {}
        self._terms: dict[MemberTermsRow, MemberTermsRow] = {}
        # Length of a day -> the instant as of which those with such days have been looked at.
        self._swept_ms: dict[int, int] = {}

    def __len__(self) -> int:
        """Return how many actors are remembered, members or not."""
        return len(self._actors)

    def act(self, *, actor: str, topic: str, at_ms: int, rules: MemberRules, day_ms: int) -> None:
        """Take note of one act on a topic, by somebody who is not the brand.

        `rules` are scaled already and `day_ms` is how long a day lasts, scaled likewise. Where it is not what it was,
        the actor begins anew on this topic. Raises ValueError where time goes back: an error of the caller.
        """
        if at_ms < self._at_ms:
            raise ValueError(f"members: expected an act at {self._at_ms} ms or later, got {at_ms}: feed in stamp order")
        self._at_ms = at_ms
        name, terms = self._terms_of(topic, rules, day_ms)
        known = self._actors.get(actor, ())
        if actor not in self._changed:
            self._changed[actor] = bool(known)
        for acts in known:
            if acts.topic == topic:
                acts.add(at_ms, terms)
                return
        begun = _Acts(name, terms, at_ms)
        begun.judge()
        self._actors[actor] = tuple(sorted([*_with_room(known, at_ms), begun], key=_topic_of))

    def topics(self, actor: str, at_ms: int) -> tuple[str, ...]:
        """Return the topics whose member an actor is at an instant not before the last act, in order of their names."""
        known = self._actors.get(actor)
        if known is None:
            return ()
        return tuple([acts.topic for acts in known if at_ms < acts.until_ms])

    def is_member(self, actor: str, topic: str, at_ms: int) -> bool:
        """Return whether an actor belongs to a topic's community at an instant not before the last act."""
        return any(at_ms < acts.until_ms for acts in self._actors.get(actor, ()) if acts.topic == topic)

    def is_core(self, actor: str, topic: str, at_ms: int) -> bool:
        """Return whether a member was active in enough of the four weeks before an instant not before the last act."""
        return any(
            at_ms < acts.until_ms and acts.weeks(at_ms) >= acts.terms.core_weeks_min
            for acts in self._actors.get(actor, ())
            if acts.topic == topic
        )

    def erase(self, actor: str) -> None:
        """Forget all that an actor did."""
        if self._actors.pop(actor, None) is not None:
            self._changed.setdefault(actor, True)

    def expire(self, at_ms: int) -> None:
        """Forget what lies too far back to count; looks at all actors when a day of some topic has turned.

        Forgets what had ended when that day began, so that a restart in between forgets the same.
        """
        turned: dict[int, int] = {}
        for day_ms, swept_ms in self._swept_ms.items():
            period_ms = max(day_ms, SWEEP_MS_MIN)
            begun_ms = at_ms // period_ms * period_ms
            if begun_ms > swept_ms:
                turned[day_ms] = begun_ms
        if not turned:
            return
        self._swept_ms.update(turned)
        found = [
            (actor, known)
            for actor, known in self._actors.items()
            if any(acts.ends_ms() <= turned.get(acts.terms.day_ms, 0) for acts in known)
        ]
        for actor, known in found:
            self._changed.setdefault(actor, True)
            left = tuple(acts for acts in known if acts.ends_ms() > turned.get(acts.terms.day_ms, 0))
            if left:
                self._actors[actor] = left
            else:
                del self._actors[actor]

    def changed_rows(self) -> Iterator[tuple[str, MemberRow | None]]:
        """Yield (actor, its row, or None where it was forgotten) for the actors that changed since the last call."""
        changed, self._changed = self._changed, {}
        for actor in sorted(changed):
            known = self._actors.get(actor)
            if known is not None:
                yield actor, MemberRow(tuple(map(_row_of, known)))
            elif changed[actor]:
                yield actor, None

    def restore(self, rows: Iterable[tuple[str, MemberRow]]) -> None:
        """Take up the rows (actor, row) of earlier `changed_rows`, in any order."""
        for actor, row in rows:
            known = []
            for kept in row.memberships:
                name = self._topics.setdefault(kept.topic, (kept.topic, None, None))[0]
                acts = _Acts(name, self._shared(kept.terms), kept.last_ms, int.from_bytes(kept.counts, "little"))
                for gap_ms in reversed(kept.gaps_ms):
                    acts.gaps = acts.gaps << _GAP_BITS | gap_ms + 1
                acts.judge()
                known.append(acts)
                self._at_ms = max(self._at_ms, kept.last_ms)
            self._actors[actor] = tuple(known)

    def _terms_of(self, topic: str, rules: MemberRules, day_ms: int) -> tuple[str, MemberTermsRow]:
        """Return the one copy of a topic's name and of its terms that all actors share."""
        name, known, terms = self._topics.get(topic, (topic, None, None))
        if terms is None or known is not rules or terms.day_ms != day_ms:
            terms = self._shared(_terms_from(rules, day_ms))
            self._topics[name] = name, rules, terms
        return name, terms

    def _shared(self, terms: MemberTermsRow) -> MemberTermsRow:
        self._swept_ms.setdefault(terms.day_ms, 0)
        return self._terms.setdefault(terms, terms)


def _terms_from(rules: MemberRules, day_ms: int) -> MemberTermsRow:
    """Return what the rules say in whole days; scaled durations are rounded, so their ratio is not quite whole."""
    return MemberTermsRow(
        day_ms=day_ms,
        window_days=min(WINDOW_DAYS_MAX, max(1, (2 * rules.window_ms + day_ms) // (2 * day_ms))),
        events_min=max(1, rules.events_min),
        days_min=max(1, rules.days_min),
        burst_events_min=max(1, rules.burst_events_min) if rules.burst_events_min <= BURST_EVENTS_MAX else 0,
        core_weeks_min=rules.core_weeks_min,
    )


def _days_kept(terms: MemberTermsRow) -> int:
    """Return how many days matter: those of the window, and of the weeks that make a core member."""
    return max(terms.window_days, _CORE_DAYS)


def _with_room(known: tuple[_Acts, ...], at_ms: int) -> tuple[_Acts, ...]:
    """Return what is known of an actor with room for one more topic."""
    if len(known) < TOPICS_MAX:
        return known
    # Whether it was swept yet must not matter.
    alive = [acts for acts in known if acts.ends_ms() > at_ms]
    alive.sort(key=lambda acts: (acts.last_ms, acts.topic))
    return tuple(alive[max(0, len(alive) + 1 - TOPICS_MAX) :])


def _topic_of(acts: _Acts) -> str:
    return acts.topic


def _row_of(acts: _Acts) -> MembershipRow:
    gaps_ms = []
    gaps = acts.gaps
    while gaps:
        gaps_ms.append((gaps & _GAP) - 1)
        gaps >>= _GAP_BITS
    counts = acts.counts.to_bytes((acts.counts.bit_length() + 7) // 8, "little")
    return MembershipRow(acts.topic, acts.last_ms, counts, tuple(gaps_ms), acts.terms)
