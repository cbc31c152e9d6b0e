"""Turn a seeds file, which a person wrote, into topic records, which travel on `social.topics`."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.seeds import BrandEntry, Seeds, SeedsFile, TopicEntry, TopicRecord, TopicVersion, Validity
from streams.attribution.links import HOST_LENGTH_MAX, parse_link
from streams.attribution.matcher import fold_account
from streams.attribution.phrases import fold_text
from streams.attribution.tags import TAG_LENGTH_MAX, normalize_tag
from streams.documents import DocumentError, nearest, read_document, shown
from streams.lifecycle.rules import build_rules, check_overrides, merge_overrides

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ID_RULE = "an id of a-z, 0-9, `.`, `_` and `-`, at most 64 long"
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SeedsError(DocumentError):
    """Seeds that cannot be used: one line with the place, what was expected, what came, and what to do."""


def parse_seeds(text: str, *, where: str) -> SeedsFile:
    """Return what a seeds file says, YAML or JSON, in the shape of WIRE.md §0.

    `where` names the file in errors. Raises SeedsError at the first thing that cannot be used.

    >>> file = parse_seeds("brands: [{id: cern, topics: [{id: higgs, seeds: {tags: [LHC]}}]}]", where="s.yaml")
    >>> file.brands[0].topics[0].seeds.tags
    ('LHC',)
    """
    try:
        document = _mapping(read_document(text), SeedsFile, "$")
        rules = _rules(document.get("rules", {}), "$.rules")
        brands = _list(document.get("brands"), "$.brands", "a list of brands", "begin with `brands:` and a `- id:`")
        file = SeedsFile(brands=tuple(_brand(one, f"$.brands[{i}]") for i, one in enumerate(brands)), rules=rules)
        _refuse_repeated([brand.id for brand in file.brands], "$.brands")
        _check_merged_rules(file)
    except DocumentError as error:
        raise SeedsError.of(error, where=where) from None
    return file


def topic_records(file: SeedsFile, *, effective_from_ms: int) -> tuple[TopicRecord, ...]:
    """Return one record per topic of the file, in its order, each with one version, effective from an instant on.

    Rules for all, the brand's and the topic's are merged, the narrower over the wider.

    >>> file = parse_seeds("brands: [{id: cern, topics: [{id: higgs, seeds: {tags: [LHC]}}]}]", where="s.yaml")
    >>> [(record.brand, record.topic) for record in topic_records(file, effective_from_ms=0)]
    [('cern', 'higgs')]
    """
    return tuple(
        TopicRecord(
            brand=brand.id,
            topic=topic.id,
            versions=(
                TopicVersion(
                    effective_from_ms=effective_from_ms,
                    accounts=dict(brand.accounts),
                    seeds=topic.seeds,
                    valid_from_ms=_epoch_ms(topic.valid.from_),
                    valid_to_ms=_epoch_ms(topic.valid.to),
                    rules=merge_overrides(file.rules, brand.rules, topic.rules),
                ),
            ),
        )
        for brand in file.brands
        for topic in brand.topics
    )


def add_version(existing: TopicRecord | None, new: TopicRecord) -> TopicRecord:
    """Return a record with the versions of both, oldest first; of two effective from one instant the new one.

    To add the same again changes nothing. Raises ValueError if the two are of different topics.
    """
    if existing is None:
        existing = TopicRecord(brand=new.brand, topic=new.topic, versions=())
    if (existing.brand, existing.topic) != (new.brand, new.topic):
        raise ValueError(
            f"expected versions of {existing.brand}/{existing.topic}, got those of {new.brand}/{new.topic}; "
            "look up the record by its key first"
        )
    versions = {version.effective_from_ms: version for version in (*existing.versions, *new.versions)}
    return TopicRecord(brand=new.brand, topic=new.topic, versions=tuple(versions[at_ms] for at_ms in sorted(versions)))


def check_record(record: TopicRecord) -> None:
    """Raise SeedsError where a record that came from elsewhere says what no seeds file may say."""
    try:
        _id(record.brand, "$.brand")
        _id(record.topic, "$.topic")
        for i, version in enumerate(record.versions):
            place = f"$.versions[{i}]"
            if version.removed:
                continue
            for network in version.accounts:
                _network(network, f"{place}.accounts")
            _check_seeds(version.seeds, f"{place}.seeds", has_accounts=_has_accounts(version.accounts))
            build_rules(version.rules, place=f"{place}.rules")
    except DocumentError as error:
        raise SeedsError.of(error, where=f"topic {record.brand}/{record.topic}") from None


def _error(expected: str, got: str, place: str, do: str) -> SeedsError:
    return SeedsError(expected=expected, got=got, place=place, do=do)


def _mapping(value: object, shape: type[msgspec.Struct], place: str) -> dict[str, object]:
    """Return a mapping that has no other names than the fields of a shape."""
    names = [field.encode_name for field in msgspec.structs.fields(shape)]
    if not isinstance(value, dict):
        raise _error("a mapping", shown(value), place, f"write `name: value` pairs; {nearest('', names)}")
    for name in value:
        if name not in names:
            raise _error("a known name", shown(name), place, nearest(name, names))
    return value


def _list(value: object, place: str, expected: str, do: str) -> list[object]:
    if not isinstance(value, list) or not value:
        raise _error(expected, "an empty list" if value == [] else shown(value), place, do)
    return value


def _strings(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _error("a list", shown(value), place, "write it in brackets, such as [one, two]")
    return tuple(_string(one, f"{place}[{i}]") for i, one in enumerate(value))


def _string(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise _error("a text", shown(value), place, "write one" if value is None else "put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _error("a text", shown(value), place, "leave out the half of a surrogate pair in it") from None
    return value


def _id(value: object, place: str) -> str:
    text = _string(value, place)
    if not _ID.fullmatch(text):
        raise _error(_ID_RULE, shown(text), place, "it is part of the key `brand/topic`: choose one in this form")
    return text


def _network(name: str, place: str) -> str:
    if not _ID.fullmatch(name):
        raise _error("the name of a network in lower case", shown(name), place, "write it like `bluesky`")
    return name


def _rules(value: object, place: str) -> dict[str, object]:
    rules = value if isinstance(value, dict) else {}
    if not isinstance(value, dict):
        raise _error("a mapping of rules", shown(value), place, "write rules such as `outgrown: {ratio_enter: 2.0}`")
    check_overrides(rules, place=place)
    return rules


def _refuse_repeated(ids: Iterable[str], place: str) -> None:
    seen: dict[str, int] = {}
    for i, one in enumerate(ids):
        if one in seen:
            raise _error("each id once", f"`{one}` again", f"{place}[{i}].id", f"merge it with {place}[{seen[one]}]")
        seen[one] = i


def _brand(value: object, place: str) -> BrandEntry:
    given = _mapping(value, BrandEntry, place)
    brand_id = _id(given.get("id"), f"{place}.id")
    accounts = _accounts(given.get("accounts", {}), f"{place}.accounts")
    do = "a brand travels with its topics: write `topics:` and a `- id:`"
    topics = _list(given.get("topics"), f"{place}.topics", "a list of topics", do)
    entries = tuple(
        _topic(one, f"{place}.topics[{i}]", has_accounts=_has_accounts(accounts)) for i, one in enumerate(topics)
    )
    _refuse_repeated([topic.id for topic in entries], f"{place}.topics")
    rules = _rules(given.get("rules", {}), f"{place}.rules")
    return BrandEntry(id=brand_id, accounts=accounts, topics=entries, rules=rules)


def _accounts(value: object, place: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise _error("a mapping from network to accounts", shown(value), place, 'write it like {twitter: ["88"]}')
    accounts: dict[str, tuple[str, ...]] = {}
    for network, names in value.items():
        at = f"{place}.{_network(network, place)}"
        # An account number need not be in quotes: it can mean nothing else here.
        is_list = isinstance(names, list)
        texts = [str(one) if type(one) is int else one for one in names] if is_list else names
        accounts[network] = _strings(texts, at)
        for i, name in enumerate(accounts[network]):
            if not fold_account(name):
                raise _error("the name of an account", shown(name), f"{at}[{i}]", "leave it out")
    return accounts


def _has_accounts(accounts: Mapping[str, tuple[str, ...]]) -> bool:
    return any(accounts.values())


def _topic(value: object, place: str, *, has_accounts: bool) -> TopicEntry:
    given = _mapping(value, TopicEntry, place)
    topic_id = _id(given.get("id"), f"{place}.id")
    given_seeds = _mapping(given.get("seeds", {}), Seeds, f"{place}.seeds")
    seeds = Seeds(**{kind: _strings(texts, f"{place}.seeds.{kind}") for kind, texts in given_seeds.items()})
    _check_seeds(seeds, f"{place}.seeds", has_accounts=has_accounts)
    valid = _validity(given.get("valid", {}), f"{place}.valid")
    return TopicEntry(id=topic_id, seeds=seeds, valid=valid, rules=_rules(given.get("rules", {}), f"{place}.rules"))


def _check_seeds(seeds: Seeds, place: str, *, has_accounts: bool) -> None:
    """Refuse seeds that could never match anything, and an entry that has none."""
    for kind in msgspec.structs.fields(seeds):
        for i, text in enumerate(getattr(seeds, kind.name)):
            problem = _seed_problem(kind.name, text)
            if problem is not None:
                raise _error(problem[0], shown(text), f"{place}.{kind.name}[{i}]", problem[1])
    if seeds == Seeds() and not has_accounts:
        do = "write tags, phrases, links, mentions, posts or networks, or give the brand accounts"
        raise _error("at least one seed", "none", place, do)


def _seed_problem(kind: str, text: str) -> tuple[str, str] | None:
    """Return what was expected of a seed and what to do, None where it is fine."""
    if kind == "tags" and not 0 < len(normalize_tag(text)) <= TAG_LENGTH_MAX:
        return f"a tag of 1 to {TAG_LENGTH_MAX} characters", "write it without #, or leave it out"
    if kind == "phrases" and not fold_text(text).strip():
        return "a phrase", "leave it out"
    if kind == "links":
        return _link_problem(text)
    if kind == "mentions" and not fold_account(text):
        return "the name of an account", "leave it out"
    if kind == "posts" and not text:
        return "the id of a post", "leave it out"
    if kind == "networks" and not _ID.fullmatch(text):
        return "the name of a network in lower case", "write it like `bluesky`"
    return None


def _link_problem(text: str) -> tuple[str, str] | None:
    link = parse_link(text)
    if link is None or not _HOST.fullmatch(link.host) or len(link.host) > HOST_LENGTH_MAX:
        return "a domain or a prefix of a URL", "write it like `home.cern` or `home.cern/news`"
    if "?" in text or "#" in text:
        # It would be taken for the path alone, and that may be everybody's, as in `/watch?v=`.
        return "a domain or a prefix without `?` and `#`", "use the short link that leads there, or a prefix"
    return None


def _validity(value: object, place: str) -> Validity:
    given = _mapping(value, Validity, place)
    valid = Validity(
        from_=_instant(given.get("from"), f"{place}.from"),
        to=_instant(given.get("to"), f"{place}.to"),
    )
    if valid.from_ is not None and valid.to is not None and valid.from_ >= valid.to:
        raise _error("an instant after `from`", shown(given["to"]), f"{place}.to", "move one of them")
    return valid


def _instant(value: object, place: str) -> datetime | None:
    """Return an instant with its zone; a day is the midnight, UTC, with which it begins."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise _error("an instant", shown(value), place, "write it like 2012-07-01T00:00:00Z")
    if instant.tzinfo is None:
        if len(str(value)) > len("2012-07-01"):
            raise _error("an instant with its zone", shown(value), place, "add Z for UTC, or +02:00")
        instant = instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise _error("an instant", shown(value), place, "choose one between the years 1 and 9999") from None


def _epoch_ms(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // timedelta(milliseconds=1)


def _check_merged_rules(file: SeedsFile) -> None:
    """Refuse rules that make no sense together once those of the file, the brand and the topic are merged."""
    build_rules(file.rules, place="$.rules")
    for i, brand in enumerate(file.brands):
        for j, topic in enumerate(brand.topics):
            if brand.rules or topic.rules:
                merged = merge_overrides(file.rules, brand.rules, topic.rules)
                build_rules(merged, place=f"$.brands[{i}].topics[{j}].rules")
