"""Read a YAML or JSON document that a person wrote, and refuse what is doubtful with its place and a way out."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import Protocol, Self

import yaml

DEPTH_MAX = 32
"""Deeper nesting than any file of ours has; the parser itself would overflow its stack at some depth."""

# The parser in C where the installed package has it: a file of 100,000 topics takes seconds instead of minutes.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SHOWN_MAX = 60
_PLAIN_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_TAG = "tag:yaml.org,2002:"


class _Mark(Protocol):
    """A place in a text, counted from 0; the parsers in C and in Python each have a class of their own for it."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class DocumentError(ValueError):
    """A document that cannot be used; its text is one line: what was expected, what came, where, and what to do.

    >>> print(DocumentError(expected="a number", got="`high`", place="$.scale", do="write digits", where="r.yaml"))
    r.yaml: expected a number at `$.scale`, got `high`; write digits
    """

    def __init__(self, *, expected: str, got: str, place: str, do: str, where: str = "") -> None:
        self.expected = expected
        self.got = got
        self.place = place
        self.do = do
        self.where = where
        origin = f"{where}: " if where else ""
        super().__init__(f"{origin}expected {expected} at `{place}`, got {got}; {do}")

    @classmethod
    def of(cls, error: "DocumentError", *, where: str) -> Self:
        """Return the same error with the name of the document that it is about."""
        return cls(expected=error.expected, got=error.got, place=error.place, do=error.do, where=where)


def shown(value: object) -> str:
    """Return a value as an error message shows it: on one line, and cut where it is long.

    >>> shown("a\\nb"), shown(None), shown({"a": 1}), shown("x" * 80)[-3:]
    ('`a\\\\nb`', 'nothing', 'a mapping', 'x…`')
    """
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    # json.dumps escapes what would break the line or could not be printed, lone surrogates too.
    text = json.dumps(value, ensure_ascii=not isinstance(value, str) or not value.isprintable())
    text = text[1:-1] if isinstance(value, str) else text
    return f"`{text}`" if len(text) <= _SHOWN_MAX else f"`{text[:_SHOWN_MAX]}…`"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to do about an unknown name: the nearest known one, or all of them where none is near.

    >>> nearest("tgas", ("tags", "links"))
    'did you mean `tags`?'
    >>> nearest("zzz", ("tags", "links"))
    'known here: tags, links'
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(names)}"


def read_document(text: str) -> object:
    """Return the mappings (dict), lists, texts, numbers, booleans and None of a YAML or JSON text.

    Stricter than YAML where YAML surprises: a name given twice, aliases and tags are refused, and so is a number that
    YAML 1.1 would not take as it is written (`010` is 8 there, `1:30` is 90). An instant stays the text that it is.
    Raises DocumentError with the line in its place.

    >>> read_document("brands: [{id: cern}]")
    {'brands': [{'id': 'cern'}]}
    >>> read_document("since: 2012-07-01")
    {'since': '2012-07-01'}
    """
    if text.lstrip().startswith("{"):
        # JSON escapes characters beyond U+FFFF as two surrogates, which YAML does not put together.
        try:
            return json.loads(text, object_pairs_hook=_json_mapping, parse_constant=_no_constant)
        except DocumentError:
            raise
        except (ValueError, RecursionError):
            pass  # It may be YAML in braces; if it is neither, YAML's reader knows the line.
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise DocumentError(
            expected="YAML or JSON",
            got=f"a syntax error ({error.problem})",
            place=_line(error.problem_mark),
            do="correct it there",
        ) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise DocumentError(
            expected="printable text", got=str(error).splitlines()[0], place="$", do="save the file as UTF-8 text"
        ) from None
    return None if node is None else _value(node)


def _check_events(text: str) -> None:
    """Refuse what is dangerous to compose: aliases (a short text can stand for a huge tree) and deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise DocumentError(
                expected="a value",
                got=f"the alias `*{event.anchor}`",
                place=_line(event.start_mark),
                do="write the value out",
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                raise DocumentError(
                    expected=f"at most {DEPTH_MAX} levels of nesting",
                    got="more",
                    place=_line(event.start_mark),
                    do="check the brackets and the indentation",
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _value(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        return [_value(child) for child in node.value]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise DocumentError(
        expected="a value without a YAML tag", got=shown(node.tag), place=_line(node.start_mark), do="leave it out"
    )


def _mapping(node: yaml.MappingNode) -> dict[str, object]:
    found: dict[str, object] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            got = f"`{key_node.value}`" if isinstance(key_node, yaml.ScalarNode) else "a list or a mapping"
            raise DocumentError(
                expected="a name", got=got, place=_line(key_node.start_mark), do="put the name in quotes"
            )
        if key in found:
            raise DocumentError(
                expected=f"`{key}` once", got="it twice", place=_line(key_node.start_mark), do="merge the two"
            )
        found[key] = _value(value_node)
    return found


def _scalar(node: yaml.ScalarNode) -> object:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind in ("str", "timestamp"):
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if kind == "int" and _PLAIN_INTEGER.fullmatch(text):
        # int() refuses more digits than this by itself, with a message that does not say where.
        if len(text) <= 100:
            return int(text)
    elif kind == "float":
        try:
            return float(text)
        except ValueError:
            pass  # `.inf`, `.nan`, `1:30.5`: nothing that a rule could mean.
    raise DocumentError(
        expected="a plain number or a text",
        got=f"`{text}`" if len(text) <= _SHOWN_MAX else f"`{text[:_SHOWN_MAX]}…`",
        place=_line(node.start_mark),
        do="write it as decimal digits, or put it in quotes if it is a text",
    )


def _line(mark: _Mark | None) -> str:
    return "$" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


def _json_mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise DocumentError(expected=f"`{key}` once", got="it twice in one mapping", place="$", do="merge the two")
        found[key] = value
    return found


def _no_constant(name: str) -> object:
    raise DocumentError(expected="a number", got=f"`{name}`", place="$", do="write it as decimal digits")
