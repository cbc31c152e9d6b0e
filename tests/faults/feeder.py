"""Send the load into the raw channel at a steady pace, whatever happens to the broker meanwhile."""

import asyncio
import itertools
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from agents.broker import BrokerError, send_all, start_producer
from agents.lane import Outgoing, SendFailed, acknowledged
from agents.settings import Settings
from schemas.channels import named, raw_channel
from tests.faults.load import Payload, heartbeat, payloads

CHUNK = 40
SIGNALS_MIN = 4_000


class Feeder:
    """Feeds until it is told to end; then it ends the source, so that everything is released."""

    def __init__(self, settings: Settings, *, seed: int, per_second: float) -> None:
        self._settings = settings
        self._channel = named(raw_channel("native"), namespace=settings.namespace)
        self._payloads = payloads(seed)
        self._pause_s = CHUNK / per_second
        self._is_ending = False
        self.signal_ids: set[str] = set()
        self.behind: set[str] = set()
        self.sent = 0
        self.poison = 0
        self.repeated = 0

    async def run(self) -> None:
        """Feed a chunk, wait a little, and so on."""
        while not self._is_ending:
            await self._send_chunk()
            await asyncio.sleep(self._pause_s)  # the pace of the load
        # A campaign that is soon over must have alerts to compare, too.
        while len(self.signal_ids) < SIGNALS_MIN:
            await self._send_chunk()
        await self._send([heartbeat(len(self.signal_ids), end=True)])

    async def _send_chunk(self) -> None:
        chunk = list(itertools.islice(self._payloads, CHUNK))
        self.signal_ids |= {payload.signal_id for payload in chunk if payload.signal_id is not None}
        self.behind |= {payload.signal_id for payload in chunk if payload.signal_id and payload.is_behind}
        self.poison += sum(payload.signal_id is None for payload in chunk)
        await self._send([*chunk, heartbeat(len(self.signal_ids))])

    def end(self) -> None:
        """Let `run` finish its chunk, and end the source."""
        self._is_ending = True

    async def _send(self, chunk: Sequence[Payload]) -> None:
        """Send until the broker has it: what it took without telling us comes twice, as from any connector."""
        outgoing = [
            Outgoing(self._channel, b"", payload.value, partition=0, timestamp_ms=payload.at_ms) for payload in chunk
        ]
        self.sent += len(chunk)
        while True:
            try:
                producer = await start_producer(self._settings)
                try:
                    await acknowledged("output", await send_all(producer, outgoing))
                finally:
                    await producer.stop()
                return
            except (BrokerError, KafkaError, OSError, SendFailed):
                self.repeated += len(chunk)
                await asyncio.sleep(1.0)  # the broker is away: that is one of the faults
