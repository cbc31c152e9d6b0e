"""Events as a connector writes them are read as they were written, and lack whatever was not said."""

import msgspec

from streams.networks.mastodon_shapes import Event, Known, Status


def test_an_event_is_read_as_it_was_written() -> None:
    """What a connector remembers goes along with the event, and what it does not know takes no room."""
    known = Known("https://a.example/1", "ivo@a.example", "reply", "https://a.example/1", root="https://a.example/0")
    event = Event("delete", "7", "garden.example", known={"7": known})
    written = msgspec.json.encode(event)

    assert msgspec.json.decode(written, type=Event) == event
    assert b"owner" not in written
    assert b"root_actor" not in written


def test_a_status_needs_ids_and_an_author_only() -> None:
    """Servers that speak Mastodon's language leave out much of it."""
    status = msgspec.json.decode(b'{"id":"7","uri":"https://a.example/7","account":{"acct":"ivo"}}', type=Status)

    assert (status.reblog, status.quote, status.content, status.account.acct) == (None, None, None, "ivo")
