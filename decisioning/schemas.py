"""JSON Schemas of what goes in and what comes out: rulebook, cases, event, decision, generated from the models.

Files hold them, in `rules/schema/` for authors and in `contract/` for services; a test keeps those as fresh as the
models. Editors complete a rulebook and its cases from them (the `yaml-language-server` line at the top), services check
what they send and receive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from decisioning.cases.model import Book
from decisioning.decision import SOURCE, TYPE_PREFIX, Outcome
from decisioning.instant import format_duration
from decisioning.payload import TYPES, ContactWithdrawn, Data
from decisioning.rulebook import Rulebook

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_HUMAN_TIME: Final = {"type": "string", "examples": ["2026-03-02 10:15", "2026-03-02 10:15+01:00"]}
_WORDS: Final = {"type": "array", "items": _TEXT}
_FILLED_IN: Final = frozenset({"decision_id", "channel", "in_time", "request_id"})
"""What a case need not write: it is filled in."""

Schema = dict[str, Any]


def rulebook() -> Schema:
    """The schema of a rulebook."""
    return _titled("Rulebook", _readable(Rulebook.model_json_schema()))


def cases() -> Schema:
    """The schema of a cases file; an event's data may be written as people write it."""
    found: Schema = _readable(Book.model_json_schema())
    events = found["$defs"]["Step"]["properties"]
    for type_, (_, model) in TYPES.items():
        ref, definitions = _payload(model)
        found["$defs"].update({name: _relaxed(one) for name, one in definitions.items()})
        events[type_] = {"$ref": ref, "description": model.__doc__}
    product = {"items": {"$ref": "#/$defs/ProductDescribed"}, "type": "array"}
    for owner in (found, found["$defs"]["Case"]):
        owner["properties"]["products"] |= product
    return _titled("Cases", found)


class EventType(NamedTuple):
    """What a schema says of one event type: the schema of its data, and which of `data` and `subject` it needs."""

    topic: str
    model: type[Data]
    data: Schema
    required: list[str]


def event_types(template: str = "#/$defs/{name}") -> tuple[dict[str, EventType], Schema]:
    """Every event type by its name, and the definitions that their schemas point to by `template`."""
    definitions: Schema = {}
    types = {}
    for type_, (topic, model) in TYPES.items():
        ref, found = _payload(model, template)
        definitions |= found
        data: Schema = {"$ref": ref}
        required = [field.encode_name for field in msgspec.structs.fields(model) if field.required]
        if model is ContactWithdrawn:
            named = [{"required": [name], "properties": {name: _TEXT}} for name in ("request_id", "campaign")]
            data = {"allOf": [data], "anyOf": named}
            required = ["request_id", "campaign"]
        needs = (["data"] if required else []) + ([] if topic == "products" else ["subject"])
        types[type_] = EventType(topic, model, data, needs)
    return types, definitions


def event() -> Schema:
    """The schema of an event: a CloudEvent in structured JSON, its data by its type; other types are let pass."""
    types, definitions = event_types()
    rules = [
        {
            "if": {"properties": {"type": {"const": type_}}, "required": ["type"]},
            "then": {"properties": {"data": one.data}, "required": one.required},
        }
        for type_, one in types.items()
    ]
    return _titled("Event", {**envelope(), "allOf": rules, "$defs": definitions})


def envelope() -> Schema:
    """The schema of the attributes that every event has, whatever its type."""
    properties = {
        "specversion": {"const": "1.0"},
        "id": _TEXT | {"minLength": 1, "maxLength": 512},
        "source": _TEXT | {"minLength": 1, "maxLength": 512},
        "type": _TEXT | {"minLength": 1, "maxLength": 200, "examples": list(TYPES)},
        "time": _TIME,
        "subject": _TEXT | {"maxLength": 512, "description": "The customer, or an identity; the record's key."},
        "traceparent": _TEXT | {"maxLength": 200},
        "data": {"type": ["object", "null"]},
    }
    return {"type": "object", "properties": properties, "required": ["specversion", "id", "source", "type", "time"]}


def decision() -> Schema:
    """The schema of a decision: a CloudEvent in structured JSON."""
    properties = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid"},
        "source": {"const": SOURCE},
        "type": {"enum": [TYPE_PREFIX + outcome.value for outcome in Outcome]},
        "time": _TIME,
        "subject": _TEXT,
        "traceparent": _TEXT,
        "data": _object(_DATA, ["outcome", "reason", "trigger", "rulebook"]),
    }
    rules = [
        {
            "if": {"properties": {"type": {"const": TYPE_PREFIX + outcome.value}}},
            "then": {"properties": {"data": says(outcome)}},
        }
        for outcome in Outcome
    ]
    required = ["specversion", "id", "source", "type", "time", "subject", "data"]
    defined = {"trigger": _TRIGGER, "verdict": _VERDICT}
    return _titled("Decision", {**_object(properties, required), "allOf": rules, "$defs": defined})


def says(outcome: Outcome) -> Schema:
    """What the data of a decision with this outcome has beyond what all have."""
    return {"properties": {"outcome": {"const": outcome.value}}, "required": list(_NEEDED[outcome])}


_SPOKEN: Final = ("action", "class", "channel")
_NEEDED: Final = {
    Outcome.ACT: (*_SPOKEN, "valid_until"),
    Outcome.SUPPRESS: _SPOKEN,
    Outcome.DEFER: (*_SPOKEN, "not_before"),
    Outcome.RECALL: (*_SPOKEN, "recalls"),
    Outcome.HOLD: ("scope",),
    Outcome.RELEASE: ("releases",),
}


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "rulebook": rulebook,
    "cases": cases,
    "event": event,
    "decision": decision,
}
"""File name without `.json` -> what makes it."""


def dumps(schema: Schema) -> bytes:
    """A schema as the bytes of its file."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_TRIGGER: Final = _object({"source": _TEXT, "id": _TEXT, "type": _TEXT}, ["source", "id", "type"])
_VERDICT: Final = _object(
    {
        "action": _TEXT,
        "channel": _TEXT,
        "verdict": {"enum": ["allow", "suppress", "defer"]},
        "reason": {"type": "string", "pattern": r"^[a-z_]+\.[a-z0-9_]+$"},
        "because": {"type": "object", "description": "The facts behind the reason."},
        "not_before": _TIME,
        "allowed_from": _TIME,
    },
    ["action", "channel", "verdict", "reason"],
)
_DATA: Final[Schema] = {
    "outcome": {"enum": [outcome.value for outcome in Outcome]},
    "action": _TEXT,
    "class": {"enum": ["marketing", "survey", "service", "care"]},
    "channel": _TEXT,
    "reason": {"type": "string", "pattern": r"^[a-z_]+\.[a-z0-9_]+$", "description": "family.detail"},
    "request_id": _TEXT,
    "trigger": {"$ref": "#/$defs/trigger", "description": "The event that is answered."},
    "cause": {"$ref": "#/$defs/trigger", "description": "For an answer at a wake: the event that began it."},
    "valid_until": _TIME | {"description": "It must not go out from then on."},
    "not_before": _TIME | {"description": "It is asked again then, and answered once more."},
    "allowed_from": _TIME | {"description": "A new request for the same thing would be allowed from then on."},
    "recalls": _TEXT | {"description": "The id of the act that is taken back."},
    "replaces": _TEXT | {"description": "The requested action that this one stands in for."},
    "releases": _TEXT | {"description": "The id of the hold that is over."},
    "scope": {
        "type": "object",
        "properties": dict.fromkeys(("categories", "channels", "channels_except", "classes", "skus"), _WORDS),
        "additionalProperties": False,
        "description": "What a hold forbids: what all its lists name; without any, everything.",
    },
    "until": _TIME | {"description": "The end of a hold that passes by itself."},
    "treatment": _TEXT | {"description": "Which wording the rulebook names."},
    "context": {"type": "object", "description": "What whoever speaks should know."},
    "propensity": {"type": "number"},
    "considered": {"type": "array", "items": {"$ref": "#/$defs/verdict"}},
    "rulebook": _object({"name": _TEXT, "version": _TEXT, "digest": _TEXT}, ["name", "version", "digest"]),
}


def _titled(title: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, **schema, "title": title}


def _payload(model: type[msgspec.Struct], template: str = "#/$defs/{name}") -> tuple[str, Schema]:
    """Where a payload's schema stands, and all definitions that it needs."""
    [found], definitions = msgspec.json.schema_components(
        [model], ref_template=template, schema_hook=lambda _: {"description": "Any value."}
    )
    return str(found["$ref"]), definitions


def _relaxed(schema: Any) -> Any:
    """The schema of a payload as a case may write it: times as people write them, what is filled in left out."""
    if isinstance(schema, list):
        return [_relaxed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "date-time":
        return _HUMAN_TIME
    found = {name: _relaxed(one) for name, one in schema.items()}
    if "required" in found:
        found["required"] = [name for name in found["required"] if name not in _FILLED_IN]
    return found


def _readable(schema: Any, *, fields: bool = False) -> Any:
    """Without the titles that pydantic makes of names, and with defaults as an author writes them; `fields`: the keys
    are names of fields, not words of a schema."""
    if isinstance(schema, list):
        return [_readable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: _readable(one, fields=name in ("properties", "$defs") and not fields)
        for name, one in schema.items()
        if fields or name not in ("title", "exclusiveMinimum", "minimum", "maximum") or _of_a_number(schema, name)
    }
    default = found.get("default")
    if not fields and isinstance(default, int) and found.get("type") == "string":
        clock = ":" in found.get("pattern", "")
        found["default"] = f"{default // 60:02}:{default % 60:02}" if clock else format_duration(default)
    return found


def _of_a_number(schema: Schema, name: str) -> bool:
    return name != "title" and schema.get("type") in ("integer", "number")
