"""A real producer that can be made to fail or to wait, as Kafka does when brokers are away."""

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError


class FlakyProducer:
    """Hands records on, but for those whose turn it is to fail; while `is_open` is not set everything waits."""

    def __init__(
        self, producer: AIOKafkaProducer, *, refused: Collection[int] = (), lost: Collection[int] = ()
    ) -> None:
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.sends = 0
        self._producer = producer
        self._refused, self._lost = refused, lost

    async def send(self, channel: str, **record: Any) -> "asyncio.Future[Any]":
        """Send a record, raise at once, or return a future that fails."""
        await self.is_open.wait()
        number, self.sends = self.sends, self.sends + 1
        if number in self._refused:
            raise KafkaTimeoutError
        if number in self._lost:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(KafkaTimeoutError())
            return future
        sent: asyncio.Future[Any] = await self._producer.send(channel, **record)
        return sent

    async def send_and_wait(self, channel: str, **record: Any) -> Any:
        """Send a record and wait for Kafka."""
        return await (await self.send(channel, **record))
