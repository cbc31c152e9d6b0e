"""Tests of `streams.attribution.links`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution.links import Link, LinkIndex, parse_link


def falls_under(url: str, seed: str) -> bool:
    """Ask an index that holds this one seed."""
    link = parse_link(seed)
    assert link is not None
    index = LinkIndex()
    index.add(link, 7)
    found = index.find(url)
    assert found in ([], [7])
    return found == [7]


@pytest.mark.parametrize(
    "url",
    [
        "home.cern",
        "https://home.cern",
        "HTTP://HOME.CERN/",
        "https://home.cern./science",
        "https://www.home.cern/science?x=1#top",
        "https://a.b.home.cern:8443",
        "https://user:secret@home.cern/",
        "//home.cern/news",
        "gemini://home.cern",
        "home.cern?x=https://other.example/",
        "https://home%2Ecern/",
        "https://home。cern/",
        "https://ｈｏｍｅ.cern/",
        "  https://home.cern/ ",
        "https:\\\\home.cern\\news",
    ],
)
def test_a_domain_takes_itself_and_what_is_below_it(url: str) -> None:
    """Scheme, case, port, user, path and the spelling of the host make no difference."""
    assert falls_under(url, "home.cern")


@pytest.mark.parametrize(
    "url",
    [
        "https://nothome.cern/",
        "https://home.cern.example/",
        "https://cern/",
        "https://example.com/home.cern",
        "https://example.com/?u=https://home.cern/",
        "https://example.com#@home.cern",
        "https://example.com\\@home.cern/",
        "mailto:press@home.cern",
        "press@home.cern",
        "javascript:home.cern",
        "https://home.cern:port/",
        "https://home..cern/",
        "",
        "#",
        "https://",
    ],
)
def test_what_only_looks_like_the_domain_is_not_taken(url: str) -> None:
    """A seed must not be matched by a host that somebody else owns, nor by a mail address."""
    assert not falls_under(url, "home.cern")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://home.cern/news", True),
        ("https://home.cern/news/", True),
        ("https://home.cern/news/2012/higgs?x=1", True),
        ("https://www.home.cern/news#a", True),
        ("https://home.cern//news", True),
        ("https://home.cern/about/../news", True),
        ("https://home.cern/./news", True),
        ("https://home.cern/%6Eews", True),
        ("https://home.cern/newsletter", False),
        ("https://home.cern/News", False),
        ("https://home.cern/news/../about", False),
        ("https://home.cern/en/news", False),
        ("https://home.cern/news%2F2012", False),
        ("https://home.cern/", False),
    ],
)
def test_a_prefix_ends_at_a_segment_of_the_path(url: str, *, expected: bool) -> None:
    """`/news` takes what is below it, and nothing whose name merely begins like it."""
    assert falls_under(url, "home.cern/news") is expected
    assert falls_under(url, "https://home.cern/news/") is expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://münchen.example/", "xn--mnchen-3ya.example"),
        ("https://MÜNCHEN.example/", "XN--MNCHEN-3YA.EXAMPLE"),
        ("https://mu\u0308nchen.example/", "münchen.example"),
        ("https://faß.example/", "xn--fa-hia.example"),
        ("https://βόλος.example/", "xn--nxasmm1c.example"),
        ("https://ΒΌΛΟΣ.example/", "xn--nxasmq6b.example"),
    ],
)
def test_an_international_name_equals_its_ascii_form(one: str, other: str) -> None:
    """Networks deliver the one or the other; the ASCII forms here were made with the `idna` package (UTS #46)."""
    assert falls_under(one, other)
    assert falls_under(other, one)


@given(st.text(max_size=200))
def test_no_text_makes_a_look_up_fail(text: str) -> None:
    """Links come from strangers."""
    index = LinkIndex()
    index.add(Link("home.cern", ("news",)), 0)

    assert index.find(text) in ([], [0])
    assert isinstance(parse_link(text), Link | None)


@given(st.sampled_from(["", "https://", "//", "a@", "[", "https://["]), st.text(max_size=80))
def test_no_broken_url_makes_a_look_up_fail(start: str, rest: str) -> None:
    """What begins like a URL goes further in than random text does."""
    index = LinkIndex()
    index.add(Link("home.cern", ()), 0)

    assert index.find(start + rest + "\ud800.home.cern") in ([], [0])
    assert index.find(start + rest) in ([], [0])


def test_an_ipv6_host_keeps_its_colons() -> None:
    """Only what follows the bracket is a port."""
    assert falls_under("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]")
    assert not falls_under("https://[2001:db8::2]/a", "https://[2001:db8::1]")


LABELS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(tuple)
SEGMENTS = st.lists(st.sampled_from(["x", "y"]), max_size=3).map(tuple)
PLACES = st.tuples(LABELS, SEGMENTS)


@given(st.lists(PLACES, max_size=12, unique=True), PLACES)
def test_a_look_up_finds_what_a_scan_over_all_seeds_finds(
    seeds: list[tuple[tuple[str, ...], tuple[str, ...]]], url: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    """The index is a faster way to compare the labels from the right and the segments from the left."""
    index = LinkIndex()
    for number, (labels, segments) in enumerate(seeds):
        index.add(Link(".".join(labels), segments), number)
    host, path = url

    found = index.find(f"https://{'.'.join(host)}/{'/'.join(path)}")

    expected = [
        number
        for number, (labels, segments) in enumerate(seeds)
        if host[-len(labels) :] == labels and path[: len(segments)] == segments
    ]
    assert sorted(found) == expected
