"""Damage bytes in the ways in which payloads are damaged, and in ways in which nobody but an attacker would."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import orjson

Mutation = Callable[[bytes, Random], bytes]

PAYLOAD_BYTES_MAX = 80_000
"""Above the limit of 64 KiB, so that oversize payloads come too."""

WORDS = (
    *(b"null", b"true", b"false", b"0", b"-0", b"-1", b"1e999", b"-1e-999", b"NaN", b"Infinity", b"01", b"1.", b".5"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"9" * 400),
    *(b"1781179212345", b"1781179212.345", b'"1781179212345"', b"253402300799999", b"253402300800000"),
    *(b'""', b"[]", b"{}", b"[[]]", b'{"":{}}', b'"\\u0000"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\x"', b'"\\'),
    *(b"\xef\xbb\xbf", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\x00", b"\x7f"),
    *(b'"heartbeat":"x",', b'"kind":"post",', b'"at":1,', b'"id":null,', b"/**/", b",", b":", b"\n", b"\t"),
    *(b"\x90", b"\xc0", b"\xc1", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xcf"),
)


def flip(payload: bytes, random: Random) -> bytes:
    """Flip one bit."""
    if not payload:
        return b"\x01"
    at = random.randrange(len(payload))
    return payload[:at] + bytes((payload[at] ^ 1 << random.randrange(8),)) + payload[at + 1 :]


def replace(payload: bytes, random: Random) -> bytes:
    """Put another byte in the place of one."""
    at = random.randrange(len(payload) + 1)
    return payload[:at] + bytes((random.randrange(256),)) + payload[at + 1 :]


def insert(payload: bytes, random: Random) -> bytes:
    """Put a word in that means something to a decoder."""
    at = random.randrange(len(payload) + 1)
    return payload[:at] + random.choice(WORDS) + payload[at:]


def cut(payload: bytes, random: Random) -> bytes:
    """Leave the end off."""
    return payload[: random.randrange(len(payload) + 1)]


def remove(payload: bytes, random: Random) -> bytes:
    """Leave a piece out."""
    start = random.randrange(len(payload) + 1)
    return payload[:start] + payload[start + random.randrange(1, 20) :]


def repeat(payload: bytes, random: Random) -> bytes:
    """Say a piece twice, or often."""
    start = random.randrange(len(payload) + 1)
    piece = payload[start : start + random.randrange(1, 40)]
    times = random.choice((1, 1, 2, 50, 2_000))
    return payload[:start] + piece * times + payload[start:]


def nest(payload: bytes, random: Random) -> bytes:
    """Lay it, or a value in it, into many lists or objects."""
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"[", b""), (b"\x91", b""), (b"\x81\xa1a", b"")))
    depth = random.choice((1, 20, 31, 33, 5_000))
    start = random.choice((0, payload.find(b":") + 1))
    return payload[:start] + opening * depth + payload[start:] + closing * depth


def swap_value(payload: bytes, random: Random) -> bytes:
    """Put another value behind one of the colons."""
    colons = [at for at, byte in enumerate(payload) if byte == 0x3A]
    if not colons:
        return insert(payload, random)
    at = random.choice(colons) + 1
    ends = [end for end in (payload.find(b",", at), payload.find(b"}", at)) if end >= 0]
    return payload[:at] + random.choice(WORDS) + payload[min(ends, default=len(payload)) :]


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e300, 2**53, 2**63 - 1, 2**64 - 1, -(2**63)),
    *(1_781_179_212_345, 1_781_179_212, 253_402_300_800_000, "1781179212345", "2026-06-11T12:00:12.345Z"),
    *("", " ", "x", "x" * 600, "\0", "\u2028", "\U0001f600", "post", "share", "delete", "#tag", "https://a.example/"),
    *("t:1", "at://did:plc:x/app.bsky.feed.post/1", "@a@b.example", "<p>text</p>", [], {}, [[]]),
    *(["x"] * 60, {"": None}),
)


def reshape(payload: bytes, random: Random) -> bytes:
    """Let it stay JSON, with a value changed, moved, left out or said under another key."""
    try:
        loaded = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return flip(payload, random)
    holders: list[Any] = [[loaded]]
    for holder in holders:
        values = holder.values() if isinstance(holder, dict) else holder
        holders += [value for value in values if isinstance(value, dict | list) and value]
    holder = random.choice(holders[1:] or holders)
    key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    other = random.choice(holders)
    moved = random.choice(list(other.values() if isinstance(other, dict) else other))
    change = random.randrange(4)
    if change == 0:
        del holder[key]
    elif change == 1 and moved is not holder:
        # A copy, for what holds itself cannot be written.
        holder[key] = orjson.loads(orjson.dumps(moved))
    elif change == 2 and isinstance(holder, dict):
        holder[random.choice((*holder, "x"))] = holder.pop(key)
    else:
        holder[key] = random.choice(VALUES)
    return orjson.dumps(loaded)


MUTATIONS: tuple[Mutation, ...] = (flip, replace, insert, cut, remove, repeat, nest, swap_value)


def splice(payload: bytes, other: bytes, random: Random) -> bytes:
    """Let one payload go on where another one stops."""
    return payload[: random.randrange(len(payload) + 1)] + other[random.randrange(len(other) + 1) :]


def mutated(corpus: Sequence[bytes], random: Random) -> bytes:
    """Return a payload of the corpus after one to four mutations, at times spliced with another.

    >>> mutated([b"{}"], Random(1)) == mutated([b"{}"], Random(1))
    True
    """
    payload = random.choice(corpus)
    if random.random() < 0.1:
        payload = splice(payload, random.choice(corpus), random)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        # Every other time it stays JSON: what is no JSON is refused before it is looked at.
        payload = (reshape if random.random() < 0.6 else random.choice(MUTATIONS))(payload, random)
    return payload[:PAYLOAD_BYTES_MAX]
