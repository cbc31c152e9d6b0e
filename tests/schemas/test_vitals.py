"""Check the shape of vitals against the published sample (WIRE.md §0)."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vitals import STATES, WINDOWS, Measures, Vitals, WindowVitals

SAMPLE: dict[str, Any] = {
    "at": 1_341_388_800_000,
    "brand": "cern",
    "topic": "higgs",
    "state": "growing",
    "watermark": 1_341_388_800_000,
    "windows": {
        "1h": {
            "signals": 4_512,
            "by_kind": {"share": 3_101, "reply": 402},
            "by_lineage": {"brand": 3, "seeded": 410, "adopted": 4_099, "wild": 0},
            "engagement": 4_431.2,
            "actors": 3_790,
            "top_actor_share": 0.01,
        }
    },
    "measures": {
        "outgrowth_ratio": 9.8,
        "endogenous_share": 0.9,
        "endogenous_share_low": 0.89,
        "baseline_z": 6.1,
        "doubling_time_s": 3_100.0,
        "drift_share": None,
        "tag_divergence_bits": None,
        "reproduction_number": 1.2,
    },
}

COUNTS = st.dictionaries(st.sampled_from(["share", "reply", "like"]), st.integers(0, 2**40))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
WINDOW_VITALS = st.builds(WindowVitals, st.integers(0, 2**40), COUNTS, COUNTS, FLOATS, st.integers(0, 2**40), FLOATS)


def test_the_published_sample_is_a_line_of_vitals_with_all_its_fields() -> None:
    """Every field that the wire contract shows is read, and written again under its name, nulls included."""
    vitals = msgspec.json.decode(json.dumps(SAMPLE), type=Vitals)
    written = json.loads(msgspec.json.encode(vitals))

    assert {name: written[name] for name in SAMPLE if name != "measures"} == {
        name: value for name, value in SAMPLE.items() if name != "measures"
    }
    assert {name: written["measures"][name] for name in SAMPLE["measures"]} == SAMPLE["measures"]


@pytest.mark.parametrize("field", ["at", "brand", "topic", "state", "watermark", "windows", "measures"])
def test_each_published_field_is_required(field: str) -> None:
    """Vitals without one of them come from somebody else."""
    lacking = {name: value for name, value in SAMPLE.items() if name != field}

    with pytest.raises(msgspec.ValidationError, match=f"missing required field `{field}`"):
        msgspec.json.decode(json.dumps(lacking), type=Vitals)


@given(st.dictionaries(st.sampled_from(WINDOWS), WINDOW_VITALS), st.sampled_from(STATES), st.none() | FLOATS)
def test_vitals_survive_encoding(windows: dict[str, WindowVitals], state: str, ratio: float | None) -> None:
    """Decoding is the inverse of encoding."""
    vitals = Vitals(1, "b", "t", state, 2, windows, Measures(outgrowth_ratio=ratio), flags=("stale",))

    assert msgspec.json.decode(msgspec.json.encode(vitals), type=Vitals) == vitals
