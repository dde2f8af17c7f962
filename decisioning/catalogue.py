"""What we sell: the products behind the purchase suppressors, as last described.

One catalogue is shared by all customers of a process. `fold` is its only change; the engine only reads it.
"""

from __future__ import annotations

from typing import NamedTuple

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


class Catalogue:
    """Sku -> product; of two descriptions of one sku the later time holds, at a tie the later arrival."""

    def __init__(self) -> None:
        self._products: dict[str, Product] = {}

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
        self._products[data.sku] = Product(
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

    def are_variants(self, one: str, other: str) -> bool:
        """Whether two skus are the same item in another shape: one is a variant of the other, or both of a third."""
        first, second = self.get(one), self.get(other)
        parent = first.variant_of if first is not None else None
        other_parent = second.variant_of if second is not None else None
        return parent == other or other_parent == one or (parent is not None and parent == other_parent)

    def are_substitutes(self, one: str, other: str) -> bool:
        """Whether either product lists the other as its substitute."""
        first, second = self.get(one), self.get(other)
        return (first is not None and other in first.substitutes) or (second is not None and one in second.substitutes)
