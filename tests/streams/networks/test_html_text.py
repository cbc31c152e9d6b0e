"""What posts in HTML say: text, links, mentions and hashtags, out of whatever strangers write."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.networks.html_text import LINKS_MAX, TEXT_BYTES_MAX, HtmlText, cut_text, read_html

MASTODON = (
    '<p><span class="h-card" translate="no"><a href="https://garden.example/@rosa" class="u-url mention">@<span>rosa'
    '</span></a></span> look: <a href="https://www.home.example/higgs?a=1&amp;b=2" target="_blank" rel="nofollow'
    ' noopener noreferrer"><span class="invisible">https://www.</span><span class="ellipsis">home.example/higgs'
    '</span><span class="invisible">?a=1&amp;b=2</span></a></p><p>A &lt;new&gt; particle<br />at <a href='
    '"https://garden.example/tags/LHC" class="mention hashtag" rel="tag">#<span>LHC</span></a></p>'
)


def test_a_post_as_mastodon_writes_it_is_read_whole() -> None:
    """The invisible parts of a link belong to its text, as they do when a person copies it."""
    assert read_html(MASTODON) == HtmlText(
        text="@rosa look: https://www.home.example/higgs?a=1&b=2\nA <new> particle\nat #LHC",
        links=("https://www.home.example/higgs?a=1&b=2",),
        mentions=("https://garden.example/@rosa",),
        tags=("LHC",),
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a &amp; b &#233; &eacute; &bogus; &", "a & b é é &bogus; &"),
        ("a < b > c", "a < b > c"),
        ("1 <3 you", "1 <3 you"),
        ("<b>bold</b>face", "boldface"),
        ("one<p>two</p><p>three", "one\ntwo\nthree"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<P>a<BR/>b</P>", "a\nb"),
        ("a<!-- <p>hidden</p> -->b", "ab"),
        ("a<!-- never closed <p>b", "a"),
        ("a<script>alert('<p>')</script>b<style>p{}</style>c", "abc"),
        ("a<script>never closed", "a"),
        ("a<!DOCTYPE html>b<?php x ?>c", "abc"),
        ('<span title="a > b">c</span>', "c"),
        ("<span title='a > b'>c</span>", "c"),
        ('<span title="open>c</span>', "c"),
        ("<a href=", "<a href="),
        ("</p></p></a>x", "x"),
        ("&#0; &#xD800; &#1114112;", "� � �"),
        ("&#" + "9" * 5_000 + ";x", "�x"),
    ],
)
def test_the_text_is_what_a_person_sees(source: str, text: str) -> None:
    """Tags vanish or break lines, entities become letters, and what is no HTML stays."""
    assert read_html(source).text == text


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        ('<a href="https://a.example/x">x</a>', HtmlText("x", links=("https://a.example/x",))),
        ("<A HREF='https://a.example/x'>x</A>", HtmlText("x", links=("https://a.example/x",))),
        ("<a href=https://a.example/x>x</a>", HtmlText("x", links=("https://a.example/x",))),
        ("<a\nhref = 'https://a.example/x'\n>x</a>", HtmlText("x", links=("https://a.example/x",))),
        ('<a href="https://a.example/>x">x</a>', HtmlText("x", links=("https://a.example/>x",))),
        ('<a data-href="https://b.example/">x</a>', HtmlText("x")),
        ('<a href="javascript:alert(1)">x</a>', HtmlText("x")),
        ('<a href="mailto:rosa@a.example">x</a>', HtmlText("x")),
        ('<a href="/relative">x</a>', HtmlText("x")),
        ('<a href="">x</a>', HtmlText("x")),
        ("<a>x</a>", HtmlText("x")),
        (f'<a href="https://a.example/{"x" * 3000}">x</a>', HtmlText("x")),
        ('<a class="mention" href="https://a.example/@b">@b</a>', HtmlText("@b", mentions=("https://a.example/@b",))),
        ('<a class="hashtag" href="https://a.example/tag/b">#b</a>', HtmlText("#b", tags=("b",))),
        ('<a rel="tag ugc" href="https://a.example/tag/b">＃b</a>', HtmlText("＃b", tags=("b",))),
        ('<a rel="tag" href="https://a.example/tag/b"></a>', HtmlText("")),
        ('<a rel="tag">#b<a rel="tag">#c</a>', HtmlText("#b#c", tags=("b", "c"))),
        ('<a rel="tag">#open', HtmlText("#open")),
        ('<abbr href="https://a.example/x">x</abbr>', HtmlText("x")),
    ],
)
def test_anchors_are_told_apart(anchor: str, expected: HtmlText) -> None:
    """Only what leads to the web is a link; mentions and hashtags are not links."""
    assert read_html(anchor) == expected


def test_what_is_read_is_bounded_and_comes_once() -> None:
    """A post of nothing but links or letters must not fill a row."""
    many = "".join(f'<a href="https://a.example/{number}">x</a>' for number in range(LINKS_MAX + 1))

    assert read_html(many + many).links == tuple(f"https://a.example/{number}" for number in range(LINKS_MAX))
    assert len(read_html("é" * 40_000).text.encode()) == TEXT_BYTES_MAX
    assert cut_text("x" * TEXT_BYTES_MAX) == "x" * TEXT_BYTES_MAX


@given(text=st.text())
def test_escaped_text_comes_back_as_its_lines(text: str) -> None:
    """Escaping is undone exactly; only white space around lines, and empty lines, are lost."""
    lines = [line.strip() for line in text.split("\n")]

    assert read_html(html.escape(text)).text == "\n".join(line for line in lines if line)


@given(
    source=st.lists(
        st.sampled_from(["<", ">", "</", "a", " href=", '"', "'", "https://x.example", "&", "#", ";", "<!--", "-->"])
        | st.text(max_size=3),
        max_size=40,
    ).map("".join)
)
def test_any_garbage_is_read(source: str) -> None:
    """Nothing raises, and no address that does not lead to the web gets through."""
    read = read_html(source)

    assert all(link.lower().startswith(("http://", "https://")) for link in (*read.links, *read.mentions))
    assert len(read.text) <= len(source)


@pytest.mark.parametrize("piece", ["<", "<a ", '<a "', "<!--", "&", "&#9", " ", "x", "x=", "<a rel=tag>", "<script>"])
def test_long_monotony_is_read_to_its_end(piece: str) -> None:
    """Repetition is what breaks parsers that go back; at the size limit some of these can take half a minute."""
    source = piece * (64 * 1024 // len(piece))

    assert len(read_html(source).text) <= len(source)
    assert len(read_html(f"<a {source}>").text) <= len(source) + 4
