"""Know until when the group surely holds this worker's place, and let no record be sent after that.

A worker that was paused (SIGSTOP, a machine that moved) for longer than its session still has records in its producer
from when it owned its partitions. Were they sent, they would lie behind what the new owners have written since, and in
a compacted channel the older record would stay. The coordinator gives no place away before the session has passed since
the last request of the member that it answered, so counting from when that request was sent is on the safe side.

What this cannot call back: bytes that were handed to the socket before the pause, and a request that the network holds
back. Readers of compacted channels compare the event time in what they read (`at`), so an older record that comes last
misleads none of them; compaction may leave it as the only one, until the key is told again.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.protocol.produce import ProduceRequest

SHARE = 0.8
"""How much of the session is relied on; the rest is for what is on its way to Kafka."""
WAIT_S = 5.0
"""How long a request waits for the group to answer again before the producer is told that it timed out."""
_LOOK_S = 0.05
_NO_ERROR = 0
_ILLEGAL_GENERATION = 22
_UNKNOWN_MEMBER = 25
_REBALANCING = 27


class LeaseLost(Exception):
    """The group gave this worker's place away while it was not heard of."""


class _NotHeld(Exception):
    """A request must not go out now."""


def _now_s() -> float:
    """Return a clock that never goes back, and that goes on while the machine is suspended where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """The place of one member in the group. Told of by the thread of the consumer, asked by that of the producer.

    `end` must end the process: what its producer holds is not to be sent any more, and nothing else is certain to drop
    all of it. Nothing is held back before the member has a place.

    >>> now_s = 100.0
    >>> lease = Lease(session_s=10.0, end=print, now_s=lambda: now_s)
    >>> lease.answered(sent_at_s=99.0); now_s = 106.0; lease.is_held()
    True
    >>> now_s = 107.5; lease.is_held()
    False
    """

    def __init__(
        self, *, session_s: float, end: Callable[[BaseException], None], now_s: Callable[[], float] = _now_s
    ) -> None:
        self.session_s = session_s
        self._end = end
        self._now_s = now_s
        self._heard_at_s: float | None = None

    def is_held(self) -> bool:
        """Return whether nobody else can have this member's place yet."""
        return self._heard_at_s is None or self._now_s() - self._heard_at_s < SHARE * self.session_s

    def answered(self, *, sent_at_s: float) -> None:
        """Note that the coordinator counts us in, by a request of ours that was sent then."""
        self._heard_at_s = max(sent_at_s, self._heard_at_s or sent_at_s)

    def refused(self) -> None:
        """Note that the coordinator does not count us in; ends the process where it may be others who are."""
        if self._heard_at_s is not None and not self.is_held():
            silent_s = self._now_s() - self._heard_at_s
            self._end(
                LeaseLost(
                    f"expected the group to hear of this worker within {self.session_s:.0f} s, got {silent_s:.0f} s of "
                    "silence, in which it gave our partitions to others: was the process paused, or without CPU? "
                    "What was not sent is left to them; start it again"
                )
            )

    def listen(self, client: Any) -> None:
        """Follow what the coordinator answers to a consumer, whose client of aiokafka this is."""
        send = client.send

        async def heard(node: int, request: Any, **options: Any) -> Any:
            if not isinstance(request, HeartbeatRequest | SyncGroupRequest):
                return await send(node, request, **options)
            sent_at_s = self._now_s()
            answer = await send(node, request, **options)
            # While a member rebalances with the others its place is kept.
            if answer.error_code in (_NO_ERROR, _REBALANCING):
                self.answered(sent_at_s=sent_at_s)
            elif answer.error_code in (_ILLEGAL_GENERATION, _UNKNOWN_MEMBER):
                self.refused()
            return answer

        client.send = heard

    def guard(self, producer: AIOKafkaProducer) -> AIOKafkaProducer:
        """Have a producer send only while the place is held; returns the producer."""
        client: Any = producer.client
        send = client.send

        async def guarded(node: int, request: Any, **options: Any) -> Any:
            if not isinstance(request, ProduceRequest):
                return await send(node, request, **options)
            by_s = self._now_s() + WAIT_S
            while True:
                try:
                    return await send(node, _Guarded(request, self), **options)
                except _NotHeld:
                    if self._now_s() >= by_s:
                        raise RequestTimedOutError from None
                    await asyncio.sleep(_LOOK_S)

        client.send = guarded
        return producer


class _Guarded:
    """A request that is put into bytes, which is right before they are written, only while the place is held."""

    def __init__(self, request: ProduceRequest, lease: Lease) -> None:
        self._request = request
        self._lease = lease

    def prepare(self, versions: Any) -> Any:
        """Return the request for a broker of these versions."""
        if not self._lease.is_held():
            raise _NotHeld
        return self._request.prepare(versions)
