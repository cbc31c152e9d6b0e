"""Find the link seeds that a URL falls under: domains with all that is below them, and prefixes of paths."""

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

HOST_LENGTH_MAX = 253

# Scheme and slashes (or slashes, or neither), authority, path. Browsers take a backslash for a slash.
_URL = re.compile(r"((?:[a-z][a-z0-9+.\-]*:)?[/\\]{2})?([^/\\?#]*)([^?#]*)", re.IGNORECASE)
_PORT = re.compile(r"[0-9]*")
# Ignored in host names (UTS #46): soft hyphen, zero-width space, word joiner, byte order mark.
_IGNORED_IN_HOSTS = dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF))


class Link(NamedTuple):
    """What counts of a link: the host in its one spelling, and the segments of the path."""

    host: str
    segments: tuple[str, ...]


def parse_link(url: str) -> Link | None:
    """Return what counts of a URL, or of a domain or prefix without a scheme; None if there is no host in it.

    Scheme, user, port, query, fragment, upper case in the host, a trailing dot and the spelling of an international
    name make no difference; upper case in the path does.

    >>> parse_link("HTTPS://Home.CERN:443/news/2012/?page=2")
    Link(host='home.cern', segments=('news', '2012'))
    >>> parse_link("münchen.example") == parse_link("//xn--mnchen-3ya.example./")
    True
    >>> parse_link("mailto:press@home.cern") is None
    True
    """
    host, path = _split(url)
    return Link(host, _segments(path)) if host else None


def _split(url: str) -> tuple[str, str]:
    """Return host, empty if there is none, and path of a URL."""
    match = _URL.match(url.strip())
    if match is None:
        return "", ""
    scheme, authority, path = match.groups()
    if "@" in authority:
        if scheme is None:
            # Without slashes this is an address of mail, not a link with a user in it.
            return "", ""
        authority = authority.rpartition("@")[2]
    if ":" in authority:
        authority, _, port = authority.rpartition(":")
        if port.endswith("]"):
            # The last colon was one of an IPv6 address.
            authority = f"{authority}:{port}"
        elif not _PORT.fullmatch(port):
            return "", ""
    return _normal_host(authority), path


def _normal_host(name: str) -> str:
    """Return a host name in lower case and ASCII, without a trailing dot; empty if it is none."""
    if "%" in name:
        name = unquote(name)
    if len(name) > HOST_LENGTH_MAX + 1:
        return ""
    if not name.isascii():
        try:
            name = ".".join(map(_ascii_label, _folded(name).split(".")))
        except UnicodeError:
            return ""
    return name.lower().removesuffix(".")


def _folded(name: str) -> str:
    # Letter by letter, because lower() of a whole word writes a final sigma differently, and a name does not; and not
    # casefold(), because ß and ss are two domains.
    name = unicodedata.normalize("NFKC", name.translate(_IGNORED_IN_HOSTS))
    name = "".join(letter.lower() for letter in name)
    return unicodedata.normalize("NFKC", name).replace("。", ".")


def _ascii_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _segments(path: str) -> tuple[str, ...]:
    """Return the segments of a path, decoded, with `.` and `..` resolved and empty ones left out."""
    segments: list[str] = []
    for raw in path.replace("\\", "/").split("/"):
        segment = unquote(raw) if "%" in raw else raw
        if segment == "..":
            del segments[-1:]
        elif segment and segment != ".":
            segments.append(segment)
    return tuple(segments)


class _Place:
    """A host, or a segment of a path below it: the numbers of the seeds that end here, and what lies below."""

    __slots__ = ("below", "numbers")

    def __init__(self) -> None:
        self.numbers: tuple[int, ...] = ()
        self.below: dict[str, _Place] | None = None


def _numbers_below(place: _Place, segments: tuple[str, ...]) -> list[int]:
    found: list[int] = []
    for segment in segments:
        inner = place.below.get(segment) if place.below is not None else None
        if inner is None:
            break
        found += inner.numbers
        place = inner
    return found


class LinkIndex:
    """Link seeds by host and path, so that a look-up costs the labels and segments of the URL, not the seeds.

    >>> index = LinkIndex()
    >>> index.add(Link("home.cern", ()), 0)
    >>> index.add(Link("home.cern", ("news",)), 1)
    >>> index.find("https://www.home.cern/news/higgs"), index.find("http://home.cern/newsletter")
    ([0, 1], [0])
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Place] = {}

    def __bool__(self) -> bool:
        return bool(self._hosts)

    def add(self, link: Link, number: int) -> None:
        """Let what falls under a link be found under this number."""
        place = self._hosts.setdefault(link.host, _Place())
        for segment in link.segments:
            if place.below is None:
                place.below = {}
            place = place.below.setdefault(segment, _Place())
        place.numbers += (number,)

    def find(self, url: str) -> list[int]:
        """Return the numbers of the links that a URL falls under, narrower hosts and wider paths first."""
        host, path = _split(url)
        found: list[int] = []
        hosts = self._hosts
        while host:
            place = hosts.get(host)
            if place is not None:
                found += place.numbers
                if place.below is not None:
                    found += _numbers_below(place, _segments(path))
            host = host.partition(".")[2]
        return found
