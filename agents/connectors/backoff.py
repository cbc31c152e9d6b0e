"""Say how long to wait before the next attempt: longer each time, and never in step with others."""

import random
from collections.abc import Callable

FIRST_S = 0.5
MAX_S = 60.0


class Backoff:
    """Doubles from `first_s` to `max_s`; each wait is drawn from the upper half of that.

    >>> backoff = Backoff(first_s=1.0, max_s=3.0, draw=lambda low, high: high)
    >>> [backoff.next_s() for _ in range(4)]
    [1.0, 2.0, 3.0, 3.0]
    >>> backoff.reset()
    >>> backoff.next_s()
    1.0
    """

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        max_s: float = MAX_S,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first_s, self._max_s, self._draw = first_s, max_s, draw
        self._next_s = first_s

    def next_s(self) -> float:
        """Return how long to wait now."""
        ceiling_s = min(self._next_s, self._max_s)
        self._next_s = ceiling_s * 2
        return self._draw(ceiling_s / 2, ceiling_s)

    def reset(self) -> None:
        """Begin anew: something worked."""
        self._next_s = self._first_s
