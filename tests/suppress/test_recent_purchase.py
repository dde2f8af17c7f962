"""Rules 8 to 11: what was just bought is not offered again, cheaper, in another shape, or at all for two days."""

from __future__ import annotations

import pytest

from tests.builders import (
    UNCAPPED,
    Happening,
    Story,
    asked,
    at,
    bought,
    cancelled,
    offer,
    only,
    product,
    returned,
    said,
    uncapped,
)

YES = ("act", "allowed.clear")
LATER = "2026-03-20 12:00"  # 18 days after the purchase: past the cooldown and past any make-good
BOUGHT = "2026-03-02 10:15"


def no(detail: str) -> tuple[str, str]:
    """The refusal for one of the five reasons."""
    return ("suppress", f"recent_purchase.{detail}")


@pytest.fixture
def story() -> Story:
    """The usual customer, whom no cap limits: only the purchases speak."""
    return uncapped()


def ask(story: Story, when: str = LATER, kind: str = "marketing", **fields: str) -> tuple[str, str]:
    """Outcome and reason of one question."""
    return said(story.at(when, asked({**offer(kind=kind), **fields})))[0]


@pytest.fixture
def buyer(story: Story) -> Story:
    """Someone who bought one A for 100.00 GBP; the catalogue does not know A."""
    story.at(BOUGHT, bought("A", price="100.00"))
    return story


@pytest.mark.parametrize(
    ("price", "detail"), [("99.99", "price_drop"), ("100.00", "same_item"), ("100.01", "same_item")]
)
def test_8_the_same_sku_at_a_lower_price_than_paid(buyer: Story, price: str, detail: str) -> None:
    """Lower is lower to the penny; at the same price rule 9 speaks."""
    assert ask(buyer, sku="A", price=price, currency="GBP") == no(detail)


def test_8_tells_what_was_paid_and_when(buyer: Story) -> None:
    """The facts of the contract's own example, and the end of the 30 days."""
    answer = only(buyer.at(LATER, asked(offer(sku="A", price="80.00"))))
    assert answer.considered[0].because == {
        "sku": "A",
        "bought_at": "2026-03-02T10:15:00Z",
        "paid": "100.00",
        "offered": "80.00",
    }
    assert answer.allowed_from == at("2026-04-01 10:15")


def test_8_a_missing_price_is_the_catalogues(buyer: Story) -> None:
    """What the catalogue asks for today is what would be offered."""
    buyer.at(BOUGHT, product("A", price="70.00"))
    assert ask(buyer, sku="A") == no("price_drop")


def test_8_a_missing_currency_is_the_purchases(buyer: Story) -> None:
    """A price without a currency is compared with what was paid, whatever the catalogue's currency."""
    buyer.at(BOUGHT, product("A", price="70.00", currency="EUR"))
    assert ask(buyer, sku="A", price="80.00") == no("price_drop")


@pytest.mark.parametrize("fields", [{"price": "80.00", "currency": "EUR"}, {}])
def test_8_says_nothing_in_another_currency_or_without_a_price(buyer: Story, fields: dict[str, str]) -> None:
    """Then rule 9 does."""
    assert ask(buyer, sku="A", **fields) == no("same_item")


def test_8_compares_with_the_purchases_that_cost_more(buyer: Story) -> None:
    """One of two purchases paid above the offer is enough, and it gives the facts."""
    buyer.at("2026-03-03 10:15", bought("A", order="o-2", price="60.00"))
    answer = only(buyer.at(LATER, asked(offer(sku="A", price="80.00"))))
    assert said([answer]) == [no("price_drop")]
    assert answer.considered[0].because is not None
    assert answer.considered[0].because["paid"] == "100.00"


def test_8_to_11_end_at_their_day(buyer: Story) -> None:
    """[bought, bought + 30d): a microsecond before it speaks, then it is silent (reading 3)."""
    assert ask(buyer, "2026-04-01 10:14:59.999999", sku="A", price="80.00") == no("price_drop")
    assert ask(buyer, "2026-04-01 10:15", sku="A", price="80.00") == YES


def test_9_the_same_sku(buyer: Story) -> None:
    """Also one that no catalogue knows: rules 8 to 10 speak from purchases and catalogue."""
    assert ask(buyer, sku="A") == no("same_item")
    assert ask(buyer, sku="B") == YES


@pytest.mark.parametrize(
    "catalogue",
    [
        [product("B", variant_of="A", category="other")],
        [product("A", variant_of="B", category="other")],
        [product("A", variant_of="X"), product("B", variant_of="X", category="other")],
    ],
)
def test_9_its_variants(buyer: Story, catalogue: list[Happening]) -> None:
    """A variant of it, what it is a variant of, and a variant of the same thing."""
    buyer.at(BOUGHT, *catalogue)
    assert ask(buyer, sku="B") == no("same_item")


@pytest.mark.parametrize("lists", ["A", "B"])
def test_10_substitutes_in_either_direction(buyer: Story, lists: str) -> None:
    """Whichever of the two lists the other."""
    other = "B" if lists == "A" else "A"
    buyer.at(BOUGHT, product(lists, category=lists, substitutes=[other]), product(other, category=other))
    answer = only(buyer.at(LATER, asked(offer(sku="B"))))
    assert said([answer]) == [no("substitute")]
    assert answer.considered[0].because == {"sku": "A", "bought_at": "2026-03-02T10:15:00Z"}
    assert answer.allowed_from == at("2026-04-01 10:15")


def test_10_the_same_category(buyer: Story) -> None:
    """The catalogue's category of both."""
    buyer.at(BOUGHT, product("A", "readers"), product("B", "readers"), product("C", "lamps"))
    assert ask(buyer, sku="B") == no("same_category")
    assert ask(buyer, sku="C") == YES


@pytest.mark.parametrize("sku", [{}, {"sku": "UNKNOWN"}, {"sku": "C"}])
def test_10_a_candidates_own_category_counts_too(buyer: Story, sku: dict[str, str]) -> None:
    """Without a sku, with an unknown one, and beside the catalogue's (reading 13)."""
    buyer.at(BOUGHT, product("A", "readers"), product("C", "lamps"))
    assert ask(buyer, category="readers", **sku) == no("same_category")
    assert ask(buyer, category="shoes", **sku) == YES


def test_10_the_catalogues_category_counts_beside_the_candidates_own(buyer: Story) -> None:
    """Calling a reader a lamp does not make it one."""
    buyer.at(BOUGHT, product("A", "readers"), product("B", "readers"))
    assert ask(buyer, sku="B", category="lamps") == no("same_category")


def test_10_substitute_is_said_before_category(buyer: Story) -> None:
    """Reasons come in the order of the table."""
    buyer.at(BOUGHT, product("A", "readers", substitutes=["B"]), product("B", "readers"))
    assert ask(buyer, sku="B") == no("substitute")


def test_10_not_what_the_bought_product_lists_as_its_complement(buyer: Story) -> None:
    """The case of a reader is of its category and even its substitute, and may be offered."""
    buyer.at(BOUGHT, product("A", "readers", complements=["B"], substitutes=["B"]), product("B", "readers"))
    assert ask(buyer, sku="B") == YES


def test_10_a_complement_must_be_listed_by_what_was_bought(buyer: Story) -> None:
    """That the case lists the reader says nothing."""
    buyer.at(BOUGHT, product("A", "readers"), product("B", "readers", complements=["A"]))
    assert ask(buyer, sku="B") == no("same_category")


def test_9_knows_no_complements(buyer: Story) -> None:
    """The exemption is rule 10's."""
    buyer.at(BOUGHT, product("A", "readers", complements=["A", "B"]), product("B", variant_of="A"))
    assert ask(buyer, sku="A") == no("same_item")
    assert ask(buyer, sku="B") == no("same_item")


def test_9_and_10_end_when_most_is_used_up(buyer: Story) -> None:
    """80 % of the bought sku's 20 days are 16; the offered one's days say nothing."""
    buyer.at(BOUGHT, product("A", "coffee", consumable_days=20), product("B", "coffee", consumable_days=1))
    assert ask(buyer, "2026-03-18 10:14:59.999999", sku="A") == no("same_item")
    assert ask(buyer, "2026-03-18 10:14:59.999999", sku="B") == no("same_category")
    assert ask(buyer, "2026-03-18 10:15", sku="A") == YES
    assert ask(buyer, "2026-03-18 10:15", sku="B") == YES


def test_8_does_not_end_when_it_is_used_up(buyer: Story) -> None:
    """Only 9 and 10 do: a lower price hurts for 30 days."""
    buyer.at(BOUGHT, product("A", "coffee", consumable_days=5))
    assert ask(buyer, LATER, sku="A", price="80.00") == no("price_drop")


def test_what_lasts_longer_than_30_days_ends_at_30(buyer: Story) -> None:
    """80 % counts only where that is sooner."""
    buyer.at(BOUGHT, product("A", "coffee", consumable_days=365))
    assert ask(buyer, "2026-04-01 10:15", sku="A") == YES


@pytest.mark.parametrize("kind", ["marketing", "survey"])
@pytest.mark.parametrize("fields", [{}, {"sku": "Z"}, {"category": "shoes"}])
def test_11_nothing_of_any_kind_right_after_a_purchase(buyer: Story, kind: str, fields: dict[str, str]) -> None:
    """48h, whatever is on offer; the end is exact."""
    answer = only(buyer.at("2026-03-04 10:14:59.999999", asked({**offer(kind=kind), **fields})))
    assert said([answer]) == [no("cooldown")]
    assert answer.allowed_from == (at("2026-03-04 10:15") if kind == "marketing" else None), "no survey has a plan"
    assert answer.considered[0].because == {"bought_at": "2026-03-02T10:15:00Z"}
    assert ask(buyer, "2026-03-04 10:15", **fields) == YES


@pytest.mark.parametrize("kind", ["service", "care"])
def test_8_to_11_say_nothing_of_service(buyer: Story, kind: str) -> None:
    """They are for marketing and survey."""
    assert ask(buyer, "2026-03-02 10:16", kind, sku="A", price="1.00") == YES


@pytest.mark.parametrize("gone", [returned("A"), cancelled()])
def test_a_return_or_cancellation_ends_8_to_10_and_never_11(buyer: Story, gone: Happening) -> None:
    """What came back is not owned, but the customer did just buy."""
    buyer.at("2026-03-02 11:00", gone)
    assert ask(buyer, "2026-03-03 12:00", sku="A", price="80.00") == no("cooldown")
    assert ask(buyer, "2026-03-05 12:00", sku="A", price="80.00") == YES


def test_a_return_ends_them_for_its_units_only(story: Story) -> None:
    """Of two units one came back: the other still speaks, until it too is back."""
    story.at(BOUGHT, bought("A", "B", quantity=2))
    story.at("2026-03-03 10:15", returned("A"))
    assert ask(story, sku="A") == no("same_item")
    story.at(LATER, returned("A"))
    assert ask(story, sku="A") == YES
    assert ask(story, sku="B") == no("same_item")


def test_a_late_old_purchase_speaks_for_what_is_left_of_its_time(story: Story) -> None:
    """30 days from when it was bought, not from when we heard."""
    story.at(LATER, bought("A").since("2026-02-20 12:00"))
    assert ask(story, "2026-03-22 11:59:59.999999", sku="A") == no("same_item")
    assert ask(story, "2026-03-22 12:00", sku="A") == YES


def test_the_last_purchase_to_fall_silent_gives_the_end(buyer: Story) -> None:
    """Two purchases of one sku: the newest gives the facts and the end."""
    buyer.at("2026-03-10 10:15", bought("A", order="o-2"))
    answer = only(buyer.at(LATER, asked(offer(sku="A"))))
    assert answer.considered[0].because == {"sku": "A", "bought_at": "2026-03-10T10:15:00Z"}
    assert answer.allowed_from == at("2026-04-09 10:15")


def test_the_days_are_the_rulebooks() -> None:
    """30d and 48h are defaults."""
    numbers = b"{price_drop: 20d, same_item: 8d, substitute: 6d, cooldown: 1h, consumed: 0.5}"
    story = uncapped(UNCAPPED.replace(b"respect: {", b"respect: {recent_purchase: " + numbers + b", "))
    story.at(BOUGHT, bought("A", "C"), product("A", "readers"), product("B", "readers"))
    story.at(BOUGHT, product("C", "coffee", consumable_days=8))
    assert ask(story, "2026-03-02 11:15", sku="C") == no("same_item")
    assert ask(story, "2026-03-02 11:15", sku="Z") == YES
    assert ask(story, "2026-03-06 10:15", sku="C") == YES
    assert ask(story, "2026-03-08 10:14", sku="B") == no("same_category")
    assert ask(story, "2026-03-08 10:15", sku="B") == YES
    assert ask(story, "2026-03-10 10:14", sku="A") == no("same_item")
    assert ask(story, "2026-03-10 10:15", sku="A") == YES
    assert ask(story, "2026-03-22 10:14", sku="A", price="80.00") == no("price_drop")
    assert ask(story, "2026-03-22 10:15", sku="A", price="80.00") == YES


def test_what_was_forgotten_is_taken_for_bought(story: Story) -> None:
    """Beyond the bound of orders whatever is on offer may be among the forgotten, until their 30 days are over."""
    for number in range(70):
        story.at(BOUGHT, bought(f"S-{number}", order=f"o-{number:02}"))
    answer = only(story.at(LATER, asked(offer(sku="NEVER-BOUGHT"))))
    assert said([answer]) == [no("same_item")]
    assert answer.allowed_from == at("2026-04-01 10:15")
    assert ask(story, LATER) == YES, "what names neither sku nor category cannot be among them"
    assert ask(story, "2026-04-01 10:15", sku="S-0") == YES
