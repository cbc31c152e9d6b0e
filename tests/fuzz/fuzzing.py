"""Give mutated payloads to targets from a seed, and count the outcomes."""

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import Target

CRASHES_KEPT_MAX = 20


class Crash(NamedTuple):
    """A payload for which a target raised."""

    target: str
    payload: bytes
    trace: str


class Fuzzed(NamedTuple):
    """How often each target had each outcome, and the first payloads that made one raise."""

    outcomes: Counter[tuple[str, str]]
    crashes: list[Crash]

    @property
    def payloads(self) -> int:
        """How many payloads were given."""
        return self.outcomes.total()


def fuzz(
    targets: Sequence[Target], *, payloads: int, seed: int, say: Callable[[int], None] = lambda done: None
) -> Fuzzed:
    """Give each target in turn a mutated payload of its corpus, `payloads` in all."""
    random = Random(seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    crashes: list[Crash] = []
    for number in range(payloads):
        target = targets[number % len(targets)]
        payload = mutated(target.corpus, random)
        try:
            outcomes[target.name, target.outcome(payload)] += 1
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            outcomes[target.name, "CRASH"] += 1
            if len(crashes) < CRASHES_KEPT_MAX:
                crashes.append(Crash(target.name, payload, traceback.format_exc(limit=-3)))
        if number % 50_000 == 49_999:
            say(number + 1)
    return Fuzzed(outcomes, crashes)
