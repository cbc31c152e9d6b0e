"""Tests of `streams.lifecycle.rules`."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS, EngagementRules, OutgrownRules, ReminderRules, Rules
from streams.lifecycle.rules import (
    RulesError,
    build_rules,
    check_overrides,
    format_duration,
    merge_overrides,
    parse_duration,
    parse_rules,
    rules_hash,
    scaled,
)


def test_nothing_overridden_leaves_the_defaults() -> None:
    """Every rule has a default, so an empty file is a complete one."""
    assert build_rules({}) == Rules()
    assert build_rules({"outgrown": {}}) == Rules()


def test_overrides_are_named_as_in_a_file_and_change_nothing_else() -> None:
    """Durations have units, lists of them too; what is not named keeps its default."""
    rules = build_rules(
        {
            "scale": 1,
            "tick": "5m",
            "engagement": {"like": 0},
            "seeded": {"silence": "3d"},
            "growing": {"doubling": "1d12h", "keep_ms": 90_000},
            "outgrown": {"ratio_enter": 3, "actors_min": 60.0, "for": "90m", "keep": 0},
            "reminders": {"after": ["30m", "2h"], "every": "1w"},
        }
    )

    assert (rules.scale, rules.tick_ms, rules.seeded.silence_ms) == (1.0, 5 * MINUTE_MS, 3 * DAY_MS)
    assert rules.engagement == EngagementRules(like=0.0)
    assert (rules.growing.doubling_ms, rules.growing.keep_ms) == (36 * HOUR_MS, 90_000)
    assert rules.outgrown == OutgrownRules(ratio_enter=3.0, actors_min=60, for_ms=90 * MINUTE_MS, keep_ms=0)
    assert rules.reminders == ReminderRules(after_ms=(30 * MINUTE_MS, 2 * HOUR_MS), every_ms=7 * DAY_MS)
    assert (type(rules.scale), type(rules.outgrown.actors_min)) == (float, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping at `$`, got nothing; write rules such as `outgrown: {ratio_enter: 2.0}`"),
        ("rules: 3", "expected a mapping at `$.rules`, got `3`"),
        ("rules: {}\nscale: 1", "expected nothing beside `rules` at `$`, got `scale`; move it below `rules`"),
        ("scal: 1", "expected the name of a rule at `$`, got `scal`; did you mean `scale`?"),
        ("scale_ms: 1", "expected the name of a rule at `$`, got `scale_ms`; did you mean `scale`?"),
        ("rules: {outgrown: {ratio_entr: 2}}", "at `$.rules.outgrown`, got `ratio_entr`; did you mean `ratio_enter`?"),
        ("baseline: {learning: 24h}", "at `$.baseline`, got `learning`; did you mean `learning_hours`?"),
        ("outgrown: 3", "expected a mapping of rules at `$.outgrown`, got `3`"),
        ("outgrown:", "expected a mapping of rules at `$.outgrown`, got nothing"),
        ("outgrown: {for: 60}", "expected a duration with its unit (ms, s, m, h, d, w) at `$.outgrown.for`, got `60`"),
        ("outgrown: {for: 2 hours}", "got `2 hours`; write it like `2h`, or `for_ms` in milliseconds"),
        ("outgrown: {for: -2h}", "got `-2h`"),
        ("outgrown: {for: yes}", "got `true`"),
        (
            "outgrown: {for: 9999d}",
            "expected 0ms to 3650d at `$.outgrown.for`, got `9999d`; choose a value in this range",
        ),
        (
            "outgrown: {for_ms: 2h}",
            "expected a whole number at `$.outgrown.for_ms`, got `2h`; write digits without quotes",
        ),
        ("outgrown: {for_ms: 1.5}", "expected a whole number at `$.outgrown.for_ms`, got `1.5`"),
        ("outgrown: {for_ms: -1}", "expected 0 to 315360000000 at `$.outgrown.for_ms`, got `-1`"),
        (
            "outgrown: {for: 1h, for_ms: 3}",
            "expected `for_ms` once at `$.outgrown`, got it twice, with and without a unit",
        ),
        ("outgrown: {ratio_enter: high}", "expected a number at `$.outgrown.ratio_enter`, got `high`"),
        ("outgrown: {ratio_enter: true}", "expected a number at `$.outgrown.ratio_enter`, got `true`"),
        ("outgrown: {ratio_enter: 1.0e+400}", "expected a number at `$.outgrown.ratio_enter`"),
        ("outgrown: {share_enter: 55}", "expected 0 to 1 at `$.outgrown.share_enter`, got `55`"),
        ("engagement: {post: -1}", "expected 0 to 1000000 at `$.engagement.post`, got `-1`"),
        ("engagement: {actor_cap: 0}", "expected more than 0 at `$.engagement.actor_cap`, got `0`"),
        ("scale: 0", "expected 1e-06 to 1000 at `$.scale`, got `0`"),
        ("tick: 10ms", "expected 1s to 1d at `$.tick`, got `10ms`"),
        ("seeded: {silence: 0}", "expected 1ms to 3650d at `$.seeded.silence`, got `0`"),
        ("reminders: {after: 30m}", "expected a list at `$.reminders.after`, got `30m`; write it in brackets"),
        (
            "reminders: {after: [30m, 2]}",
            "expected a duration with its unit (ms, s, m, h, d, w) at `$.reminders.after[1]`",
        ),
        ("reminders: {after: [2h, 30m]}", "expected durations that grow at `$.reminders.after`, got `[2h, 30m]`"),
        (
            "outgrown: {ratio_exit: 2}",
            "expected less than ratio_enter (2) at `$.outgrown.ratio_exit`, got `2`; lower it",
        ),
        ("outgrown: {share_enter: 0.4}", "expected less than share_enter (0.4) at `$.outgrown.share_exit`, got `0.45`"),
        ("growing: {z_exit: 5}", "expected less than z_enter (3) at `$.growing.z_exit`, got `5`"),
        (
            "baseline: {learning_hours: 200}",
            "expected at least learning_hours (200) at `$.baseline.weekly_after_hours`",
        ),
        ("outgrown: {for: 1:30}", "expected a plain number or a text at `line 1, column 17`, got `1:30`"),
    ],
)
def test_wrong_rules_are_refused_in_one_line_that_says_what_to_do(text: str, message: str) -> None:
    """A threshold that was mistyped must not leave the default in force in silence."""
    with pytest.raises(RulesError) as refused:
        parse_rules(text, where="rules.yaml")

    assert message in str(refused.value)
    assert str(refused.value).startswith("rules.yaml: expected ")
    assert "\n" not in str(refused.value)


def test_a_rules_file_says_its_rules_bare_or_below_their_name() -> None:
    """The rules of a seeds file can be moved to a file of their own as they are."""
    assert parse_rules("scale: 0.5", where="r") == parse_rules("rules: {scale: 0.5}", where="r") == {"scale": 0.5}
    assert parse_rules('{"rules": {"tick": "2m"}}', where="r") == {"tick": "2m"}
    assert parse_rules("rules: {}", where="r") == {}


def test_one_layer_is_checked_without_asking_for_sense() -> None:
    """A brand may raise an exit threshold for topics that raise the enter threshold too."""
    check_overrides({"outgrown": {"ratio_exit": 5}})

    with pytest.raises(RulesError, match=r"at `\$\.brands\[0\]\.rules\.outgrown`, got `x`"):
        check_overrides({"outgrown": {"x": 5}}, place="$.brands[0].rules")


def test_names_that_are_no_texts_are_refused() -> None:
    """Overrides may come from elsewhere than a file."""
    odd: dict[Any, Any] = {3: 1}

    with pytest.raises(RulesError, match="expected the name of a rule at `\\$`, got `3`"):
        build_rules(odd)


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("0s", 0),
        ("250ms", 250),
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("2w", 14 * DAY_MS),
        ("1d1h1m1s1ms", DAY_MS + HOUR_MS + MINUTE_MS + 1_001),
        ("", None),
        ("5", None),
        ("h", None),
        ("1.5h", None),
        ("1h ", None),
        ("1H", None),
        ("٣h", None),
        ("9" * 13 + "d", None),
    ],
)
def test_a_duration_is_whole_numbers_with_units(text: str, duration_ms: int | None) -> None:
    """Anything else is no duration, and is not guessed at."""
    assert parse_duration(text) == duration_ms


@given(st.integers(min_value=0, max_value=10**12))
def test_a_formatted_duration_is_read_back(duration_ms: int) -> None:
    """What a message shows can be put into a file."""
    assert parse_duration(format_duration(duration_ms)) == duration_ms


OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "scale": st.sampled_from([0.5, 1.0, 2.0]),
        "tick": st.sampled_from(["1m", "2m"]),
        "tick_ms": st.sampled_from([60_000, 120_000]),
        "outgrown": st.fixed_dictionaries(
            {}, optional={"for": st.sampled_from(["1h", "2h"]), "ratio_enter": st.integers(2, 4), "keep_ms": st.just(5)}
        ),
        "reminders": st.fixed_dictionaries({}, optional={"after": st.just(["1h"])}),
    },
).filter(lambda overrides: not {"tick", "tick_ms"} <= overrides.keys())


@given(OVERRIDES, OVERRIDES, OVERRIDES)
def test_layers_may_be_merged_in_any_grouping(one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]) -> None:
    """All, brand and topic are three layers, and who merges first two of them must not matter."""
    left = merge_overrides(merge_overrides(one, two), three)

    assert left == merge_overrides(one, merge_overrides(two, three)) == merge_overrides(one, two, three)
    assert merge_overrides(one, one) == one
    assert merge_overrides(one, {}) == merge_overrides({}, one) == one


@given(OVERRIDES, OVERRIDES)
def test_a_later_layer_wins_name_by_name(one: dict[str, Any], two: dict[str, Any]) -> None:
    """A topic that says one rule keeps all others of its brand."""
    rules, first, second = build_rules(merge_overrides(one, two)), build_rules(one), build_rules(two)

    says_ratio = "ratio_enter" in two.get("outgrown", {})
    assert rules.outgrown.ratio_enter == (second if says_ratio else first).outgrown.ratio_enter
    assert rules.tick_ms == (second if {"tick", "tick_ms"} & two.keys() else first).tick_ms


def test_merging_changes_no_layer() -> None:
    """Layers are kept and merged again for the next topic."""
    wide: dict[str, Any] = {"outgrown": {"for": "1h"}, "reminders": {"after": ["1h"]}}
    merged = merge_overrides(wide, {"outgrown": {"for_ms": 3}})
    merged["outgrown"]["keep"] = "1h"
    merged["reminders"]["after"].append("2h")

    assert wide == {"outgrown": {"for": "1h"}, "reminders": {"after": ["1h"]}}


def durations_of(group: msgspec.Struct) -> list[int]:
    """Return every duration of a group and of the groups in it, but for the tick, in the order of the fields."""
    found: list[int] = []
    for field in msgspec.structs.fields(group):
        value = getattr(group, field.name)
        if isinstance(value, msgspec.Struct):
            found += durations_of(value)
        elif field.name.endswith("_ms") and field.name != "tick_ms":
            found += value if isinstance(value, tuple) else [value]
    return found


@given(st.floats(min_value=1e-6, max_value=1e3))
def test_scaling_multiplies_every_duration_and_nothing_else(scale: float) -> None:
    """A fast season must run through the same conditions in a shorter time."""
    rules = msgspec.structs.replace(Rules(outgrown=OutgrownRules(keep_ms=0)), scale=scale)

    fast = scaled(rules)

    assert len(durations_of(rules)) > 8
    for before, after in zip(durations_of(rules), durations_of(fast), strict=True):
        assert after == 0 if before == 0 else after >= 1
        assert after == 1 or abs(after - before * scale) <= 0.5
    assert fast.tick_ms >= 1_000
    assert fast.tick_ms == 1_000 or abs(fast.tick_ms - 60_000 * scale) <= 0.5
    assert fast.scale == scale
    assert (fast.engagement, fast.baseline) == (rules.engagement, rules.baseline)
    assert fast.outgrown.ratio_enter == rules.outgrown.ratio_enter


def test_scale_one_changes_nothing() -> None:
    """The default must be what the defaults say."""
    assert scaled(Rules()) == Rules()


def test_a_hash_names_what_the_rules_mean_and_not_how_they_were_written() -> None:
    """Two spellings of one set of rules raise the same alerts, so these must carry the same hash."""
    one = build_rules({"outgrown": {"for": "2h", "ratio_enter": 3}, "scale": 1})
    other = build_rules({"scale": 1.0, "outgrown": {"ratio_enter": 3.0, "for_ms": 7_200_000}})

    assert rules_hash(one) == rules_hash(other)
    assert len(rules_hash(one)) == 16
    assert int(rules_hash(one), 16) >= 0


def variants() -> Iterator[Rules]:
    """Yield the default rules with each single rule changed."""
    yield Rules(scale=2.0)
    yield Rules(tick_ms=2 * MINUTE_MS)
    for group_field in msgspec.structs.fields(Rules()):
        group = getattr(Rules(), group_field.name)
        if isinstance(group, msgspec.Struct):
            for field in msgspec.structs.fields(group):
                value = getattr(group, field.name)
                changed = (1,) if isinstance(value, tuple) else value + 1
                other = msgspec.structs.replace(group, **{field.name: changed})
                yield msgspec.structs.replace(Rules(), **{group_field.name: other})


def test_every_rule_is_in_the_hash() -> None:
    """An alert names its rules by the hash, so no threshold may change without it."""
    hashes = [rules_hash(rules) for rules in (Rules(), *variants())]

    assert len(hashes) > 30
    assert len(set(hashes)) == len(hashes)
