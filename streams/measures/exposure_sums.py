"""Sum up what shares exposed to whom, so that the sums go on in time without the shares."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from math import exp
from operator import mul

import numpy as np
import numpy.typing as npt

from schemas.virality_rows import FoldedSharesRow
from streams.measures.reaction_time import FLAT_AREA, RATES, REST, TOTAL, WEIGHTS, Floats, exposure_weights

_MOMENT_BYTES = 16
"""A sum of followers times a squared age stays below 2^127 for 10^9 shares of a year."""
_PART_BITS = 9
_REST_MASK = (1 << _PART_BITS) - 1
_MANY = 6
"""From so many shares on it is faster to take them together."""

_WEIGHTS = np.array(WEIGHTS)
_PER_RATE = np.array([weight / rate for weight, rate in zip(WEIGHTS, RATES, strict=True)])
_AT_ONE_SUM = sum(weight / rate * exp(-rate) for weight, rate in zip(WEIGHTS, RATES, strict=True))


class _Slots:
    """Exponentials over times: time is cut into slots of a unit, and those over a part of one come from two tables."""

    __slots__ = ("_parts", "_rests", "slot_ms")

    def __init__(self, unit_ms: int) -> None:
        self.slot_ms = unit_ms
        self._parts = np.array([self._exact(ms) for ms in range(0, self.slot_ms + 1, 1 << _PART_BITS)])
        self._rests = np.array([self._exact(ms) for ms in range(1 << _PART_BITS)])

    def _exact(self, ms: int) -> list[float]:
        return [exp(-rate * ms / self.slot_ms) for rate in RATES]

    def end_ms(self, at_ms: int) -> int:
        """Return where the slot of an instant ends."""
        return (at_ms // self.slot_ms + 1) * self.slot_ms

    def shrinking(self, ms: int) -> Floats:
        """Return exp(−λ_k) over some time."""
        rest_ms = ms % self.slot_ms
        if rest_ms == ms:
            return self.within(ms)
        whole = _over_slots(ms - rest_ms, self.slot_ms)
        return whole * self.within(rest_ms) if rest_ms else whole

    def within(self, ms: int) -> Floats:
        """Return exp(−λ_k) over a part of a slot."""
        within: Floats = self._parts[ms >> _PART_BITS] * self._rests[ms & _REST_MASK]
        return within

    def within_each(self, ms: npt.NDArray[np.int64]) -> Floats:
        """Return `within` for each of some times, a row for each."""
        rows: Floats = self._parts.take(ms >> _PART_BITS, axis=0)
        rows *= self._rests.take(ms & _REST_MASK, axis=0)
        return rows


@lru_cache(maxsize=4)
def _slots(unit_ms: int) -> _Slots:
    return _Slots(unit_ms)


@lru_cache(maxsize=4_096)
def _over_slots(ms: int, unit_ms: int) -> Floats:
    shrinking = np.array([exp(-rate * ms / unit_ms) for rate in RATES])
    shrinking.flags.writeable = False
    return shrinking


@lru_cache(maxsize=256)
def _late_weights(window_ms: int, unit_ms: int) -> Floats:
    return exposure_weights(window_ms / unit_ms, _slots(unit_ms).shrinking(window_ms))


class ExposureSums:
    """Sums over the shares of a cascade before some place, fed in the order of time (ms after the root).

    Whole numbers: how many shares, Σ at, and with n followers each Σ n, Σ n·at, Σ n·at². And, where they are asked for,
    Σ n·exp(−λ_k(end − at)) for each exponential of `streams.measures.reaction_time`, as of the end of the last share's
    slot, which is a unit long. They follow from the shares alone, not from when they were asked for.
    """

    __slots__ = ("at", "decays", "imputed", "last_ms", "moment_1", "moment_2", "n", "place", "shares")

    def __init__(self, *, with_decays: bool) -> None:
        self.place = self.shares = self.at = self.n = self.moment_1 = self.moment_2 = 0
        self.imputed = self.last_ms = 0
        self.decays: Floats | None = np.zeros(len(RATES)) if with_decays else None

    def copy(self, *, with_decays: bool = True) -> "ExposureSums":
        """Return the same sums, to go on by themselves."""
        twin = ExposureSums(with_decays=False)
        twin.place, twin.shares, twin.at, twin.imputed = self.place, self.shares, self.at, self.imputed
        twin.n, twin.moment_1, twin.moment_2, twin.last_ms = self.n, self.moment_1, self.moment_2, self.last_ms
        if with_decays:
            twin.decays = self.decays  # Never changed in place.
        return twin

    def take(self, at: Sequence[int], followers: Sequence[int], *, imputed: int, unit_ms: int) -> None:
        """Add the shares at the next places; the one at place 0 is the root, which is no share.

        The same shares come to the same sums, to the last bit, in however many calls.
        """
        if not at:
            return
        counted = at if self.place else at[1:]
        self.shares += len(counted)
        self.at += sum(counted)
        self.place += len(at)
        self.n += sum(followers)
        moments = list(map(mul, at, followers))
        self.moment_1 += sum(moments)
        self.moment_2 += sum(map(mul, at, moments))
        self.imputed += imputed
        if self.decays is not None:
            self.decays = self._carried_on(self.decays, at, followers, unit_ms)
        self.last_ms = at[-1]

    def _carried_on(self, decays: Floats, at: Sequence[int], followers: Sequence[int], unit_ms: int) -> Floats:
        slots = _slots(unit_ms)
        end_ms, start = slots.end_ms(self.last_ms), 0
        while start < len(at):
            before_ms, end_ms = end_ms, slots.end_ms(at[start])
            if end_ms != before_ms:
                decays = decays * slots.shrinking(end_ms - before_ms)
            end = bisect_left(at, end_ms, start)
            if end - start < _MANY:
                for i in range(start, end):
                    decays = decays + slots.within(end_ms - at[i]) * float(followers[i])
            else:
                rows = slots.within_each(end_ms - np.array(at[start:end]))
                rows *= np.array(followers[start:end], dtype=np.float64)[:, np.newaxis]
                # One share after the other, which is how `accumulate` is defined, and not how `sum` is.
                rows[0] += decays
                decays = np.add.accumulate(rows, axis=0)[-1].copy()
            start = end
        return decays

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
            decays=() if self.decays is None else tuple(self.decays.tolist()),
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
        sums.decays, sums.last_ms = np.array(row.decays) if row.decays else None, row.last_ms
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


def decayed(sums: ExposureSums, *, at_ms: int, unit_ms: int) -> Floats:
    """Return Σ n·exp(−λ_k·u) for each exponential at an instant at least a unit after the last share."""
    if sums.decays is None:
        raise ValueError("exposure sums: expected sums with decays, got some without: make them with them")
    slots = _slots(unit_ms)
    return sums.decays * slots.shrinking(at_ms - slots.end_ms(sums.last_ms))


def yet_to_react_sum(ages: Ages, decays: Floats) -> float:
    """Return Σ n·(TOTAL − Φ(u)) over shares older than a unit."""
    rest = REST[0] * ages.n - REST[1] * ages.u1 + REST[2] * ages.u2 / 2
    return _total(_WEIGHTS * decays) + rest


def early_exposure_sum(ages: Ages, decays: Floats, *, window: float) -> float:
    """Return Σ n·(Φ(u) − Ψ(u)/window) over shares older than a unit: their exposure, if they are within the window.

    With T = TOTAL − Φ and J = ∫T, which from age 1 on is J(1) + Σ τ/λ·(e^−λ − e^−λu), Ψ(u) is TOTAL·u − J(u).
    """
    n, u1, u2 = ages.n, ages.u1, ages.u2
    area = n * (TOTAL - FLAT_AREA) + REST[0] * (u1 - n) - REST[1] * (u2 - n) / 2
    area += _AT_ONE_SUM * n - _total(_PER_RATE * decays)
    return TOTAL * n - yet_to_react_sum(ages, decays) - (TOTAL * u1 - area) / window


def late_exposure_sum(ages: Ages, decays: Floats, *, window_ms: int, unit_ms: int) -> float:
    """Return Σ n·exposure over shares older than a window and a unit; `decays` as they stood a window ago."""
    window = window_ms / unit_ms
    rest = REST[1] * ages.n * window / 2 - REST[2] * (ages.u1 * window / 2 - ages.n * window**2 / 6)
    return _total(_late_weights(window_ms, unit_ms) * decays) + rest


def _total(products: Floats) -> float:
    terms: list[float] = products.tolist()
    return sum(terms)
