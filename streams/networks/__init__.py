"""Formats of input: one file per network, each with one pure function from a payload to signals or a refusal.

`refusal` says what was refused and why; `payload` looks at a payload before and while it is decoded, `bounds` at the
signal that came of it, `times` and `id_times` tell when it happened. `native` reads our own shape, `snap_higgs` a log
of Twitter, `bluesky` what Jetstream sends, `twitter` archives of its API. A new network is one such file, one row in
`NETWORKS` and one folder of fixtures in the tests: `good.txt`, payloads as they come, and `golden.yaml`, payloads with
what they mean beside them. The conformance suite finds it by its row.
"""

from collections.abc import Callable

import msgspec

from schemas.signal import Erasure, Heartbeat, Signal
from streams.networks import activitypub, bluesky, mastodon, native, snap_higgs, twitter
from streams.networks.refusal import Refusal

Normalized = tuple[Signal | Heartbeat | Erasure, ...] | Refusal
"""What a payload says: its signals in their order, or why it was refused.

No signal at all is what a payload says that is in order and tells of no act: a change of a profile, a count of votes.
"""

Normalize = Callable[[bytes | None, int | None], Normalized]


class NetworkFormat(msgspec.Struct, frozen=True):
    """A format of input: its name, its reader, and whether a line of a log looks like it.

    `normalize` takes a payload and the instant at which it came in (epoch milliseconds, None where nobody knows) and
    never raises, whatever the bytes; `recognises` is cheap and may be wrong about single lines.
    """

    name: str
    normalize: Normalize
    recognises: Callable[[bytes], bool]


def one_by_one(normalize: Callable[[bytes | None], Signal | Heartbeat | Erasure | Refusal]) -> Normalize:
    """Return the reader of a format whose payloads each say one thing and carry their own time."""

    def read(payload: bytes | None, arrived_ms: int | None) -> Normalized:
        outcome = normalize(payload)
        return outcome if isinstance(outcome, Refusal) else (outcome,)

    return read


_FORMATS = (
    NetworkFormat(native.NAME, one_by_one(native.normalize), native.recognises),
    NetworkFormat(activitypub.NAME, activitypub.normalize, activitypub.recognises),
    NetworkFormat(mastodon.NAME, mastodon.normalize, mastodon.recognises),
    NetworkFormat(snap_higgs.NAME, one_by_one(snap_higgs.normalize), snap_higgs.recognises),
    NetworkFormat(bluesky.NAME, bluesky.normalize, bluesky.recognises),
    NetworkFormat(twitter.NAME, twitter.normalize, twitter.recognises),
)

NETWORKS: dict[str, NetworkFormat] = {network.name: network for network in _FORMATS}
"""Every format by its name, in the order in which they are tried on a log that nobody named the format of."""
