"""Check the shape of an alert against the published sample (WIRE.md §0)."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, CascadeEvidence, Condition, EmergentEvidence, Evidence, Span
from schemas.vitals import WindowVitals

SAMPLE = {
    "id": "6f1c.1",
    "episode": "6f1c",
    "brand": "cern",
    "topic": "higgs",
    "state": "outgrown",
    "status": "firing",
    "severity": 6,
    "at": "2012-07-04T08:12:00Z",
    "since": "2012-07-04T06:11:00Z",
    "summary": "one sentence a person can read",
    "conditions": [{"name": "endogenous_share", "value": 0.81, "low": 0.79, "threshold": 0.55, "holds": True}],
    "evidence": {"emergent": [], "cascades": [], "windows": {}, "flags": []},
    "rules": "0123456789abcdef",
    "span": {"from": "2012-07-03T08:12:00Z", "to": "2012-07-04T08:12:00Z", "signals": 48_211},
}

FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
CONDITIONS = st.builds(
    Condition,
    name=st.text(),
    value=FLOATS,
    threshold=st.floats(allow_nan=False, allow_infinity=False),
    holds=st.booleans(),
    low=FLOATS,
    high=FLOATS,
    relation=st.sampled_from([">=", "<=", ">", "<"]),
    bound=st.sampled_from(["value", "low", "high"]),
    any_of=st.none() | st.text(),
    guard=st.booleans(),
)


def test_the_published_sample_is_an_alert() -> None:
    """What the wire contract shows must be readable, whatever fields are added."""
    alert = msgspec.json.decode(json.dumps(SAMPLE), type=Alert, strict=True)

    assert alert.conditions == (Condition("endogenous_share", value=0.81, low=0.79, threshold=0.55, holds=True),)
    assert (alert.conditions[0].relation, alert.conditions[0].bound) == (">=", "value")
    assert alert.span == Span(from_="2012-07-03T08:12:00Z", to="2012-07-04T08:12:00Z", signals=48_211)


def test_an_alert_is_written_with_every_field_of_the_published_sample() -> None:
    """Subscribers read these names; a field that is left out when it is empty would break them."""
    alert = msgspec.json.decode(json.dumps(SAMPLE), type=Alert)

    written = json.loads(msgspec.json.encode(alert))

    same = [name for name in SAMPLE if name not in ("conditions", "evidence")]
    assert {name: written[name] for name in same} == {name: SAMPLE[name] for name in same}
    assert written["conditions"] == [
        {"name": "endogenous_share", "value": 0.81, "low": 0.79, "high": None, "threshold": 0.55, "holds": True}
        | {"relation": ">=", "bound": "value", "any_of": None, "guard": False}
    ]
    empty = {"emergent": [], "cascades": [], "windows": {}, "baseline": "learning", "flags": []}
    assert written["evidence"] == empty | {"breadth": None, "join": None, "resonance": None}


@given(
    st.lists(CONDITIONS, max_size=4),
    st.lists(st.builds(CascadeEvidence, st.text(), st.integers(0, 9), st.integers(0, 9)), max_size=3),
)
def test_an_alert_survives_encoding(conditions: list[Condition], cascades: list[CascadeEvidence]) -> None:
    """Decoding is the inverse of encoding, and an alert that is passed on keeps its bytes."""
    alert = Alert(
        id="e.1",
        episode="e",
        brand="b",
        topic="t",
        state="growing",
        status="updated",
        severity=1,
        at="2012-07-04T08:12:00Z",
        since="2012-07-04T08:12:00Z",
        summary="s",
        conditions=tuple(conditions),
        evidence=Evidence(
            emergent=(EmergentEvidence("x", lift=3.5, g2=20.0, actors=12),),
            cascades=tuple(cascades),
            windows={"24h": WindowVitals(3, {"share": 3}, {"adopted": 3}, 3.0, 2, 0.5)},
            flags=("cold_start",),
        ),
        rules="r",
        span=Span("2012-07-03T08:12:00Z", "2012-07-04T08:12:00Z", 3),
    )

    written = msgspec.json.encode(alert)
    again = msgspec.json.decode(written, type=Alert)

    assert again == alert
    assert msgspec.json.encode(again) == written
