"""Parts of activities: whatever form the standard lets them take, the same is read off them."""

from typing import Any

import msgspec
import pytest

from streams.networks.activity_shapes import (
    Thing,
    attached_links,
    first_id,
    html_of,
    is_public,
    is_public_post,
    language_of,
    object_of,
    quoted_in,
    tags_and_mentions_of,
    text_of,
    types_of,
)

ID = "https://a.example/1"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


def thing(**fields: Any) -> Thing:
    """Return an object with these fields, as they come."""
    return msgspec.convert(fields, Thing)


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (ID, ID),
        ({"id": ID, "href": "no"}, ID),
        ({"type": "Link", "href": ID}, ID),
        ([ID, "https://a.example/2"], ID),
        ([None, "", {}, {"id": ID}], ID),
        ("", None),
        ({}, None),
        ([], None),
        ([None], None),
        (None, None),
    ],
)
def test_an_id_is_found_in_each_form_of_a_reference(references: object, expected: str | None) -> None:
    """An id, an object, a link, or a list of which the first counts that has one."""
    assert first_id(thing(actor=references).actor) == expected


def test_what_an_activity_is_about_may_be_an_object_an_id_or_the_first_of_a_list() -> None:
    """Of an id alone an object is made that has nothing else."""
    assert object_of(thing(object=ID)) == Thing(id=ID)
    assert object_of(thing(object={"id": ID, "type": "Note"})) == Thing(id=ID, type="Note")
    assert object_of(thing(object=[None, {"id": ID}, "https://a.example/2"])) == Thing(id=ID)
    assert object_of(thing(object=[])) == object_of(thing()) == Thing()


def test_types_are_one_several_or_none() -> None:
    """Servers add types of their own beside the standard's."""
    assert types_of(thing(type="Note")) == ["Note"]
    assert types_of(thing(type=["a", "Note"])) == ["a", "Note"]
    assert types_of(thing()) == []


@pytest.mark.parametrize("key", ["quote", "quoteUri", "_misskey_quote", "quoteUrl"])
def test_a_quote_has_four_names(key: str) -> None:
    """Each server invented one before there was a standard."""
    assert quoted_in(thing(**{key: ID})) == ID
    assert quoted_in(thing(quote={"type": "Tombstone"}, **({} if key == "quote" else {key: ID}))) is None


def test_tags_are_told_apart_by_their_type() -> None:
    """Emoji and links among the tags are neither hashtags nor mentions; one tag need not be in a list."""
    tags = [
        {"type": "Hashtag", "name": "#figs"},
        {"type": ["x", "Hashtag"], "name": "Figs"},
        {"type": "Mention", "href": ID},
        {"type": "Emoji", "name": ":fig:"},
        {"type": "Hashtag"},
        "https://a.example/tag",
        None,
    ]

    assert tags_and_mentions_of(thing(tag=tags)) == (("figs", "Figs"), (ID,))
    assert tags_and_mentions_of(thing(tag=tags[0])) == (("figs",), ())
    assert tags_and_mentions_of(thing()) == ((), ())


def test_only_links_are_links_among_what_is_attached() -> None:
    """A picture has an address, too."""
    assert attached_links(thing(attachment=[{"type": "Link", "href": ID}, {"type": "Image", "href": "x"}])) == [ID]


def test_the_text_is_the_content_or_the_first_of_its_languages_below_the_head() -> None:
    """Titles and warnings are part of what a post says."""
    assert html_of(thing(content="<p>a</p>", contentMap={"en": "b"})).text == "a"
    assert html_of(thing(contentMap={"en": "b", "fr": "c"})).text == "b"
    assert html_of(thing(name="n", summary="s", content="c")).text == "n\ns\nc"
    assert html_of(thing(contentMap=[])).text == ""
    assert language_of(thing(contentMap={"en": "b", "fr": "c"})) == "en"
    assert language_of(thing(contentMap=[])) is None
    assert language_of(thing()) is None


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({}, True),
        ({"to": PUBLIC}, True),
        ({"cc": ["x", "as:Public"]}, True),
        ({"to": [{"id": "Public"}]}, True),
        ({"to": []}, False),
        ({"to": "x", "cc": None}, False),
        ({"cc": ["https://a.example/followers"]}, False),
    ],
)
def test_public_is_what_is_addressed_to_the_public_or_to_nobody(audience: dict[str, object], expected: bool) -> None:
    """The public has three names; an empty list of addressees is a list, and nobody public is on it."""
    assert is_public(thing(**audience)) is expected
    assert is_public_post(thing(to="x"), thing(**audience)) is (expected and bool(audience))


def test_only_a_text_is_a_time() -> None:
    """Numbers are read as nothing rather than guessed at."""
    assert [text_of(value) for value in ("noon", 5, 5.5, True, None)] == ["noon", None, None, None, None]
