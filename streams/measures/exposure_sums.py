"""Sum up what shares exposed to whom, so that the sums go on in time without the shares."""

from collections.abc import Iterable
from functools import lru_cache
from math import exp
from operator import mul

from schemas.virality_rows import FoldedSharesRow
from streams.measures.reaction_time import FLAT_AREA, RATES, REST, TOTAL, WEIGHTS, exposure_weights

_MOMENT_BYTES = 16
"""A sum of followers times a squared age stays below 2^127 for 10^9 shares of a year."""


@lru_cache(maxsize=1_024)
def _shrinking(ms: int, unit_ms: int) -> tuple[float, ...]:
    """Return exp(−λ_k) over some time. Where shares come fast, or by the second, the same few times come again."""
    return tuple(exp(-rate * ms / unit_ms) for rate in RATES)


class ExposureSums:
    """Sums over the shares of a cascade before some place, fed in the order of time (ms after the root).

    Whole numbers: how many shares, Σ at, and with n followers each Σ n, Σ n·at, Σ n·at². And, where they are asked for,
    Σ n·exp(−λ_k(last − at)) for each exponential of `streams.measures.reaction_time`, as it stood with the last share.
    They follow from the shares alone, not from when they were asked for.
    """

    __slots__ = ("at", "decays", "imputed", "last_ms", "moment_1", "moment_2", "n", "place", "shares")

    def __init__(self, *, with_decays: bool) -> None:
        self.place = self.shares = self.at = self.n = self.moment_1 = self.moment_2 = 0
        self.imputed = self.last_ms = 0
        self.decays = [0.0] * len(RATES) if with_decays else []

    def copy(self, *, with_decays: bool = True) -> "ExposureSums":
        """Return the same sums, to go on by themselves."""
        twin = ExposureSums(with_decays=False)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.decays = list(self.decays) if with_decays else []
        return twin

    def take(self, at_ms: int, followers: int, *, imputed: bool, unit_ms: int) -> None:
        """Add the share at the next place; the one at place 0 is the root, which is no share."""
        if self.place:
            self.shares += 1
            self.at += at_ms
        self.place += 1
        self.n += followers
        self.moment_1 += followers * at_ms
        self.moment_2 += followers * at_ms * at_ms
        self.imputed += imputed
        if self.decays:
            shrinking = _shrinking(at_ms - self.last_ms, unit_ms)
            more = float(followers)  # Converted once, not with every exponential.
            self.decays = [sum_ * by + more for sum_, by in zip(self.decays, shrinking, strict=True)]
        self.last_ms = at_ms

    def row(self, *, root_at_ms: int) -> FoldedSharesRow:
        """Return the sums as a row keeps them."""
        wholes = (self.at, self.moment_1, self.moment_2)
        return FoldedSharesRow(
            root_at_ms=root_at_ms,
            place=self.place,
            shares=self.shares,
            followers=self.n,
            imputed=self.imputed,
            moments=b"".join(whole.to_bytes(_MOMENT_BYTES, "little") for whole in wholes),
            decays=tuple(self.decays),
            last_ms=self.last_ms,
        )

    @classmethod
    def from_row(cls, row: FoldedSharesRow) -> "ExposureSums":
        """Return the sums that a row keeps."""
        sums = cls(with_decays=False)
        sums.place, sums.shares, sums.n, sums.imputed = row.place, row.shares, row.followers, row.imputed
        sums.at, sums.moment_1, sums.moment_2 = (
            int.from_bytes(row.moments[first : first + _MOMENT_BYTES], "little")
            for first in range(0, 3 * _MOMENT_BYTES, _MOMENT_BYTES)
        )
        sums.decays, sums.last_ms = list(row.decays), row.last_ms
        return sums


class Ages:
    """Followers and their ages between two places at one instant: Σ n, Σ n·u and Σ n·u², the ages u in units."""

    __slots__ = ("n", "u1", "u2")

    def __init__(self, until: ExposureSums, since: ExposureSums | None, *, at_ms: float, unit_ms: int) -> None:
        n, m1, m2 = until.n, until.moment_1, until.moment_2
        if since is not None:
            n, m1, m2 = n - since.n, m1 - since.moment_1, m2 - since.moment_2
        self.n = n
        self.u1 = (at_ms * n - m1) / unit_ms
        self.u2 = (at_ms * at_ms * n - 2 * at_ms * m1 + m2) / (unit_ms * unit_ms)


def decayed(sums: ExposureSums, *, age: float) -> list[float]:
    """Return Σ n·exp(−λ_k·u) for each exponential, where the last share of the sums has this age in units."""
    return [sum_ * exp(-rate * age) for sum_, rate in zip(sums.decays, RATES, strict=True)]


def yet_to_react_sum(ages: Ages, decays: Iterable[float]) -> float:
    """Return Σ n·(TOTAL − Φ(u)) over shares older than a unit."""
    rest = REST[0] * ages.n - REST[1] * ages.u1 + REST[2] * ages.u2 / 2
    total: float = sum(map(mul, WEIGHTS, decays))
    return total + rest


def early_exposure_sum(ages: Ages, decays: Iterable[float], *, window: float) -> float:
    """Return Σ n·(Φ(u) − Ψ(u)/window) over shares older than a unit: their exposure, if they are within the window.

    With T = TOTAL − Φ and J = ∫T, which from age 1 on is J(1) + Σ τ/λ·(e^−λ − e^−λu), Ψ(u) is TOTAL·u − J(u).
    """
    decays = list(decays)
    n, u1, u2 = ages.n, ages.u1, ages.u2
    area = n * (TOTAL - FLAT_AREA) + REST[0] * (u1 - n) - REST[1] * (u2 - n) / 2
    area += sum(
        per_rate * (start * n - decay) for per_rate, start, decay in zip(_PER_RATE, _AT_ONE, decays, strict=True)
    )
    return TOTAL * n - yet_to_react_sum(ages, decays) - (TOTAL * u1 - area) / window


def late_exposure_sum(ages: Ages, decays: Iterable[float], *, window: float) -> float:
    """Return Σ n·exposure over shares older than a window and a unit; `decays` as they stood a window ago."""
    rest = REST[1] * ages.n * window / 2 - REST[2] * (ages.u1 * window / 2 - ages.n * window**2 / 6)
    total: float = sum(map(mul, exposure_weights(window), decays))
    return total + rest


_PER_RATE = tuple(weight / rate for weight, rate in zip(WEIGHTS, RATES, strict=True))
_AT_ONE = tuple(exp(-rate) for rate in RATES)
