"""What a topic keeps of its cascades is bounded, and whoever goes on from it tells the same."""

from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import CascadeEvidence
from schemas.cascade import ENDED, ROOT_MISSING, TRUNCATED, CascadeContribution, Infected, Pace
from schemas.rows import ROW_BYTES_MAX, StoredRow, TopicCascadesRow
from schemas.rules import HOUR_MS
from streams.steps.cascades import CASCADES_MAX, CASCADES_TOLD, NETWORKS_MAX, TopicCascades
from tests.streams.steps.cascades.readings import (
    PLAIN,
    RULES,
    SLOW,
    reading,
    take,
    told,
    topic_cascades,
    with_history,
)
from tests.streams.steps.logs import DAY_MS, MINUTE_MS, START_MS, remember

LARGEST = 2**63 - 1


@dataclass
class Table:
    """The rows of a topic, as a table keeps them."""

    rows: dict[str, bytes]

    def restored(self) -> TopicCascades:
        """Return the cascades that go on from the rows."""
        values: dict[str, list[bytes]] = {"k": [], "v": [], "h": []}
        for key, value in reversed(self.rows.items()):
            values[key[0]].append(value)
        anew = topic_cascades()
        anew.restore(largest=values["k"], watched=values["v"], histories=values["h"])
        return anew


# --- the largest ------------------------------------------------------------------------------------------------------


def test_evidence_is_what_was_told_of_the_largest() -> None:
    """As it stood when it was read last."""
    cascades = topic_cascades()
    take(cascades, size=30)
    vitals = take(cascades, at=PLAIN.at + MINUTE_MS, infected=SLOW)
    (evidence,) = cascades.largest(since_ms=0)
    assert evidence == CascadeEvidence(
        root="r",
        size=40,
        depth=3,
        breadth=20,
        structural_virality=2.5,
        infectiousness=0.005,
        low=0.005,
        high=0.005,
        forecast=vitals.forecast,
        forecast_low=vitals.forecast_low,
        forecast_high=vitals.forecast_high,
        reproduction=0.5,
        edge="observed",
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(2, 9), st.integers(0, 5)), max_size=60))
def test_the_largest_since_an_instant_are_told_largest_first(drawn: list[tuple[int, int, int]]) -> None:
    """Of those of one size the smaller root first."""
    cascades = topic_cascades()
    known: dict[str, tuple[int, int]] = {}
    minute = 0
    for number, size, later in drawn:
        minute += later
        take(cascades, root=f"c{number}", size=size, at=START_MS + minute * MINUTE_MS - 1)
        known[f"c{number}"] = size, minute
    since = minute // 2
    expected = sorted((-size, root) for root, (size, read) in known.items() if read >= since)[:CASCADES_TOLD]
    largest = cascades.largest(since_ms=START_MS + since * MINUTE_MS)
    assert [(-one.size, one.root) for one in largest] == expected


def known_cascades(rows: dict[str, bytes]) -> dict[str, int]:
    """Return the sizes of what a table remembers as evidence, by root."""
    found = msgspec.msgpack.decode(rows["k"], type=TopicCascadesRow).cascades
    return {root: row.size for root, row in found.items()}


def test_no_more_than_a_hundred_are_remembered_and_the_largest_stay() -> None:
    """However many there are within a day, and in whatever order they come."""
    sizes = list(range(2, 1_002))
    Random(7).shuffle(sizes)
    cascades, rows, most = topic_cascades(), dict[str, bytes](), 0
    for number, size in enumerate(sizes):
        take(cascades, root=f"c{size}", size=size, at=START_MS + number)
        remember(rows, cascades.changed_rows())
        most = max(most, len(known_cascades(rows)))
        so_far = sorted(sizes[: number + 1], reverse=True)[:CASCADES_TOLD]
        assert [one.size for one in cascades.largest(since_ms=0)] == so_far
    assert most == CASCADES_MAX


def test_what_was_not_read_for_a_day_makes_room() -> None:
    """A large cascade of last week is no evidence of today."""
    cascades, rows = topic_cascades(), dict[str, bytes]()
    take(cascades, root="old", size=1_000_000, at=START_MS)
    for number in range(CASCADES_MAX):
        take(cascades, root=f"c{number}", at=START_MS + DAY_MS + 1 + number)
    remember(rows, cascades.changed_rows())
    assert "old" not in known_cascades(rows)


def test_rows_fit_into_a_record_whatever_roots_are_called() -> None:
    """Roots of 512 bytes, as long as they may be, with numbers as long as they may be."""
    cascades, rows = topic_cascades(), dict[str, bytes]()
    infected = Infected(1 / 700, 1 / 900, 1 / 600, 1 / 7, 0.1)
    pace = Pace(recent=2**40, before=1, span_ms=HOUR_MS, unit_ms=5 * MINUTE_MS, peak=2**40, peak_at_ms=LARGEST)
    for number in range(CASCADES_MAX + 20):
        take(
            cascades,
            1 / 3,
            root=f"{number:0512}",
            network="n" * 512,
            size=2**40,
            depth=2**40,
            breadth=2**40,
            virality=1 / 3,
            shares=2**40,
            edge=1,
            infected=infected,
            pace=pace,
            at=START_MS + number,
            flags=ENDED | TRUNCATED | ROOT_MISSING if number % 2 else 0,
        )
        for key, value in cascades.changed_rows():
            assert value is None or len(msgspec.msgpack.encode(StoredRow(2, LARGEST, LARGEST, value))) <= ROW_BYTES_MAX
            remember(rows, [(key, value)])
    assert len(known_cascades(rows)) <= CASCADES_MAX


# --- restart ----------------------------------------------------------------------------------------------------------


def random_readings(random: Random, count: int) -> list[CascadeContribution]:
    """Return readings of many cascades on a few networks, in stamp order."""
    made, at_ms = [], START_MS
    for _ in range(count):
        at_ms += random.choice((1, MINUTE_MS, HOUR_MS))
        size = random.choice((1, 2, 9, 10, 40, 60, 200))
        infected = Infected(random.random() / 50, 0.001, 0.03, random.random() * 100, random.choice((0.0, 0.2, 0.7)))
        fields: dict[str, Any] = {
            "root": f"c{random.randrange(200)}",
            "network": random.choice(("n", "m", "a|b")),
            "size": size,
            "virality": None if size == 1 else 1 + random.random() * 4,
            "flags": random.choice((0, 0, ENDED, ENDED, ROOT_MISSING)),
            "infected": random.choice((None, infected)),
            "shares": size - 1,
            "at": at_ms - 1,
        }
        made.append(told(reading(**fields), random.choice((None, 1.5))))
    return made


@given(st.integers(0, 2**32), st.integers(0, 400))
@settings(max_examples=15)
def test_a_restart_is_not_noticed(seed: int, cut: int) -> None:
    """Whoever goes on from the rows tells what the other tells, and has the same rows in the end."""
    contributions = random_readings(Random(seed), 400)
    whole, table = topic_cascades(), Table({})
    for one in contributions[:cut]:
        whole.take(one, RULES)
        remember(table.rows, whole.changed_rows())
    anew, kept = table.restored(), dict(table.rows)
    for one in contributions[cut:]:
        assert whole.take(one, RULES) == anew.take(one, RULES)
        assert whole.largest(since_ms=one.at - DAY_MS) == anew.largest(since_ms=one.at - DAY_MS)
        remember(table.rows, whole.changed_rows())
        remember(kept, anew.changed_rows())
    assert kept == table.rows


def test_nothing_is_told_twice() -> None:
    """Rows are written after a reading, not again and again."""
    cascades = with_history()
    assert list(cascades.changed_rows())
    assert list(cascades.changed_rows()) == []


def test_which_networks_have_a_history_is_the_same_after_a_restart() -> None:
    """A network of which nothing has ended takes no place, for no row would tell of it."""
    cascades, table = topic_cascades(), Table({})
    for network in range(NETWORKS_MAX):
        take(cascades, root=f"live{network}", network=f"live{network}")
    remember(table.rows, cascades.changed_rows())
    anew = table.restored()
    for number in range(20):
        for one in (cascades, anew):
            take(one, root=f"e{number}", network="late", flags=ENDED)
    assert take(cascades, network="late") == take(anew, network="late")


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(2, 12), st.integers(0, 3), st.booleans()), max_size=60))
def test_what_is_read_in_between_does_not_change_what_is_read_later(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    """Readings of nine cascades that grow and shrink, with questions between them: each answer is what a search of all
    that is known says, whatever was asked before.
    """
    cascades, known = topic_cascades(), dict[str, tuple[int, int, int]]()
    at_ms = START_MS
    for number, size, minutes, asks in steps:
        at_ms += minutes * MINUTE_MS
        began_ms = START_MS + number * MINUTE_MS
        take(cascades, root=f"r{number}", size=size, at=at_ms, began_ms=began_ms)
        known[f"r{number}"] = (at_ms + 1, size, began_ms)
        if not asks:
            continue
        since_ms = at_ms - 10 * MINUTE_MS
        largest = sorted((-size, root) for root, (seen_ms, size, _) in known.items() if seen_ms >= since_ms)[:5]
        young = [size for _, size, began_ms in known.values() if began_ms >= since_ms]
        assert [(-one.size, one.root) for one in cascades.largest(since_ms=since_ms)] == largest
        assert cascades.top_share(since_ms=since_ms, posts=20) == (max(young) / 20 if young else None)
