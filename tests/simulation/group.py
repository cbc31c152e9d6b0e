"""The coordinator of the consumer group: members, generations, assignments and committed offsets."""

import asyncio
from collections import Counter
from random import Random
from typing import NamedTuple

from faust.types import TP

from tests.simulation.loop import SeededLoop

SESSION_S = 3.0
REBALANCE_S = 4.0
"""How long a rebalance waits for members that do not come but are heard of; longer than a session, as in production."""


class Joined(NamedTuple):
    """What a member gets: the generation, and its partitions."""

    generation: int
    assigned: frozenset[TP]


class _Member:
    def __init__(self, at_s: float) -> None:
        self.heard_s = at_s
        self.waiting: asyncio.Future[Joined] | None = None


class Group:
    """A consumer group with the eager protocol: everybody gives everything up, then all is shared out anew."""

    def __init__(self, loop: SeededLoop, random: Random, places: list[TP]) -> None:
        self.loop = loop
        self.random = random
        self.places = places
        self.generation = 0
        self.committed: dict[TP, int] = {}
        self.owners: dict[TP, str] = {}
        self.counts: Counter[str] = Counter()
        self._members: dict[str, _Member] = {}
        self._is_sharing = False
        self._share_by_s = 0.0

    def join(self, name: str) -> "asyncio.Future[Joined]":
        """Let a member in, or in again; the future resolves when all have come."""
        member = self._members.setdefault(name, _Member(self.loop.time()))
        member.heard_s = self.loop.time()
        waiting = member.waiting = self.loop.create_future()
        self._prepare()
        self._share_if_all_came()
        return waiting

    def leave(self, name: str) -> None:
        """Let a member go."""
        if self._members.pop(name, None) is not None:
            self._prepare()
            self._share_if_all_came()

    def knows(self, name: str, generation: int) -> bool:
        """Say whether a member is still one, of this generation."""
        return name in self._members and generation == self.generation

    def heartbeat(self, name: str, generation: int) -> bool:
        """Say whether a member is still one, of this generation, with nothing to be shared out."""
        member = self._members.get(name)
        if member is None:
            return False
        member.heard_s = self.loop.time()
        return not self._is_sharing and generation == self.generation

    def commit(self, name: str, generation: int, offsets: dict[TP, int]) -> bool:
        """Note offsets, unless they come from a member that is none any more."""
        if name not in self._members or generation != self.generation:
            self.counts["refused commits"] += 1
            return False
        self.committed.update(offsets)
        return True

    def move(self) -> None:
        """Share out anew, though nobody came or went."""
        if self._members and not self._is_sharing:
            self._prepare()

    def forget(self) -> None:
        """Lose the group, as Kafka does once its offsets are too old: generations begin anew."""
        if self._is_sharing:
            return
        self.counts["groups forgotten"] += 1
        self.generation = 0
        self.committed.clear()
        self.owners.clear()
        self._members.clear()

    def check(self) -> None:
        """Drop members that are silent, and end a rebalance that has waited long enough."""
        now_s = self.loop.time()
        silent = [
            name
            for name, member in self._members.items()
            if member.waiting is None and member.heard_s < now_s - SESSION_S
        ]
        for name in silent:
            self.counts["sessions expired"] += 1
            self.leave(name)
        if self._is_sharing and now_s >= self._share_by_s:
            for name in [name for name, member in self._members.items() if member.waiting is None]:
                del self._members[name]
            self._share_if_all_came()

    def _prepare(self) -> None:
        if not self._is_sharing:
            self._is_sharing = True
            self._share_by_s = self.loop.time() + REBALANCE_S

    def _share_if_all_came(self) -> None:
        waiting = [(name, member.waiting) for name, member in self._members.items()]
        if not waiting or any(future is None for _, future in waiting):
            return
        self._is_sharing = False
        self.generation += 1
        self.counts["generations"] += 1
        before = dict(self.owners)
        names = [name for name, _ in waiting]
        for place in self.places:
            known = before.get(place)
            stays = known in names and self.random.random() < 0.3
            self.owners[place] = known if stays and known is not None else self.random.choice(names)
            self.counts["moved partitions"] += known is not None and known != self.owners[place]
        for name, future in waiting:
            member = self._members[name]
            member.waiting = None
            member.heard_s = self.loop.time()
            assigned = frozenset(place for place, owner in self.owners.items() if owner == name)
            if future is not None and not future.done():
                future.set_result(Joined(self.generation, assigned))
