"""Live a season: a brand posts, its followers answer, and a community makes the tag its own or does not.

Several kinds of talk go on at once. The brand posts on its schedule, and each post sets off reactions in its own
conversation. The community uses the brand's tag of its own accord, and each such signal sets off others: a process
that excites itself (Hawkes 1971), limited by the attention that people have. A known circle talks at a steady pace, and
may drift elsewhere (`circle`). Everybody talks about other things; and a season may be disturbed (`disturbance`).
Everything is drawn from one `random.Random(seed)` in the order of event time, so the seed says it all.
"""

import random
from collections import deque
from collections.abc import Iterator

from agents.seasons.circle import ANSWERS_REPRODUCTION, CircleTalk
from agents.seasons.diary import Diary
from agents.seasons.disturbance import Disturbances
from agents.seasons.people import Crowd, Person
from agents.seasons.scribe import Lineage, Planted, Scribe, Seen
from agents.seasons.season import Season
from agents.seasons.small_talk import SmallTalk
from schemas.rules import HOUR_MS
from schemas.signal import Kind, Signal

BRAND_FOLLOWERS = 25_000
BRAND_LINK_SHARE = 0.5
BRAND_MENTION_SHARE = 0.05
COMMUNITY_TAG_SHARE = 0.3

# What reactions are made of; `post` is a post of one's own in a new conversation, which a tag alone holds together.
_REACTIONS: dict[Lineage, dict[Kind, float]] = {
    "seeded": {"share": 0.35, "reply": 0.2, "like": 0.4, "quote": 0.05},
    "adopted": {"post": 0.3, "share": 0.25, "reply": 0.15, "like": 0.25, "quote": 0.05},
}


def grow(season: Season, seed: int) -> Iterator[Signal]:
    """Yield the signals of a season in stamp order, the same for the same seed."""
    return (planted.signal for planted in grow_planted(season, seed))


def grow_planted(season: Season, seed: int) -> Iterator[Planted]:
    """Yield the signals of a season in stamp order, each with the lineage that it was planted with."""
    return _Grower(season, seed).live()


class _Grower:
    """One season being lived: a diary of what is to happen, and the people whom it happens to."""

    def __init__(self, season: Season, seed: int) -> None:
        self._season = season
        self._plan = season.plan
        self._rng = random.Random(seed)
        self._scribe = Scribe(season, self._rng)
        self._diary = Diary(season, self._rng)
        people = self._plan.people
        self._community = Crowd.invent(self._rng, people, first=1, count=people.community)
        self._followers = self._community.first(people.followers)
        neighbours = Crowd.invent(self._rng, people, first=people.community + 1, count=people.neighbours)
        self._small_talk = SmallTalk(
            season, self._rng, self._scribe, self._diary, community=self._community, neighbours=neighbours
        )
        self._circle = CircleTalk(season, self._rng, self._scribe, self._diary, self._community, self._small_talk)
        self._disturbances = Disturbances(
            season, self._rng, self._scribe, self._diary, community=self._community, neighbours=neighbours
        )
        self._adopted_ms: deque[int] = deque()
        self._adopted_rates = tuple(phase.adopted_per_hour for _, phase in self._diary.phases)

    def live(self) -> Iterator[Planted]:
        """Yield everything that happens, in order."""
        # The season is of a topic that the brand seeds, so the brand speaks first.
        start_ms = self._season.start_ms
        self._diary.note(start_ms, self._brand_post)
        self._diary.next_own_accord(start_ms, self._adopt, self._adopted_rates)
        self._small_talk.begin()
        self._circle.begin()
        self._disturbances.begin()
        return self._diary.live()

    def _next_brand_post(self, after_ms: int) -> None:
        """Plan the brand's next post: brands keep a schedule, more or less."""
        diary = self._diary
        index = diary.phase_index(after_ms)
        rate = diary.phases[index][1].brand_posts_per_hour
        later = diary.phases[index + 1 :]
        if rate:
            then_ms = after_ms + max(1, round(HOUR_MS / rate * self._rng.uniform(0.8, 1.2)))
            if then_ms < (later[0][0] if later else diary.end_ms):
                diary.note(then_ms, self._brand_post)
                return
        # A phase begins with a post of its own, lest a slow schedule before it delays it.
        for begin_ms, phase in later:
            if phase.brand_posts_per_hour:
                diary.note(begin_ms, self._brand_post)
                return

    def _set_off(self, at_ms: int, seen: Seen, lineage: Lineage, mean: float) -> None:
        """Plan the reactions to something that was just done, `mean` of them on average."""

        def react(then_ms: int) -> Planted | None:
            return self._react(then_ms, seen, lineage)

        self._diary.set_off(at_ms, react, mean)

    def _reproduction(self, at_ms: int, lineage: Lineage) -> float:
        """Return how many signals each one sets off on average, at this time."""
        if lineage == "adopted":
            recent = self._adopted_ms
            while recent and recent[0] <= at_ms - HOUR_MS:
                recent.popleft()
            left = 1 - len(recent) / self._plan.attention_per_hour
            mean = self._diary.phase(at_ms).reproduction * max(0.0, left)
        else:
            mean = ANSWERS_REPRODUCTION
        # Nobody reacts to a like, so the others must do its part.
        return mean / (1 - _REACTIONS[lineage]["like"])

    # --- what happens -------------------------------------------------------------------------------------------------

    def _brand_post(self, at_ms: int) -> Planted:
        self._next_brand_post(at_ms)
        rng, season = self._rng, self._season
        author = Person(rng.choice(season.accounts), rng.choice(list(self._plan.people.languages)), BRAND_FOLLOWERS)
        tags = (season.tags[0], *(tag for tag in season.tags[1:] if rng.random() < 0.5))
        has_link = season.links and rng.random() < BRAND_LINK_SHARE
        links = (f"https://{season.links[0]}",) if has_link else ()
        signal, seen = self._scribe.conversation(at_ms, author, tags, "seeded", links=links)
        self._circle.see(at_ms, seen)
        self._set_off(at_ms, seen, "seeded", self._diary.phase(at_ms).reactions_per_post)
        return Planted(signal, "brand")

    def _adopt(self, at_ms: int) -> Planted:
        self._diary.next_own_accord(at_ms, self._adopt, self._adopted_rates)
        return self._own_post(at_ms, self._community.draw(self._rng))

    def _own_post(self, at_ms: int, author: Person) -> Planted:
        """Let somebody of the community use the topic's tag in a conversation of their own."""
        rng = self._rng
        tag = rng.choice(self._season.tags)
        # People write a tag as they like, and matching must not depend on it.
        tags = [rng.choice((tag, tag, tag.lower(), f"#{tag}"))]
        if self._plan.community_tags and rng.random() < COMMUNITY_TAG_SHARE:
            tags.append(rng.choice(self._plan.community_tags))
        mentions = (rng.choice(self._season.accounts),) if rng.random() < BRAND_MENTION_SHARE else ()
        signal, seen = self._scribe.conversation(at_ms, author, tuple(tags), "adopted", mentions=mentions)
        self._adopted_ms.append(at_ms)
        self._set_off(at_ms, seen, "adopted", self._reproduction(at_ms, "adopted"))
        return Planted(signal, "adopted")

    def _react(self, at_ms: int, seen: Seen, lineage: Lineage) -> Planted | None:
        rng = self._rng
        kinds = _REACTIONS[lineage]
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        is_follower = lineage == "seeded" and rng.random() >= self._diary.phase(at_ms).reach
        actor = (self._followers if is_follower else self._community).draw(rng, but=seen.sharer)
        circle = self._diary.phase(at_ms).circle
        if circle is not None and actor.leaning < circle.gone:
            return None
        if circle is not None and actor.leaning < circle.drift:
            # Who has drifted elsewhere answers there.
            return self._circle.wander(at_ms, actor)
        if kind == "post":
            return self._own_post(at_ms, actor)
        signal, made = self._scribe.reaction(at_ms, kind, actor, seen)
        if lineage == "adopted":
            self._adopted_ms.append(at_ms)
        if kind != "like":
            self._set_off(at_ms, made, lineage, self._reproduction(at_ms, lineage))
        return Planted(signal, lineage)
