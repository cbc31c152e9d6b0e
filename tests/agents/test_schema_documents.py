"""Check that the documents of the wire contract say what the code does."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from agents.schema_documents import (
    ACTIONS,
    DOCUMENTS,
    DURATION,
    HEADERS,
    MESSAGES,
    SHAPES,
    Document,
    asyncapi,
    internal,
    jsonschema,
    rendered,
)
from agents.settings import Settings
from agents.watch_topics import CLOUD_EVENT_TYPE, WatchShell
from schemas.alert import Alert, Evidence, Span
from schemas.attributed import AttributedSignal
from schemas.channels import CHANNELS
from schemas.rules import Rules
from streams.attribution.matcher import Registry
from streams.lifecycle.rules import parse_duration


def references(value: Any) -> Iterator[str]:
    """Yield every `$ref` in a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(document: Document, reference: str) -> Any:
    """Return what a reference within a document leads to."""
    value: Any = document
    for part in reference.removeprefix("#/").split("/"):
        value = value[part]
    return value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere(name: str) -> None:
    """A reader that follows one into nothing cannot use the document at all."""
    document = DOCUMENTS[name]()

    for reference in references(document):
        assert resolved(document, reference) is not None


def test_a_document_is_the_same_in_every_process() -> None:
    """Otherwise its committed copy would differ from run to run."""
    code = (
        "import sys; from agents.schema_documents import DOCUMENTS, rendered\n"
        "sys.stdout.write(''.join(rendered(make()) for make in DOCUMENTS.values()))"
    )

    printed = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]

    assert printed[0] == printed[1] == "".join(rendered(make()) for make in DOCUMENTS.values())


# --- JSON Schema ------------------------------------------------------------------------------------------------------


def test_every_shape_that_others_read_or_write_is_described() -> None:
    """With what is required of it, and no more."""
    definitions = jsonschema()["$defs"]

    assert {shape.__name__ for shape in SHAPES} <= set(definitions)
    for shape in SHAPES:
        required = [field.encode_name for field in msgspec.structs.fields(shape) if field.required]
        assert definitions[shape.__name__]["required"] == required
    assert definitions["Signal"]["required"] == ["id", "network", "kind", "at", "actor"]


def test_a_seeds_file_may_write_rules_with_their_units() -> None:
    """`for: 2h` is how people write durations, and the pattern takes what the reader takes."""
    definitions = jsonschema()["$defs"]
    outgrown = definitions["OutgrownRules"]["properties"]

    assert definitions["TopicEntry"]["properties"]["rules"] == {"$ref": "#/$defs/Rules"}
    assert {"for", "for_ms", "ratio_enter"} <= set(outgrown)
    assert set(definitions["ReminderRules"]["properties"]) == {"after", "after_ms", "every", "every_ms"}
    for text in ("2h", "1h30m", "250ms", "soon", "2 h", "", "-1h", "2"):
        assert bool(re.fullmatch(DURATION, text)) == (parse_duration(text) is not None)


def test_defaults_of_rules_are_those_in_force() -> None:
    """Who tunes a rule starts from its default."""
    definitions = jsonschema()["$defs"]
    groups = [group for group in msgspec.structs.asdict(Rules()).values() if isinstance(group, msgspec.Struct)]

    for group in groups:
        described = definitions[type(group).__name__]["properties"]
        defaults = json.loads(msgspec.json.encode(group))
        assert {name: described[name]["default"] for name in defaults} == defaults


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


def test_every_channel_of_records_that_others_read_is_described() -> None:
    """Channels, what they carry and what a worker does with them, under their addresses."""
    document = asyncapi()
    public = {spec.name: spec for spec in CHANNELS if spec.format == "json"}

    addresses = {channel["address"]: channel for channel in document["channels"].values()}
    assert set(addresses) == {*public, "social.raw.{network}"}
    assert set(MESSAGES) == set(ACTIONS) == set(public)
    for name, spec in public.items():
        configuration = addresses[name]["bindings"]["kafka"]["topicConfiguration"]
        assert configuration.pop("cleanup.policy") == spec.cleanup.split(",")
        assert {
            key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in configuration.items()
        } == {key: value for key, value in spec.config().items() if key != "cleanup.policy"}
    assert {operation["action"] for operation in document["operations"].values()} == {"send", "receive"}


def test_the_headers_of_alerts_are_those_that_are_sent() -> None:
    """Subscribers filter by them without a look at the value."""
    alert = Alert(
        id="e.1",
        episode="e",
        brand="cern",
        topic="higgs",
        state="outgrown",
        status="firing",
        severity=6,
        at="2012-07-04T08:12:00Z",
        since="2012-07-04T06:11:00Z",
        summary="s",
        conditions=(),
        evidence=Evidence(),
        rules="r",
        span=Span("2012-07-03T08:12:00Z", "2012-07-04T08:12:00Z", 3),
    )
    shell = WatchShell(Settings(), lambda: Registry(()), partition=0)

    sent = [dict(record.headers) for record in shell._alert_records(alert, at_ms=0)]

    assert [list(headers) for headers in sent] == [list(HEADERS), list(HEADERS)]
    assert sent[0]["ce_specversion"].decode() == HEADERS["ce_specversion"]
    assert sent[0]["content-type"].decode() == HEADERS["content-type"]
    assert HEADERS["ce_type"] == f"`{CLOUD_EVENT_TYPE}.<state>.<status>.v1`"
    assert sent[0]["ce_type"].decode() == f"{CLOUD_EVENT_TYPE}.outgrown.firing.v1"


# --- inside -----------------------------------------------------------------------------------------------------------


def test_what_tables_and_packets_hold_is_written_down_in_its_order() -> None:
    """A field that moves, or comes in between, makes every older row mean something else."""
    shapes = internal()["shapes"]

    names = [line.partition(":")[0] for line in shapes["schemas.attributed.AttributedSignal"]]
    assert names == list(AttributedSignal.__struct_fields__)
    assert "followers: int | None = None" in shapes["schemas.attributed.AttributedSignal"]
    assert "sources: dict[str, SourceRow] = {}" in shapes["schemas.rows.SourceClockRow"]


def test_every_shape_of_tables_and_packets_is_found_by_itself() -> None:
    """A module of rows that is added shows in review without anybody having to think of it."""
    modules = {name.rpartition(".")[0] for name in internal()["shapes"]}

    assert {f"schemas.{name}" for name in ("attributed", "contribution", "rows", "lifecycle_rows")} <= modules
    assert not modules & {"schemas.signal", "schemas.alert", "schemas.vitals", "schemas.rejection", "schemas.seeds"}
