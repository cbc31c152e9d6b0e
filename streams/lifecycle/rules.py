"""Turn what a rules file says into rules: check names, units, ranges and sense; merge layers; scale durations."""

import hashlib
import itertools
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS, TICK_MS_MIN, Rules
from streams.documents import DocumentError, nearest, read_document, shown

_SUFFIX = "_ms"
_type_info = lru_cache(inspect.type_info)
_UNITS_MS = {"w": 7 * DAY_MS, "d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:ms|[wdhms]))+")
_DURATION_PART = re.compile(r"([0-9]+)(ms|[wdhms])")


class RulesError(DocumentError):
    """Rules that cannot be used: one line with the place, what was expected, what came, and what to do."""


def parse_duration(text: str) -> int | None:
    """Return the milliseconds that a text such as `2h`, `90m` or `1h30m` names; None if it names none.

    >>> parse_duration("2h"), parse_duration("1m30s"), parse_duration("250ms"), parse_duration("soon")
    (7200000, 90000, 250, None)
    """
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _DURATION_PART.findall(text))


def format_duration(duration_ms: int) -> str:
    """Return a duration in the longest unit that divides it, so that `parse_duration` gives it back.

    >>> format_duration(7_200_000), format_duration(5_400_000), format_duration(0)
    ('2h', '90m', '0ms')
    """
    for unit, unit_ms in _UNITS_MS.items():
        if duration_ms and unit != "w" and duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{unit}"
    return f"{duration_ms}ms"


def build_rules(overrides: Mapping[str, Any], *, place: str = "$") -> Rules:
    """Return the default rules with these overrides, nested and named as in a rules file.

    Names are the fields of `schemas.rules`. A duration is written without `_ms` and with a unit (`for: 2h`), or with
    it and in milliseconds (`for_ms: 7200000`). Raises RulesError; `place` is where the overrides stand in their file.

    >>> build_rules({"outgrown": {"ratio_enter": 3, "for": "90m"}}).outgrown.for_ms
    5400000
    >>> build_rules({"outgrown": {"ratio_entr": 3}})
    Traceback (most recent call last):
    streams.lifecycle.rules.RulesError: expected the name of a rule at `$.outgrown`, got `ratio_entr`; did you mean \
`ratio_enter`?
    """
    rules = _read_group(overrides, Rules(), place)
    assert isinstance(rules, Rules)
    _check_sense(rules, place)
    return rules


def check_overrides(overrides: Mapping[str, Any], *, place: str = "$") -> None:
    """Raise RulesError where one layer of overrides has a wrong name, type or range.

    Whether exit thresholds lie below enter thresholds is for `build_rules` to say, once all layers are merged.
    """
    _read_group(overrides, Rules(), place)


def merge_overrides(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers in one, later over earlier, name by name; neither is changed.

    `for` and `for_ms` are one name here: the later spelling replaces the earlier.

    >>> merge_overrides({"outgrown": {"for": "2h", "ratio_enter": 2}}, {"outgrown": {"for_ms": 5}})
    {'outgrown': {'ratio_enter': 2, 'for_ms': 5}}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            twin = name.removesuffix(_SUFFIX) if name.endswith(_SUFFIX) else name + _SUFFIX
            merged.pop(twin, None)
            if isinstance(value, Mapping):
                known = merged.get(name)
                merged[name] = merge_overrides(known, value) if isinstance(known, Mapping) else merge_overrides(value)
            else:
                merged[name] = list(value) if isinstance(value, list | tuple) else value
    return merged


def parse_rules(text: str, *, where: str) -> dict[str, Any]:
    """Return the overrides of a rules file: YAML or JSON, the mapping itself or `rules:` with the mapping below it.

    `where` names the file in errors. Raises RulesError. Hand the result to `build_rules`, or merge it over others.

    >>> parse_rules("rules: {scale: 0.5}", where="fast.yaml")
    {'scale': 0.5}
    """
    try:
        document = read_document(text)
        place = "$"
        if isinstance(document, dict) and "rules" in document:
            if len(document) > 1:
                other = next(name for name in document if name != "rules")
                raise _error("nothing beside `rules`", shown(other), "$", "move it below `rules`, or leave it out")
            document, place = document["rules"], "$.rules"
        if not isinstance(document, dict):
            raise _error("a mapping", shown(document), place, "write rules such as `outgrown: {ratio_enter: 2.0}`")
        build_rules(document, place=place)
    except DocumentError as error:
        raise RulesError.of(error, where=where) from None
    return merge_overrides(document)


@lru_cache(maxsize=1_024)
def scaled(rules: Rules) -> Rules:
    """Return the rules with every duration multiplied by `rules.scale`, rounded to whole milliseconds.

    A duration that was not 0 stays at least 1 ms. `tick_ms` stays at least `TICK_MS_MIN` (1 s): a tick judges every
    topic, so it costs the same however much happened since the last. The result keeps `scale`, which says by how
    much it was scaled, and must not be scaled again.

    >>> fast = scaled(Rules(scale=1 / 60))
    >>> fast.outgrown.for_ms, fast.tick_ms, scaled(Rules(scale=1e-6)).tick_ms
    (120000, 1000, 1000)
    """
    result = _scaled_group(rules, rules.scale)
    assert isinstance(result, Rules)
    return msgspec.structs.replace(result, tick_ms=max(TICK_MS_MIN, result.tick_ms))


def _scaled_group(group: msgspec.Struct, scale: float) -> msgspec.Struct:
    changes: dict[str, Any] = {}
    for field in msgspec.structs.fields(group):
        value = getattr(group, field.name)
        if isinstance(value, msgspec.Struct):
            changes[field.name] = _scaled_group(value, scale)
        elif field.name.endswith(_SUFFIX):
            is_many = isinstance(value, tuple)
            changes[field.name] = tuple(_scaled_ms(v, scale) for v in value) if is_many else _scaled_ms(value, scale)
    return msgspec.structs.replace(group, **changes)


def _scaled_ms(duration_ms: int, scale: float) -> int:
    return max(1, round(duration_ms * scale)) if duration_ms else 0


@lru_cache(maxsize=1_024)
def rules_hash(rules: Rules) -> str:
    """Return 16 hexadecimal digits that name the rules: BLAKE2b of their JSON with sorted names.

    >>> rules_hash(Rules()) == rules_hash(build_rules({"outgrown": {"ratio_enter": 2}}))
    True
    """
    return hashlib.blake2b(msgspec.json.encode(rules, order="sorted"), digest_size=8).hexdigest()


def _error(expected: str, got: str, place: str, do: str) -> RulesError:
    return RulesError(expected=expected, got=got, place=place, do=do)


def _read_group(given: object, defaults: msgspec.Struct, place: str) -> msgspec.Struct:
    """Return a group of rules with what is given for it over its defaults."""
    if not isinstance(given, Mapping):
        raise _error("a mapping of rules", shown(given), place, "write `name: value` pairs, or leave it out")
    shape = _type_info(type(defaults))
    assert isinstance(shape, inspect.StructType)
    spellings = {field.name.removesuffix(_SUFFIX): field for field in shape.fields}
    changes: dict[str, Any] = {}
    for name, value in given.items():
        field = spellings.get(name.removesuffix(_SUFFIX)) if isinstance(name, str) else None
        if field is None or (name.endswith(_SUFFIX) and not field.name.endswith(_SUFFIX)):
            raise _error("the name of a rule", shown(name), place, nearest(str(name), spellings))
        if field.name in changes:
            raise _error(f"`{field.name}` once", "it twice, with and without a unit", place, "leave one of them out")
        at = f"{place}.{name}"
        if isinstance(field.type, inspect.StructType):
            changes[field.name] = _read_group(value, getattr(defaults, field.name), at)
        elif isinstance(field.type, inspect.VarTupleType):
            changes[field.name] = _read_list(value, field.type.item_type, name, field.name, at)
        else:
            changes[field.name] = _read_number(value, field.type, name, field.name, at)
    return msgspec.structs.replace(defaults, **changes)


def _read_list(value: object, shape: inspect.Type, name: str, field_name: str, place: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise _error("a list", shown(value), place, "write it in brackets, such as [30m, 2h]")
    return tuple(_read_number(one, shape, name, field_name, f"{place}[{i}]") for i, one in enumerate(value))


def _read_number(value: object, shape: inspect.Type, name: str, field_name: str, place: str) -> float:
    """Return a number, or the milliseconds of a duration, that lies in the range of its shape."""
    assert isinstance(shape, inspect.IntType | inspect.FloatType)
    assert shape.ge is not None
    assert shape.le is not None
    is_whole = isinstance(shape, inspect.IntType)
    has_unit = field_name.endswith(_SUFFIX) and name != field_name
    number = _duration(value) if has_unit else _whole_number(value) if is_whole else _number(value)
    if number is None and has_unit:
        do = f"write it like `2h`, or `{field_name}` in milliseconds"
        raise _error("a duration with its unit (ms, s, m, h, d, w)", shown(value), place, do)
    if number is None:
        raise _error("a whole number" if is_whole else "a number", shown(value), place, "write digits without quotes")
    if not shape.ge <= number <= shape.le:
        low, high = (format_duration(int(bound)) if has_unit else f"{bound:.12g}" for bound in (shape.ge, shape.le))
        raise _error(f"{low} to {high}", shown(value), place, "choose a value in this range")
    return number if is_whole else float(number)


def _number(value: object) -> float | None:
    # True is an int to Python, and a NaN is in no range and out of none.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _whole_number(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _duration(value: object) -> int | None:
    if isinstance(value, str):
        return parse_duration(value)
    return 0 if _number(value) == 0 else None


def _check_sense(rules: Rules, place: str) -> None:
    """Refuse rules that are each in range but make no sense together."""
    for group_field in msgspec.structs.fields(rules):
        group = getattr(rules, group_field.name)
        if isinstance(group, msgspec.Struct):
            _check_hysteresis(group, f"{place}.{group_field.name}")
    baseline = rules.baseline
    if baseline.weekly_after_hours < baseline.learning_hours:
        raise _error(
            f"at least learning_hours ({baseline.learning_hours})",
            f"`{baseline.weekly_after_hours}`",
            f"{place}.baseline.weekly_after_hours",
            "raise it, or lower learning_hours",
        )
    after_ms = rules.reminders.after_ms
    if any(later <= earlier for earlier, later in itertools.pairwise(after_ms)):
        got = ", ".join(map(format_duration, after_ms))
        raise _error("durations that grow", f"`[{got}]`", f"{place}.reminders.after", "write them in order, each once")
    if rules.engagement.actor_cap == 0:
        raise _error("more than 0", "`0`", f"{place}.engagement.actor_cap", "with 0 no actor would count at all")


def _check_hysteresis(group: msgspec.Struct, place: str) -> None:
    """A state whose exit does not lie below its enter would be left in the moment in which it is entered."""
    for field in msgspec.structs.fields(group):
        if field.name.endswith("_exit"):
            exit_name, enter_name = field.name, field.name.removesuffix("_exit") + "_enter"
            leave, enter = getattr(group, exit_name), getattr(group, enter_name)
            if not leave < enter:
                do = f"lower it, or raise {enter_name} (both have defaults)"
                raise _error(f"less than {enter_name} ({enter:g})", f"`{leave:g}`", f"{place}.{exit_name}", do)
