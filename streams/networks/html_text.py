"""Read what a post in HTML says: its text as people see it, and what its anchors point at."""

import html
import re
from typing import NamedTuple

LINKS_MAX = 50
"""Anchors of one kind that are read of one post."""
LINK_CHARS_MAX = 2_048
"""A longer address is left out: no seed is as long, and a row must stay small."""
TEXT_BYTES_MAX = 32 * 1024
"""What of a text is read; it is used to match phrases and has to fit into a signal together with all the rest."""

# A tag ends before the next `<` at the latest, so that each byte is looked at once or twice, whatever is left open; a
# `>` inside of quotes does not end it.
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*+)((?:[^<>"']++|"[^<"]*+"|'[^<']*+')*+)>|<[/!?a-zA-Z][^<>]*+>""")
_ATTRIBUTE = re.compile(r"""(?<![a-zA-Z-])([a-zA-Z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_BREAKING = frozenset(
    ("blockquote", "br", "dd", "div", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "p", "pre", "td", "tr")
)
_UNSEEN = frozenset(("script", "style"))
# `html.unescape` fails on numbers of thousands of digits; no character has more than seven.
_LONG_NUMBER = re.compile(r"&#[0-9]{8,}+;?")


class HtmlText(NamedTuple):
    """What a post in HTML says: its text, the addresses of its links and mentions, the names of its hashtags."""

    text: str
    links: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def read_html(source: str) -> HtmlText:
    """Return what a post in HTML says; whatever is no HTML is text, and nothing is refused.

    Blocks and line breaks become line ends. Anchors of the class `mention` are mentions, those of the class `hashtag`
    or with `rel="tag"` are hashtags (as the servers of the fediverse write them), all others that lead to the web are
    links. The time is linear in the length, whatever is nested or left open.

    >>> read_html('<p>See <a href="https://home.cern/?a=1&amp;b=2">home.cern</a><br>Caf&eacute; &lt;3</p>')
    HtmlText(text='See home.cern\\nCafé <3', links=('https://home.cern/?a=1&b=2',), mentions=(), tags=())
    >>> read_html('<a href="https://a.example/tags/lhc" class="mention hashtag" rel="tag">#<span>LHC</span></a>').tags
    ('LHC',)
    """
    if "<" not in source:
        return HtmlText(_tidy(_unescape(source)))
    if "<!--" in source:
        source = _without_comments(source)
    # Text, slash, name, attributes, text, slash, name, ... text.
    parts = _TAG.split(source)
    pieces: list[str] = []
    links: dict[str, None] = {}
    mentions: dict[str, None] = {}
    tags: dict[str, None] = {}
    unseen, hashtag_at = "", -1
    for text, slash, raw, attributes in zip(parts[0::4], parts[1::4], parts[2::4], parts[3::4], strict=False):
        if unseen:
            if slash and raw and raw.lower() == unseen:
                unseen = ""
            continue
        pieces.append(text)
        name = raw.lower() if raw else ""
        if name in _BREAKING:
            pieces.append("\n")
        elif name == "a":
            if hashtag_at >= 0 and len(tags) < LINKS_MAX:
                tags[_hashtag(pieces[hashtag_at:])] = None
            hashtag_at = -1
            if not slash:
                meaning, href = _anchor(attributes)
                if meaning == "tag":
                    hashtag_at = len(pieces)
                elif href:
                    found = mentions if meaning == "mention" else links
                    if len(found) < LINKS_MAX:
                        found[href] = None
        elif name in _UNSEEN and not slash:
            unseen = name
    if not unseen:
        pieces.append(parts[-1])
    tags.pop("", None)
    return HtmlText(_tidy(_unescape("".join(pieces))), tuple(links), tuple(mentions), tuple(tags))


def cut_text(text: str) -> str:
    """Return the first `TEXT_BYTES_MAX` bytes of a text, whole characters only.

    >>> len(cut_text("é" * 20_000))
    16384
    """
    if len(text) * 4 <= TEXT_BYTES_MAX:
        return text
    return text.encode()[:TEXT_BYTES_MAX].decode(errors="ignore")


def _anchor(attributes: str) -> tuple[str, str]:
    """Return what an anchor is (`mention`, `tag` or empty) and where it leads, empty if not to the web."""
    href, classes, rel = "", "", ""
    for name, double, single, bare in _ATTRIBUTE.findall(attributes):
        name = name.lower()
        if name == "href":
            href = double or single or bare
        elif name == "class":
            classes = double or single or bare
        elif name == "rel":
            rel = double or single or bare
    if "hashtag" in classes.split() or (rel and "tag" in rel.split()):
        return "tag", ""
    if len(href) > LINK_CHARS_MAX:
        return "", ""
    href = _unescape(href).strip()
    if not href.lower().startswith(("http://", "https://")):
        href = ""
    return "mention" if "mention" in classes.split() else "", href


def _hashtag(pieces: list[str]) -> str:
    name = _unescape("".join(pieces)).strip().lstrip("#＃")
    return name if len(name) <= LINK_CHARS_MAX else ""


def _without_comments(source: str) -> str:
    """Take out comments; one that is never closed goes on to the end, as browsers have it."""
    pieces, at = [], 0
    while (start := source.find("<!--", at)) >= 0:
        pieces.append(source[at:start])
        close = source.find("-->", start + 4)
        if close < 0:
            return "".join(pieces)
        at = close + 3
    return "".join((*pieces, source[at:]))


def _unescape(text: str) -> str:
    if "&" not in text:
        return text
    return html.unescape(_LONG_NUMBER.sub("\ufffd", text) if "&#" in text else text)


def _tidy(text: str) -> str:
    return cut_text("\n".join(filter(None, map(str.strip, text.split("\n")))))
