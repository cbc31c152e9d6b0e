"""Find which of many phrases a text says, all of them in one pass."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick

from streams.attribution.tags import fold

TEXT_LENGTH_MAX = 16_384
"""Characters of a text that are considered."""

# To normalise a run of combining marks takes time in the square of its length, so runs are cut where texts are long
# enough for that to matter. Thirty is more than any language needs (UAX #15, stream-safe text).
_HARMLESS_LENGTH = 512
_MARKS_MAX = 30

# ASCII in lower case, with each kind of white space written as a space.
_ASCII_FOLDED = bytes(32 if chr(code).isspace() else ord(chr(code).lower()) for code in range(128)) + bytes(128)

# First and last character of the scripts that are written without spaces between words, or, as Hangul, with particles
# joined to them: no boundary can be asked for there.
_UNSPACED = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul letters
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x2E80, 0x9FFF),  # Han, Hiragana, Katakana, Bopomofo, Hangul
    (0xA960, 0xA9FF),  # Hangul, Javanese, Myanmar
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),  # Han
    (0x1AFF0, 0x1B16F),  # Kana
    (0x20000, 0x3FFFF),  # Han
)
_UNSPACED_STARTS = tuple(first for first, _ in _UNSPACED)


def fold_text(text: str) -> str:
    """Return the first `TEXT_LENGTH_MAX` characters of a text in NFKC, casefolded, with white space as single spaces.

    >>> fold_text("The  Higgs\\nBOSON")
    'the higgs boson'
    """
    text = text[:TEXT_LENGTH_MAX]
    if text.isascii():
        folded = text.encode().translate(_ASCII_FOLDED)
        return (b" ".join(folded.split()) if b"  " in folded else folded).decode().strip()
    if len(text) > _HARMLESS_LENGTH:
        text = _with_short_runs(text)
    return " ".join(fold(text).split())


def _with_short_runs(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS_MAX:
            kept.append(character)
    return "".join(kept)


def joins_words(left: str, right: str) -> bool:
    """Return whether two neighbouring characters may be of one word: both of words, neither of an unspaced script.

    Letters, marks, numbers and `_` are of words. All scripts with spaces count as one here: a word that changes from
    one to another in its middle is a rarity.

    >>> joins_words("s", "1"), joins_words("s", "'"), joins_words("s", "発"), joins_words("発", "表")
    (True, False, False, False)
    """
    return _is_of_spaced_word(left) and _is_of_spaced_word(right)


def _is_of_spaced_word(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character == "_"
    if unicodedata.category(character)[0] not in "LMN":
        return False
    code = ord(character)
    at = bisect_right(_UNSPACED_STARTS, code) - 1
    return at < 0 or code > _UNSPACED[at][1]


class PhraseIndex:
    """Phrases in one automaton (Aho and Corasick 1975): a text costs its length, however many phrases there are.

    A phrase is said where its words stand whole: `boson` is not said in `bosons`. Where a script has no spaces, and
    where the phrase begins or ends with something that is not of a word, no boundary is asked for.

    >>> index = PhraseIndex(["Higgs boson", "boson", "粒子"])
    >>> index.find("the HIGGS  boson!"), index.find("ヒッグス粒子"), index.find("bosons")
    ([0, 1], [2], [])
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        positions: dict[str, list[int]] = {}
        for position, phrase in enumerate(phrases):
            folded = _encodable(fold_text(phrase))
            if folded:
                positions.setdefault(folded, []).append(position)
        self._positions = tuple(positions.values())
        self._automaton = AhoCorasick(list(positions), store_patterns=False)

    def __bool__(self) -> bool:
        return bool(self._positions)

    def find(self, text: str) -> list[int]:
        """Return the positions of the phrases that a text says, each once, in ascending order."""
        folded = fold_text(text)
        try:
            hits = self._automaton.find_matches_as_indexes(folded, overlapping=True)
        except UnicodeEncodeError:
            folded = _encodable(folded)
            hits = self._automaton.find_matches_as_indexes(folded, overlapping=True)
        if not hits:
            return []
        end = len(folded)
        said: dict[int, None] = {}
        for pattern, start, stop in hits:
            if (
                pattern not in said
                and not (start and joins_words(folded[start - 1], folded[start]))
                and not (stop < end and joins_words(folded[stop - 1], folded[stop]))
            ):
                said[pattern] = None
        return sorted(position for pattern in said for position in self._positions[pattern])


def _encodable(text: str) -> str:
    """Return a text whose lone surrogates, which UTF-8 cannot say, are replacement characters."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
