"""Turn counts of likes and shares into signals, by what they have grown from one snapshot of a post to the next."""

from typing import Literal, NamedTuple

from schemas.signal import Signal

FLAG_COUNTED = "counted"
"""Somebody did it, as a count says; who and when exactly is not known."""

POSTS_MAX = 100_000
SIGNALS_MAX = 1_000
"""Signals of one snapshot; what a count has grown beyond that comes with the next."""


class Counts(NamedTuple):
    """How often a post was liked and shared, as a snapshot says. Answers are not counted: each is a post that comes."""

    likes: int
    shares: int


class Counters:
    """The largest counts seen of posts; the post that was not looked at for longest is forgotten first.

    The nth like of a post is named by that number, so it is the same signal from every instance that counts it, and
    its actor is a stranger of the same name, for nobody likes a post twice. A count that falls, because a like was
    taken back or another instance knows of less, takes nothing back and is not counted again when it rises.

    Whoever reads likes from notifications as well would count them twice.

    >>> counters = Counters()
    >>> post = Signal("p", "mastodon", "post", at=1_000, actor="a", post="p")
    >>> counters.grown(post, Counts(likes=5, shares=0), at_ms=2_000)
    []
    >>> [signal.id for signal in counters.grown(post, Counts(likes=7, shares=0), at_ms=3_000)]
    ['p#like:6', 'p#like:7']
    """

    def __init__(self, *, posts_max: int = POSTS_MAX) -> None:
        self._posts_max = posts_max
        self._counts: dict[str, Counts] = {}

    def __len__(self) -> int:
        """Return how many posts are remembered."""
        return len(self._counts)

    def grown(self, post: Signal, counts: Counts, *, at_ms: int) -> list[Signal]:
        """Return the likes and shares since the snapshot before, as of `at_ms`; none for the first of a post.

        `post` is the signal that made the post. What a first snapshot counts came before anybody looked.
        """
        post_id = post.post or post.id
        before = self._counts.pop(post_id, counts)
        likes = _reach(before.likes, counts.likes, room=SIGNALS_MAX)
        shares = _reach(before.shares, counts.shares, room=SIGNALS_MAX - (likes - before.likes))
        self._counts[post_id] = Counts(likes, shares)
        if len(self._counts) > self._posts_max:
            del self._counts[next(iter(self._counts))]
        return [
            *(_counted(post, post_id, "like", number, at_ms) for number in range(before.likes + 1, likes + 1)),
            *(_counted(post, post_id, "share", number, at_ms) for number in range(before.shares + 1, shares + 1)),
        ]


def _reach(before: int, now: int, *, room: int) -> int:
    """Return how far a count comes with this snapshot."""
    return min(max(before, now), before + room)


def _counted(post: Signal, post_id: str, kind: Literal["like", "share"], number: int, at_ms: int) -> Signal:
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
