"""Estimate how infectious a cascade is now and how large it will become: SEISMIC, at a cost that forgets the past."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import sqrt
from struct import pack, unpack
from typing import NamedTuple

from schemas.virality_rows import SharesRow
from streams.measures.chi_square import chi_square_quantile
from streams.measures.exposure_sums import (
    Ages,
    ExposureSums,
    decayed,
    early_exposure_sum,
    late_exposure_sum,
    yet_to_react_sum,
)
from streams.measures.reaction_time import FLAT_MS, FLAT_SHARE, TOTAL, reacted_area, reactions

SHARES_MIN = 5
"""Shares that a window holds at least, however far back it has to reach."""
WINDOW_UNITS_MAX = 24
"""The window is half the age of the cascade, at least one unit of five minutes and at most two hours."""
IMPUTED_RATIO_MAX = 0.5
"""Where more of the followers were guessed, whoever asks should not tell a forecast."""
SUMMED_MAX = 64
"""Up to so many shares everything is computed from each of them."""
SHARES_PER_ROW = 256

_IMPUTED = 1 << 31
_FOLLOWERS_MAX = _IMPUTED - 1


class Infection(NamedTuple):
    """What is known of a cascade's infectiousness at an instant.

    `value` is p̂, the chance that somebody who sees the post shares it; `low` and `high` its 90 % interval, `shares` how
    many there are, `direct` how many more those will bring who were exposed already: p̂·Σ nᵢ(1 − Φ(t − tᵢ)).
    `imputed_ratio` is at how many of the places, root and shares, the followers were guessed.
    """

    value: float
    low: float
    high: float
    shares: int
    direct: float
    imputed_ratio: float


def final_shares(*, shares: int, value: float, direct: float, followers_per_share: float) -> float | None:
    """Return how many shares there will be in the end, None where p̂·n* ≥ 1: then it has no end (supercritical).

    shares + direct/(1 − p̂·n*), as every share brings p̂·n* others; equation 7 of the paper.

    >>> final_shares(shares=30, value=0.005, direct=10.0, followers_per_share=100.0)
    50.0
    """
    each_brings = value * followers_per_share
    return None if each_brings >= 1 else shares + direct / (1 - each_brings)


def forecast_interval(infection: Infection, *, followers_per_share: float) -> tuple[float | None, float | None]:
    """Return the final shares at both ends of the interval of the infectiousness, None where one has no end.

    What those bring who were exposed already is proportional to the infectiousness.
    """
    value, shares, direct = infection.value, infection.shares, infection.direct
    if value <= 0:
        return float(shares), float(shares)
    low, high = (
        final_shares(shares=shares, value=end, direct=direct * end / value, followers_per_share=followers_per_share)
        for end in (infection.low, infection.high)
    )
    return low, high


class _Window(NamedTuple):
    """The shares that count at an instant t, all in ms after the root: those in [since_ms, t).

    `place` is the first that is not before t. `hold_ms` is a bound on `since_ms` that never goes back, as `since_ms`
    does when a window has to reach for a sixth share.
    """

    at_ms: int
    since_ms: int
    hold_ms: int
    place: int


class _Running:
    """The sums of a cascade that has many shares.

    `whole` is over all that came, `before` over what lies before the window, `grown` over what is older than a unit,
    `aged` over what is older than the window and a unit.
    """

    __slots__ = ("aged", "before", "grown", "whole")

    def __init__(self, base: ExposureSums | None) -> None:
        start = ExposureSums(with_decays=True) if base is None else base
        self.grown, self.aged = start.copy(), start.copy()
        self.whole, self.before = start.copy(with_decays=False), start.copy(with_decays=False)


class Infectiousness:
    """How infectious one cascade is: its root and its shares, with followers, in the order of time.

        p̂(t) = Σ K(t − tᵢ) / Σ nᵢ ∫K(t − s)·φ(s − tᵢ) ds,  K(x) = 1 − x/w for 0 < x <= w

    counts the shares of the window [t − w, t), the root not among them, against those who came to see the post in it.
    The window is min(max(t/2, 5 min), 2 h), and reaches back to the sixth last share where it would hold fewer than
    five. With m shares in it the 90 % interval is p̂·χ²(5 % | 95 %; 2m)/2m, and with R shares so far

        forecast = R + p̂·Σ nᵢ·(1 − Φ(t − tᵢ)) / (1 − p̂·n*)

    (`final_shares`), for a number n* of followers per share that whoever asks has to know. The root, which is no share
    of R, is at place 0; where it is not known, what stands for it.

    Up to 64 shares that is computed share by share. Beyond, sums go on with time (`ExposureSums`): every share enters
    two of them once, when it is five minutes old and when it is five minutes older than the window. A reading then
    costs the same whatever the length of the cascade; what is remembered are the shares of the window, in chunks of
    which only the last one changes. It is within 1e-7 of the sum over all shares for cascades of up to 90 days.

    Who was exposed by a share that is undone later stays exposed. Source: Zhao et al. 2015, "SEISMIC: A Self-Exciting
    Point Process Model for Predicting Tweet Popularity", KDD (arXiv 1506.02594), sections 3 and 4.

    >>> cascade = Infectiousness()
    >>> cascade.add(0, 1_000, followers_imputed=100)
    >>> for minute in range(1, 7):
    ...     cascade.add(minute * 60_000, 300, followers_imputed=100)
    >>> reading = cascade.read(480_000)
    >>> reading.shares, reading.low < 0.008 < reading.high
    (6, True)
    """

    __slots__ = (
        "_at",
        "_base",
        "_ended",
        "_first_changed",
        "_followers",
        "_imputed",
        "_root_at_ms",
        "_running",
        "_told",
        "_unit_ms",
    )

    def __init__(self, *, unit_ms: int = FLAT_MS) -> None:
        """Take the unit of the kernel and its windows, which a scaled season shortens."""
        self._unit_ms = unit_ms
        self._root_at_ms = 0
        # What is kept, from the place of `_base` on: ms after the root, and followers with a bit for those guessed.
        self._at = array("q")
        self._followers = array("I")
        self._base: ExposureSums | None = None
        self._running: _Running | None = None
        # Whether the first chunk that is kept must be told again, though it may hold nothing new at its end.
        self._first_changed = False
        self._told = self._ended = self._imputed = 0

    @property
    def _first(self) -> int:
        return 0 if self._base is None else self._base.place

    def add(self, at_ms: int, followers: int | None, *, followers_imputed: int) -> None:
        """Take in the root, then share after share; what is imputed stands for followers that nobody told.

        Raises ValueError for an instant before the last one: an error of the caller.
        """
        at = self._at
        if not at:
            self._root_at_ms = at_ms
        after_ms = at_ms - self._root_at_ms
        if at and after_ms < at[-1]:
            last_ms = self._root_at_ms + at[-1]
            raise ValueError(f"infectiousness: expected a share from {last_ms} on, got {at_ms}: feed it in order")
        at.append(after_ms)
        self._imputed += followers is None
        self._followers.append(_packed(followers, followers_imputed))
        if self._running is not None:
            if len(at) % SHARES_PER_ROW == 0:
                self._advance(self._running, self._window(after_ms))
        elif len(at) > SUMMED_MAX:
            self._running = _Running(self._base)

    def meet_root(self, followers: int | None) -> None:
        """Take in how many follow the root's actor, where it turned up after its shares, with something at place 0.

        Nothing changes where nobody told, or where the root has been taken into the sums of what is forgotten.
        """
        packed = _packed(followers, 0)
        if followers is None or self._base is not None or not self._at or packed == self._followers[0]:
            return
        self._imputed -= self._followers[0] >= _IMPUTED
        self._followers[0] = packed
        self._first_changed = True
        if self._running is not None:
            self._running = _Running(None)

    def _move(self, sums: ExposureSums, place: int) -> None:
        """Let sums take what lies before a place."""
        if place <= sums.place:
            return
        kept = slice(sums.place - self._first, place - self._first)
        followers: Sequence[int] = self._followers[kept]
        imputed = 0
        if self._imputed:
            imputed = sum(packed >> 31 for packed in followers)
            followers = [packed & _FOLLOWERS_MAX for packed in followers]
        sums.take(self._at[kept], followers, imputed=imputed, unit_ms=self._unit_ms)

    def _place_at(self, ms: int) -> int:
        """Return the first place that is not before an instant."""
        return self._first + bisect_left(self._at, ms)

    def _window(self, at_ms: int) -> _Window:
        at, end = self._at, len(self._at)
        while end and at[end - 1] >= at_ms:
            end -= 1
        start_ms = at_ms - min(max(at_ms // 2, self._unit_ms), WINDOW_UNITS_MAX * self._unit_ms)
        sixth_ms = at[end - SHARES_MIN - 1] if end > SHARES_MIN else 0
        reaches = end > SHARES_MIN and at[end - SHARES_MIN] < start_ms
        return _Window(at_ms, sixth_ms if reaches else start_ms, min(start_ms, sixth_ms), self._first + end)

    def _advance(self, running: _Running, window: _Window) -> None:
        """Let the sums take what has come of their age, and forget what all of them have taken."""
        self._move(running.whole, self._first + len(self._at))
        self._move(running.grown, self._place_at(window.at_ms - self._unit_ms))
        self._move(running.before, self._place_at(window.hold_ms))
        aged = running.aged
        place = self._place_at(window.hold_ms - self._unit_ms)
        while aged.place < place:
            chunk_end = (aged.place // SHARES_PER_ROW + 1) * SHARES_PER_ROW
            self._move(aged, min(place, chunk_end))
            if aged.place == chunk_end:
                self._forget_before(aged.copy())

    def _forget_before(self, base: ExposureSums) -> None:
        gone = base.place - self._first
        del self._at[:gone], self._followers[:gone]
        self._base = base
        self._first_changed = True

    # --- asking -------------------------------------------------------------------------------------------------------

    def read(self, at_ms: int) -> Infection | None:
        """Return the infectiousness at an instant, None below five shares before it or where nobody saw any.

        Instants never go back, neither behind the last share nor behind what was asked before.
        """
        after_ms = at_ms - self._root_at_ms
        if not self._at or after_ms < self._at[-1]:
            raise ValueError(f"infectiousness: expected an instant not before the last share, got {at_ms}")
        window = self._window(after_ms)
        if window.place <= SHARES_MIN:
            return None
        if self._running is None:
            m, recent, exposed, to_come = self._from_each(window)
        else:
            m, recent, exposed, to_come = self._from_sums(self._running, window)
        if exposed <= 0:
            return None
        value, places = recent / exposed, self._first + len(self._at)
        low, high = _interval(m)
        return Infection(value, value * low, value * high, places - 1, value * to_come, self._imputed / places)

    def _from_each(self, window: _Window) -> tuple[int, float, float, float]:
        """Return the shares in the window, Σ K, Σ n·exposure and Σ n·(what is yet to react), share by share."""
        at_ms, since_ms, _, place = window
        first, unit_ms = max(bisect_left(self._at, since_ms), 1), self._unit_ms
        at, followers = self._at.tolist(), self._followers.tolist()
        if self._imputed:
            followers = [packed & _FOLLOWERS_MAX for packed in followers]
        m, length_ms = place - first, at_ms - since_ms
        recent = (sum(at[first:place]) - m * since_ms) / length_ms
        return m, recent, *reactions([(at_ms - ms) / unit_ms for ms in at], followers, window=length_ms / unit_ms)

    def _from_sums(self, running: _Running, window: _Window) -> tuple[int, float, float, float]:
        """Return what `_from_each` returns, from the sums."""
        self._advance(running, window)
        whole, grown, before, aged = running.whole, running.grown, running.before, running.aged
        at_ms, since_ms, hold_ms, _ = window
        unit_ms, length = self._unit_ms, (at_ms - since_ms) / self._unit_ms
        if hold_ms < since_ms:
            before = before.copy(with_decays=False)
            self._move(before, self._place_at(since_ms))
        now = Ages(whole, grown, at_ms=at_ms, unit_ms=unit_ms)
        exposed = FLAT_SHARE * (now.u1 - now.u2 / (2 * length))
        grown_decays = decayed(grown, at_ms=at_ms, unit_ms=unit_ms)
        if grown.place > aged.place:
            aged_decays = decayed(aged, at_ms=at_ms, unit_ms=unit_ms)
            middle = Ages(grown, aged, at_ms=at_ms, unit_ms=unit_ms)
            exposed += early_exposure_sum(middle, grown_decays - aged_decays, window=length)
            exposed += self._left_window(before, aged, window) / length
        late = Ages(aged, None, at_ms=at_ms, unit_ms=unit_ms)
        aged_decays = decayed(aged, at_ms=since_ms, unit_ms=unit_ms)
        exposed += late_exposure_sum(late, aged_decays, window_ms=at_ms - since_ms, unit_ms=unit_ms)
        to_come = TOTAL * now.n - FLAT_SHARE * now.u1
        to_come += yet_to_react_sum(Ages(grown, None, at_ms=at_ms, unit_ms=unit_ms), grown_decays)
        ties = whole.place - window.place
        m = whole.shares - ties - before.shares
        at_sum = whole.at - ties * at_ms - before.at
        return m, (at_sum - m * since_ms) / (at_ms - since_ms), exposed, to_come

    def _left_window(self, before: ExposureSums, aged: ExposureSums, window: _Window) -> float:
        """Return Σ n·Ψ(u − w) over what lies before the window and is not in the sums of what is aged."""
        since_ms, unit_ms, first = window.since_ms, self._unit_ms, self._first
        place = max(self._place_at(since_ms - unit_ms), aged.place)
        total = 0.0
        if place > aged.place:
            # The window has become shorter than what it had to hold on to; those behind it are few, or they are brief.
            for i in range(aged.place - first, place - first):
                followers = self._followers[i] & _FOLLOWERS_MAX
                total += followers * reacted_area((since_ms - self._at[i]) / unit_ms)
            aged = aged.copy(with_decays=False)
            self._move(aged, place)
        left = Ages(before, aged, at_ms=since_ms, unit_ms=unit_ms)
        return total + FLAT_SHARE / 2 * left.u2

    # --- remembering --------------------------------------------------------------------------------------------------

    def changed_rows(self) -> list[tuple[int, SharesRow | None]]:
        """Return (chunk of 256 shares, its row, or None where it is forgotten) for what changed since last time."""
        first_chunk = self._first // SHARES_PER_ROW
        gone = range(self._ended, min(first_chunk, -(-self._told // SHARES_PER_ROW)))
        rows: list[tuple[int, SharesRow | None]] = [(chunk, None) for chunk in gone]
        count = self._first + len(self._at)
        new = range(max(self._told // SHARES_PER_ROW, first_chunk), -(-count // SHARES_PER_ROW) * (count > self._told))
        if self._first_changed and first_chunk not in new:
            rows.append((first_chunk, self._row(first_chunk)))
        rows.extend((chunk, self._row(chunk)) for chunk in new)
        self._told, self._ended, self._first_changed = count, first_chunk, False
        return rows

    @property
    def chunks(self) -> range:
        """The chunks that have a row, or will have one with the next `changed_rows`, until that says otherwise."""
        return range(self._ended, -(-(self._first + len(self._at)) // SHARES_PER_ROW))

    @property
    def has_changed(self) -> bool:
        """Whether `changed_rows` would tell anything."""
        return self._first_changed or self._told != self._first + len(self._at)

    def _row(self, chunk: int) -> SharesRow:
        first = chunk * SHARES_PER_ROW - self._first
        at, followers = (held[first : first + SHARES_PER_ROW] for held in (self._at, self._followers))
        base = self._base if first == 0 else None
        return SharesRow(
            chunk=chunk,
            at=pack(f"<{len(at)}q", *(ms + self._root_at_ms for ms in at)),
            followers=pack(f"<{len(followers)}I", *followers),
            before=None if base is None else base.row(root_at_ms=self._root_at_ms),
        )

    def restore(self, rows: Iterable[SharesRow]) -> None:
        """Take up the rows of earlier `changed_rows`, in any order; costs what the window holds."""
        held = sorted(rows, key=lambda row: row.chunk)
        if not held:
            return
        at = [ms for row in held for ms in unpack(f"<{len(row.at) // 8}q", row.at)]
        self._root_at_ms = at[0]
        if held[0].before is not None:
            self._base = ExposureSums.from_row(held[0].before)
            self._root_at_ms = held[0].before.root_at_ms
        self._at = array("q", (ms - self._root_at_ms for ms in at))
        self._followers = array("I", (n for row in held for n in unpack(f"<{len(row.followers) // 4}I", row.followers)))
        imputed = 0 if self._base is None else self._base.imputed
        self._imputed = imputed + sum(packed >> 31 for packed in self._followers)
        self._told, self._ended, self._first_changed = self._first + len(self._at), held[0].chunk, False
        self._running = _Running(self._base) if self._told > SUMMED_MAX else None


def _packed(followers: int | None, followers_imputed: int) -> int:
    told = followers_imputed if followers is None else followers
    return min(max(told, 0), _FOLLOWERS_MAX) | (_IMPUTED if followers is None else 0)


@lru_cache(maxsize=1_024)
def _interval(m: int) -> tuple[float, float]:
    """Return χ²(5 % | 95 %; 2m)/2m."""
    if m < _EXPANDED_MIN:
        return chi_square_quantile(0.05, 2 * m) / (2 * m), chi_square_quantile(0.95, 2 * m) / (2 * m)
    # Cornish & Fisher's expansion, within 2e-8 from here on; to invert the distribution takes a tenth of a millisecond.
    by, root = 1 / (2 * m), sqrt(1 / m)
    even = 1 + by * (2 / 3 * (_Z2 - 1) - by * (6 * _Z2 * _Z2 + 14 * _Z2 - 32) / 405)
    odd = _Z * root * (1 + by * ((_Z2 - 7) / 18 + by * (9 * _Z2 * _Z2 + 256 * _Z2 - 433) / 9_720))
    return even - odd, even + odd


_EXPANDED_MIN = 100
_Z = 1.6448536269514722  # The 95 % point of the normal distribution.
_Z2 = _Z * _Z
