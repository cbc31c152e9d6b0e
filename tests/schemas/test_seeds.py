"""Tests of `schemas.seeds`."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.seeds import Seeds, SeedsFile, TopicRecord, TopicVersion, Validity

WORDS = st.lists(st.text(max_size=5), max_size=2).map(tuple)
VERSION = st.builds(
    TopicVersion,
    effective_from_ms=st.integers(min_value=-(2**53), max_value=2**53),
    accounts=st.dictionaries(st.text(max_size=5), WORDS, max_size=2),
    seeds=st.builds(Seeds, tags=WORDS, phrases=WORDS, links=WORDS, mentions=WORDS, posts=WORDS, networks=WORDS),
    valid_from_ms=st.none() | st.integers(min_value=0, max_value=2**53),
    valid_to_ms=st.none() | st.integers(min_value=0, max_value=2**53),
    rules=st.sampled_from([{}, {"scale": 0.5, "outgrown": {"for": "2h"}}]),
    removed=st.booleans(),
)
RECORD = st.builds(
    TopicRecord, brand=st.text(max_size=5), topic=st.text(max_size=5), versions=st.lists(VERSION, max_size=3).map(tuple)
)


@given(RECORD)
def test_a_record_comes_back_as_it_was_sent(record: TopicRecord) -> None:
    """What `social.topics` carries is all that a replay knows of the seeds."""
    assert msgspec.json.decode(msgspec.json.encode(record), type=TopicRecord) == record


def test_a_record_of_an_earlier_release_still_decodes() -> None:
    """Fields are only ever added, with defaults, and unknown ones of a later release are passed over."""
    version = b'{"effective_from_ms": 1, "seeds": {"tags": ["a"]}, "new": 1}'
    least = b'{"brand": "cern", "topic": "higgs", "versions": [' + version + b"]}"

    record = msgspec.json.decode(least, type=TopicRecord)

    assert record == TopicRecord("cern", "higgs", (TopicVersion(1, seeds=Seeds(tags=("a",))),))


def test_validity_is_written_with_the_words_from_and_to() -> None:
    """`from` is no name in Python, and must be one in the file."""
    validity = msgspec.json.decode(b'{"from": "2012-07-01T00:00:00Z"}', type=Validity)

    assert validity == Validity(from_=datetime(2012, 7, 1, tzinfo=UTC))
    assert msgspec.json.encode(validity) == b'{"from":"2012-07-01T00:00:00Z"}'


def test_a_misspelt_kind_of_seed_does_not_decode() -> None:
    """A seed that nobody reads is a topic that nobody finds."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `tgas`"):
        msgspec.json.decode(
            b'{"brands": [{"id": "a", "topics": [{"id": "t", "seeds": {"tgas": []}}]}]}', type=SeedsFile
        )
