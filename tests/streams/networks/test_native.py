"""The native format: signals and heartbeats come in, everything else is refused with its reason."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejection import Reason
from schemas.signal import AT_MS_MAX, AT_MS_MIN, KINDS, Heartbeat, Signal
from streams.networks.native import normalize
from streams.networks.payload import DEPTH_MAX, ID_BYTES_MAX, TAGS_MAX
from streams.networks.refusal import SIZE_BYTES_MAX, Refusal

REQUIRED: dict[str, Any] = {"id": "t:1", "network": "t", "kind": "post", "at": 1781179212345, "actor": "a"}


def payload_with(**fields: Any) -> bytes:
    """Return a good payload with these fields set or added."""
    return json.dumps(REQUIRED | fields).encode()


def accepted(payload: bytes) -> Signal:
    """Return the signal that a payload must be."""
    outcome = normalize(payload)
    assert isinstance(outcome, Signal), outcome
    return outcome


def refused(payload: bytes | None) -> Refusal:
    """Return the refusal that a payload must meet."""
    outcome = normalize(payload)
    assert isinstance(outcome, Refusal), outcome
    return outcome


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
texts = st.none() | ids
signals = st.builds(
    Signal,
    id=ids,
    network=ids,
    kind=st.sampled_from(KINDS),
    at=st.integers(AT_MS_MIN, AT_MS_MAX),
    actor=ids,
    op=st.sampled_from(["create", "update", "delete", "undo"]),
    source=ids,
    followers=st.none() | st.integers(0, 2**63 - 1),
    post=texts,
    parent=texts,
    root=texts,
    parent_actor=texts,
    root_actor=texts,
    tags=st.lists(ids, max_size=4).map(tuple),
    mentions=st.lists(ids, max_size=4).map(tuple),
    links=st.lists(ids, max_size=4).map(tuple),
    text=texts,
    lang=texts,
    edge=texts,
    flags=st.lists(ids, max_size=2).map(tuple),
)


@given(signal=signals)
def test_every_signal_that_is_written_is_read_as_itself(signal: Signal) -> None:
    """Writing and reading are inverse, for both JSON writers and whatever text is in the strings."""
    assert normalize(msgspec.json.encode(signal)) == signal
    assert normalize(json.dumps(msgspec.to_builtins(signal)).encode()) == signal


@given(source=ids, at=st.integers(AT_MS_MIN, AT_MS_MAX), end=st.booleans())
def test_every_heartbeat_that_is_written_is_read_as_itself(source: str, at: int, end: bool) -> None:
    """A connector's progress arrives as it was sent."""
    assert normalize(json.dumps({"heartbeat": source, "at": at, "end": end}).encode()) == Heartbeat(source, at, end)


def test_a_signal_that_speaks_of_a_heartbeat_is_a_signal() -> None:
    """Only a payload that is no signal can be a heartbeat, so no text and no unknown field turns one into the other."""
    assert accepted(payload_with(text='a "heartbeat" away')).text == 'a "heartbeat" away'
    assert accepted(payload_with(more={"heartbeat": "x"})).id == "t:1"
    assert accepted(payload_with(heartbeat="x")).id == "t:1"


def test_a_heartbeat_is_known_by_its_key_however_it_is_written() -> None:
    """JSON allows escapes in keys too."""
    assert normalize(b'{"at":1781179212345,"heart\\u0062eat":"t"}') == Heartbeat("t", 1781179212345)


def test_a_heartbeat_of_a_signal_without_source_is_possible() -> None:
    """A producer that names no source must still be able to say that it has ended."""
    assert normalize(b'{"heartbeat":"","at":1781179212345,"end":true}') == Heartbeat("", 1781179212345, end=True)


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"", "empty", "native payload: expected a signal, got nothing"),
        (None, "empty", "native payload: expected a signal, got nothing"),
        (b" \r\n", "empty", "native payload: expected a signal, got nothing"),
        (b"null", "malformed", "native payload: Expected `object`, got `null`"),
        (b"[]", "malformed", "native payload: Expected `object`, got `array`"),
        (b"{}", "malformed", "native payload: Object missing required field `id`"),
        (b"{", "not_json", "native payload: expected one JSON object, Input data was truncated"),
        (b'{"id":5,oops', "not_json", "JSON is malformed"),
        (payload_with() + b"x", "not_json", "trailing characters"),
        (payload_with().replace(b'"a"', b"NaN"), "not_json", "JSON is malformed"),
        (payload_with(text="X").replace(b'"X"', b'"\\ud800"'), "not_json", "truncated"),
        (payload_with(id=None), "malformed", "Expected `str`, got `null` - at `$.id`"),
        (payload_with(id=5), "malformed", "Expected `str`, got `int` - at `$.id`"),
        (payload_with(id=""), "malformed", "Expected a non-empty `str`, got an empty one - at `$.id`"),
        (payload_with(network=""), "malformed", "got an empty one - at `$.network`"),
        (payload_with(actor="\0"), "malformed", "got an empty one - at `$.actor`"),
        (payload_with(at="2026"), "malformed", "Expected `int`, got `str` - at `$.at`"),
        (payload_with(at=1.5), "malformed", "Expected `int`, got `float` - at `$.at`"),
        (payload_with(tags="a"), "malformed", "Expected `array`, got `str` - at `$.tags`"),
        (payload_with(tags=["a", 1]), "malformed", "Expected `str`, got `int` - at `$.tags[1]`"),
        (payload_with(kind="zap"), "malformed", "Invalid enum value 'zap' - at `$.kind`, expected one of post, reply,"),
        (payload_with(op="zap"), "malformed", "Invalid enum value 'zap' - at `$.op`, expected one of create, update,"),
        (payload_with(followers=-1), "malformed", "got -1 - at `$.followers`"),
        (payload_with(followers=2**63), "malformed", "got 9223372036854775808 - at `$.followers`"),
        (b'{"heartbeat":"t"}', "malformed", "native heartbeat: Object missing required field `at`"),
        (b'{"heartbeat":null,"at":1781179212345}', "malformed", "native heartbeat: Expected `str`, got `null`"),
        (b'{"heartbeat":"t","at":5}', "at_out_of_range", "got 5"),
        (payload_with(text="X").replace(b"X", b"\xff"), "not_utf8", "got byte 0xff at byte"),
        (payload_with(unknown="X").replace(b"X", b"\xff"), "not_utf8", "got byte 0xff at byte"),
    ],
)
def test_bad_input_is_refused_with_its_reason(payload: bytes | None, reason: Reason, detail: str) -> None:
    """Each kind of bad input has a reason of its own, and the detail says what came and where."""
    refusal = refused(payload)

    assert refusal.reason == reason
    assert detail in refusal.detail


@pytest.mark.parametrize("at_ms", [AT_MS_MIN, AT_MS_MAX])
def test_the_first_and_last_instants_are_accepted(at_ms: int) -> None:
    """The range includes its ends."""
    assert accepted(payload_with(at=at_ms)).at == at_ms


@pytest.mark.parametrize(
    ("at", "hint"),
    [
        (AT_MS_MIN - 1, ""),
        (AT_MS_MAX + 1, ""),
        (0, ""),
        (-5, ""),
        (10**30, ""),
        (1781179212, ", which looks like seconds: multiply by 1000"),
        (1781179212345678, ", which looks like microseconds: divide by 1000"),
    ],
)
def test_an_instant_out_of_range_is_refused_with_a_guess_at_its_unit(at: int, hint: str) -> None:
    """Seconds and microseconds are the usual mistakes, and the text says how to mend them."""
    refusal = refused(payload_with(at=at))

    assert refusal.reason == "at_out_of_range"
    assert refusal.detail == (
        f"native payload: expected epoch milliseconds from 946684800000 (2000) to 253402300799999 (9999) at `$.at`, "
        f"got {at}{hint}"
    )


def test_the_size_limit_is_that_of_the_payload() -> None:
    """64 KiB are read, one byte more is not."""
    padding = SIZE_BYTES_MAX - len(payload_with(text=""))

    assert accepted(payload_with(text="x" * padding)).text == "x" * padding
    assert refused(payload_with(text="x" * (padding + 1))).reason == "oversize"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_allowed_up_to_its_limit(opening: str, closing: str) -> None:
    """The object itself is the first level; what lies deeper than the limit is refused unread."""
    for levels, fits in ((DEPTH_MAX - 1, True), (DEPTH_MAX, False), (10_000, False)):
        unknown = opening * levels + ("1" if closing == "}" else "") + closing * levels
        payload = payload_with(unknown="X").replace(b'"X"', unknown.encode())
        if fits:
            assert accepted(payload).id == "t:1"
        else:
            assert refused(payload).reason == "too_deep"


def test_brackets_in_texts_and_in_a_row_are_no_nesting() -> None:
    """A text may hold any number of brackets, escaped quotes among them, and a list any number of short lists."""
    text = '{[\\"' * 200

    assert accepted(payload_with(text=text)).text == text
    assert accepted(payload_with(unknown=[[]] * 500)).id == "t:1"


@pytest.mark.parametrize("name", ["id", "network", "actor", "source", "post", "parent", "root", "parent_actor"])
@pytest.mark.parametrize("letter", ["x", "ä", "🌿"])
def test_ids_are_limited_in_bytes(name: str, letter: str) -> None:
    """An id becomes a key of a state row, whose size is counted in bytes."""
    longest = letter * (ID_BYTES_MAX // len(letter.encode()))
    refusal = refused(payload_with(**{name: longest + letter}))

    assert getattr(accepted(payload_with(**{name: longest, "text": "y" * 700})), name) == longest
    assert refusal.reason == "malformed"
    assert refusal.detail.endswith(f"- at `$.{name}`")


def test_of_too_many_tags_the_first_are_kept_and_the_signal_is_flagged() -> None:
    """Tag spam must not fill tables, and the cut must be visible."""
    tags = [f"tag{number}" for number in range(TAGS_MAX + 1)]
    whole, cut = accepted(payload_with(tags=tags[:-1])), accepted(payload_with(tags=tags, flags=["future"]))

    assert whole.tags == tuple(tags[:-1])
    assert whole.flags == ()
    assert cut.tags == tuple(tags[:-1])
    assert cut.flags == ("future", "tags_truncated")


def test_nul_is_taken_out_of_every_string() -> None:
    """Databases and C programs downstream end a string there."""
    signal = accepted(payload_with(id="t\0:1", text="a\0b", tags=["x\0", "y"]))

    assert (signal.id, signal.text, signal.tags) == ("t:1", "ab", ("x", "y"))
    assert normalize(b'{"heartbeat":"a\\u0000b","at":1781179212345}') == Heartbeat("ab", 1781179212345)


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    """Six characters that only look like an escape stay."""
    assert accepted(payload_with(text="\\u0000")).text == "\\u0000"


def test_of_a_key_that_comes_twice_the_last_value_holds() -> None:
    """The same as every other JSON reader does."""
    assert accepted(payload_with()[:-1] + b', "id": "t:2"}').id == "t:2"


def test_unknown_fields_are_ignored_whatever_they_hold() -> None:
    """A producer may say more than we read, numbers beyond every type of ours included."""
    payload = payload_with(more="X").replace(b'"X"', b"[1e999, 123456789012345678901234567890, {}]")

    assert accepted(payload) == accepted(payload_with())


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (b'{"erase":"ana","at":1781179212345}', "Object missing required field `network`"),
        (b'{"erase":"","network":"t","at":1781179212345}', "got an empty one - at `$.erase`"),
        (b'{"erase":"ana","network":"\\u0000","at":1781179212345}', "got an empty one - at `$.network`"),
        (b'{"erase":"ana","network":"t","at":1781179212}', "expected epoch milliseconds"),
    ],
)
def test_an_erasure_that_does_not_say_whom_where_or_when_is_refused(payload: bytes, detail: str) -> None:
    """Whom to forget must not be guessed."""
    refusal = normalize(payload)

    assert isinstance(refusal, Refusal)
    assert detail in refusal.detail
