"""What disturbs a season and must not be taken for more: a shock, a flood, one post that everybody spreads."""

import random
from collections.abc import Callable

from agents.seasons.diary import Diary
from agents.seasons.people import Crowd, Person
from agents.seasons.plan import Flood, Shock, Viral
from agents.seasons.scribe import Lineage, Planted, Scribe, Seen
from agents.seasons.season import Season
from schemas.rules import HOUR_MS
from schemas.signal import Kind

BRAND_FOLLOWERS = 25_000
STRANGER_FOLLOWERS = 40
"""Bots and strangers have few who follow them."""

_SPREADING: dict[Kind, float] = {"share": 0.55, "like": 0.35, "reply": 0.08, "quote": 0.02}


class Disturbances:
    """The traps of a season, each planned when the season begins."""

    def __init__(
        self, season: Season, rng: random.Random, scribe: Scribe, diary: Diary, *, community: Crowd, neighbours: Crowd
    ) -> None:
        self._season = season
        self._rng = rng
        self._scribe = scribe
        self._diary = diary
        self._community = community
        self._neighbours = neighbours
        self._languages = tuple(season.plan.people.languages)

    def begin(self) -> None:
        """Plan all of them."""
        for number, trap in enumerate(self._season.plan.traps, start=1):
            if isinstance(trap, Shock):
                self._shock(trap)
            elif isinstance(trap, Flood):
                self._flood(trap, number)
            else:
                self._viral(trap)

    def _shock(self, trap: Shock) -> None:
        """Let everybody talk of the same other thing: the neighbours, and the community in its measure."""

        def posted_by(crowd: Crowd) -> Callable[[int], Planted]:
            def post(at_ms: int) -> Planted:
                tags = (self._rng.choice(trap.tags),)
                signal, _ = self._scribe.conversation(at_ms, crowd.draw(self._rng), tags, None)
                return Planted(signal, None, trap.name)

            return post

        for crowd, posts in ((self._neighbours, trap.posts), (self._community, trap.community_posts)):
            self._diary.scatter(posted_by(crowd), hour=trap.hour, hours=trap.hours, count=posts)

    def _flood(self, trap: Flood, number: int) -> None:
        """Let a few write much, each about as much as the others."""
        if trap.by == "brand":
            actors = [Person(account, self._languages[0], BRAND_FOLLOWERS) for account in self._season.accounts]
        else:
            names = [f"{trap.by[0]}{number}x{index}" for index in range(1, trap.actors + 1)]
            actors = [Person(name, self._rng.choice(self._languages), STRANGER_FOLLOWERS) for name in names]
        lineage: Lineage | None = "brand" if trap.by == "brand" else "adopted" if trap.on_topic else None

        def post(at_ms: int) -> Planted:
            own = (self._rng.choice(self._season.tags),) if trap.on_topic else ()
            signal, _ = self._scribe.conversation(at_ms, self._rng.choice(actors), own + trap.tags, lineage)
            return Planted(signal, lineage, trap.name)

        self._diary.scatter(post, hour=trap.hour, hours=trap.hours, count=trap.posts)

    def _viral(self, trap: Viral) -> None:
        """Let a member post once more about the topic, and let the whole network spread that."""

        def root(at_ms: int) -> Planted:
            tags = (self._season.tags[0],)
            signal, seen = self._scribe.conversation(at_ms, self._community.draw(self._rng), tags, "adopted")
            nodes = [seen]
            for _ in range(trap.reactions):
                # Most come soon: the time is that of an exponential decay, by a quarter of the span.
                delay_ms = 1_000 + self._rng.expovariate(4 / trap.hours) % trap.hours * HOUR_MS
                self._diary.note(at_ms + round(delay_ms), spread_from(nodes))
            return Planted(signal, "adopted", trap.name)

        def spread_from(nodes: list[Seen]) -> Callable[[int], Planted]:
            def spread(at_ms: int) -> Planted:
                rng = self._rng
                kind = rng.choices(list(_SPREADING), list(_SPREADING.values()))[0]
                # Half of it goes straight to the root.
                seen = nodes[0] if rng.random() < 0.5 else rng.choice(nodes)
                actor = self._neighbours.draw(rng, but=seen.sharer)
                signal, made = self._scribe.reaction(at_ms, kind, actor, seen)
                if kind != "like":
                    nodes.append(made)
                return Planted(signal, "adopted", trap.name)

            return spread

        self._diary.scatter(root, hour=trap.hour, hours=0.0, count=1)
