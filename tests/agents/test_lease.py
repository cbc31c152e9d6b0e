"""Nothing is sent that a paused worker still held: its producer waits until the group has said who owns its place."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from hypothesis import given
from hypothesis import strategies as st

from agents.broker import create_channels, start_producer
from agents.lease import SHARE, WAIT_S, Lease, LeaseLost
from agents.settings import Settings
from schemas.channels import CASCADES, named

SESSION_S = 30.0
NO_ERROR, ILLEGAL_GENERATION, UNKNOWN_MEMBER, REBALANCING = 0, 22, 25, 27
"""Kafka's error codes."""


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.ended: list[BaseException] = []
        self.lease = Lease(session_s=SESSION_S, end=self.ended.append, now_s=lambda: self.now_s)


class Client:
    """The part of a client that is listened to or guarded; `wire` is what went out, by the name of its request."""

    def __init__(self, clock: Clock, error_code: int = NO_ERROR, takes_s: float = 0.0) -> None:
        self.clock = clock
        self.error_code = error_code
        self.takes_s = takes_s
        self.wire: list[str] = []
        self.client = self

    async def send(self, node: int, request: Any) -> Any:
        """Write a request as aiokafka does, and answer some time later."""
        self.wire.append(type(request.prepare({0: (0, 3), 3: (0, 5), 12: (0, 1), 14: (0, 3)})).__name__)
        self.clock.now_s += self.takes_s
        return self


def heartbeat() -> HeartbeatRequest:
    """Return what a member sends every few seconds."""
    return HeartbeatRequest("group", 7, "member")


def produce() -> ProduceRequest:
    """Return what a producer sends."""
    return ProduceRequest(transactional_id=None, required_acks=-1, timeout=1, topics=[])


def told(clock: Clock, request: Any, error_code: int, takes_s: float = 0.0) -> None:
    """Have the coordinator answer a request."""
    client = Client(clock, error_code, takes_s)
    clock.lease.listen(client)
    asyncio.run(client.send(1, request))


@given(st.floats(0.0, SESSION_S), st.floats(0.0, 2 * SESSION_S))
def test_the_place_is_held_from_when_the_request_was_sent_not_from_when_its_answer_was_read(
    takes_s: float, later_s: float
) -> None:
    """An answer may have waited in the socket for as long as the process was paused."""
    clock = Clock()
    told(clock, heartbeat(), NO_ERROR, takes_s)
    clock.now_s = 1_000.0 + takes_s + later_s
    assert clock.lease.is_held() == (takes_s + later_s < SHARE * SESSION_S)


@pytest.mark.parametrize("error_code", [NO_ERROR, REBALANCING])
@pytest.mark.parametrize("request_", [heartbeat(), SyncGroupRequest("group", 7, "member", "", [])])
def test_whoever_is_counted_in_holds_its_place_anew(error_code: int, request_: Any) -> None:
    """Also while all share out anew: nobody has anything else before that is over."""
    clock = Clock()
    told(clock, heartbeat(), NO_ERROR)
    clock.now_s += SESSION_S
    assert not clock.lease.is_held()
    told(clock, request_, error_code)
    assert clock.lease.is_held()
    assert clock.ended == []


@pytest.mark.parametrize("error_code", [ILLEGAL_GENERATION, UNKNOWN_MEMBER])
def test_whoever_was_silent_for_too_long_and_is_not_counted_in_any_more_ends(error_code: int) -> None:
    """What its producer holds is of a time when it owned its partitions, and the end of the process drops all of it."""
    clock = Clock()
    told(clock, heartbeat(), NO_ERROR)
    clock.now_s += 41.0
    told(clock, heartbeat(), error_code)
    (error,) = clock.ended
    assert isinstance(error, LeaseLost)
    assert str(error).startswith("expected the group to hear of this worker within 30 s, got 41 s of silence")


@pytest.mark.parametrize("error_code", [ILLEGAL_GENERATION, UNKNOWN_MEMBER])
def test_a_member_that_was_heard_of_joins_anew_when_it_is_not_counted_in(error_code: int) -> None:
    """A group that Kafka forgot is no reason to end."""
    clock = Clock()
    told(clock, heartbeat(), error_code)
    told(clock, heartbeat(), NO_ERROR)
    clock.now_s += 1.0
    told(clock, heartbeat(), error_code)
    assert clock.ended == []


def test_an_answer_of_another_kind_says_nothing_of_the_place() -> None:
    """A coordinator that moves, or that was asked for something else, does not vouch for it."""
    clock = Clock()
    told(clock, heartbeat(), NO_ERROR)
    clock.now_s += SESSION_S
    told(clock, heartbeat(), 16)
    told(clock, MetadataRequest([]), NO_ERROR)
    assert not clock.lease.is_held()
    assert clock.ended == []


def guarded_too_late() -> tuple[Clock, Any]:
    """Return a clock and a guarded client of a member that has not been heard of for a session."""
    clock = Clock()
    told(clock, heartbeat(), NO_ERROR)
    clock.now_s += SESSION_S
    client: Any = Client(clock)
    clock.lease.guard(client)
    return clock, client


def test_a_producer_sends_nothing_until_the_place_is_held_again() -> None:
    """What it waits with goes out in the end, for nobody else can have had the place; other requests do not wait."""
    clock, client = guarded_too_late()

    async def work() -> None:
        sending = asyncio.create_task(client.send(1, produce()))
        for _ in range(10):
            await asyncio.sleep(0)
        await client.send(1, MetadataRequest([]))
        assert client.wire == ["MetadataRequest_v5"]
        clock.lease.answered(sent_at_s=clock.now_s)
        await sending

    asyncio.run(work())
    assert client.wire == ["MetadataRequest_v5", "ProduceRequest_v3"]


def test_a_request_that_waits_for_too_long_times_out_as_if_kafka_were_away() -> None:
    """The producer tries it again until its batch has expired, which ends the worker like any failed send."""
    clock, client = guarded_too_late()

    async def work() -> None:
        sending = asyncio.create_task(client.send(1, produce()))
        await asyncio.sleep(0)
        clock.now_s += WAIT_S
        await sending

    with pytest.raises(RequestTimedOutError):
        asyncio.run(work())
    assert client.wire == []


def test_nothing_waits_before_the_first_place() -> None:
    """A worker may have something to send before it has joined."""
    clock = Clock()
    client: Any = Client(clock)
    clock.lease.guard(client)
    asyncio.run(client.send(1, produce()))
    assert client.wire == ["ProduceRequest_v3"]


@pytest.mark.kafka
def test_batches_that_a_real_producer_holds_wait_with_it(own_settings: Settings) -> None:
    """They are in its accumulator when the place is lost, and no record of them reaches the broker."""
    clock = Clock()

    async def work() -> None:
        await create_channels(own_settings)
        producer = clock.lease.guard(await start_producer(own_settings))
        channel = named(CASCADES, namespace=own_settings.namespace)
        before = await producer.send_and_wait(channel, b"1", key=b"key", partition=0)
        clock.lease.answered(sent_at_s=clock.now_s)
        clock.now_s += SESSION_S
        held = await producer.send(channel, b"2", key=b"key", partition=0)
        flushing = asyncio.create_task(producer.flush())
        other = await start_producer(own_settings)
        meanwhile = await other.send_and_wait(channel, b"3", key=b"key", partition=0)
        await other.stop()
        assert meanwhile.offset == before.offset + 1
        assert not held.done()
        clock.lease.answered(sent_at_s=clock.now_s)
        await flushing
        assert (await held).offset == meanwhile.offset + 1
        await producer.stop()

    asyncio.run(work())
