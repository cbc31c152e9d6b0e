"""docker-compose.yml alone, and with docker-compose.secure.yml over it, as Compose puts them together."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "open": (ROOT / "docker-compose.yml",),
    "secure": (ROOT / "docker-compose.yml", ROOT / "docker-compose.secure.yml"),
}
# What the later file says in the place of the earlier one; other lists grow.
_REPLACED = {"command", "entrypoint", "test"}


def merged(first: Any, second: Any, key: str = "") -> Any:
    """Return two values of one key as Compose merges them.

    >>> merged({"command": ["a"], "ports": ["1"], "x": 1}, {"command": ["b"], "ports": ["2"]})
    {'command': ['b'], 'ports': ['1', '2'], 'x': 1}
    """
    if isinstance(first, dict) and isinstance(second, dict):
        return first | {name: merged(first.get(name), value, name) for name, value in second.items()}
    if isinstance(first, list) and isinstance(second, list) and key not in _REPLACED:
        return first + [one for one in second if one not in first]
    return second


@cache
def document(variant: str) -> dict[str, Any]:
    """Return what one of the two installations is composed of."""
    held: dict[str, Any] = {}
    for path in FILES[variant]:
        held = merged(held, yaml.safe_load(path.read_text()))
    return held


def services(variant: str) -> dict[str, dict[str, Any]]:
    """Return the services of one of the two installations."""
    found: dict[str, dict[str, Any]] = document(variant)["services"]
    return found


def ours(variant: str) -> dict[str, dict[str, Any]]:
    """Return the services that run our own image."""
    return {name: one for name, one in services(variant).items() if one["image"].startswith("overgrowth:")}
