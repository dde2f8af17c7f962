"""The contract as one AsyncAPI 3.1 document: topics, keys, messages both ways, generated from the models and the table.

`contract/asyncapi.json` holds it; a test keeps that file fresh and checks it by the specification's own JSON Schema.
Operations are named from our side: we *receive* events and *send* decisions. Each message stands there twice, as the
two content modes of the CloudEvents Kafka binding have it: structured, and binary under the name with `.binary`.
Schemas keep to what JSON Schema draft 7 knows, which is all that AsyncAPI's tools must understand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from decisioning import schemas
from decisioning.decision import TYPE_PREFIX, Outcome
from decisioning.errors import Fault
from decisioning.holds import STANDING
from decisioning.schemas import Schema
from decisioning.stops import Stop
from decisioning.streaming.dead_letter import MEANING, Stage
from decisioning.streaming.past import HISTORY
from decisioning.streaming.topics import TOPICS, Role, Topic

VERSION: Final = "1.0.0"
"""Of the contract: the middle number counts what was added; a meaning never changes."""
_SHARED: Final = "#/components/schemas/"
_KAFKA: Final = "0.5.0"
_STRUCTURED: Final = "application/cloudevents+json"
_TEXT: Final = {"type": "string"}
_PARTITION: Final = "Its partition is Java's murmur2 of it (librdkafka: partitioner=murmur2_random)."
_ABOUT: Final = (
    "Events about customers in, one reasoned decision a request out. An event whose record has the header "
    f"`{HISTORY}` (a number of seconds) is history: it folds, nothing is said of it, and the holds that stand are said "
    "once so long no more of it came. Generated: do not edit."
)
_OUTCOMES: Final = {
    Outcome.ACT: "Say this, now, on this channel, before `valid_until`.",
    Outcome.SUPPRESS: "Asked, and the answer is no.",
    Outcome.DEFER: "Not now: it is asked again at `not_before`, and then answered once more.",
    Outcome.RECALL: "Take back the act named in `recalls`, if it has not gone out.",
    Outcome.HOLD: "From now, until `until` or its release: nothing of `scope` to this customer, whoever asks.",
    Outcome.RELEASE: "The hold named in `releases` is over; while any other stands, nothing is free.",
}


def document() -> Schema:
    """The whole document."""
    types, definitions = schemas.event_types(_SHARED + "{name}")
    messages: Schema = {}
    by_topic: dict[str, list[str]] = {}
    keys = {row.name: row.key for row in TOPICS}
    for type_, one in types.items():
        names = by_topic.setdefault(one.topic, [])
        summary = (one.model.__doc__ or "").split("\n\n")[0]
        names += _both(messages, type_, summary, one.data, one.required, keys[one.topic])
    for outcome, summary in _OUTCOMES.items():
        names = by_topic.setdefault("decisions", [])
        data = {"allOf": [{"$ref": _SHARED + "DecisionData"}, schemas.says(outcome)]}
        needs = ["subject", "data"]
        names += _both(messages, TYPE_PREFIX + outcome.value, summary, data, needs, keys["decisions"])
    messages |= {"dead-letter": _dead_letter(), "rulebook": _rulebook(), "stop": _stop(), STANDING: _standing(keys)}
    by_topic |= {"dead-letters": ["dead-letter"], "rulebooks": ["rulebook", "stop"], "holds": [STANDING]}
    rows = [row for row in TOPICS if row.role is not Role.INTERNAL]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "decisioning",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": _STRUCTURED,
        "channels": {row.name: _channel(row, by_topic[row.name]) for row in rows},
        "operations": dict(_operation(row, by_topic[row.name]) for row in rows),
        "components": {"messages": messages, "schemas": {**_shared(), **definitions}},
    }


def _both(messages: Schema, name: str, summary: str, data: Schema, required: Iterable[str], key: str) -> list[str]:
    """Add a CloudEvent in both content modes; the names of the two messages."""
    needs = list(required)
    own: Schema = {"type": "object", "properties": {"type": {"const": name}, "data": data}, "required": needs}
    common: Schema = {"title": name, "summary": summary, "bindings": _keyed(key)}
    messages[name] = {
        **common,
        "name": name,
        "contentType": _STRUCTURED,
        "payload": {"allOf": [{"$ref": f"{_SHARED}CloudEvent"}, own]},
    }
    headers: Schema = {"type": "object", "properties": {"ce_type": {"const": name}}}
    headers["required"] = [f"ce_{one}" for one in needs if one != "data"]
    messages[f"{name}.binary"] = {
        **common,
        "name": f"{name}.binary",
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": f"{_SHARED}CloudEventHeaders"}, headers]},
        "payload": data,
    }
    return [name, f"{name}.binary"]


def _shared() -> Schema:
    """The schemas that the messages of both directions share."""
    envelope = schemas.envelope()
    attributes = {name: one for name, one in envelope["properties"].items() if name != "data"}
    headers = {f"ce_{name}": one for name, one in attributes.items()}
    decision = schemas.decision()
    data = decision["properties"]["data"]
    parts = {"Trigger": decision["$defs"]["trigger"], "Verdict": decision["$defs"]["verdict"]}
    return {
        "CloudEvent": {**envelope, "description": "A CloudEvent 1.0 in structured JSON."},
        "CloudEventHeaders": {
            "type": "object",
            "description": "A CloudEvent 1.0 in binary mode: its attributes as headers, its data as the value.",
            "properties": {**headers, "content-type": {"const": "application/json"}, "traceparent": _TEXT},
            "required": [f"ce_{name}" for name in envelope["required"]],
        },
        "DecisionData": _pointed(data),
        **parts,
    }


def _pointed(schema: Any) -> Any:
    """A schema whose references lead to where the document has them."""
    if isinstance(schema, list):
        return [_pointed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {"#/$defs/trigger": f"{_SHARED}Trigger", "#/$defs/verdict": f"{_SHARED}Verdict"}
    return {name: moved.get(one, one) if name == "$ref" else _pointed(one) for name, one in schema.items()}


def _channel(row: Topic, names: Iterable[str]) -> Schema:
    """A topic, with what its configuration promises; how many partitions it has is each installation's own."""
    kept: Schema = {"cleanup.policy": ["compact" if row.retention_ms is None else "delete"]}
    if row.retention_ms is not None:
        kept["retention.ms"] = row.retention_ms
    together = " All topics keyed by customer have the same number of partitions." if row.co_partitioned else ""
    return {
        "address": row.name,
        "description": f"{row.why[:1].upper()}{row.why[1:]}. Keyed by {row.key}.{together}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": {"topic": row.name, "topicConfiguration": kept, "bindingVersion": _KAFKA}},
    }


def _operation(row: Topic, names: Iterable[str]) -> tuple[str, Schema]:
    ours = row.role is Role.OUTPUT
    here = f"#/channels/{row.name}"
    told: Schema = {
        "action": "send" if ours else "receive",
        "channel": {"$ref": here},
        "summary": f"We {'write' if ours else 'read'} {row.why}.",
        "messages": [{"$ref": f"{here}/messages/{name}"} for name in names],
    }
    if row.name == "contact-requests":
        told["reply"] = {"channel": {"$ref": "#/channels/decisions"}}
    return f"{told['action']}.{row.name}", told


def _keyed(key: str) -> Schema:
    return {"kafka": {"key": {"type": "string", "description": f"The {key}. {_PARTITION}"}, "bindingVersion": _KAFKA}}


def _dead_letter() -> Schema:
    faults = {
        "type": "string",
        "enum": [fault.value for fault in Fault],
        "description": " ".join(f"{fault.value}: {meaning}" for fault, meaning in MEANING.items()),
    }
    why = {
        "__streams.errors.exception": _TEXT,
        "__streams.errors.message": _TEXT,
        "__streams.errors.topic": _TEXT,
        "__streams.errors.partition": _TEXT,
        "__streams.errors.offset": _TEXT,
        "decisioning.error.stage": {"type": "string", "enum": [stage.value for stage in Stage]},
        "decisioning.error.code": faults,
        "decisioning.error.cut": {"type": "string", "description": "What was too long to be kept whole."},
    }
    required = [name for name in why if name != "decisioning.error.cut"]
    return {
        "name": "dead-letter",
        "summary": "A record that could not be read, as it came, with headers that say why.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": why, "required": required},
        "payload": {"description": "The bytes of the record."},
    }


def _rulebook() -> Schema:
    return {
        "name": "rulebook",
        "summary": "A rulebook for every worker of its name, over its file; without a value: back to the file.",
        "contentType": "application/yaml",
        "payload": {"type": ["string", "null"], "description": "YAML 1.2 by rules/schema/rulebook.json."},
        "bindings": _keyed("rulebook's name"),
    }


def _stop() -> Schema:
    (_,), definitions = msgspec.json.schema_components([Stop], ref_template=_SHARED + "{name}")
    return {
        "name": "stop",
        "summary": "Somebody's stop of marketing, a channel, an action or a campaign, on every worker, until resumed.",
        "contentType": "application/json",
        "payload": {**_inlined(definitions, definitions["Stop"]), "type": ["object", "null"]},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": 'JSON: ["stop", what, name, who]. Write it by the command.'},
                "bindingVersion": _KAFKA,
            }
        },
    }


def _inlined(definitions: Any, schema: Any) -> Any:
    """A schema without references to the few small ones that it is made of."""
    if isinstance(schema, list):
        return [_inlined(definitions, one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions, definitions[schema["$ref"].rpartition("/")[2]])
    return {name: _inlined(definitions, one) for name, one in schema.items()}


def _standing(keys: dict[str, str]) -> Schema:
    told: Schema = {
        "type": "object",
        "properties": {
            "hold": {**_TEXT, "description": "Its decision id."},
            "reason": _TEXT,
            "scope": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}},
            "until": {**_TEXT, "format": "date-time", "description": "Its end; none: until it is replaced or gone."},
        },
        "required": ["hold", "reason", "scope"],
    }
    own: Schema = {"type": "object", "properties": {"type": {"const": STANDING}, "data": told}, "required": ["data"]}
    return {
        "name": STANDING,
        "title": STANDING,
        "summary": "What nobody may say to this customer now; a tombstone when nothing of this scope stands.",
        "contentType": _STRUCTURED,
        "payload": {"anyOf": [{"type": "null"}, {"allOf": [{"$ref": f"{_SHARED}CloudEvent"}, own]}]},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"{keys['holds']}, the scope as JSON with sorted keys; on the"
                        " partition of the customer's id."},
                "bindingVersion": _KAFKA,
            }
        },
    }  # fmt: skip
