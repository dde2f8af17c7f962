"""What we sell: the products behind the purchase suppressors, as last described.

One catalogue is shared by all customers of a process. `fold` is its only change; the engine only reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final, NamedTuple

from decisioning.event import Event
from decisioning.payload import ProductDescribed


class Product(NamedTuple):
    """One sku: `at` is the instant of the description that holds, `price` a decimal string in `currency`."""

    sku: str
    category: str
    price: str
    currency: str
    variant_of: str | None
    substitutes: frozenset[str]
    complements: frozenset[str]
    consumable_days: int | None
    at: int


_NONE: Final[frozenset[str]] = frozenset()


class Catalogue:
    """Sku -> product; of two descriptions of one sku the later time holds, at a tie the later arrival.

    Relations are indexed the other way round, so that a customer with hundreds of purchases is asked in no time.
    """

    def __init__(self) -> None:
        self._products: dict[str, Product] = {}
        self._skus: dict[tuple[str, str], set[str]] = {}
        """What a description says of a sku (`_said`) -> the skus of which it is said."""

    def __len__(self) -> int:
        return len(self._products)

    def get(self, sku: str | None) -> Product | None:
        """The product, or None for an unknown sku or none."""
        return self._products.get(sku) if sku is not None else None

    def fold(self, event: Event) -> None:
        """Take in a `product.described`; anything else, and an older description, changes nothing."""
        data = event.data
        if not isinstance(data, ProductDescribed):
            return
        known = self._products.get(data.sku)
        if known is not None and known.at > event.time:
            return
        for said in _said(known) if known is not None else ():
            self._skus[said].discard(data.sku)
        product = self._products[data.sku] = Product(
            sku=data.sku,
            category=data.category,
            price=data.price,
            currency=data.currency,
            variant_of=data.variant_of,
            substitutes=frozenset(data.substitutes or ()),
            complements=frozenset(data.complements or ()),
            consumable_days=data.consumable_days,
            at=event.time,
        )
        for said in _said(product):
            self._skus.setdefault(said, set()).add(data.sku)

    def variants(self, sku: str) -> Set[str]:
        """The same item in any shape: itself, its variants, what it is a variant of, and the other variants of that."""
        product = self._products.get(sku)
        found = {sku, *self._skus.get(("variant_of", sku), ())}
        if product is not None and product.variant_of is not None:
            found |= {product.variant_of, *self._skus.get(("variant_of", product.variant_of), ())}
        return found

    def substitutes(self, sku: str) -> Set[str]:
        """What this product lists as its substitutes, and the products that list it as theirs."""
        product = self._products.get(sku)
        listed = product.substitutes if product is not None else _NONE
        return listed | self._skus.get(("substitute", sku), _NONE)

    def of_category(self, category: str | None) -> Set[str]:
        """The skus of a category."""
        return self._skus.get(("category", category), _NONE) if category is not None else _NONE


def _said(product: Product) -> Iterator[tuple[str, str]]:
    yield "category", product.category
    if product.variant_of is not None:
        yield "variant_of", product.variant_of
    for sku in product.substitutes:
        yield "substitute", sku
