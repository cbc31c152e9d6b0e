"""Live a season: a brand posts, its followers answer, and a community makes the tag its own or does not.

Three kinds of talk go on at once. The brand posts on its schedule, and each post sets off reactions in its own
conversation. The community uses the brand's tag of its own accord, and each such signal sets off others: a process
that excites itself (Hawkes 1971), limited by the attention that people have. And everybody talks about other things.
Everything is drawn from one `random.Random(seed)` in the order of event time, so the seed says it all.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterator

from agents.seasons.people import Crowd, Person
from agents.seasons.scribe import Lineage, Planted, Scribe, Seen
from agents.seasons.season import Phase, Season
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.signal import Kind, Signal

DELAY_MS_MIN = 3_000
DELAY_MS_MAX = DAY_MS
ANSWERS_REPRODUCTION = 0.25
"""How many signals each reaction to a brand's post sets off in turn."""
BRAND_FOLLOWERS = 25_000
BRAND_LINK_SHARE = 0.5
BRAND_MENTION_SHARE = 0.05
COMMUNITY_TAG_SHARE = 0.3

# What reactions are made of; `post` is a post of one's own in a new conversation, which a tag alone holds together.
_REACTIONS: dict[Lineage | None, dict[Kind, float]] = {
    "seeded": {"share": 0.35, "reply": 0.2, "like": 0.4, "quote": 0.05},
    "adopted": {"post": 0.3, "share": 0.25, "reply": 0.15, "like": 0.25, "quote": 0.05},
    None: {"share": 0.25, "reply": 0.35, "like": 0.35, "quote": 0.05},
}

_Act = Callable[[int], Planted]


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
        self._phases = season.phases_ms()
        self._end_ms = season.end_ms
        people = self._plan.people
        self._community = Crowd.invent(self._rng, people, first=1, count=people.community)
        self._followers = self._community.first(people.followers)
        self._neighbours = Crowd.invent(self._rng, people, first=people.community + 1, count=people.neighbours)
        # Entries are in the order of time, and of being made where they are of one instant.
        self._diary: list[tuple[int, int, _Act]] = []
        self._entries = 0
        self._adopted_ms: deque[int] = deque()
        self._adopted_rates = tuple(phase.adopted_per_hour for _, phase in self._phases)
        self._small_talk_rates = (self._plan.background.posts_per_hour,) * len(self._phases)

    def live(self) -> Iterator[Planted]:
        """Yield everything that happens, in order."""
        # The season is of a topic that the brand seeds, so the brand speaks first.
        self._note(self._season.start_ms, self._brand_post)
        self._next_own_accord(self._season.start_ms, self._adopt, self._adopted_rates)
        self._next_own_accord(self._season.start_ms, self._small_talk, self._small_talk_rates)
        while self._diary:
            at_ms, _, act = heapq.heappop(self._diary)
            yield act(at_ms)

    # --- when things happen -------------------------------------------------------------------------------------------

    def _note(self, at_ms: int, act: _Act) -> None:
        if at_ms < self._end_ms:
            self._entries += 1
            heapq.heappush(self._diary, (at_ms, self._entries, act))

    def _phase_index(self, at_ms: int) -> int:
        return max(index for index, (begin_ms, _) in enumerate(self._phases) if begin_ms <= at_ms)

    def _phase(self, at_ms: int) -> Phase:
        return self._phases[self._phase_index(at_ms)][1]

    def _rhythm(self, at_ms: int) -> float:
        rhythm = self._plan.rhythm
        hour = at_ms % DAY_MS / HOUR_MS
        return 1 + rhythm.depth * math.cos(2 * math.pi * (hour - rhythm.peak_hour) / 24)

    def _next_brand_post(self, after_ms: int) -> None:
        """Plan the brand's next post: brands keep a schedule, more or less."""
        index = self._phase_index(after_ms)
        rate = self._phases[index][1].brand_posts_per_hour
        later = self._phases[index + 1 :]
        if rate:
            then_ms = after_ms + max(1, round(HOUR_MS / rate * self._rng.uniform(0.8, 1.2)))
            if then_ms < (later[0][0] if later else self._end_ms):
                self._note(then_ms, self._brand_post)
                return
        # A phase begins with a post of its own, lest a slow schedule before it delays it.
        for begin_ms, phase in later:
            if phase.brand_posts_per_hour:
                self._note(begin_ms, self._brand_post)
                return

    def _next_own_accord(self, after_ms: int, act: _Act, rates: tuple[float, ...]) -> None:
        """Plan the next thing that somebody does unprompted: a Poisson process with the day's rhythm, by thinning."""
        most = max(rates) * (1 + self._plan.rhythm.depth)
        at = float(after_ms)
        while most and at < self._end_ms:
            at += self._rng.expovariate(most) * HOUR_MS
            at_ms = min(math.ceil(at), self._end_ms)
            rate = rates[self._phase_index(at_ms)] * self._rhythm(at_ms)
            if self._rng.random() * most < rate:
                self._note(at_ms, act)
                return

    def _set_off(self, at_ms: int, seen: Seen, mean: float) -> None:
        """Plan the reactions to something that was just done, `mean` of them on average."""
        rng, delay = self._rng, self._plan.delay
        mu = math.log(delay.median_minutes * MINUTE_MS)

        def react(then_ms: int) -> Planted:
            return self._react(then_ms, seen)

        # The number of arrivals of rate 1 within `mean` is Poisson.
        spent = rng.expovariate(1)
        while spent < mean:
            delay_ms = round(rng.lognormvariate(mu, delay.sigma))
            self._note(at_ms + min(max(delay_ms, DELAY_MS_MIN), DELAY_MS_MAX), react)
            spent += rng.expovariate(1)

    def _reproduction(self, at_ms: int, lineage: Lineage | None) -> float:
        """Return how many signals each one sets off on average, at this time."""
        if lineage == "adopted":
            recent = self._adopted_ms
            while recent and recent[0] <= at_ms - HOUR_MS:
                recent.popleft()
            left = 1 - len(recent) / self._plan.attention_per_hour
            mean = self._phase(at_ms).reproduction * max(0.0, left)
        else:
            mean = ANSWERS_REPRODUCTION if lineage == "seeded" else self._plan.background.reproduction
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
        self._set_off(at_ms, seen, self._phase(at_ms).reactions_per_post)
        return Planted(signal, "brand")

    def _adopt(self, at_ms: int) -> Planted:
        self._next_own_accord(at_ms, self._adopt, self._adopted_rates)
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
        self._set_off(at_ms, seen, self._reproduction(at_ms, "adopted"))
        return Planted(signal, "adopted")

    def _small_talk(self, at_ms: int) -> Planted:
        self._next_own_accord(at_ms, self._small_talk, self._small_talk_rates)
        tags = (self._rng.choice(self._plan.background.tags),)
        signal, seen = self._scribe.conversation(at_ms, self._passer_by(), tags, None)
        self._set_off(at_ms, seen, self._reproduction(at_ms, None))
        return Planted(signal, None)

    def _passer_by(self, *, but: str = "") -> Person:
        is_of_community = self._rng.random() < self._plan.background.community_share
        return (self._community if is_of_community else self._neighbours).draw(self._rng, but=but)

    def _react(self, at_ms: int, seen: Seen) -> Planted:
        rng, lineage = self._rng, seen.lineage
        kinds = _REACTIONS[lineage]
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        if lineage is None:
            actor = self._passer_by(but=seen.sharer)
        else:
            is_follower = lineage == "seeded" and rng.random() >= self._phase(at_ms).reach
            actor = (self._followers if is_follower else self._community).draw(rng, but=seen.sharer)
        if kind == "post":
            return self._own_post(at_ms, actor)
        signal, made = self._scribe.reaction(at_ms, kind, actor, seen)
        if lineage == "adopted":
            self._adopted_ms.append(at_ms)
        if kind != "like":
            self._set_off(at_ms, made, self._reproduction(at_ms, lineage))
        return Planted(signal, lineage)
