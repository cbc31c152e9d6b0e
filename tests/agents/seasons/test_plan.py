"""A plan takes what a season file may say and refuses the rest."""

import msgspec
import pytest

from agents.seasons.plan import Circle, Flood, Shock, Source, Trap, Viral


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"kind": "shock", "name": "s", "hour": 1, "hours": 2, "tags": ["t"], "posts": 3, "community_posts": 0}, Shock),
        ({"kind": "flood", "name": "f", "by": "bots", "actors": 1, "hour": 1, "hours": 2, "posts": 3}, Flood),
        ({"kind": "viral", "name": "v", "hour": 1, "hours": 2, "reactions": 3}, Viral),
    ],
)
def test_a_trap_is_known_by_its_kind(document: dict[str, object], kind: type) -> None:
    """The file says which one is meant."""
    trap: Trap = msgspec.convert(document, Trap)

    assert type(trap) is kind
    assert trap.tolerated == ()


@pytest.mark.parametrize(
    ("document", "shape"),
    [
        ({"kind": "flod", "name": "f"}, Trap),
        ({"kind": "viral", "name": "v", "hour": 1, "hours": 0, "reactions": 3}, Trap),
        ({"people": 1, "per_day": 1, "own": 0.5}, Circle),
        ({"people": 5, "per_day": 1, "own": 0.5, "drift": 1.5}, Circle),
        ({"people": 5, "per_day": 1, "own": 0.5, "drif": 0.5}, Circle),
        ({"name": "a", "share": 0}, Source),
        ({"name": "a", "share": 1, "ahead_minutes": 61}, Source),
    ],
)
def test_what_no_season_could_be_grown_from_is_refused(document: dict[str, object], shape: type) -> None:
    """Unknown kinds and fields, and numbers out of their range."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, shape)
