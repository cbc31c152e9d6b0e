"""Write down the wire contract from the shapes that the code uses: JSON Schema, AsyncAPI, and what travels inside.

Each document is a JSON value whose order is always the same, so that its committed copy in schemas/snapshots/ shows in
review what a change of a shape does to others.
"""

import importlib
import json
import pkgutil
import re
import typing
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec

import schemas
from schemas.alert import Alert
from schemas.attributed import ACTOR_SHARDS, LINEAGES, PACKET_VERSION
from schemas.cascade import CascadeVitals
from schemas.channels import (
    ALERT_STATE,
    ALERTS,
    CASCADES,
    CHANNELS,
    CURSORS,
    LATE,
    REJECTIONS,
    SIGNALS,
    TOPICS,
    VITALS,
    ChannelSpec,
    raw_channel,
)
from schemas.cursor import Cursor
from schemas.rejection import REASONS, Late, Rejection
from schemas.rows import ROW_VERSION
from schemas.rules import Rules
from schemas.seeds import SeedsFile, TopicRecord
from schemas.signal import KINDS, Erasure, Heartbeat, Signal
from schemas.vitals import STATES, WINDOWS, Vitals
from streams.networks import NETWORKS

Document = dict[str, Any]

WIRE_VERSION = "1.0.0"
"""Version of what others read. The first number goes up when something that they rely on is gone."""

SHAPES: tuple[type[msgspec.Struct], ...] = (
    Signal,
    Heartbeat,
    Erasure,
    TopicRecord,
    SeedsFile,
    Vitals,
    CascadeVitals,
    Alert,
    Rejection,
    Late,
    Rules,
    Cursor,
)
RAW = "raw"
MESSAGES: dict[str, tuple[type[msgspec.Struct], ...]] = {
    SIGNALS.name: (Signal, Heartbeat, Erasure),
    TOPICS.name: (TopicRecord,),
    VITALS.name: (Vitals,),
    CASCADES.name: (CascadeVitals,),
    ALERTS.name: (Alert,),
    ALERT_STATE.name: (Alert,),
    REJECTIONS.name: (Rejection,),
    LATE.name: (Late,),
    CURSORS.name: (Cursor,),
}
"""What the channels that others read and write carry."""
ACTIONS: dict[str, tuple[str, ...]] = {
    SIGNALS.name: ("receive", "send"),
    TOPICS.name: ("receive",),
    VITALS.name: ("send",),
    CASCADES.name: ("send",),
    ALERTS.name: ("send",),
    ALERT_STATE.name: ("send",),
    REJECTIONS.name: ("send",),
    LATE.name: ("send",),
    CURSORS.name: (),
}
"""What a worker does with them."""
HEADERS: dict[str, str] = {
    "ce_specversion": "1.0",
    "ce_id": "the id of the alert, `<episode>.<revision>`: whoever drops repetitions by it sees each alert once",
    "ce_source": "`/overgrowth/<brand>/<topic>`",
    "ce_type": "`org.overgrowth.alert.<state>.<status>.v1`",
    "ce_time": "event time of the decision, RFC 3339",
    "ce_subject": "`<brand>/<topic>`",
    "ce_severity": "1 to 10",
    "ce_episode": "the episode that this is a revision of",
    "content-type": "application/json",
}
"""Headers of alerts: CloudEvents 1.0, Kafka binding, binary mode (WIRE.md §6)."""

DURATION = r"^(?:[0-9]{1,12}(?:ms|[wdhms]))+$"
_MODULE = re.compile(r"\b(?:schemas|streams)\.\w+\.")


def jsonschema() -> Document:
    """Return JSON Schema (2020-12) of every shape that others read or write, each under its name in `$defs`."""
    definitions = _definitions("#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Overgrowth",
        "description": "What others write to Overgrowth and read from it. Unknown fields of records are ignored.",
        "$defs": definitions,
    }


def asyncapi() -> Document:
    """Return AsyncAPI 3.0 of the channels that others read and write, from the point of view of a worker."""
    specs = [spec for spec in CHANNELS if spec.format == "json"]
    definitions = _definitions("#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Overgrowth",
            "version": WIRE_VERSION,
            "description": "Signals in, alerts out. In a namespace, the address of every channel begins with "
            "`<namespace>.`; the live namespace is empty.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "OVERGROWTH_KAFKA"}},
        "channels": {RAW: _raw(), **{_channel_id(spec): _channel(spec) for spec in specs}},
        "operations": {
            "receive-raw": _operation("receive", RAW, ["Payload"]),
            **{
                f"{action}-{_channel_id(spec)}": _operation(
                    action, _channel_id(spec), [shape.__name__ for shape in MESSAGES[spec.name]]
                )
                for spec in specs
                for action in ACTIONS[spec.name]
            },
        },
        "components": {"messages": _messages(), "schemas": definitions},
    }


def internal() -> Document:
    """Return what tables and packets are made of: the fields of each shape in their order, and what their numbers mean.

    Nobody else reads this, but a worker reads what an older one wrote: new fields come last and have defaults.
    """
    return {
        "description": "Rows of tables and packets between our own agents, as msgpack. A field of an array is known by "
        "its place: fields are only ever added at the end, with a default.",
        "constants": {
            "ROW_VERSION": ROW_VERSION,
            "PACKET_VERSION": PACKET_VERSION,
            "ACTOR_SHARDS": ACTOR_SHARDS,
            "KINDS": KINDS,
            "LINEAGES": LINEAGES,
            "REASONS": REASONS,
            "STATES": STATES,
            "WINDOWS": WINDOWS,
        },
        "shapes": {
            f"{module.__name__}.{shape.__name__}": _fields_of(shape)
            for module in _schema_modules()
            for shape in _array_shapes(module)
        },
        "channels": {
            spec.name: {"format": spec.format, "key": spec.key, "partitions": spec.partitions, "config": spec.config()}
            for spec in CHANNELS
        },
    }


DOCUMENTS: dict[str, Callable[[], Document]] = {"jsonschema": jsonschema, "asyncapi": asyncapi, "internal": internal}


def rendered(document: Document) -> str:
    """Return the text of a document as it is committed.

    >>> rendered({"b": 1, "a": ("é",)})
    '{\\n  "b": 1,\\n  "a": [\\n    "é"\\n  ]\\n}\\n'
    """
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


# --- JSON Schema ------------------------------------------------------------------------------------------------------


def _definitions(ref_template: str) -> Document:
    _, components = msgspec.json.schema_components(SHAPES, ref_template=ref_template)
    definitions = {name: _tidied(components[name]) for name in sorted(components)}
    rules_reference = {"$ref": ref_template.format(name=Rules.__name__)}
    for definition in definitions.values():
        properties = definition.get("properties", {})
        if definition["title"].endswith("Rules"):
            definition["properties"] = _with_durations(properties)
        elif properties.get("rules", {}).get("type") == "object":
            # Overrides are written in the shape of the rules themselves.
            properties["rules"] = rules_reference
    return definitions


def _tidied(schema: Any) -> Any:
    """Return a schema whose descriptions do not change when a docstring is wrapped anew."""
    if isinstance(schema, dict):
        return {
            name: " ".join(value.split()) if name == "description" and isinstance(value, str) else _tidied(value)
            for name, value in schema.items()
        }
    return [_tidied(one) for one in schema] if isinstance(schema, list | tuple) else schema


def _with_durations(properties: Document) -> Document:
    """Return the properties of rules as a file may write them: each duration also with its unit (`for: 2h`)."""
    with_unit = {"anyOf": [{"type": "string", "pattern": DURATION}, {"const": 0}]}
    result: Document = {}
    for name, schema in properties.items():
        if name.endswith("_ms"):
            is_list = schema.get("type") == "array"
            result[name.removesuffix("_ms")] = {"type": "array", "items": with_unit} if is_list else with_unit
        result[name] = schema
    return result


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


def _channel_id(spec: ChannelSpec) -> str:
    return spec.name.removeprefix("social.")


def _channel(spec: ChannelSpec) -> Document:
    binding: Document = {"topic": spec.name}
    if spec.partitions:
        binding["partitions"] = spec.partitions
    binding |= {"topicConfiguration": _topic_configuration(spec), "bindingVersion": "0.5.0"}
    return {
        "address": spec.name,
        "description": f"{spec.carries}; key: {spec.key}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(spec)},
        "bindings": {"kafka": binding},
    }


def _raw() -> Document:
    spec = raw_channel("{network}")
    return {
        "address": spec.name,
        "description": "payloads of a network, as its connector delivers them; any key",
        "parameters": {"network": {"description": "format of the payloads", "enum": list(NETWORKS)}},
        "messages": {"Payload": {"$ref": "#/components/messages/Payload"}},
        "bindings": {"kafka": {"topicConfiguration": _topic_configuration(spec), "bindingVersion": "0.5.0"}},
    }


def _topic_configuration(spec: ChannelSpec) -> Document:
    # Kafka takes numbers as text; AsyncAPI wants numbers.
    config = {name: json.loads(value) for name, value in spec.config().items() if value.replace(".", "").isdigit()}
    return {"cleanup.policy": spec.cleanup.split(","), **config}


def _names(spec: ChannelSpec) -> list[str]:
    return [shape.__name__ for shape in MESSAGES[spec.name]]


def _operation(action: str, channel_id: str, names: list[str]) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel_id}"},
        "messages": [{"$ref": f"#/channels/{channel_id}/messages/{name}"} for name in names],
    }


def _messages() -> Document:
    messages: Document = {"Payload": {"payload": {"description": "what the network's own format says"}}}
    keys: dict[type[msgspec.Struct], list[str]] = {}
    for spec in CHANNELS:
        for shape in MESSAGES.get(spec.name, ()):
            keys.setdefault(shape, []).append(spec.key)
    # These go to every partition, whatever their key.
    keys[Heartbeat], keys[Erasure] = ["source"], ["`erase`"]
    for shape, several in sorted(keys.items(), key=lambda item: item[0].__name__):
        name = shape.__name__
        messages[name] = {
            "payload": {"$ref": f"#/components/schemas/{name}"},
            "bindings": {
                "kafka": {"key": {"type": "string", "description": ", or ".join(several)}, "bindingVersion": "0.5.0"}
            },
        }
    messages[Alert.__name__]["headers"] = {
        "type": "object",
        "required": list(HEADERS),
        "properties": {name: {"type": "string", "description": said} for name, said in HEADERS.items()},
    }
    return messages


# --- inside -----------------------------------------------------------------------------------------------------------


def _schema_modules() -> list[ModuleType]:
    names = sorted(name for _, name, _ in pkgutil.iter_modules(schemas.__path__))
    return [importlib.import_module(f"schemas.{name}") for name in names]


def _array_shapes(module: ModuleType) -> list[type[msgspec.Struct]]:
    """Return the shapes of a module that are written as arrays, as all are that only our own agents read."""
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)]
    return [shape for shape in found if shape.__module__ == module.__name__ and shape.__struct_config__.array_like]


def _fields_of(shape: type[msgspec.Struct]) -> list[str]:
    types = typing.get_type_hints(shape)
    return [
        f"{field.encode_name}: {_type_name(types[field.name])}{_default(field)}"
        for field in msgspec.structs.fields(shape)
    ]


def _type_name(kind: Any) -> str:
    return kind.__name__ if type(kind) is type(msgspec.Struct) or type(kind) is type else _MODULE.sub("", str(kind))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f" = {field.default!r}"
    if field.default_factory is not msgspec.NODEFAULT:
        return f" = {field.default_factory()!r}"
    return ""
