"""Documents are laid on top of each other, and parameters are filled in everywhere."""

import pytest

from agents.seasons.documents import filled, merged, parameters_of
from streams.documents import DocumentError


def test_what_lies_above_goes_before_and_mappings_are_merged() -> None:
    """Lists are replaced as a whole; neither document is changed."""
    below: dict[str, object] = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    above: dict[str, object] = {"a": {"y": [3]}, "c": 2}

    assert merged(below, above) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}
    assert below == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_a_parameter_may_stand_for_another_one() -> None:
    """So two of them cannot come apart when one is set."""
    document: dict[str, object] = {"parameters": {"drift": 0.6, "gone": "$drift"}}

    assert parameters_of(document, {"drift": 0.5}) == {"drift": 0.5, "gone": 0.5}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([1], "expected a mapping of parameters"),
        ({"a": [1]}, "expected one value at `$.parameters.a`"),
        ({"a": "$b", "b": "$a"}, "expected a parameter that ends in a value at `$.parameters.a`, got $b"),
        ({"a": "$c"}, "expected a declared parameter at `$.parameters.a`, got $c"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(parameters: object, said: str) -> None:
    """With the place and what was expected."""
    with pytest.raises(DocumentError) as caught:
        parameters_of({"parameters": parameters}, {})

    assert said in str(caught.value)


def test_every_text_that_is_a_sign_and_a_name_is_filled_in() -> None:
    """Deep in lists and mappings; a sign within a text is text."""
    document: dict[str, object] = {"a": [{"b": "$x"}, "costs $x"], "c": "$y"}

    assert filled(document, {"x": 1, "y": "text"}) == {"a": [{"b": 1}, "costs $x"], "c": "text"}
