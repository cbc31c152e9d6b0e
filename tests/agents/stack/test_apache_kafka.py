"""A real Apache Kafka keeps its log over a crash, a restart and a new object on the same directory."""

import shutil
from pathlib import Path

import pytest

from agents.stack.apache_kafka import ApacheKafka
from tests.agents.stack.round_trip import read_record, write_record

MISSING = [program for program in ("java", "mvn") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"a real Apache Kafka needs {' and '.join(MISSING)}, not found on the PATH"
    ),
]


def test_log_survives_a_crash_and_a_new_object(tmp_path: Path) -> None:
    """Fault tests kill the broker; an acknowledged record must be there when it comes back."""
    with ApacheKafka(directory=tmp_path) as kafka:
        port = kafka.port
        write_record(kafka.url, channel="round-trip", value=b"grown")
        kafka.kill()
        kafka.start()

        assert port == kafka.port
        assert read_record(kafka.url, channel="round-trip") == b"grown"

    # The new object gets other ports, the controller's too, and must still accept the directory.
    with ApacheKafka(directory=tmp_path) as kafka:
        assert read_record(kafka.url, channel="round-trip") == b"grown"
