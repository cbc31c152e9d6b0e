"""Check that what libraries repeat is told, but not a hundred times a second."""

import logging

from agents.quieting import Seldom


def test_what_a_client_repeats_is_told_once_in_a_while() -> None:
    """While Kafka is away its client tells it a hundred times a second; other messages are not held back by that."""
    seldom = Seldom()

    def passes(at_s: float, words: str, name: str = "aiokafka.conn") -> bool:
        record = logging.LogRecord(name, logging.ERROR, "f", 1, words, ("x",), None)
        record.created = at_s
        return seldom.filter(record)

    assert [passes(100.0, "away %s"), passes(100.1, "away %s"), passes(100.2, "lost %s")] == [True, False, True]
    assert [passes(100.3, "away %s", "aiokafka.cluster"), passes(109.9, "away %s"), passes(110.0, "away %s")] == [
        True,
        False,
        True,
    ]
