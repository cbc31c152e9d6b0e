"""The reproduction number that the three steps tell of a topic is that of the process behind its signals."""

from heapq import heappop, heappush
from random import Random
from statistics import median

import pytest

from schemas.signal import Kind, Signal
from streams.steps.pipeline import Pipeline
from tests.streams.steps.logs import MINUTE_MS, START_MS, Entry, arrivals, ends, registry

HOUR_MS = 60 * MINUTE_MS
HOURS = 24
ROOTS_PER_HOUR = 150
DENSITY, FLAT_S, THETA = 6.265725e-4, 300.0, 0.2314843
"""The density of reaction times of the paper: flat for five minutes, then it falls with the power 1 + θ."""


def reaction_ms(random: Random) -> int:
    """Draw a reaction time: the instant by which a random part of all reactions has come."""
    chance = random.random()
    if chance <= DENSITY * FLAT_S:
        return round(chance / DENSITY * 1_000)
    left = 1 - chance
    reacted_s: float = FLAT_S * (left * THETA / (DENSITY * FLAT_S)) ** (-1 / THETA)
    return round(reacted_s * 1_000)


def poisson(random: Random, mean: float) -> int:
    """Draw a Poisson number: how many exponential times fit into the mean."""
    number, spent = 0, random.expovariate(1)
    while spent < mean:
        number += 1
        spent += random.expovariate(1)
    return number


def branching(random: Random, r: float) -> list[Entry]:
    """Return a branching process of roots that come evenly, and of `r` further acts on average for each act."""
    acts = [(random.randrange(HOURS * HOUR_MS), f"r{number}", "", "") for number in range(HOURS * ROOTS_PER_HOUR)]
    acts.sort()
    log: list[Entry] = []
    while acts:
        at_ms, name, parent, root = heappop(acts)
        kind: Kind = random.choice(("reply", "quote", "share")) if parent else "post"
        signal = Signal(name, "n", kind, START_MS + at_ms, f"by-{name}", source="left", post=name)
        if parent:
            signal.parent, signal.root = parent, root
            if kind == "share":
                signal.post = parent
        else:
            signal.tags = ("higgs",)
        log.append(signal)
        for number in range(poisson(random, r)):
            child_ms = at_ms + max(1, reaction_ms(random))
            if child_ms < HOURS * HOUR_MS:
                heappush(acts, (child_ms, f"{name}.{number}", name, root or name))
    return [*log, *ends(START_MS + HOURS * HOUR_MS - 1)]


@pytest.mark.slow
@pytest.mark.parametrize("r", [0.6])
def test_a_branching_process_is_found_within_a_tenth(r: float) -> None:
    """A day of a process that would die out without new roots; the ticks of its second half, by their median."""
    log = branching(Random(6), r)
    outcome = Pipeline(registry()).advance(arrivals(log), next_offset=len(log))
    offspring = sum(isinstance(entry, Signal) and entry.parent is not None for entry in log)
    second_half_ms = START_MS + HOURS * HOUR_MS // 2
    numbers = [
        one.measures.reproduction_number
        for one in outcome.vitals
        if (one.brand, one.topic) == ("cern", "higgs") and one.at > second_half_ms
    ]
    told = [number for number in numbers if number is not None]

    assert offspring > 1_000
    assert len(told) == len(numbers) == HOURS * 60 // 2
    assert median(told) == pytest.approx(r, abs=0.1)
