"""The AsyncAPI document: fresh, valid by the specification's own schema, and true of what we read and say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from decisioning import decision as decisions
from decisioning import holds, stops
from decisioning.cases import parse
from decisioning.payload import TYPES
from decisioning.schemas import dumps
from decisioning.state.model import Hold, Scope
from decisioning.stops import Stop, What, Word
from decisioning.streaming.asyncapi import document
from decisioning.streaming.topics import TOPICS, Role
from tests.test_schemas import FORMATS, RULES, said

ROOT = Path(__file__).parents[2]
SPECIFICATION = Draft7Validator(json.loads((ROOT / "tests" / "asyncapi" / "3.1.0.json").read_bytes()))
DOCUMENT = document()


def faults(value: Any) -> list[str]:
    """What the specification has to say against a document."""
    return [f"{error.json_path}: {error.message[:200]}" for error in SPECIFICATION.iter_errors(value)]


@cache
def payload(name: str) -> Draft7Validator:
    """The checker of one message's payload."""
    return _checker(DOCUMENT["components"]["messages"][name]["payload"])


@cache
def headers(name: str) -> Draft7Validator:
    """The checker of one message's headers."""
    return _checker(DOCUMENT["components"]["messages"][name]["headers"])


def _checker(schema: Any) -> Draft7Validator:
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft7Validator.check_schema(whole)
    return Draft7Validator(whole, format_checker=FORMATS)


def test_the_file_is_fresh() -> None:
    """`make generated` writes what is there."""
    assert (ROOT / "contract" / "asyncapi.json").read_bytes() == dumps(DOCUMENT)


def test_it_is_valid_by_the_specification() -> None:
    """By the schema of `@asyncapi/specs`, Kafka bindings included."""
    assert faults(DOCUMENT) == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("asyncapi",), "3.0.0"),
        (("operations", "send.decisions", "action"), "publish"),
        (("channels", "decisions", "address"), 7),
        (("channels", "decisions", "bindings", "kafka", "topicConfiguration", "retention.ms"), "a week"),
        (("components", "messages", "decision.act", "bindings", "kafka", "keys"), {}),
        (("components", "schemas", "Line", "type"), "record"),
    ],
)
def test_the_specification_would_notice(path: tuple[str, ...], wrong: Any) -> None:
    """That nothing is said against the document means something."""
    broken = json.loads(json.dumps(DOCUMENT))
    *parents, last = path
    place = broken
    for name in parents:
        place = place[name]
    place[last] = wrong
    assert faults(broken)


def test_every_reference_leads_somewhere() -> None:
    """The specification's schema does not look."""

    def found(value: Any) -> list[str]:
        if isinstance(value, list):
            return [ref for one in value for ref in found(one)]
        if not isinstance(value, dict):
            return []
        return [value["$ref"]] if isinstance(value.get("$ref"), str) else found(list(value.values()))

    references = set(found(DOCUMENT))
    assert len(references) > 100
    for reference in references:
        place = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            assert name in place, reference
            place = place[name]


def test_every_topic_that_is_not_ours_alone_is_a_channel() -> None:
    """With the messages that belong there; we receive from all but our outputs."""
    public = {row.name: row for row in TOPICS if row.role is not Role.INTERNAL}
    assert set(DOCUMENT["channels"]) == set(public)
    for type_, (topic, _) in TYPES.items():
        assert {type_, f"{type_}.binary"} <= set(DOCUMENT["channels"][topic]["messages"])
    for one in DOCUMENT["operations"].values():
        name = one["channel"]["$ref"].rpartition("/")[2]
        assert one["action"] == ("send" if public[name].role is Role.OUTPUT else "receive")
        assert {ref["$ref"].rpartition("/")[2] for ref in one["messages"]} == set(
            DOCUMENT["channels"][name]["messages"]
        )


def test_what_we_read_is_what_it_says() -> None:
    """One event of each shape of the cases, in both modes; without its type it is none of this message."""
    seen = set[tuple[str, ...]]()
    for script in parse((RULES / "retail.cases.yaml").read_bytes(), "c.yaml"):
        for event in [*script.opening, *(scene.event for scene in script.scenes if scene.event is not None)]:
            data = json.loads(msgspec.json.encode(event.data))
            shape = (event.type, *(name for name, value in data.items() if value is not None))
            if shape in seen:
                continue
            seen.add(shape)
            attributes = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type,
                          "time": "2026-03-02T10:15:00Z", "subject": event.subject}  # fmt: skip
            assert list(payload(event.type).iter_errors({**attributes, "data": data})) == []
            assert list(payload(event.type).iter_errors({**attributes, "type": "x", "data": data}))
            binary = {"content-type": "application/json", **{f"ce_{name}": text for name, text in attributes.items()}}
            assert list(headers(f"{event.type}.binary").iter_errors(binary)) == []
            assert list(payload(f"{event.type}.binary").iter_errors(data)) == []
    assert len({type_ for type_, *_ in seen}) > 15


def test_what_we_say_is_what_it_says() -> None:
    """Every decision of all cases, in both modes, and never as another outcome's message."""
    for one in said():
        name = f"decision.{one.outcome.value}"
        assert list(payload(name).iter_errors(json.loads(decisions.dumps(one)))) == []
        assert list(
            payload("decision.act" if name != "decision.act" else "decision.hold").iter_errors(
                json.loads(decisions.dumps(one))
            )
        )
        value, told = decisions.dumps_binary(one)
        assert list(payload(f"{name}.binary").iter_errors(json.loads(value))) == []
        assert list(headers(f"{name}.binary").iter_errors({key: text.decode() for key, text in told})) == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("act", "valid_until"),
        ("defer", "not_before"),
        ("recall", "recalls"),
        ("hold", "scope"),
        ("release", "releases"),
    ],
)
def test_an_outcome_has_what_it_is_for(name: str, field: str) -> None:
    """Without it the message is not valid."""
    [one, *_] = [json.loads(decisions.dumps(one)) for one in said() if one.outcome.value == name]
    del one["data"][field]
    assert list(payload(f"decision.{name}").iter_errors(one))


def test_what_stands_and_what_is_stopped_is_what_it_says() -> None:
    """A record of holds, its tombstone, and a stop, standing or over."""
    hold = Hold("id", "hold.open_issue", Scope(classes=("marketing",)), 1_000_000, ("case:1",))
    for one in (hold, msgspec.structs.replace(hold, until=None)):
        written = json.loads(holds.dumps("c-1", 0, one))
        assert list(payload("hold.standing").iter_errors(written)) == []
        del written["data"]["scope"]
        assert list(payload("hold.standing").iter_errors(written))
    assert list(payload("hold.standing").iter_errors(None)) == []
    stop = Stop(What.CHANNEL, "sms", Word("anna", "2026-03-02T12:00:00Z", "because"))
    for pulled in (stop, stop.resume(stop.stopped)):
        assert list(payload("stop").iter_errors(json.loads(stops.dumps(pulled)))) == []
    assert list(payload("stop").iter_errors({"what": "everything", "name": "", "stopped": {}}))
