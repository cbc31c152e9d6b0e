"""Start an embedded Kafka for the tests of one module."""

from collections.abc import Iterator

import pytest

from agents.stack import Stack


@pytest.fixture(scope="module")
def kafka_url() -> Iterator[str]:
    """Return `host:port` of a Kafka that only the tests of one module use."""
    with Stack(with_redis=False) as stack:
        yield stack.kafka_url
