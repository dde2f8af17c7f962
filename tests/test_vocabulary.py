"""The names that conditions may read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from decisioning.condition import Kind
from decisioning.payload import TYPES
from decisioning.vocabulary import (
    BUILT_IN,
    TRIGGERS,
    Declared,
    as_kind,
    fields,
    is_about_an_order,
    of_candidate,
    of_events,
    words_of,
)

TIER = {"tier": Declared(type=Kind.STRING)}


def test_a_condition_on_something_to_say_reads_customer_candidate_and_now() -> None:
    """With the declared attributes, and nothing of events."""
    names = of_candidate(TIER)
    assert {name.partition(".")[0] for name in names} == {"now", "customer", "candidate"}
    assert names["customer.tier"] is Kind.STRING
    assert names["candidate.price"] is Kind.DOUBLE


def test_a_condition_on_an_event_reads_its_plain_fields() -> None:
    """Typed as the contract has them; of orders what we know of the order."""
    names = of_events(["order.eta_changed"], TIER)
    assert {name: names[name] for name in ("event.promised_at", "event.order_id", "order.news", "customer.tier")} == {
        "event.promised_at": Kind.TIMESTAMP,
        "event.order_id": Kind.STRING,
        "order.news": Kind.BOOL,
        "customer.tier": Kind.STRING,
    }
    assert not [name for name in names if name.startswith("candidate.")]


def test_several_events_share_what_all_of_them_have() -> None:
    """A name that one of them lacks could not be read when that one calls."""
    names = of_events(["order.shipped", "order.delivered"], {})
    assert "event.order_id" in names
    assert "event.promised_at" not in names
    assert not [name for name in of_events(["order.shipped", "support.case_opened"], {}) if name.startswith("order.")]


def test_every_field_of_every_type_is_typed_or_no_scalar() -> None:
    """Lists and mappings are left out; whoever adds a type gets its names."""
    assert fields("support.interaction")["event.sentiment"] is Kind.DOUBLE
    assert fields("survey.answered")["event.score"] is Kind.INT
    assert fields("response.recalled")["event.in_time"] is Kind.BOOL
    assert fields("consent.granted")["event.purpose"] is Kind.STRING
    assert "event.lines" not in fields("purchase.completed")
    for event_type in TYPES:
        assert fields(event_type)["event.time"] is Kind.TIMESTAMP


def test_only_events_that_always_name_an_order_are_about_one() -> None:
    """A case may name one."""
    assert [one for one in TRIGGERS if is_about_an_order(one)] == [
        one for one in TRIGGERS if one.startswith(("purchase.", "order."))
    ]


def test_an_event_after_which_nobody_is_left_calls_nothing() -> None:
    """Nor does the catalogue, nor a request, which brings its own."""
    assert {"customer.erased", "customer.merged", "product.described", "contact.requested"}.isdisjoint(TRIGGERS)


def test_each_name_is_told_once_with_a_sentence() -> None:
    """The table for authors is made of them."""
    assert len({one.name for one in BUILT_IN}) == len(BUILT_IN)
    assert all(one.says.endswith(".") for one in BUILT_IN)
    for one in BUILT_IN:
        assert one.absent is None or as_kind(one.absent, one.kind) == one.absent


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("x", Kind.STRING, "x"),
        (5, Kind.STRING, None),
        (True, Kind.BOOL, True),
        (1, Kind.BOOL, None),
        ("true", Kind.BOOL, None),
        (5, Kind.INT, 5),
        (5.0, Kind.INT, 5),
        (5.5, Kind.INT, None),
        (True, Kind.INT, None),
        (2**63, Kind.INT, None),
        (-(2**63), Kind.INT, -(2**63)),
        (5, Kind.DOUBLE, 5.0),
        (10**400, Kind.DOUBLE, None),
        (float("nan"), Kind.INT, None),
        (False, Kind.DOUBLE, None),
        ("1970-01-01T00:00:01Z", Kind.TIMESTAMP, 1_000_000),
        ("tomorrow", Kind.TIMESTAMP, None),
        (5, Kind.TIMESTAMP, None),
        (None, Kind.STRING, None),
        (["x"], Kind.STRING, None),
    ],
)
def test_a_value_is_of_its_kind_or_as_if_absent(value: object, kind: Kind, expected: object) -> None:
    """What JSON cannot tell apart is one; nothing else is converted."""
    found = as_kind(value, kind)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("type_", "default"),
    [("int", "x"), ("bool", 1), ("bool", "on"), ("string", 5), ("timestamp", "soon"), ("double", True), ("int", [1])],
)
def test_a_default_is_of_its_attributes_type(type_: str, default: object) -> None:
    """Else every customer without the attribute would err."""
    with pytest.raises(ValidationError):
        Declared.model_validate({"type": type_, "default": default})


def test_closed_lists_are_known_and_open_ones_are_not() -> None:
    """What a name can never be is an author's slip; what a customer or a shop may send is anything."""
    assert words_of("candidate.class") == ("marketing", "survey", "service", "care")
    assert words_of("event.severity") == ("low", "normal", "high")
    assert words_of("event.kind")[0] == "bereavement"
    assert "cancelled" in words_of("order.status")
    assert "order.shipped" in words_of("event.type")
    for name in ("event.topic", "event.nothing", "customer.country", "customer.tier", "candidate.topic", "now"):
        assert words_of(name) == ()
