"""Shapes of Twitter: ids are texts, wherever a version has them as numbers."""

import msgspec
import pytest

from streams.networks.twitter_shapes import Payload, Status, Tweet


@pytest.mark.parametrize("place", ["id_str", "quoted_status_id_str", "in_reply_to_status_id_str"])
def test_a_number_is_no_id_of_v1_1(place: str) -> None:
    """A number beyond 2^53 may have been rounded by whoever wrote it last."""
    with pytest.raises(msgspec.ValidationError, match=place):
        msgspec.json.decode(f'{{"{place}":2065041405490762343}}', type=Status)


@pytest.mark.parametrize("place", ["id", "author_id", "conversation_id"])
def test_a_number_is_no_id_of_v2(place: str) -> None:
    """There ids are texts under names that were numbers before."""
    with pytest.raises(msgspec.ValidationError, match=place):
        msgspec.json.decode(f'{{"{place}":2065041405490762343}}', type=Tweet)


def test_numbers_of_v1_1_beside_the_texts_are_not_looked_at() -> None:
    """However large they are."""
    status = msgspec.json.decode(b'{"id":20650414054907623430000,"id_str":"20650414054907623430000"}', type=Payload)

    assert (status.id_str, status.data) == ("20650414054907623430000", None)


def test_a_mention_has_numbers_in_one_version_and_texts_in_the_other() -> None:
    """One shape holds both."""
    payload = b'{"entities":{"user_mentions":[{"id":80,"id_str":"80"}],"mentions":[{"id":"80"}]}}'
    entities = msgspec.json.decode(payload, type=Status).entities

    assert entities is not None
    assert entities.user_mentions is not None
    assert entities.mentions is not None
    assert [mention.id_str for mention in entities.user_mentions] == ["80"]
    assert [mention.id for mention in entities.mentions] == ["80"]
