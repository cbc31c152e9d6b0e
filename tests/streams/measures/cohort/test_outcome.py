"""What becomes of a cohort is what the table says, on both sides of every bound."""

import pytest

from schemas.rules import ReturnedRules
from streams.measures.cohort import CohortReading, outcome

DAY_MS = 100
RULES = ReturnedRules(within_ms=14 * DAY_MS, hold_ms=DAY_MS)


def read(**said: object) -> CohortReading:
    """Return the reading of a cohort of 100 that was closed on day 10, with what is said differently."""
    usual: dict[str, object] = {
        "opened_ms": 500,
        "closed_ms": 1_000,
        "size": 100,
        "scale": 1,
        "returned": 60,
        "return_rate": 0.6,
        "return_rate_low": 0.5,
        "reached_ms": 1_050,
        "active": 80,
        "last_active_ms": 1_100,
        "compared": 50,
        "prolific_ratio": 1.5,
        "prolific_ratio_low": 1.3,
        "prolific_ratio_high": 1.7,
        "diversity_ratio": 1.4,
        "diversity_ratio_low": 1.2,
    }
    return CohortReading(**{**usual, **said})  # type: ignore[arg-type]


NOBODY = {"returned": 10, "return_rate": 0.1, "return_rate_low": 0.05, "reached_ms": None}
END_MS = 1_000 + 1_400


@pytest.mark.parametrize(
    ("said", "at_ms", "expected"),
    [
        ({}, 1_150, "returned-richer"),
        ({}, 1_149, None),
        ({"prolific_ratio": 1.19}, 1_150, "returned"),
        ({"prolific_ratio": 1.2}, 1_150, "returned-richer"),
        ({"prolific_ratio_low": 1.0}, 1_150, "returned"),
        ({"diversity_ratio": 1.09}, 1_150, "returned"),
        ({"diversity_ratio": 1.1}, 1_150, "returned-richer"),
        ({"diversity_ratio_low": 1.0}, 1_150, "returned"),
        # What is not measured yet is waited for, unless it makes no difference.
        ({"prolific_ratio": None, "prolific_ratio_low": None}, 1_150, None),
        ({"prolific_ratio": None, "prolific_ratio_low": None}, END_MS - 1, None),
        ({"prolific_ratio": None, "prolific_ratio_low": None}, END_MS, "returned"),
        ({"diversity_ratio": None, "diversity_ratio_low": None}, 1_150, None),
        ({"diversity_ratio": None, "diversity_ratio_low": None}, END_MS, "returned"),
        ({"diversity_ratio": None, "diversity_ratio_low": None, "prolific_ratio": 1.0}, 1_150, "returned"),
        ({"prolific_ratio": None, "prolific_ratio_low": None, "diversity_ratio": 1.0}, 1_150, "returned"),
        # A brand that comes behind the end of the escape begins the time for it anew, one that came before does not.
        (NOBODY | {"joined_ms": 1_300}, 1_300 + 1_399, None),
        (NOBODY | {"joined_ms": 1_300}, 1_300 + 1_400, "settled-elsewhere"),
        (NOBODY | {"joined_ms": 700}, END_MS - 1, None),
        (NOBODY | {"joined_ms": 700}, END_MS, "settled-elsewhere"),
        # Who returns at the last moment is not waited for.
        ({"reached_ms": END_MS - 10}, END_MS - 1, None),
        ({"reached_ms": END_MS - 10}, END_MS, "returned-richer"),
        (NOBODY, END_MS - 1, None),
        (NOBODY, END_MS, "settled-elsewhere"),
        ({**NOBODY, "active": 30}, END_MS, "settled-elsewhere"),
        ({**NOBODY, "active": 29}, END_MS, "faded"),
        ({**NOBODY, "active": 0}, END_MS + 9_999, "faded"),
        # Of too few nothing is said, and of those who are still away neither.
        ({"size": 24, "active": 24}, END_MS, None),
        ({"size": 25, "active": 25}, 1_150, "returned-richer"),
        ({**NOBODY, "closed_ms": None}, END_MS, None),
    ],
)
def test_outcome_is_that_of_the_table(said: dict[str, object], at_ms: int, expected: str | None) -> None:
    """Every bound on both of its sides; the rules are the defaults, with days of 100 ms."""
    assert outcome(read(**said), at_ms=at_ms, rules=RULES) == expected
