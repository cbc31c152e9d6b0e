"""Put a season's document together: on top of another one, and with its parameters filled in."""

from collections.abc import Mapping

from streams.documents import DocumentError, shown

SIGN = "$"
"""A text that is this sign and the name of a parameter stands for the value of the parameter."""

Scalar = str | int | float | bool


def merged(below: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    """Return one document on top of another: what it says goes before, and mappings are merged in turn.

    >>> merged({"hours": 1, "people": {"a": 1, "b": 2}}, {"people": {"b": 3}})
    {'hours': 1, 'people': {'a': 1, 'b': 3}}
    """
    made = dict(below)
    for key, value in above.items():
        old = made.get(key)
        made[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return made


def parameters_of(document: dict[str, object], settings: Mapping[str, object]) -> dict[str, Scalar]:
    """Take the parameters out of a document, and return them with the settings that go before; raises DocumentError.

    A parameter may stand for another one: `gone: $drift`.

    >>> document = {"parameters": {"drift": 0.6, "hours": 48}, "network": "garden"}
    >>> parameters_of(document, {"drift": 0.2}), document
    ({'drift': 0.2, 'hours': 48}, {'network': 'garden'})
    """
    declared = document.pop("parameters", {})
    if not isinstance(declared, dict):
        do = "write them as `name: value`"
        raise DocumentError(expected="a mapping of parameters", got=shown(declared), place="$.parameters", do=do)
    for name in settings:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none at all"
            do = f"the parameters of this season are: {known}"
            raise DocumentError(expected="a parameter of the season", got=name, place="$.parameters", do=do)
    made: dict[str, Scalar] = {}
    for name, value in {**declared, **settings}.items():
        if not isinstance(value, Scalar):
            place = f"$.parameters.{name}"
            raise DocumentError(expected="one value", got=shown(value), place=place, do="write a number or a text")
        made[name] = value
    return {name: _resolved(value, made, f"$.parameters.{name}") for name, value in made.items()}


def _resolved(value: Scalar, parameters: Mapping[str, Scalar], place: str) -> Scalar:
    """Return what a parameter stands for, through others as far as there are any."""
    meant = value
    for _ in range(len(parameters) + 1):
        if not isinstance(meant, str) or not meant.startswith(SIGN):
            return meant
        meant = _looked_up(meant, parameters, place)
    do = "let one of them have a value of its own"
    raise DocumentError(expected="a parameter that ends in a value", got=str(value), place=place, do=do)


def filled(document: dict[str, object], parameters: Mapping[str, Scalar]) -> dict[str, object]:
    """Return a document with `$name` replaced by the value of the parameter; raises DocumentError for unknown names.

    >>> filled({"phases": [{"drift": "$drift"}]}, {"drift": 0.5})
    {'phases': [{'drift': 0.5}]}
    """
    made = _filled(document, parameters, "$")
    assert isinstance(made, dict), "a mapping stays one"
    return made


def _filled(value: object, parameters: Mapping[str, Scalar], place: str) -> object:
    if isinstance(value, dict):
        return {key: _filled(inner, parameters, f"{place}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, parameters, f"{place}[{index}]") for index, inner in enumerate(value)]
    if not isinstance(value, str) or not value.startswith(SIGN):
        return value
    return _looked_up(value, parameters, place)


def _looked_up(value: str, parameters: Mapping[str, Scalar], place: str) -> Scalar:
    name = value.removeprefix(SIGN)
    if name not in parameters:
        known = ", ".join(f"{SIGN}{name}" for name in sorted(parameters)) or "none"
        do = f"declare it under `parameters:`, or use one of: {known}"
        raise DocumentError(expected="a declared parameter", got=value, place=place, do=do)
    return parameters[name]
