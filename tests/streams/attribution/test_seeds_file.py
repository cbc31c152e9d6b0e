"""Tests of `streams.attribution.seeds_file`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.seeds import BrandEntry, Seeds, SeedsFile, TopicEntry, TopicRecord, TopicVersion
from streams.attribution.seeds_file import SeedsError, add_version, check_record, parse_seeds, topic_records

# The example of the wire conventions.
EXAMPLE = """
brands:
  - id: cern
    accounts: {twitter: ["88"], bluesky: ["did:plc:..."]}
    topics:
      - id: higgs
        seeds: {tags: [higgs, LHC], phrases: ["higgs boson"], links: [home.cern], posts: [], networks: []}
        valid: {from: 2012-07-01T00:00:00Z}
        rules: {outgrown: {ratio_enter: 2.0}}
rules: {scale: 1.0}      # optional, for all; scale multiplies every duration
"""


def topic_with(entry: str) -> str:
    """Return a seeds file with one brand and one topic that says this."""
    return f"brands: [{{id: cern, topics: [{{id: higgs, {entry}}}]}}]"


def seeded_with(seeds: str) -> str:
    """Return a seeds file with one brand and one topic that has these seeds."""
    return topic_with(f"seeds: {{{seeds}}}")


def test_the_example_of_the_wire_conventions_is_read_as_it_is_meant() -> None:
    """What the documentation shows must work when it is copied."""
    file = parse_seeds(EXAMPLE, where="seeds.yaml")

    (brand,) = file.brands
    (topic,) = brand.topics
    assert file.rules == {"scale": 1.0}
    assert (brand.id, brand.accounts) == ("cern", {"twitter": ("88",), "bluesky": ("did:plc:...",)})
    assert topic.seeds == Seeds(tags=("higgs", "LHC"), phrases=("higgs boson",), links=("home.cern",))
    assert (topic.id, topic.valid.from_, topic.valid.to) == ("higgs", datetime(2012, 7, 1, tzinfo=UTC), None)
    assert topic.rules == {"outgrown": {"ratio_enter": 2.0}}


def test_the_seeds_of_the_higgs_log_are_read(shared_data: Path) -> None:
    """The real log is replayed with this file."""
    (record,) = topic_records(
        parse_seeds((shared_data / "higgs-seeds.yaml").read_text(), where="higgs-seeds.yaml"), effective_from_ms=0
    )

    assert (record.brand, record.topic) == ("cern", "higgs")
    assert record.versions[0].accounts == {"twitter": ("88", "677", "1988")}
    assert record.versions[0].seeds == Seeds(networks=("twitter",))


def test_json_says_the_same_as_yaml() -> None:
    """Programs write JSON."""
    document = {
        "brands": [
            {"id": "cern", "topics": [{"id": "higgs", "seeds": {"tags": ["😀"]}, "valid": {"to": "2012-07-04"}}]}
        ]
    }

    from_json = parse_seeds(json.dumps(document), where="s.json")

    assert from_json == parse_seeds(topic_with("seeds: {tags: [😀]}, valid: {to: 2012-07-04}"), where="s.yaml")
    assert from_json.brands[0].topics[0].valid.to == datetime(2012, 7, 4, tzinfo=UTC)


def test_account_numbers_need_no_quotes() -> None:
    """Twitter's accounts are numbers, and everybody forgets the quotes once."""
    file = parse_seeds("brands: [{id: cern, accounts: {twitter: [88, '677']}, topics: [{id: higgs}]}]", where="s")

    assert file.brands[0].accounts == {"twitter": ("88", "677")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping at `$`, got nothing"),
        ("brands: []", "expected a list of brands at `$.brands`, got an empty list; begin with `brands:`"),
        ("brand: []", "expected a known name at `$`, got `brand`; did you mean `brands`?"),
        ("brands: [{}]", "expected a text at `$.brands[0].id`, got nothing; write one"),
        ("brands: [{id: CERN}]", "expected an id of a-z, 0-9, `.`, `_` and `-`, at most 64 long at `$.brands[0].id`"),
        ("brands: [{id: a/b}]", "at `$.brands[0].id`, got `a/b`"),
        (f"brands: [{{id: {'x' * 65}}}]", "at `$.brands[0].id`, got `xxxxx"),
        ("brands: [{id: -a}]", "at `$.brands[0].id`, got `-a`"),
        ("brands: [{id: a}]", "expected a list of topics at `$.brands[0].topics`, got nothing"),
        ("brands: [{id: a, topics: [3]}]", "expected a mapping at `$.brands[0].topics[0]`, got `3`"),
        ("brands: [{id: a, accounts: {Twitter: [1]}}]", "name of a network in lower case at `$.brands[0].accounts`"),
        ("brands: [{id: a, accounts: {twitter: 88}}]", "expected a list at `$.brands[0].accounts.twitter`, got `88`"),
        ("brands: [{id: a, accounts: {twitter: [on]}}]", "expected a text at `$.brands[0].accounts.twitter[0]`"),
        (
            "brands: [{id: a, accounts: {twitter: ['@']}}]",
            "the name of an account at `$.brands[0].accounts.twitter[0]`",
        ),
        (topic_with("seeds: {}"), "expected at least one seed at `$.brands[0].topics[0].seeds`, got none; write tags"),
        (seeded_with("tags: [], links: []"), "expected at least one seed at `$.brands[0].topics[0].seeds`, got none"),
        (seeded_with("tgas: [x]"), "at `$.brands[0].topics[0].seeds`, got `tgas`; did you mean `tags`?"),
        (seeded_with("tags: higgs"), "expected a list at `$.brands[0].topics[0].seeds.tags`, got `higgs`; write it in"),
        (
            seeded_with("tags: [a, 2012]"),
            "expected a text at `$.brands[0].topics[0].seeds.tags[1]`, got `2012`; put it",
        ),
        (seeded_with("tags: ['#']"), "expected a tag of 1 to 100 characters at `$.brands[0].topics[0].seeds.tags[0]`"),
        (seeded_with(f"tags: [{'x' * 101}]"), "expected a tag of 1 to 100 characters"),
        (seeded_with("phrases: [' ']"), "expected a phrase at `$.brands[0].topics[0].seeds.phrases[0]`, got ` `"),
        (seeded_with("links: ['higgs boson']"), "expected a domain or a prefix of a URL at"),
        (seeded_with("links: ['*.home.cern']"), "got `*.home.cern`; write it like `home.cern`"),
        (seeded_with("links: ['youtube.com/watch?v=1']"), "expected a domain or a prefix without `?` and `#`"),
        (seeded_with("mentions: ['@']"), "expected the name of an account at"),
        (seeded_with("posts: ['']"), "expected the id of a post at"),
        (seeded_with("networks: [Twitter]"), "expected the name of a network in lower case at"),
        (
            "brands: [{id: a, topics: [{id: t, seeds: {tags: [x]}}, {id: t, seeds: {tags: [y]}}]}]",
            "expected each id once at `$.brands[0].topics[1].id`, got `t` again; merge it with $.brands[0].topics[0]",
        ),
        (
            "brands: [{id: a, topics: [{id: t, seeds: {tags: [x]}}]}, {id: a, topics: [{id: u, seeds: {tags: [x]}}]}]",
            "expected each id once at `$.brands[1].id`, got `a` again; merge it with $.brands[0]",
        ),
        (topic_with("seeds: {tags: [x]}, valid: {fro: 2012-07-01}"), "got `fro`; did you mean `from`?"),
        (
            topic_with("seeds: {tags: [x]}, valid: {from: soon}"),
            "expected an instant at `$.brands[0].topics[0].valid.from`",
        ),
        (topic_with("seeds: {tags: [x]}, valid: {from: 2012-07-01T00:00:00}"), "expected an instant with its zone"),
        (topic_with("seeds: {tags: [x]}, valid: {from: 2012-07-01T00}"), "expected an instant with its zone"),
        (topic_with("seeds: {tags: [x]}, valid: {from: 0001-01-01T00:00:00+10:00}"), "between the years 1 and 9999"),
        (
            topic_with("seeds: {tags: [x]}, valid: {from: 2012-07-02, to: 2012-07-01}"),
            "expected an instant after `from`",
        ),
        (topic_with("seeds: {tags: [x]}, rules: 3"), "expected a mapping of rules at `$.brands[0].topics[0].rules`"),
        (topic_with("seeds: {tags: [x]}, rules: {outgrwn: {}}"), "got `outgrwn`; did you mean `outgrown`?"),
        (
            topic_with("seeds: {tags: [x]}, rules: {outgrown: {ratio_enter: 1}}"),
            "expected less than ratio_enter (1) at `$.brands[0].topics[0].rules.outgrown.ratio_exit`, got `1.3`",
        ),
        ("brands: [", "expected YAML or JSON at `line 2, column 1`"),
        (json.dumps({"brands": [{"id": "\ud800"}]}), "got `\\ud800`; leave out the half of a surrogate pair"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_says_what_to_do(text: str, message: str) -> None:
    """Who wrote the file must be able to correct it from the message alone."""
    with pytest.raises(SeedsError) as refused:
        parse_seeds(text, where="seeds.yaml")

    assert message in str(refused.value)
    assert str(refused.value).startswith("seeds.yaml: expected ")
    assert "\n" not in str(refused.value)


def test_a_topic_without_seeds_is_fine_where_the_brand_has_accounts() -> None:
    """A mention of the brand, and what it says itself, is enough to follow."""
    assert (
        parse_seeds("brands: [{id: a, accounts: {x: [b]}, topics: [{id: t}]}]", where="s").brands[0].topics[0].id == "t"
    )


def test_rules_need_to_make_sense_only_once_they_are_merged() -> None:
    """A brand may lower an enter threshold for topics that each lower the exit threshold too."""
    text = """
rules: {scale: 0.5, outgrown: {for: 1h, ratio_enter: 3}}
brands:
  - id: a
    rules: {outgrown: {for_ms: 5, ratio_enter: 1}}
    topics: [{id: t, seeds: {tags: [x]}, rules: {outgrown: {ratio_exit: 0.5}}}]
"""

    (record,) = topic_records(parse_seeds(text, where="s"), effective_from_ms=7)

    assert record.versions[0].rules == {"scale": 0.5, "outgrown": {"for_ms": 5, "ratio_enter": 1, "ratio_exit": 0.5}}


def test_records_carry_everything_that_the_file_says_of_a_topic() -> None:
    """The channel knows topics only, so each record repeats what is its brand's."""
    text = """
brands:
  - id: b
    accounts: {x: [one]}
    topics:
      - {id: u, seeds: {tags: [LHC]}, valid: {from: 1970-01-01, to: "1970-01-01T01:00:00.250+01:00"}}
      - {id: t}
  - {id: a, topics: [{id: t, seeds: {posts: [p]}}]}
"""

    records = topic_records(parse_seeds(text, where="s"), effective_from_ms=7)

    accounts: dict[str, tuple[str, ...]] = {"x": ("one",)}
    of_lhc = TopicVersion(7, accounts, Seeds(tags=("LHC",)), valid_from_ms=0, valid_to_ms=250)
    assert records == (
        TopicRecord("b", "u", (of_lhc,)),
        TopicRecord("b", "t", (TopicVersion(7, accounts),)),
        TopicRecord("a", "t", (TopicVersion(7, {}, Seeds(posts=("p",))),)),
    )


VERSION = st.builds(
    TopicVersion,
    effective_from_ms=st.integers(min_value=0, max_value=9),
    seeds=st.builds(Seeds, tags=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple)),
    removed=st.booleans(),
)
VERSIONS = st.lists(VERSION, max_size=5, unique_by=lambda version: version.effective_from_ms)
RECORD = VERSIONS.map(
    lambda versions: TopicRecord("cern", "higgs", tuple(sorted(versions, key=lambda one: one.effective_from_ms)))
)


@given(RECORD, RECORD)
def test_adding_versions_keeps_history_and_adding_them_again_changes_nothing(
    one: TopicRecord, new: TopicRecord
) -> None:
    """`seeds apply` may be repeated after a crash, and must not rewrite what was in force."""
    merged = add_version(one, new)

    expected = {version.effective_from_ms: version for version in one.versions}
    expected |= {version.effective_from_ms: version for version in new.versions}
    assert merged.versions == tuple(expected[at_ms] for at_ms in sorted(expected))
    assert add_version(merged, new) == merged
    assert add_version(None, one) == one


@given(RECORD, RECORD, RECORD)
def test_versions_may_be_added_in_any_grouping(one: TopicRecord, two: TopicRecord, three: TopicRecord) -> None:
    """Which changes were written together makes no difference to the history."""
    assert add_version(add_version(one, two), three) == add_version(one, add_version(two, three))


def test_versions_of_another_topic_are_not_added() -> None:
    """To mix two histories is a mistake of the caller."""
    with pytest.raises(ValueError, match="expected versions of cern/higgs, got those of cern/lhc; look up"):
        add_version(TopicRecord("cern", "higgs", ()), TopicRecord("cern", "lhc", ()))


def test_a_record_from_elsewhere_is_held_to_what_a_file_may_say() -> None:
    """Anybody may produce to the channel, so a reader can check what it got."""
    (good,) = topic_records(parse_seeds(EXAMPLE, where="s"), effective_from_ms=0)
    removed = TopicVersion(effective_from_ms=1, removed=True)
    check_record(msgspec.structs.replace(good, versions=(*good.versions, removed)))

    with pytest.raises(SeedsError, match=r"^topic cern/Higgs: expected an id .* at `\$\.topic`, got `Higgs`"):
        check_record(msgspec.structs.replace(good, topic="Higgs"))
    with pytest.raises(SeedsError, match=r"expected at least one seed at `\$\.versions\[0\]\.seeds`"):
        check_record(TopicRecord("a", "t", (TopicVersion(effective_from_ms=0),)))
    with pytest.raises(SeedsError, match=r"at `\$\.versions\[0\]\.rules`, got `scal`; did you mean `scale`\?"):
        check_record(TopicRecord("a", "t", (TopicVersion(0, seeds=Seeds(tags=("x",)), rules={"scal": 1}),)))


NAME = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True)
TOPIC = st.builds(
    TopicEntry,
    id=NAME,
    seeds=st.builds(
        Seeds,
        tags=st.lists(st.sampled_from(["LHC", "ヒッグス", "#x", "2012", "on"]), min_size=1, max_size=3).map(tuple),
        phrases=st.lists(st.sampled_from(["higgs boson", "a: b", "'"]), max_size=3).map(tuple),
        links=st.lists(st.sampled_from(["home.cern", "https://home.cern/a"]), max_size=2).map(tuple),
    ),
)
BRAND = st.builds(
    BrandEntry,
    id=NAME,
    accounts=st.dictionaries(NAME, st.just(("88",)), max_size=2),
    topics=st.lists(TOPIC, min_size=1, max_size=3, unique_by=lambda topic: topic.id).map(tuple),
    rules=st.sampled_from([{}, {"tick": "2m"}]),
)


@given(st.lists(BRAND, min_size=1, max_size=3, unique_by=lambda brand: brand.id))
def test_a_file_comes_back_as_it_was_written(brands: list[BrandEntry]) -> None:
    """A seeds file may be written by a program from the same shapes."""
    file = SeedsFile(brands=tuple(brands))

    assert parse_seeds(msgspec.json.encode(file).decode(), where="s.json") == file
