"""Put keyed hashes in the place of who did what, so that nothing after the edge knows anybody by name.

Whoever has the key can tell the pseudonym of a known name, and nobody can tell the name of a pseudonym; a hash without
a key would be undone by trying all names. Equal names have equal pseudonyms, so all that is measured stays the same.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache

import msgspec

from schemas.rejection import Rejection
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import ACTOR_UNKNOWN, Erasure, Signal
from streams.attribution.matcher import fold_account

DIGEST_BYTES = 16
SECRET_BYTES_MIN = 16
VERSION_MAX = 999

_EVERYWHERE = ""
"""The network of a name that is meant on every network: a seed that is a mention."""
_POST = "post id"
_MADE = re.compile(r"[pi][0-9]{1,3}\.[0-9a-f]{32}")
# A number tells nobody: networks count their posts. Everything else may hold its author, as at://did:plc:…/… does.
_TELLS_NOBODY = re.compile(r"(?:[a-z][a-z0-9-]*:)?[0-9]+")
_NAMES_IN_TEXT = re.compile(r"[@＠][\w.:@-]*\w|did:[a-z]+:[\w.:%-]*\w", re.IGNORECASE)
# Where links name people: a handle, a DID, what follows `users` and the like, and who posted on a network of handles.
_NAMES_IN_LINK = re.compile(
    r"(?<=/)(?:@[^/?#]+|did(?::|%3a)[^/?#]+)|(?<=/users/)[^/?#]+|(?<=/user/)[^/?#]+|(?<=/profile/)[^/?#]+|(?<=/u/)[^/?#]+"
    r"|(?<=twitter\.com/)[^/?#]+|(?<=x\.com/)[^/?#]+|(?<=instagram\.com/)[^/?#]+",
    re.IGNORECASE,
)
_SOMEBODY = "~"


class PseudonymKeyError(ValueError):
    """Keys that cannot be used; the text says why and holds nothing of them."""


class Pseudonyms:
    """Makes pseudonyms under the first of some keys; the others are former ones, by which brands are still known.

    `keys` maps the version of each key to its secret, the one in use first.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise PseudonymKeyError("expected a key for pseudonyms, got none")
        for version, secret in keys.items():
            if not 0 <= version <= VERSION_MAX:
                raise PseudonymKeyError(f"expected a version of a key from 0 to {VERSION_MAX}, got {version}")
            if len(secret) < SECRET_BYTES_MIN:
                raise PseudonymKeyError(f"key {version}: expected at least {SECRET_BYTES_MIN} bytes, got {len(secret)}")
        self._keys = dict(keys)
        self._version = next(iter(self._keys))
        # Nearly every signal names what was named before; what was forgotten is only computed again.
        self.actor = lru_cache(maxsize=65_536)(self._actor)
        self.post = lru_cache(maxsize=65_536)(self._post)

    def _actor(self, network: str, name: str) -> str:
        """Return the pseudonym of an account of a network: `p<version>.<128 bits>`; a pseudonym and nobody stay so.

        Names are folded as they are where two are compared, so that `@CERN` and `cern` are one account.

        >>> Pseudonyms({1: b"sixteen bytes ok"}).actor("mastodon", "@CERN")[:3]
        'p1.'
        """
        if name == ACTOR_UNKNOWN or _MADE.fullmatch(name):
            return name
        return self._made("p", self._version, network, fold_account(name))

    def _made(self, kind: str, version: int, network: str, name: str) -> str:
        # No name holds a NUL (streams/networks), so two pairs never run into one text.
        digest = hmac.digest(self._keys[version], f"{network}\0{name}".encode(errors="surrogatepass"), "sha256")
        return f"{kind}{version}.{digest[:DIGEST_BYTES].hex()}"

    def _post(self, post_id: str) -> str:
        """Return what stands for the id of a post or an act: a number itself, for any other `i<version>.<128 bits>`.

        It depends on the id alone, so that who answers a post names it as its author does.
        """
        if _TELLS_NOBODY.fullmatch(post_id) or _MADE.fullmatch(post_id):
            return post_id
        return self._made("i", self._version, _POST, post_id)

    def signal(self, signal: Signal) -> Signal:
        """Return the signal with nobody in it: twice the same as once.

        A mention becomes two: of the account on this network, and of the name on any, as seeds mean it.
        """
        network, actor_of, post_of = signal.network, self.actor, self.post
        made = copy(signal)
        made.actor = actor_of(network, signal.actor)
        made.id = post_of(signal.id)
        if signal.post is not None:
            made.post = post_of(signal.post)
        if signal.parent is not None:
            made.parent = post_of(signal.parent)
        if signal.root is not None:
            made.root = post_of(signal.root)
        if signal.parent_actor is not None:
            made.parent_actor = actor_of(network, signal.parent_actor)
        if signal.root_actor is not None:
            made.root_actor = actor_of(network, signal.root_actor)
        if signal.mentions:
            made.mentions = tuple(
                dict.fromkeys(actor_of(place, name) for name in signal.mentions for place in (network, _EVERYWHERE))
            )
        if signal.links:
            made.links = tuple(map(_link, signal.links))
        if signal.text:
            made.text = _NAMES_IN_TEXT.sub("@", signal.text)
        return made

    def erasures(self, erasure: Erasure) -> list[Erasure]:
        """Return the erasure of an actor under every key that it may be known by, the one in use first.

        >>> [one.erase[:3] for one in Pseudonyms({2: b"a second of these", 1: b"sixteen bytes ok"}).erasures(
        ...     Erasure("ana", "n", 1_000))]
        ['p2.', 'p1.']
        """
        if _MADE.fullmatch(erasure.erase):
            return [erasure]
        names = self._under_every_key("p", erasure.network, erasure.erase)
        return [msgspec.structs.replace(erasure, erase=name) for name in names]

    def topics(self, records: Sequence[TopicRecord]) -> list[TopicRecord]:
        """Return what brands declare as signals are compared with it."""
        return [
            msgspec.structs.replace(record, versions=tuple(map(self._version_of_topic, record.versions)))
            for record in records
        ]

    def _version_of_topic(self, version: TopicVersion) -> TopicVersion:
        accounts = {
            network: tuple(pseudonym for name in names for pseudonym in self._under_every_key("p", network, name))
            for network, names in version.accounts.items()
        }
        seeds: Seeds = msgspec.structs.replace(
            version.seeds,
            mentions=tuple(
                made for name in version.seeds.mentions for made in self._under_every_key("p", _EVERYWHERE, name)
            ),
            posts=tuple(
                made
                for post in version.seeds.posts
                for made in ((post,) if _TELLS_NOBODY.fullmatch(post) else self._under_every_key("i", _POST, post))
            ),
            links=tuple(map(_link, version.seeds.links)),
        )
        return msgspec.structs.replace(version, accounts=accounts, seeds=seeds)

    def _under_every_key(self, kind: str, network: str, name: str) -> list[str]:
        folded = fold_account(name) if kind == "p" else name
        return [self._made(kind, version, network, folded) for version in self._keys]


def _link(url: str) -> str:
    """Return a link without who it names.

    >>> _link("https://social.example/@ada/114?x=1"), _link("https://blog.example/us/p")
    ('https://social.example/~/114?x=1', 'https://blog.example/us/p')
    """
    return _NAMES_IN_LINK.sub(_SOMEBODY, url)


def without_words(rejection: Rejection) -> Rejection:
    """Return a rejection that quotes nothing of what was refused: reason, place, size and hash stay."""
    detail = "not told where pseudonyms are on; place and hash say what was refused"
    return msgspec.structs.replace(rejection, detail=detail, payload=None)
