"""Claims about pseudonyms: nobody is in what comes out, matching stays as it was, and the hash is the published one."""

import hashlib
import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejection import Place
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import ACTOR_UNKNOWN, AT_MS_MIN, Erasure, Signal, conversation_of
from streams.attribution.matcher import Registry
from streams.networks.refusal import refuse, rejection
from streams.pseudonyms import PseudonymKeyError, Pseudonyms, without_words

SECRET = b"a secret of more than sixteen bytes"
PSEUDONYMS = Pseudonyms({1: SECRET})
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
post_ids = st.one_of(names, st.integers(0).map(str), st.integers(0).map(lambda number: f"t:{number}"))
signals = st.builds(
    Signal,
    id=post_ids,
    network=st.sampled_from(["t", "fedi"]),
    kind=st.sampled_from(["post", "reply", "share"]),
    at=st.just(AT_MS_MIN),
    actor=names,
    post=st.none() | post_ids,
    parent=st.none() | post_ids,
    root=st.none() | post_ids,
    parent_actor=st.none() | names,
    root_actor=st.none() | names,
    mentions=st.lists(names, max_size=3).map(tuple),
    text=st.none() | names,
    links=st.lists(st.sampled_from(["https://a.example/x", "https://b.example/@ada/1"]), max_size=2).map(tuple),
)


def test_a_pseudonym_is_the_first_half_of_an_hmac() -> None:
    """As `hmac` over network, NUL and folded name makes it: 128 bits behind the version of the key."""
    expected = hmac.new(SECRET, b"fedi\0ada", hashlib.sha256).digest()[:16]
    version, _, digits = PSEUDONYMS.actor("fedi", "@Ada").partition(".")

    assert version == "p1"
    assert bytes.fromhex(digits) == expected


def test_names_that_are_compared_as_one_have_one_pseudonym_and_others_have_others() -> None:
    """Of another network, another name, another key, and of the same letters cut elsewhere."""
    ada = PSEUDONYMS.actor("fedi", "ada")
    assert PSEUDONYMS.actor("fedi", " @ADA ") == ada
    others = {
        PSEUDONYMS.actor("t", "ada"),
        PSEUDONYMS.actor("fedi", "adb"),
        PSEUDONYMS.actor("fed", "iada"),
        Pseudonyms({1: SECRET + b"!"}).actor("fedi", "ada"),
    }
    assert len(others | {ada}) == 5


def test_nobody_stays_nobody() -> None:
    """Of a change that does not tell who made it, nobody is asked to have been its author."""
    assert PSEUDONYMS.actor("fedi", ACTOR_UNKNOWN) == ACTOR_UNKNOWN


@given(signals)
def test_twice_is_once(signal: Signal) -> None:
    """A worker that reads what another has made finds nothing left to do."""
    once = PSEUDONYMS.signal(signal)
    assert PSEUDONYMS.signal(once) == once


@given(signals)
def test_the_signal_itself_stays_as_it_is(signal: Signal) -> None:
    """Who else holds it is not surprised."""
    before = msgspec.json.encode(signal)
    PSEUDONYMS.signal(signal)
    assert msgspec.json.encode(signal) == before


@given(signals, signals)
def test_what_was_equal_is_equal_and_what_was_not_is_not(one: Signal, other: Signal) -> None:
    """Trees, conversations and duplicates are found by equal ids, whoever names them."""
    hidden = PSEUDONYMS.signal(one), PSEUDONYMS.signal(other)
    for field in ("id", "post", "parent", "root"):
        for other_field in ("id", "post", "parent", "root"):
            before = getattr(one, field) == getattr(other, other_field)
            assert (getattr(hidden[0], field) == getattr(hidden[1], other_field)) == before
    assert (conversation_of(hidden[0]) == conversation_of(hidden[1])) == (
        conversation_of(one) == conversation_of(other)
    )


CANARY = "canary.person"
DID = "did:plc:canaryperson"


@pytest.mark.parametrize(
    "signal",
    [
        Signal(f"t:{CANARY}", "t", "post", AT_MS_MIN, CANARY, post=f"at://{DID}/app.bsky.feed.post/3k"),
        Signal("t:1", "t", "reply", AT_MS_MIN, "a", parent=f"https://x.example/users/{CANARY}/statuses/1"),
        Signal("t:1", "t", "reply", AT_MS_MIN, "a", root=f"@{CANARY}", root_actor=CANARY, parent_actor=DID),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", mentions=(CANARY, DID)),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", text=f"so says @{CANARY}: (＠{CANARY}) {DID}!"),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", text=f"hello @{CANARY}@social.example."),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", links=(f"https://bsky.app/profile/{CANARY}/post/3k",)),
        Signal(
            "t:1", "t", "post", AT_MS_MIN, "a", links=(f"https://x.example/@{CANARY}", f"https://twitter.com/{CANARY}")
        ),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", links=(f"https://x.example/users/{CANARY}?a", f"at://{DID}/x/1")),
    ],
)
def test_nobody_is_in_what_comes_out(signal: Signal) -> None:
    """Names hide in ids, texts and links as well."""
    assert b"canary" in msgspec.json.encode(signal)
    assert b"canary" not in msgspec.json.encode(PSEUDONYMS.signal(signal))


def test_numbers_stay_readable() -> None:
    """Ids that networks count tell nobody, and lead an analyst to the post."""
    hidden = PSEUDONYMS.signal(
        Signal("twitter:123", "twitter", "reply", AT_MS_MIN, "9", post="123", parent="7", root="7")
    )
    assert (hidden.id, hidden.post, hidden.parent, hidden.root) == ("twitter:123", "123", "7", "7")


MATCHED = TopicRecord(
    "cern",
    "higgs",
    (
        TopicVersion(
            0,
            accounts={"t": ("@CERN", "atlas")},
            seeds=Seeds(
                tags=("higgs",),
                mentions=("@Peter",),
                posts=("at://did:plc:peter/post/1", "42"),
                links=("https://x.example/@cern/1", "cern.ch"),
                phrases=("god particle",),
            ),
        ),
    ),
)


@pytest.mark.parametrize(
    "signal",
    [
        Signal("t:1", "t", "post", AT_MS_MIN, "a", mentions=("cern",)),
        Signal("t:1", "fedi", "post", AT_MS_MIN, "a", mentions=("cern",)),
        Signal("t:1", "fedi", "post", AT_MS_MIN, "a", mentions=("PETER",)),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", mentions=("peter", "b")),
        Signal("t:1", "t", "reply", AT_MS_MIN, "a", parent="at://did:plc:peter/post/1"),
        Signal("t:1", "t", "reply", AT_MS_MIN, "a", root="42"),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", links=("https://x.example/@cern/1",)),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", links=("https://cern.ch/@somebody",)),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", text="the God particle, says @peter"),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", tags=("higgs",)),
        Signal("t:1", "t", "post", AT_MS_MIN, "a", tags=("boson",), mentions=("b",), text="nothing"),
    ],
)
@pytest.mark.parametrize("actor", ["a", "Cern", "@atlas", "peter"])
def test_matching_stays_as_it_was(signal: Signal, actor: str) -> None:
    """Topics of a signal and whose account it is, with names on both sides or with pseudonyms on both."""
    signal = msgspec.structs.replace(signal, actor=actor)
    plain, hidden = Registry([MATCHED]), Registry(PSEUDONYMS.topics([MATCHED]))
    made = PSEUDONYMS.signal(signal)
    before, after = plain.at(signal.at), hidden.at(signal.at)

    assert after.match(made) == before.match(signal)
    assert after.brand_topics(made.network, made.actor) == before.brand_topics(signal.network, signal.actor)


def test_brands_are_known_under_former_keys_too() -> None:
    """While the key changes, what was written under the old one is still in the channels."""
    both = Pseudonyms({2: b"another secret of some length", 1: SECRET})
    matcher = Registry(both.topics([MATCHED])).at(AT_MS_MIN)

    assert both.actor("t", "cern").startswith("p2.")
    assert matcher.brand_topics("t", both.actor("t", "cern")) == ("cern/higgs",)
    assert matcher.brand_topics("t", PSEUDONYMS.actor("t", "cern")) == ("cern/higgs",)


@pytest.mark.parametrize("keys", [{}, {1: b"short"}, {1000: SECRET}, {-1: SECRET}])
def test_weak_keys_are_refused_and_not_told(keys: dict[int, bytes]) -> None:
    """A short key can be guessed."""
    with pytest.raises(PseudonymKeyError) as caught:
        Pseudonyms(keys)
    assert "short" not in str(caught.value)


def test_rejections_quote_nothing() -> None:
    """What was refused may be a name where none was expected."""
    made = rejection(refuse("malformed", f"got {CANARY}"), CANARY.encode(), Place("social.raw.native", 1, 2))
    told = without_words(made)

    assert "canary" not in msgspec.json.encode(told).decode()
    assert (told.reason, told.place, told.size, told.sha256) == (made.reason, made.place, made.size, made.sha256)


def test_who_is_erased_is_so_under_every_key_and_a_pseudonym_stays_what_it_is() -> None:
    """What was counted under a former key is known by the pseudonym of that time; signals of now by the one of now."""
    made = Pseudonyms({2: b"another sixteen bytes", 1: b"sixteen bytes or so"})
    former = Pseudonyms({1: b"sixteen bytes or so"})
    erasure = Erasure("@Ana", "n", 1_000)

    told = made.erasures(erasure)

    assert [one.erase for one in told] == [made.actor("n", "ana"), former.actor("n", "ana")]
    assert [(one.network, one.at) for one in told] == [("n", 1_000)] * 2
    assert made.erasures(told[1]) == [told[1]]
