"""The JSON Schemas: as fresh as the models, and they accept what we accept and say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from decisioning import decision as decisions
from decisioning.cases import parse, play
from decisioning.decision import Decision
from decisioning.document import plain, read
from decisioning.instant import parse_instant
from decisioning.payload import TYPES
from decisioning.rulebook import parse as parse_rulebook
from decisioning.schemas import SCHEMAS, dumps

RULES = Path(__file__).parent.parent / "rules"
BOOKS = sorted(path for path in RULES.rglob("*.yaml") if not path.name.endswith(".cases.yaml"))


def is_a_time(text: object) -> bool:
    """The library itself looks at times only with one more package."""
    return not isinstance(text, str) or parse_instant(text) is not None


FORMATS = FormatChecker()
FORMATS.checks("date-time", ValueError)(is_a_time)


@cache
def validator(name: str) -> Draft202012Validator:
    """The checker of one schema."""
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


def faults(name: str, value: Any) -> list[str]:
    """What a schema has to say against a value."""
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(value)]


def tree(path: Path) -> Any:
    """A file as plain values."""
    return plain(read(path.read_bytes(), path.name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_are_fresh(name: str) -> None:
    """`make generated` writes what is there."""
    folder = RULES / "schema" if name in ("rulebook", "cases") else RULES.parent / "contract"
    assert (folder / f"{name}.json").read_bytes() == dumps(SCHEMAS[name]())


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_the_shipped_files_are_valid(path: Path) -> None:
    """What loads is what the editor accepts."""
    assert faults("rulebook", tree(path)) == []
    assert faults("cases", tree(path.with_name(f"{path.stem}.cases.yaml"))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"rulebok": "x"},
        {"valid_for": 4},
        {"valid_for": "four hours"},
        {"respect": {"quiet_hours": {"from": "9"}}},
        {"respect": {"quiet_hour": {}}},
        {"actions": [{"action": "x"}]},
        {"actions": [{"action": "x", "class": "advert", "channels": ["sms"]}]},
        {"actions": [{"action": "x", "class": "care", "channels": ["sms"], "on": "order.lost"}]},
    ],
)
def test_an_editor_underlines_what_would_not_load(wrong: dict[str, Any]) -> None:
    """Unknown fields, wrong types, words that are none of a closed list."""
    good = {"rulebook": "x", "version": "1"}
    assert faults("rulebook", good) == []
    assert faults("rulebook", {**good, **wrong})


def test_a_default_is_shown_as_an_author_writes_it() -> None:
    """Not in microseconds."""
    schema = SCHEMAS["rulebook"]()
    assert schema["properties"]["valid_for"]["default"] == "4h"
    assert schema["$defs"]["Night"]["properties"]["from"]["default"] == "21:00"
    assert "minimum" not in json.dumps(schema["properties"]["valid_for"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": []},
        {"steps": [{"at": "2026-03-02 10:15", "order.place": {}}]},
        {"steps": [{"at": "2026-03-02 10:15", "order.placed": {}}]},
        {"steps": [{"at": "2026-03-02 10:15", "order.placed": {"order_id": "o"}, "expect": "nothing"}]},
        {"steps": [{"until": "2026-03-02", "expect": {"acts": "x"}}]},
    ],
)
def test_a_cases_file_is_checked_down_to_the_events(wrong: dict[str, Any]) -> None:
    """Each event's data by its own model."""
    good = {"case": "x", "steps": [{"at": "2026-03-02 10:15", "order.placed": {"order_id": "o"}, "expect": "silence"}]}
    assert faults("cases", {"cases": [good]}) == []
    assert faults("cases", {"cases": [{**good, **wrong}]})


def test_every_event_of_the_cases_is_valid() -> None:
    """What the engine reads, as JSON, one event of each shape; every type is known to the schema."""
    seen = set[tuple[str, ...]]()
    for script in parse((RULES / "retail.cases.yaml").read_bytes(), "c.yaml"):
        for event in [*script.opening, *(scene.event for scene in script.scenes if scene.event is not None)]:
            envelope = {
                "specversion": "1.0",
                "id": event.id,
                "source": event.source,
                "type": event.type,
                "time": "2026-03-02T10:15:00Z",
                "subject": event.subject,
                "data": event.data,
            }
            told = json.loads(msgspec.json.encode(envelope))
            shape = (event.type, *(name for name, value in told["data"].items() if value is not None))
            if shape not in seen:
                assert faults("event", told) == []
            seen.add(shape)
    assert len({type_ for type_, *_ in seen}) > 15
    assert {rule["if"]["properties"]["type"]["const"] for rule in SCHEMAS["event"]()["allOf"]} == set(TYPES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": "yesterday"},
        {"specversion": "0.3"},
        {"data": {}},
        {"data": None},
        {"data": {"order_id": 7}},
        {"subject": None},
    ],
)
def test_what_cannot_be_read_is_not_valid(wrong: dict[str, Any]) -> None:
    """A missing field, a wrong type."""
    good: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": "order.placed",
        "time": "2026-03-02T10:15:00Z",
    }
    good |= {"subject": "c", "data": {"order_id": "o", "unknown": 1}}
    assert faults("event", good) == []
    assert faults("event", {**good, "type": "shop.closed", "data": {}}) == []
    assert faults("event", {name: value for name, value in good.items() if name != "data"})
    assert faults("event", {**good, **wrong})


def test_a_withdrawal_that_names_nothing_is_not_valid() -> None:
    """One of two fields is required: a plain list of required fields cannot say it."""
    withdrawn = {"specversion": "1.0", "id": "1", "source": "/s", "type": "contact.withdrawn", "subject": "c"}
    withdrawn["time"] = "2026-03-02T10:15:00Z"
    assert faults("event", {**withdrawn, "data": {"campaign": "spring"}}) == []
    assert faults("event", {**withdrawn, "data": {"request_id": None}})
    assert faults("event", withdrawn)


@cache
def said() -> tuple[Decision, ...]:
    """Every decision of all shipped cases."""
    found: list[Decision] = []
    for path in BOOKS:
        book = parse_rulebook(path.read_bytes(), path.name)
        for script in parse(path.with_name(f"{path.stem}.cases.yaml").read_bytes(), "c.yaml"):
            found += play(book, script).decisions
    return tuple(found)


def test_every_decision_of_the_cases_is_valid() -> None:
    """All six outcomes, no unknown field."""
    for decision in said():
        assert faults("decision", json.loads(decisions.dumps(decision))) == []
    assert len({decision.outcome for decision in said()}) == 6


def test_the_decisions_schema_knows_every_field() -> None:
    """What `decision.data` may write is what the schema lists."""
    known = set(SCHEMAS["decision"]()["properties"]["data"]["properties"])
    written = {name for decision in said() for name in decisions.data(decision)}
    assert written <= known
    fields = {field.removesuffix("_") for field in Decision.__struct_fields__}
    assert known - fields == {"propensity"}
    assert fields - known == {"subject", "time", "ref", "traceparent"}


def test_a_decision_that_lacks_its_reason_is_not_valid() -> None:
    """Every decision says why."""
    good = json.loads(decisions.dumps(said()[0]))
    del good["data"]["reason"]
    assert faults("decision", good)


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
def test_each_outcome_has_what_it_is_for(name: str, field: str) -> None:
    """Whoever generates code from the schema may rely on it."""
    [good, *_] = [json.loads(decisions.dumps(one)) for one in said() if one.outcome.value == name]
    assert faults("decision", good) == []
    del good["data"][field]
    assert faults("decision", good)
