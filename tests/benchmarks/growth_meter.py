"""What one point of a curve takes: processor time by step, bytes of rows, and the resident size of its process."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import msgspec

from schemas.attributed import PACKET_VERSION, AttributedPacket, AttributedSignal
from schemas.contribution import ContributionPacket
from schemas.signal import Heartbeat, Signal
from streams.steps.attribute import Arrival
from streams.steps.pipeline import Pipeline


class Point(msgspec.Struct, frozen=True):
    """What one signal took, on average, and the process at the end. `steps_us` are those of the three steps."""

    signal_us: float
    steps_us: tuple[float, float, float]
    rows_us: float
    rows_bytes: float
    resident_mib: float
    """All of the process; what Python alone takes is in it."""
    readings: float = 0.0
    """Of cascades, told for a signal."""
    prepared_mib: float = 0.0
    """What the process had grown by when everything was prepared."""
    packets: float = 0.0
    """Between lanes, of both hops, for a signal."""
    hops_bytes: tuple[float, float] = (0.0, 0.0)
    """What the packets of each hop come to for a signal."""


class Meter:
    """Takes batches through the steps, and adds up what each of them took."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.offset = 0
        self.began_mib = self.prepared_mib = resident_mib()
        self.begin()

    def begin(self) -> None:
        """Begin to measure anew."""
        self.signals = self.readings = self.rows_bytes = 0
        self.steps_s = [0.0, 0.0, 0.0]
        self.rows_s = 0.0
        self.prepared_mib = resident_mib() - self.began_mib

    def take(self, batch: Sequence[Signal | Heartbeat]) -> None:
        """Take a batch through all steps, with a checkpoint behind it."""
        arrivals = [Arrival(self.offset + place, None, b"", told) for place, told in enumerate(batch)]
        self.offset += len(batch)
        self.signals += len(batch)
        begun_s = process_time()
        told = self.pipeline.attribute.advance(arrivals, next_offset=self.offset)
        self.steps_s[0] += process_time() - begun_s
        self.readings += sum(not isinstance(item, AttributedSignal) for item in told.items)
        self.follow(AttributedPacket(PACKET_VERSION, 0, told.after, told.upto, tuple(told.items)))

    def follow(self, packet: AttributedPacket) -> None:
        """Take a packet through the second and the third step."""
        begun_s = process_time()
        added = self.pipeline.follow.advance([(0, packet)], next_offset=self.offset)
        followed_s = process_time()
        contributions = ContributionPacket(PACKET_VERSION, 0, added.after, added.upto, tuple(added.items))
        self.pipeline.watch.advance([(0, contributions)], next_offset=self.offset)
        watched_s = process_time()
        for step in (self.pipeline.attribute, self.pipeline.follow, self.pipeline.watch):
            self.rows_bytes += sum(len(key) + len(value or b"") for key, value in step.changed_rows())
        self.steps_s[1] += followed_s - begun_s
        self.steps_s[2] += watched_s - followed_s
        self.rows_s += process_time() - watched_s

    def point(self) -> Point:
        """Return what was measured since `begin`."""
        first, second, third = (step_s / self.signals * 1e6 for step_s in self.steps_s)
        rows_us = self.rows_s / self.signals * 1e6
        return Point(
            signal_us=first + second + third + rows_us,
            steps_us=(first, second, third),
            rows_us=rows_us,
            rows_bytes=self.rows_bytes / self.signals,
            readings=self.readings / self.signals,
            resident_mib=resident_mib(),
            prepared_mib=self.prepared_mib,
        )


def resident_mib() -> float:
    """Return the resident size of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
