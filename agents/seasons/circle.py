"""The steady talk of a known community: on the topic, away from it where talk drifts, and about other things.

Each person has a rate of their own, so the same people come back every day: a community in which somebody belongs or
does not. Everything that they say answers something recent of the same kind of talk, or begins something new.
"""

import random
from collections import deque

from agents.seasons.diary import Diary
from agents.seasons.people import Crowd, Person
from agents.seasons.plan import Circle
from agents.seasons.scribe import Lineage, Planted, Scribe, Seen
from agents.seasons.season import Season
from agents.seasons.small_talk import SmallTalk
from schemas.rules import DAY_MS
from schemas.signal import Kind

RECENT_MAX = 60
"""How many recent posts and shares of one kind of talk are there to be answered, each for a day."""
BRAND_FOLLOWERS = 25_000
JOIN_BY_TAG_SHARE = 0.5
SECOND_EMERGENT_SHARE = 0.3
ANSWERS_REPRODUCTION = 0.25
"""How many signals each answer to the brand sets off in turn: this part of all answers is to another answer."""

# Posts begin conversations; whatever the brand did not begin is kept alive by them.
_OF_THEIR_OWN: dict[Kind, float] = {"post": 0.4, "reply": 0.2, "share": 0.2, "quote": 0.05, "like": 0.15}
_ANSWERS: dict[Kind, float] = {"share": 0.35, "reply": 0.3, "like": 0.25, "quote": 0.1}


class CircleTalk:
    """Who of the community says what, phase by phase, as the plan's circles have it."""

    def __init__(
        self,
        season: Season,
        rng: random.Random,
        scribe: Scribe,
        diary: Diary,
        community: Crowd,
        small_talk: SmallTalk,
    ) -> None:
        self._season = season
        self._rng = rng
        self._scribe = scribe
        self._diary = diary
        self._small_talk = small_talk
        self._circles = tuple(phase.circle for _, phase in diary.phases)
        self._crowds = {circle.people: community.first(circle.people) for circle in self._circles if circle}
        self._talk_rates = tuple(one.people * one.per_day / 24 if one else 0.0 for one in self._circles)
        self._chat_rates = tuple(one.people * one.small_talk_per_day / 24 if one else 0.0 for one in self._circles)
        self._join_rates = tuple(one.joins_per_hour if one else 0.0 for one in self._circles)
        self._recent: dict[Lineage, deque[tuple[int, Seen]]] = {
            lineage: deque(maxlen=RECENT_MAX) for lineage in ("brand", "seeded", "adopted", "wild")
        }

    def begin(self) -> None:
        """Plan what is said first."""
        if not self._crowds:
            return
        self._diary.next_own_accord(self._diary.start_ms, self._talk, self._talk_rates)
        self._diary.next_own_accord(self._diary.start_ms, self._chat, self._chat_rates)
        self._diary.next_own_accord(self._diary.start_ms, self._join, self._join_rates)

    def see(self, at_ms: int, seen: Seen) -> None:
        """Take note of a post of the brand, which the circle may answer."""
        self._remember("brand", at_ms, seen)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _talk(self, at_ms: int) -> Planted | None:
        self._diary.next_own_accord(at_ms, self._talk, self._talk_rates)
        circle = self._circle(at_ms)
        return self._say(at_ms, self._crowds[circle.people].draw(self._rng), circle)

    def _say(self, at_ms: int, person: Person, circle: Circle) -> Planted | None:
        if person.leaning < circle.gone:
            return None
        if person.leaning < circle.drift:
            return self.wander(at_ms, person)
        if self._rng.random() >= circle.own:
            seen = self._something_of_the_brand(at_ms, person)
            if seen is not None:
                return self._answer(at_ms, person, seen, "seeded", _ANSWERS)
        return self._act(at_ms, person, "adopted", circle)

    def wander(self, at_ms: int, person: Person) -> Planted:
        """Let somebody talk where the topic's tags are not, in a conversation that the brand did not begin."""
        return self._act(at_ms, person, "wild", self._circle(at_ms))

    def _act(self, at_ms: int, person: Person, lineage: Lineage, circle: Circle) -> Planted:
        """Let somebody answer something recent of this kind of talk, or begin something."""
        seen = self._something_recent(lineage, at_ms, person)
        if seen is not None and self._rng.random() >= _OF_THEIR_OWN["post"]:
            return self._answer(at_ms, person, seen, lineage, {**_OF_THEIR_OWN, "post": 0.0})
        tags = self._emergent_tags() if lineage == "wild" else self._topic_tags(circle)
        signal, seen = self._scribe.conversation(at_ms, person, tags, lineage)
        self._remember(lineage, at_ms, seen)
        return Planted(signal, lineage)

    def _answer(self, at_ms: int, person: Person, seen: Seen, lineage: Lineage, kinds: dict[Kind, float]) -> Planted:
        kind = self._rng.choices(list(kinds), list(kinds.values()))[0]
        signal, made = self._scribe.reaction(at_ms, kind, person, seen)
        if kind != "like":
            self._remember(lineage, at_ms, made)
        return Planted(signal, lineage)

    def _chat(self, at_ms: int) -> Planted | None:
        self._diary.next_own_accord(at_ms, self._chat, self._chat_rates)
        circle = self._circle(at_ms)
        person = self._crowds[circle.people].draw(self._rng)
        if person.leaning < circle.gone and not circle.gone_talk:
            return None
        return self._small_talk.post(at_ms, person)

    def _join(self, at_ms: int) -> Planted | None:
        """Let the brand take part in what drifted: it uses an emergent tag beside its own, or replies there."""
        self._diary.next_own_accord(at_ms, self._join, self._join_rates)
        rng, season = self._rng, self._season
        brand = Person(season.accounts[0], next(iter(season.plan.people.languages)), BRAND_FOLLOWERS)
        seen = self._something_recent("wild", at_ms, brand)
        if seen is None or rng.random() < JOIN_BY_TAG_SHARE:
            tags = (season.tags[0], rng.choice(season.plan.emergent_tags))
            signal, made = self._scribe.conversation(at_ms, brand, tags, "seeded")
            self._remember("brand", at_ms, made)
        else:
            # Nobody answers this reply: whether that would be seeded talk or wild talk could be argued about.
            signal, _ = self._scribe.reaction(at_ms, "reply", brand, seen)
        return Planted(signal, "brand")

    # --- what it is made of -------------------------------------------------------------------------------------------

    def _circle(self, at_ms: int) -> Circle:
        circle = self._diary.phase(at_ms).circle
        assert circle is not None, "without a circle the rates of its phase are 0"
        return circle

    def _remember(self, lineage: Lineage, at_ms: int, seen: Seen) -> None:
        self._recent[lineage].append((at_ms, seen))

    def _something_of_the_brand(self, at_ms: int, person: Person) -> Seen | None:
        """Return a recent post of the brand, or an answer to one: few enough that threads die out by themselves."""
        if self._rng.random() < ANSWERS_REPRODUCTION:
            seen = self._something_recent("seeded", at_ms, person)
            if seen is not None:
                return seen
        return self._something_recent("brand", at_ms, person)

    def _something_recent(self, lineage: Lineage, at_ms: int, person: Person) -> Seen | None:
        """Return something of the last day that somebody else did, the newer the likelier."""
        recent = self._recent[lineage]
        while recent and recent[0][0] <= at_ms - DAY_MS:
            recent.popleft()
        if not recent:
            return None
        _, seen = recent[-1 - int(self._rng.random() ** 2 * len(recent))]
        return None if person.id in (seen.author, seen.sharer) else seen

    def _topic_tags(self, circle: Circle) -> tuple[str, ...]:
        rng, plan = self._rng, self._season.plan
        tag = rng.choice(self._season.tags)
        tags = [rng.choice((tag, tag, tag.lower(), f"#{tag}"))]
        known = plan.community_tags[: round(circle.variety * len(plan.community_tags))]
        more = int(circle.tags_beside) + (rng.random() < circle.tags_beside % 1)
        tags += rng.sample(known, min(more, len(known)))
        if rng.random() < circle.brings_home:
            tags.append(rng.choice(plan.emergent_tags))
        return tuple(tags)

    def _emergent_tags(self) -> tuple[str, ...]:
        tags = self._season.plan.emergent_tags
        # The first of them is the most popular one, as the smallest of two throws is small.
        first = min(self._rng.randrange(len(tags)), self._rng.randrange(len(tags)))
        if len(tags) > 1 and self._rng.random() < SECOND_EMERGENT_SHARE:
            second = self._rng.randrange(len(tags) - 1)
            return tags[first], tags[second + (second >= first)]
        return (tags[first],)
