"""Turn counts of likes and shares into signals, by what they have grown from one snapshot of a post to the next."""

from typing import Literal

import msgspec

from schemas.signal import Signal

FLAG_COUNTED = "counted"
"""Somebody did it, as a count says; who and when exactly is not known."""

POSTS_MAX = 100_000
SIGNALS_MAX = 1_000
"""Signals of one snapshot; what a count has grown beyond that comes with the next."""


class Counts(msgspec.Struct, frozen=True):
    """How often a post was liked and shared, as a snapshot says. Answers are not counted: each is a post that comes."""

    likes: int = 0
    shares: int = 0


class Grown(msgspec.Struct, frozen=True):
    """What the counts of a post were, and what they are now: at least as much, and at most `SIGNALS_MAX` more."""

    before: Counts
    now: Counts

    @property
    def is_lawful(self) -> bool:
        """Whether signals can be made of it."""
        likes, shares = self.now.likes - self.before.likes, self.now.shares - self.before.shares
        return min(likes, shares, self.before.likes, self.before.shares) >= 0 and likes + shares <= SIGNALS_MAX


class Counters:
    """The largest counts seen of posts; the post that was not looked at for longest is forgotten first.

    A count that falls, because a like was taken back or another instance knows of less, takes nothing back and is not
    counted again when it rises.

    >>> counters = Counters()
    >>> counters.look("p", Counts(likes=5)) is None
    True
    >>> counters.look("p", Counts(likes=7)).before.likes
    5
    """

    def __init__(self, *, posts_max: int = POSTS_MAX) -> None:
        self._posts_max = posts_max
        self._counts: dict[str, Counts] = {}

    def __len__(self) -> int:
        """Return how many posts are remembered."""
        return len(self._counts)

    def look(self, post_id: str, counts: Counts) -> Grown | None:
        """Return how the counts have grown since the snapshot before; None where they have not, and for the first.

        What a first snapshot counts came before anybody looked.
        """
        before = self._counts.pop(post_id, counts)
        likes = _reach(before.likes, counts.likes, room=SIGNALS_MAX)
        shares = _reach(before.shares, counts.shares, room=SIGNALS_MAX - (likes - before.likes))
        now = self._counts[post_id] = Counts(likes, shares)
        if len(self._counts) > self._posts_max:
            del self._counts[next(iter(self._counts))]
        return None if now == before else Grown(before, now)


def counted(post: Signal, grown: Grown, *, at_ms: int) -> list[Signal]:
    """Return the likes and shares by which the counts of a post have grown, as of `at_ms`; `post` is what made it.

    The nth like of a post is named by that number, so it is the same signal from every instance that counts it, and
    its actor is a stranger of the same name, for nobody likes a post twice. Whoever reads likes from notifications as
    well would count them twice.

    >>> post = Signal("p", "mastodon", "post", at=1_000, actor="a", post="p")
    >>> [signal.id for signal in counted(post, Grown(Counts(likes=5), Counts(likes=7)), at_ms=3_000)]
    ['p#like:6', 'p#like:7']
    """
    before, now = grown.before, grown.now
    return [
        *(_counted(post, "like", number, at_ms) for number in range(before.likes + 1, now.likes + 1)),
        *(_counted(post, "share", number, at_ms) for number in range(before.shares + 1, now.shares + 1)),
    ]


def _reach(before: int, now: int, *, room: int) -> int:
    """Return how far a count comes with this snapshot."""
    return min(max(before, now), before + room)


def _counted(post: Signal, kind: Literal["like", "share"], number: int, at_ms: int) -> Signal:
    post_id = post.post or post.id
    name = f"{post_id}#{kind}:{number}"
    is_share = kind == "share"
    return Signal(
        id=name,
        network=post.network,
        kind=kind,
        at=at_ms,
        actor=name,
        source=post.source,
        post=post_id,
        parent=post_id if is_share else None,
        root=post.root if is_share else None,
        parent_actor=post.actor,
        root_actor=post.root_actor if is_share else None,
        flags=(FLAG_COUNTED,),
    )
