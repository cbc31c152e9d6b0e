"""Who lives in a season: crowds of made-up people, some livelier than others."""

import random
from itertools import accumulate
from typing import NamedTuple

from agents.seasons.season import People

AUDIENCE_MU, AUDIENCE_SIGMA = 4.5, 1.2
"""How many follow somebody is log-normal: 90 in the median, thousands for a few."""
PATIENCE = 8
"""How often another person is looked for where somebody would react to themselves."""


class Person(NamedTuple):
    """Somebody who lives in the season; `followers` is how many people follow them."""

    id: str
    language: str
    followers: int


class Crowd:
    """People to draw from, by their liveliness, which is log-normal."""

    def __init__(self, people: list[Person], cumulative: list[float]) -> None:
        self._people = people
        self._cumulative = cumulative

    @classmethod
    def invent(cls, rng: random.Random, plan: People, *, first: int, count: int) -> "Crowd":
        """Return `count` new people, numbered from `first` on."""
        languages, weights = list(plan.languages), list(plan.languages.values())
        people = [
            Person(
                id=f"p{number}",
                language=rng.choices(languages, weights)[0],
                followers=int(rng.lognormvariate(AUDIENCE_MU, AUDIENCE_SIGMA)),
            )
            for number in range(first, first + count)
        ]
        return cls(people, list(accumulate(rng.lognormvariate(0, plan.inequality) for _ in people)))

    def first(self, count: int) -> "Crowd":
        """Return the first `count` of these people, as lively as they are."""
        return Crowd(self._people[:count], self._cumulative[:count])

    def draw(self, rng: random.Random, *, but: str = "") -> Person:
        """Return one of them, and another one than `but` if patience allows."""
        person = rng.choices(self._people, cum_weights=self._cumulative)[0]
        for _ in range(PATIENCE):
            if person.id != but:
                break
            person = rng.choices(self._people, cum_weights=self._cumulative)[0]
        return person
