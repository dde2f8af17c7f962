"""What each event type carries: the contract's tables (section 2), read word for word."""

from __future__ import annotations

from typing import Any

import pytest

from decisioning.errors import EventRejected, Fault
from decisioning.payload import TYPES, ContactWindow
from decisioning.window import DailyWindow
from tests.builders import CUSTOMER, event

NOW = "2026-03-02T10:00:00Z"
LINE = {"sku": "A", "quantity": 1, "unit_price": "1.00"}
BACK = {"sku": "A", "quantity": 1}
CANDIDATE = {"action": "a", "class": "marketing", "channels": ["sms"]}

RESPONSES = [
    *["delivered", "failed", "expired", "opened", "clicked", "accepted", "declined", "ignored"],
    *["complained", "unsubscribed"],
]

# type: (topic, required fields, optional fields), the contract's table with an example of each field
TABLE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "purchase.completed": (
        "purchases",
        {"order_id": "o", "lines": [LINE], "currency": "GBP"},
        {"channel": "web", "promised_at": NOW},
    ),
    "purchase.returned": ("purchases", {"order_id": "o", "lines": [BACK]}, {}),
    "order.placed": ("orders", {"order_id": "o"}, {"promised_at": NOW}),
    "order.shipped": ("orders", {"order_id": "o"}, {"promised_at": NOW}),
    "order.eta_changed": ("orders", {"order_id": "o", "promised_at": NOW}, {}),
    "order.delivered": ("orders", {"order_id": "o"}, {}),
    "order.cancelled": ("orders", {"order_id": "o"}, {}),
    "order.payment_failed": ("orders", {"order_id": "o"}, {}),
    "support.interaction": (
        "support",
        {"interaction_id": "i", "channel": "phone"},
        {"topic": "t", "sentiment": -0.5, "wait_seconds": 30, "case_id": "k"},
    ),
    "support.case_opened": ("support", {"case_id": "k", "severity": "high"}, {"topic": "t", "order_id": "o"}),
    "support.case_resolved": ("support", {"case_id": "k"}, {"satisfied": True, "automatic": False}),
    "support.promise_made": (
        "support",
        {"promise_id": "p", "what": "a call", "due_at": NOW},
        {"case_id": "k", "channel": "phone"},
    ),
    "support.promise_kept": ("support", {"promise_id": "p"}, {}),
    "customer.updated": (
        "customers",
        {},
        {
            "name": "Ada",
            "time_zone": "Europe/London",
            "country": "GB",
            "language": "en",
            "birth_date": "1815-12-10",
            "household_id": "h",
            "attributes": {"vip": True},
        },
    ),
    "customer.preference_set": (
        "customers",
        {},
        {
            "contact_windows": [{"days": ["mon"], "from": "09:00", "to": "17:00"}],
            "channels": ["sms"],
            "topics_off": ["t"],
            "max_marketing_per_week": 1,
            "needs": ["n"],
        },
    ),
    "consent.granted": ("customers", {"purpose": "marketing"}, {"channels": ["sms"], "expires_at": NOW}),
    "consent.withdrawn": ("customers", {"purpose": "profiling"}, {"channels": ["sms"], "expires_at": NOW}),
    "customer.life_event": ("customers", {"kind": "bereavement"}, {"until": NOW, "detail": "d"}),
    "identity.linked": ("customers", {"identity": "tel:+441"}, {}),
    "customer.merged": ("customers", {"into": "c-2"}, {}),
    "customer.erased": ("customers", {}, {"reason": "r"}),
    **{f"response.{kind}": ("responses", {"decision_id": "d", "channel": "sms"}, {}) for kind in RESPONSES},
    "response.recalled": ("responses", {"decision_id": "d", "in_time": True}, {}),
    "survey.answered": (
        "responses",
        {"survey": "nps"},
        {"score": 10, "text": "t", "touchpoint": "p", "decision_id": "d"},
    ),
    "contact.requested": ("contact-requests", {"request_id": "r", "candidates": [CANDIDATE]}, {"campaign": "c"}),
    "contact.withdrawn": ("contact-requests", {"request_id": "r"}, {"campaign": "c"}),
    "product.described": (
        "products",
        {"sku": "A", "category": "k", "price": "1.00", "currency": "GBP"},
        {"variant_of": "B", "substitutes": ["C"], "complements": ["D"], "consumable_days": 30},
    ),
}
REQUIRED = [(type_, field) for type_, (_, required, _) in TABLE.items() for field in required]
OPTIONAL = [(type_, field) for type_, (_, _, optional) in TABLE.items() for field in optional]


def fault(type_: str, data: object) -> Fault:
    """Why an event with this data cannot be read."""
    with pytest.raises(EventRejected) as found:
        event(type_, "2026-03-02 10:15", data)
    assert type_ in str(found.value)
    return found.value.fault


def test_the_types_and_topics_are_the_contracts() -> None:
    """No type is missing, and none is there that the contract does not have."""
    assert {type_: topic for type_, (topic, _) in TYPES.items()} == {type_: row[0] for type_, row in TABLE.items()}


@pytest.mark.parametrize("type_", TABLE)
def test_required_fields_are_enough_and_optional_ones_are_taken(type_: str) -> None:
    """Unknown fields are kept out of the way, null is absent (reading 8)."""
    _, required, optional = TABLE[type_]
    least = event(type_, "2026-03-02 10:15", required).data
    assert least is not None
    nulls = dict.fromkeys(optional)
    assert event(type_, "2026-03-02 10:15", {**required, **nulls, "unknown": {"x": [1]}}).data == least
    full = event(type_, "2026-03-02 10:15", {**required, **optional}).data
    assert full is not None
    assert (full == least) is (not optional)


@pytest.mark.parametrize(("type_", "field"), REQUIRED)
def test_without_a_required_field_it_cannot_be_read(type_: str, field: str) -> None:
    """Missing and null are the same absence."""
    required = TABLE[type_][1]
    assert fault(type_, {name: value for name, value in required.items() if name != field}) is Fault.MISSING_FIELD
    assert fault(type_, {**required, field: None}) in (Fault.MISSING_FIELD, Fault.WRONG_TYPE)


@pytest.mark.parametrize(("type_", "field"), REQUIRED + OPTIONAL)
def test_a_known_field_of_a_wrong_type_cannot_be_read(type_: str, field: str) -> None:
    """Not even an optional one (reading 8)."""
    _, required, optional = TABLE[type_]
    wrong: object = {"x": 1} if field != "attributes" else "x"
    assert fault(type_, {**required, **optional, field: wrong}) is Fault.WRONG_TYPE


@pytest.mark.parametrize(
    ("type_", "field", "value"),
    [
        ("support.case_opened", "severity", "severe"),
        ("consent.granted", "purpose", "fun"),
        ("customer.life_event", "kind", "birthday"),
        ("support.interaction", "sentiment", 1.1),
        ("support.interaction", "wait_seconds", -1),
        ("survey.answered", "score", 11),
        ("customer.updated", "birth_date", "1815-02-30"),
        ("customer.updated", "birth_date", "10.12.1815"),
        ("customer.updated", "time_zone", "Europe/Atlantis"),
        ("customer.updated", "time_zone", "../UTC"),
        ("customer.preference_set", "max_marketing_per_week", -1),
        ("customer.preference_set", "contact_windows", [{"days": ["monday"], "from": "09:00", "to": "17:00"}]),
        ("customer.preference_set", "contact_windows", [{"days": [], "from": "09:00", "to": "17:00"}]),
        ("customer.preference_set", "contact_windows", [{"days": ["mon"], "from": "9:00", "to": "17:00"}]),
        ("customer.preference_set", "contact_windows", [{"days": ["mon"], "from": "09:00", "to": "24:01"}]),
        ("customer.preference_set", "contact_windows", [{"days": ["mon"], "from": "09:00"}]),
        ("purchase.completed", "lines", [{**LINE, "quantity": 0}]),
        ("purchase.completed", "lines", [{**LINE, "quantity": -1}]),
        ("purchase.completed", "lines", [{**LINE, "quantity": 1.5}]),
        ("purchase.completed", "lines", [{**LINE, "unit_price": 1.0}]),
        ("purchase.completed", "lines", [{**LINE, "unit_price": "-1.00"}]),
        ("purchase.completed", "lines", [{**LINE, "unit_price": "1e3"}]),
        ("purchase.completed", "lines", [{**LINE, "unit_price": "1,00"}]),
        ("purchase.completed", "lines", [BACK]),
        ("purchase.completed", "order_id", ""),
        ("order.eta_changed", "promised_at", "2026-03-02T10:00:00"),
        ("order.eta_changed", "promised_at", "tomorrow"),
        ("response.recalled", "in_time", "yes"),
        ("product.described", "consumable_days", 0),
        ("product.described", "price", "free"),
        ("contact.requested", "candidates", []),
        ("contact.requested", "candidates", [CANDIDATE] * 101),
        ("contact.requested", "candidates", [{**CANDIDATE, "class": "advert"}]),
        ("contact.requested", "candidates", [{**CANDIDATE, "channels": []}]),
        ("contact.requested", "candidates", [{**CANDIDATE, "price": 80}]),
        ("contact.requested", "candidates", [{**CANDIDATE, "value": "much"}]),
        ("contact.requested", "candidates", [{**CANDIDATE, "value": True}]),
        ("contact.requested", "candidates", [{**CANDIDATE, "expires_at": "soon"}]),
        ("contact.requested", "candidates", [{"action": "a", "class": "care"}]),
    ],
)
def test_an_unlisted_value_cannot_be_read(type_: str, field: str, value: object) -> None:
    """A closed list, a range, a zone or a time of day that is none (readings 7 and 8)."""
    assert fault(type_, {**TABLE[type_][1], field: value}) in (Fault.WRONG_TYPE, Fault.MISSING_FIELD)


def test_a_withdrawal_names_a_request_or_a_campaign() -> None:
    """Either is enough, and neither is optional: `request_id or campaign` (section 2, reading 8)."""
    for named in ({"request_id": "r"}, {"campaign": "c"}):
        assert event("contact.withdrawn", "2026-03-02 10:15", named).data is not None
    assert fault("contact.withdrawn", {}) is Fault.MISSING_FIELD
    assert fault("contact.withdrawn", {"request_id": None, "campaign": None}) is Fault.MISSING_FIELD


@pytest.mark.parametrize("value", [0, -1, 2.5, "2.5", "-0.5", 10**30, None])
def test_a_value_is_a_number_or_a_decimal_text(value: object) -> None:
    """Reading 13."""
    request = {"request_id": "r", "candidates": [{**CANDIDATE, "value": value}]}
    assert event("contact.requested", "2026-03-02 10:15", request).data is not None


def test_up_to_100_candidates_are_asked_for_at_once() -> None:
    """At most 100."""
    request = {"request_id": "r", "candidates": [CANDIDATE] * 100}
    assert event("contact.requested", "2026-03-02 10:15", request).data is not None


def test_a_country_is_not_looked_up_here() -> None:
    """One that no table knows is no bad event (reading 7)."""
    assert event("customer.updated", "2026-03-02 10:15", {"country": "XX"}).subject == CUSTOMER


def test_a_contact_window_is_arithmetic() -> None:
    """Days from Monday = 0, minutes of the day, `to` at or before `from` as it is."""
    assert ContactWindow(["sun", "mon"], "22:30", "24:00").window() == DailyWindow(frozenset({0, 6}), 1350, 1440)
    assert ContactWindow(["tue"], "18:00", "02:00").window() == DailyWindow(frozenset({1}), 1080, 120)
