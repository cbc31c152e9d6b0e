"""Formats of input: one file per network, each with one pure function from a payload to a signal or a refusal.

`refusal` says what was refused and why; `native` reads our own shape, `snap_higgs` a log of Twitter. A new network is
one such file, one row in `NETWORKS` and one folder of sample payloads in the tests.
"""

from collections.abc import Callable

import msgspec

from schemas.signal import Heartbeat, Signal
from streams.networks import native, snap_higgs
from streams.networks.refusal import Refusal

Normalize = Callable[[bytes | None], Signal | Heartbeat | Refusal]


class NetworkFormat(msgspec.Struct, frozen=True):
    """A format of input: its name, its reader, and whether a line of a log looks like it.

    `normalize` never raises, whatever the bytes; `recognises` is cheap and may be wrong about single lines.
    """

    name: str
    normalize: Normalize
    recognises: Callable[[bytes], bool]


NETWORKS: dict[str, NetworkFormat] = {
    module.NAME: NetworkFormat(module.NAME, module.normalize, module.recognises) for module in (native, snap_higgs)
}
"""Every format by its name, in the order in which they are tried on a log that nobody named the format of."""
