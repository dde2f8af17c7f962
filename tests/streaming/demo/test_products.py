"""The catalogue made of stock codes: kinds, variants, links."""

from __future__ import annotations

import pytest

from decisioning.streaming.demo.products import category, products
from decisioning.streaming.demo.sample import Invoice, Item


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "holder"),
        ("SET OF 3 CAKE TINS PANTRY DESIGN", "tin"),
        ("PACK OF 72 RETROSPOT CAKE CASES", "case"),
        ("RED KITCHEN SCALES", "giftware"),
        ("ASSORTED COLOUR BIRD ORNAMENT", "decoration"),
        ("SET OF 2 BOXES", "box"),
    ],
)
def test_the_category_is_the_last_thing_that_a_description_names(description: str, kind: str) -> None:
    """Singular, with words for the same thing taken together, and giftware where no thing is named."""
    assert category(description) == kind


def invoice(*items: tuple[str, str, str]) -> Invoice:
    """An invoice of (sku, description, price)."""
    return Invoice("1", 0, "7", "EIRE", tuple(Item(sku, name, 1, price) for sku, name, price in items))


def test_stock_codes_that_differ_in_letters_are_variants_of_the_first() -> None:
    """85123B is a variant of 85123A; a code alone with its digits is a variant of nothing."""
    found = products([invoice(("85123B", "CREAM HOLDER", "2"), ("85123A", "HOLDER", "2"), ("22423", "STAND", "9"))], 7)
    assert {sku: one.variant_of for sku, one in found.items()} == {"22423": None, "85123A": None, "85123B": "85123A"}


def test_the_list_price_is_the_highest_that_was_paid() -> None:
    """Lower prices were for large quantities, or for friends."""
    found = products([invoice(("22423", "STAND", price)) for price in ("9.95", "12.75", "10.95")], 7)
    assert found["22423"].price == "12.75"


def test_links_name_skus_of_the_catalogue_and_never_the_product_itself(sample: list[Invoice]) -> None:
    """Some products have substitutes, complements and a time after which they are used up; all links lead somewhere."""
    found = products(sample, 7)
    links = [(one.sku, other) for one in found.values() for other in (*one.substitutes, *one.complements)]
    assert all(other in found and other != sku for sku, other in links)
    assert any(one.substitutes for one in found.values())
    assert any(one.complements for one in found.values())
    assert any(one.consumable_days for one in found.values())


def test_the_catalogue_follows_from_sample_and_seed(sample: list[Invoice]) -> None:
    """The same seed gives the same catalogue, another one other links, never other products."""
    assert products(sample, 7) == products(sample, 7)
    other = products(sample, 8)
    assert other != products(sample, 7)
    assert [one.name for one in other.values()] == [one.name for one in products(sample, 7).values()]
