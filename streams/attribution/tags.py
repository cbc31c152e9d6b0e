"""Write a tag in the one form in which two tags are compared."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

TAGS_MAX = 50
"""Tags of one post that count (WIRE.md §5)."""
TAG_LENGTH_MAX = 100
"""Characters of a tag, in its normal form; a longer one is no tag that anybody shares."""

# No normal form is shorter than a quarter of what it came from (three marks on one letter), so what is longer than
# this is dropped unread: to normalise a long run of combining marks takes time in the square of its length.
_RAW_LENGTH_MAX = 4 * TAG_LENGTH_MAX


def normalize_tag(tag: str) -> str:
    """Return a tag in NFKC and casefolded, without `#` or `＃` before it or white space around it; maybe empty.

    >>> normalize_tag("#LHC"), normalize_tag("＃ＣＥＲＮ"), normalize_tag("Straße"), normalize_tag(" # ")
    ('lhc', 'cern', 'strasse', '')
    """
    if tag.isascii():
        if tag.isalnum() and tag.islower():
            return tag
        return _without_signs(tag.lower())
    return _cached_fold(tag) if len(tag) <= TAG_LENGTH_MAX else _fold_tag(tag)


def fold(text: str) -> str:
    """Return a text in which only what people read as the same is the same: NFKC, casefolded, NFKC again.

    Casefolding can leave a text that is not in NFKC, hence the second time.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _without_signs(text: str) -> str:
    text = text.strip()
    while text.startswith("#"):
        text = text[1:].lstrip()
    return text


def _fold_tag(tag: str) -> str:
    # What was around the signs may compose once they are gone, so a form is normal when nothing changes any more.
    normal = _without_signs(fold(tag))
    while normal != tag:
        tag, normal = normal, _without_signs(fold(normal))
    return normal


# The same few thousand tags come again and again; a normal form is a function of the tag alone, so to remember it
# changes no result. Only short tags get here, which bounds the memory.
_cached_fold = lru_cache(maxsize=16_384)(_fold_tag)


def normalize_tags(tags: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """Return the distinct normal forms in their order, and whether some were cut: too many, or too long.

    >>> normalize_tags(["#LHC", "lhc", "", "Higgs"])
    (('lhc', 'higgs'), False)
    """
    normal: dict[str, None] = {}
    cut = False
    for raw in tags:
        tag = normalize_tag(raw) if len(raw) <= _RAW_LENGTH_MAX else raw
        if len(tag) > TAG_LENGTH_MAX:
            cut = True
        elif tag and tag not in normal:
            if len(normal) == TAGS_MAX:
                return tuple(normal), True
            normal[tag] = None
    return tuple(normal), cut
