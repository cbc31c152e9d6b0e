"""Remember what was counted of the acts of a while, by number, so that each can be edited or taken back once."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from struct import pack, unpack
from typing import Generic, NamedTuple, TypeVar

import msgspec
import numpy as np

from schemas.act_rows import ActsRow
from streams.measures.node_index import number_of

CHANGES_MS = 86_400_000
"""For so long what was counted can be edited or taken back: the windows that are judged are no longer."""
GONE = 255
"""The code of an act that was taken back."""
BUCKETS = 48
"""The span is remembered in so many slices of event time; what is asked for is looked for in each of them."""
SEALED_ACTS = 20_000
"""So many acts are sealed in any case: one that is open takes eight times the memory of one that is sealed."""
_CHUNK_ACTS_MAX = 400
_CHUNK_BYTES_MAX = 48 * 1024
_ACT_BYTES = 30
_VALUE_BYTES = 5
_CODE_BITS = 8

Value = TypeVar("Value")
_Name = tuple[int, int]

_encode = msgspec.msgpack.Encoder().encode
_root_number = lru_cache(maxsize=1_024)(number_of)


def act_number(number: int, root: str) -> int:
    """Return the number of an act, whose id has a number (`number_of`), within a conversation.

    >>> act_number(number_of("a"), "r") != act_number(number_of("a"), "q")
    True
    """
    # The root's own post may bear the id of the root: their numbers must not cancel each other out.
    return (3 * number + _root_number(root)) % 2**64


class Act(NamedTuple, Generic[Value]):
    """What is remembered of one act: its event time, a code below `GONE`, and what whoever remembers it wants to know.

    `other` is a number of 64 bits, `mark` one of 32; a `value` is best shared by many acts.
    """

    at_ms: int
    code: int
    other: int
    mark: int
    value: Value


class _Sealed(Generic[Value]):
    """The acts of a slice of time by ascending number, those of one number in the order in which they were noted."""

    __slots__ = ("_details", "_marks", "_numbers", "_others", "_values", "bucket")

    def __init__(self, bucket: int, noted: dict[int, tuple[Act[Value], ...]]) -> None:
        self.bucket = bucket
        acts = [(number, act) for number in sorted(noted) for act in noted[number]]
        self._numbers = array("Q", [number for number, _ in acts])
        self._others = array("Q", [act.other for _, act in acts])
        self._details = array("Q", [act.at_ms << _CODE_BITS | act.code for _, act in acts])
        self._marks = array("I", [act.mark for _, act in acts])
        self._values = [act.value for _, act in acts]

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, later: "_Sealed[Value]") -> None:
        """Take in what was noted later in the same slice; of one number it comes behind what is here."""
        order = np.argsort(np.array(self._numbers + later._numbers), kind="stable")
        for name in ("_numbers", "_others", "_details", "_marks"):
            both: array[int] = getattr(self, name) + getattr(later, name)
            setattr(self, name, array(both.typecode, np.array(both)[order].tobytes()))
        values = self._values + later._values
        self._values = [values[place] for place in order.tolist()]

    def find(self, number: int) -> list[Act[Value]]:
        """Return the acts of a number."""
        numbers, found = self._numbers, []
        place = bisect_left(numbers, number)
        while place < len(numbers) and numbers[place] == number:
            detail = self._details[place]
            found.append(
                Act(detail >> _CODE_BITS, detail & GONE, self._others[place], self._marks[place], self._values[place])
            )
            place += 1
        return found


class RecentActs(Generic[Value]):
    """The acts of the last `span_ms` of event time. Must be told of them, and asked, in stamp order.

    What is noted of a number replaces what was noted of it before in the same scope (`scope_of` a value: a number may
    mean something in several conversations). Whether an act is remembered depends on its own event time and on when
    it is asked for, not on what else passes: so every partition remembers of its own acts what one process would.

    >>> acts = RecentActs[str](span_ms=60_000, scope_of=str, value_type=str)
    >>> acts.note(7, Act(at_ms=1_000, code=0, other=0, mark=0, value="r"), now_ms=1_000)
    >>> [act.value for act in acts.find(7, now_ms=61_000)], acts.find(7, now_ms=61_001)
    (['r'], [])
    >>> acts.forget(7, acts.find(7, now_ms=2_000)[0], now_ms=2_000)
    >>> acts.find(7, now_ms=2_000)
    []
    """

    def __init__(self, *, span_ms: int, scope_of: Callable[[Value], str], value_type: type[Value]) -> None:
        self.span_ms = span_ms
        self._bucket_ms = max(1, span_ms // BUCKETS)
        self._scope_of = scope_of
        self._decode = msgspec.msgpack.Decoder(value_type).decode
        # What is open lies by number, what is sealed from the oldest to the youngest.
        self._bucket = -1
        self._open: dict[int, tuple[Act[Value], ...]] = {}
        self._sealed: list[_Sealed[Value]] = []
        # Chunks become rows: those that were told are known by name only.
        self._names: dict[_Name, None] = {}
        self._untold: dict[_Name, list[tuple[int, Act[Value]]]] = {}
        self._gone: list[_Name] = []
        self._chunk: list[tuple[int, Act[Value]]] = []
        self._chunk_name: _Name = (-1, 0)
        self._chunk_bytes = 0
        self._chunk_values: set[Value] = set()
        self._is_untold = False

    def note(self, number: int, act: Act[Value], *, now_ms: int) -> None:
        """Remember an act under a number."""
        bucket = now_ms // self._bucket_ms
        if bucket != self._bucket or len(self._open) >= SEALED_ACTS:
            self._turn(bucket)
        # This runs for every act that is counted; nearly all have a number that is new.
        if number in self._open:
            self._hold(number, act)
        else:
            self._open[number] = (act,)
        chunk = self._chunk
        if bucket != self._chunk_name[0] or len(chunk) >= _CHUNK_ACTS_MAX or self._chunk_bytes > _CHUNK_BYTES_MAX:
            self._begin_chunk((bucket, self._chunk_name[1] + 1 if bucket == self._chunk_name[0] else 0))
            chunk = self._chunk
        chunk.append((number, act))
        self._chunk_bytes += _ACT_BYTES
        if act.value not in self._chunk_values:
            self._weigh(act.value)
        if not self._is_untold:
            self._is_untold = True
            self._untold[self._chunk_name] = chunk

    def _hold(self, number: int, act: Act[Value]) -> None:
        known = self._open.get(number)
        if known is None:
            self._open[number] = (act,)
            return
        scope = self._scope_of(act.value)
        self._open[number] = (*(held for held in known if self._scope_of(held.value) != scope), act)

    def _begin_chunk(self, name: _Name) -> None:
        self._chunk, self._chunk_name, self._chunk_bytes = [], name, 0
        self._chunk_values = set()
        self._is_untold = False
        self._names[name] = None

    def _weigh(self, value: Value) -> None:
        self._chunk_values.add(value)
        self._chunk_bytes += len(_encode(value)) + _VALUE_BYTES

    def forget(self, number: int, act: Act[Value], *, now_ms: int) -> None:
        """Remember that an act was taken back."""
        self.note(number, act._replace(code=GONE), now_ms=now_ms)

    def find(self, number: int, *, now_ms: int) -> list[Act[Value]]:
        """Return the acts of a number that are remembered and not taken back, in the order of their scopes."""
        found: dict[str, Act[Value]] = {}
        for act in self._noted(number):
            found.setdefault(self._scope_of(act.value), act)
        return [
            found[scope]
            for scope in sorted(found)
            if found[scope].code != GONE and now_ms - found[scope].at_ms <= self.span_ms
        ]

    def _noted(self, number: int) -> Iterator[Act[Value]]:
        """Yield what was noted of a number, the latest first."""
        yield from reversed(self._open.get(number, ()))
        for sealed in reversed(self._sealed):
            yield from reversed(sealed.find(number))

    def _turn(self, bucket: int) -> None:
        """Seal what is open, and forget what lies in buckets that nobody can ask for any more."""
        if self._open:
            self._sealed.append(_Sealed(self._bucket, self._open))
            self._open = {}
            self._merge()
        if bucket == self._bucket:
            return
        self._bucket = bucket
        # Acts are told and edited in the bucket of that time, never in one before their own.
        first = bucket - 1 - -(-self.span_ms // self._bucket_ms)
        self._sealed = [sealed for sealed in self._sealed if sealed.bucket >= first]
        for name in [name for name in self._names if name[0] < first]:
            del self._names[name]
            self._untold.pop(name, None)
            self._gone.append(name)

    def _merge(self) -> None:
        """Put together what was sealed of one bucket, the smaller first: all of it is looked through for every change.

        So there are few of each bucket, however much is done, and an act is put together with others few times.
        """
        sealed = self._sealed
        while len(sealed) > 1 and sealed[-2].bucket == sealed[-1].bucket and len(sealed[-2]) <= len(sealed[-1]):
            later = sealed.pop()
            sealed[-1].add(later)

    # --- remembering --------------------------------------------------------------------------------------------------

    def changed_rows(self) -> list[tuple[str, ActsRow | None]]:
        """Return the rows that changed since the last call, None for those that ended."""
        rows: list[tuple[str, ActsRow | None]] = [(_name_of(name), None) for name in self._gone]
        rows += [(_name_of(name), _row_of(self._untold[name])) for name in sorted(self._untold)]
        self._gone.clear()
        self._untold.clear()
        self._is_untold = False
        return rows

    def restore(self, rows: Iterable[tuple[str, ActsRow]]) -> None:
        """Remember again what rows say, in any order."""
        for (bucket, number), row in sorted(((_name_from(name), row) for name, row in rows), key=lambda pair: pair[0]):
            self._begin_chunk((bucket, number))
            values = [self._decode(value) for value in row.values]
            for value in values:
                self._weigh(value)
            n = len(row.marks) // 4
            self._chunk_bytes += n * _ACT_BYTES
            places, marks = unpack(f"<{n}H", row.places), unpack(f"<{n}I", row.marks)
            numbers, others = unpack(f"<{n}Q", row.numbers), unpack(f"<{n}Q", row.others)
            for index, detail in enumerate(unpack(f"<{n}Q", row.details)):
                if bucket != self._bucket or len(self._open) >= SEALED_ACTS:
                    self._turn(bucket)
                value = values[places[index]]
                act = Act(detail >> _CODE_BITS, detail & GONE, others[index], marks[index], value)
                self._hold(numbers[index], act)
                self._chunk.append((numbers[index], act))


def _name_of(name: _Name) -> str:
    return f"{name[0]}.{name[1]}"


def _name_from(text: str) -> _Name:
    bucket, _, number = text.partition(".")
    return int(bucket), int(number)


def _row_of(chunk: list[tuple[int, Act[Value]]]) -> ActsRow:
    places: dict[Value, int] = {}
    for _, act in chunk:
        places.setdefault(act.value, len(places))
    n = len(chunk)
    return ActsRow(
        numbers=pack(f"<{n}Q", *(number for number, _ in chunk)),
        others=pack(f"<{n}Q", *(act.other for _, act in chunk)),
        details=pack(f"<{n}Q", *(act.at_ms << _CODE_BITS | act.code for _, act in chunk)),
        marks=pack(f"<{n}I", *(act.mark for _, act in chunk)),
        places=pack(f"<{n}H", *(places[act.value] for _, act in chunk)),
        values=tuple(_encode(value) for value in places),
    )
