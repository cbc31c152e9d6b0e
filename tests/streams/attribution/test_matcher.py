"""Tests of `streams.attribution.matcher`."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import HOUR_MS, Rules
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Signal
from streams.attribution.matcher import Registry
from streams.lifecycle.rules import RulesError

AT_MS = 1_341_388_800_000


def signal(**fields: Any) -> Signal:
    """Return a post on twitter at `AT_MS` that touches nothing but what is given."""
    touching_nothing = Signal(id="s", network="twitter", kind="post", at=AT_MS, actor="somebody")
    return msgspec.structs.replace(touching_nothing, **fields)


def record(topic: str, seeds: Seeds | None = None, *, brand: str = "cern", **fields: Any) -> TopicRecord:
    """Return a topic with one version, in force from the beginning."""
    version = msgspec.structs.replace(TopicVersion(effective_from_ms=0, seeds=seeds or Seeds()), **fields)
    return TopicRecord(brand=brand, topic=topic, versions=(version,))


def matched(given: Signal, *records: TopicRecord) -> tuple[str, ...]:
    """Match a signal with a registry of these records at its time."""
    return Registry(records).at(given.at).match(given)


@pytest.mark.parametrize(
    ("seeds", "fields"),
    [
        (Seeds(tags=("#LHC",)), {"tags": ("physics", "lhc")}),
        (Seeds(tags=("lhc",)), {"tags": ("#LHC",)}),
        (Seeds(tags=("#lhc",)), {"tags": ("#lhc",)}),
        (Seeds(tags=("ヒッグス",)), {"tags": ("ﾋｯｸﾞｽ",)}),
        (Seeds(phrases=("Higgs boson",)), {"text": "the higgs  BOSON is found"}),
        (Seeds(links=("home.cern",)), {"links": ("https://example.com", "https://www.home.cern/a")}),
        (Seeds(links=("https://home.cern/news",)), {"links": ("http://home.cern/news/1",)}),
        (Seeds(mentions=("@CERN",)), {"mentions": ("x", "cern")}),
        (Seeds(mentions=("cern",)), {"mentions": ("@Cern",), "network": "bluesky"}),
        (Seeds(posts=("p1",)), {"post": "p1"}),
        (Seeds(posts=("p1",)), {"parent": "p1", "post": "p2"}),
        (Seeds(posts=("p1",)), {"root": "p1", "parent": "p2", "post": "p3"}),
        (Seeds(networks=("twitter",)), {}),
    ],
)
def test_each_kind_of_seed_marks_a_signal(seeds: Seeds, fields: dict[str, Any]) -> None:
    """Whatever way a seed is written, a signal that carries it is on the topic, and one that does not is not."""
    assert matched(signal(**fields), record("higgs", seeds)) == ("cern/higgs",)
    assert matched(signal(network="mastodon"), record("higgs", seeds)) == ()


def test_a_mention_of_a_brand_account_is_a_seed_of_all_its_topics_on_that_network() -> None:
    """The account of the same name on another network is somebody else's."""
    accounts = {"twitter": ("CERN",), "bluesky": ("did:plc:cern",)}
    topics = (record("lhc", accounts=accounts), record("higgs", accounts=accounts), record("x", brand="nasa"))

    assert matched(signal(mentions=("@cern",)), *topics) == ("cern/higgs", "cern/lhc")
    assert matched(signal(mentions=("@cern",), network="bluesky"), *topics) == ()


def test_a_brand_actor_is_known_by_network_and_account() -> None:
    """Lineage begins with what a brand's own account says."""
    accounts = {"twitter": ("88", "@CERN")}
    matcher = Registry(
        [
            record("lhc", accounts=accounts),
            record("higgs", accounts=accounts),
            record("x", brand="fan", accounts=accounts),
        ]
    ).at(AT_MS)

    assert matcher.brand_topics("twitter", "88") == ("cern/higgs", "cern/lhc", "fan/x")
    assert matcher.brand_topics("twitter", "cern") == ("cern/higgs", "cern/lhc", "fan/x")
    assert matcher.brand_topics("twitter", "89") == ()
    assert matcher.brand_topics("bluesky", "88") == ()


def test_an_act_of_a_brand_account_carries_no_seed_by_itself() -> None:
    """Who acts is for the lineage; what is carried is for the matcher."""
    assert matched(signal(actor="88"), record("higgs", accounts={"twitter": ("88",)})) == ()


def test_a_signal_of_several_topics_names_each_once_in_order() -> None:
    """The order must not depend on the order of seeds, tags or records."""
    records = [
        record("b", Seeds(tags=("x", "y"), phrases=("x",))),
        record("a", Seeds(tags=("y",)), brand="z"),
        record("a", Seeds(tags=("x",))),
    ]
    given_signal = signal(tags=("y", "x"), text="x")

    assert matched(given_signal, *records) == ("cern/a", "cern/b", "z/a")
    assert matched(given_signal, *reversed(records)) == ("cern/a", "cern/b", "z/a")


def test_what_can_be_no_seed_matches_nothing() -> None:
    """A record that nobody checked must not put everything on its topic."""
    nothing = Seeds(tags=("", "#", "x" * 200), phrases=(" ",), links=("", "mailto:a@b.c"), mentions=("@",), posts=("",))
    empty = signal(tags=("", "#", "x" * 200), text=" ", links=("", "x"), mentions=("", "@"), post="", parent="")

    assert matched(empty, record("higgs", nothing)) == ()


def test_a_registry_without_topics_matches_nothing() -> None:
    """A worker starts before any seeds are declared."""
    registry = Registry(())

    assert registry.at(AT_MS).match(signal(tags=("a",), text="b", links=("c.de",), mentions=("d",), post="e")) == ()
    assert registry.at(AT_MS).brand_topics("twitter", "88") == ()
    assert registry.version("cern/higgs", AT_MS) is None
    assert registry.rules("cern/higgs", AT_MS) == Rules()


HISTORY = TopicRecord(
    brand="cern",
    topic="higgs",
    versions=(
        TopicVersion(effective_from_ms=100, seeds=Seeds(tags=("lhc",)), rules={"outgrown": {"for": "1h"}}),
        TopicVersion(effective_from_ms=200, seeds=Seeds(tags=("higgs",)), valid_from_ms=250, valid_to_ms=280),
        TopicVersion(effective_from_ms=300, removed=True),
        TopicVersion(effective_from_ms=400, seeds=Seeds(tags=("lhc", "higgs")), valid_to_ms=450),
    ),
)


@pytest.mark.parametrize(
    ("at_ms", "tags"),
    [
        (99, ""),
        (100, "lhc"),
        (199, "lhc"),
        (200, ""),
        (249, ""),
        (250, "higgs"),
        (279, "higgs"),
        (280, ""),
        (300, ""),
        (399, ""),
        (400, "higgs lhc"),
        (449, "higgs lhc"),
        (450, ""),
    ],
)
def test_the_version_in_force_at_the_signals_time_counts(at_ms: int, tags: str) -> None:
    """A replay of last year's log must apply last year's seeds, to the millisecond."""
    registry = Registry([HISTORY])

    carried = [tag for tag in ("higgs", "lhc") if registry.at(at_ms).match(signal(at=at_ms, tags=(tag,)))]

    assert " ".join(carried) == tags
    version = registry.version("cern/higgs", at_ms)
    assert (version is not None) is bool(tags)
    assert version is None or " ".join(sorted(version.seeds.tags)) == tags


def test_instants_between_two_changes_share_one_matcher() -> None:
    """What asks per signal must not pay per signal."""
    registry = Registry([HISTORY])

    assert registry.at(100) is registry.at(199)
    assert registry.at(199) is not registry.at(200)
    assert registry.at(150) is registry.at(100)


def test_more_segments_than_are_kept_do_not_mix() -> None:
    """Matchers are forgotten and made anew; each must still be that of its own segment."""
    versions = tuple(TopicVersion(effective_from_ms=i * 10, seeds=Seeds(tags=(f"t{i}",))) for i in range(300))
    registry = Registry([TopicRecord(brand="cern", topic="higgs", versions=versions)])

    for i in [*range(300), *reversed(range(300))]:
        matcher = registry.at(i * 10 + 5)
        assert (matcher.from_ms, matcher.to_ms) == (i * 10, i * 10 + 10 if i < 299 else 2**63)
        assert matcher.match(signal(tags=(f"t{i}",))) == ("cern/higgs",)
        assert matcher.match(signal(tags=(f"t{i - 1}", f"t{i + 1}"))) == ()


def test_a_record_without_versions_is_never_in_force() -> None:
    """It is what is left when a history was written wrongly."""
    registry = Registry([TopicRecord(brand="cern", topic="higgs", versions=())])

    assert registry.version("cern/higgs", AT_MS) is None
    assert registry.rules("cern/higgs", AT_MS) == Rules()


def test_the_last_record_of_a_topic_counts() -> None:
    """A compacted channel may still hold an earlier one."""
    old, new = record("higgs", Seeds(tags=("old",))), record("higgs", Seeds(tags=("new",)))

    assert len(Registry([old, new])) == 1
    assert matched(signal(tags=("old",)), old, new) == ()
    assert matched(signal(tags=("new",)), old, new) == ("cern/higgs",)


def test_versions_may_come_in_any_order_and_the_later_of_one_instant_counts() -> None:
    """A record written by hand need not be sorted."""
    shuffled = msgspec.structs.replace(
        HISTORY, versions=(HISTORY.versions[1], TopicVersion(effective_from_ms=100), HISTORY.versions[0])
    )
    registry = Registry([shuffled])

    assert registry.at(100).match(signal(tags=("lhc",))) == ("cern/higgs",)
    assert registry.at(260).match(signal(tags=("higgs",))) == ("cern/higgs",)


def test_a_topic_keeps_its_last_rules_when_it_ends() -> None:
    """Its windows still hold signals after it was removed, and these are judged as before."""
    registry = Registry([msgspec.structs.replace(HISTORY, versions=HISTORY.versions[:1] + HISTORY.versions[2:3])])

    assert registry.rules("cern/higgs", 99) == Rules()
    assert registry.rules("cern/higgs", 100).outgrown.for_ms == HOUR_MS
    assert registry.rules("cern/higgs", 300).outgrown.for_ms == HOUR_MS
    assert registry.rules("cern/higgs", 100) is registry.rules("cern/higgs", 300)


def test_overrides_come_over_the_rules_of_every_topic() -> None:
    """Another threshold is tried on the same log without touching the seeds."""
    registry = Registry([HISTORY], overrides={"outgrown": {"for_ms": 5}, "scale": 0.5})

    assert registry.rules("cern/higgs", 100).outgrown.for_ms == 5
    assert registry.rules("cern/higgs", 100).scale == 0.5
    assert registry.rules("unknown/topic", 100).scale == 0.5


def test_rules_that_cannot_be_used_are_refused_when_the_registry_is_made() -> None:
    """Not in the middle of a log, at the first tick that asks for them."""
    with pytest.raises(RulesError, match=r"cern/higgs: \$\.rules\.outgrown.*did you mean `ratio_enter`"):
        Registry([record("higgs", rules={"outgrown": {"ratio_entr": 2}})])


WORD = st.sampled_from(["a", "b", "c"])
WORDS = st.lists(WORD, max_size=2).map(tuple)
INSTANT = st.integers(min_value=0, max_value=12)
SEEDS = st.builds(
    Seeds,
    tags=WORDS,
    phrases=WORDS,
    links=WORDS.map(lambda words: tuple(f"{word}.example/{word}" for word in words)),
    mentions=WORDS,
    posts=WORDS,
    networks=st.sampled_from([(), (), (), ("a",)]),
)
VERSION = st.builds(
    TopicVersion,
    effective_from_ms=INSTANT,
    accounts=st.dictionaries(st.sampled_from(["a", "b"]), WORDS, max_size=1),
    seeds=SEEDS,
    valid_from_ms=st.none() | INSTANT,
    valid_to_ms=st.none() | INSTANT,
    removed=st.booleans(),
)
RECORD = st.builds(
    TopicRecord,
    brand=WORD,
    topic=WORD,
    versions=st.lists(VERSION, max_size=3, unique_by=lambda version: version.effective_from_ms).map(tuple),
)
SIGNAL = st.builds(
    signal,
    network=st.sampled_from(["a", "b", "c"]),
    tags=WORDS,
    text=st.none() | WORDS.map(" ".join),
    links=WORDS.map(lambda words: tuple(f"https://www.{word}.example/{word}/x" for word in words)),
    mentions=WORDS,
    post=st.none() | WORD,
    parent=st.none() | WORD,
    root=st.none() | WORD,
)


def in_force(record: TopicRecord, at_ms: int) -> TopicVersion | None:
    """Say it again in the words of the contract: the last effective version, unless removed or not valid."""
    versions = sorted((v for v in record.versions if v.effective_from_ms <= at_ms), key=lambda v: v.effective_from_ms)
    if not versions or versions[-1].removed:
        return None
    after_from = versions[-1].valid_from_ms is None or versions[-1].valid_from_ms <= at_ms
    before_to = versions[-1].valid_to_ms is None or at_ms < versions[-1].valid_to_ms
    return versions[-1] if after_from and before_to else None


def carries(given: Signal, version: TopicVersion) -> bool:
    """Compare a signal with one version, seed by seed; the words here need no normalising."""
    seeds = version.seeds
    return (
        any(tag in given.tags for tag in seeds.tags)
        or any(phrase in (given.text or "").split() for phrase in seeds.phrases)
        or any(f"https://www.{link}/x" in given.links for link in seeds.links)
        or any(name in given.mentions for name in seeds.mentions)
        or any(name in given.mentions for name in version.accounts.get(given.network, ()))
        or any(post in (given.post, given.parent, given.root) for post in seeds.posts)
        or given.network in seeds.networks
    )


@given(st.lists(RECORD, max_size=6, unique_by=lambda one: (one.brand, one.topic)), st.lists(SIGNAL, max_size=6))
def test_a_registry_answers_what_a_scan_over_all_topics_answers(
    records: list[TopicRecord], signals: list[Signal]
) -> None:
    """Tables, segments and caches are a faster way to compare each signal with each topic, in any order of times."""
    registry = Registry(records)
    by_key = {f"{one.brand}/{one.topic}": one for one in records}

    for at_ms in [0, 12, *range(13), 5, 3]:
        versions = {key: version for key in sorted(by_key) if (version := in_force(by_key[key], at_ms)) is not None}
        matcher = registry.at(at_ms)
        for one in signals:
            assert matcher.match(one) == tuple(key for key, version in versions.items() if carries(one, version))
        assert all(registry.version(key, at_ms) == versions.get(key) for key in by_key)
        for actor in ("a", "b", "c"):
            listing = [key for key, version in versions.items() if actor in version.accounts.get("a", ())]
            assert matcher.brand_topics("a", actor) == tuple(listing)
