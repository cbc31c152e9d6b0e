"""Shape of a cursor: how far a connector has come in the feed of its network."""

import msgspec


class Cursor(msgspec.Struct, omit_defaults=True, frozen=True):
    """Where a connector goes on after a crash: everything up to `position` has been acknowledged by Kafka.

    `feed` is the name of what is followed. `position` is what it takes to go on from (a time, a sequence number, an
    id), as text; `at` is how far event time had come there (epoch milliseconds); `server` is the host that gave the
    position, where others count anew.
    """

    feed: str
    position: str
    at: int
    server: str = ""
