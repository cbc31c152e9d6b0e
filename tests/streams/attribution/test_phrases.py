"""Tests of `streams.attribution.phrases`."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution.phrases import TEXT_LENGTH_MAX, PhraseIndex, fold_text, joins_words


def is_said(phrase: str, text: str) -> bool:
    """Ask an index that holds this one phrase."""
    return PhraseIndex([phrase]).find(text) == [0]


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("higgs boson", "The Higgs boson!", True),
        ("Higgs Boson", "the HIGGS\u00a0BOSON", True),
        ("higgs boson", "higgs\n  \tboson", True),
        ("higgs\u3000boson", "higgs boson", True),
        ("higgs boson", "higgs-boson", False),
        ("higgs boson", "higgs bosons", False),
        ("higgs boson", "thehiggs boson", False),
        ("higgs", "higgs_boson", False),
        ("higgs", "higgs's", True),
        ("higgs", "#higgs", True),
        ("higgs", "'higgs'", True),
        ("lhc", "lhc2", False),
        ("c++", "c++11", True),
        ("café", "cafe\u0301s", False),
        ("café", "un cafe\u0301.", True),
        ("cafe", "cafe\u0301", False),
        ("straße", "STRASSE", True),
        ("ﬁnd", "find it", True),
        ("粒子", "ヒッグス粒子と考えられる", True),
        ("ﾋｯｸﾞｽ", "ヒッグス粒子", True),
        ("cern", "CERNが発表", True),
        ("cern", "cernеще", False),
        ("힉스", "힉스가", True),
        ("हिग्स", "हिग्स कण", True),
        ("हिग", "हिग्स कण", False),
        ("😀", "a😀b", True),
    ],
)
def test_a_phrase_is_said_where_its_words_stand_whole(phrase: str, text: str, *, expected: bool) -> None:
    """Case, width, composition and white space make no difference; a boundary is asked for where scripts have one."""
    assert is_said(phrase, text) is expected


def test_overlapping_phrases_are_all_found() -> None:
    """One phrase inside another, or sharing a word with it, must not hide it."""
    phrases = ["new particle", "a new particle", "new", "particle found", "particle", "found"]

    assert PhraseIndex(phrases).find("A new particle found") == [0, 1, 2, 3, 4, 5]


def test_phrases_that_fold_to_one_are_all_found() -> None:
    """Two brands may write the same phrase differently."""
    assert PhraseIndex(["Higgs  Boson", "lhc", "higgs boson"]).find("higgs boson") == [0, 2]


def test_a_later_whole_occurrence_counts_after_a_broken_one() -> None:
    """Most texts that say `bosons` first and `boson` later are on topic."""
    assert is_said("boson", "bosons and a boson")
    assert not is_said("boson", "bosons and superboson")


def test_an_index_without_phrases_finds_nothing() -> None:
    """Empty phrases are none."""
    index = PhraseIndex(["", "  "])

    assert not index
    assert index.find("anything") == []


def test_only_the_first_part_of_a_very_long_text_is_considered() -> None:
    """The limit bounds what one signal can cost."""
    assert is_said("boson", "x " * ((TEXT_LENGTH_MAX - 6) // 2) + "boson")
    assert not is_said("boson", "x " * (TEXT_LENGTH_MAX // 2) + "boson")


def test_a_long_run_of_marks_is_cut_and_the_rest_is_read() -> None:
    """Such a run takes normalisation time in the square of its length, and no language has it."""
    marks = "\u0316\u0300" * 4_000

    assert len(fold_text("a" + marks)) < 100
    assert is_said("boson", f"a{marks} the boson")


def test_half_a_surrogate_pair_in_a_text_is_no_obstacle() -> None:
    """Such a text cannot be encoded, and the automaton wants UTF-8."""
    assert is_said("boson", "a \ud83d boson")
    assert not is_said("a\ud83d", "a boson")


@given(st.text(max_size=60))
def test_the_short_way_for_ascii_text_equals_the_long_way(text: str) -> None:
    """Folding ASCII may save time and nothing else."""
    ascii_text = "".join(character for character in text if character.isascii())
    normal = unicodedata.normalize("NFKC", ascii_text).casefold()

    # White space is compared as single spaces, and what is before and after a text does not matter to phrases.
    assert fold_text(ascii_text) == " ".join(normal.split())


WORDS = st.text(alphabet="ab é粒_'", max_size=10)


@given(st.lists(WORDS, max_size=8), WORDS, WORDS)
def test_an_index_finds_what_a_search_for_each_phrase_finds(phrases: list[str], before: str, after: str) -> None:
    """The automaton is a faster way to look for each phrase at each place."""
    text = before + "".join(phrases[:1]) + after
    folded = fold_text(text)
    expected = []
    for position, phrase in enumerate(phrases):
        wanted = fold_text(phrase)
        places = [(start, start + len(wanted)) for start in range(len(folded)) if folded.startswith(wanted, start)]
        if wanted and any(
            (start == 0 or not joins_words(folded[start - 1], folded[start]))
            and (end == len(folded) or not joins_words(folded[end - 1], folded[end]))
            for start, end in places
        ):
            expected.append(position)

    assert PhraseIndex(phrases).find(text) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("a", "b", True),
        ("a", "1", True),
        ("é", "_", True),
        ("я", "a", True),
        ("ह", "ि", True),
        ("a", " ", False),
        ("a", "-", False),
        ("a", "粒", False),
        ("粒", "子", False),
        ("ก", "า", False),
        ("가", "나", False),
    ],
)
def test_two_characters_join_where_a_word_may_go_on(left: str, right: str, *, expected: bool) -> None:
    """The boundary of a word lies where they do not, whichever comes first."""
    assert joins_words(left, right) is expected
    assert joins_words(right, left) is expected
