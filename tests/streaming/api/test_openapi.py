"""The OpenAPI document: fresh, valid, and of the same routes as the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from decisioning.context import context
from decisioning.streaming.api.openapi import document, dumps
from decisioning.streaming.api.routes import ROUTES
from decisioning.streaming.api.views import SILENT_SECONDS
from decisioning.streaming.metrics import Metrics
from tests.builders import CUSTOMER, at, case_opened, uncapped

FILE = Path(__file__).parents[3] / "contract" / "openapi.json"


def valid(name: str, value: Any) -> None:
    """Raises where a value is not what the document says of it."""
    found = document()
    jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **found}).validate(value)


def test_the_file_is_fresh() -> None:
    """`make generated` writes it."""
    assert FILE.read_bytes() == dumps()


def test_it_has_every_route_and_no_other() -> None:
    """With its scope, behind a token."""
    found = document()
    assert found["security"] == [{"token": []}]
    told = [(path, method.upper(), one) for path, item in found["paths"].items() for method, one in item.items()]
    assert [(path, method, one.get("x-scope")) for path, method, one in told] == [
        (route.path, route.method, route.scope) for route in ROUTES
    ]
    for _, _, one in told:
        assert {"401", "403", "429", "500"} <= one["responses"].keys()


def test_it_says_where_a_look_may_lag() -> None:
    """What `as_of` and `degraded` mean while Kafka is silent; by the seconds and the metric that there are."""
    text = document()["info"]["description"]
    assert f"after {SILENT_SECONDS:g} seconds" in text
    assert "An order's `as_of` is the time of the newest event" in text
    assert "`lag_records`" in text
    assert Metrics.lag.name == "lag_records"


def test_every_reference_leads_somewhere() -> None:
    """And no definition of another document is left."""
    text = json.dumps(document())
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document()["components"]["schemas"].keys()
    assert "$defs" not in text


@pytest.mark.parametrize("name", document()["components"]["schemas"])
def test_every_schema_is_one(name: str) -> None:
    """Of the dialect that OpenAPI 3.1 speaks."""
    jsonschema.Draft202012Validator.check_schema(document()["components"]["schemas"][name])


def test_a_context_is_as_the_document_says() -> None:
    """The example of the request, too."""
    story = uncapped()
    story.at("2026-03-02 12:00", case_opened())
    found = context(story.policy, story.state, CUSTOMER, at("2026-03-02 13:00"))
    valid("Context", msgspec.to_builtins(found))
    valid("Request", document()["paths"]["/v1/decide"]["post"]["requestBody"]["content"]["application/json"]["example"])
    with pytest.raises(jsonschema.ValidationError):
        valid("Request", {"subject": "c-1"})
