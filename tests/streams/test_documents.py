"""Tests of `streams.documents`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.documents import DocumentError, nearest, read_document, shown


def refusal_of(text: str) -> str:
    """Return the message with which a text is refused, empty if it is not."""
    try:
        read_document(text)
    except DocumentError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: [1, -5, 1.5, true, no, ~, x, '010']", {"a": [1, -5, 1.5, True, False, None, "x", "010"]}),
        ("from: 2012-07-01T00:00:00Z", {"from": "2012-07-01T00:00:00Z"}),
        ("a: 1e3", {"a": "1e3"}),
        ("{a: b}", {"a": "b"}),
        ('{"a": [1, null], "b": "\\ud83d\\ude00"}', {"a": [1, None], "b": "😀"}),
        ('\ufeff{"a": 1}', {"a": 1}),
    ],
)
def test_plain_yaml_and_json_are_read(text: str, value: object) -> None:
    """What a person means is what comes out; an instant stays a text, for who knows its meaning to read."""
    assert read_document(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 010", "expected a plain number or a text at `line 1, column 4`, got `010`; write it as decimal digits"),
        ("a: 1:30", "got `1:30`"),
        ("a: 0x10", "got `0x10`"),
        ("a: .inf", "got `.inf`"),
        ("a: " + "9" * 5_000, "got `" + "9" * 60 + "…`"),
        ('{"a": NaN}', "expected a number at `$`, got `NaN`"),
        ("a: 1\nb: 2\na: 3", "expected `a` once at `line 3, column 1`, got it twice; merge the two"),
        ('{"a": 1, "a": 2}', "expected `a` once at `$`"),
        ("a: &x [1]\nb: *x", "got the alias `*x`; write the value out"),
        ("<<: {a: 1}", "got `<<`"),
        ("a: !!python/object:os.system x", "expected a plain number or a text at `line 1, column 4`"),
        ("a: !!set {b}", "expected a value without a YAML tag at `line 1, column 4`"),
        ("1: a", "expected a name at `line 1, column 1`, got `1`; put the name in quotes"),
        ("on: a", "expected a name at `line 1, column 1`, got `on`"),
        ("? [a]\n: b", "expected a name at `line 1, column 3`, got a list or a mapping"),
        ("a: [1", "expected YAML or JSON at `line 2, column 1`, got a syntax error"),
        ("a: 1\n---\nb: 2", "expected YAML or JSON at `line 2, column 1`"),
        ("a:\n\tb: 1", "expected YAML or JSON at `line 2, column 1`"),
        ("a: \x00", "expected printable text at `$`"),
        ("a: \ud800", "expected printable text at `$`"),
        ("[" * 300_000, "expected at most 32 levels of nesting at `line 1, column 33`, got more"),
        ('{"a":' * 100_000, "expected at most 32 levels of nesting"),
        ('{"a": ' + "9" * 5_000 + "}", "expected a plain number or a text"),
    ],
)
def test_what_is_doubtful_is_refused_with_its_place(text: str, message: str) -> None:
    """A file that is taken for something else than it says is worse than one that is refused."""
    with pytest.raises(DocumentError) as refused:
        read_document(text)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no third outcome, whatever a file holds."""
    assert len(refusal_of(text).splitlines()) <= 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_json_comes_back_as_it_was_written(value: dict[str, object]) -> None:
    """The seeds and rules that a program writes are JSON."""
    assert read_document(json.dumps(value)) == value


@given(st.none() | st.booleans() | st.integers() | st.text(max_size=300) | st.lists(st.integers()))
def test_a_value_in_a_message_is_one_short_line(value: object) -> None:
    """A message must stay one line, whatever came."""
    text = shown(value)

    assert len(text.splitlines()) == 1
    assert len(text) <= 70
    assert text.isprintable()


def test_an_unknown_name_is_answered_with_the_nearest_or_with_all() -> None:
    """A person who mistyped needs the word, one who guessed needs the list."""
    assert nearest("ratio_entr", ["ratio_exit", "ratio_enter"]) == "did you mean `ratio_enter`?"
    assert nearest("colour", ["for", "keep"]) == "known here: for, keep"
