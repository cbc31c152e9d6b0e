"""Ids of the fediverse tell times and authors where they are written so, and nothing where they are not."""

import pytest

from streams.networks.fediverse import (
    TAG_CHARS_MAX,
    author_in,
    distinct_links,
    distinct_tags,
    local_id_ms,
    not_backdated,
    uri_ms,
)
from streams.networks.html_text import LINK_CHARS_MAX, LINKS_MAX

# An id of Mastodon's documentation, and its time there to the second: 2019-12-08T03:48:33.901Z.
DOCUMENTED_ID, DOCUMENTED_MS = "103270115826048975", 1_575_776_913_901


def test_the_time_in_an_id_is_that_of_its_status() -> None:
    """The example of Mastodon's documentation is made within a second of the time that it declares."""
    told_ms = local_id_ms(DOCUMENTED_ID)

    assert told_ms is not None
    assert abs(told_ms - DOCUMENTED_MS) < 1_000
    assert told_ms == int(DOCUMENTED_ID) // 65_536


@pytest.mark.parametrize(
    "local_id", ["", "4711", "1" * 20, "01HZX3J9", "１０３２７０１１５８２６０４８９７５", "-1032701158260489"]
)
def test_what_is_no_id_of_mastodon_tells_no_time(local_id: str) -> None:
    """Counted ids, and those of other servers, hold none."""
    assert local_id_ms(local_id) is None


@pytest.mark.parametrize(
    ("uri", "author", "has_time"),
    [
        (f"https://a.example/users/ivo/statuses/{DOCUMENTED_ID}", "https://a.example/users/ivo", True),
        (f"https://a.example/users/ivo/statuses/{DOCUMENTED_ID}/activity", "https://a.example/users/ivo", True),
        (f"https://a.example/ap/users/77/statuses/{DOCUMENTED_ID}", "https://a.example/ap/users/77", True),
        ("https://a.example/users/ivo/statuses/01HZX3J9", "https://a.example/users/ivo", False),
        (f"https://a.example/users/ivo/statuses/{DOCUMENTED_ID}/replies", None, False),
        ("https://a.example/objects/5b4a", None, False),
        (f"tag:a.example,2016:objectId={DOCUMENTED_ID}:objectType=Status", None, False),
        ("", None, False),
    ],
)
def test_an_address_tells_author_and_time_where_it_is_written_so(uri: str, author: str | None, has_time: bool) -> None:
    """Only where the form is known that an address has does it tell anything."""
    assert author_in(uri) == author
    assert (uri_ms(uri) is not None) is has_time


def test_only_the_flag_of_live_acts_is_taken_off() -> None:
    """A wrong clock stays wrong, however old the act may be."""
    assert [not_backdated(flags) for flags in ((), ("backdated",), ("future",), ("no_time",))] == [
        (),
        (),
        ("future",),
        ("no_time",),
    ]


def test_lists_are_cut_and_hold_each_once() -> None:
    """What strangers repeat or stretch must not fill rows."""
    links = [f"https://a.example/{number}" for number in range(LINKS_MAX + 1)]

    assert distinct_links([*links, *links]) == tuple(links[:LINKS_MAX])
    assert distinct_links(["", None, "x" * (LINK_CHARS_MAX + 1), "x" * LINK_CHARS_MAX]) == ("x" * LINK_CHARS_MAX,)
    assert distinct_tags(["", None, "#", "##figs", "figs", "x" * (TAG_CHARS_MAX + 1)]) == ("figs",)
