"""Remember for a while which actors were erased, without their names, so that nothing brings them back."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

from schemas.erasure_rows import ErasedActorRow
from schemas.rules import DAY_MS
from schemas.signal import Erasure, Signal

ERASED_MS = 30 * DAY_MS
"""For so long nothing of an erased actor is taken: longer than any channel keeps what it said (`schemas.channels`)."""
_DIGEST_BYTES = 16


@lru_cache(maxsize=65_536)
def erased_name(network: str, actor: str) -> str:
    """Return what stands for an actor of a network: 128 bits of a hash, in hexadecimal digits.

    >>> erased_name("t", "ana") == erased_name("t", "ana") != erased_name("ta", "na")
    True
    """
    # No name holds a NUL (`streams.networks.bounds`), so no two pairs run into one text.
    text = f"{network}\0{actor}".encode(errors="surrogatepass")
    return blake2b(text, digest_size=_DIGEST_BYTES, person=b"erased").hexdigest()


class ErasedActors:
    """Who was erased within the last `span_ms` of event time. Must be told of it in stamp order.

    Whether somebody counts as erased depends on the two event times only, not on what else passes.

    >>> erased = ErasedActors(span_ms=60_000)
    >>> erased.erase(Erasure("ana", "t", 1_000)) == erased_name("t", "ana")
    True
    >>> [erased.is_erased("t", "ana", at_ms=at_ms) for at_ms in (500, 61_000, 61_001)], len(erased)
    ([True, True, False], 1)
    """

    def __init__(self, *, span_ms: int) -> None:
        self.span_ms = span_ms
        self._at_ms: dict[str, int] = {}
        self._announced: set[str] = set()
        self._changed: set[str] = set()
        self._swept_day = 0

    def __len__(self) -> int:
        return len(self._at_ms)

    def announce(self, erasure: Erasure) -> str:
        """Take note of an erasure that waits for its turn, and return what stands for the actor."""
        name = erased_name(erasure.network, erasure.erase)
        self._announced.add(name)
        return name

    def erase(self, erasure: Erasure) -> str | None:
        """Take note of an erasure in its turn; return what stands for the actor, None where it was known."""
        name = erased_name(erasure.network, erasure.erase)
        self._announced.discard(name)
        if self._at_ms.get(name, -1) >= erasure.at:
            return None
        self._at_ms[name] = erasure.at
        self._changed.add(name)
        return name

    def is_erased(self, network: str, actor: str, *, at_ms: int) -> bool:
        """Return whether nothing of an actor may be taken that happened at an instant, be it from before."""
        erased_ms = self._at_ms.get(erased_name(network, actor))
        return erased_ms is not None and at_ms - erased_ms <= self.span_ms

    def refuses(self, signal: Signal, *, is_late: bool = False) -> bool:
        """Return whether a signal is an erased actor's; out of what others say the names of such actors are taken.

        For a late one, which is told aside, those count as well who are about to be erased: whether their turn has come
        when it is read depends on where batches end, and what is told must not.
        """
        if not self._at_ms and not (is_late and self._announced):
            return False
        if self._is_gone(signal, signal.actor, is_late=is_late):
            return True
        for field in ("parent_actor", "root_actor"):
            name = getattr(signal, field)
            if name is not None and self._is_gone(signal, name, is_late=is_late):
                setattr(signal, field, None)
        return False

    def _is_gone(self, signal: Signal, actor: str, *, is_late: bool) -> bool:
        if is_late and erased_name(signal.network, actor) in self._announced:
            return True
        return self.is_erased(signal.network, actor, at_ms=signal.at)

    def expire(self, at_ms: int) -> None:
        """Forget whose time is over; looks at all of them once a day of event time."""
        day = at_ms // DAY_MS
        if day <= self._swept_day:
            return
        self._swept_day = day
        for name in [name for name, erased_ms in self._at_ms.items() if at_ms - erased_ms > self.span_ms]:
            del self._at_ms[name]
            self._changed.add(name)

    def changed_rows(self) -> Iterator[tuple[str, ErasedActorRow | None]]:
        """Yield (name, row) of those who changed since the last call, None for those who are forgotten."""
        changed, self._changed = self._changed, set()
        for name in sorted(changed):
            at_ms = self._at_ms.get(name)
            yield name, None if at_ms is None else ErasedActorRow(at_ms)

    def restore(self, rows: Iterable[tuple[str, ErasedActorRow]]) -> None:
        """Take up the rows of earlier `changed_rows`, in any order."""
        self._at_ms.update((name, row.at_ms) for name, row in rows)
