"""Tests of `streams.attribution.tags`."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution.tags import TAG_LENGTH_MAX, TAGS_MAX, fold, normalize_tag, normalize_tags


@pytest.mark.parametrize(
    ("tag", "normal"),
    [
        ("higgs", "higgs"),
        ("Higgs", "higgs"),
        ("#LHC", "lhc"),
        ("＃LHC", "lhc"),
        ("##LHC", "lhc"),
        (" # LHC\n", "lhc"),
        ("ＬＨＣ", "lhc"),
        ("ﬁne", "fine"),
        ("Straße", "strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("e\u0301te\u0301", "été"),
        ("ﾋｯｸﾞｽ", "ヒッグス"),
        ("2012", "2012"),
        ("air_max", "air_max"),
        ("c#", "c#"),
        ("#", ""),
        ("", ""),
    ],
)
def test_spellings_that_people_read_as_one_are_one(tag: str, normal: str) -> None:
    """Width, case, ligatures, composition and the sign before it make no difference; the rest of the tag does."""
    assert normalize_tag(tag) == normal


@given(st.text(max_size=150))
def test_a_normal_form_is_its_own_normal_form(tag: str) -> None:
    """Otherwise a tag that was normalised on the way in would be another one when it is compared."""
    once = normalize_tag(tag)

    assert normalize_tag(once) == once


@given(st.text(alphabet=st.characters(categories=["Mn", "Lm", "So", "Lo", "Po"]), max_size=12))
def test_a_normal_form_of_marks_and_signs_is_its_own_normal_form(tag: str) -> None:
    """Marks compose with what a stripped sign leaves before them, which is where idempotence would break."""
    once = normalize_tag("#" + tag)

    assert normalize_tag(once) == once


@given(st.text(max_size=40))
def test_a_normal_form_is_in_nfkc_without_a_sign_or_space_around_it(tag: str) -> None:
    """These are the promises that WIRE.md §5 makes."""
    normal = normalize_tag(tag)

    assert unicodedata.is_normalized("NFKC", normal)
    assert normal == normal.strip()
    assert not normal.startswith("#")


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
def test_the_short_way_for_ascii_equals_the_long_way(tag: str) -> None:
    """The fast path may save time and nothing else."""
    normal = unicodedata.normalize("NFKC", tag).casefold()

    assert normalize_tag(tag) == re.sub(r"^[#\s]+|\s+$", "", normal)
    assert fold(tag) == normal


def test_repeated_tags_count_once_in_the_order_of_their_first() -> None:
    """A post that repeats its tag in three spellings says it once."""
    assert normalize_tags(["LHC", "Higgs", "#lhc", "ＬＨＣ", "", "#"]) == (("lhc", "higgs"), False)


def test_at_most_fifty_tags_count_and_the_cut_is_told() -> None:
    """A post with a thousand tags is spam; what was dropped must be visible."""
    tags, cut = normalize_tags(f"t{i}" for i in range(51))

    assert tags == tuple(f"t{i}" for i in range(TAGS_MAX))
    assert cut
    assert normalize_tags([f"t{i}" for i in range(TAGS_MAX)] + ["T0"]) == (tags, False)


@pytest.mark.parametrize("long", ["x" * 101, "#" + "é" * 101, "ﷺ" * 6, "x" * 100_000, "a" + "\u0316\u0300" * 50_000])
def test_a_tag_of_more_than_a_hundred_characters_is_dropped_and_told(long: str) -> None:
    """The length is that of the normal form: one ligature may stand for eighteen characters."""
    assert normalize_tags([long, "higgs"]) == (("higgs",), True)


def test_a_tag_of_a_hundred_characters_is_kept() -> None:
    """The limit itself is allowed, also where the raw tag was longer."""
    assert normalize_tags(["#" + "x" * 100, "e\u0301" * 100]) == (("x" * 100, "é" * 100), False)


@given(st.lists(st.text(max_size=120), max_size=70))
def test_normalised_tags_stay_as_they_are(raw: list[str]) -> None:
    """Two steps may normalise the same signal."""
    tags, _ = normalize_tags(raw)

    assert normalize_tags(tags) == (tags, False)
    assert len(tags) == len(set(tags)) <= TAGS_MAX
    assert all(0 < len(tag) <= TAG_LENGTH_MAX for tag in tags)
