"""Payloads that are no signals, and the reason for which each must be refused."""

from typing import NamedTuple


class Pill(NamedTuple):
    """A payload that is no signal, and the reason for which it is refused."""

    reason: str
    payload: bytes | None


PILLS = [
    Pill("not_json", b"{"),
    Pill("not_json", b"\x00\x01"),
    Pill("empty", None),
    Pill("empty", b"  "),
    Pill("malformed", b"null"),
    Pill("malformed", b"[1, 2]"),
    Pill("malformed", b'{"id": 7, "network": "t", "kind": "post", "at": 1341388800000, "actor": "a"}'),
    Pill("malformed", b'{"id": "x", "network": "t", "kind": "dance", "at": 1341388800000, "actor": "a"}'),
    Pill("malformed", b'{"id": "x", "network": "t", "kind": "post", "actor": "a"}'),
    Pill("not_utf8", b'{"id": "\xff"}'),
    Pill("too_deep", b'{"x": ' + b"[" * 60_000 + b"}"),
    Pill("too_deep", b'{"id": "x", "network": "t", "kind": "post", "at": 1, "x": ' + b"[" * 40 + b"]" * 40 + b"}"),
    Pill("oversize", b'{"text": "' + b"." * 70_000 + b'"}'),
    Pill("oversize", b"." * 900_000),
    Pill("at_out_of_range", b'{"id": "x", "network": "t", "kind": "post", "at": 1341388800, "actor": "a"}'),
]
