"""What we sell: the later description holds, relations go either way."""

from __future__ import annotations

import pytest

from decisioning.catalogue import Catalogue
from tests.builders import Happening, at, bought, event, product

MONDAY, TUESDAY = "2026-03-02 10:00", "2026-03-03 10:00"


def told(*products: tuple[str, Happening]) -> Catalogue:
    """A catalogue after these events."""
    catalogue = Catalogue()
    for when, happening in products:
        catalogue.fold(event(happening.type, when, happening.data))
    return catalogue


def test_it_knows_what_was_described() -> None:
    """Each field as told; lists as sets, for only membership is asked."""
    one = told(
        (MONDAY, product("A", "readers", "80.00", "EUR", substitutes=["B"], complements=["C"], consumable_days=9))
    )
    found = one.get("A")
    assert found is not None
    assert (found.sku, found.category, found.price, found.currency) == ("A", "readers", "80.00", "EUR")
    assert (found.substitutes, found.complements, found.consumable_days) == (frozenset("B"), frozenset("C"), 9)
    assert (found.variant_of, found.at, len(one)) == (None, at(MONDAY), 1)


@pytest.mark.parametrize("sku", ["B", None])
def test_it_knows_nothing_else(sku: str | None) -> None:
    """A sku that is not in it is unrelated to everything."""
    assert told((MONDAY, product("A"))).get(sku) is None


def test_the_later_description_holds_and_at_a_tie_the_later_arrival() -> None:
    """A price that arrives late does not undo a newer one."""
    catalogue = told(
        (TUESDAY, product("A", price="1.00")),
        (TUESDAY, product("A", price="2.00")),
        (MONDAY, product("A", price="3.00")),
    )
    found = catalogue.get("A")
    assert found is not None
    assert found.price == "2.00"


def test_what_is_no_product_changes_nothing() -> None:
    """The same event may be shown to the catalogue and to the engine."""
    assert len(told((MONDAY, bought("A")))) == 0


def test_variants_are_one_of_the_other_or_both_of_a_third() -> None:
    """Two skus without a parent are not variants of each other."""
    catalogue = told(
        (MONDAY, product("RED", variant_of="SHIRT")),
        (MONDAY, product("BLUE", variant_of="SHIRT")),
        (MONDAY, product("HAT")),
        (MONDAY, product("CAP")),
    )
    for one, other, expected in [
        ("RED", "BLUE", True),
        ("RED", "SHIRT", True),
        ("RED", "HAT", False),
        ("HAT", "CAP", False),
        ("X", "Y", False),
    ]:
        assert (other in catalogue.variants(one)) is (one in catalogue.variants(other)) is expected


def test_substitutes_go_either_way() -> None:
    """Whichever of the two lists the other, known or not."""
    catalogue = told((MONDAY, product("A", substitutes=["B", "X"])), (MONDAY, product("B")), (MONDAY, product("C")))
    for one, other, expected in [("A", "B", True), ("A", "X", True), ("B", "C", False), ("X", "Y", False)]:
        assert (other in catalogue.substitutes(one)) is (one in catalogue.substitutes(other)) is expected


def test_a_category_knows_its_skus() -> None:
    """Those described so last, and none for no category."""
    catalogue = told((MONDAY, product("A", "readers")), (MONDAY, product("B", "readers")), (MONDAY, product("C")))
    assert catalogue.of_category("readers") == {"A", "B"}
    assert catalogue.of_category("cameras") == catalogue.of_category(None) == set()


def test_a_new_description_takes_back_all_that_the_old_one_said() -> None:
    """Category, variants and substitutes are those of the description that holds."""
    catalogue = told(
        (MONDAY, product("A", "readers", variant_of="P", substitutes=["S"])),
        (TUESDAY, product("A", "lamps", variant_of="Q", substitutes=["T"])),
        (MONDAY, product("A", "readers", variant_of="P", substitutes=["S"])),
    )
    assert (catalogue.of_category("readers"), catalogue.of_category("lamps")) == (set(), {"A"})
    assert (catalogue.variants("P"), catalogue.variants("Q")) == ({"P"}, {"Q", "A"})
    assert (catalogue.substitutes("S"), catalogue.substitutes("T")) == (set(), {"A"})
