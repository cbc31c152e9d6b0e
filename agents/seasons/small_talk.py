"""What everybody says about other things, the trends of the network among it."""

import random

from agents.seasons.diary import Diary
from agents.seasons.people import Crowd, Person
from agents.seasons.scribe import Planted, Scribe, Seen
from agents.seasons.season import Season
from schemas.rules import DAY_MS, HOUR_MS
from schemas.signal import Kind

_REACTIONS: dict[Kind, float] = {"share": 0.25, "reply": 0.35, "like": 0.35, "quote": 0.05}


class SmallTalk:
    """Talk that has nothing to do with the topic: posts of people's own accord, and what these set off."""

    def __init__(
        self, season: Season, rng: random.Random, scribe: Scribe, diary: Diary, *, community: Crowd, neighbours: Crowd
    ) -> None:
        self._plan = season.plan.background
        self._rng = rng
        self._scribe = scribe
        self._diary = diary
        self._community = community
        self._neighbours = neighbours
        self._rates = (self._plan.posts_per_hour,) * len(diary.phases)
        # Nobody reacts to a like, so the others must do its part.
        self._mean = self._plan.reproduction / (1 - _REACTIONS["like"])

    def begin(self) -> None:
        """Plan the first post, and the trends of the whole season."""
        diary = self._diary
        diary.next_own_accord(diary.start_ms, self._chat, self._rates)
        trends = self._plan.trends
        if trends is None or not trends.per_day:
            return
        number, begin_ms = 0, float(diary.start_ms)
        while (begin_ms := begin_ms + self._rng.expovariate(trends.per_day) * DAY_MS) < diary.end_ms:
            number += 1
            hour = (begin_ms - diary.start_ms) / HOUR_MS
            self._follow_trend(f"trend{number}", hour=hour, hours=trends.hours, posts=trends.posts)

    def _follow_trend(self, tag: str, *, hour: float, hours: float, posts: int) -> None:
        def post(at_ms: int) -> Planted:
            return self.post(at_ms, self._passer_by(), tag=tag)

        self._diary.scatter(post, hour=hour, hours=hours, count=posts)

    def _chat(self, at_ms: int) -> Planted:
        self._diary.next_own_accord(at_ms, self._chat, self._rates)
        # The tag is drawn before the person; the other way round every season would be another one.
        tag = self._rng.choice(self._plan.tags)
        return self.post(at_ms, self._passer_by(), tag=tag)

    def post(self, at_ms: int, author: Person, *, tag: str = "") -> Planted:
        """Let somebody post about something else; `tag` is one of the usual ones where none is given."""
        signal, seen = self._scribe.conversation(at_ms, author, (tag or self._rng.choice(self._plan.tags),), None)
        self._set_off(at_ms, seen)
        return Planted(signal, None)

    def _set_off(self, at_ms: int, seen: Seen) -> None:
        def react(then_ms: int) -> Planted:
            return self._react(then_ms, seen)

        self._diary.set_off(at_ms, react, self._mean)

    def _passer_by(self, *, but: str = "") -> Person:
        is_of_community = self._rng.random() < self._plan.community_share
        return (self._community if is_of_community else self._neighbours).draw(self._rng, but=but)

    def _react(self, at_ms: int, seen: Seen) -> Planted:
        kind = self._rng.choices(list(_REACTIONS), list(_REACTIONS.values()))[0]
        signal, made = self._scribe.reaction(at_ms, kind, self._passer_by(but=seen.sharer), seen)
        if kind != "like":
            self._set_off(at_ms, made)
        return Planted(signal, None)
