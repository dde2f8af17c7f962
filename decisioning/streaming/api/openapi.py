"""The OpenAPI 3.1 document, made of the routes and of the models that they answer with.

`contract/openapi.json` holds it as a file; a test keeps that as fresh as the code.
"""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any, Final

import msgspec

from decisioning import schemas
from decisioning.context import Context, OrderStatus
from decisioning.payload import Asked, ContactRequested
from decisioning.stops import Stop
from decisioning.streaming.api.problem import PROBLEMS, TYPE
from decisioning.streaming.api.routes import ROUTES, Query, Route
from decisioning.streaming.api.switch import Resumed, ResumeRequest, StopRequest, StopsShown
from decisioning.streaming.api.views import SILENT_SECONDS

Schema = dict[str, Any]
_SAYS: Final = (
    "Ask whether a customer may be spoken to, and wait for the answer. Every answer with `degraded: true` was given"
    " without seeing the customer's history, or not all of it: service yes, marketing no. What is looked up is what its"
    " worker has read of the log so far, and may lag behind what has happened by as much as the worker does (its metric"
    f" `lag_records`); where Kafka says nothing, that is noticed after {SILENT_SECONDS:g} seconds, and only from then"
    " on is it `degraded`. An order's `as_of` is the time of the newest event that is known of it, and stands still"
    " while Kafka is silent; a context's is the instant that its answers are for. A decision never rests on"
    " a look: it is taken in the order of the log."
)
_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{name}"
_EVERYWHERE: Final = ("bad-request", "unauthenticated", "forbidden", "too-many-requests", "internal")
_OLDER: Final[Schema] = {
    "enum": ["none", "unknown", "not_looked"],
    "description": "Whether an answer stands on the topic before the newest decisions. `none`: no; with `since`, not"
    " from there on. `unknown`: perhaps, for not all could be read within the bounds. `not_looked`: the caller did not"
    " wait, or another look was under way; ask again.",
}
_EXAMPLES: Final[Schema] = {
    "Request": {
        "subject": "c-42",
        "data": {
            "request_id": "r-1",
            "candidates": [{"action": "ereader_sale", "class": "marketing", "channels": ["sms", "email"]}],
        },
    },
    "StopRequest": {"what": "channel", "name": "sms", "why": "the texts have wrong prices"},
    "ResumeRequest": {"what": "channel", "name": "sms", "why": "the texts are right again"},
}


def document() -> Schema:
    """The document."""
    paths: Schema = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "decisioning",
            "version": importlib.metadata.version("decisioning"),
            "description": _SAYS,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def dumps() -> bytes:
    """The document as the bytes of its file."""
    return schemas.dumps(document())


def _operation(route: Route) -> Schema:
    found: Schema = {
        "operationId": route.name,
        "summary": route.says,
        "parameters": [_path(name) for name in re.findall(r"{(\w+)}", route.path)] + [_query(q) for q in route.queries],
        "responses": {str(status): _good(status, name) for status, name in route.answers.items()},
    }
    if route.more:
        found["description"] = route.more
    if route.scope is not None:
        found["x-scope"] = route.scope.value
    if route.request:
        found["parameters"] += [_HEADERS[name] for name in route.headers]
        body = {"schema": {"$ref": _REF.format(name=route.request)}, "example": _EXAMPLES[route.request]}
        found["requestBody"] = {
            "required": True, "content": {_JSON: body, "application/cloudevents+json": body},
        }  # fmt: skip
    for code in sorted({*_EVERYWHERE, *route.problems}, key=lambda one: PROBLEMS[one]):
        status, title = PROBLEMS[code]
        found["responses"][str(status)] = {
            "description": title, "content": {TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
        }  # fmt: skip
    return found


_HEADERS: Final[Schema] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key", "in": "header", "description": "The event's `id`, where the body has none.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 512},
    },
    "Prefer": {
        "name": "Prefer", "in": "header", "description": "`wait=3`: seconds to wait for the answer, up to 10.",
        "schema": {"type": "string"},  # RFC 7240: what is not understood is passed over
    },
}  # fmt: skip


def _path(name: str) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 512},
    }


def _query(query: Query) -> Schema:
    text = {"type": "string", "maxLength": 512}
    number = {"type": "integer", "minimum": 1, "maximum": query.most, "default": 20}
    return {"name": query.name, "in": "query", "description": query.says, "schema": number if query.most else text}


def _good(status: int, name: str) -> Schema:
    if not name:
        return {"description": "Ask at `Location`.", "headers": {"Location": {"schema": {"type": "string"}}}}
    found: Schema = {
        "description": "It is on the log, its answer will be at `Location`." if status == 202 else "As asked.",
        "content": {_JSON: {"schema": {"$ref": _REF.format(name=name)}}},
    }
    return found | ({"headers": {"Location": {"schema": {"type": "string"}}}} if status == 202 else {})


_MODELS: Final = [
    Context, OrderStatus, ContactRequested, Asked, StopsShown, Stop, Resumed, StopRequest, ResumeRequest,
]  # fmt: skip


def _schemas() -> Schema:
    _, found = msgspec.json.schema_components(_MODELS, ref_template=_REF)
    decision = _lifted(schemas.decision(), found)
    text, flag = {"type": "string"}, {"type": "boolean"}
    verdict = {"$ref": _REF.format(name="verdict")}
    events = {"type": "array", "items": {"$ref": _REF.format(name="Decision")}}
    voices = _object(dict.fromkeys(("author", "agent", "customer"), text))
    return found | {
        "Request": _request(),
        "Decision": decision,
        "Outcome": _object(
            {
                "status": {"enum": ["answered", "pending", "not_recorded", "uncertain"]},
                "degraded": flag,
                "decisions": events,
                "advice": {"type": "array", "items": verdict, "description": "No decision: what holds of a stranger."},
                "older": _OLDER,
            },
            ["status", "degraded", "decisions"],
        ),
        "Decisions": _object(
            {"customer": text, "degraded": flag, "decisions": events, "older": _OLDER},
            ["customer", "degraded", "decisions"],
        ),
        "Why": _object(
            {
                "decision": {"$ref": _REF.format(name="Decision")},
                "reasons": {"type": "object", "additionalProperties": voices, "description": "Each reason in words."},
            }
        ),
        "Document": {"type": "object"},
        "Problem": _object(
            {"type": text, "title": text, "status": {"type": "integer"}, "detail": text, "code": {"enum": [*PROBLEMS]}}
        ),
    }


def _request() -> Schema:
    """A `contact.requested` whose other attributes may be left out."""
    found = schemas.event()["properties"] | {"type": {"const": "contact.requested"}}
    properties: Schema = {name: {"anyOf": [one, {"type": "null"}]} for name, one in found.items()}  # null is absent
    properties["subject"] = {"type": "string", "minLength": 1, "maxLength": 512, "description": "The customer."}
    properties["data"] = {"$ref": _REF.format(name="ContactRequested")}
    return {"type": "object", "properties": properties, "required": ["subject", "data"]}


def _lifted(schema: Schema, into: Schema) -> Schema:
    """A schema whose definitions become components beside it."""
    into.update({name: _moved(one) for name, one in schema.pop("$defs").items()})
    del schema["$schema"]
    moved: Schema = _moved(schema)
    return moved


def _moved(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: one.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _moved(one)
        for name, one in schema.items()
    }


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    return {
        "type": "object", "properties": properties,
        "required": list(properties) if required is None else required, "additionalProperties": False,
    }  # fmt: skip
