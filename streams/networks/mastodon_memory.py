"""Remember the statuses of an instance under their local ids, so that its events can say what these ids stand for."""

import msgspec

from schemas.signal import Signal, conversation_of
from schemas.unreadable import UNREADABLE
from streams.networks.mastodon import normalize as read_event
from streams.networks.mastodon_shapes import Event, Known, Notification, Status

STATUSES_MAX = 50_000
"""Some hours of the public timeline of a large instance; a status takes less than a kilobyte."""

_encode = msgspec.json.Encoder().encode
_decode_status = msgspec.json.Decoder(Status).decode
_decode_notification = msgspec.json.Decoder(Notification).decode


class StatusMemory:
    """What is known of the statuses of one instance, the last `statuses_max` of them.

    A connector lets each event through `fill` before it writes it. After a restart the memory is made again from what
    it wrote, event by event, by the same method. So the raw channel holds all that its events mean, and what is read
    from it later is the same again.

    >>> memory = StatusMemory()
    >>> status = '''{"id":"7","uri":"https://a.example/users/ivo/statuses/7","created_at":"2026-06-11T12:00:12Z",
    ...     "account":{"acct":"ivo"}}'''
    >>> _ = memory.fill(Event(event="update", payload=status, instance="a.example"))
    >>> memory.fill(Event(event="delete", payload="7", instance="a.example")).known["7"].id
    'https://a.example/users/ivo/statuses/7'
    """

    def __init__(self, *, statuses_max: int = STATUSES_MAX) -> None:
        self._statuses_max = statuses_max
        self._known: dict[str, Known] = {}

    def __len__(self) -> int:
        """Return how many statuses are remembered."""
        return len(self._known)

    def fill(self, event: Event) -> Event:
        """Return the event with what is known of the statuses that it names; remember the status that it tells."""
        if event.event == "delete":
            return self._filled(event, [str(event.payload)])
        status = _status_of(event)
        if status is None:
            return event
        for inner in (status.reblog, status.quote.quoted_status if status.quote else None):
            if inner is not None:
                self._remember(event, inner)
        filled = self._filled(event, _named_by(status))
        if event.event not in ("status.update", "counted"):
            self._remember(event, status)
        return filled

    def _filled(self, event: Event, local_ids: list[str]) -> Event:
        # What it says already was known when it was written.
        known = {local_id: self._known[local_id] for local_id in local_ids if local_id in self._known}
        return msgspec.structs.replace(event, known=known | event.known)

    def _remember(self, event: Event, status: Status) -> None:
        told = Event("update", _encode(status).decode(), event.instance, event.owner, event.known)
        outcome = read_event(_encode(self._filled(told, _named_by(status))), None)
        if not isinstance(outcome, tuple) or not outcome:
            return
        # Renewed, it is the last again that will be forgotten.
        self._known.pop(status.id, None)
        self._known[status.id] = _known_by(outcome[0])
        if len(self._known) > self._statuses_max:
            del self._known[next(iter(self._known))]


def _status_of(event: Event) -> Status | None:
    """Return the status that an event tells, None where it tells none or cannot be read."""
    if not isinstance(event.payload, str):
        return None
    try:
        if event.event in ("update", "status.update", "counted"):
            return _decode_status(event.payload)
        return _decode_notification(event.payload).status if event.event == "notification" else None
    except UNREADABLE:
        return None


def _named_by(status: Status) -> list[str]:
    """Return the local ids by which a status names others."""
    quoted = status.quote.quoted_status_id if status.quote else None
    shared = status.reblog.id if status.reblog else None
    return [local_id for local_id in (status.in_reply_to_id, quoted, shared) if local_id]


def _known_by(signal: Signal) -> Known:
    """Return what is to be remembered of a status: its signal, and the conversation that it is in."""
    root = conversation_of(signal)
    if root == signal.root:
        root_actor = signal.root_actor
    else:
        # Where no more is known, what it claims to answer or share is where all meet; else it is a root itself.
        root_actor = signal.parent_actor if root == signal.parent else signal.actor
    return Known(
        id=signal.id,
        actor=signal.actor,
        kind=signal.kind,
        post=signal.post or signal.id,
        root=root,
        root_actor=root_actor,
    )
