"""Shape of a cursor: how far a connector has come in the feed of its network, or a replay in its log."""

import msgspec


class Cursor(msgspec.Struct, omit_defaults=True, frozen=True):
    """Where a connector or a replay goes on after a crash: everything up to `position` has been acknowledged by Kafka.

    `feed` is the name of what is followed; a replay's begins with `replay:`. `position` is what it takes to go on from
    (a time, a sequence number, an id; of a replay a `ReplayPosition`), as text; `at` is how far event time had come
    there (epoch milliseconds); `server` is the host that gave the position, where others count anew.
    """

    feed: str
    position: str
    at: int
    server: str = ""


class ReplayPosition(msgspec.Struct, omit_defaults=True, frozen=True):
    """How far a replay has come: so many entries of its log, in the order in which it is read, were sent.

    `bounds` are the offsets at which each partition of a channel begins and ends for this replay; `is_over` says that
    the log was sent to its end.
    """

    entries: int
    bounds: dict[int, tuple[int, int]] = {}
    is_over: bool = False
