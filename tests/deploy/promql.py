"""Find in a PromQL query the metrics that it names and the labels that it asks for, without parsing the language."""

import re
from typing import NamedTuple

KEYWORDS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_NAME = re.compile(r"(?<![\w.:$])([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?\s*(\()?")


class Named(NamedTuple):
    """What a query names: metric -> labels of its selectors, and the labels that results are grouped by."""

    metrics: dict[str, set[str]]
    grouped_by: set[str]


def named_in(query: str) -> Named:
    """Return what a query names.

    >>> named_in('sum by (le) (rate(x_bucket{a=~"b(c)"}[5m])) > 1e3 and y unless z{}')
    Named(metrics={'x_bucket': {'a'}, 'y': set(), 'z': set()}, grouped_by={'le'})
    """
    text = _RANGE.sub("", _STRING.sub('""', query))
    grouped_by = {label for match in _GROUPING.finditer(text) for label in re.findall(r"\w+", match[1])}
    metrics: dict[str, set[str]] = {}
    for name, selector, call in _NAME.findall(_GROUPING.sub(" ", text)):
        if not call and name not in KEYWORDS:
            metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
    return Named(metrics, grouped_by)
