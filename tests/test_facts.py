"""What the names stand for."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from msgspec.structs import replace

from decisioning import facts
from decisioning.catalogue import Catalogue
from decisioning.condition import ConditionError, Kind, parse
from decisioning.decision import Candidate
from decisioning.event import Event
from decisioning.state import State, fold
from decisioning.suppress.base import Ask
from decisioning.vocabulary import Attributes, Declared, of_candidate
from tests.builders import at, event

ATTRIBUTES: Attributes = {
    "tier": Declared(type=Kind.STRING, default="basic"),
    "visits": Declared(type=Kind.INT),
    "member_since": Declared(type=Kind.TIMESTAMP, default="2020-01-01T00:00:00Z"),
}


def after(*events: Event) -> State:
    """The memory of these events."""
    state = State("c-42")
    for one in events:
        state = fold(replace(state, now=one.time), one)
    return state


def about(state: State, catalogue: Catalogue | None = None, **candidate: Any) -> facts.Facts:
    """The facts of something to say by email at the state's own instant."""
    said = Candidate(0, "sale", "marketing", ("email",), 10**18, **candidate)
    return facts.of_candidate(ATTRIBUTES, Ask(said, "email", state, (), state.now, catalogue or Catalogue(), ()))


def test_a_customer_is_what_was_told_of_them() -> None:
    """Country, language, purchases; unknown ones are missing, not empty."""
    known = about(
        after(
            event("customer.updated", "2026-03-01", {"country": "DE", "language": "de"}),
            event("purchase.completed", "2026-03-02", {"order_id": "o", "currency": "EUR", "lines": []}),
        )
    )
    assert (known["customer.country"], known["customer.language"], known["customer.has_bought"]) == ("DE", "de", True)
    nobody = about(State("c-42"))
    assert "customer.country" not in nobody
    assert (nobody["customer.has_bought"], nobody["customer.test"]) == (False, False)


@pytest.mark.parametrize("mark", ["test", "seed"])
def test_test_and_seed_customers_are_marked(mark: str) -> None:
    """By attributes of those names that are true, and by nothing else."""
    assert about(after(event("customer.updated", "2026-03-01", {"attributes": {mark: True}})))["customer.test"] is True
    assert about(after(event("customer.updated", "2026-03-01", {"attributes": {mark: "no"}})))["customer.test"] is False


def test_an_attribute_is_its_value_else_its_default_else_missing() -> None:
    """A value of another type is as if there were none; what is not declared cannot be read."""
    told = after(event("customer.updated", "2026-03-01", {"attributes": {"tier": "gold", "visits": 3, "secret": 1}}))
    known = about(told)
    assert (known["customer.tier"], known["customer.visits"]) == ("gold", 3)
    assert "customer.secret" not in known
    wrong = about(after(event("customer.updated", "2026-03-01", {"attributes": {"tier": 5, "visits": "many"}})))
    assert wrong["customer.tier"] == "basic"
    assert "customer.visits" not in wrong
    assert wrong["customer.member_since"] == at("2020-01-01")


def test_a_candidate_is_what_was_asked_else_what_the_catalogue_knows() -> None:
    """Its texts are empty where nothing was given, its price is missing."""
    catalogue = Catalogue()
    described = {"sku": "A", "category": "book", "price": "12.50", "currency": "GBP"}
    catalogue.fold(event("product.described", "2026-03-01", described, subject="A"))
    known = about(State("c-42"), catalogue, sku="A", value="7.5", topic="news")
    names = ("action", "class", "channel", "sku", "category", "price", "currency", "value", "topic", "audience")
    assert [known[f"candidate.{name}"] for name in names] == [
        "sale", "marketing", "email", "A", "book", 12.5, "GBP", 7.5, "news", "",
    ]  # fmt: skip
    own = about(State("c-42"), catalogue, sku="A", category="toy", price="9", currency="EUR")
    assert [own[f"candidate.{name}"] for name in ("category", "price", "currency")] == ["toy", 9.0, "EUR"]
    assert "candidate.price" not in about(State("c-42"))


def test_an_event_is_its_plain_fields() -> None:
    """Texts that were left out are empty, all else is missing; times are instants."""
    happened = event("support.interaction", "2026-03-01 10:00", {"interaction_id": "i-1", "channel": "phone"})
    known = facts.of_event(ATTRIBUTES, after(happened), happened)
    assert (known["event.type"], known["event.time"]) == ("support.interaction", at("2026-03-01 10:00"))
    assert (known["event.channel"], known["event.topic"]) == ("phone", "")
    assert "event.sentiment" not in known
    assert known["now"] == at("2026-03-01 10:00")


def test_an_order_is_what_the_customer_was_told_of_it() -> None:
    """The event itself is already folded; a change of plan is not yet told."""
    placed = event("order.placed", "2026-03-01", {"order_id": "o", "promised_at": "2026-03-05T10:00:00Z"}, "e-1")
    moved = event("order.eta_changed", "2026-03-02", {"order_id": "o", "promised_at": "2026-03-06T10:00:00Z"}, "e-2")
    known = facts.of_event(ATTRIBUTES, after(placed, moved), moved)
    assert (known["order.was_told"], known["order.news"], known["order.status"]) == (True, True, "placed")
    assert (known["order.promised_at"], known["event.promised_at"]) == (at("2026-03-05 10:00"), at("2026-03-06 10:00"))
    untold = facts.of_event(ATTRIBUTES, after(moved), moved)
    assert untold["order.was_told"] is False
    assert "order.promised_at" not in untold


def test_an_order_that_nobody_knows_has_no_status() -> None:
    """Empty and no, so that conditions on it have an answer."""
    back = event("purchase.returned", "2026-03-02", {"order_id": "o", "lines": []})
    known = facts.of_event(ATTRIBUTES, State("c-42"), back)
    assert (known["order.status"], known["order.was_told"], known["order.news"]) == ("", False, False)


def test_only_what_is_asked_for_is_looked_up() -> None:
    """And only once."""
    asked: list[str] = []

    def look_up(name: str) -> str:
        asked.append(name)
        return "x"

    known = facts.Facts(lambda: ("a", "b"), look_up)
    assert (known["a"], known["a"], asked) == ("x", "x", ["a"])
    assert (len(known), dict(known)) == (2, {"a": "x", "b": "x"})


def test_what_was_read_is_shown_with_its_times_as_texts() -> None:
    """For whoever asks why; what is missing is left out."""
    condition = parse("customer.member_since < now && customer.visits > 3", of_candidate(ATTRIBUTES))
    shown = facts.shown(condition, about(after(event("customer.updated", "2026-03-01", {}))))
    assert shown == {"customer.member_since": "2020-01-01T00:00:00Z", "now": "2026-03-01T00:00:00Z"}


def test_a_condition_is_asked_once() -> None:
    """Rules share clauses, and an event asks each of them once; one without an answer is remembered as such."""
    asked: list[str] = []

    def look_up(name: str) -> str | None:
        asked.append(name)
        return "gold" if name == "customer.tier" else None

    schema = {"customer.tier": Kind.STRING, "customer.town": Kind.STRING}
    gold, silver = (parse(text, schema) for text in ("customer.tier == 'gold'", "customer.town == 'Ely'"))
    known: dict[Hashable, object] = {}
    for _ in range(3):
        fresh = facts.Facts(lambda: (), look_up)
        assert facts.answered(known, "gold", gold, fresh)
        with pytest.raises(ConditionError):
            facts.answered(known, "silver", silver, fresh)
    assert asked.count("customer.tier") == 1
    assert fresh.holds(gold)
    assert fresh.holds(parse("customer.tier == 'gold'", schema))
    assert asked.count("customer.tier") == 2
