"""Find out what an edit, a delete or an undo means among the signals that a partition has applied."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from schemas.act_rows import ActsRow, Origin
from schemas.signal import ACTOR_UNKNOWN, KINDS, Kind, Signal, conversation_of, is_addressed
from streams.attribution.acts import Act, RecentActs
from streams.measures.node_index import number_of

_ALIAS = 8
"""Added to the kind of what lies under the number of its post rather than under that of its own id."""
_MARK_BYTES = 4
_ORIGINALS = frozenset(("post", "reply", "quote"))
_NODELESS = frozenset(("like", "follow"))
_KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}


class Found(NamedTuple):
    """A signal that a change means: the numbers of its id and of its node (None: it has none), kind, conversation."""

    number: int
    node: int | None
    kind: Kind
    root: str
    tags: frozenset[bytes]
    act: Act[Origin]


class Meant(NamedTuple):
    """What a change means, in the order of conversations; `roots` are those in which anything bears its id or post,
    be it by somebody else than who made the change.
    """

    found: list[Found]
    roots: frozenset[str]


class AppliedActs:
    """The signals that were applied to conversations within `span_ms` of event time, as far as changes need them.

    Must be told of them, and asked, in stamp order. A signal is found by its own id or by the post that it made. What
    says that somebody else made it changes nothing.

    >>> acts = AppliedActs(span_ms=60_000)
    >>> acts.add(Signal("t:1", "t", "post", 1_000, "ana", post="1"), "1")
    >>> undo = Signal("t:1", "t", "post", 2_000, "ana", op="undo")
    >>> [found.kind for found in acts.find(undo).found]
    ['post']
    """

    def __init__(self, *, span_ms: int) -> None:
        self._acts = RecentActs[Origin](span_ms=span_ms, scope_of=_root_of, value_type=Origin)

    def add(self, signal: Signal, root: str) -> None:
        """Remember a signal that was created in a conversation."""
        at_ms, kind, post = signal.at, signal.kind, signal.post
        number, code, mark = number_of(signal.id), _KIND_INDEX[kind], _mark_of(signal.actor)
        origin = Origin(root, b"".join(map(_tag_mark, signal.tags))) if signal.tags else _untagged(root)
        other = number
        if post and post != signal.id and kind in _ORIGINALS:
            other = number_of(post)
            self._acts.note(other, Act(at_ms, code | _ALIAS, number, mark, origin), now_ms=at_ms)
        self._acts.note(number, Act(at_ms, code, other, mark, origin), now_ms=at_ms)

    def find(self, change: Signal) -> Meant:
        """Return what a change means: an addressed one in its conversation, another one whatever bears the id.

        What is found in one conversation does not depend on any other: those of a partition are what it has.
        """
        acts, now_ms = self._acts, change.at
        noted = [_found(number, act) for number in _numbers_of(change) for act in acts.find(number, now_ms=now_ms)]
        if is_addressed(change):
            root = conversation_of(change)
            noted = [one for one in noted if one.root == root]
        mark = None if change.actor == ACTOR_UNKNOWN else _mark_of(change.actor)
        found = {(one.root, one.number): one for one in noted if mark is None or one.act.mark == mark}
        return Meant([found[key] for key in sorted(found)], frozenset(one.root for one in noted))

    def forget(self, found: Found, *, now_ms: int) -> None:
        """Remember that a signal was taken back: no change means it any more."""
        for number, act in _names(found):
            self._acts.forget(number, act, now_ms=now_ms)

    def retag(self, found: Found, tags: Sequence[str], *, now_ms: int) -> list[str]:
        """Remember the tags that a signal has now, and return those that it did not have."""
        origin = Origin(found.root, b"".join(map(_tag_mark, tags)))
        for number, act in _names(found):
            self._acts.note(number, act._replace(value=origin), now_ms=now_ms)
        return [tag for tag in tags if _tag_mark(tag) not in found.tags]

    def changed_rows(self) -> list[tuple[str, ActsRow | None]]:
        """Return the rows that changed since the last call, None for those that ended."""
        return self._acts.changed_rows()

    def restore(self, rows: Iterable[tuple[str, ActsRow]]) -> None:
        """Remember again what rows say."""
        self._acts.restore(rows)


def _numbers_of(change: Signal) -> list[int]:
    """Return the numbers under which a change may name what it means: of its id, and of the post."""
    numbers = [number_of(change.id)]
    if change.post and change.post != change.id and change.kind in _ORIGINALS:
        numbers.append(number_of(change.post))
    return numbers


def _found(number: int, act: Act[Origin]) -> Found:
    signal_number, node = (act.other, number) if act.code & _ALIAS else (number, act.other)
    kind = KINDS[act.code & ~_ALIAS]
    root, tags = act.value
    marks = frozenset(tags[at : at + _MARK_BYTES] for at in range(0, len(tags), _MARK_BYTES))
    return Found(signal_number, None if kind in _NODELESS else node, kind, root, marks, act)


def _names(found: Found) -> list[tuple[int, Act[Origin]]]:
    """Return what was noted of a signal: under its id, and under its post where that has another."""
    at_ms, code, _, mark, origin = found.act
    number, node, code = found.number, found.node, code & ~_ALIAS
    if node is None or node == number:
        return [(number, Act(at_ms, code, number, mark, origin))]
    return [
        (node, Act(at_ms, code | _ALIAS, number, mark, origin)),
        (number, Act(at_ms, code, node, mark, origin)),
    ]


def _mark_of(actor: str) -> int:
    return crc32(actor.encode(errors="surrogatepass"))


def _root_of(origin: Origin) -> str:
    return origin.root


# Few conversations are busy at a time, and tags come again and again.
_untagged = lru_cache(maxsize=4_096)(Origin)


@lru_cache(maxsize=4_096)
def _tag_mark(tag: str) -> bytes:
    return crc32(tag.encode(errors="surrogatepass")).to_bytes(_MARK_BYTES, "little")
