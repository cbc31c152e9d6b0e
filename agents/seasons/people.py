"""Who lives in a season: crowds of made-up people, some livelier than others."""

import random
from itertools import accumulate
from typing import NamedTuple

from agents.seasons.plan import People

AUDIENCE_MU, AUDIENCE_SIGMA = 4.5, 1.2
"""How many follow somebody is log-normal: 90 in the median, thousands for a few."""
GOLDEN_RATIO = (5**0.5 - 1) / 2
PATIENCE = 8
"""How often another person is looked for where somebody would react to themselves."""


class Person(NamedTuple):
    """Somebody who lives in the season; `followers` is how many people follow them.

    Who has a smaller `leaning` is sooner drawn elsewhere: of a drift of 0.3 are all those with a leaning below 0.3.
    """

    id: str
    language: str
    followers: int
    leaning: float = 1.0


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
        liveliness = [rng.lognormvariate(0, plan.inequality) for _ in people]
        # Neighbours in liveliness lean far apart (multiples of the golden ratio), so that a fraction of the people
        # stands for the same fraction of their talk.
        for rank, index in enumerate(sorted(range(count), key=lambda index: liveliness[index])):
            people[index] = people[index]._replace(leaning=(rank + 0.5) * GOLDEN_RATIO % 1)
        return cls(people, list(accumulate(liveliness)))

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
