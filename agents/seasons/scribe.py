"""Write down what people of a season do, as the signals that a network's connector would send of it."""

import random
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import Literal, NamedTuple

from agents.seasons.people import Person
from agents.seasons.season import Season, SeasonError
from schemas.signal import Kind, Signal

Lineage = Literal["brand", "seeded", "adopted", "wild"]

SIGNALS_MAX = 9_999_999
"""Signal ids have seven digits, so that their order as text is that of their numbers."""
TEXT_SHARE = 0.7
REPLY_TAG_SHARE = 0.5
EDGE_OBSERVED = "observed"


class Planted(NamedTuple):
    """A signal with the truth about it: its lineage as the planter meant it, None for talk about other things.

    `trap` names the disturbance that the signal is part of: it has the lineage that anybody would see in it, and yet
    the community did not mean it.
    """

    signal: Signal
    lineage: Lineage | None
    trap: str = ""


class Seen(NamedTuple):
    """What others may react to: a post, or a share of it (`node` by `sharer`), and what its conversation is."""

    post: str
    author: str
    root: str
    root_author: str
    node: str
    sharer: str
    tags: tuple[str, ...]
    lineage: Lineage | None


class Scribe:
    """Numbers posts and signals in the order in which they are written down, which must be that of event time."""

    def __init__(self, season: Season, rng: random.Random) -> None:
        self._season = season
        self._rng = rng
        self._signals = 0
        self._posts = 0
        self._cumulative = list(accumulate(source.share for source in season.plan.sources))

    def conversation(
        self,
        at_ms: int,
        author: Person,
        tags: tuple[str, ...],
        lineage: Lineage | None,
        *,
        mentions: tuple[str, ...] = (),
        links: tuple[str, ...] = (),
    ) -> tuple[Signal, Seen]:
        """Write a post that begins a conversation; return it, and what others see of it."""
        post = self._new_post()
        signal = Signal(
            id=self._new_id(),
            network=self._season.plan.network,
            kind="post",
            at=at_ms,
            actor=author.id,
            source=self._source(author),
            followers=author.followers,
            post=post,
            root=post,
            root_actor=author.id,
            tags=tags,
            mentions=mentions,
            links=links,
            text=self._text(author, tags, lineage),
            lang=author.language,
        )
        return signal, Seen(post, author.id, post, author.id, post, author.id, tags, lineage)

    def reaction(self, at_ms: int, kind: Kind, actor: Person, seen: Seen) -> tuple[Signal, Seen]:
        """Write a share, like, reply or quote of what was seen; return it, and what others see of it."""
        signal = Signal(
            id=self._new_id(),
            network=self._season.plan.network,
            kind=kind,
            at=at_ms,
            actor=actor.id,
            source=self._source(actor),
            followers=actor.followers,
            root=seen.root,
            root_actor=seen.root_author,
            edge=EDGE_OBSERVED,
        )
        if kind in ("share", "like"):
            # A share points at the share through which it was seen; a like is always of the post itself.
            signal.post = seen.post
            signal.parent, signal.parent_actor = seen.post, seen.author
            if kind == "share":
                signal.parent, signal.parent_actor, signal.tags = seen.node, seen.sharer, seen.tags
            return signal, seen._replace(node=signal.id, sharer=actor.id)
        signal.post = self._new_post()
        signal.parent, signal.parent_actor = seen.post, seen.author
        signal.lang = actor.language
        # An answer need not repeat the tag of what it answers.
        if kind == "quote" or self._rng.random() < REPLY_TAG_SHARE:
            signal.tags = seen.tags
        if kind == "reply":
            signal.mentions = (seen.author,)
        signal.text = self._text(actor, signal.tags, seen.lineage)
        made = seen._replace(post=signal.post, author=actor.id, node=signal.post, sharer=actor.id)
        return signal, made

    def _source(self, person: Person) -> str:
        """Return the source that brings what a person does: always the same, by the person's name."""
        if not self._cumulative:
            return self._season.plan.source
        place = zlib.crc32(person.id.encode()) / 2**32 * self._cumulative[-1]
        return self._season.plan.sources[bisect_right(self._cumulative, place)].name

    def _new_id(self) -> str:
        self._signals += 1
        if self._signals > SIGNALS_MAX:
            raise SeasonError(
                expected=f"a season of at most {SIGNALS_MAX} signals",
                got="more",
                place="$.phases",
                do="lower its rates or its hours",
                where=self._season.name,
            )
        return f"{self._season.plan.network}:{self._signals:07d}"

    def _new_post(self) -> str:
        self._posts += 1
        return f"g{self._posts}"

    def _text(self, author: Person, tags: tuple[str, ...], lineage: Lineage | None) -> str | None:
        if self._rng.random() >= TEXT_SHARE:
            return None
        plan = self._season.plan
        sentences = plan.small_talk if lineage is None else plan.talk
        words = [self._rng.choice(sentences[author.language]), *(f"#{tag.removeprefix('#')}" for tag in tags)]
        return " ".join(words)
