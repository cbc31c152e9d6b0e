"""Read a season file: how a brand's topic and the community around it are planned to live for a few days."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from agents.seasons.documents import filled, merged, parameters_of
from agents.seasons.plan import Phase, Plan
from schemas.rules import HOUR_MS
from schemas.seeds import SeedsFile
from schemas.signal import AT_MS_MAX, AT_MS_MIN
from streams.attribution.seeds_file import SeedsError, parse_seeds
from streams.documents import DocumentError, read_document, shown

DEFAULT_SEASON = "english_garden"
_FOLDER = Path(__file__).parent
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SeasonError(DocumentError):
    """A season file that cannot be used: one line with the place, what was expected, what came, and what to do."""


class Season(NamedTuple):
    """A plan with the seeds that it is about; `seeds_text` is a seeds file of its own.

    The season is that of the first topic of the first brand.
    """

    name: str
    plan: Plan
    seeds: SeedsFile
    seeds_text: str
    accounts: tuple[str, ...]

    @property
    def brand(self) -> str:
        """The id of the brand."""
        return self.seeds.brands[0].id

    @property
    def topic(self) -> str:
        """The id of the topic, without its brand."""
        return self.seeds.brands[0].topics[0].id

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the brand seeds."""
        return self.seeds.brands[0].topics[0].seeds.tags

    @property
    def links(self) -> tuple[str, ...]:
        """The domains and prefixes that the brand seeds."""
        return self.seeds.brands[0].topics[0].seeds.links

    @property
    def start_ms(self) -> int:
        """The instant at which the season starts."""
        return (self.plan.start - _EPOCH) // timedelta(milliseconds=1)

    def phases_ms(self) -> tuple[tuple[int, Phase], ...]:
        """Return each phase with the instant at which it begins."""
        begins, at_ms = [], self.start_ms
        for phase in self.plan.phases:
            begins.append((at_ms, phase))
            at_ms += round(phase.hours * HOUR_MS)
        return tuple(begins)

    @property
    def end_ms(self) -> int:
        """The instant at which the season ends, excluded."""
        begin_ms, last = self.phases_ms()[-1]
        return begin_ms + round(last.hours * HOUR_MS)


def shipped_seasons() -> tuple[str, ...]:
    """Return the names of the seasons that come with Overgrowth, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.rglob("*.yaml")))


def load_season(path_or_name: str = DEFAULT_SEASON, settings: Mapping[str, object] | None = None) -> Season:
    """Return the season of a file, or one that comes with Overgrowth by its name; raises SeasonError.

    `settings` go before the parameters that the file declares.

    >>> season = load_season("english_garden")
    >>> season.brand, season.topic
    ('meadow', 'wildflowers')
    """
    path = _shipped(path_or_name) or Path(path_or_name)
    return parse_season(_read(path, where=path_or_name), where=path_or_name, name=path.stem, settings=settings)


def _shipped(name: str) -> Path | None:
    return next((path for path in sorted(_FOLDER.rglob("*.yaml")) if path.stem == name), None)


def _read(path: Path, *, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        got = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        do = f"give the path of a season file, or one of: {', '.join(shipped_seasons())}"
        raise SeasonError(expected="a season file", got=str(got), place="$", do=do, where=where) from None


def parse_season(text: str, *, where: str, name: str, settings: Mapping[str, object] | None = None) -> Season:
    """Return what a season file says; `where` names it in errors, which are SeasonError."""
    try:
        document = _whole(text, where=where)
        document = filled(document, parameters_of(document, settings or {}))
        if not isinstance(document.get("seeds"), dict):
            do = "write `seeds:` with the content of a seeds file, and the plan beside it"
            raise DocumentError(expected="a mapping with `seeds`", got=shown(document), place="$", do=do)
        seeds_text = yaml.safe_dump(document.pop("seeds"), sort_keys=False, allow_unicode=True)
        seeds = parse_seeds(seeds_text, where=where)
        plan = _plan(document)
        _check_plan(plan, seeds)
        _check_circles(plan)
    except SeedsError as error:
        place = "$.seeds" + error.place.removeprefix("$") if error.place.startswith("$") else error.place
        raise SeasonError(expected=error.expected, got=error.got, place=place, do=error.do, where=where) from None
    except SeasonError:
        raise
    except DocumentError as error:
        raise SeasonError.of(error, where=where) from None
    return Season(name, plan, seeds, seeds_text, seeds.brands[0].accounts[plan.network])


def _whole(text: str, *, where: str, below: Iterable[str] = ()) -> dict[str, object]:
    """Return the document of a season file, on top of the season that it `extends`."""
    document = read_document(text)
    if not isinstance(document, dict):
        do = "write `seeds:` with the content of a seeds file, and the plan beside it"
        raise DocumentError(expected="a mapping with `seeds`", got=shown(document), place="$", do=do)
    if "extends" not in document:
        return document
    name = document.pop("extends")
    path = _shipped(name) if isinstance(name, str) else None
    if path is None or name in below:
        do = "name a season that comes with Overgrowth and does not extend this one"
        raise DocumentError(
            expected=f"one of: {', '.join(shipped_seasons())}", got=shown(name), place="$.extends", do=do
        )
    return merged(_whole(_read(path, where=where), where=where, below=(*below, str(name))), document)


def _plan(document: dict[str, object]) -> Plan:
    try:
        return msgspec.convert(document, Plan)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at ")
        what, _, got = said.removeprefix("Expected ").partition(", got ")
        is_expectation = said.startswith("Expected ")
        raise DocumentError(
            expected=what if is_expectation else "a season's plan",
            got=(got or "another value") if is_expectation else said,
            place=place.strip("`") or "$",
            do="correct it there; the season that comes with Overgrowth shows every field",
        ) from None


def _check_plan(plan: Plan, seeds: SeedsFile) -> None:
    """Refuse a plan that no season could be grown from."""
    brand = seeds.brands[0]

    def refuse(expected: str, got: str, place: str, do: str) -> DocumentError:
        return DocumentError(expected=expected, got=got, place=place, do=do)

    if plan.start.tzinfo is None:
        raise refuse("an instant with its zone", plan.start.isoformat(), "$.start", "add Z for UTC, or +02:00")
    hours = sum(phase.hours for phase in plan.phases)
    begin_ms = (plan.start - _EPOCH) // timedelta(milliseconds=1)
    if begin_ms < AT_MS_MIN or begin_ms + hours * HOUR_MS > AT_MS_MAX:
        raise refuse("a season between 2000 and 9999", plan.start.isoformat(), "$.start", "choose another start")
    if not brand.accounts.get(plan.network):
        do = "give the brand an account there"
        raise refuse(f"accounts of the brand on `{plan.network}`", "none", "$.seeds.brands[0].accounts", do)
    if not brand.topics[0].seeds.tags:
        do = "give the topic a tag that the community can adopt"
        raise refuse("at least one tag", "none", "$.seeds.brands[0].topics[0].seeds.tags", do)
    if plan.people.followers > plan.people.community:
        got = str(plan.people.followers)
        raise refuse(
            "at most as many as `community`", got, "$.people.followers", "make one larger or the other smaller"
        )
    for kind, sentences in (("talk", plan.talk), ("small_talk", plan.small_talk)):
        for language in plan.people.languages:
            if not sentences.get(language):
                raise refuse(f"sentences in `{language}`", "none", f"$.{kind}", "write some, or leave the language out")
    if not plan.people.languages or not plan.background.tags:
        raise refuse("at least one language and one background tag", "none", "$", "add one")


def _check_circles(plan: Plan) -> None:
    """Refuse what the steady talk of a community cannot be made of."""
    for index, phase in enumerate(plan.phases):
        circle, place = phase.circle, f"$.phases[{index}].circle"
        if circle is None:
            continue
        if circle.people > plan.people.community:
            raise DocumentError(
                expected="at most as many as `$.people.community`",
                got=str(circle.people),
                place=f"{place}.people",
                do="make one larger or the other smaller",
            )
        if (circle.drift or circle.brings_home or circle.joins_per_hour) and not plan.emergent_tags:
            raise DocumentError(
                expected="`emergent_tags` at `$` where talk drifts", got="none", place=place, do="name some tags"
            )
