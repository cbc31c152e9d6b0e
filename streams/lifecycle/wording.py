"""Say numbers, instants, durations and names from the network in the words of the sentences of alerts."""

from datetime import UTC, datetime, timedelta

from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS

ROOT_CHARACTERS_SAID = 80
"""Longer ids of root posts are cut in a sentence."""
TAG_CHARACTERS_SAID = 40

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = {
    1: "January",
    2: "February",
    3: "March",
    4: "April",
    5: "May",
    6: "June",
    7: "July",
    8: "August",
    9: "September",
    10: "October",
    11: "November",
    12: "December",
}


def shortened(text: str, *, characters_max: int) -> str:
    """Return a text from the network as one that can be shown: cut to length, without control characters.

    >>> shortened("at://x/3k\\n", characters_max=40), shortened("abcdef", characters_max=4)
    ('at://x/3k\ufffd', 'abc…')
    """
    cut = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)


def tagged(name: str) -> str:
    """Return what a topic that emerged is called: a tag with its sign, a link or a phrase as it is, each cut to length.

    >>> tagged("bees"), tagged("#bees"), tagged("bees.example"), tagged("save the bees")
    ('#bees', '#bees', 'bees.example', 'save the bees')
    """
    shown = shortened(name, characters_max=TAG_CHARACTERS_SAID)
    return shown if any(character in shown for character in "#./: ") else f"#{shown}"


def moment(at_ms: int) -> str:
    """Return an instant (epoch ms) in words, with seconds only where there are any; months depend on no locale.

    >>> moment(1341389520000)
    '4 July 2012, 08:12 UTC'
    """
    instant = EPOCH + timedelta(milliseconds=at_ms)
    time = f"{instant:%H:%M:%S}" if instant.second else f"{instant:%H:%M}"
    return f"{instant.day} {MONTHS[instant.month]} {instant.year}, {time} UTC"


def duration(duration_ms: int) -> str:
    """Return a duration in its largest unit of which there are two or more, rounded down.

    >>> duration(7_199_000), duration(7_200_000)
    ('119 minutes', '2 hours')
    """
    for unit_ms, unit in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (1000, "second")):
        if duration_ms >= 2 * unit_ms:
            return f"{duration_ms // unit_ms:,} {unit}s"
    return "a moment"


def percent(share: float) -> str:
    """Return a share in whole percent; it says neither "all" nor "none" of what is only nearly so.

    >>> percent(0.54), percent(0.999), percent(0.001)
    ('54 %', 'more than 99 %', 'less than 1 %')
    """
    whole = round(100 * share)
    if whole == 100 and share < 1:
        return "more than 99 %"
    if whole == 0 and share > 0:
        return "less than 1 %"
    return f"{whole} %"


def decimal(number: float) -> str:
    """Return a ratio with one decimal, from 10 on without.

    >>> decimal(1.37), decimal(12.4)
    ('1.4', '12')
    """
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def multiple(ratio: float) -> str:
    """Return how many times as much something is, less being said to be less: to be followed by what it is.

    >>> multiple(6.84), multiple(0.1)
    ('6.8 times', 'only 10 % of')
    """
    return f"{decimal(ratio)} times" if ratio >= 1 else f"only {percent(ratio)} of"


def people(count: int) -> str:
    """Return how many people there are.

    >>> people(1), people(1200)
    ('1 person', '1,200 people')
    """
    return "1 person" if count == 1 else f"{count:,} people"


def listed(parts: tuple[str, ...]) -> str:
    """Return one or more things in a row.

    >>> listed(("one",)), listed(("one", "two")), listed(("one", "two", "three"))
    ('one', 'one and two', 'one, two and three')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
