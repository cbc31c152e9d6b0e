"""Payloads per second of every format of input, beside plain JSON decoding of the same payloads into dicts.

Jetstream's are made for this, all different: posts of ordinary length (a hundred letters, no facets) in both versions,
replies with a tag, likes, and shares seen through others. The other formats are given their samples from the tests over
and over, so their figures compare with their floors, not with each other: a status of Twitter is some two kilobytes.
"""

import json
from collections.abc import Callable
from time import process_time_ns

import msgspec

from streams.networks import NETWORKS, Normalize, bluesky
from streams.networks.refusal import Refusal
from tests.benchmarks.report import Figure, Goal, Round
from tests.checks.network_checks import good_payloads

PAYLOADS = 50_000
GOAL_PER_S = 100_000
"""Of text posts of ordinary length, both versions."""
UNIT = "payloads/s"

_CID = "bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae"
_TEXT = "The first figs of the year, and the wasps have found them before me. Nets tomorrow, or none are left"
_POST = "app.bsky.feed.post"


def begin(*, quick: bool) -> Round:
    """Prepare the payloads of every format."""
    count = PAYLOADS // 10 if quick else PAYLOADS
    inputs: dict[str, tuple[Normalize, list[bytes]]] = {
        f"bluesky {what}": (bluesky.normalize, [made(number) for number in range(count)])
        for what, made in _JETSTREAM.items()
    }
    for name, network in NETWORKS.items():
        if name != bluesky.NAME:
            samples = good_payloads(network)
            inputs[f"{name} samples"] = (network.normalize, samples * (count // len(samples)))
    for name, (normalize, payloads) in inputs.items():
        refused = [payload for payload in payloads if isinstance(normalize(payload, None), Refusal)]
        assert not refused, f"{name}: expected none refused, got {refused[0]!r}"

    def take_round() -> list[Figure]:
        figures = []
        for name, (normalize, payloads) in inputs.items():
            goal = Goal(GOAL_PER_S, at_least=True) if "posts" in name else None
            floor = f"decode {name}" if payloads[0].startswith(b"{") else ""
            if floor:
                figures.append(Figure(floor, _per_s(msgspec.json.decode, payloads), UNIT))
            figures.append(Figure(name, _per_s(_reader(normalize), payloads), UNIT, floor=floor, goal=goal))
        return figures

    return take_round


def _reader(normalize: Normalize) -> Callable[[bytes], object]:
    return lambda payload: normalize(payload, None)


def _per_s(read: Callable[[bytes], object], payloads: list[bytes]) -> float:
    begun_ns = process_time_ns()
    for payload in payloads:
        read(payload)
    return len(payloads) / (process_time_ns() - begun_ns) * 1e9


def _commit(number: int, collection: str, record: dict[str, object]) -> dict[str, object]:
    return {
        "rev": "3mnz6h67c2224",
        "operation": "create",
        "collection": collection,
        "rkey": f"3mnz{number:09}",
        "cid": _CID,
        "record": {"$type": collection, "createdAt": "2026-06-11T12:00:12.345Z", **record},
    }


def _version_1(number: int, collection: str, record: dict[str, object]) -> bytes:
    event = {"did": _did(number), "time_us": 1_781_179_212_845_123 + number, "kind": "commit"}
    return json.dumps({**event, "commit": _commit(number, collection, record)}, separators=(",", ":")).encode()


def _version_2(number: int, collection: str, record: dict[str, object]) -> bytes:
    seen = f"2026-06-11T12:00:12.{number % 1_000_000:06}Z"
    event = {"$type": "network.bsky.jetstream.subscribeEvents#commit", "seq": 90_112 + number, "did": _did(number)}
    payload = {**event, "time": seen, "witnessedAt": seen, **_commit(number, collection, record)}
    return json.dumps({"$type": "message", "payload": payload}, separators=(",", ":")).encode()


def _did(number: int) -> str:
    return f"did:plc:{number % 5_000:024}"


def _reference(number: int, collection: str = _POST) -> dict[str, str]:
    return {"cid": _CID, "uri": f"at://{_did(number * 7)}/{collection}/3mny{number:09}"}


def _post(number: int) -> dict[str, object]:
    return {"langs": ["en"], "text": f"{_TEXT} by {number}."}


def _reply(number: int) -> dict[str, object]:
    features = [{"$type": "app.bsky.richtext.facet#tag", "tag": "figs"}]
    facets = [{"features": features, "index": {"byteEnd": 14, "byteStart": 10}}]
    return {**_post(number), "facets": facets, "reply": {"parent": _reference(number), "root": _reference(number // 9)}}


def _share(number: int) -> dict[str, object]:
    return {"subject": _reference(number // 9), "via": _reference(number, "app.bsky.feed.repost")}


_JETSTREAM: dict[str, Callable[[int], bytes]] = {
    "posts, version 1": lambda number: _version_1(number, _POST, _post(number)),
    "posts, version 2": lambda number: _version_2(number, _POST, _post(number)),
    "replies with a tag": lambda number: _version_1(number, _POST, _reply(number)),
    "likes": lambda number: _version_1(number, "app.bsky.feed.like", {"subject": _reference(number // 9)}),
    "shares": lambda number: _version_1(number, "app.bsky.feed.repost", _share(number)),
}
